//! Rules about hypervisors and guests, shared fate and residency: each illness is named, its healthy twin is not.

use std::{collections::BTreeSet, path::Path};
use vakt::{
    config,
    model::{
        figure::Figure,
        hypervisor::{
            DomainDefinition, DomainMemory, DomainRates, DomainSample, DomainState, HypervisorFacts, HypervisorProfile,
            HypervisorSample,
        },
        ids::NodeName,
        inventory::Inventory,
        link::LinkState,
        text::Clean,
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
        world::World,
    },
    rules::{Acknowledgements, Finding, Operators, Rules},
    run::{ledger::Ledger, lock::LockState},
};

const CLUSTER: &str = "[cluster]\nname = \"oslo\"\n\
    [[node]]\nname = \"kvm01\"\nroles = [\"hypervisor\"]\nmanagement = \"kvm01\"\njurisdiction = \"NO\"\n\
    [[node]]\nname = \"kvm02\"\nroles = [\"hypervisor\"]\nmanagement = \"kvm02\"\njurisdiction = \"SE\"\n\
    [[node]]\nname = \"db01\"\nroles = [\"database\"]\nmanagement = \"db01\"\njurisdiction = \"NO\"\nhosts = [\"kvm01\"]\n\
    [[guest]]\nname = \"app01\"\nroles = [\"app\"]\nhosts = [\"kvm01\"]\n\
    [[guest]]\nname = \"app02\"\nroles = [\"app\"]\n";

struct Stage {
    inventory: Inventory,
    world: World,
    rules: Rules,
    now: Now,
}

fn domain(name: &str, state: DomainState, reason: i64) -> DomainSample {
    DomainSample {
        name: Clean::line(name),
        uuid: Clean::line(&format!("uuid of {name}")),
        state: Figure::Known(state),
        reason: Figure::Known(reason),
        is_answering: Figure::Known(true),
        vcpus: Figure::Known(1),
        memory: DomainMemory { current_kib: Figure::Known(1 << 20), ..DomainMemory::default() },
        ..DomainSample::default()
    }
}

fn running(name: &str) -> DomainSample {
    domain(name, DomainState::Running, 1)
}

impl Stage {
    fn with(more: &str) -> Self {
        let text = format!("{CLUSTER}{more}");
        let inventory = config::load(Path::new("x"), &text, &config::FileMetadata::default()).unwrap().inventory;
        let now = Now { mono: Mono(100_000), wall: Wall(1_400_000_000_000) };
        let mut stage = Self { world: World::new(&inventory), inventory, rules: Rules::default(), now };
        for node in &mut stage.world.nodes {
            (node.link.state, node.link.up_at, node.link.since) = (LinkState::Up, Some(now), now);
        }
        stage
    }

    fn new() -> Self {
        Self::with("")
    }

    /// Two seconds pass; every node answers, and libvirt of each host tells of these guests.
    fn look(&mut self, guests: [&[DomainSample]; 2]) -> Vec<Finding> {
        self.look_with(guests, |_| {})
    }

    /// As [`Self::look`] without autostart.
    fn look_by_hand(&mut self, guests: [&[DomainSample]; 2]) -> Vec<Finding> {
        self.look(guests);
        for node in &mut self.world.nodes {
            if let Some(mut profile) = node.hypervisor_profile.last().cloned() {
                for domain in &mut profile.domains {
                    domain.autostart = Figure::Known(false);
                }
                node.hypervisor_profile.take(profile, self.now);
            }
        }
        self.evaluate()
    }

