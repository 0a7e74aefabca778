//! `tune.set` of HAProxy: limits while it runs, its file, and what a reload would forget.

use super::{golden, plan_of, planned};
use crate::run::{
    balancer_limits::CONFIG,
    cluster::Cluster,
    harness::{Harness, Script},
};
use vakt::{
    model::haproxy::AdminState,
    plan::{Planned, ReasonKind, parts::ConfirmBy},
    run::{Ending, EndingKind},
    wire::request::Call,
};

const WEB: &str = "tune.set edge haproxy.server.maxconn@web_cluster/web01 150";

fn cluster() -> Cluster {
    let mut cluster = Cluster::healthy();
    for balancer in &mut cluster.balancers {
        (balancer.limits.frontend("http_front").2, balancer.limits.frontend("mysql_front").2) = (45, 7);
    }
    cluster
}

/// db02 is the primary since a switchover, and the file does not know.
fn switched_over() -> Cluster {
    cluster()
        .with("db01", |server| server.told = AdminState::Maint)
        .with("db02", |server| server.told = AdminState::Ready)
}

fn run(cluster: Cluster, line: &str) -> (Cluster, Ending) {
    let plan = plan_of(&cluster, line);
    let mut harness = Harness::new(cluster, plan, Script::default());
    let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    (harness.cluster, ending)
}

fn done(cluster: Cluster, line: &str) -> Cluster {
    let (cluster, ending) = run(cluster, line);
    assert_eq!(ending.kind, EndingKind::Reached, "{line}: {ending:?}");
    cluster
}

fn file(cluster: &mut Cluster, balancer: &str) -> String {
    String::from_utf8(cluster.on(balancer).limits.files.read(CONFIG).unwrap().to_vec()).unwrap()
}

/// The files of both, all of them.
fn files(cluster: &mut Cluster) -> Vec<(String, Vec<u8>)> {
    let all = cluster.balancers.iter().flat_map(|one| one.limits.files.all());
    all.map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect()
}

fn with_file(change: impl Fn(&str) -> String) -> Cluster {
    let mut cluster = cluster();
    for balancer in &mut cluster.balancers {
        let text = String::from_utf8(balancer.limits.files.read(CONFIG).unwrap().to_vec()).unwrap();
        balancer.limits.files.write(CONFIG, change(&text).as_bytes());
    }
    cluster
}

/// Nobody asks the servers for a page.
fn unasked() -> Cluster {
    with_file(|text| text.replace("    option httpchk GET /health\n", "\n"))
}

pub(super) fn corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    let timed = done(cluster(), "tune.set edge haproxy.timeout.queue@web_cluster 5s --persist");
    let limited = done(cluster(), "tune.set edge haproxy.server.maxconn@web_cluster 150 --persist");
    vec![
        ("limit_server", cluster(), WEB),
        ("limit_backend", cluster(), "tune.set lb01 haproxy.server.maxconn@web_cluster 150"),
        ("limit_frontend", cluster(), "tune.set edge haproxy.frontend.maxconn@http_front 1500"),
        ("limit_frontend_lower", cluster(), "tune.set edge haproxy.frontend.maxconn@http_front 800"),
        ("limit_whole", cluster(), "tune.set lb01 haproxy.maxconn 1500 --reason memory"),
        ("limit_rate", cluster(), "tune.set edge haproxy.connection_rate 200"),
        ("limit_rate_held", cluster(), "tune.set edge haproxy.session_rate 200 --revert-after 10s"),
        ("limit_persist", cluster(), "tune.set edge haproxy.server.maxconn@web_cluster 150 --persist"),
        ("limit_persist_own", cluster(), "tune.set lb01 haproxy.server.maxconn@web_cluster/web01 150 --persist"),
        ("limit_put_back", limited, "tune.set edge haproxy.server.maxconn@web_cluster 100 --put-back"),
        ("timeout_persist", cluster(), "tune.set edge haproxy.timeout.queue@web_cluster 5s --persist"),
        ("timeout_carried", switched_over(), "tune.set lb01 haproxy.timeout.connect@defaults 2s --persist"),
        ("page_persist", unasked(), "tune.set edge haproxy.option.httpchk@web_cluster /health --persist"),
        ("weight_persist", cluster(), "tune.set edge haproxy.server.weight@web_cluster/web03 50 --persist"),
        ("timeout_put_back", timed, "tune.set edge haproxy.timeout.queue@web_cluster 5s --put-back"),
    ]
}

