//! What goes wrong, in words: `kill web03`, `cut lb01`, `slow web02 300`, `reload lb01 keep-state`, `spike x10`.

use crate::model::ids::NodeName;
use std::fmt;

/// Longest delay that `slow` accepts.
const SLOW_MS_MAX: u64 = 60_000;
/// Largest factor that `spike` accepts.
const SPIKE_MAX: f64 = 1_000.0;

/// Every fault with what it does, for help texts.
pub const WORDS: [(&str, &str); 12] = [
    ("kill NODE", "every process of the machine dies; connections are refused"),
    ("cut NODE", "its cables are pulled; nothing comes back"),
    ("freeze NODE", "it accepts connections and says nothing"),
    ("slow NODE MS", "every answer of the machine takes MS milliseconds longer"),
    ("throttle NODE", "its disk becomes slow: iowait, stalls, slow answers"),
    ("heal NODE", "undoes all of this; a killed machine starts again"),
    ("down SERVER", "its health checks fail with 503; BACKEND/SERVER or SERVER"),
    ("up SERVER", "its health checks pass again"),
    (
        "reload LB [keep-state]",
        "HAProxy reads its file again; drains and weights are lost unless a state file keeps them",
    ),
    ("lose-reply NODE [undone]", "the reply to the next write is lost; with `undone` the write does not happen either"),
    ("spike xN", "N times the usual traffic; `spike x1` ends it"),
    ("reset-counters [LB]", "HAProxy's counters start again from zero"),
];

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Every process of the machine dies.
    Kill(NodeName),
    /// Its cables are pulled.
    Cut(NodeName),
    /// It accepts connections and says nothing.
    Freeze(NodeName),
    /// Every answer takes longer.
    Slow {
        /// Which machine.
        node: NodeName,
        /// By how much.
        delay_ms: u64,
    },
    /// Its disk becomes slow.
    Throttle(NodeName),
    /// All of this is undone.
    Heal(NodeName),
    /// Health checks of a server fail.
    Down(ServerPath),
    /// They pass again.
    Up(ServerPath),
    /// HAProxy reads its file again.
    Reload {
        /// Whose.
        node: NodeName,
        /// Whether a server-state file carries the states over, besides what the scenario says.
        keeps_state: bool,
    },
    /// The reply to the next write is lost.
    LoseReply {
        /// Whose.
        node: NodeName,
        /// Whether the write happens all the same.
        is_done: bool,
    },
    /// Times the usual traffic.
    Spike(f64),
    /// Counters of one HAProxy, or of all, start again.
    ResetCounters(Option<NodeName>),
}

/// `web03`, or `web_cluster/web03`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerPath {
    /// Only in this backend.
    pub backend: Option<String>,
    /// Its name.
    pub server: String,
}

impl fmt::Display for ServerPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backend {
            Some(backend) => write!(f, "{backend}/{}", self.server),
            None => f.write_str(&self.server),
        }
    }
}

/// Why words are no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// Nothing is called so.
    #[error("unknown fault `{0}`; the faults are {list}", list = list())]
    Unknown(String),
    /// Too few or too many words, or one that cannot stand there.
    #[error("`{given}` is not complete or has too much in it; write `{form}`")]
    Form {
        /// What was given.
        given: String,
        /// How it is written.
        form: &'static str,
    },
    /// A number out of its range.
    #[error("`{given}` is not a number from {min} to {max}; write `{form}`")]
    Number {
        /// What was given.
        given: String,
        /// Smallest.
        min: String,
        /// Largest.
        max: String,
        /// How it is written.
        form: &'static str,
    },
    /// The cluster has no such machine.
    #[error("no node is called {0}; the nodes are those of the scenario")]
    NoNode(NodeName),
    /// The machine runs no HAProxy.
    #[error("{0} runs no HAProxy; name a load balancer")]
    NoBalancer(NodeName),
    /// No backend has such a server.
    #[error("no backend has a server {0}; name one of the scenario")]
    NoServer(String),
}

fn list() -> String {
    let words: Vec<&str> = WORDS.iter().filter_map(|(form, _)| form.split(' ').next()).collect();
    words.join(", ")
}

fn form(word: &str) -> Option<&'static str> {
    WORDS.iter().map(|(form, _)| *form).find(|form| form.split(' ').next() == Some(word))
}

