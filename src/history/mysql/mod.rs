//! Two samples of a MySQL or MariaDB server become facts.
//!
//! A rate is known only when both samples are of the same run of the server and the counter went forward. What one
//! sample says by itself (dirty pages, redo pressure, memory budget) needs no second one.

pub mod attribution;
pub mod device;
pub mod topology;

use self::{attribution::Grid, device::carrier};
use crate::model::{
    figure::{Figure, Unknown},
    mysql::{
        ConnectionRates, EngineRates, HitRatio, InnodbSample, LockRates, MemoryBudget, MysqlFacts, MysqlRates,
        MysqlSample, RedoRates, ServerSample, StatementRates, WorkRates,
    },
    world::NodeFacts,
};

/// Shortest window that rates are made of; below it the network's jitter outweighs the counters.
const WINDOW_MS_MIN: u64 = 100;
/// `Uptime` counts whole seconds, and the two answers took their time: a start that moved by more is a restart.
const START_MOVED_S_MAX: u64 = 3;
/// Fewest logical reads in the window that a hit ratio is made of: of a handful, one miss is many percent.
const READ_REQUESTS_MIN: u64 = 100;
/// Share of the redo log's capacity at which writers are stopped for a flush, where the server names no age of its own.
const SYNC_FLUSH_SHARE: f64 = 0.8;

/// "Disk or locks?" of the server on a node.
pub fn grid(node: &NodeFacts) -> Option<Grid> {
    let facts = node.mysql.last()?;
    let host = node.host.last();
    let path = facts.sample.identity.data_directory.as_ref().known();
    let carrier = path.map(|path| carrier(path.as_str(), node.profile.last(), host)).unwrap_or_default();
    Some(Grid::new(host, carrier.disk, carrier.rotational, facts))
}

/// Facts from the newer sample and the earlier facts; `elapsed_ms` lies between the two on the bastion's clock.
pub fn derive(earlier: Option<&MysqlFacts>, mut newer: MysqlSample, elapsed_ms: u64) -> MysqlFacts {
    if let Some(earlier) = earlier {
        keep(&earlier.sample, &mut newer);
    }
    let older = earlier.map(|earlier| &earlier.sample);
    let restarted = older.is_some_and(|older| is_restart(older, &newer, elapsed_ms));
    let window_ms = match older {
        None => Figure::Unknown(Unknown::NeedsTwoSamples),
        Some(_) if restarted => Figure::Unknown(Unknown::CounterReset),
        Some(_) if elapsed_ms < WINDOW_MS_MIN => Figure::Unknown(Unknown::NeedsTwoSamples),
        Some(_) => Figure::Known(elapsed_ms as f64),
    };
    let between = Between { older, newer: &newer, window_ms };
    let rates = MysqlRates {
        statements: between.statements(),
        connections: between.connections(),
        work: between.work(),
        engine: between.engine(),
        redo: between.redo(),
        locks: between.locks(),
        memory: memory_budget(&newer.server),
        commits_unacknowledged_per_s: between
            .rate(|sample| sample.replication.semi_sync.source.as_ref().and_then(|source| source.commits_without)),
    };
    let restarts_seen = earlier.map_or(0, |earlier| earlier.restarts_seen).saturating_add(u32::from(restarted));
    // Only its source's next answer can tell how it stands to it.
    let to_source = earlier.map(|earlier| earlier.to_source.clone()).unwrap_or_default();
    let unheard = earlier.and_then(|earlier| earlier.unheard.clone());
    MysqlFacts { sample: newer, restarts_seen, rates, to_source, unheard }
}

/// What is not asked each time stands as it was read last.
fn keep(older: &MysqlSample, newer: &mut MysqlSample) {
    fn stand<T: Clone>(older: &Figure<T>, newer: &mut Figure<T>) {
        if matches!(newer, Figure::Unknown(Unknown::NotReadYet)) {
            older.clone_into(newer);
        }
    }
    stand(&older.transactions, &mut newer.transactions);
    stand(&older.processes, &mut newer.processes);
    stand(&older.deadlock, &mut newer.deadlock);
    stand(&older.innodb.history_list_length, &mut newer.innodb.history_list_length);
}

/// Another server behind the same socket, or one whose start is not where it was: a server that was away for a minute
/// and has run for half of it has restarted, although its uptime may be longer than before.
fn is_restart(older: &MysqlSample, newer: &MysqlSample, elapsed_ms: u64) -> bool {
    let (before, now) = (&older.identity, &newer.identity);
    let other_uuid =
        before.server_uuid.as_ref().known().zip(now.server_uuid.as_ref().known()).is_some_and(|(a, b)| a != b);
    let other_start = before.uptime_s.known().zip(now.uptime_s.known()).is_some_and(|(before, now)| {
        now < before || before.saturating_add(elapsed_ms / 1000) > now.saturating_add(START_MOVED_S_MAX)
    });
    other_uuid || other_start
}

