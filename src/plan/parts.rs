//! What a plan consists of. Values only: a plan is made once, shown, sent to the executor and journalled as it is.

use super::{
    expect::{Check, Expect},
    hole::Bind,
};
use crate::{
    model::{
        ids::{ClusterName, GuestName, NodeName},
        intent::{Intent, ServerPath, SessionPath},
        text::Clean,
        time::Now,
    },
    wire::{
        probe::{Facts, ProbeId},
        request::Request,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{collections::BTreeSet, fmt, net::IpAddr};

/// A change that has been thought through: what must hold, what is sent, how each step is verified and undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its name, also the name of the run: when it was made, and a hash of everything below.
    pub id: PlanId,
    /// Everything else.
    pub body: Body,
}

/// A plan without its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The cluster it was made for.
    pub cluster: ClusterName,
    /// What was asked for.
    pub intent: Intent,
    /// One line: "Drain web_cluster/web03 on lb01 and lb02".
    pub title: Clean,
    /// What will happen, in sentences.
    pub effect: Vec<Clean>,
    /// The ending *reached* in one sentence.
    pub goal: Clean,
    /// What it is about.
    pub subject: Subject,
    /// When it was made.
    pub made_at: Now,
    /// Age of the oldest fact it rests on, when it was made.
    pub facts_age_ms: u64,
    /// What must hold when the first write is sent.
    pub premises: Vec<Premise>,
    /// How facts are read: one source for each node and probe that any check names.
    pub sources: Vec<Source>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// The first step that cannot be undone; before it everything can.
    pub point_of_no_return: Option<usize>,
    /// What the operator does to start it.
    pub confirmation: Confirmation,
    /// The page about this action: `assets/runbooks/<id>.md`.
    pub runbook: Clean,
}

/// The name of a plan and of its run: `20261123T140322Z-5f3a09c1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct PlanId(String);

impl From<String> for PlanId {
    /// From a journal or the command line. Only characters that are safe in a file name stay.
    fn from(text: String) -> Self {
        Self(text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(64).collect())
    }
}

impl PlanId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Plan {
    /// Names a body.
    pub fn new(body: Body) -> Self {
        Self { id: id_of(&body), body }
    }

    /// Whether the name still belongs to the content.
    pub fn is_intact(&self) -> bool {
        id_of(&self.body) == self.id
    }

    /// Whether others may change something else while it waits for an operator's word: not where a node takes its part back by
    /// itself, because the way to that node is what is changed.
    pub fn lends_its_lock(&self) -> bool {
        self.body.steps.iter().all(|step| step.returns().is_none())
    }

    /// The source for that node and probe.
    pub fn source(&self, node: &NodeName, probe: ProbeId) -> Option<&Source> {
        self.body.sources.iter().find(|source| &source.node == node && source.probe == probe)
    }
}

fn id_of(body: &Body) -> PlanId {
    // A plan holds nothing that serde_json cannot write; an empty text would only make the name useless, not wrong.
    let text = serde_json::to_vec(body).unwrap_or_default();
    let digest = Sha256::digest(&text);
    let when = jiff::Timestamp::from_millisecond(body.made_at.wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let [a, b, c, d, ..] = digest.0;
    let hash = u32::from_be_bytes([a, b, c, d]);
    PlanId(format!("{}-{hash:08x}", when.strftime("%Y%m%dT%H%M%SZ")))
}

/// What a plan is about, for telling afterwards what is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A HAProxy server.
    Server(ServerPath),
    /// A virtual address.
    Vip {
        /// Which.
        address: IpAddr,
        /// Who is to hold it.
        to: NodeName,
    },
    /// The primary of the databases.
    Primary {
        /// Who is it before.
        from: NodeName,
        /// Who is to be it.
        to: NodeName,
        /// The servers of load balancers by which writes go to either.
        endpoints: Vec<ServerPath>,
        /// The virtual address by which they go, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<IpAddr>,
    },
    /// A session of a database.
    Session(SessionPath),
    /// A guest.
    Guest {
        /// Which.
        guest: GuestName,
        /// The hypervisor that has it before.
        host: NodeName,
        /// The servers of load balancers behind which it stands.
        servers: Vec<ServerPath>,
    },
    /// A node as a whole.
    Node {
        /// Which.
        node: NodeName,
        /// The servers of load balancers that stand on it.
        servers: Vec<ServerPath>,
        /// The virtual addresses that it may hold.
        addresses: Vec<IpAddr>,
    },
    /// A setting of databases.
    Setting {
        /// Which.
        key: Clean,
        /// The node, or the role.
        target: Clean,
        /// The value before, where all of them had the same.
        former: Option<Clean>,
    },
}

