//! Nodes of the lab drained and returned by vakt while visitors come: no request fails, and the daemons' own tools agree
//! that nothing of a drained node is in use.

use super::lab::{self, Lab, answer, run};
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
struct Scene {
    lab: Lab,
    /// Nodes that were drained, the newest last.
    drained: Vec<&'static str>,
}

impl Scene {
    fn take() -> Option<Self> {
        let scene = Self { lab: Lab::take()?, drained: Vec::new() };
        run(&["load", "start"]);
        let start = now();
        while start.elapsed() < WARM_UP {
            pause();
        }
        Some(scene)
    }

    /// Carries a change out; its exit code must be this. What it said.
    fn must(&self, args: &[&str], code: i32) -> String {
        let output = self.lab.vakt(&[&["do"], args, &["--yes"]].concat());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
        said
    }

    fn drain(&mut self, node: &'static str) -> String {
        self.drained.push(node);
        self.must(&["node.drain", node], 0)
    }

    fn undrain(&mut self, node: &'static str) -> String {
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

/// Microseconds since 1970, as the visitors write them down.
fn wall_us() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()
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

fn no_request_failed() {
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
        let quiet = wall_us();
        // The others carry it all, and one more would be too many.
        let refused = scene.must(&["node.drain", if node == "web01" { "web02" } else { "web01" }], 4);
        assert!(refused.contains("33 % of the weight would remain"), "{refused}");
        assert!(scene.must(&["node.drain", node], 0).contains("is drained already"), "{node}");
        let end = wall_us();
        assert_eq!(stat(node, "lbtot"), before, "{node}");
        let late: Vec<_> =
            visits().into_iter().filter(|(at, _, by)| by == node && *at > quiet + 1_000 && *at < end).collect();
        assert!(late.is_empty(), "{late:#?}");
        assert!(scene.undrain(node).contains(&format!("Reached: {node} is in service")), "{node}");
        assert_eq!(stat(node, "status"), ["UP", "UP"], "{node}");
    }
    no_request_failed();
}
