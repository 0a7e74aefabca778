//! Figures computed by hand from two captures of one server, five seconds apart, and what single captures must say.

use super::captures::{answers, sample};
use proptest::prelude::*;
use serde_json::Value;
use vakt::{
    history::mysql::derive,
    model::{
        figure::{Figure, Unknown},
        mysql::{
            CheckpointSource, Dialect, GtidState, MysqlFacts, MysqlSample, ThreadState,
            gtid::{MariadbGtids, Relation, relation_mariadb, relation_mysql},
            root_blockers,
        },
    },
    wire::mysql::{Answer, Answers, Literals, Rows, StatementId, interpret},
};

const FIRST: &str = "mariadb-10.11/load.1";
const SECOND: &str = "mariadb-10.11/load.2";
/// `Uptime` 9 and 14.
const ELAPSED_MS: u64 = 5_000;

fn facts() -> MysqlFacts {
    let first = derive(None, sample(FIRST), 0);
    derive(Some(&first), sample(SECOND), ELAPSED_MS)
}

#[track_caller]
fn near(figure: Figure<f64>, expected: f64) {
    let Figure::Known(value) = figure else { panic!("{figure:?}, not {expected}") };
    assert!((value - expected).abs() <= expected.abs() * 1e-6, "{value}, not {expected}");
}

#[test]
fn rates_of_statements_and_work() {
    let rates = facts().rates;
    near(rates.statements.questions_per_s, 274.0 / 5.0);
    near(rates.statements.selects_per_s, 90.0 / 5.0);
    near(rates.statements.inserts_per_s, 41.0 / 5.0);
    near(rates.statements.updates_per_s, 42.0 / 5.0);
    near(rates.statements.deletes_per_s, 42.0 / 5.0);
    near(rates.work.tmp_disk_tables_per_s, 2.0 / 5.0);
    near(rates.work.tmp_on_disk_percent, 200.0 / 14.0);
    near(rates.work.full_scans_per_s, 91.0 / 5.0);
    near(rates.work.rows_scanned_per_s, 505_603.0 / 5.0);
    near(rates.connections.used_percent, 200.0 / 151.0);
    assert_eq!(rates.connections.refused_at_limit_per_s, Figure::Known(0.0));
}

#[test]
fn rates_of_the_engine() {
    let rates = facts().rates;
    near(rates.engine.hit.window_percent, 100.0 - 8_400.0 / 67_744.0);
    near(rates.engine.hit.lifetime_percent, 100.0 - 74_500.0 / 138_097.0);
    near(rates.engine.disk_reads_per_s, 84.0 / 5.0);
    near(rates.engine.dirty_percent, 27_500.0 / 2_028.0);
    near(rates.engine.free_percent, 100_500.0 / 2_028.0);
    near(rates.engine.fsyncs_per_s, 134.0 / 5.0);
    assert_eq!(rates.engine.log_fsyncs_per_s.why(), Some(Unknown::NotOffered));
    assert_eq!(rates.engine.doublewrites_per_s, Figure::Known(0.0));
}

#[test]
fn the_redo_log() {
    let facts = facts();
    let redo = facts.rates.redo;
    let per_s = (11_722_748.0 - 11_633_359.0) / 5.0;
    assert_eq!(facts.sample.innodb.redo.checkpoint_source, Figure::Known(CheckpointSource::CheckpointAge));
    near(redo.pressure_percent, 9_257_700.0 / 16_777_216.0);
    near(redo.written_bytes_per_s, per_s);
    near(redo.written_bytes_per_h, per_s * 3_600.0);
    near(redo.sync_flush_in_s, (12_871_804.0 - 92_577.0) / per_s);
    assert_eq!(redo.buffer_percent, Figure::Known(0.0));
    // In the first capture 1,231 bytes of 16 MiB were not flushed.
    near(derive(None, sample(FIRST), 0).rates.redo.buffer_percent, 123_100.0 / 16_777_216.0);
}

