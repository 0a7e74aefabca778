//! Nodes of the lab drained and returned by vakt while visitors come: no request fails, and the daemons' own tools agree
//! that nothing of a drained node is in use.

use super::{
    addresses, guests,
    lab::{self, Lab, answer, run},
    switchover::scene::{self, is_settled, sql},
};
use crate::program::{now, pause};
use std::{
    fs,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const BALANCERS: [&str; 2] = ["lb01", "lb02"];
/// How long visitors come before something is judged.
const WARM_UP: Duration = Duration::from_secs(3);

/// The lab under load; everybody is in service again afterwards, also when a test fails.
pub(super) struct Scene {
    pub(super) lab: Lab,
    /// Nodes that were drained, the newest last.
    drained: Vec<&'static str>,
}

impl Scene {
    pub(super) fn take() -> Option<Self> {
        let scene = Self { lab: Lab::take_unhurried()?, drained: Vec::new() };
        run(&["load", "start"]);
        let start = now();
        while start.elapsed() < WARM_UP {
            pause();
        }
        Some(scene)
    }

    /// Carries a change out; its exit code must be this. What it said, as one line.
    fn must(&self, args: &[&str], code: i32) -> String {
        let output = self.lab.vakt(&[&["do"], args, &["--yes"]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    pub(super) fn drain(&mut self, node: &'static str) -> String {
        self.drained.push(node);
        self.must(&["node.drain", node], 0)
    }

    pub(super) fn undrain(&mut self, node: &'static str) -> String {
        let said = self.must(&["node.undrain", node], 0);
        self.drained.retain(|drained| *drained != node);
        said
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for node in &self.drained {
            let _ = self.lab.vakt(&["do", "node.undrain", node, "--yes"]);
        }
        let _ = Command::new(lab::SCRIPT).args(["load", "stop"]).output();
        // What a drain moved does not come back by an undrain.
        lab::put_back(|| {
            addresses::restore(&self.lab);
            guests::restore();
            scene::restore();
        });
    }
}

/// One figure of `show stat` for a server on each load balancer.
fn stat(server: &str, column: &str) -> Vec<String> {
    let of = |balancer: &&str| {
        let script = "echo 'show stat' | sudo -n socat - UNIX-CONNECT:/run/haproxy/admin.sock";
        let stat = run(&["ssh", balancer, script]);
        let mut lines = stat.lines();
        let header: Vec<&str> = lines.next().unwrap().trim_start_matches("# ").split(',').collect();
        let place = header.iter().position(|name| *name == column).unwrap();
        let row = lines.find(|line| line.starts_with(&format!("web_cluster,{server},"))).unwrap();
        row.split(',').nth(place).unwrap().to_owned()
    };
    BALANCERS.iter().map(of).collect()
}

/// Milliseconds since 1970, as the visitors write them down.
#[expect(clippy::disallowed_methods, reason = "compared with what the visitors wrote down")]
pub(super) fn wall_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// What the visitors wrote down since the load began: when, the answer, who gave it.
fn visits() -> Vec<(u128, String, String)> {
    let folder = std::env::var("VAKT_LAB_DIR").unwrap_or_else(|_| "/var/lib/vakt-lab".into());
    let text = fs::read_to_string(format!("{folder}/load/http.tsv")).unwrap();
    let visit = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        Some((fields.first()?.parse().ok()?, (*fields.get(1)?).to_owned(), (*fields.get(3)?).to_owned()))
    };
    text.lines().filter_map(visit).collect()
}

pub(super) fn no_request_failed() {
    let visits = visits();
    let failed: Vec<_> = visits.iter().filter(|(_, code, _)| code != "200").collect();
    println!("requests: {}, failed: {}", visits.len(), failed.len());
    assert!(visits.len() > 100, "{}", visits.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn web_nodes_leave_service_and_come_back_under_load() {
    let Some(mut scene) = Scene::take() else { return };
    for node in ["web01", "web02", "web03"] {
        let said = scene.drain(node);
        assert!(said.contains(&format!("Reached: {node} is drained")), "{said}");
        let before = stat(node, "lbtot");
        for balancer in stat(node, "status") {
            assert_eq!(balancer, "MAINT", "{node}");
        }
        assert_eq!(stat(node, "scur"), ["0", "0"], "{node}");
        // No connection of a load balancer is open at the node itself either.
        let sockets = answer(&["exec", node, "ss", "-Htn", "state", "established", "sport", "=", ":80"]);
        assert_eq!(sockets.trim(), "", "{node}");
        let quiet = wall_ms();
        // The others carry it all, and one more would be too many.
        let refused = scene.must(&["node.drain", if node == "web01" { "web02" } else { "web01" }], 4);
        assert!(refused.contains("33 % of the weight would remain"), "{refused}");
        assert!(scene.must(&["node.drain", node], 0).contains("is drained already"), "{node}");
        let end = wall_ms();
        assert_eq!(stat(node, "lbtot"), before, "{node}");
        let late: Vec<_> =
            visits().into_iter().filter(|(at, _, by)| by == node && *at > quiet && *at + 1 < end).collect();
        assert!(late.is_empty(), "{late:#?}");
        assert!(scene.undrain(node).contains(&format!("Reached: {node} is in service")), "{node}");
        assert_eq!(stat(node, "status"), ["UP", "UP"], "{node}");
    }
    no_request_failed();
}

#[test]
fn a_load_balancer_gives_its_addresses_away_and_the_last_one_stays() {
    let Some(mut scene) = Scene::take() else { return };
    addresses::restore(&scene.lab);
    let said = scene.drain("lb01");
    assert!(said.contains("203.0.113.100 moves from lb01 to lb02"), "{said}");
    assert!(!addresses::holds("lb01") && addresses::holds("lb02"));
    let private = |balancer: &str| answer(&["exec", balancer, "ip", "-o", "addr", "show", "to", "10.10.0.100"]);
    assert_eq!((private("lb01").trim().is_empty(), private("lb02").trim().is_empty()), (true, false));
    let refused = scene.must(&["node.drain", "lb02"], 4);
    assert!(refused.contains("lb02 is the last node in service that may hold 203.0.113.100"), "{refused}");
    let said = scene.undrain("lb01");
    assert!(said.contains("vakt do vip.move 203.0.113.100 --to lb01"), "{said}");
    assert!(!addresses::holds("lb01") && addresses::holds("lb02"));
    // The one that only stands by leaves without anything being told to anybody.
    assert!(scene.drain("lb01").contains("203.0.113.100 is held by lb02 and stays there"));
    scene.undrain("lb01");
    let visits = visits();
    let failed = visits.iter().filter(|(_, code, _)| code != "200").count();
    println!("requests: {}, failed while an address moved: {failed}", visits.len());
    // Connections through the former holder end; a visitor that comes anew is answered.
    assert!(failed * 50 < visits.len(), "{failed} of {}", visits.len());
}

#[test]
fn a_replica_leaves_where_another_one_acknowledges_and_the_primary_is_switched_over_first() {
    let Some(mut scene) = Scene::take() else { return };
    scene::restore();
    let said = scene.drain("db02");
    assert!(said.contains("db01 takes writes, db03 replicates; commits are acknowledged by db03"), "{said}");
    let refused = scene.must(&["node.drain", "db03"], 4);
    assert!(refused.contains("db03 is the last replica in service"), "{refused}");
    let refused = scene.must(&["node.drain", "db01"], 4);
    assert!(refused.contains("without it no replica would stay"), "{refused}");
    scene.undrain("db02");
    let said = scene.drain("db01");
    assert!(said.contains("db02 becomes the primary instead of db01"), "{said}");
    assert!(is_settled("db02"));
    assert_eq!((sql("db01", "select @@read_only"), sql("db02", "select @@read_only")), ("1".into(), "0".into()));
    // Nobody works on it any more but those who replicate, and vakt.
    let clients = sql("db01", "select count(*) from information_schema.processlist where user = 'app'");
    assert_eq!(clients, "0");
    scene.undrain("db01");
    assert!(is_settled("db02"), "an undrain moves no primary");
    let said = run(&["load", "stop"]);
    println!("{said}");
    assert!(said.contains(", 0 of them missing on db02"), "{said}");
    no_request_failed();
}

#[test]
fn the_guests_of_a_hypervisor_move_and_the_last_one_is_not_drained() {
    let Some(mut scene) = Scene::take() else { return };
    guests::restore();
    scene.drain("kvm01");
    let running = |host: &str| answer(&["exec", host, "virsh", "-q", "list", "--name"]);
    assert_eq!(running("kvm01").trim(), "");
    assert!(running("kvm02").contains("app01") && running("kvm02").contains("app02"), "{}", running("kvm02"));
    let refused = scene.must(&["node.drain", "kvm02"], 4);
    assert!(refused.contains("No other hypervisor in service could take app01"), "{refused}");
    assert!(scene.undrain("kvm01").contains("No guest moves back"));
    assert_eq!(running("kvm01").trim(), "");
    no_request_failed();
}
