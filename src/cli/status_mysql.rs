//! `mysql` of `vakt status --json`: every MySQL and MariaDB server. `docs/status-json.md` describes every key.

use super::status_document::{rounded, text};
use crate::{
    history::mysql::{
        self,
        attribution::{Bottleneck, attribute},
        topology::{Place, topology},
    },
    model::{
        figure::{Figure, Unknown},
        inventory::Inventory,
        mysql::{Channel, MysqlFacts, gtid::Relation},
        time::Now,
        world::{NodeFacts, World},
    },
};
use serde::Serialize;
use std::collections::BTreeMap;

/// One server.
#[derive(Debug, Default, Serialize)]
pub struct MysqlRow {
    pub node: String,
    pub age_ms: Option<u64>,
    pub error: Option<String>,
    pub version: Option<String>,
    pub role: &'static str,
    pub takes_writes: Option<bool>,
    pub source: Option<String>,
    pub uptime_s: Option<u64>,
    pub connections_current: Option<u64>,
    pub connections_max: Option<u64>,
    pub threads_running: Option<u64>,
    pub questions: Option<u64>,
    pub questions_per_s: Option<f64>,
    pub writes_per_s: Option<f64>,
    pub slow_per_s: Option<f64>,
    pub buffer_pool_hit_percent: Option<f64>,
    pub buffer_pool_hit_lifetime_percent: Option<f64>,
    pub buffer_pool_dirty_percent: Option<f64>,
    pub buffer_pool_disk_reads_per_s: Option<f64>,
    pub redo_percent: Option<f64>,
    pub redo_sync_flush_in_s: Option<f64>,
    pub history_list: Option<u64>,
    pub row_lock_sessions: Option<f64>,
    pub row_lock_waiting: Option<u64>,
    pub deadlocks: Option<u64>,
    pub oldest_transaction_s: Option<u64>,
    pub memory_upper_bound_bytes: Option<u64>,
    pub gtid: Option<String>,
    pub errant_transactions: Option<u64>,
    pub missing_transactions: Option<u64>,
    pub bottleneck: Option<&'static str>,
    pub attribution: Option<String>,
    pub semi_sync: SemiSync,
    pub channels: Vec<ChannelRow>,
    /// Figure name to reason.
    pub unknown: BTreeMap<&'static str, String>,
}

/// Semi-synchronous replication of one server.
#[derive(Debug, Default, Serialize)]
pub struct SemiSync {
    pub source_enabled: Option<bool>,
    pub source_active: Option<bool>,
    pub acknowledging: Option<u64>,
    pub commits_without: Option<u64>,
    pub replica_enabled: Option<bool>,
    pub replica_active: Option<bool>,
}

/// One replication channel.
#[derive(Debug, Serialize)]
pub struct ChannelRow {
    pub name: String,
    pub source_host: Option<String>,
    pub receiver: Option<String>,
    pub applier: Option<String>,
    pub error: Option<String>,
    pub received_lag_ms: Option<u64>,
    pub applied_lag_ms: Option<u64>,
    pub heartbeat_lag_ms: Option<u64>,
}

/// Every server of the inventory, in its order.
pub(super) fn rows(world: &World, inventory: &Inventory, now: Now) -> Vec<MysqlRow> {
    let places = topology(world, inventory);
    places.iter().filter_map(|place| Some(row(place, world.node(&place.node)?, now))).collect()
}

