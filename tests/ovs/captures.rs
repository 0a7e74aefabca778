//! Every capture is a test: what is understood of it is compared with the reviewed snapshot.

use super::{METHODS, capture, clean, folder, last_sample};
use crate::wire::captures::{lines, shorten};
use serde::Serialize;
use std::{fmt::Write as _, fs};
use vakt::{
    model::{
        figure::Figure,
        linux_bridge::PortForwarding,
        ovs::{Ofport, OvsSample},
        ovs_daemon::PortReference,
    },
    wire::{
        linux_bridge,
        ovs::text::{self, Understood},
        probe::Complaint,
    },
};

fn compare<T: Serialize>(name: &str, facts: &T, complaints: &[Complaint]) {
    let mut text = String::new();
    lines("", &shorten(serde_json::to_value(facts).unwrap()), &mut text);
    for complaint in complaints {
        writeln!(text, "complaint: {}: {}", complaint.about, complaint.text).unwrap();
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../captures/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("ovs@3.1.0@{name}"), text));
}

#[test]
fn sessions() {
    compare("every-kind", &last_sample("every-kind", METHODS[0]), &[]);
    compare("lab-kvm01", &last_sample("lab-kvm01", METHODS[0]), &[]);
    compare("lab-kvm02", &last_sample("lab-kvm02", METHODS[0]), &[]);
}

#[test]
fn every_way_of_asking_tells_the_same() {
    for method in METHODS {
        // The three sessions began and ended at slightly different moments of the daemon's process figures.
        let alike = |mut sample: OvsSample| {
            sample.switch.daemon = Figure::default();
            sample
        };
        let (newest, this) = (last_sample("every-kind", METHODS[0]), last_sample("every-kind", method));
        assert_eq!(alike(this), alike(newest), "{method}");
    }
}

#[test]
fn an_interface_that_failed_says_why() {
    let sample = last_sample("lab-kvm01", METHODS[0]);
    let (_, _, vnet0) = sample.interfaces().find(|(_, _, interface)| interface.name == clean("vnet0")).unwrap();
    assert_eq!(vnet0.ofport, Figure::Known(Ofport::Failed));
    let why = vnet0.error.as_ref().known().unwrap().as_ref().unwrap();
    assert_eq!(why.as_str(), "could not open network device vnet0 (No such device)");
    assert!(vnet0.link.known().is_none() && vnet0.statistics.rx_packets.known().is_none());
}

#[test]
fn text_answers() {
    fn all<T: Serialize>(ending: &str, understand: fn(&[u8]) -> Understood<T>) {
        let mut names: Vec<String> = fs::read_dir(folder())
            .unwrap()
            .map(|file| file.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.ends_with(ending))
            .collect();
        names.sort();
        assert!(!names.is_empty(), "no capture of {ending}");
        for name in names {
            let (facts, complaints) = understand(&capture(&name));
            compare(&name.replace(".txt", ""), &facts.unwrap(), &complaints);
        }
    }
    all(".dump-ports.txt", text::port_counters);
    all(".dump-ports-names.txt", text::port_counters);
    all(".fdb.txt", text::learned_addresses);
    all(".bond.txt", text::bonds);
    all(".lacp.txt", text::lacp);
    all(".dpif.txt", text::datapaths);
    all(".dpctl.txt", text::datapath_counters);
    all(".upcall.txt", text::upcalls);
}

#[test]
fn members_were_called_slaves_before_2_15() {
    let old = |name: &str| {
        let text = String::from_utf8(capture(name)).unwrap();
        text.replace("member", "slave").replace("\n  ", "\n\t").into_bytes()
    };
    assert_eq!(text::bonds(&old("every-kind.bond.txt")), text::bonds(&capture("every-kind.bond.txt")));
    assert_eq!(text::lacp(&old("every-kind.lacp.txt")), text::lacp(&capture("every-kind.lacp.txt")));
}

#[test]
fn a_bond_says_who_carries_what() {
    let (bonds, _) = text::bonds(&capture("every-kind.bond.txt"));
    let bonds = bonds.unwrap();
    let degraded = bonds.iter().find(|bond| bond.name == clean("bond1")).unwrap();
    assert_eq!((degraded.enabled_members(), degraded.members.len()), (1, 2), "one of two members is down");
    let balancing = b"---- b ----\nbond_mode: balance-slb\n\nslave e0: enabled\n\tactive slave\n\tmay_enable: true\n\thash 31: 5 kB load\n\thash 154: 7 kB load\n\nslave e1: enabled\n";
    let (bonds, complaints) = text::bonds(balancing);
    let members = &bonds.unwrap()[0].members;
    assert_eq!((members[0].load_kbytes, members[0].active), (Some(12), true));
    assert_eq!((members[1].load_kbytes, members[1].may_enable.known()), (None, None));
    assert_eq!(complaints, []);
}

