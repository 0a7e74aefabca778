//! `tune.set NODE/PORT ovs.…`: what is refused, what is so already, and what a plan asks for.

use super::{golden, plan_of, planned};
use crate::run::cluster::Cluster;
use vakt::plan::{Planned, ReasonKind, parts::ConfirmBy};

#[test]
fn the_way_back_is_on_the_node_before_anything_is_changed() {
    let cluster = Cluster::with_guests();
    golden("port_tag", &planned(&cluster, "tune.set kvm01/phy-int ovs.tag 20"));
    golden(
        "port_trunks",
        &planned(&cluster, "tune.set kvm01/phy-int ovs.trunks none --revert-after 5m --reason new-vlan"),
    );
    let plan = plan_of(&cluster, "tune.set kvm01/phy-int ovs.tag 20");
    assert_eq!(plan.body.confirmation.by, ConfirmBy::Target("kvm01/phy-int".into()));
    let back = plan.body.subject.former_value().unwrap();
    assert_eq!(back.as_str(), "none", "undo sets what was there before");
}

#[test]
fn every_refusal_names_what_speaks_against_it() {
    use ReasonKind as Kind;
    let mut silent = Cluster::with_guests();
    silent.vanish("kvm01");
    let cases: [(&str, Cluster, &str, &[Kind]); 8] = [
        ("refused_port_value", Cluster::with_guests(), "tune.set kvm01/phy-int ovs.tag 4096", &[Kind::NotFit]),
        ("refused_port_unknown", Cluster::with_guests(), "tune.set kvm01/eth9 ovs.tag 20", &[Kind::UnknownTarget]),
        ("refused_port_unsaid", Cluster::with_guests(), "tune.set kvm01 ovs.tag 20", &[Kind::UnknownTarget]),
        ("refused_port_node", Cluster::with_guests(), "tune.set kvm09/eth1 ovs.tag 20", &[Kind::UnknownTarget]),
        (
            "refused_port_figure",
            Cluster::with_guests(),
            "tune.set kvm01/patch0 ovs.mtu_request 9000",
            &[Kind::UnknownFact],
        ),
        ("refused_port_cable", Cluster::with_guests(), "tune.set kvm01/patch0 ovs.link down", &[Kind::NotFit]),
        ("refused_port_persist", Cluster::with_guests(), "tune.set kvm01/phy-int ovs.tag 20 --persist", &[Kind::NoWay]),
        ("refused_port_silent", silent, "tune.set kvm01/phy-int ovs.tag 20", &[Kind::StaleFacts]),
    ];
    for (name, cluster, line, kinds) in cases {
        let planned = planned(&cluster, line);
        golden(name, &planned);
        let found: Vec<Kind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn a_value_that_is_set_already_is_left_alone() {
    let already = planned(&Cluster::with_guests(), "tune.set kvm01/phy-int ovs.tag none");
    assert!(matches!(already, Ok(Planned::AlreadyThere(_))));
    golden("already_port", &already);
}
