//! Plans and refusals of a switchover.

use super::{golden, plan_of, planned, refused};
use crate::run::cluster::Cluster;
use vakt::{
    model::{
        figure::{Figure, Unknown},
        haproxy::AdminState,
        mysql::{AccountSessions, Dialect, SwitchoverWork},
    },
    plan::{Planned, ReasonKind, parts::Action},
    wire::request::{Call, SECRET, SqlSession},
};

const SWITCH: &str = "mysql.switchover --to db02";

type Change = fn(&mut Cluster);

fn work(cluster: &mut Cluster, name: &str) -> &'static mut SwitchoverWork {
    // A figure of the simulation that is always known.
    match &mut cluster.database(name).base.work {
        Figure::Known(work) => Box::leak(Box::new(work.clone())),
        Figure::Unknown(why) => panic!("{why}"),
    }
}

fn with_work(cluster: &mut Cluster, name: &str, change: fn(&mut SwitchoverWork)) {
    let mut changed = work(cluster, name).clone();
    change(&mut changed);
    cluster.database(name).base.work = Figure::Known(changed);
}

/// Each with what it must be refused for.
fn refusals() -> Vec<(&'static str, Change, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        ("refused_switchover_unknown", |_| (), "mysql.switchover --to web03", &[Kind::UnknownTarget]),
        ("refused_switchover_lag", |cluster| cluster.database("db02").lag_ms = 42_000, SWITCH, &[Kind::NotFit]),
        ("refused_switchover_stopped", |cluster| cluster.database("db02").applies = false, SWITCH, &[Kind::NotFit]),
        (
            "refused_switchover_sibling_stopped",
            |cluster| cluster.database("db03").receives = false,
            SWITCH,
            &[Kind::NotFit],
        ),
        (
            "refused_switchover_errant",
            |cluster| _ = cluster.database("db02").state.insert(32, 208),
            SWITCH,
            &[Kind::NotFit],
        ),
        (
            "refused_switchover_no_acknowledger",
            |cluster| {
                cluster.database("db03").base.settings.semi_sync_replica = Figure::Known(false);
                with_work(cluster, "db01", |work| work.semi_sync_active = Some(false));
            },
            SWITCH,
            &[Kind::NotFit, Kind::NotFit],
        ),
        (
            "refused_switchover_settings",
            |cluster| {
                let settings = &mut cluster.database("db02").base.settings;
                settings.binary_log = Figure::Known(false);
                settings.logs_applied = Figure::Known(false);
                settings.filters = Figure::Known("replicate_do_db=shop".into());
                settings.version = Figure::Known("10.6.16-MariaDB".into());
            },
            SWITCH,
            &[Kind::NotFit, Kind::NotFit, Kind::NotFit, Kind::NotFit],
        ),
        (
            "refused_switchover_busy",
            |cluster| {
                with_work(cluster, "db01", |work| {
                    (work.transaction_s, work.metadata_waits, work.definition_changes, work.events) = (90, 3, 1, 2);
                });
            },
            SWITCH,
            &[Kind::Busy],
        ),
        (
            "refused_switchover_passer",
            |cluster| {
                let user = "admin".into();
                let passer = AccountSessions { user, sessions: 1, is_own: false, passes_read_only: true };
                cluster.database("db01").base.accounts = Figure::Known(vec![passer]);
            },
            SWITCH,
            &[Kind::Busy],
        ),
        (
            "refused_switchover_automation",
            |cluster| {
                with_work(cluster, "db01", |work| work.automation = vec!["MaxScale's monitor holds its lock".into()]);
            },
            SWITCH,
            &[Kind::Automation],
        ),
    ]
}