fn row(place: &Place, node: &NodeFacts, now: Now) -> MysqlRow {
    let base = MysqlRow {
        node: place.node.to_string(),
        age_ms: node.mysql.age_ms(now.mono),
        error: node.mysql.failure().map(|failure| failure.reason.to_string()),
        role: place.role.word(),
        source: place.source.as_ref().map(ToString::to_string),
        ..MysqlRow::default()
    };
    let Some(facts) = node.mysql.last() else { return base };
    let (sample, rates) = (&facts.sample, &facts.rates);
    let writes = rates.statements.writes_per_s();
    let attribution = mysql::grid(node).map(|grid| attribute(&grid));
    MysqlRow {
        version: text(&sample.identity.version),
        takes_writes: facts.takes_writes().known(),
        uptime_s: sample.identity.uptime_s.known(),
        connections_current: sample.server.threads_connected.known(),
        connections_max: sample.server.connections_max.known(),
        threads_running: sample.server.threads_running.known(),
        questions: sample.server.statements.questions.known(),
        questions_per_s: rates.statements.questions_per_s.known().map(rounded),
        writes_per_s: writes.known().map(rounded),
        slow_per_s: rates.statements.slow_per_s.known().map(rounded),
        buffer_pool_hit_percent: rates.engine.hit.window_percent.known().map(rounded),
        buffer_pool_hit_lifetime_percent: rates.engine.hit.lifetime_percent.known().map(rounded),
        buffer_pool_dirty_percent: rates.engine.dirty_percent.known().map(rounded),
        buffer_pool_disk_reads_per_s: rates.engine.disk_reads_per_s.known().map(rounded),
        redo_percent: rates.redo.pressure_percent.known().map(rounded),
        redo_sync_flush_in_s: rates.redo.sync_flush_in_s.known().map(rounded),
        history_list: sample.innodb.history_list_length.known(),
        row_lock_sessions: rates.locks.load_sessions.known().map(rounded),
        row_lock_waiting: sample.innodb.row_locks.waiting_now.known(),
        deadlocks: sample.innodb.row_locks.deadlocks.known(),
        oldest_transaction_s: oldest_transaction_s(facts),
        memory_upper_bound_bytes: rates.memory.known().map(|budget| budget.upper_bound_bytes),
        gtid: sample.replication.position(),
        errant_transactions: stands(facts, |relation| match relation {
            Relation::Diverged { errant, .. } => *errant,
            _ => 0,
        }),
        missing_transactions: match facts.to_source.as_ref().known() {
            Some(Relation::Behind { missing } | Relation::BehindPurged { missing, .. }) => Some(*missing),
            Some(Relation::Identical) => Some(0),
            _ => None,
        },
        bottleneck: attribution.as_ref().map(|attribution| word(attribution.bottleneck)),
        attribution: attribution.map(|attribution| attribution.sentence),
        semi_sync: semi_sync(facts),
        channels: facts.channels().iter().map(channel).collect(),
        unknown: unknown(facts, writes),
        ..base
    }
}

fn stands(facts: &MysqlFacts, of: impl Fn(&Relation) -> u64) -> Option<u64> {
    facts.to_source.as_ref().known().map(of)
}

fn oldest_transaction_s(facts: &MysqlFacts) -> Option<u64> {
    let transactions = facts.sample.transactions.as_ref().known()?;
    transactions.iter().filter_map(|transaction| transaction.age_s.known()).max()
}

fn word(bottleneck: Bottleneck) -> &'static str {
    match bottleneck {
        Bottleneck::Nothing => "nothing",
        Bottleneck::Disk => "disk",
        Bottleneck::Locks => "locks",
        Bottleneck::DiskAndLocks => "disk_and_locks",
        Bottleneck::Cpu => "cpu",
        Bottleneck::Unknown => "unknown",
    }
}

fn semi_sync(facts: &MysqlFacts) -> SemiSync {
    let semi_sync = &facts.sample.replication.semi_sync;
    let (source, replica) = (semi_sync.source.as_ref().known(), semi_sync.replica.as_ref().known());
    SemiSync {
        source_enabled: source.and_then(|source| source.enabled.known()),
        source_active: source.and_then(|source| source.active.known()),
        acknowledging: source.and_then(|source| source.acknowledging.known()),
        commits_without: source.and_then(|source| source.commits_without.known()),
        replica_enabled: replica.and_then(|replica| replica.enabled.known()),
        replica_active: replica.and_then(|replica| replica.active.known()),
    }
}

fn channel(channel: &Channel) -> ChannelRow {
    let error = channel.receiver_error.as_ref().or(channel.applier_error.as_ref());
    ChannelRow {
        name: channel.name.to_string(),
        source_host: text(&channel.source_host),
        receiver: channel.receiver.as_ref().known().map(ToString::to_string),
        applier: channel.applier.as_ref().known().map(ToString::to_string),
        error: error.map(|error| format!("{}: {}", error.code, error.message)),
        received_lag_ms: channel.lags.received_ms.known(),
        applied_lag_ms: channel.lags.applied_ms.known(),
        heartbeat_lag_ms: channel.lags.heartbeat_ms.known(),
    }
}

fn unknown(facts: &MysqlFacts, writes_per_s: Figure<f64>) -> BTreeMap<&'static str, String> {
    let (sample, rates) = (&facts.sample, &facts.rates);
    let reasons: [(&'static str, Option<Unknown>); 11] = [
        ("questions_per_s", rates.statements.questions_per_s.why()),
        ("writes_per_s", writes_per_s.why()),
        ("takes_writes", facts.takes_writes().why()),
        ("buffer_pool_hit_percent", rates.engine.hit.window_percent.why()),
        ("redo_percent", rates.redo.pressure_percent.why()),
        ("redo_sync_flush_in_s", rates.redo.sync_flush_in_s.why()),
        ("history_list", sample.innodb.history_list_length.why()),
        ("row_lock_sessions", rates.locks.load_sessions.why()),
        ("oldest_transaction_s", sample.transactions.why()),
        ("channels", sample.replication.channels.why()),
        ("applied_lag_ms", facts.channels().iter().find_map(|channel| channel.lags.applied_ms.why())),
    ];
    reasons.into_iter().filter_map(|(name, why)| Some((name, why?.to_string()))).collect()
}
