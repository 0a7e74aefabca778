//! What HAProxy 2.6 was measured to do, done by the simulation.

use super::stage::{SOCKET, START, Stage, scenario, write};
use vakt::{
    model::{
        haproxy::{AdminState, OperationalState, Server},
        ids::NodeName,
        time::{Mono, Now},
    },
    sim::{Contact, Outcome},
    wire::request::{Call, Request},
};

fn known(figure: vakt::model::figure::Figure<u64>) -> u64 {
    figure.known().unwrap()
}

fn chosen(server: &Server) -> u64 {
    known(server.traffic.chosen_total)
}

#[test]
fn the_same_seed_and_moments_give_the_same_bytes() {
    let run = |seed, steps: &[u64]| {
        let mut stage = Stage::of(&scenario("seed"), seed);
        for ms in steps {
            stage.pass(*ms);
        }
        let request =
            Request::read(Call::Haproxy { socket: SOCKET.into(), command: "show stat".into() }, 1000, 1 << 20);
        stage.ask("lb01", &request).bytes
    };
    assert_eq!(run(7, &[10_000]), run(7, &[10_000]));
    // How often time is moved changes nothing.
    assert_eq!(run(7, &[10_000]), run(7, &[1, 2_999, 7_000]));
    assert_ne!(run(7, &[10_000]), run(8, &[10_000]));
}

#[test]
fn traffic_comes_to_the_holder_of_the_address_and_moves_when_it_dies() {
    let mut stage = Stage::new("seed");
    stage.pass(10_000);
    let total = |stage: &mut Stage, lb: &str| -> u64 {
        ["web01", "web02", "web03"].iter().map(|name| chosen(&stage.server(lb, "web_cluster", name))).sum()
    };
    let first = total(&mut stage, "lb01");
    assert!((380..=460).contains(&first), "42 requests per second for 10 s: {first}");
    assert_eq!(total(&mut stage, "lb02"), 0);
    stage.fault("kill lb01");
    stage.pass(10_000);
    assert!(total(&mut stage, "lb02") > 380);
}

#[test]
fn servers_take_turns_by_weight() {
    let mut stage = Stage::new("seed");
    stage.command("lb01", "set weight web_cluster/web01 2");
    stage.pass(20_000);
    let counts = ["web01", "web02", "web03"].map(|name| chosen(&stage.server("lb01", "web_cluster", name)));
    assert!(counts[0].abs_diff(2 * counts[1]) <= 2 && counts[1].abs_diff(counts[2]) <= 1, "{counts:?}");
}

#[test]
fn a_drained_server_keeps_its_checks_and_loses_its_sessions() {
    let mut stage = Stage::new("seed");
    stage.pass(10_000);
    assert_eq!(stage.command("lb01", "set server web_cluster/web03 state drain"), "");
    let before = stage.server("lb01", "web_cluster", "web03");
    assert_eq!(
        (before.operational.clone(), before.admin.known()),
        (OperationalState::Draining, Some(AdminState::Drain))
    );
    // Slow requests take up to 2.8 s.
    stage.pass(3_000);
    let after = stage.server("lb01", "web_cluster", "web03");
    assert_eq!((known(after.traffic.sessions_current), chosen(&after)), (0, chosen(&before)));
    assert_eq!(after.check.status.clone().known().unwrap().as_str(), "L7OK");
    // The other load balancer has states of its own.
    assert_eq!(stage.server("lb02", "web_cluster", "web03").admin.known(), Some(AdminState::Ready));
    stage.command("lb01", "set server web_cluster/web03 state ready");
    stage.pass(1_000);
    assert!(chosen(&stage.server("lb01", "web_cluster", "web03")) > chosen(&after));
}

#[test]
fn weight_zero_shows_up_and_is_not_chosen() {
    let mut stage = Stage::new("seed");
    stage.pass(5_000);
    stage.command("lb01", "set weight web_cluster/web02 0");
    let before = stage.server("lb01", "web_cluster", "web02");
    stage.pass(5_000);
    let after = stage.server("lb01", "web_cluster", "web02");
    assert_eq!(chosen(&after), chosen(&before));
    assert_eq!((after.operational, after.weight.known()), (OperationalState::Up, Some(0)));
}

