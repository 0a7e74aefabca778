//! What can be expected of a limit of HAProxy.

use crate::{
    model::{figure::Figure, text::Clean, tuning::Knob},
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Something that is true of a limit of one HAProxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnobExpect {
    /// Which.
    pub knob: Knob,
    /// What.
    pub is: KnobIs,
}

/// What can be expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnobIs {
    /// It runs by this value.
    Is(u64),
    /// The limit is not reached: nobody waits for it.
    HasRoom,
}

impl KnobExpect {
    /// Judges what HAProxy told.
    pub(in crate::plan) fn judge(&self, facts: &Facts) -> Verdict {
        let Facts::Haproxy(sample) = facts else { return Verdict::Unknown("the answer is not HAProxy's".into()) };
        let limit = match self.knob.running(sample) {
            Figure::Known(limit) => limit,
            Figure::Unknown(why) => return Verdict::Unknown(Clean::line(&format!("{} is unknown: {why}", self.knob))),
        };
        match self.is {
            KnobIs::Is(value) => verdict(limit == value, self.knob.says(limit)),
            KnobIs::HasRoom => {
                let Some(Figure::Known(open)) = self.knob.traffic(sample).map(|traffic| traffic.sessions_current)
                else {
                    return Verdict::Unknown(Clean::line(&format!("how full {} is is unknown", self.knob)));
                };
                verdict(open < limit, format!("{open} of {limit} are open"))
            }
        }
    }

    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self.is {
            KnobIs::Is(_) => "exactly",
            KnobIs::HasRoom => "as told",
        }
    }
}

impl fmt::Display for KnobExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is {
            KnobIs::Is(value) => f.write_str(&self.knob.says(value)),
            KnobIs::HasRoom => write!(f, "{} are fewer than may be", self.knob),
        }
    }
}