    fn look_with(&mut self, guests: [&[DomainSample]; 2], change: impl Fn(&mut HypervisorFacts)) -> Vec<Finding> {
        self.pass();
        for (host, guests) in ["kvm01", "kvm02"].into_iter().zip(guests) {
            let mut facts = HypervisorFacts {
                sample: HypervisorSample { domains: guests.to_vec() },
                rates: vec![DomainRates::default(); guests.len()],
            };
            change(&mut facts);
            let definition = |guest: &DomainSample| DomainDefinition {
                name: guest.name.clone(),
                uuid: guest.uuid.clone(),
                autostart: Figure::Known(true),
                is_persistent: Figure::Known(true),
                ..DomainDefinition::default()
            };
            let profile = HypervisorProfile {
                cpus: Figure::Known(2),
                memory_kib: Figure::Known(4 << 20),
                domains: guests.iter().map(definition).collect(),
                ..HypervisorProfile::default()
            };
            let node = self.world.node_mut(&NodeName::from(host)).unwrap();
            node.hypervisor.take(facts, self.now);
            node.hypervisor_profile.take(profile, self.now);
        }
        self.evaluate()
    }

    fn pass(&mut self) {
        self.now = Now { mono: self.now.mono.plus_ms(2000), wall: Wall(self.now.wall.0 + 2000) };
        let now = self.now;
        for node in &mut self.world.nodes {
            node.host.take(vakt::model::host::HostFacts::default(), now);
        }
    }

    fn evaluate(&mut self) -> Vec<Finding> {
        let (ledger, lock, acknowledged) = (Ledger::default(), LockState::default(), Acknowledgements::default());
        let operators = Operators { ledger: &ledger, lock: &lock, runs: &[], acknowledged: &acknowledged };
        self.rules.evaluate(&self.world, &self.inventory, operators, self.now)
    }

    fn fail(&mut self, host: &str, kind: TroubleKind) -> Vec<Finding> {
        self.pass();
        let now = self.now;
        let trouble = Trouble::new(kind, format!("libvirtd on {host} took the question and said nothing"), "look");
        self.world.node_mut(&NodeName::from(host)).unwrap().hypervisor.fail_with(&trouble, now);
        self.evaluate()
    }
}

fn told(findings: &[Finding]) -> Vec<(&str, &str)> {
    findings.iter().map(|finding| (finding.rule.as_str(), finding.subject.as_str())).collect()
}

#[test]
fn guests_that_run_where_they_belong_are_no_finding() {
    let mut stage = Stage::new();
    for _ in 0..10 {
        let found = stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
        assert_eq!(told(&found), []);
    }
}

#[test]
fn a_guest_that_stands_still_is_named_at_once_with_its_reason() {
    for (state, reason, rule, words) in [
        (DomainState::Paused, 1, "vm.paused", "paused by an operator"),
        (DomainState::Paused, 5, "vm.io_error", "a disk of it failed"),
        (DomainState::Paused, 10, "vm.crashed", "by a crash"),
        (DomainState::Suspended, 1, "vm.paused", "suspended"),
        (DomainState::Off, 3, "vm.crashed", "crashed"),
        (DomainState::Crashed, 1, "vm.crashed", "by a panic of its kernel"),
    ] {
        let mut stage = Stage::new();
        stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
        let ill = domain("app02", state, reason);
        let found = stage.look([&[running("app01"), running("db01")], &[ill]]);
        assert_eq!(told(&found), [(rule, "app02")], "{state:?} {reason}");
        assert!(found[0].sentence.as_str().contains(words), "{}", found[0].sentence);
        assert_eq!(found[0].node, Some(NodeName::from("kvm02")));
        let found = stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
        assert_eq!(told(&found), [], "over at once");
    }
}

#[test]
fn a_pause_of_a_migration_is_told_only_when_it_does_not_end() {
    let mut stage = Stage::new();
    let moving = domain("app02", DomainState::Paused, 2);
    for second in 0..45 {
        let found = stage.look([&[running("app01"), running("db01")], std::slice::from_ref(&moving)]);
        assert_eq!(told(&found).is_empty(), second < 30, "{}: {found:?}", second * 2);
    }
}