#[test]
fn row_locks_and_memory() {
    let rates = facts().rates;
    // One session waited 2.52 s of the five; its wait began before the window, so the window has no wait of its own.
    near(rates.locks.load_sessions, 2.52 / 5.0);
    near(rates.locks.load_percent, 50.4 / 2.0);
    assert_eq!(rates.locks.wait_ms.why(), Some(Unknown::NothingHappened));
    let budget = rates.memory.known().unwrap();
    assert_eq!(budget.global_bytes, 33_554_432 + 16_777_216 + 134_217_728 + 134_217_728 + 1_048_576);
    assert_eq!(budget.session_bytes, 2_097_152 + 262_144 + 131_072 + 262_144 + 299_008 + 16_777_216);
    assert_eq!(budget.upper_bound_bytes, 3_313_954_816);
    near(budget.percent_of(6_627_909_632), 50.0);
    assert!(budget.percent_of(0).why().is_some());
}

#[test]
fn without_a_capacity_of_its_own_word_four_fifths_are_the_limit() {
    let mut second = sample(SECOND);
    second.innodb.redo.checkpoint_age_max_bytes = Figure::Unknown(Unknown::NotOffered);
    let first = derive(None, sample(FIRST), 0);
    let redo = derive(Some(&first), second.clone(), ELAPSED_MS).rates.redo;
    near(redo.sync_flush_in_s, (16_777_216.0 * 0.8 - 92_577.0) / 17_877.8);
    // Beyond the limit nothing is left; without any redo written there is no end to wait for.
    second.innodb.redo.checkpoint_age_bytes = Figure::Known(16_000_000);
    assert_eq!(derive(Some(&first), second.clone(), ELAPSED_MS).rates.redo.sync_flush_in_s, Figure::Known(0.0));
    second.innodb.redo.current_lsn = first.sample.innodb.redo.current_lsn;
    let still = derive(Some(&first), second, ELAPSED_MS).rates.redo;
    assert_eq!(still.sync_flush_in_s.why(), Some(Unknown::NothingHappened));
}

#[test]
fn a_restart_is_a_reset_and_counted_however_long_it_took() {
    let first = derive(None, sample(FIRST), 0);
    assert_eq!(first.rates.statements.questions_per_s.why(), Some(Unknown::NeedsTwoSamples));
    assert_eq!(first.rates.engine.hit.window_percent.why(), Some(Unknown::NeedsTwoSamples));
    // Uptime 14 after 9: five seconds later the same run, a minute later another one that has run for 14 s.
    for (elapsed_ms, restarts) in [(5_000, 0), (7_900, 0), (60_000, 1)] {
        let facts = derive(Some(&first), sample(SECOND), elapsed_ms);
        assert_eq!(facts.restarts_seen, restarts, "{elapsed_ms}");
        let known = facts.rates.statements.questions_per_s.why();
        assert_eq!(known, (restarts > 0).then_some(Unknown::CounterReset));
        assert!(facts.rates.engine.hit.lifetime_percent.why().is_none());
    }
    let back = derive(Some(&facts()), sample(FIRST), 1_000);
    assert_eq!((back.restarts_seen, back.rates.locks.load_sessions.why()), (1, Some(Unknown::CounterReset)));
    // `flush status` clears one counter and leaves the run alone.
    let mut cleared = sample(SECOND);
    cleared.server.statements.selects = Figure::Known(1);
    let facts = derive(Some(&first), cleared, ELAPSED_MS);
    assert_eq!(facts.rates.statements.selects_per_s.why(), Some(Unknown::CounterReset));
    assert_eq!(facts.restarts_seen, 0);
    near(facts.rates.statements.updates_per_s, 42.0 / 5.0);
}

#[test]
fn a_quiet_window_has_no_hit_ratio() {
    let first = derive(None, sample(SECOND), 0);
    let mut quiet = sample(SECOND);
    quiet.innodb.buffer_pool.read_requests = quiet.innodb.buffer_pool.read_requests.map(|requests| requests + 99);
    let rates = derive(Some(&first), quiet, 1_000).rates;
    assert_eq!(rates.engine.hit.window_percent.why(), Some(Unknown::NothingHappened));
    assert_eq!(rates.statements.questions_per_s, Figure::Known(0.0));
}

