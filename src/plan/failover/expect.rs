//! What can be expected of the daemon of a database, by its machine's word.

use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        mysql::{DaemonSample, DaemonState},
        text::Clean,
    },
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What can be expected of the daemon of a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DaemonExpect {
    /// Its unit is masked, and no process of it lives: nothing writes, and nothing starts it.
    Fenced,
    /// Its unit is not masked.
    NotMasked,
    /// Its unit is not masked, and a process lives.
    Runs,
    /// Everything that its binary log holds is on that other server.
    AllIsOn(NodeName),
    /// It is no nearer to service than it was: not begun anew since.
    NoBetter {
        /// What it did.
        than: DaemonState,
        /// The number of its process, where it had one.
        pid: Option<u32>,
    },
}

impl DaemonExpect {
    /// Whose facts as a database are looked at besides.
    pub(in crate::plan) fn other(&self) -> Option<&NodeName> {
        match self {
            Self::AllIsOn(node) => Some(node),
            _ => None,
        }
    }

    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self {
            Self::NoBetter { .. } => "at most",
            Self::Fenced | Self::NotMasked | Self::Runs | Self::AllIsOn(_) => "as told",
        }
    }

    /// Judges the facts of one machine.
    pub(in crate::plan) fn judge(&self, facts: &Facts, other: Option<&Facts>) -> Verdict {
        if let Self::AllIsOn(node) = self {
            return judge_binlog(facts, other, node);
        }
        let Facts::Daemon(sample) = facts else {
            return Verdict::Unknown("the answer is not about the database's daemon".into());
        };
        let (state, is_masked) = match (sample.state(), sample.is_masked) {
            (Figure::Known(state), Figure::Known(is_masked)) => (state, is_masked),
            (Figure::Unknown(why), _) => return unknown("what the database's daemon does", why),
            (_, Figure::Unknown(why)) => return unknown("whether its unit is masked", why),
        };
        let words = words(sample);
        let seen = words.as_str();
        match self {
            Self::Fenced => verdict(is_masked && state == DaemonState::Dead, seen),
            Self::NotMasked => verdict(!is_masked, seen),
            Self::Runs => verdict(!is_masked && state == DaemonState::Alive, seen),
            Self::AllIsOn(_) => Verdict::Unknown("the answer is not about a binary log".into()),
            Self::NoBetter { than, pid } => {
                let is_same = state == DaemonState::Dead || sample.pid() == *pid;
                verdict(state <= *than && is_same, seen)
            }
        }
    }
}

/// What the binary log of a server that is dead holds beyond another server.
fn judge_binlog(facts: &Facts, other: Option<&Facts>, node: &NodeName) -> Verdict {
    let Facts::Binlog(log) = facts else { return Verdict::Unknown("the answer is not about a binary log".into()) };
    let Some(Facts::Switchover(theirs)) = other else {
        return Verdict::Unknown(Clean::line(&format!("{node} was not read")));
    };
    match (&log.written, theirs.everything()) {
        (Figure::Unknown(why), _) => unknown("what its binary log holds", why),
        (_, Figure::Unknown(why)) => unknown(&format!("what {node} has"), why),
        (Figure::Known(written), Figure::Known(there)) => {
            // The newest of each domain tells for all before it: a server that was rebuilt knows no more of the others.
            match written.position().beyond(&there) {
                Ok(None) => verdict(true, format!("its binary log holds nothing that {node} lacks")),
                Ok(Some(words)) => verdict(false, format!("{words}, which {node} lacks")),
                Err(why) => unknown("what its binary log holds", why),
            }
        }
    }
}

fn unknown(name: &str, why: impl fmt::Display) -> Verdict {
    Verdict::Unknown(Clean::line(&format!("{name} is unknown: {why}")))
}

/// The expectation as a fragment without a subject: "its unit is masked".
impl fmt::Display for DaemonExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => f.write_str("its unit is masked, and no daemon lives"),
            Self::NotMasked => f.write_str("its unit is not masked"),
            Self::Runs => f.write_str("its daemon runs"),
            Self::AllIsOn(node) => write!(f, "everything that its binary log holds is on {node}"),
            Self::NoBetter { than: DaemonState::Dead, .. } => f.write_str("its daemon does not run"),
            Self::NoBetter { than, .. } => write!(f, "its daemon {} and was not started anew", than.words()),
        }
    }
}

/// A daemon in one line.
pub(in crate::plan) fn words(sample: &DaemonSample) -> Clean {
    let unit = sample.unit.as_ref().known().map_or("no unit", Clean::as_str);
    let masked = match sample.is_masked {
        Figure::Known(true) => " is masked",
        Figure::Known(false) => " is not masked",
        Figure::Unknown(_) => "",
    };
    let state = match sample.state() {
        Figure::Known(state) => format!("its daemon {}", state.words()),
        Figure::Unknown(why) => format!("what its daemon does is unknown: {why}"),
    };
    let pid = sample.pid().map(|pid| format!(" (process {pid})")).unwrap_or_default();
    Clean::line(&format!("{unit}{masked}, {state}{pid}"))
}
