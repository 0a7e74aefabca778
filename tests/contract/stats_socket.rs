//! The ways to a stats socket, and what a moody HAProxy behind it may do.

use super::{
    bed::{Bed, NODE},
    fake_haproxy::{FakeHaproxy, INFO, Mood},
    watched::{Watched, haproxy, kind},
};
use std::fs;
use vakt::{
    model::{link::Way, text::Clean, trouble::TroubleKind},
    transport::{Permit, Sent, WritingConnections, ssh::WritingFleet},
    wire::request::{Access, Request},
};

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

const DRAIN: &str = "set server b/s state drain";

/// One write as the executor sends it.
async fn write(nodes: Watched, read_only: bool, socket: &str, deadline_ms: u64) -> Sent {
    let fleet = WritingFleet::new(nodes.fleet, read_only);
    let request = Request { access: Access::Write, call: haproxy(socket, DRAIN), deadline_ms, cap_bytes: 4096 };
    fleet.send(&NODE.into(), &request, Permit { record: 1 }).await
}

fn words(sent: &Sent) -> &Clean {
    match sent {
        Sent::Lost(why) | Sent::NotSent(why) => why,
        Sent::Replied(reply) => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn a_write_has_a_conversation_of_its_own_and_is_sent_once() {
    for forwards_sockets in [true, false] {
        let bed = Bed::in_process();
        let fake = FakeHaproxy::start(bed.scratch.path());
        bed.server.as_ref().unwrap().rules(|rules| rules.forwards_sockets = forwards_sockets);
        let nodes = Watched::up(&bed).await;
        nodes.haproxy(fake.socket(), "show info").await.unwrap();
        let Sent::Replied(reply) = write(nodes, false, fake.socket(), 5000).await else { panic!("no reply") };
        assert!(reply.bytes.is_empty());
        assert_eq!(fake.written(), [DRAIN]);
        assert_eq!(fake.connections(), 2);
    }
}

#[tokio::test]
async fn what_stands_ready_takes_several_writes_and_a_reload_is_not_missed() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    let fleet = WritingFleet::new(Watched::up(&bed).await.fleet, false);
    let request =
        Request { access: Access::Write, call: haproxy(fake.socket(), DRAIN), deadline_ms: 5000, cap_bytes: 4096 };
    let node = NODE.into();
    fleet.stand_ready(&node, &request).await;
    assert_eq!((fake.connections(), fake.written().len()), (1, 0));
    for _ in 0..2 {
        let sent = fleet.send(&node, &request, Permit { record: 1 }).await;
        assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    }
    assert_eq!((fake.connections(), fake.written().len()), (1, 2));
    // The conversation leads to the process that a reload has replaced: the write goes to the new one.
    fake.set(Mood::Leaving);
    let sent = fleet.send(&node, &request, Permit { record: 1 }).await;
    assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
    assert_eq!((fake.connections(), fake.written().len()), (2, 3));
    // A read-only one opens nothing.
    let fleet = WritingFleet::new(Watched::up(&bed).await.fleet, true);
    fleet.stand_ready(&node, &request).await;
    assert_eq!(fake.connections(), 2);
}

#[tokio::test]
async fn invariant_5_the_kept_conversation_cannot_write_even_by_a_bug() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    // A write that somebody has marked as a read passes the fleet; HAProxy itself denies it.
    let denied = nodes.haproxy(fake.socket(), DRAIN).await.unwrap();
    assert_eq!(denied.bytes, b"Permission denied\n");
    assert!(fake.written().is_empty());
}

#[tokio::test]
async fn a_haproxy_that_knows_no_levels_is_read_all_the_same() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    fake.set(Mood::Old);
    let nodes = Watched::up(&bed).await;
    assert_eq!(nodes.haproxy(fake.socket(), "show info").await.unwrap().bytes, INFO.as_bytes());
}

#[tokio::test]
async fn invariant_5_a_read_only_transport_refuses_a_write() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    let sent = write(Watched::up(&bed).await, true, fake.socket(), 5000).await;
    assert!(matches!(sent, Sent::NotSent(_)) && words(&sent).as_str().contains("read-only"), "{sent:?}");
    assert_eq!((fake.written().len(), fake.connections()), (0, 0));
}

#[tokio::test]
async fn a_write_without_an_answer_is_lost_and_one_without_a_greeting_is_not_sent() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    fake.set(Mood::Mute);
    let sent = write(Watched::up(&bed).await, false, fake.socket(), 5000).await;
    assert!(matches!(sent, Sent::Lost(_)), "{sent:?}");
    assert_eq!(fake.written(), [DRAIN]);
    // A full socket: what would wait in its queue could take effect at any time.
    fake.set(Mood::Full);
    let sent = write(Watched::up(&bed).await, false, fake.socket(), 400).await;
    assert!(matches!(sent, Sent::NotSent(_)), "{sent:?}");
    assert_eq!(fake.written(), [DRAIN]);
}

#[tokio::test]
async fn a_write_to_a_node_that_is_gone_is_not_sent() {
    let bed = Bed::in_process();
    let fake = FakeHaproxy::start(bed.scratch.path());
    let mut nodes = Watched::up(&bed).await;
    let server = bed.server.as_ref().unwrap();
    server.rules(|rules| rules.dead = true);
    server.hang_up();
    nodes.until_down(NODE).await;
    let sent = write(nodes, false, fake.socket(), 5000).await;
    assert!(matches!(sent, Sent::NotSent(_)), "{sent:?}");
    assert!(fake.written().is_empty());
}