#[test]
fn a_guest_on_two_hosts_comes_first_and_needs_two_looks() {
    let mut stage = Stage::new();
    let both: [&[DomainSample]; 2] = [&[running("app01"), running("db01")], &[running("app02"), running("db01")]];
    let found = stage.look(both);
    assert!(!told(&found).contains(&("vm.twice", "db01")), "a migration may end between two looks");
    stage.look(both);
    let found = stage.look(both);
    assert_eq!(told(&found)[0], ("vm.twice", "db01"));
    assert!(found[0].sentence.as_str().contains("kvm01 and kvm02"), "{}", found[0].sentence);
    assert!(told(&found).contains(&("vm.misplaced", "db01")));
}

#[test]
fn guests_on_other_hosts_off_or_without_answer_are_named() {
    let mut stage = Stage::new();
    let found = stage.look([&[running("db01")], &[running("app01"), running("app02")]]);
    assert!(told(&found).contains(&("vm.misplaced", "app01")), "{found:?}");
    let off = domain("app02", DomainState::Off, 1);
    let found = stage.look([&[running("app01"), running("db01")], &[off]]);
    assert_eq!(told(&found), [("vm.off", "app02")]);
    let stuck = DomainSample { is_answering: Figure::Known(false), ..running("app02") };
    // Twice in a row may be another console's question.
    let mut look = || stage.look([&[running("app01"), running("db01")], std::slice::from_ref(&stuck)]);
    let told_at: Vec<bool> = (0..5).map(|_| told(&look()).contains(&("vm.silent", "app02"))).collect();
    assert_eq!(told_at, [false, false, false, true, true]);
    let stranger = domain("scratch", DomainState::Off, 1);
    let found = stage.look([&[running("app01"), running("db01"), stranger], &[running("app02")]]);
    assert_eq!(told(&found), [], "what nobody counts on may be off");
}

#[test]
fn libvirtd_that_says_nothing_is_told_apart_from_one_that_is_gone() {
    for (kind, rule) in [
        (TroubleKind::LibvirtSilent, "libvirt.silent"),
        (TroubleKind::DaemonNotRunning, "libvirt.down"),
        (TroubleKind::SocketNotPermitted, "libvirt.unreadable"),
    ] {
        let mut stage = Stage::new();
        stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
        stage.fail("kvm02", kind);
        let found = stage.fail("kvm02", kind);
        assert_eq!(told(&found), [(rule, "kvm02 libvirtd")]);
        assert!(found[0].evidence.iter().any(|line| line.as_str().contains("1 guest running")), "{found:?}");
        let found = stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
        assert_eq!(told(&found), []);
    }
    let mut stage = Stage::new();
    stage.fail("kvm02", TroubleKind::NotBuiltIn);
    assert_eq!(told(&stage.fail("kvm02", TroubleKind::NotBuiltIn)), [], "not the cluster's fault");
}

#[test]
fn a_frozen_libvirtd_is_a_finding_with_its_first_missed_answer() {
    let mut stage = Stage::new();
    stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
    assert_eq!(told(&stage.fail("kvm02", TroubleKind::LibvirtSilent)), [("libvirt.silent", "kvm02 libvirtd")]);
}

#[test]
fn steal_names_the_noisy_neighbour() {
    let mut stage = Stage::new();
    let ill = |facts: &mut HypervisorFacts| {
        for (domain, rates) in facts.sample.domains.iter().zip(&mut facts.rates) {
            let is_noisy = domain.name.as_str() == "db01";
            rates.cpu_percent = Figure::Known(if is_noisy { 190.0 } else { 3.0 });
            rates.steal_percent = Figure::Known(if domain.name.as_str() == "app01" { 31.0 } else { 0.5 });
        }
    };
    let guests: [&[DomainSample]; 2] = [&[running("app01"), running("db01")], &[running("app02")]];
    let found: Vec<Finding> = (0..8).flat_map(|_| stage.look_with(guests, ill)).collect();
    assert!(told(&found).iter().all(|told| *told == ("vm.steal", "app01")), "{found:?}");
    assert!(found.last().unwrap().sentence.as_str().contains("db01 uses 190 %"), "{:?}", found.last());
}