#[test]
fn every_refusal_names_what_speaks_against_it() {
    use ReasonKind as Kind;
    let mut full = cluster();
    full.on("lb02").limits.frontend("http_front").2 = 1_000;
    let mut silent = cluster();
    silent.on("lb02").reachable = false;
    let mut limited = cluster();
    limited.on("lb01").limits.servers[0].2 = 40;
    let forgetful = with_file(|text| text.replace("    load-server-state-from-file global\n", "\n"));
    let forgetful = forgetful.with("db02", |server| server.told = AdminState::Ready);
    let own = with_file(|text| text.replace("server web01 10.10.0.21:80", "server web01 10.10.0.21:80 maxconn 70"));
    let conditional = with_file(|text| {
        text.replace(
            "    timeout server 1h\n    .if streq(mariadb,mysql)\n",
            "    .if streq(mariadb,mysql)\n    timeout server 1h\n",
        )
    });
    let cases: Vec<(&str, Cluster, &str, &[Kind])> = vec![
        ("refused_limit_full", full, "tune.set edge haproxy.frontend.maxconn@http_front 1500", &[Kind::Busy]),
        ("refused_limit_silent", silent, WEB, &[Kind::StaleFacts]),
        ("refused_limit_part", cluster(), "tune.set edge haproxy.frontend.maxconn 1500", &[Kind::UnknownTarget; 2]),
        ("refused_limit_whole", cluster(), "tune.set lb01 haproxy.maxconn@x 1500", &[Kind::UnknownTarget]),
        ("refused_limit_unknown", cluster(), "tune.set lb01 haproxy.server.maxconn@web/x 9", &[Kind::UnknownTarget]),
        ("refused_limit_node", cluster(), "tune.set web03 haproxy.maxconn 1500", &[Kind::UnknownTarget]),
        ("refused_limit_zero", cluster(), "tune.set lb01 haproxy.frontend.maxconn@http_front 0", &[Kind::NotFit]),
        ("refused_limit_range", cluster(), "tune.set lb01 haproxy.maxconn 90000", &[Kind::NotFit]),
        ("refused_limit_value", cluster(), "tune.set lb01 haproxy.maxconn many", &[Kind::NotFit]),
        ("refused_timeout_run", cluster(), "tune.set lb01 haproxy.timeout.server@web_cluster 5s", &[Kind::NoWay]),
        (
            "refused_timeout_part",
            cluster(),
            "tune.set lb01 haproxy.timeout.server@web 5s --persist",
            &[Kind::UnknownFact],
        ),
        (
            "refused_timeout_forgets",
            forgetful,
            "tune.set lb01 haproxy.timeout.server@web_cluster 5s --persist",
            &[Kind::Busy],
        ),
        (
            "refused_timeout_limits",
            limited,
            "tune.set lb01 haproxy.timeout.server@web_cluster 5s --persist",
            &[Kind::Busy],
        ),
        ("refused_limit_own", own, "tune.set lb01 haproxy.server.maxconn@web_cluster 150 --persist", &[Kind::NotFit]),
        (
            "refused_timeout_conditional",
            conditional,
            "tune.set lb01 haproxy.timeout.server@mysql_rw 5s --persist",
            &[Kind::UnknownFact],
        ),
        (
            "refused_limit_put_back",
            done(cluster(), "tune.set lb01 haproxy.maxconn 1500 --persist"),
            "tune.set lb02 haproxy.maxconn 1500 --put-back",
            &[Kind::NoWay],
        ),
    ];
    each_is_refused(cases);
}