#[test]
fn a_member_of_an_aggregation_is_healthy_when_both_ends_pass_traffic() {
    let (ports, _) = text::lacp(&capture("every-kind.lacp.txt"));
    let healthy = |text: &[u8]| text::lacp(text).0.unwrap()[0].members[0].is_healthy();
    assert!(
        ports.unwrap().iter().flat_map(|port| &port.members).all(|member| member.is_healthy() == Figure::Known(true))
    );
    let alone = b"---- b ----\n  status: active\nmember: p1: defaulted attached\n  actor state: synchronized collecting distributing\n  partner sys_id: 00:00:00:00:00:00\n  partner state:\n";
    assert_eq!(healthy(alone), Figure::Known(false));
    assert!(healthy(b"---- b ----\nmember: p1: current attached\n").known().is_none());
}

#[test]
fn an_answer_in_prose_is_no_answer() {
    let prose: &[u8] = b"ovs-vswitchd: no such bridge\novs-appctl: server returned an error\n";
    let complaint = |complaints: Vec<Complaint>| complaints.first().unwrap().text.as_str().to_owned();
    assert!(text::port_counters(prose).0.is_none());
    assert!(text::learned_addresses(prose).0.is_none());
    assert!(text::bonds(prose).0.is_none());
    assert!(text::datapaths(prose).0.is_none());
    let (none, complaints) = text::lacp(prose);
    assert!(none.is_none());
    assert_eq!(complaint(complaints), "not understood: ovs-vswitchd: no such bridge");
    // A switch without bonds answers nothing at all.
    assert_eq!(text::bonds(b""), (Some(Vec::new()), Vec::new()));
    assert_eq!(text::lacp(b"\n"), (Some(Vec::new()), Vec::new()));
}

#[test]
fn rare_words_of_the_text_commands() {
    let (ports, complaints) = text::port_counters(
        b"OFPST_PORT reply (OF1.3) (xid=0x2): 1 ports\n  port  \"a \\\"b\\\": rx \": rx pkts=1, bytes=2, drop=3, errs=?, frame=-1, over=0, crc=0\n           tx pkts=4\n           duration=5.1s\n",
    );
    let port = &ports.unwrap()[0];
    assert_eq!(port.port, PortReference::Name(clean("a \"b\": rx ")));
    assert_eq!((port.statistics.rx_dropped.known(), port.statistics.rx_errors.known()), (Some(3), None));
    assert_eq!((port.statistics.tx_packets.known(), port.statistics.tx_bytes.known()), (Some(4), None));
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    let (addresses, complaints) = text::learned_addresses(
        b" port  VLAN  MAC                Age\nLOCAL     0  02:00:00:00:00:01  static\n    1    10  02:00:00:00:00  3\n",
    );
    let addresses = addresses.unwrap();
    assert_eq!((&addresses[0].port, addresses[0].age_s), (&PortReference::Number(65534), None));
    assert_eq!((addresses.len(), complaints.len()), (1, 1));
}

#[test]
fn plain_linux_bridges() {
    let path = folder().join("../../linux-bridge/debian-12/two-bridges.txt");
    let (bridges, complaints) = linux_bridge::interpret(&fs::read(path).unwrap());
    assert_eq!(complaints, []);
    assert_eq!(bridges.iter().map(|bridge| bridge.name.as_str()).collect::<Vec<_>>(), ["br-empty", "br-lan"]);
    assert_eq!(bridges[0].spanning_tree, Figure::Known(true));
    assert!(bridges[0].ports.is_empty() && bridges[0].filters_vlans.known().is_none());
    let lan = &bridges[1];
    assert_eq!((lan.ageing_ms, lan.mtu_bytes), (Figure::Known(300_000), Figure::Known(1400)));
    let states: Vec<_> = lan.ports.iter().map(|port| (port.name.as_str(), port.forwarding.known().unwrap())).collect();
    assert_eq!(states, [("v0", PortForwarding::Forwarding), ("v2", PortForwarding::Disabled)]);
    // A host without bridges answers with its devices only.
    assert_eq!(linux_bridge::interpret(b"/sys/class/net/eth0/mtu:1500\n"), (Vec::new(), Vec::new()));
}
