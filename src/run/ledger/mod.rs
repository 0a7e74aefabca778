//! What operators want, beyond the length of a run: a server that was drained shall stay drained until somebody says
//! otherwise, also when HAProxy is reloaded and forgets it.
//!
//! The ledger is folded from the journals of runs that ended ([`Ledger::fold`]), in their order; it holds nothing that
//! they do not say. A server has at most two wishes: one to stay out of traffic, and one about its weight. Weights that
//! the file gives anyway are no wish: a restart does not lose them.
//!
//! Deliberately absent: whether a server still exists. A wish for one that is gone from a file stays until an operator
//! takes it back ([`Ledger::forget`]); [`Wanted::held`] says so of each load balancer.

mod fold;

use crate::{
    model::{
        figure::Figure,
        haproxy::{AdminState, HaproxySample, Server},
        ids::NodeName,
        intent::{Change, DEADLINE_MS_DEFAULT, Intent, OnDeadline, ServerPath},
        text::Clean,
        time::Wall,
        world::World,
    },
    plan::{PlanId, expect::is_out_of_rotation},
};
use serde::{Deserialize, Deserializer, Serialize};

/// Most wishes. A further one takes the place of the oldest, and that is counted.
pub const WISHES_MAX: usize = 1_024;
/// How many runs the ledger knows to have folded in: an older one must not be folded again.
pub const FOLDED_MAX: usize = 256;

/// Every wish that holds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// In the order of servers; the state before the weight.
    pub wishes: Vec<Wish>,
    /// The runs that were folded in, the newest last, at most [`FOLDED_MAX`].
    pub folded: Vec<Folded>,
    /// Wishes that were given up because there were more than [`WISHES_MAX`].
    #[serde(default)]
    pub dropped: u64,
    /// Nodes that are out of service as a whole, in the order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drained: Vec<DrainedNode>,
}

/// A node that somebody took out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainedNode {
    /// Which.
    pub node: NodeName,
    /// Since when.
    pub since: Wall,
    /// Who.
    pub by: Clean,
    /// Why.
    pub reason: Option<Clean>,
    /// The run that brought it about.
    pub run: PlanId,
}

/// A run that was folded in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// Which.
    pub run: PlanId,
    /// The number of the record that ended it: a run that was taken up again ends again.
    pub ending: u64,
    /// What it is about; one server, but for a run about a node as a whole.
    #[serde(alias = "server", deserialize_with = "one_or_several")]
    pub servers: Vec<ServerPath>,
    /// The wishes before it, kept while it may be taken up again; none once its ending is final.
    pub before: Option<Vec<Wish>>,
}

/// Ledgers of earlier versions name one server.
fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ServerPath>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Named {
        One(ServerPath),
        Several(Vec<ServerPath>),
    }
    Ok(match Named::deserialize(deserializer)? {
        Named::One(server) => vec![server],
        Named::Several(servers) => servers,
    })
}

/// What somebody wants of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Which server, on every load balancer.
    pub server: ServerPath,
    /// What it shall be.
    pub wanted: Wanted,
    /// Since when.
    pub since: Wall,
    /// Who.
    pub by: Clean,
    /// Why.
    pub reason: Option<Clean>,
    /// The run that brought it about.
    pub run: PlanId,
}

/// What a server shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// No new sessions.
    Drain,
    /// No traffic, no checks.
    Maint,
    /// Another weight than the file's.
    Weight(u64),
}

/// Whether one load balancer does what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// It does, or goes further: a server in maintenance is drained too. What it says.
    Yes(Clean),
    /// It does not. What it says.
    No(Clean),
    /// Nobody can say; why. Also when the server is gone from its file.
    Unknown(Clean),
}

impl Held {
    /// What was seen, or why nothing was.
    pub fn seen(&self) -> &Clean {
        match self {
            Self::Yes(seen) | Self::No(seen) | Self::Unknown(seen) => seen,
        }
    }

    /// For `--json`: unknown is neither yes nor no.
    pub fn known(&self) -> Option<bool> {
        match self {
            Self::Yes(_) => Some(true),
            Self::No(_) => Some(false),
            Self::Unknown(_) => None,
        }
    }
}

