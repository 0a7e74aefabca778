//! What a run writes down: one record for everything that happened, in an order that explains the ending.

use super::{ending::Ending, journal::Head};
use crate::{
    model::{ids::NodeName, text::Clean, time::Now},
    plan::{Plan, hole::Bindings},
    wire::request::Request,
};
use serde::{Deserialize, Serialize};

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Counts from 0, without gaps.
    pub seq: u64,
    /// When.
    pub at: Now,
    /// What.
    pub entry: Entry,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first record: who does what.
    Opened(Box<Opening>),
    /// Every premise was read again and held.
    PremisesHeld {
        /// What was seen, one line each.
        seen: Vec<Clean>,
    },
    /// About to be sent. Durable before the request leaves.
    StepBegun {
        /// Which step.
        step: usize,
        /// Doing or undoing.
        direction: Direction,
        /// Where.
        node: NodeName,
        /// Exactly what, holes filled.
        request: Request,
        /// The values of holes so far.
        bindings: Bindings,
        /// What was seen just before.
        seen: Vec<Clean>,
    },
    /// Judged by reading the world, or by the certainty that nothing was sent.
    StepEnded {
        /// Which step.
        step: usize,
        /// Doing or undoing.
        direction: Direction,
        /// How it ended.
        outcome: Outcome,
        /// Why that is believed.
        how: Clean,
        /// From the record of its beginning.
        elapsed_ms: u64,
    },
    /// The world was already so: nothing was sent.
    StepFound {
        /// Which step.
        step: usize,
        /// Doing or undoing.
        direction: Direction,
        /// What was seen.
        seen: Vec<Clean>,
    },
    /// A wait is over.
    WaitEnded {
        /// Which step.
        step: usize,
        /// Whether it ran out of time.
        late: bool,
        /// What was seen last.
        seen: Vec<Clean>,
    },
    /// A process that was told something started anew and has forgotten it: these steps are done again, and what was waited
    /// for on its node since then is waited for again.
    Forgotten {
        /// Which steps, the first one first.
        steps: Vec<usize>,
        /// Who has forgotten them.
        why: Clean,
    },
    /// From here on it waits for an operator's word that it stays.
    Holding {
        /// Which step.
        step: usize,
        /// When it goes back without the word, by the bastion's clock.
        until: crate::model::time::Wall,
    },
    /// The word: it stays.
    Kept {
        /// Which step waited for it.
        step: usize,
        /// Who gave it.
        operator: Operator,
    },
    /// The operator asked to stop.
    AbortAsked,
    /// The lock over the nodes was lost; it stops as if the operator had asked.
    LockLost {
        /// Why.
        why: Clean,
    },
    /// From here on everything that was done is undone.
    Unwinding {
        /// Why.
        why: Clean,
    },
    /// The run was taken up again after a crash.
    Recovered {
        /// What the operator chose.
        choice: Recovery,
        /// Who.
        operator: Operator,
        /// Set when somebody else held the lock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broke_glass: Option<BrokeGlass>,
    },
    /// The last record of the process that carried it out.
    Ended(Box<Ending>),
    /// An operator declared an interrupted run, or one that needed an operator, settled. Nothing follows it.
    Resolved {
        /// Who.
        operator: Operator,
        /// Why it is settled.
        why: Clean,
    },
}

/// How a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The whole plan; the intent in it has the reason.
    pub plan: Plan,
    /// Who.
    pub operator: Operator,
    /// The head of the journal of the run before this one, so that a missing journal is noticed.
    pub previous: Option<Head>,
    /// Set when somebody else held the lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broke_glass: Option<BrokeGlass>,
}

/// An operator acted although somebody else held the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokeGlass {
    /// The operator's reason.
    pub why: Clean,
    /// Who held the lock, in one line; empty when nobody could say.
    pub held_by: Clean,
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Operator {
    /// Login name on the bastion.
    pub login: Clean,
    /// Where the SSH session on the bastion comes from.
    pub ssh_client: Option<Clean>,
    /// The user behind sudo.
    pub sudo_user: Option<Clean>,
}

/// Doing or undoing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards the goal.
    Forward,
    /// Back to the origin.
    Back,
}

/// How the sending of a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The world shows its effect.
    Done,
    /// The world shows that it had none, or it was never sent.
    NotDone,
    /// Nobody can say.
    Unknown,
}

/// What an operator wants of a run that was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Go on in the direction it had.
    Resume,
    /// Undo what was done.
    RollBack,
}
