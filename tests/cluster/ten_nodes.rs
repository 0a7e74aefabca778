//! Each of the ten nodes is drained and returned in turn while visitors come and programs write, for several rounds: what
//! failed meanwhile, how long nobody could write or was answered, and that nothing of a drained node was in use.

use super::{
    addresses, guests,
    lab::{answer, run},
    nodes::{Scene, wall_ms},
    switchover::{
        WRITERS, Writer, of,
        scene::{self, sql},
    },
};
use crate::program::{now, pause};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

const BALANCERS: [&str; 2] = ["lb01", "lb02"];
/// In this order: whoever is primary, or holds the addresses, has somebody to give them to.
const NODES: [(&str, Role); 10] = [
    ("web01", Role::Web),
    ("web02", Role::Web),
    ("web03", Role::Web),
    ("kvm01", Role::Hypervisor),
    ("kvm02", Role::Hypervisor),
    ("db03", Role::Database),
    ("db02", Role::Database),
    ("db01", Role::Database),
    ("lb01", Role::Balancer),
    ("lb02", Role::Balancer),
];
/// The bars: how long no write is acknowledged while the primary moves, and no visitor answered while the addresses do.
const WRITE_GAP_MS_P95: f64 = 150.0;
const ADDRESS_GAP_MS_P50: f64 = 300.0;
/// Longer than a drain of the primary takes: the programs that write end with it, or after that.
const WRITERS_SECONDS: usize = 120;
/// What was answered last is written down when it is whole.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Web,
    Hypervisor,
    Database,
    Balancer,
}

/// One node's turn, in milliseconds since 1970.
struct Turn {
    node: &'static str,
    role: Role,
    /// It was the primary, or held the addresses.
    gave_away: bool,
    began: f64,
    drained: f64,
    returned: f64,
    /// How long no write was acknowledged while the primary moved, milliseconds.
    write_gap: Option<f64>,
}

fn ms() -> f64 {
    wall_ms() as f64
}

/// A figure of a row of `show stat` on each load balancer.
fn stat(row: &str, column: &str) -> Vec<String> {
    let of = |balancer: &&str| {
        let script = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock";
        let table = answer(&["exec", balancer, "sh", "-c", script]);
        let columns: Vec<&str> = table.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
        let place = columns.iter().position(|name| *name == column).unwrap();
        let row = table.lines().find(|line| line.starts_with(&format!("{row},"))).unwrap();
        row.split(',').nth(place).unwrap().to_owned()
    };
    BALANCERS.iter().map(of).collect()
}

/// Whether the node has what others could do: it takes writes, or holds an address.
fn has_the_lead(node: &str, role: Role) -> bool {
    match role {
        Role::Database => sql(node, "select @@read_only") == "0",
        Role::Balancer => addresses::holds(node),
        Role::Web | Role::Hypervisor => false,
    }
}

/// By the daemons' own tools: nothing of the node is in use.
fn must_be_empty(node: &str, role: Role) {
    match role {
        Role::Web => {
            assert_eq!(stat(&format!("web_cluster,{node}"), "status"), ["MAINT", "MAINT"], "{node}");
            assert_eq!(stat(&format!("web_cluster,{node}"), "scur"), ["0", "0"], "{node}");
            let sockets = answer(&["exec", node, "ss", "-Htn", "state", "established", "sport", "=", ":80"]);
            assert_eq!(sockets.trim(), "", "{node}");
        }
        Role::Hypervisor => {
            assert_eq!(answer(&["exec", node, "virsh", "-q", "list", "--name"]).trim(), "", "{node}");
            assert_eq!(answer(&["exec", node, "pgrep", "-c", "qemu-system"]).trim(), "0", "{node}");
        }
        Role::Database => {
            assert_eq!(stat(&format!("mysql_rw,{node}"), "status"), ["MAINT", "MAINT"], "{node}");
            assert_eq!(stat(&format!("mysql_rw,{node}"), "scur"), ["0", "0"], "{node}");
            assert_eq!(sql(node, "select @@read_only"), "1", "{node}");
            let clients = "select count(*) from information_schema.processlist where user in ('app', 'writer')";
            assert_eq!(sql(node, clients), "0", "{node}");
        }
        Role::Balancer => {
            for address in ["203.0.113.100", "10.10.0.100"] {
                let held = answer(&["exec", node, "ip", "-o", "addr", "show", "to", address]);
                assert_eq!(held.trim(), "", "{node} has {address}");
            }
            let place = usize::from(node == "lb02");
            let sessions = || stat("http_front,FRONTEND", "stot")[place].clone();
            let (before, start) = (sessions(), now());
            while start.elapsed() < Duration::from_secs(1) {
                pause();
            }
            assert_eq!(sessions(), before, "{node} gets new sessions");
        }
    }
}

fn wait(time: Duration) {
    let start = now();
    while start.elapsed() < time {
        pause();
    }
}