impl Subject {
    /// The subject in one line, as these facts show it.
    pub fn words(&self, facts: &Facts) -> Clean {
        match self {
            Self::Server(path) => super::expect::server_words(facts, path),
            Self::Vip { address, .. } => super::vip::words(facts, *address),
            Self::Primary { endpoints, address, .. } => super::switchover::words(facts, endpoints, *address),
            Self::Session(path) => super::session::words(path.id, facts),
            Self::Guest { guest, servers, .. } => super::guest::words(facts, guest, servers),
            Self::Node { servers, addresses, .. } => super::node::words(facts, servers, addresses),
            Self::Setting { key, .. } => super::tune::words(key.as_str(), facts),
        }
    }

    /// What a line about it on one node begins with. Of a primary the words themselves name what they are about: its
    /// server, an address, a route.
    pub fn head(&self) -> String {
        match self {
            Self::Primary { .. } => String::new(),
            _ => format!("{self} "),
        }
    }

    /// Who is in the place before, where it is given to somebody else.
    pub fn former(&self) -> Option<&NodeName> {
        match self {
            Self::Primary { from, .. } => Some(from),
            Self::Guest { host, .. } => Some(host),
            Self::Server(_) | Self::Vip { .. } | Self::Session(_) | Self::Node { .. } | Self::Setting { .. } => None,
        }
    }

    /// The value that a setting had before, where there was one.
    pub fn former_value(&self) -> Option<&Clean> {
        match self {
            Self::Setting { former, .. } => former.as_ref(),
            _ => None,
        }
    }

    /// Its short name.
    pub fn name(&self) -> &str {
        match self {
            Self::Server(path) => path.server.as_str(),
            Self::Vip { to, .. } | Self::Primary { to, .. } => to.as_str(),
            Self::Session(path) => path.node.as_str(),
            Self::Guest { guest, .. } => guest.as_str(),
            Self::Node { node, .. } => node.as_str(),
            Self::Setting { target, .. } => target.as_str(),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(path) => path.fmt(f),
            Self::Vip { address, .. } => address.fmt(f),
            Self::Primary { .. } => f.write_str("database"),
            Self::Session(path) => path.fmt(f),
            Self::Guest { guest, .. } => guest.fmt(f),
            Self::Node { node, .. } => node.fmt(f),
            Self::Setting { key, .. } => key.fmt(f),
        }
    }
}

/// A fact the plan rests on. It is read again before the first write; a plan whose premise moved is void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Premise {
    /// How it is read and compared; [`Expect::tolerance`] says how much it may move.
    pub check: Check,
    /// What was seen when the plan was made.
    pub seen: Clean,
    /// How old that was.
    pub age_ms: u64,
    /// How old a reading may be when the first write is sent.
    pub age_ms_max: u64,
}

/// How a node's facts are read: these requests, interpreted by the probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Where.
    pub node: NodeName,
    /// Who understands the answers.
    pub probe: ProbeId,
    /// What is sent; reads only.
    pub requests: Vec<Request>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its effect in plain words: "lb01: no new sessions for web03".
    pub title: Clean,
    /// Whether it is done at all.
    pub when: When,
    /// What is done.
    pub action: Action,
    /// Whether it is sent as soon as the step before was answered as it must be, without a look between. Both are
    /// announced together. If the one before fails, it is not sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_once: bool,
}

/// When a step is done. The executor has no choices left: every branch is in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Always.
    Always,
    /// When that waiting step (by index) ran out of time.
    Late(usize),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Sends one request and verifies it.
    Write(Box<Write>),
    /// Waits until something holds.
    Wait(Wait),
}

/// A write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Where.
    pub node: NodeName,
    /// What is sent; may have holes that this or an earlier step binds.
    pub request: Request,
    /// Holes that this step's look at the world fills.
    pub binds: Vec<Bind>,
    /// What holds while it has not been done: checked before sending, and after undoing.
    pub before: Vec<Check>,
    /// What must hold besides, or it is not sent.
    pub guards: Vec<Check>,
    /// What holds once it is done: tells *done* from *not done* after a lost reply.
    pub done: Vec<Check>,
    /// What must be seen for the run to go on; includes `done`.
    pub after: Until,
    /// The way back.
    pub undo: Undo,
    /// Set where the effect may come late or never, and the world cannot tell a request that was not heard from one that
    /// is not yet obeyed: what the run ends *stopped* with when the effect was not seen in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rests: Option<Clean>,
    /// Whether what is told stands in the memory of a process only: one that starts anew in the middle of the run has forgotten
    /// it, and is told again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub told_anew: bool,
}