impl Fault {
    /// Reads one fault.
    pub fn parse(text: &str) -> Result<Self, FaultError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some(form) = form(words.first().copied().unwrap_or_default()) else {
            return Err(FaultError::Unknown(words.first().copied().unwrap_or_default().to_owned()));
        };
        let node = |name: &str| NodeName::from(name);
        Ok(match words[..] {
            ["kill", name] => Self::Kill(node(name)),
            ["cut", name] => Self::Cut(node(name)),
            ["freeze", name] => Self::Freeze(node(name)),
            ["throttle", name] => Self::Throttle(node(name)),
            ["heal", name] => Self::Heal(node(name)),
            ["slow", name, ms] => {
                let delay_ms = ms.parse().ok().filter(|ms| *ms <= SLOW_MS_MAX);
                let number = || out_of_range(ms, "0", SLOW_MS_MAX.to_string(), form);
                Self::Slow { node: node(name), delay_ms: delay_ms.ok_or_else(number)? }
            }
            ["down", path] => Self::Down(server(path)),
            ["up", path] => Self::Up(server(path)),
            ["reload", name] => Self::Reload { node: node(name), keeps_state: false },
            ["reload", name, "keep-state"] => Self::Reload { node: node(name), keeps_state: true },
            ["lose-reply", name] => Self::LoseReply { node: node(name), is_done: true },
            ["lose-reply", name, "undone"] => Self::LoseReply { node: node(name), is_done: false },
            ["spike", factor] => {
                let number = factor.strip_prefix('x').and_then(|number| number.parse::<f64>().ok());
                let number = number.filter(|number| (0.0..=SPIKE_MAX).contains(number));
                Self::Spike(number.ok_or_else(|| out_of_range(factor, "x0", format!("x{SPIKE_MAX}"), form))?)
            }
            ["reset-counters"] => Self::ResetCounters(None),
            ["reset-counters", name] => Self::ResetCounters(Some(node(name))),
            _ => return Err(FaultError::Form { given: text.trim().to_owned(), form }),
        })
    }
}

fn out_of_range(given: &str, min: &str, max: String, form: &'static str) -> FaultError {
    FaultError::Number { given: given.to_owned(), min: min.to_owned(), max, form }
}

fn server(path: &str) -> ServerPath {
    match path.split_once('/') {
        Some((backend, server)) => ServerPath { backend: Some(backend.to_owned()), server: server.to_owned() },
        None => ServerPath { backend: None, server: path.to_owned() },
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill(node) => write!(f, "kill {node}"),
            Self::Cut(node) => write!(f, "cut {node}"),
            Self::Freeze(node) => write!(f, "freeze {node}"),
            Self::Slow { node, delay_ms } => write!(f, "slow {node} {delay_ms}"),
            Self::Throttle(node) => write!(f, "throttle {node}"),
            Self::Heal(node) => write!(f, "heal {node}"),
            Self::Down(path) => write!(f, "down {path}"),
            Self::Up(path) => write!(f, "up {path}"),
            Self::Reload { node, keeps_state } => {
                write!(f, "reload {node}{}", if *keeps_state { " keep-state" } else { "" })
            }
            Self::LoseReply { node, is_done } => {
                write!(f, "lose-reply {node}{}", if *is_done { "" } else { " undone" })
            }
            Self::Spike(factor) => write!(f, "spike x{factor}"),
            Self::ResetCounters(None) => f.write_str("reset-counters"),
            Self::ResetCounters(Some(node)) => write!(f, "reset-counters {node}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_and_written_alike() {
        let lines = [
            "kill web03",
            "cut lb01",
            "freeze web01",
            "slow web02 300",
            "throttle db01",
            "heal web03",
            "down web03",
            "up web_cluster/web03",
            "reload lb01",
            "reload lb01 keep-state",
            "lose-reply lb01",
            "lose-reply lb01 undone",
            "spike x10",
            "reset-counters",
            "reset-counters lb02",
        ];
        for line in lines {
            assert_eq!(Fault::parse(line).map(|fault| fault.to_string()).as_deref(), Ok(line));
        }
        for (form, _) in WORDS {
            let word = form.split(' ').next().unwrap();
            assert!(lines.iter().any(|line| line.starts_with(word)), "{form}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |line: &str| Fault::parse(line).unwrap_err().to_string();
        assert!(said("explode web03").starts_with("unknown fault `explode`; the faults are kill, cut"));
        assert_eq!(said("kill"), "`kill` is not complete or has too much in it; write `kill NODE`");
        assert_eq!(
            said("reload lb01 keep"),
            "`reload lb01 keep` is not complete or has too much in it; write `reload LB [keep-state]`"
        );
        assert_eq!(said("slow web02 soon"), "`soon` is not a number from 0 to 60000; write `slow NODE MS`");
        assert_eq!(said("spike 10"), "`10` is not a number from x0 to x1000; write `spike xN`");
    }
}
