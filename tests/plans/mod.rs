//! Plans and refusals as prose: every `*.txt` beside this file is what an operator would read, at 80 and 120 columns.
//!
//! `UPDATE=1 cargo test` rewrites them; a reviewer reads the difference.

use crate::run::cluster::{Cluster, START};
use std::{fs, path::PathBuf};
use vakt::{
    model::{
        figure::Figure,
        haproxy::AdminState,
        intent::Intent,
        inventory::{Confirm, Inventory, Policy},
        mysql::DaemonState,
        time::{Mono, Now},
        world::World,
    },
    plan::{self, Plan, Planned, ReasonKind, Refusal, text},
    wire::request::Call,
};

mod endpoint;
pub(crate) mod failover;
mod guests;
mod haproxy_settings;
mod lint;
mod nodes;
mod persist;
mod playbook;
mod ports;
mod ramp;
pub(crate) mod rejoin;
mod switchover;
mod tune;
mod vip;

pub(crate) fn intent(line: &str) -> Intent {
    // Quotes make one word.
    let parts = line.split('"').enumerate();
    let words: Vec<&str> = parts
        .flat_map(
            |(at, part)| {
                if at % 2 == 1 { vec![part] } else { part.split(' ').filter(|word| !word.is_empty()).collect() }
            },
        )
        .collect();
    Intent::parse(&words).unwrap()
}

pub(crate) fn planned(cluster: &Cluster, line: &str) -> Result<Planned, Refusal> {
    let (world, inventory) = cluster.world();
    plan::plan(&world, &inventory, &intent(line), &inventory.settings.policy, START)
}

pub(crate) fn plan_of(cluster: &Cluster, line: &str) -> Plan {
    match planned(cluster, line) {
        Ok(Planned::Plan(plan)) => *plan,
        Ok(Planned::AlreadyThere(already)) => panic!("{line}: {}", text::already_there(&already, 120)),
        Err(refusal) => panic!("{line}: {}", text::refusal(&refusal, 120)),
    }
}

fn render(planned: &Result<Planned, Refusal>, width: usize) -> String {
    match planned {
        Ok(Planned::Plan(plan)) => text::plan(plan, width),
        Ok(Planned::AlreadyThere(already)) => text::already_there(already, width),
        Err(refusal) => text::refusal(refusal, width),
    }
}

/// It is refused, for reasons of these sorts, each with its cure, and reads as its file says.
fn refused(name: &str, cluster: &Cluster, line: &str, kinds: &[ReasonKind]) {
    let planned = planned(cluster, line);
    let Err(refusal) = &planned else { panic!("{name}: {}", render(&planned, 120)) };
    let found: Vec<ReasonKind> = refusal.reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!(found, kinds, "{name}: {}", render(&planned, 120));
    assert!(refusal.reasons.iter().all(|reason| !reason.cure.is_empty()), "{name}");
    golden(name, &planned);
}

/// Compares both widths with the file of that name.
fn golden(name: &str, planned: &Result<Planned, Refusal>) {
    let mut page = String::new();
    for width in [80, 120] {
        let text = render(planned, width);
        for line in text.lines() {
            let is_one_long_word = [
                "'set ",
                "'shutdown",
                "'s=; [ -w",
                "'stop slave",
                "'stop replica",
                "'select ",
                "'kill ",
                "'migrate-",
                "'set global ",
                "systemctl",
                "ip route",
                "'set maxconn",
                // A script is one word.
                "'f=/proc/sys/",
                "'if [ ",
                // A line of a file, as it stands.
                "    default-server ",
            ]
            .iter()
            .any(|words| line.contains(words));
            assert!(line.chars().count() <= width || is_one_long_word, "{name}: wider than {width}: {line}");
        }
        page.extend([format!("── {width} columns {}\n", "─".repeat(width - 15)), text]);
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/plans/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == page, "{}\n--- expected\n{expected}\n--- actual\n{page}", path.display());
}

fn drained(cluster: Cluster) -> Cluster {
    cluster.with("web03", |server| (server.told, server.sessions) = (AdminState::Drain, 0))
}

