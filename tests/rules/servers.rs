//! HAProxy: servers folded over the load balancers.

use super::{
    lines,
    stage::{Stage, check, fails},
};
use vakt::model::{
    figure::Figure,
    haproxy::{AdminState, OperationalState},
    ids::NodeName,
    text::Clean,
    trouble::{Trouble, TroubleKind},
};

#[test]
fn a_server_down_everywhere_is_one_sentence_with_evidence_of_each() {
    let mut stage = Stage::new();
    stage.server(0, "web03", fails(13));
    stage.server(1, "web03", fails(11));
    stage.second();
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        ["✗ web_cluster/web03: Down on both load balancers for 12 s: L7TOUT layer7 timeout in 500 ms"]
    );
    assert_eq!(findings[0].node, Some(NodeName::from("web03")));
    assert_eq!(stage.now.wall.0 - findings[0].since.wall.0, 12_000);
    let evidence: Vec<&str> = findings[0].evidence.iter().map(Clean::as_str).collect();
    assert_eq!(evidence[0], "web03 itself answers");
    assert!(evidence[1].starts_with("lb01: down, admin ready, for 14 s, check L7TOUT"), "{evidence:?}");
    assert!(evidence[2].starts_with("lb02: down, admin ready, for 12 s, check L7TOUT"), "{evidence:?}");
}

#[test]
fn since_stays_the_same_while_it_lasts_and_starts_again_with_a_new_fall() {
    let mut stage = Stage::new();
    (0..2).for_each(|lb| stage.server(lb, "web03", fails(0)));
    stage.second();
    let since = stage.findings()[0].since;
    stage.run(60);
    assert_eq!(stage.findings()[0].since, since);
    (0..2).for_each(|lb| stage.server(lb, "web03", fails(1)));
    stage.second();
    assert_eq!(stage.now.wall.0 - stage.findings()[0].since.wall.0, 2_000);
}

#[test]
fn a_server_whose_node_is_gone_says_so() {
    let mut stage = Stage::new();
    (0..2).for_each(|lb| stage.server(lb, "web03", fails(3)));
    (0..2).for_each(|lb| {
        stage.server(lb, "web03", |server| server.check = check("L4CON", 0, 0, "Layer4 connection problem"));
    });
    stage.down("web03", TroubleKind::TimedOut, "no answer from 10.10.0.5", "look at it");
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "✗ web03: Unreachable for 1.0 s: no answer from 10.10.0.5",
            "✗ web_cluster/web03: Down on both load balancers for 4 s: L4CON layer4 connection problem in 0 ms; web03 itself is unreachable",
        ]
    );
}

#[test]
fn what_an_operator_wanted_is_no_finding() {
    let mut stage = Stage::new();
    for (state, admin) in
        [(OperationalState::Maintenance, AdminState::Maint), (OperationalState::Draining, AdminState::Drain)]
    {
        for lb in 0..2 {
            stage.server(lb, "web03", |server| {
                (server.operational, server.admin) = (state.clone(), Figure::Known(admin));
            });
        }
        stage.run(20);
        assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    }
}

#[test]
fn a_lasting_disagreement_names_each_side() {
    let mut stage = Stage::new();
    stage.server(0, "web03", fails(0));
    stage.run(4);
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "a check cycle apart is no disagreement");
    stage.run(2);
    assert_eq!(
        lines(&stage.findings()),
        ["▲ web_cluster/web03: lb01 says down (L7TOUT layer7 timeout in 500 ms), lb02 says up"]
    );
    stage.server(1, "web03", |server| {
        (server.operational, server.admin) = (OperationalState::Maintenance, Figure::Known(AdminState::Maint));
        server.last_change_s = Figure::Known(60);
    });
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        ["▲ web_cluster/web03: lb01 says down (L7TOUT layer7 timeout in 500 ms), lb02 says in maintenance"]
    );
}

#[test]
fn a_load_balancer_that_cannot_be_read_has_no_say() {
    let mut stage = Stage::new();
    stage.server(0, "web03", fails(0));
    stage.down("lb02", TroubleKind::Refused, "connection refused", "start sshd");
    stage.run(6);
    assert_eq!(
        lines(&stage.findings()),
        [
            "✗ lb02: Unreachable for 6.0 s: connection refused",
            "✗ web_cluster/web03: Down on lb01 for 6 s: L7TOUT layer7 timeout in 500 ms",
        ]
    );
    let evidence = &stage.findings()[1].evidence;
    assert_eq!(evidence.last().unwrap().as_str(), "lb02: cannot be read now");
}

#[test]
fn a_backend_without_server_is_told_once_and_not_server_by_server() {
    let mut stage = Stage::new();
    for lb in 0..2 {
        stage.server(lb, "web01", fails(40));
        stage.server(lb, "web02", fails(8));
        stage.server(lb, "web03", |server| {
            (server.operational, server.admin) = (OperationalState::Maintenance, Figure::Known(AdminState::Maint));
        });
        stage.haproxies[lb].backend_rates[0].server_errors_percent = Figure::Known(100.0);
    }
    stage.run(20);
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        ["✗ web_cluster: No usable server on either load balancer for 28 s: 2 down, 1 in maintenance"]
    );
    assert_eq!(findings[0].evidence[0].as_str(), "lb01: web01 is down (L7TOUT layer7 timeout in 500 ms)");
}

#[test]
fn queue_errors_and_sessions_hold_before_they_are_told() {
    let mut stage = Stage::new();
    stage.haproxies[0].sample.backends[0].traffic.queue_current = Figure::Known(4);
    stage.haproxies[1].sample.backends[0].traffic.queue_current = Figure::Known(3);
    stage.haproxies[1].backend_rates[0].server_errors_percent = Figure::Known(12.4);
    stage.server(0, "web01", |server| server.traffic.sessions_current = Figure::Known(95));
    stage.run(5);
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "▲ web_cluster: 7 requests wait for a free server",
            "▲ lb01 web_cluster/web01: 95 of 100 sessions on lb01 (95 %)",
            "▲ web_cluster: 12 % of the answers are 5xx",
        ]
    );
}

#[test]
fn a_haproxy_that_cannot_be_read_gives_the_cure_of_its_way() {
    let mut stage = Stage::new();
    stage.run(5);
    let trouble =
        Trouble::new(TroubleKind::SocketMissing, "no socket /run/haproxy/admin.sock", "start haproxy on lb01");
    stage.fail_haproxy("lb01", &trouble);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "one lost answer is no news");
    stage.second();
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ lb01: HAProxy cannot be read: no socket /run/haproxy/admin.sock"]);
    assert_eq!(findings[0].hint.as_str(), "start haproxy on lb01");
}

#[test]
fn a_backend_dead_on_one_side_is_one_finding() {
    let mut stage = Stage::new();
    for server in ["web01", "web02", "web03"] {
        stage.server(0, server, fails(3));
    }
    stage.run(10);
    assert_eq!(lines(&stage.findings()), ["✗ web_cluster: No usable server on lb01 for 13 s: 3 down"]);
}

#[test]
fn many_servers_down_are_one_line() {
    let mut stage = Stage::new();
    for lb in 0..2 {
        let servers = &mut stage.haproxies[lb].sample.backends[0].servers;
        let template = servers[0].clone();
        servers.extend((10..30).map(|index| {
            let mut server = template.clone();
            server.name = format!("s{index}").into();
            fails(index)(&mut server);
            server
        }));
    }
    stage.second();
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        ["✗ web_cluster: 20 of 23 servers down on both load balancers, the first for 30 s: most L7TOUT"]
    );
    assert_eq!(findings[0].evidence.len(), 20);
}