/// The same, for what is about more than one server.
fn refusals_of_many() -> Vec<(&'static str, Change, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        ("refused_switchover_two", |cluster| cluster.database("db03").read_only = false, SWITCH, &[Kind::SplitBrain]),
        ("refused_switchover_none", |cluster| cluster.database("db01").read_only = true, SWITCH, &[Kind::SplitBrain]),
        ("refused_switchover_never_read", |cluster| cluster.vanish("db03"), SWITCH, &[Kind::StaleFacts]),
        (
            "refused_switchover_unreadable",
            |cluster| {
                let unknown = || Figure::Unknown(Unknown::NotPermitted);
                let base = &mut cluster.database("db01").base;
                (base.accounts, base.work) =
                    (Figure::Unknown(Unknown::NotPermitted), Figure::Unknown(Unknown::NotPermitted));
                cluster.database("db02").base.replicators = unknown_replicators();
                cluster.database("db02").base.settings.binary_log = unknown();
            },
            SWITCH,
            &[Kind::UnknownFact, Kind::UnknownFact, Kind::UnknownFact, Kind::UnknownFact, Kind::UnknownFact],
        ),
        (
            "refused_switchover_mixed",
            |cluster| {
                let base = &mut cluster.database("db03").base;
                base.dialect = Figure::Known(Dialect::Mysql);
                base.settings.version = Figure::Known("9.7.0".into());
                base.settings.gtid_mode = Figure::Known("OFF".into());
            },
            SWITCH,
            &[Kind::UnknownFact, Kind::NoWay, Kind::NoWay],
        ),
        (
            "refused_switchover_galera",
            |cluster| cluster.database("db01").base.settings.galera = Figure::Known(true),
            SWITCH,
            &[Kind::NoWay],
        ),
        (
            "refused_switchover_no_endpoint",
            |cluster| {
                for balancer in &mut cluster.balancers {
                    balancer.servers.retain(|server| server.backend != "mysql_rw");
                }
            },
            SWITCH,
            &[Kind::NoLoadBalancer],
        ),
        (
            "refused_switchover_drained",
            |cluster| cluster.on("lb02").server("db02").told = AdminState::MaintInherited,
            SWITCH,
            &[Kind::Inherited],
        ),
        (
            "refused_switchover_no_server",
            |cluster| cluster.on("lb01").servers.retain(|server| server.name != "db02"),
            SWITCH,
            &[Kind::LessService],
        ),
        (
            "refused_switchover_not_admitted",
            |cluster| cluster.database("db02").base.replicators = Figure::Known(Vec::new()),
            SWITCH,
            &[Kind::NoWay],
        ),
        ("refused_switchover_held", |cluster| cluster.database("db01").lease = true, SWITCH, &[Kind::Locked]),
    ]
}

/// What only MySQL says, and what it says in other words.
fn refusals_of_mysql() -> Vec<(&'static str, Change, &'static str, &'static [ReasonKind])> {
    use ReasonKind as Kind;
    vec![
        (
            "refused_switchover_mysql_group",
            |cluster| cluster.database("db01").base.settings.group_replication = Figure::Known(true),
            SWITCH,
            &[Kind::NoWay],
        ),
        (
            "refused_switchover_mysql_purged",
            |cluster| {
                cluster.database("db03").state.insert(31, 190);
                let purged = crate::run::mysql::set(&[(31, 200)].into());
                cluster.database("db02").base.state.purged = Figure::Known(purged);
            },
            SWITCH,
            &[Kind::NotFit],
        ),
        (
            "refused_switchover_mysql_errant",
            |cluster| _ = cluster.database("db02").state.insert(32, 2),
            SWITCH,
            &[Kind::NotFit],
        ),
        (
            "refused_switchover_mysql_no_plugin",
            |cluster| {
                let settings = &mut cluster.database("db02").base.settings;
                settings.semi_sync_word = Figure::Unknown(Unknown::NotOffered);
            },
            SWITCH,
            &[Kind::NotFit],
        ),
        (
            "refused_switchover_mysql_settings",
            |cluster| {
                cluster.database("db03").receives = false;
                cluster.database("db02").base.settings.logs_applied = Figure::Known(false);
            },
            SWITCH,
            &[Kind::NotFit, Kind::NotFit],
        ),
    ]
}

fn unknown_replicators() -> Figure<Vec<vakt::model::mysql::Replicator>> {
    Figure::Unknown(Unknown::NotPermitted)
}

#[test]
fn every_refusal_of_a_switchover_reads_as_it_should_and_names_its_cure() {
    let of_mariadb = refusals().into_iter().chain(refusals_of_many()).map(|case| (Cluster::with_databases(), case));
    let of_mysql = refusals_of_mysql().into_iter().map(|case| (Cluster::with_databases().speaking_mysql(), case));
    for (mut cluster, (name, change, line, kinds)) in of_mariadb.chain(of_mysql) {
        change(&mut cluster);
        refused(name, &cluster, line, kinds);
    }
}

#[test]
fn a_jurisdiction_that_may_not_have_the_data_is_refused() {
    let cluster = Cluster::with_databases();
    let (world, mut inventory) = cluster.world();
    let role = vakt::model::inventory::Role::Database;
    inventory.settings.residency = vec![vakt::model::inventory::Residency { role, jurisdictions: vec!["NO".into()] }];
    let intent = super::intent("mysql.switchover --to db03");
    let policy = inventory.settings.policy.clone();
    let planned = vakt::plan::plan(&world, &inventory, &intent, &policy, crate::run::cluster::START);
    let Err(refusal) = &planned else { panic!("{}", super::render(&planned, 120)) };
    assert!(refusal.reasons.iter().any(|reason| reason.what.as_str().contains("in SE, where databases may not be")));
    golden("refused_switchover_jurisdiction", &planned);
}

