//! The conversations with a switch's database and daemon, and what moody ones do to them.

use super::{
    bed::{Bed, NODE},
    fake_switch::{FakeSwitch, Mood},
    watched::{Watched, kind},
};
use crate::program::now;
use std::time::Duration;
use vakt::{
    model::{
        figure::Figure,
        ovs::{OvsReading, Vlan},
        ovs_daemon::{DaemonProcessState, OvsDetail, OvsLiveSample},
        trouble::{Trouble, TroubleKind},
    },
    wire::{
        probe::{Facts, ProbeId},
        request::{Call, OvsTalk, Reply},
    },
};

/// How long an answer is held back here while nothing changes.
const HOLD_MS: u64 = 400;

async fn database(nodes: &Watched, switch: &FakeSwitch) -> Result<OvsReading, Trouble> {
    let call = Call::Ovsdb { socket: switch.socket(), hold_ms: HOLD_MS };
    let reply = nodes.call(NODE, call, 5_000, 1 << 24).await?;
    match ProbeId::Ovs.probe().interpret(&[reply]) {
        (Some(Facts::Ovs(reading)), complaints) if complaints.is_empty() => Ok(*reading),
        other => panic!("{other:?}"),
    }
}

async fn daemon(nodes: &Watched, switch: &FakeSwitch, talk: OvsTalk) -> Reply {
    nodes.call(NODE, Call::OvsDaemon { folder: switch.folder(), talk }, 2_000, 1 << 24).await.unwrap()
}

async fn live(nodes: &Watched, switch: &FakeSwitch) -> OvsLiveSample {
    let reply = daemon(nodes, switch, OvsTalk::Live).await;
    match ProbeId::OvsLive.probe().interpret(&[reply]) {
        (Some(Facts::OvsLive(sample)), _) => *sample,
        other => panic!("{other:?}"),
    }
}

async fn detail(nodes: &Watched, switch: &FakeSwitch) -> OvsDetail {
    let reply = daemon(nodes, switch, OvsTalk::Detail).await;
    match ProbeId::OvsDetail.probe().interpret(&[reply]) {
        (Some(Facts::OvsDetail(detail)), _) => *detail,
        other => panic!("{other:?}"),
    }
}

fn tag(reading: &OvsReading) -> Option<u16> {
    let sample = reading.sample.as_ref()?;
    let (_, port, _) = sample.interfaces().find(|(_, port, _)| port.name.as_str() == "priv0")?;
    match port.vlan {
        Figure::Known(Vlan::Access(tag)) => Some(tag),
        _ => None,
    }
}

#[tokio::test]
async fn the_database_tells_changes_over_one_kept_conversation() {
    let bed = Bed::in_process();
    let switch = FakeSwitch::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    let first = database(&nodes, &switch).await.unwrap();
    assert_eq!(tag(&first), Some(10));
    // Nothing changes: the answer waits, and says only that.
    let waited = now();
    assert_eq!(database(&nodes, &switch).await.unwrap().sample, None);
    assert!(waited.elapsed() >= Duration::from_millis(HOLD_MS));
    // A change that comes while a poll waits ends it; one that came before a poll is told at once.
    let (told, ()) = tokio::join!(database(&nodes, &switch), async { switch.tell_tag(20) });
    assert_eq!(tag(&told.unwrap()), Some(20));
    switch.tell_tag(30);
    assert_eq!(tag(&database(&nodes, &switch).await.unwrap()), Some(30));
    assert_eq!(switch.connections(), 1);
}

#[tokio::test]
async fn a_frozen_database_holds_up_nobody_and_is_read_again() {
    let bed = Bed::in_process();
    let switch = FakeSwitch::start(bed.scratch.path());
    switch.set(Mood::Frozen);
    let nodes = Watched::up(&bed).await;
    let (frozen, other) = tokio::join!(database(&nodes, &switch), nodes.shell("echo here"));
    assert_eq!(other.unwrap().bytes, b"here\n");
    assert_eq!(frozen.map(|_| ()).unwrap_err().kind, TroubleKind::DeadlineMissed);
    switch.set(Mood::Well);
    // It is asked again after a short rest, at most a second.
    let until = now() + Duration::from_secs(5);
    let reading = loop {
        match database(&nodes, &switch).await {
            Ok(reading) => break reading,
            Err(trouble) => assert!(now() < until, "{trouble}"),
        }
    };
    assert_eq!(tag(&reading), Some(10));
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1, "the connection to the node stayed");
}