#[test]
fn a_buffer_that_could_not_be_read_makes_the_memory_unknown() {
    let mut server = sample(SECOND).server;
    server.memory.aria_pagecache_buffer_bytes = Figure::Unknown(Unknown::NotOffered);
    let without = vakt::history::mysql::memory_budget(&server).known().unwrap();
    assert_eq!(without.upper_bound_bytes, 3_313_954_816 - 134_217_728);
    server.memory.sort_buffer_bytes = Figure::Unknown(Unknown::Malformed);
    assert_eq!(vakt::history::mysql::memory_budget(&server).why(), Some(Unknown::Malformed));
}

#[test]
fn lag_is_unknown_while_replication_does_not_run() {
    let channel = |name: &str| sample(name).replication.channels.known().unwrap().remove(0);
    let running = channel("mariadb-10.11/lab-replica");
    assert_eq!(
        (&running.receiver, &running.applier),
        (&Figure::Known(ThreadState::Running), &Figure::Known(ThreadState::Running))
    );
    assert_eq!(running.lags.applied_ms, Figure::Known(0));
    assert_eq!(running.lags.received_ms.why(), Some(Unknown::NotOffered));
    let stopped = channel("mariadb-10.11/replica-stopped");
    assert_eq!(stopped.receiver, Figure::Known(ThreadState::Stopped));
    assert_eq!(stopped.lags.applied_ms.why(), Some(Unknown::NotRunning));
    let broken = channel("mariadb-10.11/replica-diverged");
    assert_eq!(broken.receiver, Figure::Known(ThreadState::Running));
    assert_eq!(broken.applier, Figure::Known(ThreadState::Stopped));
    assert_eq!(broken.lags.applied_ms.why(), Some(Unknown::NotRunning));
    assert_eq!(broken.applier_error.unwrap().code, 1950);
    assert_eq!(sample("mariadb-10.11/lab-primary").replication.channels, Figure::Known(vec![]));
}

#[test]
fn a_heartbeat_tells_the_lag_of_a_replica_that_does_not_run() {
    let mut stopped = answers("mariadb-10.11/replica-stopped");
    let lag = |answers: &Answers| {
        let replication = interpret(answers, Literals::Masked).0.unwrap().replication;
        (replication.heartbeat_age_ms, replication.channels.known().unwrap()[0].lags.heartbeat_ms)
    };
    let absent = Figure::Unknown(Unknown::NotOffered);
    assert_eq!(lag(&stopped), (absent, absent));
    let rows = |age: Option<&str>| {
        let age = age.map(|age| age.as_bytes().to_vec());
        Answer::Rows(Rows { columns: vec!["age_us".into()], rows: vec![vec![age]] })
    };
    stopped.0.insert(StatementId::Heartbeat, rows(Some("93500000")));
    assert_eq!(lag(&stopped), (Figure::Known(93_500), Figure::Known(93_500)));
    // Clocks that differ by a little make it negative; an empty table has no newest row.
    stopped.0.insert(StatementId::Heartbeat, rows(Some("-1200")));
    assert_eq!(lag(&stopped).0, Figure::Known(0));
    stopped.0.insert(StatementId::Heartbeat, rows(None));
    assert_eq!(lag(&stopped).0, Figure::Unknown(Unknown::Missing));
}

#[test]
fn commit_timestamps_are_better_than_whole_seconds() {
    let sample = sample("mysql-8.4-documented/replica");
    let lags = sample.replication.channels.known().unwrap()[0].lags;
    // `Seconds_Behind_Source` says 2; the worker applies what was committed 1.734 s ago.
    assert_eq!((lags.received_ms, lags.applied_ms), (Figure::Known(12), Figure::Known(1_734)));
    let idle = super::captures::sample("mysql-8.4-documented/replica-idle");
    assert_eq!(idle.replication.channels.known().unwrap()[0].lags.applied_ms, Figure::Known(0));
}

