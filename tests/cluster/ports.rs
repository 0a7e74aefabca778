//! Settings of ports on real switches, with the timer on the node: kept by a word, taken back without one, and taken back where
//! the change cuts the only way to the node, also when vakt is killed and when the node starts anew meanwhile.
//!
//! `VAKT_SOAK_ROUNDS` says how often the way is cut, each time in all three ways.

use super::lab::{Lab, answer, run, until};
use crate::program::{now, pause};
use std::{
    fs,
    io::ErrorKind,
    net::TcpStream,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The node whose SSH rides its switch, and the port that carries it.
pub(super) const NODE: &str = "kvm02";
const WAY: &str = "kvm02/eth0";
/// A port that nobody uses.
pub(super) const IDLE: &str = "lab-idle";
/// How much later than the timer says the node may be back.
const GRACE: Duration = Duration::from_secs(5);

struct Scene {
    lab: Lab,
    state: tempfile::TempDir,
    address: String,
}

impl Scene {
    fn take() -> Option<Self> {
        let lab = Lab::take()?;
        let state = tempfile::tempdir().unwrap();
        let text = fs::read_to_string(lab.config()).unwrap();
        let block = text.split("[[node]]").find(|block| block.contains(&format!("name = \"{NODE}\""))).unwrap();
        let line = block.lines().find(|line| line.starts_with("management")).unwrap();
        let address = line.split('"').nth(1).unwrap().to_owned();
        Some(Self { lab, state, address })
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.args(["--config", self.lab.config(), "--state"]).arg(self.state.path()).args(words);
        command.env_remove("VAKT_FAULT").stdin(Stdio::null());
        command
    }

    fn vakt(&self, words: &[&str]) -> (Option<i32>, String) {
        told(&self.command(words).output().unwrap())
    }

    fn begin(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The newest run, as `vakt runs list --json` tells it.
    fn newest(&self) -> serde_json::Value {
        let listed = self.command(&["runs", "list", "--json"]).output().unwrap();
        let mut listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed["runs"][0].take()
    }

    /// Waits until the newest run waits for a word.
    fn waits(&self) -> String {
        until("it waits for a word", Duration::from_secs(20), || self.newest()["goes_back_at"].is_string());
        self.newest()["id"].as_str().unwrap().to_owned()
    }

    /// When the way to the node was cut; a run that ends before has something to say. A switch that takes a change in may lose a
    /// packet before: only a second of silence counts.
    fn cut(&self, mut vakt: Child) -> (Child, Instant) {
        let start = now();
        let mut silent_since = None;
        loop {
            if self.is_reachable() {
                silent_since = None;
            } else if silent_since.get_or_insert_with(now).elapsed() > Duration::from_secs(1) {
                return (vakt, silent_since.unwrap());
            }
            let is_over = vakt.try_wait().unwrap().is_some();
            if is_over || start.elapsed() > Duration::from_secs(60) {
                let _ = vakt.kill();
                panic!("the way was not cut: {:?}", told(&vakt.wait_with_output().unwrap()));
            }
            pause();
        }
    }

    /// Whether it refuses a port on which nobody listens: an sshd of today turns away whoever knocks again and again without
    /// logging in.
    fn is_reachable(&self) -> bool {
        let target = format!("{}:9", self.address).parse().unwrap();
        let knocked = TcpStream::connect_timeout(&target, Duration::from_millis(200));
        knocked.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn tag(port: &str) -> String {
    run(&["exec", NODE, "ovs-vsctl", "get", "port", port, "tag"]).trim().to_owned()
}

/// Units and files of the timer; a line in `/run` may stay.
fn left() -> String {
    let script = "ls -d /var/lib/vakt-countdown /etc/systemd/system/vakt* /etc/systemd/system/*/vakt* 2>/dev/null; \
                  systemctl list-units --all --no-legend 'vakt*'; true";
    answer(&["exec", NODE, "sh", "-c", script])
}

/// A port of its own, which goes when the guard does.
pub(super) struct IdlePort;

impl IdlePort {
    pub(super) fn add() -> Self {
        let set = ["--", "set", "interface", IDLE, "type=internal"];
        run(&[&["exec", NODE, "ovs-vsctl", "--may-exist", "add-port", "br-int", IDLE][..], &set].concat());
        Self
    }
}

impl Drop for IdlePort {
    fn drop(&mut self) {
        answer(&["exec", NODE, "ovs-vsctl", "--if-exists", "del-port", "br-int", IDLE]);
    }
}

#[test]
fn a_word_keeps_it_and_without_one_the_node_takes_it_back() {
    let Some(scene) = Scene::take() else { return };
    let _port = IdlePort::add();
    let port = format!("{NODE}/{IDLE}");
    let set = |value: &'static str, more: &[&'static str]| {
        let words = ["do", "tune.set", &port, "ovs.tag", value, "--revert-after", "60s", "--yes"];
        scene.vakt(&[&words[..], more].concat())
    };
    let (code, said) = set("77", &["--detach"]);
    assert_eq!(code, Some(0), "{said}");
    let id = scene.waits();
    // Another run, and another bastion's timer, are kept out.
    let (code, said) = set("78", &[]);
    assert_ne!(code, Some(0), "{said}");
    let armed = run(&["exec", NODE, "systemctl", "is-active", "vakt-countdown.service"]);
    let enabled = run(&["exec", NODE, "systemctl", "is-enabled", "vakt-countdown.service"]);
    assert_eq!((armed.trim(), enabled.trim()), ("active", "enabled"));
    let (code, said) = scene.vakt(&["runs", "keep", &id]);
    assert_eq!((code, tag(IDLE), left()), (Some(0), "77".to_owned(), String::new()), "{said}");

    // Neither systemd that reads its units again nor a kill makes it any later.
    let began = now();
    let vakt = scene.begin(&["do", "tune.set", &port, "ovs.tag", "none", "--revert-after", "15s", "--yes"]);
    scene.waits();
    let disturb = "systemctl daemon-reload; kill -KILL $(systemctl show -p MainPID --value vakt-countdown.service)";
    run(&["exec", NODE, "sh", "-c", disturb]);
    let (code, said) = told(&vakt.wait_with_output().unwrap());
    let took = began.elapsed();
    assert_eq!((code, tag(IDLE), left()), (Some(5), "77".to_owned(), String::new()), "{said}");
    assert!(said.contains("the node took the change back by itself"), "{said}");
    assert!(took > Duration::from_secs(15) && took < Duration::from_secs(28), "{took:?}: {said}");
}

#[test]
fn what_somebody_else_changes_after_the_preview_is_refused_with_the_difference() {
    let Some(scene) = Scene::take() else { return };
    let _port = IdlePort::add();
    let port = format!("{NODE}/{IDLE}");
    let (code, said) = scene.vakt(&["do", "tune.set", &port, "ovs.tag", "77", "--plan", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    // What is sent is guarded by the database itself, however close the other one was.
    let plan: serde_json::Value = serde_json::from_str(&said).unwrap();
    let steps = plan.pointer("/plan/body/steps").or_else(|| plan.pointer("/body/steps")).unwrap();
    assert!(steps.to_string().contains("countdown"), "{steps}");
    let words = ["do", "tune.set", &port, "ovs.tag", "77", "--revert-after", "10s", "--yes", "--detach"];
    let (code, said) = scene.vakt(&words);
    assert_eq!(code, Some(0), "{said}");
    scene.waits();
    run(&["exec", NODE, "ovs-vsctl", "set", "port", IDLE, "tag=55"]);
    until("the run ends", Duration::from_secs(30), || scene.newest()["state"] == "needs operator");
    let (_, said) = scene.vakt(&["runs", "show", scene.newest()["id"].as_str().unwrap()]);
    assert!(said.contains("tag of lab-idle is 55, where \"tag of lab-idle is 77\" is needed"), "{said}");
    until("the timer has run out", Duration::from_secs(20), || left().is_empty());
    assert_eq!(tag(IDLE), "55", "what somebody else set stays");
}

/// How vakt and the node fare while the way is cut.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    /// Both live.
    Waits,
    /// The process of the run is killed.
    VaktKilled,
    /// The node dies and starts anew.
    NodeRestarts,
}

#[test]
fn a_change_that_cuts_the_way_to_the_node_goes_back_by_itself() {
    let Some(scene) = Scene::take() else { return };
    let rounds: usize = std::env::var("VAKT_SOAK_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let mut worst = Duration::ZERO;
    for round in 0..rounds {
        for way in [Way::Waits, Way::VaktKilled, Way::NodeRestarts] {
            let (timer, lasted) = cut_once(&scene, way);
            worst = worst.max(lasted.saturating_sub(timer));
            println!("round {} of {rounds}, {way:?}: cut off for {lasted:.1?}, timer {timer:?}", round + 1);
        }
    }
    println!("{rounds} rounds, each in three ways; at most {worst:?} later than the timer said");
}

/// Cuts the way; how long the timer was, and how long nobody reached the node.
fn cut_once(scene: &Scene, way: Way) -> (Duration, Duration) {
    // A node that starts anew takes it back then: whoever waited for the timer would notice.
    let timer = if way == Way::NodeRestarts { 120 } else { 15 };
    let time = format!("{timer}s");
    let vakt = scene.begin(&["do", "tune.set", WAY, "ovs.tag", "77", "--revert-after", &time, "--yes"]);
    let (mut vakt, cut_at) = scene.cut(vakt);
    match way {
        Way::Waits => {}
        Way::VaktKilled => kill_all(&mut vakt),
        Way::NodeRestarts => {
            run(&["kill", NODE]);
            run(&["up", NODE]);
        }
    }
    let limit = if way == Way::NodeRestarts { Duration::from_secs(60) } else { Duration::from_secs(timer) + GRACE };
    until("the way is back", limit + Duration::from_secs(1), || scene.is_reachable());
    let lasted = cut_at.elapsed();
    assert!(lasted < limit, "{way:?}: cut off for {lasted:?}");
    assert_eq!(run(&["ssh", NODE, "echo", "here"]).trim(), "here");
    assert_eq!(tag("eth0"), "[]");
    let (code, said) = told(&vakt.wait_with_output().unwrap());
    if way == Way::VaktKilled {
        let run = scene.newest();
        assert_eq!(run["state"], "interrupted", "{said}");
        let (code, said) = scene.vakt(&["runs", "resume", run["id"].as_str().unwrap(), "--yes"]);
        assert_eq!(code, Some(5), "{said}");
    } else {
        assert_eq!(code, Some(5), "{said}");
        assert!(said.contains("the node took the change back by itself"), "{said}");
    }
    until("nothing is left", Duration::from_secs(10), || left().is_empty());
    (Duration::from_secs(timer), lasted)
}

/// Kills the process that shows the run, and the one that carries it out.
fn kill_all(vakt: &mut Child) {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", vakt.id())).unwrap();
    assert!(!children.trim().is_empty(), "no process carries it out");
    for child in children.split_whitespace() {
        assert!(Command::new("kill").args(["-KILL", child]).status().unwrap().success());
    }
    vakt.kill().unwrap();
}