/// The way back from a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undo {
    /// This request.
    Send {
        /// The word on the screen: "ready".
        label: Clean,
        /// What is sent.
        request: Request,
    },
    /// This request; and the node takes that way by itself, whether vakt lives and the node can be reached or not.
    Returns {
        /// The word on the screen: "ready".
        label: Clean,
        /// What is sent.
        request: Request,
        /// After how long at most, from the moment at which the change was made, milliseconds.
        after_ms: u64,
        /// What holds once the node has done so.
        seen: Check,
    },
    /// None.
    Irreversible {
        /// Why.
        why: Clean,
        /// Whether it is done as a whole or not at all, so that what holds before proves that nothing was done.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_whole: bool,
    },
}

/// A wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// For what.
    pub until: Until,
    /// What must hold all the time; the run fails as soon as one does not.
    pub guards: Vec<Check>,
    /// What happens at the deadline.
    pub on_late: OnLate,
    /// Whether what was done so far stays once this held, whatever fails later: whoever moves many things does not move
    /// them back because the last one did not come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps: bool,
}

/// What happens when a wait runs out of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLate {
    /// The run fails and is unwound.
    Fail,
    /// The run ends *stopped*, with what was done left in place.
    Rest(Clean),
    /// The run goes on, with these words in its ending.
    GoOn(Clean),
    /// The run goes on either way; its ending says which, and what was seen where it did not hold.
    Tell {
        /// It held.
        held: Clean,
        /// It did not, or nobody can say.
        late: Clean,
    },
}

/// A condition that is polled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// What is looked at; each look reads all of it.
    pub checks: Vec<Check>,
    /// Whether all or one of them must hold.
    pub need: Need,
    /// Looks in a row in which it must hold.
    pub holds: u32,
    /// From one look to the next.
    pub poll_ms: u64,
    /// The last moment, from the first look.
    pub deadline_ms: u64,
}

/// How many checks must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Every one.
    All,
    /// One is enough.
    Any,
    /// Every one all the time, and then an operator's word that it stays. It holds no sooner.
    Word,
}

/// What the operator does to start a plan, by its blast radius.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// What is done.
    pub by: ConfirmBy,
    /// Why that.
    pub why: Clean,
}

/// Ways to confirm, the lightest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmBy {
    /// Press Enter.
    Enter,
    /// Type the target's name.
    Target(Clean),
    /// Type the cluster's name.
    Cluster(Clean),
}

impl Step {
    /// The nodes it touches or looks at.
    pub fn nodes(&self) -> BTreeSet<&NodeName> {
        self.checks().map(|check| &check.node).chain(self.write().map(|write| &write.node)).collect()
    }

    /// Every check it names.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        let (write, wait) = match &self.action {
            Action::Write(write) => (Some(write), None),
            Action::Wait(wait) => (None, Some(wait)),
        };
        let of_write = write.into_iter().flat_map(|write| {
            let lists = [&write.before, &write.guards, &write.done, &write.after.checks];
            let bound = write.binds.iter().map(|bind| &bind.from);
            lists.into_iter().flatten().chain(bound).chain(write.undo.returns().map(|(_, seen)| seen))
        });
        let of_wait = wait.into_iter().flat_map(|wait| wait.until.checks.iter().chain(&wait.guards));
        of_write.chain(of_wait)
    }

    /// The write, if it is one.
    pub fn write(&self) -> Option<&Write> {
        match &self.action {
            Action::Write(write) => Some(write),
            Action::Wait(_) => None,
        }
    }

    /// The wait, if it waits for an operator's word.
    pub fn hold(&self) -> Option<&Wait> {
        match &self.action {
            Action::Wait(wait) if wait.is_hold() => Some(wait),
            Action::Wait(_) | Action::Write(_) => None,
        }
    }

    /// After how long at most the node takes the write back by itself, and what is seen then.
    pub fn returns(&self) -> Option<(u64, &Check)> {
        self.write().and_then(|write| write.undo.returns())
    }

    /// Whether it is a write that cannot be undone.
    pub fn is_irreversible(&self) -> bool {
        self.write().is_some_and(|write| matches!(write.undo, Undo::Irreversible { .. }))
    }
}

impl Undo {
    /// After how long at most the node takes that way by itself, and what is seen then.
    pub fn returns(&self) -> Option<(u64, &Check)> {
        match self {
            Self::Returns { after_ms, seen, .. } => Some((*after_ms, seen)),
            Self::Send { .. } | Self::Irreversible { .. } => None,
        }
    }
}

impl Wait {
    /// Whether it waits for an operator's word, and what was done goes back without it.
    pub fn is_hold(&self) -> bool {
        self.until.need == Need::Word
    }
}

impl Premise {
    /// What it is called in messages: "lb01: web03 is told ready".
    pub fn name(&self) -> Clean {
        Clean::line(&self.check.to_string())
    }

    /// How much the fact may move.
    pub fn tolerance(&self) -> &'static str {
        Expect::tolerance(&self.check.expect)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.expect)
    }
}
