//! A switchover where vakt knows no HAProxy, and a command of the operator's leads writes: it tells the lab's load balancers
//! past vakt, and writes down how it was called.

use super::{
    WRITERS, Watch, Writer, handovers, nothing_is_lost,
    scene::{self, Scene},
    told,
};
use crate::{
    cluster::lab,
    program::{now, pause},
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

/// There and back so often.
const ROUNDS: usize = 2;
const SECONDS: usize = 120;

/// A word in the file `fault` beside it breaks it.
const SCRIPT: &str = r#"#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/calls"
export VAKT_LAB_FLAVOUR='{flavour}'
tell() { '{lab}' exec "$1" sh -c 'echo "$0" | socat - UNIX-CONNECT:/run/haproxy/admin.sock' "$2"; }
fault=$(cat "$here/fault" 2>/dev/null)
case $* in
*--check*)
    [ "$fault" != refuse ] || { echo 'the zone is locked' >&2; exit 3; }
    for balancer in lb01 lb02; do
        tell $balancer 'show servers state mysql_rw' | awk '$2 == "mysql_rw" && ($7 == 0 || $7 == 4) { print $4 }' &
    done | sort -u
    exit 0;;
esac
[ "$fault" != hang ] || sleep 60
while [ $# -gt 0 ]; do
    case $1 in --from) from=$2;; --to) to=$2;; esac
    shift 2
done
for balancer in lb01 lb02; do
    tell $balancer "set server mysql_rw/$from state maint; set server mysql_rw/$to state ready; shutdown sessions server mysql_rw/$from" &
done
wait
"#;

/// The lab without HAProxy, as far as vakt knows.
fn led_by_command() -> Option<Scene> {
    let scene = Scene::take()?;
    let flavour = std::env::var("VAKT_LAB_FLAVOUR").unwrap_or_default();
    let script = SCRIPT.replace("{lab}", lab::SCRIPT).replace("{flavour}", &flavour);
    let path = scene.folder().join("lead-writes");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Some(scene.configured(|text, folder| {
        let text = text.replace("roles = [\"edge\"]\n", "roles = [\"edge\"]\nhaproxy_socket = \"none\"\n");
        let command = folder.join("lead-writes");
        format!("{text}\n[write_endpoint]\ncommand = [{:?}]\ncommand_ms = 2500\n", command.to_str().unwrap())
    }))
}

/// How it was called to act, in order.
fn acts(folder: &Path) -> Vec<String> {
    let calls = fs::read_to_string(folder.join("calls")).unwrap();
    calls.lines().filter(|line| !line.contains("--check")).map(str::to_owned).collect()
}

fn break_command(folder: &Path, word: &str) {
    fs::write(folder.join("fault"), word).unwrap();
    fs::write(folder.join("calls"), "").unwrap();
}

const THERE: &str = "--from db01 --from-address 10.10.0.31 --to db02 --to-address 10.10.0.32";
const BACK: &str = "--from db02 --from-address 10.10.0.32 --to db01 --to-address 10.10.0.31";

#[test]
fn a_command_leads_writes_there_and_back_under_load_and_is_told_which_node_once_each_time() {
    let Some(scene) = led_by_command() else { return };
    let watch = Watch::start();
    let writers = WRITERS.map(|(node, number)| Writer::start(node, number, SECONDS));
    let started = now();
    while writers.iter().any(|writer| writer.acknowledged().len() < 20) {
        assert!(started.elapsed() < Duration::from_secs(10), "the writers do not write");
        pause();
    }
    for _ in 0..ROUNDS {
        for target in ["db02", "db01"] {
            let text = scene.switch_to(target);
            assert!(text.contains("on the bastion leads writes to"), "{text}");
            assert!(scene::is_settled(target), "{:?}", scene::state());
            let (before, at) = (writers[0].acknowledged().len(), now());
            while writers[0].acknowledged().len() < before + 30 {
                assert!(at.elapsed() < Duration::from_secs(10), "nobody writes after the switchover to {target}");
                pause();
            }
        }
    }
    let moved = handovers(&watch.writable());
    drop(watch);
    assert_eq!(moved.len(), 2 * ROUNDS, "each switchover is one hand-over, at no moment two: {moved:?}");
    assert_eq!(acts(scene.folder()), [THERE, BACK].repeat(ROUNDS));
    let calls = fs::read_to_string(scene.folder().join("calls")).unwrap();
    assert!(calls.starts_with(&format!("--check {THERE}\n")), "it was not asked before it acted: {calls}");
    let mut acknowledged: Vec<(f64, u64)> = writers.iter().flat_map(Writer::acknowledged).collect();
    drop(writers);
    acknowledged.sort_by(|one, other| one.0.total_cmp(&other.0));
    nothing_is_lost(&acknowledged);
    _ = told("vakt with a command", &acknowledged, &moved);
}

#[test]
fn a_command_that_cannot_or_hangs_leaves_everything_as_it_was() {
    let Some(scene) = led_by_command() else { return };
    let switch = ["do", "mysql.switchover", "--to", "db02", "--yes", "--reason", "test"];
    break_command(scene.folder(), "refuse");
    let output = scene.vakt(&switch);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Stopped: ") && text.contains("exit 3: the zone is locked"), "{text}");
    assert!(acts(scene.folder()).is_empty() && scene::is_settled("db01"), "{:?}", scene::state());
    break_command(scene.folder(), "hang");
    let output = scene.vakt(&switch);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Rolled back: ") && text.contains("was killed"), "{text}");
    assert_eq!(acts(scene.folder()), [THERE]);
    assert!(scene::is_settled("db01"), "{:?}", scene::state());
}
