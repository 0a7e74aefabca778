//! Open vSwitch 4.0 of the lab's flavour "modern": the same questions, the same understanding.

use super::told;
use crate::wire::captures::{lines, shorten};
use serde::Serialize;
use std::{
    fs,
    path::{Path, PathBuf},
};
use vakt::{
    model::{figure::Figure::Known, ovs::OvsSample, ovs_daemon::PortReference, text::Clean, time::Mono},
    wire::{
        feed::{Feed as _, FeedOutput},
        ovs::{
            OvsFeed,
            text::{self, Understood},
        },
    },
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/ovs/4.0.0")
}

fn capture(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

/// The last sample of a session, asked in the newest way.
fn sample(name: &str) -> OvsSample {
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    let asked = feed.take(&capture("schema.json"), Mono(0));
    assert!(matches!(&asked[..], [FeedOutput::Send(_)]), "{asked:?}");
    let (sample, complaints) = told(feed.take(&capture(&format!("{name}.monitor_cond_since.json")), Mono(1)));
    assert_eq!(complaints, []);
    sample.unwrap()
}

fn compare<T: Serialize>(name: &str, facts: &T) {
    let mut text = String::new();
    lines("", &shorten(serde_json::to_value(facts).unwrap()), &mut text);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../captures/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("ovs@4.0.0@{name}"), text));
}

#[test]
fn sessions_of_version_4() {
    for node in ["lab-kvm01", "lab-kvm02"] {
        let sample = sample(node);
        assert!(sample.interfaces().count() >= 7, "{node}");
        compare(node, &sample);
    }
}

#[test]
fn text_commands_of_version_4() {
    fn whole<T: Serialize>(name: &str, understand: fn(&[u8]) -> Understood<T>) {
        let (facts, complaints) = understand(&capture(&format!("{name}.txt")));
        assert_eq!(complaints, [], "{name}");
        assert_ne!(serde_json::to_value(&facts).unwrap().as_array().map(Vec::len), Some(0), "{name}");
        compare(name, &facts);
    }
    for node in ["lab-kvm01", "lab-kvm02"] {
        whole(&format!("{node}.dump-ports"), text::port_counters);
        whole(&format!("{node}.fdb"), text::learned_addresses);
        whole(&format!("{node}.dpif"), text::datapaths);
    }
}

/// Since version 4 the upcalls of a port follow its counters: they are no frames of it.
#[test]
fn counters_of_version_4_are_those_of_the_port() {
    let (datapaths, complaints) = text::datapath_counters(&capture("lab-kvm02.dpctl.txt"));
    assert_eq!(complaints, []);
    let datapaths = datapaths.unwrap();
    let name = PortReference::Name(Clean::line("priv0"));
    let port = datapaths[0].ports.iter().find(|port| port.port == name).unwrap().statistics;
    assert_eq!((port.rx_packets, port.rx_errors, port.tx_dropped), (Known(386), Known(0), Known(3)));
}
