//! Rules about database servers and their replication, each on a world made by hand.

use super::{lines, stage, stage::Stage};
use vakt::model::{
    figure::{Figure, Unknown},
    link::Route,
    mysql::{Channel, MemoryBudget, MysqlFacts, SemiSyncSource, ThreadState, Transaction, Unheard, gtid::Relation},
    text::Clean,
    time::{Mono, Now},
    trouble::{Trouble, TroubleKind},
};

use Figure::Known;

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| stage.each_second.push(|stage| tuned(stage, &[("sync_binlog", "0"), ("max_connections", "300")])),
    |stage| stage.each_second.push(cut_off),
    |stage| stage.each_second.push(|stage| refused(stage, None)),
    |stage| stage.each_second.push(|stage| refused(stage, Some(TroubleKind::SocketNotPermitted))),
    |stage| {
        stage.host("db01", |host| host.cpu = stage::cpu(60.0, 0.0));
        stage.each_second.push(|stage| read(stage, "db01", |_| {}));
    },
    |stage| stage.each_second.push(|stage| read(stage, "db01", locked)),
    |stage| {
        stage.each_second.push(|stage| read(stage, "db01", |facts| facts.rates.connections.used_percent = Known(95.0)));
    },
    |stage| {
        stage.each_second.push(|stage| read(stage, "db01", |facts| facts.rates.redo.pressure_percent = Known(90.0)));
    },
    |stage| stage.each_second.push(|stage| read(stage, "db01", dirty)),
    |stage| {
        stage
            .each_second
            .push(|stage| read(stage, "db01", |facts| facts.sample.innodb.history_list_length = Known(1_000_000)));
    },
    |stage| stage.each_second.push(|stage| read(stage, "db01", open_transaction)),
    |stage| stage.each_second.push(|stage| read(stage, "db01", |facts| facts.rates.locks.deadlocks_per_s = Known(2.0))),
    |stage| stage.each_second.push(|stage| read(stage, "db01", |facts| budget(facts, 200))),
    |stage| {
        stage.each_second.push(|stage| {
            read(stage, "db01", |_| {});
            replica(stage, |facts| facts.sample.identity.read_only = Known(false));
        });
    },
    |stage| {
        stage.each_second.push(|stage| {
            for node in ["db01", "db03"] {
                read(stage, node, |facts| facts.sample.identity.read_only = Known(true));
            }
            replica(stage, |_| {});
        });
    },
    |stage| {
        stage.each_second.push(|stage| {
            read(stage, "db01", |_| {});
            let words = "0-32-8".to_owned();
            replica(stage, move |facts| {
                facts.to_source = Known(Relation::Diverged { errant: 1, words: words.clone() });
            });
        });
    },
    |stage| {
        stage.each_second.push(|stage| with_channel(stage, |channel| channel.applier = Known(ThreadState::Stopped)));
    },
    |stage| stage.each_second.push(|stage| with_channel(stage, |channel| channel.lags.applied_ms = Known(60_000))),
    |stage| {
        stage.each_second.push(|stage| {
            with_channel(stage, |channel| channel.lags.applied_ms = Figure::Unknown(Unknown::Missing));
        });
    },
    |stage| {
        stage.each_second.push(|stage| {
            read(stage, "db01", unacknowledged);
            replica(stage, |_| {});
        });
    },
];

/// A server that answers, ill as `change` says; db01 takes writes.
/// db02 says that it replicates, and has had nothing from db01 for a while.
fn cut_off(stage: &mut Stage) {
    read(stage, "db01", |_| {});
    let since = Now { mono: Mono(stage.now.mono.0 - 9_000), wall: stage.now.wall };
    replica(stage, move |facts| {
        facts.unheard = Some(Unheard { since, arrived: (None, None), missing_first: 3, missing: 420 });
    });
}

pub(super) fn read(stage: &mut Stage, node: &str, change: impl Fn(&mut MysqlFacts)) {
    let now = stage.now;
    let mut facts = MysqlFacts::default();
    facts.sample.identity.read_only = Known(node != "db01");
    change(&mut facts);
    stage.facts(node).mysql.take(facts, now);
}

/// db02 replicates from db01.
pub(super) fn replica(stage: &mut Stage, change: impl Fn(&mut MysqlFacts)) {
    read(stage, "db02", |facts| {
        facts.sample.replication.channels = Known(vec![channel()]);
        change(facts);
    });
}

