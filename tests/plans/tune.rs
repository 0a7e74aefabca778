//! `tune.set`: what is refused, what is so already, and what a plan asks for.

use super::{golden, intent, plan_of, planned};
use crate::run::{
    cluster::{Cluster, START},
    harness::{Harness, Script},
};
use vakt::{
    model::{figure::Figure, tuning::TuningSample},
    plan::{self, Planned, ReasonKind, parts::ConfirmBy},
    run::EndingKind,
};

fn cluster() -> Cluster {
    Cluster::with_databases()
}

#[test]
fn every_refusal_names_what_speaks_against_it() {
    use ReasonKind as Kind;
    let mut unread = cluster();
    unread.database("db01").tuning = TuningSample::default();
    let mut silent = cluster();
    silent.database("db01").reachable = false;
    let cases: Vec<(&str, Cluster, &str, &[Kind])> = vec![
        ("refused_tune_setting", cluster(), "tune.set db01 wait_timeout 10", &[Kind::UnknownTarget]),
        ("refused_tune_target", cluster(), "tune.set db09 max_connections 300", &[Kind::UnknownTarget]),
        ("refused_tune_no_database", cluster(), "tune.set edge max_connections 300", &[Kind::UnknownTarget]),
        ("refused_tune_kernel", cluster(), "tune.set db01 vm.swappiness 0", &[Kind::NotFit]),
        ("refused_tune_kernel_role", cluster(), "tune.set db01 net.ipv4.tcp_tw_reuse 1", &[Kind::UnknownTarget]),
        ("refused_tune_kernel_word", cluster(), "tune.set db01 vm.swappiness@x low", &[Kind::NotFit]),
        ("refused_tune_restart", cluster(), "tune.set db01 innodb_flush_method FSYNC", &[Kind::NoWay]),
        ("refused_tune_range", cluster(), "tune.set db01 max_connections 200000", &[Kind::NotFit]),
        ("refused_tune_value", cluster(), "tune.set db01 max_connections many", &[Kind::NotFit]),
        ("refused_tune_block", cluster(), "tune.set db01 innodb_log_file_size 33554433", &[Kind::NotFit]),
        ("refused_tune_word", cluster(), "tune.set db01 slave_parallel_mode eager", &[Kind::NotFit]),
        ("refused_tune_clients", cluster(), "tune.set db01 max_connections 14", &[Kind::Busy]),
        ("refused_tune_crossing", cluster(), "tune.set database innodb_io_capacity 9000", &[Kind::NotFit; 3]),
        ("refused_tune_applier", cluster(), "tune.set db02 slave_parallel_threads 4", &[Kind::Busy]),
        ("refused_tune_memory", cluster(), "tune.set db01 innodb_buffer_pool_size 64G", &[Kind::UnknownFact]),
        ("refused_tune_unread", unread, "tune.set db01 max_connections 300", &[Kind::UnknownFact]),
        ("refused_tune_silent", silent, "tune.set database max_connections 300", &[Kind::StaleFacts]),
    ];
    for (name, cluster, line, kinds) in cases {
        let planned = planned(&cluster, line);
        golden(name, &planned);
        let found: Vec<Kind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn what_a_server_does_not_say_is_no_range() {
    let mut cluster = cluster();
    let Figure::Known(variables) = &mut cluster.database("db01").tuning.variables else { panic!("no variables") };
    for variable in variables {
        variable.maximum = None;
    }
    let refusal = planned(&cluster, "tune.set db01 max_connections 300").unwrap_err();
    assert_eq!(refusal.reasons[0].kind, ReasonKind::UnknownFact);
}

#[test]
fn a_value_that_runs_already_is_left_alone() {
    let line = "tune.set database innodb_buffer_pool_size 64M";
    let already = planned(&cluster(), line);
    assert!(matches!(already, Ok(Planned::AlreadyThere(_))));
    golden("already_tuned", &already);
    let mut one_differs = cluster();
    *one_differs.database("db03").variable("max_connections") = "150".into();
    let plan = plan_of(&one_differs, "tune.set database max_connections 200");
    golden("tune_the_odd_one", &planned(&one_differs, "tune.set database max_connections 200"));
    assert_eq!(plan.body.steps.len(), 2, "only db03 is written to");
}

#[test]
fn durability_asks_for_the_clusters_name_and_coming_back_to_it_does_not() {
    let by = |cluster: &Cluster, line: &str| plan_of(cluster, line).body.confirmation.by;
    let relaxed = ConfirmBy::Cluster("oslo-prod".into());
    assert_eq!(by(&cluster(), "tune.set db02 sync_binlog 0"), relaxed);
    assert_eq!(by(&cluster(), "tune.set db01 rpl_semi_sync_master_enabled OFF"), relaxed);
    assert_eq!(by(&cluster(), "tune.set database max_connections 300"), ConfirmBy::Target("database".into()));
    assert_eq!(by(&cluster(), "tune.set db01 max_connections 300"), ConfirmBy::Enter);
    assert_eq!(by(&cluster(), "tune.set db01 innodb_flush_log_at_trx_commit 3"), ConfirmBy::Enter);
    let mut fast = cluster();
    *fast.database("db01").variable("sync_binlog") = "1000".into();
    assert_eq!(by(&fast, "tune.set db01 sync_binlog 1"), ConfirmBy::Enter);
}

#[test]
fn settings_that_are_too_old_are_read_again_first() {
    let (mut world, inventory) = cluster().world();
    let policy = &inventory.settings.policy;
    let intent = intent("tune.set db01 max_connections 300");
    let mut later = START;
    later.mono.0 += 200_000;
    for node in &mut world.nodes {
        if let Some(facts) = node.mysql.last().cloned() {
            node.mysql.take(facts, later);
        }
    }
    assert!(plan::plan(&world, &inventory, &intent, policy, later).is_ok(), "they are asked every two minutes");
    later.mono.0 += 200_000;
    let refusal = plan::plan(&world, &inventory, &intent, policy, later).unwrap_err();
    assert_eq!(refusal.reasons[0].kind, ReasonKind::StaleFacts);
}

/// Somebody else sets another value at any moment of the run: theirs stays, whatever the run was about to do or undo.
#[test]
fn what_somebody_else_set_meanwhile_is_never_overwritten() {
    const LOOKS_OVER: usize = 3;
    let plan = plan_of(&cluster(), "tune.set db01 max_connections 300");
    let mut undisturbed = Harness::new(cluster(), plan.clone(), Script::default());
    assert_eq!(undisturbed.run().unwrap_or_else(|_| panic!("nobody kills it")).kind, EndingKind::Reached);
    let whole = undisturbed.events;
    let mut moments = 0;
    for moment in 1.. {
        let meddle = |cluster: &mut Cluster| *cluster.database("db01").variable("max_connections") = "500".into();
        let script = Script { meanwhile: Some((moment, meddle)), ..Script::default() };
        let mut harness = Harness::new(cluster(), plan.clone(), script);
        let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
        if harness.events < moment {
            break;
        }
        moments = moment;
        let value = harness.cluster.database("db01").variable("max_connections").clone();
        assert_eq!(value.as_str(), "500", "after {moment} events: {ending:?}");
        // Behind the last look of the proof nothing can see it any more.
        assert!(ending.kind != EndingKind::Reached || moment + LOOKS_OVER >= whole, "after {moment}: {ending:?}");
    }
    assert!(moments > 4, "only {moments} moments");
}