#[tokio::test]
async fn a_hostile_database_is_left_and_costs_nobody_else() {
    let bed = Bed::in_process();
    let switch = FakeSwitch::start(bed.scratch.path());
    switch.set(Mood::Hostile);
    let nodes = Watched::up(&bed).await;
    let trouble = database(&nodes, &switch).await.map(|_| ()).unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::ConnectionLost, "{trouble}");
    assert!(!trouble.cause.as_str().contains('\u{1b}'), "{trouble}");
    assert_eq!(nodes.shell("echo here").await.unwrap().bytes, b"here\n");
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1);
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let bed = Bed::in_process();
    let nodes = Watched::up(&bed).await;
    let call = |socket: &str| Call::Ovsdb { socket: socket.into(), hold_ms: HOLD_MS };
    let missing = nodes.call(NODE, call("/nowhere/db.sock"), 5_000, 1000).await;
    assert_eq!(kind(missing), TroubleKind::SocketMissing);
    let odd = nodes.call(NODE, call("/run/a b"), 5_000, 1000).await;
    assert_eq!(kind(odd), TroubleKind::Internal);
}

/// Before a conversation is open, the way to the daemon may be what takes so long: once.
#[tokio::test]
async fn a_way_to_the_daemon_that_opens_late_is_no_silence_at_first() {
    let bed = Bed::in_process();
    let switch = FakeSwitch::start(bed.scratch.path());
    switch.set(Mood::Frozen);
    let nodes = Watched::up(&bed).await;
    let kinds = [live(&nodes, &switch).await, live(&nodes, &switch).await].map(|sample| sample.silence.unwrap().kind);
    assert_eq!(kinds, [TroubleKind::TimedOut, TroubleKind::DeadlineMissed]);
    switch.set(Mood::Well);
    assert_eq!(live(&nodes, &switch).await.silence, None);
    switch.set(Mood::Frozen);
    assert_eq!(live(&nodes, &switch).await.silence.unwrap().kind, TroubleKind::DeadlineMissed, "it was open");
}

#[tokio::test]
async fn the_daemon_is_looked_at_and_asked() {
    let bed = Bed::in_process();
    let mut switch = FakeSwitch::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    let sample = live(&nodes, &switch).await;
    assert_eq!(sample.process, DaemonProcessState::Running { pid: switch.pid() });
    assert_eq!((sample.silence, sample.datapaths.len()), (None, 1));
    assert!(sample.ports.iter().any(|port| port.statistics.rx_packets.known().is_some()));
    let told = detail(&nodes, &switch).await;
    assert_eq!(told.silence, None);
    assert_eq!(told.addresses.len(), 1, "{told:?}");
    assert!(told.upcalls.known().is_some_and(|all| all[0].flows_max.known().is_some()));
    // It says nothing any more, and its process tells that it is there.
    switch.set(Mood::Frozen);
    let frozen = live(&nodes, &switch).await;
    assert_eq!(frozen.process, DaemonProcessState::Running { pid: switch.pid() });
    assert_eq!(frozen.silence.unwrap().kind, TroubleKind::DeadlineMissed);
    // Halted, then dead: the process alone tells.
    let signal = |word: &str| {
        let status = std::process::Command::new("kill").args([word, &switch.pid().to_string()]).status().unwrap();
        assert!(status.success());
    };
    signal("-STOP");
    // The signal is sent, and the process stops a moment later.
    let mut halted = live(&nodes, &switch).await;
    for _ in 0..100 {
        if halted.process == (DaemonProcessState::Halted { pid: switch.pid() }) {
            break;
        }
        halted = live(&nodes, &switch).await;
    }
    assert_eq!((halted.process, halted.silence), (DaemonProcessState::Halted { pid: switch.pid() }, None));
    signal("-CONT");
    let pid = switch.pid();
    switch.kill_daemon();
    assert_eq!(live(&nodes, &switch).await.process, DaemonProcessState::Gone { pid });
    std::fs::remove_file(switch.folder.join("ovs-vswitchd.pid")).unwrap();
    assert_eq!(live(&nodes, &switch).await.process, DaemonProcessState::NotStarted);
}
