//! Hosts: hold time, hysteresis, and the words.

use super::{
    lines,
    stage::{Stage, cpu, disk, filesystem},
};
use vakt::model::{
    figure::{Figure, Unknown},
    host::Virtualisation,
    text::Clean,
};

fn none() -> Vec<String> {
    Vec::new()
}

#[test]
fn iowait_names_the_slowest_disk_and_is_told_once() {
    let mut stage = Stage::new();
    stage.host("db01", |host| {
        host.cpu = cpu(44.0, 0.0);
        host.io_full_percent = Figure::Known(31.0);
        host.sample.blocked_tasks = Figure::Known(3);
        host.disks = vec![disk("vdb", 2.0), disk("vda", 81.4)];
    });
    stage.run(20);
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ db01: iowait 44 %: vda answers writes in 81 ms"]);
    let evidence: Vec<&str> = findings[0].evidence.iter().map(Clean::as_str).collect();
    assert_eq!(
        evidence,
        [
            "iowait 44 % (limit 25 %)",
            "IO pressure, all tasks: 31 % (limit 10 %)",
            "vda: busy 100 %, queue 4.2, 0.0/s reads, 96.0/s writes",
            "3 blocked tasks",
        ]
    );
}

#[test]
fn a_figure_must_hold_and_its_beginning_is_kept() {
    let mut stage = Stage::new();
    stage.host("db01", |host| host.cpu = cpu(44.0, 0.0));
    stage.run(10);
    assert_eq!(lines(&stage.findings()), none());
    stage.second();
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ db01: iowait 44 %"]);
    assert_eq!(stage.now.mono.since_ms(findings[0].since.mono), 10_000, "since it began, not since it was told");
}

#[test]
fn a_figure_near_its_limit_neither_begins_nor_ends_a_finding() {
    let mut stage = Stage::new();
    stage.host("db01", |host| host.cpu = cpu(22.0, 0.0));
    stage.run(30);
    assert_eq!(lines(&stage.findings()), none());
    stage.host("db01", |host| host.cpu = cpu(30.0, 0.0));
    stage.run(12);
    stage.host("db01", |host| host.cpu = cpu(22.0, 0.0));
    stage.run(30);
    assert_eq!(lines(&stage.findings()), ["▲ db01: iowait 22 %"]);
    stage.host("db01", |host| host.cpu = cpu(15.0, 0.0));
    stage.run(6);
    assert_eq!(lines(&stage.findings()), none());
}

#[test]
fn one_quiet_second_does_not_start_the_hold_time_again() {
    let mut stage = Stage::new();
    for second in 0..14 {
        let iowait = if second % 4 == 3 { 3.0 } else { 60.0 };
        stage.host("db01", |host| host.cpu = cpu(iowait, 0.0));
        stage.second();
    }
    assert_eq!(lines(&stage.findings()), ["▲ db01: iowait 60 %"]);
}

#[test]
fn a_short_peak_is_no_finding() {
    let mut stage = Stage::new();
    stage.host("db01", |host| host.cpu = cpu(90.0, 0.0));
    stage.run(3);
    stage.host("db01", |host| host.cpu = cpu(1.0, 0.0));
    for _ in 0..30 {
        stage.second();
        assert_eq!(lines(&stage.findings()), none());
    }
}

#[test]
fn an_unknown_figure_is_not_zero_and_not_a_finding() {
    let mut stage = Stage::new();
    stage.host("db01", |host| {
        host.cpu = cpu(44.0, 0.0);
        host.io_full_percent = Figure::Unknown(Unknown::NotOffered);
    });
    stage.run(20);
    let findings = stage.findings();
    assert_eq!(findings[0].evidence[1].as_str(), "IO pressure: not offered by this kernel or daemon");
    stage.host("db01", |host| host.cpu = Figure::Unknown(Unknown::CounterReset));
    stage.run(10);
    assert_eq!(lines(&stage.findings()), none());
}

#[test]
fn memory_swap_and_oom_name_the_largest_unit() {
    let mut stage = Stage::new();
    stage.host("web01", |host| {
        host.memory_used_percent = Figure::Known(95.2);
        host.swap_in_per_s = Figure::Known(420.0);
        host.oom_kills_new = Figure::Known(1);
        host.sample.oom_kills = Figure::Known(3);
    });
    stage.second();
    stage.host("web01", |host| host.oom_kills_new = Figure::Known(0));
    stage.run(20);
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        [
            "✗ web01: The kernel ended 1 process because memory ran out; 3 since it started",
            "▲ web01: Memory 95 % in use: 200 MiB left of 4.0 GiB",
            "▲ web01: Reads 420 pages/s back from swap: memory is too small for what runs",
        ]
    );
    for finding in &findings {
        assert_eq!(finding.evidence.last().unwrap().as_str(), "largest: mariadb.service with 2.0 GiB");
    }
    stage.run(600);
    assert_eq!(lines(&stage.findings()).len(), 2, "an OOM kill is told for ten minutes");
}

#[test]
fn each_full_file_system_is_its_own_finding() {
    let mut stage = Stage::new();
    stage.profile("db01", |profile| {
        profile.filesystems = vec![filesystem("/", 89), filesystem("/var/lib/mysql", 93), filesystem("/var/log", 98)];
    });
    stage.second();
    assert_eq!(
        lines(&stage.findings()),
        [
            "✗ db01 /var/log: /var/log is 98 % full: 2.0 GiB left of 100 GiB",
            "▲ db01 /var/lib/mysql: /var/lib/mysql is 93 % full: 7.0 GiB left of 100 GiB",
        ]
    );
}

#[test]
fn steal_and_openvz_are_named() {
    let mut stage = Stage::new();
    stage.host("web01", |host| host.cpu = cpu(0.0, 12.0));
    stage.profile("web02", |profile| profile.virtualisation = Figure::Known(Virtualisation::OpenVz));
    stage.run(20);
    assert_eq!(
        lines(&stage.findings()),
        [
            "▲ web01: Steal 12 %: the hypervisor gives its CPU time to a neighbour",
            "▲ web02: Runs on OpenVZ: its kernel is its host's, it can load no module and build no bridge",
        ]
    );
}

#[test]
fn one_wrong_clock_is_the_node_s_and_many_are_the_bastion_s() {
    let mut stage = Stage::new();
    stage.host("db02", |host| host.clock_offset_ms = Figure::Known(-2_340));
    stage.run(20);
    assert_eq!(lines(&stage.findings()), ["▲ db02: Clock 2.3 s behind this bastion's"]);
    for name in ["lb01", "lb02", "web01", "web02", "web03", "db01"] {
        stage.host(name, |host| host.clock_offset_ms = Figure::Known(340));
    }
    stage.run(20);
    assert_eq!(
        lines(&stage.findings()),
        [
            "▲ db02: Clock 2.3 s behind this bastion's",
            "▲ this bastion: This bastion's clock is 340 ms behind 6 of 8 nodes",
        ]
    );
}
