//! Plans and refusals about guests of hypervisors.

use super::{golden, plan_of, planned};
use crate::run::cluster::Cluster;
use vakt::{
    model::{haproxy::AdminState, hypervisor::DomainState},
    plan::{Planned, ReasonKind},
    wire::request::{Access, Call},
};

fn off(cluster: Cluster, name: &str) -> Cluster {
    cluster.with_guest(name, |guest| (guest.state, guest.reason) = (DomainState::Off, 1))
}

fn paused(cluster: Cluster, name: &str) -> Cluster {
    cluster.with_guest(name, |guest| (guest.state, guest.reason) = (DomainState::Paused, 1))
}

/// The same with disks in pools of that kind.
fn shared(kind: &'static str) -> Cluster {
    let mut cluster = Cluster::with_guests();
    for hypervisor in &mut cluster.hypervisors {
        hypervisor.pool = Some(("images", kind));
    }
    cluster
}

/// Every plan of a guest.
pub(super) fn corpus() -> Vec<(&'static str, Cluster, &'static str)> {
    let guests = Cluster::with_guests;
    vec![
        ("vm_suspend", guests(), "vm.suspend web03"),
        ("vm_resume", paused(guests(), "app01"), "vm.resume app01"),
        (
            "vm_resume_after_io_error",
            guests().with_guest("app01", |guest| (guest.state, guest.reason) = (DomainState::Paused, 5)),
            "vm.resume app01",
        ),
        ("vm_start", off(guests(), "app01"), "vm.start app01"),
        ("vm_shutdown", guests(), "vm.shutdown app01 --deadline 30s"),
        (
            "vm_shutdown_deaf",
            guests().with_guest("app01", |guest| guest.listens = false),
            "vm.shutdown app01 --deadline 5s",
        ),
        ("vm_reset", guests(), "vm.reset app01 --deadline 30s"),
        ("vm_migrate", guests(), "vm.migrate web03 --to kvm02 --deadline 60s"),
        (
            "vm_migrate_never",
            guests().with_guest("web03", |guest| guest.never_arrives = true),
            "vm.migrate web03 --to kvm02 --deadline 5s",
        ),
        ("vm_migrate_shared", shared("netfs"), "vm.migrate web03 --to kvm02"),
    ]
}

type Change = fn(&mut Cluster);