fn in_maintenance(cluster: Cluster) -> Cluster {
    cluster.with("web03", |server| (server.told, server.sessions) = (AdminState::Maint, 0))
}

/// Every plan there is, with the cluster it is made for: read as prose here, run against every fault in `run`.
pub(crate) fn corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    let healthy = Cluster::healthy;
    let mut forgotten = drained(healthy());
    *forgotten.on("lb01").server("web03") = healthy().on("lb01").server("web03").clone();
    let pooled = healthy().with("web03", |server| (server.sessions, server.pooled) = (2, 2));
    let maintained_with_sessions =
        in_maintenance(healthy()).with("web03", |server| (server.sessions, server.pooled) = (2, 2));
    vec![
        ("drain", healthy(), "haproxy.drain web_cluster/web03"),
        ("drain_pooled_keep", pooled.clone(), "haproxy.drain web_cluster/web03 --deadline 5s"),
        ("drain_then_maint", pooled.clone(), "haproxy.drain web_cluster/web03 --deadline 5s --on-deadline maint"),
        ("drain_then_close", pooled, "haproxy.drain web_cluster/web03 --deadline 5s --on-deadline maint+close"),
        (
            "drain_down",
            healthy().with("web03", |server| (server.healthy, server.failed, server.passed) = (false, true, false)),
            "haproxy.drain web_cluster/web03",
        ),
        ("drain_forgotten_by_one", forgotten, "haproxy.drain web_cluster/web03"),
        (
            "drain_tcp",
            healthy().with("db02", |server| (server.told, server.disabled) = (AdminState::Ready, false)),
            "haproxy.drain mysql_rw/db01 --deadline 10s",
        ),
        ("ready_from_drain", drained(healthy()), "haproxy.ready web_cluster/web03 --deadline 10s"),
        ("ready_from_maint", in_maintenance(healthy()), "haproxy.ready web_cluster/web03 --deadline 10s"),
        (
            "ready_dead",
            in_maintenance(healthy()).with("web03", |server| server.healthy = false),
            "haproxy.ready web_cluster/web03 --deadline 3s",
        ),
        (
            "ready_weight_zero",
            drained(healthy()).with("web03", |server| server.weight = 0),
            "haproxy.ready web_cluster/web03 --deadline 10s",
        ),
        (
            "ready_unchecked",
            in_maintenance(healthy()).with("web03", |server| server.checked = false),
            "haproxy.ready web_cluster/web03 --deadline 10s",
        ),
        ("ready_disabled_in_file", healthy(), "haproxy.ready mysql_rw/db02 --deadline 10s"),
        ("maint", healthy(), "haproxy.maint web_cluster/web03"),
        ("maint_from_drain", drained(healthy()), "haproxy.maint web_cluster/web03"),
        ("weight", healthy(), "haproxy.weight web_cluster/web03 --weight 50"),
        ("weight_zero", healthy(), "haproxy.weight web_cluster/web03 --weight 0"),
        ("kill_sessions", maintained_with_sessions, "haproxy.kill-sessions web_cluster/web03"),
        ("kill_session", Cluster::with_databases(), "mysql.kill db01/42 --reason queue"),
        ("kill_statement", Cluster::with_databases(), "mysql.kill db01/101 --only statement"),
        ("maint_held", healthy(), "haproxy.maint web_cluster/web03 --revert-after 10s"),
        ("weight_held", healthy(), "haproxy.weight web_cluster/web03 --weight 50 --revert-after 10s --reason try"),
    ]
    .into_iter()
    .chain(databases_corpus())
    .chain(endpoint::corpus())
    .chain(guests::corpus())
    .chain(nodes::corpus())
    .chain(haproxy_settings::corpus())
    .collect()
}

