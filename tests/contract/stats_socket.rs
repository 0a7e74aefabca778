//! The ways to a stats socket, and what a moody HAProxy behind it may do.

use super::{
    bed::{Bed, NODE},
    fake_haproxy::{FakeHaproxy, INFO, Mood},
    watched::{Watched, haproxy, kind},
};
use std::fs;
use vakt::model::{link::Way, trouble::TroubleKind};

#[tokio::test]
async fn haproxy_is_asked_over_one_kept_conversation() {
    let bed = Bed::in_process();
    let haproxy = FakeHaproxy::start(bed.scratch.path());
    let mut nodes = Watched::up(&bed).await;
    for _ in 0..5 {
        assert_eq!(nodes.haproxy(haproxy.socket(), "show info").await.unwrap().bytes, INFO.as_bytes());
    }
    assert_eq!(haproxy.connections(), 1);
    assert_eq!(nodes.until_routed().await.way, Ok(Way::StreamLocal));
    let two = nodes.haproxy(haproxy.socket(), "show info;show stat").await;
    assert_eq!(kind(two), TroubleKind::Internal);
    let unknown = nodes.haproxy(haproxy.socket(), "nonsense").await.unwrap();
    assert_eq!(unknown.bytes, b"Unknown command: 'nonsense'\n");
    haproxy.set(Mood::Hostile);
    let hostile = nodes.haproxy(haproxy.socket(), "show info").await.unwrap();
    assert_eq!(hostile.bytes, "\u{1b}[2J> \n> show info\nName: HAProxy\n>\u{202e}\n".as_bytes());
    assert_eq!(haproxy.connections(), 1);
}

#[tokio::test]
async fn a_reloaded_or_restarted_haproxy_is_found_again() {
    let bed = Bed::in_process();
    let mut old = FakeHaproxy::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    nodes.haproxy(old.socket(), "show info").await.unwrap();
    // A reload: the kept conversation leads to the process that is leaving.
    old.set(Mood::Leaving);
    assert_eq!(nodes.haproxy(old.socket(), "show info").await.unwrap().bytes, INFO.as_bytes());
    assert_eq!(old.connections(), 2);
    // Killed: the socket's file stays, nobody listens.
    old.kill().await;
    let socket = old.socket().to_owned();
    let trouble = nodes.haproxy(&socket, "show info").await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::DaemonNotRunning, "{trouble}");
    // Started again: the socket is a new one.
    fs::remove_file(&old.path).unwrap();
    assert_eq!(kind(nodes.haproxy(&socket, "show info").await), TroubleKind::SocketMissing);
    let _new = FakeHaproxy::start(bed.scratch.path());
    assert_eq!(nodes.haproxy(&socket, "show info").await.unwrap().bytes, INFO.as_bytes());
}

#[tokio::test]
async fn a_full_stats_socket_is_named_and_the_connection_stays() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    fake.set(Mood::Full);
    let nodes = Watched::up(&bed).await;
    for _ in 0..4 {
        let full = nodes.call(NODE, haproxy(fake.socket(), "show info"), 400, 1000).await;
        assert_eq!(kind(full), TroubleKind::StatsSocketFull);
    }
    assert_eq!(nodes.shell("echo here").await.unwrap().bytes, b"here\n");
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1);
    fake.set(Mood::Well);
    assert_eq!(nodes.haproxy(fake.socket(), "show info").await.unwrap().bytes, INFO.as_bytes());
}

#[tokio::test]
async fn forbidden_forwarding_falls_back_to_a_relay() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    bed.server.as_ref().unwrap().rules(|rules| rules.forwards_sockets = false);
    let mut nodes = Watched::up(&bed).await;
    for _ in 0..3 {
        assert_eq!(nodes.haproxy(fake.socket(), "show info").await.unwrap().bytes, INFO.as_bytes());
    }
    assert_eq!(nodes.until_routed().await.way, Ok(Way::Socat));
    assert_eq!(fake.connections(), 1);
}

#[tokio::test]
async fn without_forwarding_and_relay_the_cause_is_named() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    let bin = bed.scratch.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["sh", "id", "grep", "test", "printf", "sleep"] {
        let found = ["/bin", "/usr/bin"]
            .iter()
            .map(|folder| format!("{folder}/{program}"))
            .find(|file| fs::exists(file).unwrap());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(program)).unwrap();
    }
    bed.server.as_ref().unwrap().rules(|rules| {
        rules.forwards_sockets = false;
        rules.wrapper = Some(format!("PATH={}; export PATH; %", bin.display()));
    });
    let nodes = Watched::up(&bed).await;
    let trouble = nodes.haproxy(fake.socket(), "show info").await.unwrap_err();
    // Without a relay to ask, this machine's sshd_config decides between the two.
    assert!(matches!(trouble.kind, TroubleKind::ForwardingForbidden | TroubleKind::DaemonNotRunning), "{trouble}");
}