/// Two samples and the time between them.
#[derive(Clone, Copy)]
struct Between<'a> {
    older: Option<&'a MysqlSample>,
    newer: &'a MysqlSample,
    window_ms: Figure<f64>,
}

impl Between<'_> {
    /// How far a counter moved on.
    fn increase(&self, counter: impl Fn(&MysqlSample) -> Figure<u64>) -> Figure<u64> {
        // A counter that this server does not have says so, whatever the window.
        let now = match counter(self.newer) {
            Figure::Known(now) => now,
            unknown @ Figure::Unknown(_) => return unknown,
        };
        let older = self.window_ms.and_then(|_| Figure::from_option(self.older, Unknown::NeedsTwoSamples));
        older.and_then(&counter).and_then(|before| Figure::from_option(now.checked_sub(before), Unknown::CounterReset))
    }

    fn rate(&self, counter: impl Fn(&MysqlSample) -> Figure<u64>) -> Figure<f64> {
        self.increase(counter).and_then(|by| self.window_ms.map(|ms| by as f64 * 1000.0 / ms))
    }

    fn statements(&self) -> StatementRates {
        StatementRates {
            questions_per_s: self.rate(|sample| sample.server.statements.questions),
            selects_per_s: self.rate(|sample| sample.server.statements.selects),
            inserts_per_s: self.rate(|sample| sample.server.statements.inserts),
            updates_per_s: self.rate(|sample| sample.server.statements.updates),
            deletes_per_s: self.rate(|sample| sample.server.statements.deletes),
            commits_per_s: self.rate(|sample| sample.server.statements.commits),
            rollbacks_per_s: self.rate(|sample| sample.server.statements.rollbacks),
            slow_per_s: self.rate(|sample| sample.server.statements.slow),
        }
    }

    fn connections(&self) -> ConnectionRates {
        let server = &self.newer.server;
        ConnectionRates {
            used_percent: percent(server.threads_connected, server.connections_max),
            aborted_connects_per_s: self.rate(|sample| sample.server.aborted_connects),
            refused_at_limit_per_s: self.rate(|sample| sample.server.refused_at_limit),
        }
    }

    fn work(&self) -> WorkRates {
        let on_disk = self.increase(|sample| sample.server.work.created_tmp_disk_tables);
        let all = self.increase(|sample| sample.server.work.created_tmp_tables);
        WorkRates {
            tmp_disk_tables_per_s: self.rate(|sample| sample.server.work.created_tmp_disk_tables),
            tmp_on_disk_percent: percent(on_disk, all).map(|share| share.min(100.0)),
            sort_merge_passes_per_s: self.rate(|sample| sample.server.work.sort_merge_passes),
            full_scans_per_s: self.rate(|sample| sample.server.work.select_scan),
            rows_scanned_per_s: self.rate(|sample| sample.server.work.handler_read_rnd_next),
        }
    }

    fn engine(&self) -> EngineRates {
        let pool = &self.newer.innodb.buffer_pool;
        let misses = self.increase(|sample| sample.innodb.buffer_pool.disk_reads);
        let requests = self.increase(|sample| sample.innodb.buffer_pool.read_requests);
        EngineRates {
            hit: HitRatio {
                window_percent: requests.and_then(|requests| {
                    if requests < READ_REQUESTS_MIN {
                        Figure::Unknown(Unknown::NothingHappened)
                    } else {
                        hit_percent(misses, Figure::Known(requests))
                    }
                }),
                lifetime_percent: hit_percent(pool.disk_reads, pool.read_requests),
            },
            disk_reads_per_s: self.rate(|sample| sample.innodb.buffer_pool.disk_reads),
            dirty_percent: percent(pool.pages_dirty, pool.pages_total),
            free_percent: percent(pool.pages_free, pool.pages_total),
            free_waits_per_s: self.rate(|sample| sample.innodb.buffer_pool.free_waits),
            reads_per_s: self.rate(|sample| sample.innodb.io.reads),
            writes_per_s: self.rate(|sample| sample.innodb.io.writes),
            read_bytes_per_s: self.rate(|sample| sample.innodb.io.read_bytes),
            written_bytes_per_s: self.rate(|sample| sample.innodb.io.written_bytes),
            fsyncs_per_s: self.rate(|sample| sample.innodb.io.fsyncs),
            log_fsyncs_per_s: self.rate(|sample| sample.innodb.io.log_fsyncs),
            doublewrites_per_s: self.rate(|sample| sample.innodb.io.doublewrite_writes),
        }
    }

    fn redo(&self) -> RedoRates {
        let redo = &self.newer.innodb.redo;
        let written_bytes_per_s = self.rate(|sample| sample.innodb.redo.current_lsn);
        RedoRates {
            pressure_percent: percent(redo.checkpoint_age_bytes, redo.capacity_bytes),
            written_bytes_per_s,
            written_bytes_per_h: written_bytes_per_s.map(|rate| rate * 3600.0),
            sync_flush_in_s: sync_flush_in_s(&self.newer.innodb, written_bytes_per_s),
            buffer_percent: percent(redo.unflushed_bytes(), self.newer.server.memory.innodb_log_buffer_bytes),
            buffer_waits_per_s: self.rate(|sample| sample.innodb.redo.buffer_waits),
        }
    }

    fn locks(&self) -> LockRates {
        let waited_ms = self.increase(|sample| sample.innodb.row_locks.waited_ms);
        let waits = self.increase(|sample| sample.innodb.row_locks.waits);
        let load = waited_ms.and_then(|waited| self.window_ms.map(|window| waited as f64 / window));
        LockRates {
            load_sessions: load,
            load_percent: load.and_then(|load| {
                // The thread that asks runs too and waits for nobody; alone, it leaves no one who could.
                let running = self.newer.server.threads_running.map(|running| running as f64);
                running.and_then(|running| ratio(load * 100.0, running)).map(|share| share.min(100.0))
            }),
            wait_ms: waited_ms.and_then(|waited| waits.and_then(|waits| ratio(waited as f64, waits as f64))),
            waits_per_s: self.rate(|sample| sample.innodb.row_locks.waits),
            deadlocks_per_s: self.rate(|sample| sample.innodb.row_locks.deadlocks),
        }
    }
}