#[test]
fn a_host_that_promised_too_much_is_named_after_the_hold_time() {
    let mut stage = Stage::new();
    let big = DomainSample {
        vcpus: Figure::Known(12),
        memory: DomainMemory { current_kib: Figure::Known(5 << 20), ..DomainMemory::default() },
        ..running("db01")
    };
    let mut found = Vec::new();
    for _ in 0..8 {
        found = stage.look([&[running("app01"), big.clone()], &[running("app02")]]);
    }
    assert_eq!(told(&found), [("vm.overcommit", "kvm01")]);
    let said = found[0].sentence.as_str();
    assert!(said.contains("150 % of its memory") && said.contains("13 virtual CPUs on 2"), "{said}");
}

#[test]
fn all_machines_of_a_role_on_one_host_share_its_fate() {
    let mut stage = Stage::new();
    let found = stage.look([&[running("app01"), running("app02"), running("db01")], &[]]);
    assert_eq!(told(&found), [("fate.hypervisor", "app")]);
    assert!(found[0].sentence.as_str().contains("run on kvm01: app01, app02"), "{}", found[0].sentence);
    // One database is not a shared fate: there is no other one to share it with.
    assert!(!told(&found).contains(&("fate.hypervisor", "database")));
}

#[test]
fn data_where_it_may_not_live_is_named_by_the_place_of_its_host() {
    let mut stage = Stage::with("[residency]\ndatabase = [\"NO\"]\napp = [\"NO\"]\n");
    let found = stage.look([&[running("app01"), running("db01")], &[running("app02")]]);
    assert_eq!(told(&found), [("residency.jurisdiction", "app02 app")]);
    assert!(found[0].sentence.as_str().contains("its host kvm02 is in SE"), "{}", found[0].sentence);
    let found = stage.look([&[running("app01")], &[running("app02"), running("db01")]]);
    assert!(told(&found).contains(&("residency.jurisdiction", "db01 database")), "{found:?}");
}

#[test]
fn a_guest_that_stays_off_after_a_reboot_of_its_host_is_named_where_somebody_counts_on_it() {
    let mut stage = Stage::new();
    let found = stage.look_by_hand([&[running("db01"), running("scratch")], &[]]);
    assert_eq!(told(&found), [("vm.autostart", "db01")]);
}

/// The names of all rules of this kind, each from a cluster that has its illness.
pub(super) fn every_rule() -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut note = |findings: Vec<Finding>| {
        for finding in findings {
            assert!(!finding.hint.is_empty() && !finding.sentence.is_empty(), "{finding:?}");
            seen.insert(finding.rule.to_string());
        }
    };
    let well: [&[DomainSample]; 2] = [&[running("app01"), running("db01")], &[running("app02")]];
    for state in [(DomainState::Paused, 1), (DomainState::Paused, 5), (DomainState::Crashed, 1), (DomainState::Off, 1)]
    {
        note(Stage::new().look([well[0], &[domain("app02", state.0, state.1)]]));
    }
    for kind in [TroubleKind::LibvirtSilent, TroubleKind::DaemonNotRunning, TroubleKind::ServiceRefused] {
        let mut stage = Stage::new();
        stage.fail("kvm01", kind);
        note(stage.fail("kvm01", kind));
    }
    let mut stage = Stage::with("[residency]\napp = [\"NO\"]\n");
    let stuck = DomainSample { is_answering: Figure::Known(false), ..running("app02") };
    let big = DomainSample { vcpus: Figure::Known(40), ..running("db01") };
    for _ in 0..8 {
        let ill: [&[DomainSample]; 2] =
            [std::slice::from_ref(&big), &[running("app01"), stuck.clone(), running("db01")]];
        note(stage.look_with(ill, |facts| {
            for rates in &mut facts.rates {
                rates.steal_percent = Figure::Known(31.0);
            }
        }));
    }
    note(stage.look_by_hand(well));
    seen
}