fn each_is_refused(cases: Vec<(&str, Cluster, &str, &[ReasonKind])>) {
    for (name, cluster, line, kinds) in cases {
        let planned = planned(&cluster, line);
        golden(name, &planned);
        let found: Vec<ReasonKind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn a_page_and_a_weight_are_refused_where_they_would_not_be_what_was_asked_for() {
    use ReasonKind as Kind;
    let otherwise = with_file(|text| text.replace("httpchk GET /health", "httpchk HEAD /health"));
    each_is_refused(vec![
        (
            "refused_page_value",
            cluster(),
            "tune.set lb01 haproxy.option.httpchk@web_cluster health --persist",
            &[Kind::NotFit],
        ),
        ("refused_page_run", unasked(), "tune.set lb01 haproxy.option.httpchk@web_cluster /health", &[Kind::NoWay]),
        (
            "refused_page_otherwise",
            otherwise,
            "tune.set lb01 haproxy.option.httpchk@web_cluster /health --persist",
            &[Kind::NotFit],
        ),
        (
            "refused_weight_range",
            cluster(),
            "tune.set lb01 haproxy.server.weight@web_cluster/web03 300 --persist",
            &[Kind::NotFit],
        ),
        (
            "refused_weight_runs",
            cluster().with("web03", |server| server.weight = 40),
            "tune.set lb01 haproxy.server.weight@web_cluster/web03 50 --persist",
            &[Kind::Busy],
        ),
    ]);
}

#[test]
fn a_newer_haproxy_takes_another_limit_also_while_clients_wait() {
    let mut full = cluster();
    for balancer in &mut full.balancers {
        balancer.limits.version = "3.2.26-1";
        balancer.limits.frontend("http_front").2 = 1_000;
    }
    let plan = plan_of(&full, "tune.set edge haproxy.frontend.maxconn@http_front 1500");
    assert!(plan.body.point_of_no_return.is_none());
    let mut lower = cluster();
    lower.on("lb01").limits.version = "3.1.0";
    assert!(plan_of(&lower, "tune.set lb01 haproxy.frontend.maxconn@http_front 800").body.point_of_no_return.is_none());
    // On an older one the way back is no undo, and nothing goes back by itself.
    let line = "tune.set edge haproxy.frontend.maxconn@http_front 800 --revert-after 60s";
    assert_eq!(planned(&cluster(), line).unwrap_err().reasons[0].kind, ReasonKind::NoWay);
}

/// Clients come between the plan and the write: nothing is sent to that load balancer.
#[test]
fn a_frontend_that_becomes_full_meanwhile_is_left_alone() {
    let plan = plan_of(&cluster(), "tune.set edge haproxy.frontend.maxconn@http_front 1500");
    let mut aborted = 0;
    for moment in 1..40 {
        let fill = |cluster: &mut Cluster| cluster.on("lb02").limits.frontend("http_front").2 = 1_000;
        let script = Script { meanwhile: Some((moment, fill)), ..Script::default() };
        let mut harness = Harness::new(cluster(), plan.clone(), script);
        harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
        aborted += usize::from(harness.cluster.on("lb02").limits.is_aborted);
    }
    // Between the look and the write: HAProxy takes no condition with a command.
    assert!(aborted <= 3, "{aborted} moments");
}

#[test]
fn a_limit_that_runs_already_is_left_alone_and_a_role_reaches_all_of_them() {
    let line = "tune.set edge haproxy.server.maxconn@web_cluster 100";
    let already = planned(&cluster(), line);
    assert!(matches!(already, Ok(Planned::AlreadyThere(_))));
    golden("already_limited", &already);
    let mut one_differs = cluster();
    one_differs.on("lb02").limits.servers[1].2 = 70;
    assert_eq!(plan_of(&one_differs, line).body.steps.len(), 2, "only web02 on lb02 is written to");
    let mut both = done(cluster(), WEB);
    for name in ["lb01", "lb02"] {
        assert_eq!(both.on(name).runs("haproxy.server.maxconn@web_cluster"), [150, 100, 100]);
    }
    let by = |line: &str| plan_of(&cluster(), line).body.confirmation.by;
    assert_eq!(by(WEB), ConfirmBy::Target("edge".into()));
    assert_eq!(by("tune.set lb01 haproxy.connection_rate 300"), ConfirmBy::Enter);
    let reload = "tune.set lb01 haproxy.timeout.server@web_cluster 5s --persist";
    assert_eq!(by(reload), ConfirmBy::Target("lb01".into()));
}

#[test]
fn what_was_persisted_is_put_back_byte_for_byte() {
    let lines = [
        ("haproxy.maxconn", "1500", "2000", "    maxconn 1500\n"),
        ("haproxy.connection_rate", "300", "0", "global\n    maxconnrate 300\n"),
        ("haproxy.frontend.maxconn@http_front", "900", "1000", "    maxconn 900\n"),
        ("haproxy.frontend.maxconn@stats", "90", "2000", "listen stats\n    maxconn 90\n"),
        ("haproxy.server.maxconn@web_cluster", "7", "100", "fall 2 rise 2 maxconn 7\n"),
        ("haproxy.server.maxconn@web_cluster/web02", "150", "100", "    server web02 10.10.0.22:80 maxconn 150\n"),
        ("haproxy.server.fall@web_cluster", "3", "2", "default-server check inter 500ms fastinter 200ms fall 3 rise 2"),
        ("haproxy.server.inter@web_cluster/web03", "1s", "500", "    server web03 10.10.0.23:80 inter 1s\n"),
        ("haproxy.timeout.connect@defaults", "1500ms", "1000", "    timeout connect 1500ms\n"),
        ("haproxy.timeout.client@mysql_front", "30m", "3600000", "    timeout client 30m\n"),
        ("haproxy.option.httpchk@web_cluster", "/ready", "/health", "    option httpchk GET /ready\n"),
        ("haproxy.server.weight@web_cluster/web02", "70", "70", "    server web02 10.10.0.22:80 weight 70\n"),
        ("haproxy.timeout.server@web_cluster", "20s", "30000", "backend web_cluster\n    timeout server 20s\n"),
    ];
    let before = files(&mut cluster());
    for (key, value, former, wanted) in lines {
        let start = if key.ends_with("@stats") {
            let mut cluster = cluster();
            for balancer in &mut cluster.balancers {
                balancer.limits.frontends.push(("stats", 2_000, 0));
            }
            cluster
        } else {
            cluster()
        };
        let mut there = done(start, &format!("tune.set edge {key} {value} --persist"));
        for balancer in ["lb01", "lb02"] {
            let text = file(&mut there, balancer);
            assert!(text.contains(wanted), "{key}: {text}");
        }
        let back = plan_of(&there, &format!("tune.set edge {key} {former} --put-back"));
        let mut harness = Harness::new(there, back, Script::default());
        let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
        assert_eq!(ending.kind, EndingKind::Reached, "{key}: {ending:?}");
        assert_eq!(files(&mut harness.cluster), before, "{key}");
    }
}

/// A reload forgets what operators told HAProxy: it is carried over, on both, or nothing happens.
#[test]
fn a_reload_keeps_the_primary_where_it_is() {
    let line = "tune.set edge haproxy.timeout.connect@defaults 2s --persist";
    let plan = plan_of(&switched_over(), line);
    let reloads: Vec<_> = plan.body.steps.iter().filter_map(|step| step.write()).collect();
    assert!(reloads.iter().all(|write| matches!(write.request.call, Call::FileEdit { .. })), "{reloads:?}");
    let mut after = done(switched_over(), line);
    for balancer in ["lb01", "lb02"] {
        assert_eq!(after.on(balancer).server("db02").told, AdminState::Ready);
        assert_eq!(after.on(balancer).server("db01").told, AdminState::Maint);
        assert!(file(&mut after, balancer).contains("    timeout connect 2s\n"));
    }
}

#[test]
fn a_file_that_haproxy_refuses_and_one_that_somebody_edited_are_left_as_they_are() {
    let line = "tune.set edge haproxy.timeout.connect@defaults 2s --persist";
    let mut refuses = cluster();
    refuses.on("lb02").limits.files.refuses = true;
    let before = files(&mut cluster());
    let (mut after, ending) = run(refuses, line);
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert_eq!(files(&mut after), before, "also on the first load balancer");

    let plan = plan_of(&cluster(), line);
    let mut edited = cluster();
    let text = file(&mut edited, "lb02").replace("timeout connect 1s", "timeout connect 3s");
    edited.on("lb02").limits.files.write(CONFIG, text.as_bytes());
    let before = files(&mut edited);
    let mut harness = Harness::new(edited, plan, Script::default());
    let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    assert_ne!(ending.kind, EndingKind::Reached);
    assert!(harness.sent.is_empty() && ending.why.as_str().contains("haproxy.cfg"), "{ending:?}");
    assert_eq!(files(&mut harness.cluster), before);
}

/// A page that a server does not answer takes it out of traffic: the file is put back, also on those that had it already.
#[test]
fn where_a_server_does_not_answer_the_new_page_everything_is_put_back() {
    let start = unasked().with("web02", |server| server.healthy = false);
    let before = files(&mut start.clone());
    let (mut after, ending) = run(start, "tune.set edge haproxy.option.httpchk@web_cluster /health --persist");
    assert_eq!(ending.kind, EndingKind::RolledBack, "{ending:?}");
    assert!(ending.why.as_str().contains("web02"), "{}", ending.why);
    assert_eq!(files(&mut after), before);
    let good = done(unasked(), "tune.set edge haproxy.option.httpchk@web_cluster /health --persist");
    for balancer in ["lb01", "lb02"] {
        assert!(file(&mut good.clone(), balancer).contains("backend web_cluster\n    option httpchk GET /health\n"));
    }
}

#[test]
fn a_weight_in_the_file_runs_behind_the_reload() {
    let mut after = done(cluster(), "tune.set edge haproxy.server.weight@web_cluster/web03 50 --persist");
    for balancer in ["lb01", "lb02"] {
        let server = after.on(balancer).server("web03");
        assert_eq!((server.weight, server.weight_in_file), (50, 50));
    }
}