#[test]
fn maintenance_stops_checks_and_ready_shows_up_before_the_first_one() {
    let mut stage = Stage::new("seed");
    stage.pass(5_000);
    stage.command("lb01", "set server web_cluster/web02 state maint");
    stage.fault("down web02");
    stage.pass(10_000);
    let maint = stage.server("lb01", "web_cluster", "web02");
    assert_eq!(maint.operational, OperationalState::Maintenance);
    assert!(maint.check.status.known().is_none());
    stage.command("lb01", "set server web_cluster/web02 state ready");
    let hopeful = stage.server("lb01", "web_cluster", "web02");
    assert_eq!(hopeful.operational, OperationalState::GoingDown { done: 1, needed: 3 });
    stage.pass(1_100);
    assert_eq!(stage.server("lb01", "web_cluster", "web02").operational, OperationalState::Down);
    stage.fault("up web02");
    stage.pass(1_000);
    let rising = stage.server("lb01", "web_cluster", "web02").operational;
    assert_eq!(rising, OperationalState::GoingUp { done: 1, needed: 2 });
    stage.pass(1_000);
    assert_eq!(stage.server("lb01", "web_cluster", "web02").operational, OperationalState::Up);
}

#[test]
fn a_dead_server_costs_retries_until_it_is_down() {
    let mut stage = Stage::new("seed");
    stage.pass(5_000);
    stage.fault("kill web03");
    stage.pass(1_000);
    let dying = stage.server("lb01", "web_cluster", "web03");
    assert!(known(dying.traffic.retries_total) > 0 && known(dying.traffic.redispatches_total) > 0, "{dying:?}");
    assert_eq!(known(dying.traffic.sessions_current), 0);
    stage.pass(3_000);
    let dead = stage.server("lb01", "web_cluster", "web03");
    assert_eq!((dead.operational.clone(), known(dead.downs_total)), (OperationalState::Down, 1));
    stage.pass(5_000);
    assert_eq!(chosen(&stage.server("lb01", "web_cluster", "web03")), chosen(&dead));
    stage.fault("heal web03");
    stage.pass(4_000);
    assert_eq!(stage.server("lb01", "web_cluster", "web03").operational, OperationalState::Up);
}

#[test]
fn without_any_server_requests_fail() {
    let mut stage = Stage::new("two-small");
    stage.pass(2_000);
    let errors = |stage: &mut Stage| {
        let sample = stage.haproxy("lb01");
        (sample.backends[1].traffic.answers.known().unwrap().server_error, sample.backends[1].status.to_string())
    };
    assert_eq!(errors(&mut stage), (0, "UP".into()));
    stage.fault("down web01");
    stage.fault("down web02");
    stage.pass(10_000);
    let (failed, status) = errors(&mut stage);
    assert!(failed > 100 && status == "DOWN", "{failed} {status}");
}

#[test]
fn a_rush_fills_the_servers_and_then_the_queue() {
    let mut stage = Stage::new("seed");
    stage.fault("spike x100");
    stage.pass(8_000);
    let sample = stage.haproxy("lb01");
    let web = sample.backends.iter().find(|backend| backend.name.as_str() == "web_cluster").unwrap();
    assert!(known(web.traffic.queue_current) > 0, "{:?}", web.traffic);
    assert!(web.servers.iter().all(|server| known(server.traffic.sessions_current) <= 100));
}

#[test]
fn a_reload_forgets_unless_a_state_file_remembers() {
    for (words, admin) in [("reload lb01", AdminState::Ready), ("reload lb01 keep-state", AdminState::Drain)] {
        let mut stage = Stage::new("seed");
        stage.pass(10_000);
        stage.command("lb01", "set server web_cluster/web03 state drain");
        let before = stage.haproxy("lb01").info;
        stage.fault(words);
        let after = stage.haproxy("lb01").info;
        assert_eq!(after.uptime_s.known(), Some(0));
        assert_ne!(after.pid, before.pid);
        let server = stage.server("lb01", "web_cluster", "web03");
        assert_eq!((server.admin.known(), chosen(&server)), (Some(admin), 0), "{words}");
    }
}