#[test]
fn without_a_login_to_replicate_there_is_no_way_back_for_the_former_primary() {
    let cluster = Cluster::with_databases();
    let (world, mut inventory) = cluster.world();
    for node in &mut inventory.nodes {
        if let Some(database) = &mut node.database {
            database.replication.user = None;
        }
    }
    let policy = inventory.settings.policy.clone();
    let planned = vakt::plan::plan(&world, &inventory, &super::intent(SWITCH), &policy, crate::run::cluster::START);
    golden("refused_switchover_no_login", &planned);
}

#[test]
fn the_primary_is_there_already() {
    let planned = planned(&Cluster::with_databases(), "mysql.switchover --to db01");
    assert!(matches!(planned, Ok(Planned::AlreadyThere(_))), "{}", super::render(&planned, 120));
    golden("already_primary", &planned);
}

/// The order of things, by which nothing is lost: learned from what went wrong otherwise.
#[test]
fn the_applier_stops_before_the_new_primary_takes_writes_and_the_old_one_is_out_before_it_is_in() {
    let plan = plan_of(&Cluster::with_databases(), SWITCH);
    let sent: Vec<String> = plan.body.steps.iter().filter_map(|step| Some(step.write()?.request.to_string())).collect();
    let place =
        |words: &str| sent.iter().position(|text| text.contains(words)).unwrap_or_else(|| panic!("{words}: {sent:?}"));
    let promote = place("set global read_only = 0");
    assert!(sent[promote].find("stop slave sql_thread") < sent[promote].find("set global read_only = 0"));
    assert!(place("flush tables with read lock") < place("set global read_only = 1"));
    assert!(place("set global read_only = 1") < promote);
    assert!(place("mysql_rw/db01 state maint") < promote && promote < place("mysql_rw/db02 state ready"));
    assert!(place("10.10.0.32'\\'', master_port=3306, master_use_gtid") < place("flush tables with read lock"));
    assert!(promote < place("reset slave all"));
    assert_eq!(
        plan.body.point_of_no_return.map(|at| plan.body.steps[at].title.to_string()),
        Some("db02: takes writes".into())
    );
    // From the fence on everything leaves in one breath, until clients are free to come back.
    let at_once = |from: usize| plan.body.steps[from..].iter().filter(|step| step.at_once).count();
    let fence = plan.body.steps.iter().position(|step| step.title.as_str().contains("read-only from now on")).unwrap();
    assert_eq!(at_once(fence), 7);
    // A replica acknowledges only where its source waited when it connected.
    let waits = place("set global rpl_semi_sync_master_enabled = 1");
    assert!(waits < fence && sent[waits + 1].contains("start slave"), "{sent:?}");
    let starts = plan.body.steps[..fence].iter().find(|step| step.title.as_str() == "db03: starts again").unwrap();
    assert!(starts.at_once && at_once(0) == 8);
}

#[test]
fn a_standstill_is_held_by_a_session_that_dies_with_vakt_and_no_password_is_in_a_plan() {
    let plan = plan_of(&Cluster::with_databases(), SWITCH);
    let mut sessions = Vec::new();
    for step in &plan.body.steps {
        let Action::Write(write) = &step.action else { continue };
        let Call::SqlWrite { session, statements, secret, .. } = &write.request.call else { continue };
        let has_secret = statements.iter().any(|statement| statement.sql.contains(SECRET));
        assert_eq!(secret.is_some(), has_secret, "{}", step.title);
        if statements.iter().any(|statement| statement.sql == "flush tables with read lock") {
            assert_eq!(*session, SqlSession::Opens);
            assert_eq!(statements[0].sql, "set session wait_timeout = 3");
        }
        sessions.push(*session);
    }
    assert!(sessions.contains(&SqlSession::Within) && sessions.contains(&SqlSession::Ends));
}

/// The same order in MySQL's words; nothing of MariaDB's is left in it.
#[test]
fn mysql_is_switched_over_in_its_own_words() {
    let planned = planned(&Cluster::with_databases().speaking_mysql(), SWITCH);
    let Ok(Planned::Plan(plan)) = &planned else { panic!("{}", super::render(&planned, 120)) };
    let writes = plan.body.steps.iter().filter_map(|step| step.write());
    let sent: Vec<String> = writes.map(|write| write.request.to_string()).collect();
    let place =
        |words: &str| sent.iter().position(|text| text.contains(words)).unwrap_or_else(|| panic!("{words}: {sent:?}"));
    let fence = place("set global super_read_only = 1");
    let promote = place("set global read_only = 0");
    assert!(place("flush tables with read lock") < fence && fence < promote);
    assert!(sent[promote].find("stop replica sql_thread") < sent[promote].find("set global read_only = 0"));
    let end = place("kill connection {each}");
    assert!(promote < end && sent[end].contains("shop"), "{sent:?}");
    for word in ["slave ", "master_", "_slave", "_master", "gtid_slave_pos"] {
        assert!(!sent.iter().any(|text| text.contains(word)), "{word}: {sent:?}");
    }
}