fn with_channel(stage: &mut Stage, change: impl Fn(&mut Channel)) {
    read(stage, "db01", |_| {});
    replica(stage, |facts| {
        let mut ill = channel();
        change(&mut ill);
        facts.sample.replication.channels = Known(vec![ill]);
    });
}

fn channel() -> Channel {
    let mut channel = Channel {
        source_host: Known(Clean::line("10.10.0.6")),
        receiver: Known(ThreadState::Running),
        applier: Known(ThreadState::Running),
        ..Channel::default()
    };
    channel.lags.applied_ms = Known(0);
    channel
}

fn refused(stage: &mut Stage, kind: Option<TroubleKind>) {
    let now = stage.now;
    let trouble = Trouble::new(kind.unwrap_or(TroubleKind::Refused), "connection refused", "start the server");
    let facts = stage.facts("db01");
    facts.mysql.fail(trouble.cause.clone(), now);
    if kind.is_some() {
        facts.link.routes = vec![Route { path: "/run/mysqld/mysqld.sock".into(), way: Err(trouble) }];
    }
}

fn locked(facts: &mut MysqlFacts) {
    facts.sample.innodb.row_locks.waiting_now = Known(8);
}

fn dirty(facts: &mut MysqlFacts) {
    facts.rates.engine.dirty_percent = Known(95.0);
    facts.sample.innodb.settings.dirty_percent_max = Known(90.0);
}

fn open_transaction(facts: &mut MysqlFacts) {
    facts.sample.transactions = Known(vec![Transaction { age_s: Known(500), ..Transaction::default() }]);
}

/// A server that may use 1 GiB at once and 64 MiB more for each of 1,000 connections; so many there were at most.
fn budget(facts: &mut MysqlFacts, connections_used_max: u64) {
    let (global_bytes, session_bytes, connections_max) = (1 << 30, 64 << 20, 1_000);
    let upper_bound_bytes = global_bytes + session_bytes * connections_max;
    facts.rates.memory = Known(MemoryBudget { global_bytes, session_bytes, connections_max, upper_bound_bytes });
    facts.sample.server.connections_used_max = Known(connections_used_max);
}

fn unacknowledged(facts: &mut MysqlFacts) {
    let source = SemiSyncSource { enabled: Known(true), acknowledging: Known(0), ..SemiSyncSource::default() };
    facts.sample.replication.semi_sync.source = Known(source);
}

#[test]
fn memory_that_no_number_of_connections_so_far_would_use_is_no_finding() {
    let mut stage = Stage::new();
    stage.each_second.push(|stage| read(stage, "db01", |facts| budget(facts, 3)));
    stage.run(30);
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn sessions_that_wait_for_rows_are_counted() {
    let mut stage = Stage::new();
    stage.each_second.push(|stage| read(stage, "db01", locked));
    stage.run(30);
    assert_eq!(lines(&stage.findings()), ["▲ db01: 8 sessions wait for rows"]);
}

/// The settings of db01, as the lab's, but for these.
fn tuned(stage: &mut Stage, values: &[(&str, &str)]) {
    let mut sample = crate::mysql::tuning::of_lab("primary");
    for (name, value) in values {
        crate::mysql::tuning::set(&mut sample, name, value, "SQL");
    }
    let now = stage.now;
    stage.facts("db01").tuning.take(sample, now);
}

#[test]
fn settings_that_a_restart_changes_are_named_with_their_file_and_those_that_lose_commits_with_the_way_back() {
    let mut stage = Stage::new();
    stage.each_second.push(|stage| tuned(stage, &[("sync_binlog", "0"), ("max_connections", "300")]));
    stage.run(10);
    let findings = stage.findings();
    let of = |rule: &str| findings.iter().find(|finding| finding.rule.as_str() == rule).unwrap();
    let lost = of("mysql.durability");
    assert_eq!(lost.sentence.as_str(), "A crash loses commits that clients were told are safe: sync_binlog is 0");
    assert_eq!(lost.hint.as_str(), "vakt do tune.set db01 sync_binlog 1");
    let drift = of("settings.drift");
    assert_eq!(drift.sentence.as_str(), "sync_binlog, max_connections run unlike what the files say");
    assert_eq!(drift.evidence[1].as_str(), "max_connections is 300; /etc/mysql/mariadb.conf.d/90-lab.cnf:29 says 200");
    let mut calm = Stage::new();
    calm.each_second.push(|stage| tuned(stage, &[]));
    calm.run(10);
    assert!(calm.findings().iter().all(|finding| !finding.rule.as_str().starts_with("settings")));
}
