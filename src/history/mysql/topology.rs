//! Who replicates from whom among the servers of a cluster, and how their transactions stand to each other.

use crate::model::{
    figure::{Figure, Unknown},
    ids::NodeName,
    inventory::{Inventory, Node},
    mysql::{
        Channel, GtidState, MysqlFacts, Unheard,
        gtid::{Relation, relation_mariadb, relation_mysql},
    },
    time::Now,
    world::World,
};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a server is among the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It replicates from nobody, and takes writes or has replicas.
    Primary,
    /// It replicates.
    Replica,
    /// It neither replicates, nor takes writes, nor has replicas.
    Alone,
    /// It was not read.
    Unknown,
}

impl Role {
    /// One word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Alone => "alone",
            Self::Unknown => "unknown",
        }
    }
}

/// A server's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its node.
    pub node: NodeName,
    /// What it is.
    pub role: Role,
    /// What it replicates from, where that is a node of the cluster: of its first channel.
    pub source: Option<NodeName>,
    /// Who replicates from it.
    pub replicas: Vec<NodeName>,
}

/// The places of all servers, in the order of the inventory.
pub fn topology(world: &World, inventory: &Inventory) -> Vec<Place> {
    let servers = inventory.nodes.iter().filter(|node| node.database.is_some());
    let servers = servers.map(|node| (node, world.node(&node.name).and_then(|facts| facts.mysql.last())));
    places(&servers.collect::<Vec<_>>())
}

/// The places of these servers, each with what is known of it.
pub fn places(servers: &[(&Node, Option<&MysqlFacts>)]) -> Vec<Place> {
    let sources: Vec<Option<usize>> = servers.iter().map(|(_, facts)| source(servers, (*facts)?)).collect();
    let place = |(index, (node, facts)): (usize, &(&Node, Option<&MysqlFacts>))| {
        let follow = |(other, source): (usize, &Option<usize>)| {
            (*source == Some(index) && other != index).then(|| servers[other].0.name.clone())
        };
        let replicas: Vec<NodeName> = sources.iter().enumerate().filter_map(follow).collect();
        Place {
            node: node.name.clone(),
            role: role(*facts, !replicas.is_empty()),
            source: sources[index].map(|source| servers[source].0.name.clone()),
            replicas,
        }
    };
    servers.iter().enumerate().map(place).collect()
}

fn role(facts: Option<&MysqlFacts>, has_replicas: bool) -> Role {
    let channels = facts.and_then(|facts| facts.sample.replication.channels.as_ref().known());
    match (channels, has_replicas) {
        (Some(channels), _) if !channels.is_empty() => Role::Replica,
        (_, true) => Role::Primary,
        (Some(_), false) => match facts.and_then(|facts| facts.takes_writes().known()) {
            Some(true) => Role::Primary,
            Some(false) => Role::Alone,
            None => Role::Unknown,
        },
        (None, false) => Role::Unknown,
    }
}

/// The server that the first channel leads to: by its identity where that is known, else by its address or name.
fn source(servers: &[(&Node, Option<&MysqlFacts>)], facts: &MysqlFacts) -> Option<usize> {
    let channel = facts.sample.replication.channels.as_ref().known()?.first()?;
    let is_same = |(_, other): &(&Node, Option<&MysqlFacts>)| other.is_some_and(|other| is_of(channel, other));
    servers.iter().position(is_same).or_else(|| {
        let host = channel.source_host.as_ref().known()?.as_str();
        servers.iter().position(|(node, _)| is_at(node, host))
    })
}

fn is_of(channel: &Channel, server: &MysqlFacts) -> bool {
    let identity = &server.sample.identity;
    match (channel.source_uuid.as_ref().known(), identity.server_uuid.as_ref().known()) {
        (Some(wanted), Some(is)) => wanted == is,
        // 0 is what a replica says that has not connected yet.
        _ => channel
            .source_server_id
            .known()
            .filter(|id| *id > 0)
            .is_some_and(|id| identity.server_id.known() == Some(id)),
    }
}

fn is_at(node: &Node, host: &str) -> bool {
    let address = host.parse::<IpAddr>().ok();
    node.name.as_str() == host
        || node.management == host
        || address.is_some_and(|address| node.private == Some(address) || node.public == Some(address))
}

/// Since when nothing has come to a replica that lacks transactions of its source, which was read at `now`.
///
/// Threads of a connection that was cut silently say that they run, and count no lag, until a timeout of a minute: what
/// has arrived stands still while the source goes on. A server that does not say what has arrived proves nothing.
pub fn unheard(replica: &MysqlFacts, stands: &Figure<Relation>, now: Now) -> Option<Unheard> {
    let missing = match stands.as_ref().known()? {
        Relation::Behind { missing } | Relation::BehindPurged { missing, .. } => *missing,
        _ => return None,
    };
    let channel = replica.channels().first()?;
    let arrived = (channel.received.as_ref().known().cloned(), channel.received_gtids.as_ref().known().cloned());
    if arrived == (None, None) {
        return None;
    }
    match &replica.unheard {
        Some(before) if before.arrived == arrived => Some(Unheard { missing, ..before.clone() }),
        _ => Some(Unheard { since: now, arrived, missing_first: missing, missing }),
    }
}

/// How a replica stands to its source, read after it.
pub fn relation(replica: &MysqlFacts, source: &MysqlFacts) -> Figure<Relation> {
    let (ours, theirs) = (&replica.sample.replication.gtid, &source.sample.replication.gtid);
    let pair = ours.as_ref().and_then(|ours| theirs.as_ref().map(|theirs| (ours, theirs)));
    pair.and_then(|pair| match pair {
        (
            GtidState::Mariadb { binlog_state, current_pos, .. },
            GtidState::Mariadb { binlog_state: of_source, slave_pos, .. },
        ) => {
            // Unknown is nothing: then it proves nothing.
            let received = slave_pos.clone().known().unwrap_or_default();
            current_pos.as_ref().and_then(|position| {
                let own = replica.sample.identity.server_id;
                let state = binlog_state.as_ref().and_then(|state| own.map(|own| (state, own)));
                state.and_then(|(state, own)| {
                    of_source.as_ref().map(|of_source| relation_mariadb(position, state, own, of_source, &received))
                })
            })
        }
        (GtidState::Mysql { executed, .. }, GtidState::Mysql { executed: of_source, purged }) => {
            executed.as_ref().and_then(|executed| {
                let theirs = of_source.as_ref().and_then(|of_source| purged.as_ref().map(|purged| (of_source, purged)));
                theirs.map(|(of_source, purged)| relation_mysql(executed, of_source, purged, &[]))
            })
        }
        _ => Figure::Unknown(Unknown::NotOffered),
    })
}
