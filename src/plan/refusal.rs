//! Why there is no plan: a refusal with every reason at once, or the news that nothing is left to do.

use super::parts::Plan;
use crate::model::{intent::Intent, text::Clean};
use serde::{Deserialize, Serialize};

/// What planning gives when it does not refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Planned {
    /// There is something to do.
    Plan(Box<Plan>),
    /// The world is already as wanted. Not an error: `vakt do` ends with 0.
    AlreadyThere(AlreadyThere),
}

/// Nothing is left to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlreadyThere {
    /// What was asked for.
    pub intent: Intent,
    /// What is: "web_cluster/web03 already drains on lb01 and lb02, without a session".
    pub what: Clean,
    /// Where that was seen, one line a node.
    pub evidence: Vec<Clean>,
}

/// No plan, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What was asked for.
    pub intent: Intent,
    /// What is not done: "Drain web_cluster/web03".
    pub title: Clean,
    /// Every reason, the most fundamental first.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which kind, for programs and tests.
    pub kind: ReasonKind,
    /// What is: a sentence.
    pub what: Clean,
    /// What it rests on, one value a line.
    pub evidence: Vec<Clean>,
    /// What to do: a sentence.
    pub cure: Clean,
}

/// Kinds of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// The console may not write.
    ReadOnly,
    /// A name that HAProxy would not read as one name.
    UnsafeName,
    /// No node has what the action needs.
    NoLoadBalancer,
    /// No load balancer, or not every one, knows the target.
    UnknownTarget,
    /// Facts are too old, or were never read.
    StaleFacts,
    /// A figure that the plan needs is unknown.
    UnknownFact,
    /// Load balancers say different things.
    Disagreement,
    /// Another setting decides, not this one.
    Inherited,
    /// Nothing would be left in traffic.
    LastServer,
    /// Too little would be left in traffic.
    CapacityFloor,
    /// More nodes would be out of service than may be at once.
    TooManyOut,
    /// The server still gets new sessions.
    InTraffic,
    /// A service that has to do its part does not run, or does not answer.
    NoService,
    /// Several nodes hold the address, or none does.
    SplitBrain,
    /// Its load balancer would serve less than the one that holds the address.
    LessService,
    /// It serves: nothing has to be done about it.
    Serves,
    /// Nobody can prove that it does not write any more.
    NoFence,
    /// Nothing that can be changed safely would bring it about.
    NoWay,
    /// It has transactions that the primary lacks.
    Diverged,
    /// The server cannot become the primary as it is.
    NotFit,
    /// The guest is not in a state in which it can be done.
    WrongState,
    /// What goes on there would be hurt by a standstill, or would hold it up.
    Busy,
    /// Another program acts by itself.
    Automation,
    /// Somebody else acts at this moment.
    Locked,
    /// The state folder, or a journal in it, cannot be used.
    StateUnusable,
    /// The run cannot be taken up.
    NotRecoverable,
    /// vakt made an inconsistent plan.
    Internal,
}

impl Refusal {
    /// Sorts the reasons. Without one it is vakt's fault that there is no plan, and that is said.
    pub(super) fn of(intent: &Intent, title: Clean, mut reasons: Vec<Reason>) -> Self {
        if reasons.is_empty() {
            let what = "There is no plan, and nothing that speaks against one; this is a fault of vakt.";
            reasons.push(Reason::new(ReasonKind::Internal, what, Vec::new(), "Report this."));
        }
        reasons.sort_by_key(|reason| reason.kind);
        Self { intent: intent.clone(), title, reasons }
    }
}

impl Reason {
    /// The console may not write.
    pub fn read_only() -> Self {
        Self::new(
            ReasonKind::ReadOnly,
            "This console is read-only.",
            Vec::new(),
            "Start vakt without --read-only and set read_only = false under [policy] in the configuration.",
        )
    }

    /// A reason with its evidence.
    pub fn new(kind: ReasonKind, what: impl AsRef<str>, evidence: Vec<Clean>, cure: impl AsRef<str>) -> Self {
        Self { kind, what: Clean::line(what.as_ref()), evidence, cure: Clean::line(cure.as_ref()) }
    }
}
