//! A switchover where applications write to a virtual address of the databases, which keepalived keeps there for the time of
//! the test: the address follows the primary, and no two nodes hold it.

use super::{
    WRITERS, Watch, Writer, handovers, nothing_is_lost,
    scene::{self, DATABASES, Scene},
    told,
};
use crate::{
    cluster::lab,
    program::{now, pause},
};
use std::time::Duration;

const ADDRESS: &str = "10.10.0.110";
/// There and back so often.
const ROUNDS: usize = 2;
const SECONDS: usize = 120;
const PATIENCE: Duration = Duration::from_secs(20);
const PRIORITIES: [u32; 3] = [150, 100, 90];

/// `NODE`, `PRIORITY`, `OWN`, `ONE` and `OTHER` are filled in; `MORE` is what an instance says besides.
const CONFIGURATION: &str = r"global_defs {
    router_id NODE
    vrrp_version 3
}
track_file operator_priority {
    file /etc/keepalived/priority
    weight 1
}
vrrp_instance writes {
    interface priv0
    virtual_router_id 71
    state BACKUP
    priority PRIORITY
    advert_int 0.2
    MORE
    unicast_src_ip OWN
    unicast_peer {
        ONE
        OTHER
    }
    track_file {
        operator_priority weight 1
    }
    virtual_ipaddress {
        10.10.0.110/24 dev priv0
    }
}
";

/// keepalived on the databases; it goes with it.
struct Kept;

impl Kept {
    fn start(more: &str) -> Self {
        let kept = Self;
        for (place, (node, own)) in DATABASES.iter().enumerate() {
            let others: Vec<&str> = DATABASES.iter().map(|(_, host)| *host).filter(|host| host != own).collect();
            let words = [
                ("NODE", *node),
                ("PRIORITY", &PRIORITIES[place].to_string()),
                ("OWN", own),
                ("ONE", others[0]),
                ("OTHER", others[1]),
                ("MORE", more),
            ];
            let text = words.iter().fold(CONFIGURATION.to_owned(), |text, (word, value)| text.replace(word, value));
            let script = "printf '%s' \"$0\" >/etc/keepalived/keepalived.conf && echo 0 >/etc/keepalived/priority && \
                systemctl restart keepalived";
            lab::run(&["exec", node, "sh", "-c", script, &text]);
            // One after the other: the first one holds it before the others look.
            wait_for("db01");
        }
        kept
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        for (node, _) in DATABASES {
            let script = "systemctl stop keepalived; rm -f /etc/keepalived/keepalived.conf /etc/keepalived/priority";
            lab::answer(&["exec", node, "sh", "-c", script]);
        }
    }
}

/// The nodes that hold the address.
fn holders() -> Vec<&'static str> {
    let holds = |node: &str| lab::answer(&["exec", node, "ip", "-o", "address"]).contains(ADDRESS);
    DATABASES.iter().map(|(node, _)| *node).filter(|node| holds(node)).collect()
}

fn wait_for(node: &str) {
    let started = now();
    while holders() != [node] {
        assert!(started.elapsed() < PATIENCE, "{node} does not hold the address: {:?}", holders());
        pause();
    }
}

/// The lab without HAProxy, as far as vakt knows, and with the address.
fn led_by_address() -> Option<Scene> {
    let scene = Scene::take()?;
    Some(scene.configured(|text, _| {
        let text = text.replace("roles = [\"edge\"]\n", "roles = [\"edge\"]\nhaproxy_socket = \"none\"\n");
        let nodes = DATABASES.map(|(node, _)| format!("{node:?}")).join(", ");
        format!(
            "{text}\n[[vip]]\naddress = \"{ADDRESS}\"\nnodes = [{nodes}]\n[write_endpoint]\naddress = \"{ADDRESS}\"\n"
        )
    }))
}

fn only_writable(node: &str) -> bool {
    scene::state().0 == [node]
}

fn there_and_back(scene: &Scene, way: &str) {
    let watch = Watch::start();
    let writers = WRITERS.map(|(node, number)| Writer::to(ADDRESS, node, number, SECONDS));
    let started = now();
    while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
        assert!(started.elapsed() < PATIENCE, "the writers do not write");
        pause();
    }
    for _ in 0..ROUNDS {
        for target in ["db02", "db01"] {
            scene.switch_to(target);
            assert!(only_writable(target) && holders() == [target], "{:?}, {:?}", scene::state(), holders());
            let (before, at) = (writers[0].acknowledged().len(), now());
            while writers[0].acknowledged().len() < before + 30 {
                assert!(at.elapsed() < PATIENCE, "nobody writes after the switchover to {target}");
                pause();
            }
        }
    }
    let moved = handovers(&watch.writable());
    drop(watch);
    assert_eq!(moved.len(), 2 * ROUNDS, "each switchover is one hand-over, at no moment two: {moved:?}");
    let mut acknowledged: Vec<(f64, u64)> = writers.iter().flat_map(Writer::acknowledged).collect();
    drop(writers);
    acknowledged.sort_by(|one, other| one.0.total_cmp(&other.0));
    nothing_is_lost(&acknowledged);
    _ = told(way, &acknowledged, &moved);
}

#[test]
fn an_address_of_the_databases_follows_the_primary_there_and_back_under_load() {
    let Some(scene) = led_by_address() else { return };
    let kept = Kept::start("");
    there_and_back(&scene, "vakt with an address, by a number");
    drop(kept);
    let _kept = Kept::start("nopreempt");
    there_and_back(&scene, "vakt with an address, by a restart of keepalived");
}