impl Wanted {
    /// The word for people and for `--json`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Weight(_) => "weight",
        }
    }

    /// Whether it is about the weight; the others keep a server out of traffic.
    pub fn is_weight(self) -> bool {
        matches!(self, Self::Weight(_))
    }

    /// Whether the HAProxy of this sample does what is wanted of `path`. `None` when it has no such backend: then it
    /// has no say.
    pub fn held(self, path: &ServerPath, sample: &HaproxySample) -> Option<Held> {
        let backend = sample.backends.iter().find(|backend| backend.name == path.backend)?;
        let server = backend.servers.iter().find(|server| server.name == path.server);
        Some(server.map_or_else(
            || Held::Unknown(Clean::line(&format!("backend {} has no server {} now", path.backend, path.server))),
            |server| self.held_by(server),
        ))
    }

    fn held_by(self, server: &Server) -> Held {
        let answer = |holds: bool, seen: String| {
            let seen = Clean::line(&seen);
            if holds { Held::Yes(seen) } else { Held::No(seen) }
        };
        match (self, server.admin, server.weight) {
            (Self::Drain, Figure::Known(told), _) => answer(is_out_of_rotation(told), format!("told {told}")),
            (Self::Maint, Figure::Known(told), _) => {
                let is_maint =
                    matches!(told, AdminState::Maint | AdminState::MaintInherited | AdminState::MaintResolution);
                answer(is_maint, format!("told {told}"))
            }
            (Self::Weight(weight), _, Figure::Known(now)) => answer(now == weight, format!("weight {now}")),
            (Self::Drain | Self::Maint, Figure::Unknown(why), _) => {
                Held::Unknown(Clean::line(&format!("what it is told is unknown: {why}")))
            }
            (Self::Weight(_), _, Figure::Unknown(why)) => {
                Held::Unknown(Clean::line(&format!("the weight is unknown: {why}")))
            }
        }
    }
}

impl Wish {
    /// The intent that brings it about again.
    pub fn intent(&self) -> Intent {
        let server = self.server.clone();
        let change = match self.wanted {
            Wanted::Drain => {
                Change::HaproxyDrain { server, deadline_ms: DEADLINE_MS_DEFAULT, on_deadline: OnDeadline::default() }
            }
            Wanted::Maint => Change::HaproxyMaint { server },
            Wanted::Weight(weight) => Change::HaproxyWeight { server, weight },
        };
        Intent::new(change, self.reason.clone())
    }

    fn key(&self) -> (&ServerPath, bool) {
        (&self.server, self.wanted.is_weight())
    }
}

impl Ledger {
    /// The wishes for one server.
    pub fn of<'a>(&'a self, server: &'a ServerPath) -> impl Iterator<Item = &'a Wish> {
        self.wishes.iter().filter(move |wish| wish.server == *server)
    }

    /// The nodes that are out of service.
    pub fn drained_nodes(&self) -> Vec<NodeName> {
        self.drained.iter().map(|one| one.node.clone()).collect()
    }

    /// Takes back what is wished of a server: an operator accepts it as it is. Returns what was taken back.
    pub fn forget(&mut self, server: &ServerPath) -> Vec<Wish> {
        self.take(|wish| wish.server == *server)
    }

    /// What an intent settles that found nothing left to do (`Planned::AlreadyThere`) and therefore has no
    /// run and no journal: who wants a server ready, and it is, wants no drain of it any more. `world` tells which
    /// weight it has. [`Ledger::take_back`] does it.
    pub fn settled_by(&self, intent: &Intent, world: &World) -> Vec<Wish> {
        let Some(path) = intent.change.server() else { return Vec::new() };
        let is_lost = |wish: &Wish| {
            let samples = world.nodes.iter().filter_map(|node| node.haproxy.last());
            samples.filter_map(|facts| wish.wanted.held(path, &facts.sample)).any(|held| matches!(held, Held::No(_)))
        };
        let goes = |wish: &&Wish| {
            wish.server == *path
                && match &intent.change {
                    Change::HaproxyReady { .. } => !wish.wanted.is_weight() || is_lost(wish),
                    Change::HaproxyWeight { weight, .. } => {
                        wish.wanted.is_weight() && wish.wanted != Wanted::Weight(*weight)
                    }
                    Change::HaproxyDrain { .. }
                    | Change::HaproxyMaint { .. }
                    | Change::HaproxyKillSessions { .. }
                    | Change::VipMove { .. }
                    | Change::MysqlSwitchover { .. }
                    | Change::MysqlFailover { .. }
                    | Change::MysqlFence { .. }
                    | Change::MysqlRejoin { .. }
                    | Change::MysqlKill { .. }
                    | Change::Guest { .. }
                    | Change::Node { .. }
                    | Change::Tune(_) => false,
                }
        };
        self.wishes.iter().filter(goes).cloned().collect()
    }

    /// Takes these wishes back, as far as they still stand as they are. Returns how many did.
    pub fn take_back(&mut self, wishes: &[Wish]) -> usize {
        self.take(|wish| wishes.contains(wish)).len()
    }

    fn take(&mut self, goes: impl Fn(&Wish) -> bool) -> Vec<Wish> {
        let (gone, left) = std::mem::take(&mut self.wishes).into_iter().partition(|wish| goes(wish));
        self.wishes = left;
        gone
    }

    /// Makes `wish` the only one of its kind for its server.
    fn put(&mut self, wish: Wish) {
        self.wishes.retain(|known| known.key() != wish.key());
        if self.wishes.len() >= WISHES_MAX {
            let oldest = self.wishes.iter().enumerate().min_by_key(|(_, wish)| wish.since).map(|(index, _)| index);
            if let Some(oldest) = oldest {
                self.wishes.remove(oldest);
                self.dropped = self.dropped.saturating_add(1);
            }
        }
        let place = self.wishes.partition_point(|known| known.key() < wish.key());
        self.wishes.insert(place, wish);
    }
}