/// Its name, what is made of the cluster, what is asked for, and what it must be refused for.
type Refused = (&'static str, Change, &'static str, &'static [ReasonKind]);

/// Where the guest is, and whether it runs twice.
fn refusals_of_place() -> Vec<Refused> {
    use ReasonKind as Kind;
    vec![
        ("refused_vm_unknown", |_| (), "vm.suspend app09", &[Kind::UnknownTarget]),
        ("refused_vm_elsewhere", |cluster| cluster.vanish("kvm02"), "vm.suspend app02", &[Kind::StaleFacts]),
        (
            "refused_vm_twice",
            |cluster| {
                let copy = cluster.guest("app01").clone();
                cluster.hypervisor("kvm02").unwrap().guests.push(copy);
            },
            "vm.suspend app01",
            &[Kind::SplitBrain],
        ),
        (
            "refused_vm_start_unread",
            |cluster| {
                cluster.guest("app01").state = DomainState::Off;
                cluster.vanish("kvm02");
            },
            "vm.start app01",
            &[Kind::StaleFacts],
        ),
        (
            "refused_vm_start_other_name",
            |cluster| {
                let mut copy = cluster.guest("app01").clone();
                copy.name = "app01-old";
                cluster.hypervisor("kvm02").unwrap().guests.push(copy);
                cluster.guest("app01").state = DomainState::Off;
            },
            "vm.start app01",
            &[Kind::SplitBrain],
        ),
    ]
}

/// What keeps a guest from moving.
fn refusals_of_moves() -> Vec<Refused> {
    use ReasonKind as Kind;
    const MOVE: &str = "vm.migrate web03 --to kvm02";
    vec![
        ("refused_vm_migrate_nowhere", |_| (), "vm.migrate web03 --to lb01", &[Kind::UnknownTarget]),
        ("refused_vm_migrate_unread", |cluster| cluster.vanish("kvm02"), MOVE, &[Kind::UnknownTarget]),
        (
            "refused_vm_migrate_uuid",
            |cluster| {
                let mut copy = cluster.guest("web03").clone();
                (copy.name, copy.state) = ("web03-old", DomainState::Off);
                cluster.hypervisor("kvm02").unwrap().guests.push(copy);
            },
            MOVE,
            &[Kind::SplitBrain],
        ),
        ("refused_vm_migrate_fate", |_| (), "vm.migrate app01 --to kvm02", &[Kind::NotFit]),
        (
            "refused_vm_migrate_bound",
            |cluster| {
                let guest = cluster.guest("web03");
                guest.snapshots = 2;
                guest.devices = vec!["hostdev pci".into(), "filesystem virtiofs".into()];
                guest.cpu_mode = "host-passthrough";
            },
            MOVE,
            &[Kind::NotFit, Kind::NotFit, Kind::NotFit],
        ),
        (
            "refused_vm_migrate_host",
            |cluster| {
                let there = cluster.hypervisor("kvm02").unwrap();
                (there.qemu, there.memory_mib, there.pool, there.trunks) = (6_002_000, 1024, None, vec![20]);
            },
            MOVE,
            &[Kind::CapacityFloor, Kind::NoWay, Kind::NoWay, Kind::NotFit],
        ),
        (
            "refused_vm_migrate_bridge",
            |cluster| cluster.hypervisor("kvm02").unwrap().bridge = "br-other",
            MOVE,
            &[Kind::NoWay],
        ),
        (
            "refused_vm_migrate_cached",
            |cluster| {
                *cluster = shared("netfs");
                cluster.guest("web03").cache = "";
            },
            MOVE,
            &[Kind::NotFit],
        ),
    ]
}

/// How the guest stands, and what stands or falls with it.
fn refusals_of_state() -> Vec<Refused> {
    use ReasonKind as Kind;
    vec![
        (
            "refused_vm_start_no_room",
            |cluster| {
                cluster.guest("app01").state = DomainState::Off;
                cluster.hypervisor("kvm01").unwrap().memory_mib = 1536;
            },
            "vm.start app01",
            &[Kind::CapacityFloor],
        ),
        (
            "refused_vm_start_paused",
            |cluster| cluster.guest("app01").state = DomainState::Paused,
            "vm.start app01",
            &[Kind::WrongState],
        ),
        (
            "refused_vm_resume_off",
            |cluster| cluster.guest("app01").state = DomainState::Off,
            "vm.resume app01",
            &[Kind::WrongState],
        ),
        (
            "refused_vm_resume_migrating",
            |cluster| {
                let guest = cluster.guest("app01");
                (guest.state, guest.reason) = (DomainState::Paused, 2);
            },
            "vm.resume app01",
            &[Kind::Busy],
        ),
        (
            "refused_vm_stuck",
            |cluster| cluster.guest("app01").is_answering = false,
            "vm.shutdown app01",
            &[Kind::NoService],
        ),
        (
            "refused_vm_transient",
            |cluster| cluster.guest("app01").is_persistent = false,
            "vm.shutdown app01",
            &[Kind::NoWay],
        ),
        (
            "refused_vm_reset_unseen",
            |cluster| cluster.guest("app01").page_faults = None,
            "vm.reset app01",
            &[Kind::NoWay],
        ),
        (
            "refused_vm_last_of_role",
            |cluster| cluster.guest("app02").state = DomainState::Paused,
            "vm.suspend app01",
            &[Kind::LastServer],
        ),
        (
            "refused_vm_last_server",
            |cluster| {
                for balancer in &mut cluster.balancers {
                    for name in ["web01", "web02"] {
                        balancer.server(name).told = AdminState::Maint;
                    }
                }
            },
            "vm.shutdown web03",
            &[Kind::LastServer],
        ),
    ]
}

#[test]
fn every_refusal_about_a_guest_reads_as_it_should() {
    for (name, change, line, kinds) in
        refusals_of_place().into_iter().chain(refusals_of_moves()).chain(refusals_of_state())
    {
        let mut cluster = Cluster::with_guests();
        change(&mut cluster);
        let planned = planned(&cluster, line);
        golden(name, &planned);
        let found: Vec<ReasonKind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn a_switch_that_was_not_read_is_unknown_and_not_missing() {
    let (mut world, inventory) = Cluster::with_guests().world();
    world.nodes.iter_mut().find(|facts| facts.name.as_str() == "kvm02").unwrap().ovs =
        vakt::model::observation::Observed::default();
    let words = ["vm.migrate", "web03", "--to", "kvm02"];
    let Ok(intent) = vakt::model::intent::Intent::parse(&words) else { panic!("{words:?}") };
    let policy = &inventory.settings.policy;
    let refusal = vakt::plan::plan(&world, &inventory, &intent, policy, crate::run::cluster::START).unwrap_err();
    let found: Vec<(ReasonKind, &str)> =
        refusal.reasons.iter().map(|reason| (reason.kind, reason.what.as_str())).collect();
    assert_eq!(found, [(ReasonKind::UnknownFact, "Whether kvm02 has the bridge br-int is not known.")]);
}

#[test]
fn what_a_guest_does_already_says_so() {
    for (name, cluster, line) in [
        ("already_suspended", paused(Cluster::with_guests(), "app01"), "vm.suspend app01"),
        ("already_running", Cluster::with_guests(), "vm.start app01"),
        ("already_off", off(Cluster::with_guests(), "app01"), "vm.shutdown app01"),
    ] {
        let planned = planned(&cluster, line);
        assert!(matches!(planned, Ok(Planned::AlreadyThere(_))), "{name}");
        golden(name, &planned);
    }
}

#[test]
fn a_name_that_a_shell_would_split_is_refused() {
    for name in ["a b", "a;b", "-x", "$(id)", "wéb"] {
        let (world, inventory) = Cluster::with_guests().world();
        let Ok(intent) = vakt::model::intent::Intent::parse(&["vm.start", name]) else { panic!("{name}") };
        let policy = &inventory.settings.policy;
        let refusal = vakt::plan::plan(&world, &inventory, &intent, policy, crate::run::cluster::START).unwrap_err();
        assert_eq!(refusal.reasons[0].kind, ReasonKind::UnsafeName, "{name}");
    }
}

#[test]
fn what_is_sent_to_libvirt_goes_to_the_socket_that_may_write_and_nowhere_else() {
    for (name, cluster, line) in corpus() {
        let plan = plan_of(&cluster, line);
        for write in plan.body.steps.iter().filter_map(|step| step.write()) {
            let Call::LibvirtWrite { socket, .. } = &write.request.call else { panic!("{name}") };
            assert_eq!(socket, "/run/libvirt/libvirt-sock", "{name}");
            assert_eq!(write.request.access, Access::Write, "{name}");
        }
        for request in plan.body.sources.iter().flat_map(|source| &source.requests) {
            assert!(!request.to_string().contains("libvirt-sock?"), "{name}: {request}");
            assert_eq!(request.access, Access::Read, "{name}");
        }
    }
}
