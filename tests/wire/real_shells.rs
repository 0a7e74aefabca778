//! The scripts run in the shells that nodes have, on the kernel that runs the tests.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};
use vakt::{
    history::host::derive,
    model::{
        host::{HostProfile, HostSample},
        ids::NodeName,
        inventory::{Node, SshOverrides},
        time::Wall,
    },
    wire::{
        probe::{Facts, ProbeId},
        request::{Call, Reply},
    },
};

pub(super) fn node() -> Node {
    Node {
        name: NodeName::from("n1"),
        roles: Vec::new(),
        management: "n1".into(),
        private: None,
        public: None,
        site: None,
        jurisdiction: None,
        ssh: SshOverrides::default(),
        haproxy_socket: Some("/run/haproxy/admin.sock".into()),
    }
}

/// The script of a probe.
pub(super) fn script(probe: ProbeId) -> String {
    match &probe.probe().requests(&node(), 2_000)[0].call {
        Call::Shell { script } => script.to_string(),
        Call::Exec { argv } => argv[2].clone(),
        Call::Haproxy { .. } => panic!("no script"),
    }
}

/// Shells of this machine; each takes its script from standard input, as the kept shell does.
fn shells() -> Vec<Vec<&'static str>> {
    let all: [&[&str]; 5] = [&["sh"], &["dash"], &["bash"], &["bash", "--posix", "-u"], &["busybox", "sh"]];
    let there =
        |shell: &&[&str]| Command::new("which").arg(shell[0]).output().is_ok_and(|which| which.status.success());
    all.into_iter().filter(there).map(<[&str]>::to_vec).collect()
}

fn run(shell: &[&str], script: &str) -> Vec<Reply> {
    let mut child = Command::new(shell[0])
        .args(&shell[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{script}").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{shell:?}: {}", String::from_utf8_lossy(&output.stderr));
    vec![Reply { bytes: output.stdout, ..Reply::default() }]
}

#[test]
fn the_host_script_runs_in_every_shell() {
    for shell in shells() {
        let (facts, complaints) = ProbeId::Host.probe().interpret(&run(&shell, &script(ProbeId::Host)));
        assert_eq!(complaints, [], "{shell:?}");
        let Some(Facts::Host(sample)) = facts else { panic!("{shell:?}") };
        let HostSample { cpu, uptime_ms, load, memory, interfaces, .. } = *sample;
        assert!(cpu.known().is_some() && uptime_ms.known().is_some() && load.known().is_some(), "{shell:?}");
        assert!(memory.known().is_some_and(|memory| memory.total_bytes > memory.available_bytes), "{shell:?}");
        assert!(interfaces.iter().all(|interface| interface.name.as_str() != "lo"), "{shell:?}");
    }
}

#[test]
fn the_profile_script_runs_in_every_shell() {
    for shell in shells() {
        let (facts, _) = ProbeId::HostProfile.probe().interpret(&run(&shell, &script(ProbeId::HostProfile)));
        let Some(Facts::HostProfile(profile)) = facts else { panic!("{shell:?}") };
        let HostProfile { hostname, kernel, filesystems, units, .. } = *profile;
        assert!(hostname.known().is_some() && kernel.known().is_some(), "{shell:?}");
        assert!(filesystems.iter().any(|filesystem| filesystem.mount.as_str() == "/"), "{shell:?}");
        assert!(!units.is_empty(), "{shell:?}");
    }
}

#[test]
fn scripts_are_one_line() {
    for probe in [ProbeId::Host, ProbeId::HostProfile] {
        assert!(!script(probe).contains('\n'));
    }
}

/// Prints the scripts, for measuring and for new captures: `cargo test print_scripts -- --ignored --nocapture`.
#[test]
#[ignore = "prints only"]
fn print_scripts() {
    println!("host: {}", script(ProbeId::Host));
    println!("profile: {}", script(ProbeId::HostProfile));
}

/// Prints what two polls a second apart say of the machine behind `VAKT_SHELL` (by default `sh` here), to be compared with
/// `vmstat 1` and `iostat` by eye: `VAKT_SHELL='ssh db01 sh' cargo test print_live -- --ignored --nocapture`.
#[test]
#[ignore = "prints only"]
fn print_live_figures() {
    let shell = std::env::var("VAKT_SHELL").unwrap_or_else(|_| "sh".into());
    let words: Vec<&str> = shell.split(' ').collect();
    let host = script(ProbeId::Host);
    let replies = run(&words, &format!("{host}; echo ====; sleep 2; {host}; echo ====; sleep 1; {host}"));
    let text = String::from_utf8(replies[0].bytes.clone()).unwrap();
    let mut older: Option<HostSample> = None;
    for part in text.split("====\n") {
        let reply = Reply { bytes: part.as_bytes().to_vec(), ..Reply::default() };
        let (Some(Facts::Host(sample)), complaints) = ProbeId::Host.probe().interpret(&[reply]) else {
            panic!("{part}")
        };
        let facts = derive(older.as_ref(), *sample, Wall(0), 0);
        println!(
            "{complaints:?} window {:?} cpu {:.2?}\n  memory {:.1?} io full {:.2?} blocked {:?} {:?}",
            facts.window_ms,
            facts.cpu,
            facts.memory_used_percent,
            facts.io_full_percent,
            facts.sample.blocked_tasks,
            facts.sample.blocked_commands,
        );
        facts.disks.iter().for_each(|disk| println!("  {disk:.1?}"));
        facts.interfaces.iter().for_each(|interface| println!("  {interface:.0?}"));
        older = Some(facts.sample);
    }
}
