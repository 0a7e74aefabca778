//! The daemon's process in real shells, its answers, and what no daemon answers.

use super::{capture, clean};
use proptest::prelude::*;
use std::{fs, io::Write as _, process::Command, process::Stdio};
use vakt::{
    model::{figure::Figure, ovs_daemon::DaemonProcessState, ovs_daemon::PortReference, trouble::TroubleKind},
    wire::{
        ovs::{
            daemon::{DaemonTalk, look, process_state, unasked},
            text,
        },
        probe::{Facts, ProbeId},
        request::{OvsTalk, Reply},
    },
};

fn reply(bytes: Vec<u8>) -> [Reply; 1] {
    [Reply { bytes, ..Reply::default() }]
}

/// A script in a shell that takes it from standard input, as the kept shell does.
fn run(shell: &[&str], script: &str) -> Vec<u8> {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{script}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{shell:?}");
    output.stdout
}

#[test]
fn the_look_at_the_process_says_the_same_in_every_shell() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().to_str().unwrap().to_owned();
    let program = scratch.path().join("ovs-vswitchd");
    // A link: a copy that was just written cannot be run while a child of another test still has it open.
    std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
    let file = scratch.path().join("ovs-vswitchd.pid");
    let shells: Vec<Vec<&str>> = [&["sh"][..], &["dash"], &["bash"], &["bash", "--posix", "-u"], &["busybox", "sh"]]
        .into_iter()
        .filter(|shell| Command::new("which").arg(shell[0]).output().is_ok_and(|which| which.status.success()))
        .map(<[&str]>::to_vec)
        .collect();
    for shell in &shells {
        let state = || process_state(&run(shell, &look(&folder)));
        let _ = fs::remove_file(&file);
        assert_eq!(state(), DaemonProcessState::NotStarted, "{shell:?}");
        let mut process = Command::new(&program).arg("600").spawn().unwrap();
        let pid = u64::from(process.id());
        fs::write(&file, format!("{pid}\n")).unwrap();
        assert_eq!(state(), DaemonProcessState::Running { pid }, "{shell:?}");
        assert!(Command::new("kill").args(["-STOP", &pid.to_string()]).status().unwrap().success());
        // The signal is sent, and the process stops a moment later.
        let halted = (0..500).any(|_| state() == DaemonProcessState::Halted { pid });
        assert!(halted, "{shell:?}: {:?}", state());
        process.kill().unwrap();
        process.wait().unwrap();
        assert_eq!(state(), DaemonProcessState::Gone { pid }, "{shell:?}");
        // The number belongs to another program by now.
        fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        assert_eq!(state(), DaemonProcessState::Gone { pid: u64::from(std::process::id()) }, "{shell:?}");
        fs::write(&file, "$(id); rm -rf /tmp/nothing 'x\n").unwrap();
        assert_eq!(state(), DaemonProcessState::NotStarted, "{shell:?}");
    }
    assert!(shells.len() >= 2, "{shells:?}");
}

#[test]
fn a_process_that_the_login_may_not_see_is_hidden() {
    let state = |text: &str| process_state(text.as_bytes());
    assert_eq!(state("pid 7\n"), DaemonProcessState::Hidden { pid: 7 });
    assert_eq!(state("pid 7\nvisible\n"), DaemonProcessState::Gone { pid: 7 });
    assert_eq!(state("pid 7\nstat 7 (ovs-vswitchd) Z 1 7\nvisible\n"), DaemonProcessState::Gone { pid: 7 });
    assert_eq!(state("pid 7\nstat 7 (ovs-vswitchd) t 1 7\nvisible\n"), DaemonProcessState::Halted { pid: 7 });
    assert_eq!(state("pid 7\nstat 7 (a) b) (ovs-vswitchd) S\n"), DaemonProcessState::Gone { pid: 7 });
    for odd in ["", "pid\n", "pid -1\n", "pid x\nstat\n", "stat 7 (ovs-vswitchd) S"] {
        assert_eq!(state(odd), DaemonProcessState::NotStarted, "{odd:?}");
    }
}

#[test]
fn counters_of_every_port_of_a_datapath_are_read() {
    let (datapaths, complaints) = text::datapath_counters(&capture("lab-kvm02.dpctl.txt"));
    assert_eq!(complaints, []);
    let datapaths = datapaths.unwrap();
    assert_eq!((datapaths.len(), datapaths[0].load.lost), (1, Figure::Known(0)));
    let port = |name: &str| {
        let is_it = |port: &&vakt::model::ovs_daemon::PortCounters| port.port == PortReference::Name(clean(name));
        datapaths[0].ports.iter().find(is_it).unwrap().statistics
    };
    assert_eq!(port("priv0").rx_dropped, Figure::Known(399));
    assert_eq!(port("eth1").tx_bytes, Figure::Known(60_010));
    assert_eq!(port("vxlan_sys_4789").tx_dropped.known(), None, "a question mark is unknown");
    assert!(text::datapath_counters(b"ovs-vswitchd: no datapaths exist\n").0.is_none());
    assert_eq!(text::datapath_counters(b"").0.unwrap().len(), 0);
}