/// The longest time without one of these moments, between two others.
fn gap(moments: &[f64], from: f64, until: f64) -> f64 {
    let near: Vec<f64> = moments.iter().copied().filter(|at| (from - 500.0..until + 500.0).contains(at)).collect();
    assert!(near.len() > 10, "somebody came meanwhile: {near:?}");
    near.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

fn take_turn(scene: &mut Scene, node: &'static str, role: Role) -> Turn {
    let gave_away = has_the_lead(node, role);
    let writers = if role == Role::Database && gave_away {
        let writers = WRITERS.map(|(web, number)| Writer::start(web, number, WRITERS_SECONDS));
        let start = now();
        while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
            assert!(start.elapsed() < Duration::from_secs(20), "the writers do not write");
            pause();
        }
        Some(writers)
    } else {
        None
    };
    let began = ms();
    scene.drain(node);
    let drained = ms();
    must_be_empty(node, role);
    assert!(!has_the_lead(node, role), "{node}");
    let write_gap = writers.map(|writers| {
        wait(Duration::from_secs(1));
        let mut acknowledged: Vec<f64> = writers.iter().flat_map(Writer::acknowledged).map(|(at, _)| at).collect();
        acknowledged.sort_by(f64::total_cmp);
        gap(&acknowledged, began, drained)
    });
    scene.undrain(node);
    let turn = Turn { node, role, gave_away, began, drained, returned: ms(), write_gap };
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    println!(
        "  {node}: drained in {:.1} s, back in {:.1} s{}; load {}",
        (turn.drained - turn.began) / 1000.0,
        (turn.returned - turn.drained) / 1000.0,
        turn.write_gap.map_or_else(String::new, |gap| format!(", no write for {gap:.0} ms")),
        load.split(' ').next().unwrap()
    );
    turn
}

/// What visitors wrote down: when they began, when they were answered, and whether well.
fn visits(lab: &super::lab::Lab) -> Vec<(f64, f64, bool)> {
    let text = fs::read_to_string(Path::new(lab.config()).with_file_name("load/http.tsv"));
    let folder = std::env::var("VAKT_LAB_DIR").unwrap_or_else(|_| "/var/lib/vakt-lab".into());
    // The configuration of the tests may be a copy beside nothing.
    let text = text.or_else(|_| fs::read_to_string(format!("{folder}/load/http.tsv"))).unwrap();
    let visit = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [start, code, took, ..] = fields[..] else { return None };
        let start: f64 = start.parse().ok()?;
        Some((start, start + took.parse::<f64>().ok()?, code == "200"))
    };
    text.lines().filter_map(visit).collect()
}

#[test]
#[ignore = "takes minutes: ./dev soak nodes"]
fn each_of_ten_nodes_leaves_service_and_comes_back_under_load() {
    let Some(mut scene) = Scene::take() else { return };
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    addresses::restore(&scene.lab);
    guests::restore();
    scene::restore();
    let mut turns = Vec::new();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for (node, role) in NODES {
            turns.push(take_turn(&mut scene, node, role));
        }
    }
    wait(LAST_ANSWERS);
    let visits = visits(&scene.lab);
    let said = run(&["load", "stop"]);
    println!("{said}");
    assert!(said.contains(", 0 of them missing on "), "{said}");
    judge(&turns, &visits);
}

fn judge(turns: &[Turn], visits: &[(f64, f64, bool)]) {
    let mut answers: Vec<f64> = visits.iter().filter(|(.., good)| *good).map(|(_, at, _)| *at).collect();
    answers.sort_by(f64::total_cmp);
    let mut requests: BTreeMap<Role, (usize, usize)> = BTreeMap::new();
    for turn in turns {
        let during = visits.iter().filter(|(start, ..)| (turn.began..turn.returned).contains(start));
        let tally = requests.entry(turn.role).or_default();
        for (.., good) in during {
            tally.0 += 1;
            tally.1 += usize::from(!good);
        }
    }
    let sorted = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values
    };
    let writes = sorted(turns.iter().filter_map(|turn| turn.write_gap).collect());
    let moves = turns.iter().filter(|turn| turn.role == Role::Balancer && turn.gave_away);
    let addresses = sorted(moves.map(|turn| gap(&answers, turn.began, turn.drained)).collect());
    for (role, (all, failed)) in &requests {
        println!("{role:?}: {all} requests, {failed} failed");
    }
    println!(
        "{} moves of the primary: no write for p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms",
        writes.len(),
        of(&writes, 50),
        of(&writes, 95),
        of(&writes, 100)
    );
    println!(
        "{} moves of the addresses: no answer for p50 {:.0} ms, p95 {:.0} ms, at most {:.0} ms",
        addresses.len(),
        of(&addresses, 50),
        of(&addresses, 95),
        of(&addresses, 100)
    );
    for role in [Role::Web, Role::Hypervisor] {
        let (all, failed) = requests[&role];
        assert!(all > 100 && failed == 0, "{role:?}: {failed} of {all} failed");
    }
    let longest = turns.iter().map(|turn| turn.node).zip(turns.iter().map(|turn| turn.drained - turn.began));
    println!("longest drain: {:?}", longest.max_by(|one, other| one.1.total_cmp(&other.1)));
    assert!(of(&writes, 95) <= WRITE_GAP_MS_P95, "{writes:?}");
    assert!(of(&addresses, 50) <= ADDRESS_GAP_MS_P50, "{addresses:?}");
}
