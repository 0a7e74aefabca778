//! Simulated hypervisors tell of their guests in libvirt's own words, and break as faults say.

use super::stage::Stage;
use vakt::{
    model::{
        figure::Figure,
        hypervisor::{DomainState, HypervisorProfile, HypervisorSample},
    },
    sim::{Fault, Outcome},
    wire::probe::{Facts, ProbeId},
};

fn sample(stage: &mut Stage, host: &str) -> HypervisorSample {
    match stage.probe(host, ProbeId::Guests) {
        (_, Some(Facts::Guests(sample)), complaints) if complaints.is_empty() => *sample,
        other => panic!("{other:?}"),
    }
}

fn profile(stage: &mut Stage, host: &str) -> HypervisorProfile {
    match stage.probe(host, ProbeId::GuestProfile) {
        (_, Some(Facts::GuestProfile(profile)), complaints) if complaints.is_empty() => *profile,
        other => panic!("{other:?}"),
    }
}

#[test]
fn guests_are_on_the_host_that_the_scenario_names_and_their_counters_grow() {
    let mut stage = Stage::new("seed");
    let before = sample(&mut stage, "kvm01");
    stage.pass(10_000);
    let after = sample(&mut stage, "kvm01");
    let guest = &after.domains[0];
    assert_eq!((after.domains.len(), guest.name.as_str()), (1, "app01"));
    assert_eq!((guest.state, guest.is_answering), (Figure::Known(DomainState::Running), Figure::Known(true)));
    let grown = guest.cpu_time_ns.known().unwrap() - before.domains[0].cpu_time_ns.known().unwrap();
    assert_eq!(grown, 600_000_000, "6 % of a core for 10 s");
    let profile = profile(&mut stage, "kvm01");
    let definition = profile.domain(&guest.uuid).unwrap();
    assert_eq!((definition.autostart, profile.cpus), (Figure::Known(true), Figure::Known(2)));
    assert_eq!(definition.interface(&guest.interfaces[0].name).unwrap().vlans, [10]);
    assert_eq!(definition.uptime_s, Figure::Known(3 * 86_400 + 10));
}

#[test]
fn each_word_of_the_fault_is_what_libvirt_would_tell() {
    for (word, state, is_crash, answers) in [
        ("paused", DomainState::Paused, false, Some(true)),
        ("io-error", DomainState::Paused, false, Some(true)),
        ("crashed", DomainState::Off, true, None),
        ("off", DomainState::Off, false, None),
        ("stuck", DomainState::Running, false, Some(false)),
    ] {
        let mut stage = Stage::new("seed");
        stage.fault(&format!("guest app01 {word}"));
        let guest = sample(&mut stage, "kvm01").domains.remove(0);
        assert_eq!((guest.state, guest.has_crashed()), (Figure::Known(state), is_crash), "{word}");
        assert_eq!(guest.stands_on_io_error(), word == "io-error");
        assert_eq!(guest.is_answering.known(), answers, "{word}");
        let request = &ProbeId::Host.probe().requests(stage.node("app01"), 1_000)[0];
        let own = stage.cluster.answer(&"app01".into(), request);
        assert_eq!(own, Outcome::Unreachable, "a guest that stands still does not answer itself");
        stage.fault("guest app01 running");
        assert_eq!(sample(&mut stage, "kvm01").domains[0].state, Figure::Known(DomainState::Running));
        assert!(matches!(stage.cluster.answer(&"app01".into(), request), Outcome::Reply { .. }));
    }
}

#[test]
fn libvirtd_freezes_and_dies_without_its_host_or_guests() {
    let mut stage = Stage::new("seed");
    let question = ProbeId::Guests.probe().requests(stage.node("kvm02"), 1_000).remove(0);
    for (word, outcome) in [("frozen", Outcome::Silent), ("dead", Outcome::NoSocket)] {
        stage.fault(&format!("libvirt kvm02 {word}"));
        assert_eq!(stage.cluster.answer(&"kvm02".into(), &question), outcome);
        stage.host("kvm02");
        stage.host("web03");
    }
    stage.fault("heal kvm02");
    assert_eq!(sample(&mut stage, "kvm02").domains[0].name.as_str(), "web03");
}

#[test]
fn a_dead_hypervisor_takes_its_guests_with_it() {
    let mut stage = Stage::new("seed");
    let request = ProbeId::Host.probe().requests(stage.node("app01"), 1_000).remove(0);
    stage.fault("kill kvm01");
    assert_eq!(stage.cluster.answer(&"app01".into(), &request), Outcome::Unreachable);
    stage.fault("heal kvm01");
    assert!(matches!(stage.cluster.answer(&"app01".into(), &request), Outcome::Reply { .. }));
}

#[test]
fn faults_of_what_is_not_there_are_refused() {
    let mut stage = Stage::new("seed");
    let said =
        |words: &str, stage: &mut Stage| stage.cluster.fault(&Fault::parse(words).unwrap()).unwrap_err().to_string();
    assert!(said("guest web01 paused", &mut stage).starts_with("no guest is called web01"));
    assert!(said("libvirt web01 frozen", &mut stage).starts_with("web01 is no hypervisor"));
}
