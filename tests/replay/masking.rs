//! Literals and strangers' addresses are masked on the way to the disk, and nothing that vakt reads today changes.

use super::{Live, answered, at, inventory, plain, story};
use crate::wire::captures::{captures, replies};
use vakt::{
    app::msg::Event,
    model::{
        link::{LinkEvent, LinkState},
        trouble::{Trouble, TroubleKind},
    },
    runtime::{
        collector::understood,
        recorder::{Recorded, Recording, Target},
    },
    wire::{mask::Mask, probe::ProbeId, request::Reply},
};

const KEY: [u8; 16] = [7; 16];

/// Addresses in captures that no inventory of this test names.
fn masked(text: &str) -> String {
    Mask::new(&inventory(), KEY).addresses(text).into_owned()
}

#[test]
fn masked_captures_say_the_same_apart_from_masked_text() {
    let mut changed = 0;
    for (technology, ending, probe) in [
        ("host", ".txt", ProbeId::Host),
        ("host-profile", ".txt", ProbeId::HostProfile),
        ("haproxy", ".stat.txt", ProbeId::Haproxy),
    ] {
        for path in captures(technology, ending) {
            let plain_replies = replies(&path);
            let hidden: Vec<Reply> = plain_replies
                .iter()
                .map(|reply| {
                    let text = String::from_utf8_lossy(&reply.bytes).into_owned();
                    Reply { bytes: masked(&text).into_bytes(), ..reply.clone() }
                })
                .collect();
            changed += usize::from(hidden != plain_replies);
            let (facts, complaints) = probe.probe().interpret(&plain_replies);
            let (hidden_facts, hidden_complaints) = probe.probe().interpret(&hidden);
            // Masking the facts afterwards gives what the masked words say.
            let expected = masked(&serde_json::to_string(&(facts, complaints)).unwrap());
            let got = serde_json::to_string(&(hidden_facts, hidden_complaints)).unwrap();
            assert_eq!(got, expected, "{}", path.display());
        }
    }
    assert!(changed > 5, "only {changed} captures hold an address that is masked");
}

#[test]
fn no_stranger_s_address_reaches_the_disk_whichever_message_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vakt.gz");
    let mut live = Live::start(Target::file(&path).unwrap(), Some(KEY), 1_000);
    let node = inventory().nodes[0].name.clone();
    let why = "refused by 198.51.100.7, not by 10.10.0.11";
    let state = LinkState::Down { trouble: Trouble::new(TroubleKind::Refused, why, "ask 2001:db8:77::7"), retry: None };
    live.take(&at(0, Event::Resize { width: 200, height: 60 }));
    live.take(&at(10, Event::Link { node: node.clone(), event: LinkEvent::State(state) }));
    for happening in &story(4) {
        live.take(happening);
    }
    // A later chapter's snapshot holds what came before.
    live.take(&at(60_000, Event::Tick));
    live.recorder.finish(super::PATIENCE);
    let text = plain(&path);
    assert!(text.contains("198.51.masked-") && text.contains("2001:db8:masked-"), "they were there");
    assert!(!text.contains("198.51.100.7") && !text.contains("2001:db8:77::7"));
    let known = inventory().nodes[0].private.unwrap().to_string();
    assert!(text.contains(&known), "the inventory stays readable");
    assert!(Recording::open(&path).unwrap().chapters.iter().all(|chapter| chapter.header.masked));
    // Whoever configures it gets everything.
    let open = folder.path().join("open.vakt.gz");
    let mut live = Live::start(Target::file(&open).unwrap(), None, 1_000);
    let trouble = Trouble::new(TroubleKind::Refused, why, "wait");
    let event = LinkEvent::State(LinkState::Down { trouble, retry: None });
    live.take(&at(10, Event::Link { node, event }));
    live.recorder.finish(super::PATIENCE);
    assert!(plain(&open).contains("198.51.100.7"));
}

#[test]
fn a_report_is_kept_as_the_nodes_own_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vakt.gz");
    let node = inventory().nodes[0].name.clone();
    let stories: Vec<_> =
        captures("haproxy", ".stat.txt").iter().map(|capture| answered(10, &node, ProbeId::Haproxy, capture)).collect();
    Live::start(Target::file(&path).unwrap(), None, u64::MAX).tell(&stories);
    let loaded = Recording::open(&path).unwrap().load(0).unwrap();
    assert_eq!(loaded.entries.len(), stories.len());
    for (entry, happening) in loaded.entries.iter().zip(&stories) {
        let Recorded::Raw(raw) = entry else { panic!("{entry:?}") };
        let replies: Vec<Reply> =
            raw.replies.iter().cloned().map(vakt::runtime::recorder::RawReply::into_reply).collect();
        assert_eq!(replies.as_slice(), &**happening.replies.as_ref().unwrap());
        // Understood again, it is the same message.
        assert_eq!(entry.msg(), happening.msg);
        assert_eq!(
            understood(raw.probe, &replies).0.is_ok(),
            matches!(&happening.msg.event, Event::Report(report) if report.outcome.is_ok())
        );
    }
}
