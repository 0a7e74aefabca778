//! The scripts run in the shells that nodes have, on the kernel that runs the tests.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};
use vakt::{
    model::{
        host::{HostProfile, HostSample},
        ids::NodeName,
        inventory::{Node, SshOverrides},
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
        ovs: None,
        database: None,
        libvirt_socket: Some("/run/libvirt/libvirt-sock-ro".into()),
        migration_uri: None,
        hosts: Vec::new(),
    }
}

/// The script of a probe.
pub(super) fn script(probe: ProbeId) -> String {
    match &probe.probe().requests(&node(), 2_000)[0].call {
        Call::Shell { script } | Call::ShellWithin { script, .. } => script.to_string(),
        Call::Exec { argv } => argv[2].clone(),
        _ => panic!("no script"),
    }
}

/// Shells of this machine; each takes its script from standard input, as the kept shell does.
fn shells() -> Vec<Vec<&'static str>> {
    let all: [&[&str]; 5] = [&["sh"], &["dash"], &["bash"], &["bash", "--posix", "-u"], &["busybox", "sh"]];
    let there =
        |shell: &&[&str]| Command::new("which").arg(shell[0]).output().is_ok_and(|which| which.status.success());
    all.into_iter().filter(there).map(<[&str]>::to_vec).collect()
}

pub(super) fn run(shell: &[&str], script: &str) -> Vec<Reply> {
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

/// What runs within the kept shell runs there for hours: the thousandth answer is the first one's like.
#[test]
fn what_runs_within_a_shell_leaves_it_as_it_was() {
    for (probe, shell) in [ProbeId::Host, ProbeId::Presence, ProbeId::Services, ProbeId::Daemon]
        .into_iter()
        .flat_map(|probe| shells().into_iter().map(move |shell| (probe, shell)))
    {
        let script = script(probe);
        let state = r#"printf '\n=%s:%s:%s\n' "$PATH" "$-" "$(pwd)""#;
        let told =
            run(&shell, &format!("exec 2>/dev/null; {script}\n{state}\n{script}\n{script}\n{state}\nset --\n{script}"));
        let text = String::from_utf8_lossy(&told[0].bytes).into_owned();
        let parts: Vec<&str> = text.split("\n=").collect();
        let [first, second, last] = parts[..] else { panic!("{probe:?} in {shell:?} ended the shell: {text}") };
        let state_of = |part: &str| part.lines().next().unwrap_or_default().to_owned();
        assert_eq!(state_of(second), state_of(last), "{probe:?} in {shell:?}");
        let answer = last.split_once('\n').map_or("", |(_, answer)| answer);
        // Counters move; what is there at all does not.
        let sizes = (first.lines().count(), answer.lines().count());
        assert!(sizes.0.abs_diff(sizes.1) <= 4, "{probe:?} in {shell:?}: {sizes:?} lines");
    }
}

/// What a shell remembers of a daemon is looked at each time: one that ended is not told.
#[test]
fn a_daemon_that_ended_is_told_by_no_shell() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = folder.path().join("mysqld");
    for shell in shells() {
        let script = script(ProbeId::Daemon);
        let daemon = daemon.display();
        let told = run(
            &shell,
            &format!(
                "exec 2>/dev/null; cp $(command -v sleep) {daemon}; {daemon} 30 & a=$!; c=; n=0; \
                 while [ \"$c\" != mysqld ] && [ $n -lt 10000 ]; do read -r c </proc/$a/comm; n=$((n + 1)); done; \
                 {script}\necho =; {script}\necho =; kill $a; wait $a; {script}\necho =$a"
            ),
        );
        let text = String::from_utf8_lossy(&told[0].bytes).into_owned();
        let parts: Vec<&str> = text.trim_end().split('=').collect();
        let [first, second, ended, pid] = parts[..] else { panic!("{shell:?}: {text}") };
        let tells = |part: &str| part.lines().any(|line| line.starts_with(&format!("process:{pid} ")));
        assert_eq!([first, second, ended].map(tells), [true, true, false], "{shell:?}: {text}");
    }
}

/// The shells read the files in different ways, and read the same.
#[test]
fn a_bash_reads_the_host_without_a_process_and_reads_what_grep_does() {
    let host = |script: &str| {
        let (facts, complaints) = ProbeId::Host.probe().interpret(&run(&["bash"], script));
        assert_eq!(complaints, []);
        let Some(Facts::Host(sample)) = facts else { panic!("no facts") };
        *sample
    };
    let itself = host(&format!("PATH=/nowhere; exec 2>/dev/null; {}", script(ProbeId::Host)));
    let by_grep = host(&script(ProbeId::Host).replace("[4-9].*", "never"));
    let disks = |sample: &HostSample| sample.disks.iter().map(|disk| disk.name.clone()).collect::<Vec<_>>();
    assert_eq!(disks(&itself), disks(&by_grep));
    // Interfaces come and go with the lab.
    assert!(
        !itself.interfaces.is_empty() && itself.interfaces.iter().all(|found| found.state.as_ref().known().is_some())
    );
    let known = |sample: &HostSample| {
        [sample.swap_in_pages.known().is_some(), sample.oom_kills.known().is_some(), sample.load.known().is_some()]
    };
    assert_eq!(known(&itself), known(&by_grep));
    assert_eq!((itself.cpus, itself.boot_id), (by_grep.cpus, by_grep.boot_id));
    assert_eq!(itself.pressure.known().is_some(), by_grep.pressure.known().is_some());
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
