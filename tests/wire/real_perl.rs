//! What a Perl on the node reads is what its shell reads: both run here, on the kernel that runs the tests.

use super::real_shells::{node, run, script};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, UdpSocket},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};
use vakt::{
    model::{host::HostSample, presence::PresenceSample, services::ServicesSample},
    wire::{
        ovs::daemon,
        probe::{Facts, ProbeId},
        request::{Call, Reply},
    },
};

/// The kept reader, as the transport starts it.
struct Reader {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Reader {
    fn start() -> Self {
        let mut child = Command::new("perl")
            .args(["-e", include_str!("../../src/transport/ssh/reader.pl")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// Runs a program; one that fails is a failed test.
    fn run(&mut self, program: &str) -> Vec<u8> {
        let input = self.child.stdin.as_mut().unwrap();
        write!(input, "nonce 0 {}\n{program}", program.len()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line, "nonce\n");
        let mut told = Vec::new();
        while !told.ends_with(b"\nnonce 0\n") {
            assert!(!told.ends_with(b"\nnonce 1\n"), "failed: {}", String::from_utf8_lossy(&told));
            let mut byte = [0];
            self.answers.read_exact(&mut byte).unwrap();
            told.push(byte[0]);
        }
        told.truncate(told.len() - b"\nnonce 0\n".len());
        told
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn program(probe: ProbeId) -> String {
    match &probe.probe().requests(&node(), 2_000)[0].call {
        Call::ShellWithin { perl, .. } => perl.to_string(),
        _ => panic!("no program"),
    }
}

fn facts(probe: ProbeId, bytes: Vec<u8>) -> Facts {
    let (facts, complaints) = probe.probe().interpret(&[Reply { bytes, ..Reply::default() }]);
    assert_eq!(complaints, [], "{probe:?}");
    facts.unwrap()
}

fn host(bytes: Vec<u8>) -> HostSample {
    let Facts::Host(sample) = facts(ProbeId::Host, bytes) else { panic!("not of a host") };
    *sample
}

fn presence(bytes: Vec<u8>) -> PresenceSample {
    let Facts::Presence(sample) = facts(ProbeId::Presence, bytes) else { panic!("not of presence") };
    *sample
}

fn services(bytes: Vec<u8>) -> ServicesSample {
    let Facts::Services(sample) = facts(ProbeId::Services, bytes) else { panic!("not of services") };
    *sample
}

fn by_shell(probe: ProbeId) -> Vec<u8> {
    run(&["bash"], &script(probe)).remove(0).bytes
}

/// What was there before and after was there in between; interfaces come and go with the lab.
fn holds_what_stayed<T: PartialEq + std::fmt::Debug>(between: &[T], before: &[T], after: &[T]) {
    let stayed: Vec<&T> = before.iter().filter(|found| after.contains(found)).collect();
    assert!(!stayed.is_empty());
    assert!(stayed.iter().all(|found| between.contains(found)), "{stayed:?} in {between:?}");
    assert!(between.iter().all(|found| before.contains(found) || after.contains(found)), "{between:?}");
}

#[test]
fn a_perl_reads_of_a_host_what_a_shell_reads_and_again() {
    let mut reader = Reader::start();
    for _ in 0..3 {
        let before = host(by_shell(ProbeId::Host));
        let between = host(reader.run(&program(ProbeId::Host)));
        let after = host(by_shell(ProbeId::Host));
        let names = |sample: &HostSample| {
            sample.interfaces.iter().map(|found| format!("{} {:?}", found.name, found.state)).collect::<Vec<_>>()
        };
        holds_what_stayed(&names(&between), &names(&before), &names(&after));
        let disks = |sample: &HostSample| sample.disks.iter().map(|disk| disk.name.clone()).collect::<Vec<_>>();
        assert_eq!(disks(&between), disks(&before));
        assert_eq!((between.cpus, &between.boot_id), (before.cpus, &before.boot_id));
        assert_eq!(between.pressure.known().is_some(), before.pressure.known().is_some());
        let clocks = [&before, &between, &after].map(|sample| sample.clock_ms.known().unwrap());
        assert!(clocks.is_sorted(), "{clocks:?}");
        let idle = [&before, &between, &after].map(|sample| sample.uptime_ms.known().unwrap());
        assert!(idle.is_sorted(), "a file that stays open is read anew: {idle:?}");
        assert!(between.oom_kills.known().is_some() && between.load.known().is_some());
        assert!(between.memory.known().is_some() && between.blocked_tasks.known().is_some());
    }
}

#[test]
fn a_perl_sees_the_sockets_that_a_shell_sees() {
    let mut reader = Reader::start();
    let Ok(old) = TcpListener::bind("127.0.0.1:0") else { panic!("no socket") };
    let new = TcpListener::bind("[::1]:0").unwrap();
    let asks = UdpSocket::bind("127.0.0.1:0").unwrap();
    let wanted = [old.local_addr().unwrap(), new.local_addr().unwrap()];
    for sample in [services(by_shell(ProbeId::Services)), services(reader.run(&program(ProbeId::Services)))] {
        let found = sample.listeners.known().unwrap();
        for wanted in wanted {
            assert!(
                found.iter().any(|found| (found.address, found.port) == (wanted.ip(), wanted.port())),
                "{wanted} in {found:?}"
            );
        }
        let lent = asks.local_addr().unwrap().port();
        // Only the first are kept of many.
        assert!(sample.lent.len() >= 64 || sample.lent.iter().any(|found| found.port == lent));
    }
    drop(old);
    let left = services(reader.run(&program(ProbeId::Services))).listeners.known().unwrap();
    assert!(!left.iter().any(|found| found.port == wanted[0].port()), "a socket that was closed is gone at once");
}

/// A script or program that looks below a folder, as if it were the root.
fn below(root: &Path, text: &str) -> String {
    let root = root.display();
    let text = text.replace("/etc/", &format!("{root}/etc/")).replace("/var/run", "\u{1}");
    text.replace("/run", &format!("{root}/run")).replace('\u{1}', &format!("{root}/var/run"))
}

fn as_root(root: &Path, bytes: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replace(&root.display().to_string(), "").into_bytes()
}

const KEEPALIVED: &str = "global_defs {\n  router_id LB\n}\ntrack_file weight {\n  file \"/etc/keepalived/weight\"\n  weight 1\n}\n\
    # vrrp_instance NO {\nvrrp_instance VI_1 {\n    state BACKUP\n    interface priv0\n    virtual_router_id 51\n    priority 100\n  nopreempt\n\
    \tadvert_int 1\n    authentication {\n        auth_type PASS\n        auth_pass secret-word\n    }\n    track_file {\n        weight weight 1\n    }\n    virtual_ipaddress {\n        10.10.0.100/24 dev priv0\n        10.10.0.101\n    }\n}\n";

#[test]
fn a_perl_reads_of_files_what_a_shell_reads_and_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let put = |path: &str, text: &str| {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("run/systemd/x", "");
    put("etc/keepalived/keepalived.conf", &KEEPALIVED.replace("/etc/", &format!("{}/etc/", root.display())));
    put("etc/keepalived/weight", "-20\n");
    put("run/keepalived.pid", &format!("{}\n", std::process::id()));
    put("etc/systemd/system/multi-user.target.wants/keepalived.service", "");
    put("etc/systemd/system/multi-user.target.wants/memcached.service", "");
    put("etc/systemd/system/multi-user.target.wants/php8.2-fpm.service", "");
    put(
        "etc/haproxy/haproxy.cfg",
        "global\n    stats maxconn 20\n    stats socket /x\nuserlist u\n  user a password secret-word\n",
    );
    put("run/apache2/apache2.pid", &format!("{}\n", std::process::id()));
    put("run/php/php8.2-fpm.pid", "4194999\n");
    put("etc/apache2/apache2.conf", "# secret-word\nTimeout 300\n");
    put(
        "etc/apache2/mods-enabled/mpm_event.conf",
        "<IfModule mpm_event_module>\n MaxRequestWorkers 150\n ThreadsPerChild 25\n</IfModule>\n",
    );
    let mut reader = Reader::start();
    let mut ask = |probe: ProbeId| {
        let told = reader.run(&below(root, &program(probe)));
        assert!(!String::from_utf8_lossy(&told).contains("secret-word"), "{probe:?}");
        as_root(root, &told)
    };
    let shell = |probe: ProbeId| as_root(root, &run(&["bash"], &below(root, &script(probe))).remove(0).bytes);
    for round in 0..2 {
        let by_perl = presence(ask(ProbeId::Presence));
        assert_eq!(by_perl.keepalived, presence(shell(ProbeId::Presence)).keepalived, "{round}");
        assert!(by_perl.keepalived.is_enabled && by_perl.keepalived.instances.len() == 1, "{by_perl:?}");
        let (told, by_shell) = (services(ask(ProbeId::Services)), services(shell(ProbeId::Services)));
        assert_eq!(told.enabled, by_shell.enabled);
        assert_eq!((told.conversations_max, &told.nfs), (by_shell.conversations_max, &by_shell.nfs));
        assert_eq!(
            (told.web.len(), told.web[0].kind, told.web[0].workers_max),
            (1, by_shell.web[0].kind, by_shell.web[0].workers_max)
        );
        assert!(told.connections.known().is_some());
    }
    // A changed file is read anew, also within the second in which it changed.
    for seconds in [3, 4] {
        put("etc/haproxy/haproxy.cfg", &format!("global\n    stats maxconn {seconds}0\n"));
        assert_eq!(services(ask(ProbeId::Services)).conversations_max, Some(seconds * 10));
        put("etc/keepalived/weight", &format!("{seconds}\n"));
        assert_eq!(presence(ask(ProbeId::Presence)).keepalived, presence(shell(ProbeId::Presence)).keepalived);
    }
}

#[test]
fn a_perl_sees_the_addresses_that_a_shell_sees() {
    let mut reader = Reader::start();
    let before = presence(by_shell(ProbeId::Presence));
    let between = presence(reader.run(&program(ProbeId::Presence)));
    let after = presence(by_shell(ProbeId::Presence));
    let [addresses, states, hardware] = [0, 1, 2];
    for part in [addresses, states, hardware] {
        let words = |sample: &PresenceSample| -> Vec<String> {
            match part {
                0 => sample.addresses.as_ref().known().unwrap().iter().map(ToString::to_string).collect(),
                1 => sample.states.as_ref().known().unwrap().iter().map(|state| format!("{state:?}")).collect(),
                _ => sample.interfaces.iter().map(|interface| format!("{interface:?}")).collect(),
            }
        };
        holds_what_stayed(&words(&between), &words(&before), &words(&after));
    }
}

#[test]
fn a_perl_sees_the_daemon_of_a_database_and_that_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = folder.path().join("mysqld");
    let sleep = Command::new("sh").args(["-c", "command -v sleep"]).output().unwrap();
    fs::copy(String::from_utf8(sleep.stdout).unwrap().trim(), &daemon).unwrap();
    let mut child = Command::new(&daemon).arg("30").spawn().unwrap();
    let pid = child.id();
    while fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() != "mysqld\n" {
        std::thread::yield_now();
    }
    let mut reader = Reader::start();
    let mut tells = || {
        let text = String::from_utf8(reader.run(&program(ProbeId::Daemon))).unwrap();
        let wanted = format!("process:{pid} ");
        text.lines().any(|line| line.starts_with(&wanted))
    };
    assert!(tells() && tells());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!tells());
}

#[test]
fn a_perl_sees_the_daemon_of_a_switch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let mut reader = Reader::start();
    for pid in [String::new(), "4194999\n".into(), format!("{}\n", std::process::id())] {
        fs::write(folder.path().join("ovs-vswitchd.pid"), &pid).unwrap();
        let look = |bytes: &[u8]| format!("{:?}", daemon::process_state(bytes));
        let by_shell = run(&["sh"], &daemon::look(&path)).remove(0).bytes;
        assert_eq!(look(&reader.run(&daemon::look_perl(&path))), look(&by_shell), "{pid}");
    }
}

#[test]
fn a_perl_sees_the_addresses_that_were_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("route");
    let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
    let whole = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n*\t1F000A0A\t00000000\t0205\t0\t0\t1795994700\tFFFFFFFF\t0\t0\t0\n";
    let mut reader = Reader::start();
    for text in [String::new(), head.to_owned(), format!("{head}{whole}"), format!("{head}{}", whole.repeat(1500))] {
        fs::write(&table, &text).unwrap();
        let at = |text: String| text.replace("/proc/net/route", &table.display().to_string());
        let by_shell = run(&["bash"], &at(script(ProbeId::Cut))).remove(0).bytes;
        let told = reader.run(&at(program(ProbeId::Cut)));
        assert_eq!(String::from_utf8_lossy(&told), String::from_utf8_lossy(&by_shell));
        assert_eq!(told.starts_with(b"cut:1F000A0A 0205 1795994700\n"), text.contains('*'));
    }
}