/// Until writers are stopped, at the rate of the window and if no page was flushed from now on: flushing gives more.
fn sync_flush_in_s(innodb: &InnodbSample, written_bytes_per_s: Figure<f64>) -> Figure<f64> {
    let limit_bytes = match innodb.redo.checkpoint_age_max_bytes {
        Figure::Known(max) if max > 0 => Figure::Known(max as f64),
        _ => innodb.redo.capacity_bytes.map(|capacity| capacity as f64 * SYNC_FLUSH_SHARE),
    };
    limit_bytes.and_then(|limit| {
        let left = innodb.redo.checkpoint_age_bytes.map(|age| (limit - age as f64).max(0.0));
        left.and_then(|left| written_bytes_per_s.and_then(|rate| ratio(left, rate)))
    })
}

/// What the server may take at most. A buffer that it does not have takes nothing; one that could not be read makes the
/// bound unknown, because a bound without it would be none.
pub fn memory_budget(server: &ServerSample) -> Figure<MemoryBudget> {
    let memory = &server.memory;
    let global = [
        memory.innodb_buffer_pool_bytes,
        memory.innodb_log_buffer_bytes,
        memory.key_buffer_bytes,
        memory.aria_pagecache_buffer_bytes,
        memory.query_cache_bytes,
    ];
    let session = [
        memory.sort_buffer_bytes,
        memory.join_buffer_bytes,
        memory.read_buffer_bytes,
        memory.read_rnd_buffer_bytes,
        memory.thread_stack_bytes,
        memory.tmp_table_bytes,
    ];
    sum(&global).and_then(|global_bytes| {
        sum(&session).and_then(|session_bytes| {
            server.connections_max.map(|connections_max| MemoryBudget {
                global_bytes,
                session_bytes,
                connections_max,
                upper_bound_bytes: session_bytes.saturating_mul(connections_max).saturating_add(global_bytes),
            })
        })
    })
}

fn sum(parts: &[Figure<u64>]) -> Figure<u64> {
    parts.iter().fold(Figure::Known(0), |sum: Figure<u64>, part| {
        sum.and_then(|sum| match *part {
            Figure::Known(part) => Figure::Known(sum.saturating_add(part)),
            Figure::Unknown(Unknown::NotOffered) => Figure::Known(sum),
            unknown @ Figure::Unknown(_) => unknown,
        })
    })
}

fn hit_percent(misses: Figure<u64>, requests: Figure<u64>) -> Figure<f64> {
    // Reading ahead counts no request, so there may be more reads than requests for a moment.
    percent(misses, requests).map(|missed| (100.0 - missed).max(0.0))
}

fn percent(part: Figure<u64>, whole: Figure<u64>) -> Figure<f64> {
    part.and_then(|part| whole.and_then(|whole| ratio(part as f64 * 100.0, whole as f64)))
}

/// `a / b`; nothing happened when `b` is zero.
fn ratio(a: f64, b: f64) -> Figure<f64> {
    if b > 0.0 { Figure::Known(a / b) } else { Figure::Unknown(Unknown::NothingHappened) }
}
