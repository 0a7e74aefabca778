//! What can be expected of a port of a switch, and of the timer that takes a change of it back.

use crate::{
    model::{
        countdown::{CountdownSample, CountdownState},
        figure::Figure,
        port_setting::PortSetting,
        text::Clean,
    },
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that is true of the timer of a node, or of the value that it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountdownExpect {
    /// No timer runs there.
    Idle,
    /// This one runs, and survives a start of the node.
    Armed {
        /// Whose it is.
        id: Clean,
    },
    /// This one was not called off.
    Here {
        /// Whose it is.
        id: Clean,
    },
    /// This one was called off: it neither runs nor has run out.
    Gone {
        /// Whose it is.
        id: Clean,
    },
    /// This one has run out, and the node has taken the change back.
    RanOut {
        /// Whose it is.
        id: Clean,
    },
    /// The value is that.
    Value {
        /// Of which setting.
        setting: PortSetting,
        /// Of which port or interface.
        row: Clean,
        /// Canonical.
        value: Clean,
    },
}

impl CountdownExpect {
    /// Judges what a look found.
    pub(in crate::plan) fn judge(&self, facts: &Facts) -> Verdict {
        let Facts::Countdown(sample) = facts else { return Verdict::Unknown("the answer is about no timer".into()) };
        if let Self::Value { setting, row, value } = self {
            return match &sample.value {
                Figure::Known(is) => verdict(is == value, format!("{} of {row} is {is}", setting.column())),
                Figure::Unknown(why) => {
                    Verdict::Unknown(Clean::line(&format!("{} of {row} is unknown: {why}", setting.column())))
                }
            };
        }
        let state = match &sample.state {
            Figure::Known(state) => state,
            Figure::Unknown(why) => return Verdict::Unknown(Clean::line(&format!("the timer is unknown: {why}"))),
        };
        let ran = |id: &Clean| sample.ran.as_ref().filter(|ran| ran.id == *id);
        let is_here = |id: &Clean| match state {
            CountdownState::Armed { id: of, .. } | CountdownState::Working { id: of } => of == id,
            CountdownState::Idle | CountdownState::NoSystemd => ran(id).is_some(),
        };
        let seen = timer_words(sample);
        match self {
            Self::Idle => match state {
                // A moment later it is over.
                CountdownState::Working { .. } => Verdict::Unknown(Clean::line(&seen)),
                _ => verdict(*state == CountdownState::Idle, seen),
            },
            Self::Armed { id } => {
                let is_armed = matches!(state, CountdownState::Armed { id: of, is_sure: true, .. } if of == id);
                verdict(is_armed, seen)
            }
            Self::Here { id } => verdict(is_here(id), seen),
            Self::Gone { id } => verdict(!is_here(id), seen),
            Self::RanOut { id } => verdict(ran(id).is_some(), seen),
            Self::Value { .. } => Verdict::Unknown("no timer".into()),
        }
    }
}

/// The timer in words, with what the last one did.
fn timer_words(sample: &CountdownSample) -> String {
    let ran = sample.ran.as_ref().map(|ran| {
        let did = if ran.took_back { "took the change back by itself" } else { "found nothing of it to take back" };
        format!("the timer of {} ran out, and the node {did} at {}", ran.id, ran.at)
    });
    match &sample.state {
        Figure::Known(CountdownState::NoSystemd) => {
            "systemd does not run there, so that nothing could take the change back".to_owned()
        }
        Figure::Known(CountdownState::Idle) => ran.unwrap_or_else(|| "no timer runs".to_owned()),
        Figure::Known(CountdownState::Working { id }) => {
            format!("the timer of {id} has run out, and the node takes the change back")
        }
        Figure::Known(CountdownState::Armed { id, left_s, is_sure }) => {
            let sure =
                if *is_sure { "" } else { ", but systemd does not run it, or would not after a start of the node" };
            format!("the timer of {id} runs for {left_s} s more{sure}")
        }
        Figure::Unknown(why) => format!("the timer is unknown: {why}"),
    }
}

/// The setting in one line, for what is true after a run.
pub(in crate::plan) fn words(sample: &CountdownSample) -> Clean {
    let value = match &sample.value {
        Figure::Known(value) => format!("is {value}"),
        Figure::Unknown(why) => format!("is unknown: {why}"),
    };
    Clean::line(&format!("{value}; {}", timer_words(sample)))
}

impl fmt::Display for CountdownExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Idle => f.write_str("no timer runs there"),
            Self::Armed { .. } => f.write_str("the timer runs, also after a start of the node"),
            Self::Here { .. } => f.write_str("the timer was not called off"),
            Self::Gone { .. } => f.write_str("the timer was called off before it ran out"),
            Self::RanOut { .. } => f.write_str("the node has taken it back by itself"),
            Self::Value { setting, row, value } => write!(f, "{} of {row} is {value}", setting.column()),
        }
    }
}