#[test]
fn errors_are_said_in_haproxys_words() {
    let mut stage = Stage::new("seed");
    let cases = [
        ("set server web_cluster/web09 state drain", "No such server.\n"),
        ("set server web/web01 state drain", "No such backend.\n"),
        ("set server web01 state drain", "Require 'backend/server'.\n"),
        ("set server web_cluster/web01 state off", "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"),
        ("set weight web_cluster/web01 300", "Absolute weight can only be between 0 and 256 inclusive.\n"),
        ("set weight web_cluster/web01 50%", ""),
        ("get weight web_cluster/web02", "1 (initial 1)\n"),
    ];
    for (command, words) in cases {
        assert_eq!(stage.command("lb01", command), words, "{command}");
    }
    assert!(stage.command("lb01", "show threads").starts_with("Unknown command: 'show'"));
    let commands: Vec<&str> = stage.cluster.writes().iter().map(|write| write.command.as_str()).collect();
    assert_eq!(commands.len(), cases.len() + 1);
}

#[test]
fn sessions_end_when_they_are_shut_down() {
    let mut stage = Stage::new("seed");
    stage.pass(20_000);
    assert!(known(stage.server("lb01", "mysql_rw", "db01").traffic.sessions_current) > 0);
    stage.command("lb01", "set server mysql_rw/db01 state maint");
    assert!(known(stage.server("lb01", "mysql_rw", "db01").traffic.sessions_current) > 0, "maintenance keeps sessions");
    stage.command("lb01", "shutdown sessions server mysql_rw/db01");
    assert_eq!(known(stage.server("lb01", "mysql_rw", "db01").traffic.sessions_current), 0);
}

#[test]
fn a_lost_reply_leaves_the_write_done_or_not() {
    for (words, admin) in [("lose-reply lb01", AdminState::Drain), ("lose-reply lb01 undone", AdminState::Ready)] {
        let mut stage = Stage::new("seed");
        stage.pass(1_000);
        stage.fault(words);
        let drain = write("set server web_cluster/web03 state drain");
        assert_eq!(stage.cluster.answer(&NodeName::from("lb01"), &drain), Outcome::Lost);
        assert_eq!(stage.server("lb01", "web_cluster", "web03").admin.known(), Some(admin), "{words}");
        // The next one is answered again.
        assert_eq!(stage.command("lb01", "set server web_cluster/web03 state drain"), "");
    }
}

#[test]
fn machines_die_freeze_and_come_back() {
    let mut stage = Stage::new("seed");
    let web01 = NodeName::from("web01");
    let first = stage.host("web01");
    for (words, contact) in
        [("kill web01", Contact::Refuses), ("cut web01", Contact::Silent), ("freeze web01", Contact::Frozen)]
    {
        stage.fault(words);
        assert_eq!(stage.cluster.contact(&web01), contact);
    }
    stage.fault("heal web01");
    assert_eq!(stage.host("web01").boot_id, first.boot_id, "a frozen machine has not started anew");
    stage.fault("kill web01");
    stage.pass(5_000);
    stage.fault("heal web01");
    let again = stage.host("web01");
    assert_ne!(again.boot_id, first.boot_id);
    assert!(known(again.uptime_ms) < 1_000);
}

#[test]
fn figures_of_a_host_follow_its_requests_and_its_disk() {
    let mut stage = Stage::new("seed");
    let share = |stage: &mut Stage, node: &str| {
        let before = stage.host(node);
        stage.pass(10_000);
        let after = stage.host(node);
        let (a, b) = (before.cpu.known().unwrap(), after.cpu.known().unwrap());
        let all = (b.user + b.system + b.idle + b.iowait) - (a.user + a.system + a.idle + a.iowait);
        assert!((1_980..=2_000).contains(&all), "two processors, ten seconds: {all} ticks");
        ((b.user - a.user) as f64 / all as f64, (b.iowait - a.iowait) as f64 / all as f64)
    };
    let (busy, iowait) = share(&mut stage, "web01");
    assert!(iowait < 0.02);
    stage.fault("spike x10");
    let (rushed, _) = share(&mut stage, "web01");
    assert!(rushed > busy + 0.05, "{busy} {rushed}");
    stage.fault("throttle db01");
    let (_, iowait) = share(&mut stage, "db01");
    assert!(iowait > 0.5, "{iowait}");
}

#[test]
fn time_neither_goes_back_nor_takes_for_ever() {
    let mut stage = Stage::new("seed");
    stage.pass(5_000);
    let now = stage.cluster.now();
    stage.cluster.advance(Now { mono: Mono(0), wall: START.wall });
    assert_eq!(stage.cluster.now().mono, now.mono);
    // A laptop that slept for a year: at most an hour of it is made up for.
    stage.pass(365 * 86_400_000);
    assert!(chosen(&stage.server("lb01", "web_cluster", "web01")) > 0);
}