#[test]
fn flows_and_their_limit_are_read() {
    let (all, complaints) = text::upcalls(&capture("lab-kvm02.upcall.txt"));
    let all = all.unwrap();
    assert_eq!(
        (all[0].flows, all[0].flows_max, all[0].dump_ms),
        (Figure::Known(2), Figure::Known(10_000), Figure::Known(1))
    );
    assert_eq!(complaints, []);
    let old = b"system@ovs-system:\n\tflows         : (current 7) (avg 3)(max 9)(limit 200000)\n";
    assert_eq!(text::upcalls(old).0.unwrap()[0].flows_max, Figure::Known(200_000));
}

/// A talk in which every question is answered by `answer`.
fn talk(talk: OvsTalk, answer: impl Fn(&str) -> serde_json::Value) -> (usize, Vec<u8>) {
    let mut conversation = DaemonTalk::new(talk);
    let mut asked = 0;
    while let Some(question) = conversation.ask() {
        asked += 1;
        let question: serde_json::Value = serde_json::from_slice(&question).unwrap();
        let mut reply = answer(question["method"].as_str().unwrap());
        reply["id"] = question["id"].clone();
        // In two pieces, with an answer to something else before it.
        let text = format!("{{\"id\":\"vakt-hello\",\"result\":\"x\"}}{reply}");
        let (one, other) = text.as_bytes().split_at(text.len() / 2);
        assert!(!conversation.take(one).unwrap() || one.is_empty());
        assert!(conversation.take(other).unwrap());
    }
    (asked, conversation.into_bytes(b"pid 7\nstat 7 (ovs-vswitchd) S 1\nvisible\n", None))
}

#[test]
fn each_bridge_is_asked_for_its_addresses() {
    let (asked, bytes) = talk(OvsTalk::Detail, |method| {
        let text = match method {
            "ofproto/list" => "br-int\nbr-phy\n".to_owned(),
            "fdb/show" => String::from_utf8(capture("lab-kvm01.fdb.txt")).unwrap(),
            "upcall/show" => String::from_utf8(capture("lab-kvm01.upcall.txt")).unwrap(),
            _ => String::new(),
        };
        serde_json::json!({ "result": text, "error": null })
    });
    assert_eq!(asked, 6);
    let (Some(Facts::OvsDetail(detail)), complaints) = ProbeId::OvsDetail.probe().interpret(&reply(bytes)) else {
        panic!()
    };
    assert_eq!(complaints, []);
    let names: Vec<_> = detail.addresses.iter().map(|one| (one.bridge.as_str(), one.learned)).collect();
    assert_eq!(names, [("br-int", Figure::Known(10)), ("br-phy", Figure::Known(10))]);
    assert_eq!((detail.bonds, detail.lacp), (Figure::Known(Vec::new()), Figure::Known(Vec::new())));
}

#[test]
fn a_command_that_is_refused_is_a_complaint_and_costs_only_itself() {
    let (_, bytes) = talk(
        OvsTalk::Live,
        |_| serde_json::json!({ "result": null, "error": "\"dpctl/show\" is not a valid command\n" }),
    );
    let (Some(Facts::OvsLive(sample)), complaints) = ProbeId::OvsLive.probe().interpret(&reply(bytes)) else {
        panic!()
    };
    assert_eq!(sample.process, DaemonProcessState::Running { pid: 7 });
    assert!(complaints[0].text.as_str().contains("not a valid command"), "{complaints:?}");
    let bytes = unasked(b"pid 7\nvisible\n", None);
    let (Some(Facts::OvsLive(sample)), complaints) = ProbeId::OvsLive.probe().interpret(&reply(bytes)) else {
        panic!()
    };
    assert_eq!((sample.process, complaints.len()), (DaemonProcessState::Gone { pid: 7 }, 0));
    let trouble = vakt::model::trouble::Trouble::new(TroubleKind::DeadlineMissed, "no answer", "look");
    let (Some(Facts::OvsLive(sample)), _) = ProbeId::OvsLive.probe().interpret(&reply(unasked(b"", Some(trouble))))
    else {
        panic!()
    };
    assert_eq!(sample.silence.unwrap().kind, TroubleKind::DeadlineMissed);
}

#[test]
fn a_flood_of_answers_ends_the_talk() {
    let mut conversation = DaemonTalk::new(OvsTalk::Live);
    conversation.ask().unwrap();
    let mut taken = 0;
    let piece = vec![b' '; 1 << 20];
    while conversation.take(&piece).is_ok() {
        taken += 1;
        assert!(taken < 64, "it never ends");
    }
}

proptest! {
    #[test]
    fn no_bytes_in_place_of_an_answer_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in any::<prop::sample::Index>()) {
        for probe in [ProbeId::Ovs, ProbeId::OvsLive, ProbeId::OvsDetail, ProbeId::LinuxBridges] {
            let _ = probe.probe().interpret(&reply(bytes.clone()));
            let _ = probe.probe().interpret(&[]);
        }
        let mut conversation = DaemonTalk::new(OvsTalk::Detail);
        let _ = conversation.ask();
        let _ = conversation.take(&bytes);
        let _ = process_state(&bytes);
        let (_, whole) = talk(OvsTalk::Live, |_| serde_json::json!({ "result": "netdev@x:\n  port 1: a\n    RX packets:1\n" }));
        let _ = ProbeId::OvsLive.probe().interpret(&reply(whole[..cut.index(whole.len())].to_vec()));
    }
}