fn databases_corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    vec![
        ("tune_held", Cluster::with_databases(), "tune.set db01 max_connections 300 --revert-after 10s"),
        ("tune", Cluster::with_databases(), "tune.set db01 max_connections 300"),
        ("tune_role", Cluster::with_databases(), "tune.set database innodb_io_capacity 400 --reason spike"),
        ("tune_persist", Cluster::with_databases(), "tune.set db01 max_connections 300 --persist"),
        ("tune_persist_new", Cluster::with_databases(), "tune.set db01 innodb_io_capacity 400 --persist"),
        ("tune_persist_alone", Cluster::with_databases(), "tune.set db02 innodb_flush_method fsync --persist"),
        ("tune_put_back", persist::persisted(), "tune.set db01 max_connections 200 --put-back"),
        ("tune_put_back_new", persist::persisted(), "tune.set db01 innodb_io_capacity 200 --put-back"),
        ("tune_kernel", Cluster::with_databases(), "tune.set db01 vm.swappiness 10"),
        ("tune_kernel_persist", Cluster::with_databases(), "tune.set database vm.swappiness 10 --persist"),
        ("tune_kernel_put_back", persist::kernel_persisted(), "tune.set database vm.swappiness 60 --put-back"),
        ("tune_relaxed", Cluster::with_databases(), "tune.set db01 innodb_flush_log_at_trx_commit 2"),
        ("switchover", Cluster::with_databases(), "mysql.switchover --to db02"),
        ("switchover_mysql", Cluster::with_databases().speaking_mysql(), "mysql.switchover --to db02"),
        (
            "switchover_idle",
            Cluster::with_databases().with("db01", |server| server.sessions = 0),
            "mysql.switchover --to db03",
        ),
        ("failover", Cluster::with_lost_primary(DaemonState::Dead), "mysql.failover"),
        ("failover_mysql", Cluster::with_lost_primary(DaemonState::Dead).speaking_mysql(), "mysql.failover"),
        ("failover_frozen", Cluster::with_lost_primary(DaemonState::Frozen), "mysql.failover --to db03"),
        ("failover_dark", failover::dark(|_| ()), "mysql.failover"),
        ("failover_dark_mysql", failover::dark(|_| ()).speaking_mysql(), "mysql.failover"),
        ("failover_behind", failover::behind(), "mysql.failover --to db02"),
        ("rejoin", rejoin::fenced(), "mysql.rejoin db01"),
        ("rejoin_cut_off", rejoin::cut_off(rejoin::fenced()), "mysql.rejoin db01"),
        ("rejoin_running", rejoin::running(), "mysql.rejoin db01"),
        ("rejoin_mysql", rejoin::fenced().speaking_mysql(), "mysql.rejoin db01"),
    ]
}

#[test]
fn every_plan_reads_as_it_should() {
    for (name, cluster, line) in corpus() {
        let planned = planned(&cluster, line);
        // `ready` of an unchecked server in maintenance is a plan too: nobody checks it.
        assert!(matches!(planned, Ok(Planned::Plan(_))), "{name}: {}", render(&planned, 120));
        golden(name, &planned);
    }
}