fn mariadb_parts(sample: &MysqlSample) -> (MariadbGtids, MariadbGtids) {
    match sample.replication.gtid.as_ref().known().unwrap() {
        GtidState::Mariadb { binlog_state, current_pos, .. } => {
            (binlog_state.clone().known().unwrap(), current_pos.clone().known().unwrap())
        }
        other @ GtidState::Mysql { .. } => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_that_only_the_replica_has_is_errant() {
    let (replica, primary) = (sample("mariadb-10.11/replica-diverged"), sample("mariadb-10.11/primary-of-diverged"));
    let (state, position) = mariadb_parts(&replica);
    let (primary_state, _) = mariadb_parts(&primary);
    let server = replica.identity.server_id.known().unwrap();
    let relation = relation_mariadb(&position, &state, server, &primary_state, &MariadbGtids::default());
    let Relation::Diverged { errant, words } = relation else { panic!("{relation:?}") };
    assert_eq!((errant, words.as_str()), (1, "1 transaction of domain 0: 0-2-200"));

    let of = |name: &str| match sample(name).replication.gtid.known().unwrap() {
        GtidState::Mysql { executed, purged } => (executed.known().unwrap(), purged.known().unwrap()),
        other @ GtidState::Mariadb { .. } => panic!("{other:?}"),
    };
    let ((replica, _), (primary, purged)) = (of("mysql-8.4-documented/replica"), of("mysql-8.4-documented/source"));
    assert_eq!(relation_mysql(&replica, &primary, &purged, &[]), Relation::Behind { missing: 30 });
}

#[test]
fn who_blocks_whom() {
    let sample = sample("mariadb-10.11/row-locks");
    let waits = sample.lock_waits.known().unwrap();
    let roots = root_blockers(&waits);
    // Three sessions wait in a row behind one that sleeps in its transaction; each is also blocked by those before it.
    assert_eq!(waits.len(), 6);
    assert_eq!(roots.len(), 1);
    assert_eq!(roots[0].1, 3);
    let holder = sample.transactions.known().unwrap().into_iter().find(|one| one.process == Figure::Known(roots[0].0));
    assert_eq!(holder.unwrap().statement, Figure::Known("select sleep(?)".into()));
    assert_eq!(sample.innodb.row_locks.waiting_now, Figure::Known(3));
}

#[test]
fn the_last_deadlock() {
    let deadlock = sample("mariadb-10.11/deadlock").deadlock.known().unwrap().unwrap();
    assert_eq!(deadlock.parties.len(), 2);
    let victim = deadlock.victim.known().unwrap();
    assert!(victim == 1 || victim == 2);
    for party in &deadlock.parties {
        assert_eq!(
            party.waits_for,
            Figure::Known("index PRIMARY of table `shop`.`stock` lock_mode X locks rec but not gap".into())
        );
        assert!(party.process.known().unwrap() > 0);
    }
    let statements: Vec<_> = deadlock.parties.iter().map(|party| party.statement.clone().known().unwrap()).collect();
    assert!(statements.contains(&"update stock set name=? where id=?".into()), "{statements:?}");
    assert_eq!(sample("mariadb-10.11/lab-primary").deadlock, Figure::Known(None));
    let old = sample("mysql-5.1-documented/server").deadlock.known().unwrap().unwrap();
    let waits_for = "index `PRIMARY` of table `test`.`t` lock_mode X locks rec but not gap";
    assert_eq!(old.parties[0].waits_for, Figure::Known(waits_for.into()));
    let shown =
        interpret(&answers("mariadb-10.11/deadlock"), Literals::Shown).0.unwrap().deadlock.known().unwrap().unwrap();
    assert!(shown.text.as_str().contains("other s3cret"), "an operator may ask for literals");
    assert!(!shown.text.as_str().contains("hex 733363726574"), "contents of rows are never shown");
}

#[test]
fn flavours_are_known_by_what_they_have() {
    let cases = [
        ("mariadb-10.11/lab-primary", Dialect::Mariadb, CheckpointSource::CheckpointAge),
        ("mysql-8.4-documented/source", Dialect::Mysql, CheckpointSource::RedoLogStatus),
        ("mysql-5.7-documented/replica", Dialect::Mysql, CheckpointSource::StatusText),
        ("mysql-5.1-documented/server", Dialect::WithoutGtid, CheckpointSource::StatusText),
    ];
    for (name, dialect, source) in cases {
        let sample = sample(name);
        assert_eq!(sample.capabilities.dialect, dialect, "{name}");
        assert_eq!(sample.innodb.redo.checkpoint_source, Figure::Known(source), "{name}");
    }
    // The version's text is not looked at.
    let mut lying = answers("mariadb-10.11/lab-primary");
    for answer in lying.0.values_mut() {
        if let Answer::Rows(rows) = answer {
            for cell in rows.rows.iter_mut().flatten().flatten() {
                if cell.windows(7).any(|part| part == b"MariaDB") && cell.len() < 100 {
                    *cell = b"8.4.0".to_vec();
                }
            }
        }
    }
    let lying = interpret(&lying, Literals::Masked).0.unwrap();
    assert_eq!(lying.identity.version, Figure::Known("8.4.0".into()));
    assert_eq!(lying.capabilities.dialect, Dialect::Mariadb);
}

/// The sample with every whole number in it replaced.
fn with_numbers(sample: &MysqlSample, numbers: &[u64]) -> MysqlSample {
    fn replace(value: &mut Value, numbers: &[u64], at: &mut usize) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| {
                if name == "Known" && field.is_u64() && field.as_u64() > Some(70_000) {
                    *field = numbers[*at % numbers.len()].into();
                    *at += 1;
                } else {
                    replace(field, numbers, at);
                }
            }),
            Value::Array(items) => items.iter_mut().for_each(|item| replace(item, numbers, at)),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(sample).unwrap();
    replace(&mut value, numbers, &mut 0);
    serde_json::from_value(value).unwrap()
}

/// Every fractional figure within the rates.
fn fractions(value: &Value, found: &mut Vec<f64>) {
    match value {
        Value::Number(number) => found.extend(number.as_f64()),
        Value::Object(fields) => fields.values().for_each(|field| fractions(field, found)),
        Value::Array(items) => items.iter().for_each(|item| fractions(item, found)),
        // What JSON cannot say (infinite, not a number) would arrive as null.
        Value::Null => panic!("a rate is no number"),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_rate_is_negative_or_infinite(
        before in proptest::collection::vec(any::<u64>(), 1..9),
        now in proptest::collection::vec(any::<u64>(), 1..9),
        elapsed_ms in prop_oneof![0_u64..20_000, any::<u64>()],
    ) {
        let base = sample(SECOND);
        let first = derive(None, with_numbers(&base, &before), 0);
        let facts = derive(Some(&first), with_numbers(&base, &now), elapsed_ms);
        let mut found = Vec::new();
        fractions(&serde_json::to_value(facts.rates).unwrap(), &mut found);
        prop_assert!(found.iter().all(|rate| rate.is_finite() && *rate >= 0.0), "{found:?}");
        prop_assert!(facts.rates.engine.hit.lifetime_percent.known().is_none_or(|hit| hit <= 100.0));
        prop_assert!(facts.rates.locks.load_percent.known().is_none_or(|share| share <= 100.0));
    }
}

/// Settings are read now and then; who takes writes is read at every poll.
#[test]
fn a_replica_that_was_made_writable_takes_writes_at_once() {
    let facts = derive(None, sample("mysql-9.7/made-writable"), 0);
    assert_eq!(facts.takes_writes(), Figure::Known(true), "{:?}", facts.sample.identity);
    let at_rest = derive(None, sample("mysql-9.7/lab-replica"), 0);
    assert_eq!(at_rest.takes_writes(), Figure::Known(false));
}
