//! Everything the console wants done, as values: printable, comparable, assertable.

pub use super::logs::LogAsk;
use super::replay::Jog;
use crate::{
    model::{ids::NodeName, text::Clean, time::Wall},
    plan::{Plan, PlanId},
    rules::Severity,
    run::{Recovery, ledger::Wish},
    wire::probe::ProbeId,
};
use std::fmt;

/// What the runtime is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Run a probe.
    Poll {
        /// On which node.
        node: NodeName,
        /// Which.
        probe: ProbeId,
    },
    /// Give the transport the operator's answer.
    Answer {
        /// Whose question.
        node: NodeName,
        /// Which question.
        question: u64,
        /// The answer.
        answer: Reply,
    },
    /// Try this node's connection again now.
    Reconnect {
        /// Which node.
        node: NodeName,
    },
    /// Read a log; the answer arrives as [`super::msg::Event::Log`].
    Log(LogAsk),
    /// Something about a run; its outcome arrives as [`super::msg::Event::Run`].
    Run(RunEffect),
    /// Move in the recording that is replayed.
    Replay(Jog),
    /// Put text on the operator's clipboard (OSC 52).
    Copy(String),
    /// Forget what is on the terminal and draw every cell again.
    Redraw,
    /// Stop the process as the shell's job control does; drawing goes on afterwards.
    Suspend,
    /// End.
    Quit,
}

/// What is to be done about runs. None of it writes to a node: the executor, another process, does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunEffect {
    /// Start an executor with this plan and follow it.
    Begin {
        /// The plan that was confirmed.
        plan: Box<Plan>,
        /// Act although somebody else holds the lock, for this reason; journalled.
        break_glass: Option<Clean>,
    },
    /// Take up an interrupted run in a new executor and follow it.
    Recover {
        /// Which.
        run: PlanId,
        /// Which way.
        choice: Recovery,
    },
    /// Write into the journal that a person has settled it.
    Resolve {
        /// Which.
        run: PlanId,
        /// Why.
        why: Clean,
    },
    /// Take back wishes that an operator gave up by asking for what is so already; there is no run to tell of it.
    TakeBack {
        /// Exactly these.
        wishes: Vec<Wish>,
    },
    /// Note in the state folder that the operator has seen a finding.
    Acknowledge {
        /// Rule of the finding.
        rule: Clean,
        /// Subject of the finding.
        subject: Clean,
        /// How bad it is, with what follows from it.
        severity: Severity,
        /// Why it shall not be told first.
        reason: Clean,
        /// When that ends; `None`: when the finding clears.
        until: Option<Wall>,
    },
    /// Take such a note back.
    Unacknowledge {
        /// Rule of the finding.
        rule: Clean,
        /// Subject of the finding.
        subject: Clean,
    },
    /// Follow a run that somebody else, or an earlier console, began.
    Attach {
        /// Which.
        run: PlanId,
    },
    /// Follow it no longer; it goes on.
    Detach {
        /// Which.
        run: PlanId,
    },
    /// Tell its executor that what it did stays.
    Keep {
        /// Which.
        run: PlanId,
    },
    /// Ask its executor to stop and undo.
    Stop {
        /// Which.
        run: PlanId,
    },
}

/// An answer to a question of the transport.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// A secret as typed. Never printed.
    Secret(String),
    /// Yes.
    Accept,
    /// No.
    Refuse,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Accept => "Accept",
            Self::Refuse => "Refuse",
        })
    }
}