#[test]
fn every_refusal_reads_as_it_should() {
    let healthy = Cluster::healthy;
    let mut disagree = in_maintenance(healthy());
    disagree.on("lb02").server("web03").told = AdminState::Drain;
    let mut elsewhere = healthy();
    elsewhere.on("lb02").server("web03").address = "10.10.0.99:80".into();
    let mut lacking = healthy();
    lacking.on("lb02").servers.retain(|server| server.name != "web03");
    let mut silent = healthy();
    silent.on("lb02").reachable = false;
    let down = |name: &'static str| {
        move |cluster: Cluster| {
            cluster.with(name, |server| (server.healthy, server.failed, server.passed) = (false, true, false))
        }
    };
    let cases: Vec<(&str, Cluster, &str, &[ReasonKind])> = vec![
        ("refused_last_server", healthy(), "haproxy.drain mysql_rw/db01", &[ReasonKind::LastServer]),
        ("refused_last_server_maint", healthy(), "haproxy.maint mysql_rw/db01", &[ReasonKind::LastServer]),
        ("refused_last_server_weight", healthy(), "haproxy.weight mysql_rw/db01 --weight 0", &[ReasonKind::LastServer]),
        ("refused_capacity", down("web02")(healthy()), "haproxy.drain web_cluster/web03", &[ReasonKind::CapacityFloor]),
        ("refused_disagreement", disagree, "haproxy.ready web_cluster/web03", &[ReasonKind::Disagreement]),
        ("refused_two_addresses", elsewhere, "haproxy.drain web_cluster/web03", &[ReasonKind::Disagreement]),
        ("refused_lacking", lacking, "haproxy.drain web_cluster/web03", &[ReasonKind::UnknownTarget]),
        ("refused_no_backend", healthy(), "haproxy.drain web/web03", &[ReasonKind::UnknownTarget]),
        ("refused_never_read", silent, "haproxy.drain web_cluster/web03", &[ReasonKind::StaleFacts]),
        ("refused_in_traffic", healthy(), "haproxy.kill-sessions web_cluster/web03", &[ReasonKind::InTraffic]),
        ("refused_kill_replica", Cluster::with_databases(), "mysql.kill db01/5", &[ReasonKind::NotFit]),
        ("refused_kill_idle", Cluster::with_databases(), "mysql.kill db01/42 --only statement", &[ReasonKind::NotFit]),
        (
            "refused_kill_killed",
            {
                let mut cluster = Cluster::with_databases();
                cluster.database("db01").sessions[3].command = Figure::Known("Killed".into());
                cluster
            },
            "mysql.kill db01/42",
            &[ReasonKind::Busy],
        ),
        ("refused_kill_elsewhere", Cluster::with_databases(), "mysql.kill lb01/42", &[ReasonKind::UnknownTarget]),
        (
            "refused_inherited",
            healthy().with("web03", |server| server.told = AdminState::MaintInherited),
            "haproxy.ready web_cluster/web03",
            &[ReasonKind::Inherited],
        ),
    ];
    for (name, cluster, line, kinds) in cases {
        let planned = planned(&cluster, line);
        golden(name, &planned);
        let found: Vec<ReasonKind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

fn plan_with(
    world: &World,
    inventory: &Inventory,
    policy: &Policy,
    intent: &Intent,
    now: Now,
) -> Result<Planned, Refusal> {
    plan::plan(world, inventory, intent, policy, now)
}

#[test]
fn a_name_that_haproxy_would_split_is_refused() {
    let (world, inventory) = Cluster::healthy().world();
    let policy = &inventory.settings.policy;
    let intent = Intent::parse(&["haproxy.drain", "web_cluster/a;disable server x"]).unwrap();
    let refusal = plan_with(&world, &inventory, policy, &intent, START);
    golden("refused_unsafe_name", &refusal);
    for name in ["web_cluster/a\nb", "web cluster/web03", "web_cluster/wéb", "web_cluster/a/b", "web_cluster/$(id)"] {
        let intent = Intent::parse(&["haproxy.drain", name]).unwrap();
        let refusal = plan_with(&world, &inventory, policy, &intent, START).unwrap_err();
        assert_eq!(refusal.reasons[0].kind, ReasonKind::UnsafeName, "{name:?}");
    }
}

#[test]
fn every_reason_is_told_at_once() {
    let mut cluster = Cluster::healthy();
    cluster.on("lb02").reachable = false;
    let (world, inventory) = cluster.world();
    let policy = Policy { read_only: true, ..inventory.settings.policy.clone() };
    let intent = intent("haproxy.drain mysql_rw/db01");
    let refusal = plan_with(&world, &inventory, &policy, &intent, START);
    golden("refused_for_many_reasons", &refusal);
    let kinds: Vec<ReasonKind> = refusal.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!(kinds, [ReasonKind::ReadOnly, ReasonKind::StaleFacts, ReasonKind::LastServer]);
}

#[test]
fn old_facts_are_refused_by_their_age_and_failing_ones_by_their_reason() {
    let (mut world, inventory) = Cluster::healthy().world();
    let policy = &inventory.settings.policy;
    let later = Now { mono: Mono(START.mono.0 + 10_000), wall: START.wall };
    let intent = intent("haproxy.drain web_cluster/web03");
    world.nodes[1].haproxy.fail("connection refused".into(), START);
    golden("refused_stale", &plan_with(&world, &inventory, policy, &intent, later));
}

#[test]
fn what_is_already_so_says_so() {
    for (name, cluster, line) in [
        ("already_drained", drained(Cluster::healthy()), "haproxy.drain web_cluster/web03"),
        ("already_ready", Cluster::healthy(), "haproxy.ready web_cluster/web03"),
        ("already_maint", in_maintenance(Cluster::healthy()), "haproxy.maint web_cluster/web03"),
        ("already_weight", Cluster::healthy(), "haproxy.weight web_cluster/web03 --weight 100"),
        ("already_gone", Cluster::with_databases(), "mysql.kill db01/4711"),
        ("already_empty", drained(Cluster::healthy()), "haproxy.kill-sessions web_cluster/web03"),
    ] {
        let planned = planned(&cluster, line);
        assert!(matches!(planned, Ok(Planned::AlreadyThere(_))), "{name}");
        golden(name, &planned);
    }
}

#[test]
fn a_plan_is_the_same_for_the_same_world_and_another_for_another() {
    let plan = |cluster: &Cluster| plan_of(cluster, "haproxy.drain web_cluster/web03");
    assert_eq!(plan(&Cluster::healthy()), plan(&Cluster::healthy()));
    assert!(plan(&Cluster::healthy()).is_intact());
    let other = Cluster::healthy().with("web03", |server| server.sessions = 9);
    assert_ne!(plan(&Cluster::healthy()).id, plan(&other).id);
}

#[test]
fn a_plan_reads_back_from_its_text() {
    for (name, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        let text = serde_json::to_string(&plan).unwrap();
        let back: Plan = serde_json::from_str(&text).unwrap();
        assert!(back == plan && back.is_intact(), "{name}");
    }
}

#[test]
fn a_careful_configuration_asks_for_a_name_at_least() {
    let (world, inventory) = Cluster::healthy().world();
    let policy = Policy { confirm: Confirm::AlwaysTyped, ..inventory.settings.policy.clone() };
    let intent = intent("haproxy.weight web_cluster/web03 --weight 50");
    let Ok(Planned::Plan(plan)) = plan_with(&world, &inventory, &policy, &intent, START) else { panic!() };
    assert_eq!(
        text::prompt(&plan).as_str(),
        "Type web03 to start: the configuration asks for a name before every change."
    );
}

#[test]
fn a_lower_floor_lets_the_second_of_three_go() {
    let cluster = Cluster::healthy()
        .with("web02", |server| (server.healthy, server.failed, server.passed) = (false, true, false));
    let (world, inventory) = cluster.world();
    let policy = Policy { capacity_floor_percent: 30, ..inventory.settings.policy.clone() };
    let planned = plan_with(&world, &inventory, &policy, &intent("haproxy.drain web_cluster/web03"), START);
    golden("drain_to_one", &planned);
}

#[test]
fn invariant_6_every_request_of_a_plan_is_in_its_text_byte_for_byte() {
    for (name, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        for width in [40, 80, 120] {
            // Continued lines are joined as a shell joins them.
            let text = text::plan(&plan, width).replace(" \\\n", " ");
            let joined: String =
                text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
            let writes = plan.body.steps.iter().filter_map(|step| step.write()).map(|write| &write.request);
            // The scripts and statements of probes only look, are long, and are named instead.
            let reads = plan.body.sources.iter().flat_map(|source| &source.requests);
            let reads = reads.filter(|request| {
                !matches!(request.call, Call::Shell { .. } | Call::ShellWithin { .. } | Call::Sql { .. })
            });
            for request in writes.chain(reads) {
                assert!(joined.contains(&request.to_string()), "{name} at {width}: {request}");
            }
        }
    }
}

#[test]
fn every_action_has_a_runbook() {
    for action in vakt::model::intent::ACTIONS {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("assets/runbooks/{action}.md"));
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(text.starts_with(&format!("# {action}: ")), "{}", path.display());
    }
}
