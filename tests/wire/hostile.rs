//! Invariants 4 and 10 on answers that no healthy node sends: nothing panics, what is understood is bounded, what is not
//! is complained about, and no text carries anything that a terminal would obey.

use super::captures::{captures, replies};
use proptest::prelude::*;
use serde_json::Value;
use vakt::{
    model::{figure::Figure, haproxy::AdminState, host::Virtualisation},
    wire::{
        probe::{Complaint, Facts, ProbeId},
        request::Reply,
    },
};

const TECHNOLOGIES: [(&str, &str, ProbeId); 12] = [
    ("host", ".txt", ProbeId::Host),
    ("host-profile", ".txt", ProbeId::HostProfile),
    ("haproxy", ".stat.txt", ProbeId::Haproxy),
    ("presence", ".txt", ProbeId::Presence),
    ("services", ".txt", ProbeId::Services),
    ("daemon", ".txt", ProbeId::Daemon),
    ("cut", ".txt", ProbeId::Cut),
    ("memcached", ".txt", ProbeId::Memcached),
    ("certificates", ".txt", ProbeId::Certificates),
    ("private-network", ".txt", ProbeId::PrivateNetwork),
    ("libvirt", ".guests.json", ProbeId::Guests),
    ("libvirt", ".profile.json", ProbeId::GuestProfile),
];

/// Bytes that have no business in an answer.
const JUNK: [&[u8]; 20] = [
    b"\x1b[2J\x1b]52;c;AAAA\x07",
    b"\x9b1m\x00\x08\x0b\x0c",
    b"\r\n# pxname,svname\r\n",
    b"\n/proc/stat:cpu  1 2 3 4\n",
    b"\xff\xfe\xc0\xaf",
    "\u{202e}\u{2066}\u{200b}\u{e0041}".as_bytes(),
    b"\"",
    b"\"\"\"\n\n",
    b",,,,,,,,,,",
    b"18446744073709551616",
    b"99999999999999999999999999999999999999999999",
    b"-1",
    b"NaN",
    b"1e999",
    b"1,5",
    b"\n\n\n\n",
    b" ",
    b"> ",
    b"-/-",
    b"(((((((( D ",
];

fn interpret(probe: ProbeId, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
    let (facts, complaints) = probe.probe().interpret(replies);
    let size: usize = replies.iter().map(|reply| reply.bytes.len()).sum();
    let written = serde_json::to_value(&facts).unwrap();
    let longest = assert_clean(&written);
    assert!(longest <= 512 * 4, "a text of {longest} bytes");
    // Facts grow with the answer at most (a server's row of 90 commas becomes about 60 unknown figures of 25 bytes).
    assert!(written.to_string().len() <= 20_000 + size * 100, "{size} bytes became {}", written.to_string().len());
    assert!(complaints.len() <= 33);
    for complaint in &complaints {
        assert_clean(&serde_json::to_value(complaint).unwrap());
    }
    (facts, complaints)
}

/// Every text in a value is free of controls; returns the longest one's length.
pub(crate) fn assert_clean(value: &Value) -> usize {
    match value {
        Value::String(text) => {
            let bad = |c: char| {
                c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{e0000}'..)
            };
            assert!(!text.chars().any(bad), "{text:?}");
            text.len()
        }
        Value::Array(items) => items.iter().map(assert_clean).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(assert_clean).max().unwrap_or(0),
        _ => 0,
    }
}

fn every_capture(mut check: impl FnMut(ProbeId, Vec<Reply>)) {
    for (technology, ending, probe) in TECHNOLOGIES {
        for path in captures(technology, ending) {
            check(probe, replies(&path));
        }
    }
}

#[test]
fn invariant_4_an_answer_cut_at_any_byte_is_understood_as_far_as_it_goes() {
    for (technology, ending, probe) in TECHNOLOGIES {
        // A few rows of each kind: every byte of every file would take minutes.
        let path =
            captures(technology, ending).into_iter().find(|path| !path.to_string_lossy().contains("refused")).unwrap();
        let mut whole = replies(&path);
        for reply in &mut whole {
            let lines: Vec<&[u8]> = reply.bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let some: Vec<u8> =
                lines.iter().step_by(lines.len().div_ceil(12).min(5)).flat_map(|line| line.iter().copied()).collect();
            reply.bytes = some[..some.len().min(3_000)].to_vec();
        }
        for (index, reply) in whole.iter().enumerate() {
            for end in 0..reply.bytes.len() {
                let mut cut = whole.clone();
                cut[index].bytes.truncate(end);
                if end % 64 == 0 {
                    interpret(probe, &cut); // looks at all that was understood: dear
                } else {
                    probe.probe().interpret(&cut);
                }
            }
        }
    }
}

#[test]
fn missing_and_surplus_replies_are_no_panic() {
    every_capture(|probe, whole| {
        for count in 0..whole.len() {
            interpret(probe, &whole[..count]);
        }
        let mut more = whole.clone();
        more.extend(whole);
        interpret(probe, &more);
    });
}

#[test]
fn a_failed_way_to_the_socket_is_complained_about() {
    let path = &captures("haproxy", "lab.stat.txt")[0];
    let mut replies = replies(path);
    replies[2].exit = Some(1);
    replies[2].stderr = b"socat: \x1b[31mpermission denied".to_vec();
    let (facts, complaints) = interpret(ProbeId::Haproxy, &replies);
    assert!(facts.is_some());
    assert!(complaints[0].text.as_str().contains("ended with 1"), "{complaints:?}");
}

#[test]
fn a_server_that_show_servers_state_does_not_name_is_unknown_and_not_ready() {
    let mut replies = replies(&captures("haproxy", "lab.stat.txt")[0]);
    let state = String::from_utf8(replies[2].bytes.clone()).unwrap();
    let without: Vec<&str> = state.lines().filter(|line| !line.contains(" web02 ")).collect();
    replies[2].bytes = without.join("\n").into_bytes();
    let (Some(Facts::Haproxy(sample)), complaints) = interpret(ProbeId::Haproxy, &replies) else { panic!() };
    let servers = &sample.backends.iter().find(|backend| backend.name.as_str() == "web_cluster").unwrap().servers;
    let admin: Vec<Option<AdminState>> = servers.iter().map(|server| server.admin.known()).collect();
    assert_eq!(admin, [Some(AdminState::Ready), None, Some(AdminState::Ready)]);
    assert_eq!(complaints.len(), 1);
}

#[test]
fn a_million_rows_are_cut_with_a_complaint() {
    let mut stat = b"# pxname,svname,type,status,\n".to_vec();
    for index in 0..30_000 {
        stat.extend(format!("b{},s{index},2,UP,\n", index % 7).bytes());
    }
    let info = Reply { bytes: b"Version: 1\nPid: 2\n".to_vec(), ..Reply::default() };
    let replies = [info, Reply { bytes: stat, ..Reply::default() }];
    // Not through `interpret` above: looking at every text of 20,000 servers takes seconds.
    let (Some(Facts::Haproxy(sample)), complaints) = ProbeId::Haproxy.probe().interpret(&replies) else { panic!() };
    assert_eq!(sample.backends.iter().map(|backend| backend.servers.len()).sum::<usize>(), 20_000);
    assert!(complaints.iter().any(|complaint| complaint.about.as_str() == "servers"), "{complaints:?}");

    let mut host = b"/proc/loadavg:1 1 1 1/1 1\n".to_vec();
    for index in 0..100_000 {
        host.extend(format!("/proc/net/dev:e{index}: 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1\n").bytes());
    }
    let (Some(Facts::Host(sample)), complaints) =
        interpret(ProbeId::Host, &[Reply { bytes: host, ..Reply::default() }])
    else {
        panic!()
    };
    assert!(sample.interfaces.len() <= 512 && !complaints.is_empty());
}

#[test]
fn a_process_that_names_itself_like_a_counter_changes_no_figure() {
    let mut replies = replies(&captures("host", "kernel-2.6.32.txt")[0]);
    let (honest, _) = interpret(ProbeId::Host, &replies);
    replies[0].bytes.extend(b"77 (/proc/stat:cpu  1 1 1 1) D \n78 (clock:1) D \n79 (x) D\n");
    let (spoofed, _) = interpret(ProbeId::Host, &replies);
    let (Some(Facts::Host(mut honest)), Some(Facts::Host(mut spoofed))) = (honest, spoofed) else { panic!() };
    assert_eq!(spoofed.blocked_commands.len(), honest.blocked_commands.len() + 3);
    honest.blocked_commands.clear();
    spoofed.blocked_commands.clear();
    assert_eq!(honest, spoofed);
}

#[test]
fn virtualisation_is_named_from_the_evidence_there_is() {
    let of = |evidence: &str| {
        let bytes = format!("/proc/sys/kernel/hostname:h\n{evidence}\nend:yes\n").into_bytes();
        match interpret(ProbeId::HostProfile, &[Reply { bytes, ..Reply::default() }]).0 {
            Some(Facts::HostProfile(profile)) => profile.virtualisation,
            _ => panic!(),
        }
    };
    let cases = [
        ("openvz:yes\nvirt:kvm", Virtualisation::OpenVz),
        ("virt:openvz", Virtualisation::OpenVz),
        ("virt:kvm", Virtualisation::Kvm),
        ("virt:none\ncpuinfo:yes", Virtualisation::BareMetal),
        ("virt:vmware", Virtualisation::Machine("vmware".into())),
        ("virt:lxc", Virtualisation::Container("lxc".into())),
        ("environ:container=lxc", Virtualisation::Container("lxc".into())),
        ("/sys/class/dmi/id/sys_vendor:QEMU\ncpuinfo:yes", Virtualisation::Kvm),
        ("/sys/class/dmi/id/sys_vendor:VMware, Inc.\nhypervisor:yes", Virtualisation::Machine("vmware".into())),
        ("hypervisor:yes\ncpuinfo:yes", Virtualisation::Machine("unnamed hypervisor".into())),
        ("cpuinfo:yes", Virtualisation::BareMetal),
    ];
    for (evidence, expected) in cases {
        assert_eq!(of(evidence), Figure::Known(expected), "{evidence}");
    }
    assert!(of("").why().is_some());
}

/// One way to spoil an answer.
#[derive(Debug, Clone)]
enum Spoil {
    Truncate(usize),
    Insert(usize, usize),
    Replace(usize, usize),
    Remove(usize, usize),
    SwapColumns(usize, usize),
    DropColumn(usize),
    RepeatLine(usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let place = 0_usize..40_000;
    prop_oneof![
        place.clone().prop_map(Spoil::Truncate),
        (place.clone(), 0..JUNK.len()).prop_map(|(at, junk)| Spoil::Insert(at, junk)),
        (place.clone(), 0..JUNK.len()).prop_map(|(at, junk)| Spoil::Replace(at, junk)),
        (place.clone(), 1_usize..300).prop_map(|(at, length)| Spoil::Remove(at, length)),
        (0_usize..100, 0_usize..100).prop_map(|(a, b)| Spoil::SwapColumns(a, b)),
        (0_usize..100).prop_map(Spoil::DropColumn),
        place.prop_map(Spoil::RepeatLine),
    ]
}

fn apply(bytes: &mut Vec<u8>, spoil: &Spoil) {
    if bytes.is_empty() {
        return;
    }
    let size = bytes.len();
    match *spoil {
        Spoil::Truncate(at) => bytes.truncate(at % size),
        Spoil::Insert(at, junk) => drop(bytes.splice(at % size..at % size, JUNK[junk].iter().copied())),
        Spoil::Replace(at, junk) => {
            let (at, length) = (at % size, JUNK[junk].len());
            bytes.splice(at..size.min(at + length), JUNK[junk].iter().copied());
        }
        Spoil::Remove(at, length) => drop(bytes.drain(at % size..size.min(at % size + length))),
        Spoil::SwapColumns(a, b) => columns(bytes, |fields| {
            let (a, b) = (a % fields.len(), b % fields.len());
            fields.swap(a, b);
        }),
        Spoil::DropColumn(a) => columns(bytes, |fields| {
            fields.remove(a % fields.len());
        }),
        Spoil::RepeatLine(at) => {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let line = lines[at % lines.len()].to_vec();
            bytes.extend(line);
        }
    }
}

fn columns(bytes: &mut Vec<u8>, change: impl Fn(&mut Vec<&[u8]>)) {
    let lines: Vec<Vec<u8>> = bytes
        .split(|byte| *byte == b'\n')
        .map(|line| {
            let mut fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
            change(&mut fields);
            fields.join(&b","[..])
        })
        .collect();
    *bytes = lines.join(&b"\n"[..]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn invariant_4_spoiled_answers_never_panic(
        which in 0_usize..1000, part in 0_usize..3, spoils in proptest::collection::vec(spoil(), 1..6),
    ) {
        let (technology, ending, probe) = TECHNOLOGIES[which % TECHNOLOGIES.len()];
        let paths = captures(technology, ending);
        let mut replies = replies(&paths[which % paths.len()]);
        let part = part % replies.len();
        for spoil in &spoils {
            apply(&mut replies[part].bytes, spoil);
        }
        interpret(probe, &replies);
    }

    #[test]
    fn invariant_4_random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let reply = Reply { bytes, ..Reply::default() };
        for (_, _, probe) in TECHNOLOGIES {
            interpret(probe, &[reply.clone(), reply.clone(), reply.clone()]);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn columns_are_found_by_name_wherever_they_are(a in 0_usize..99, b in 0_usize..99) {
        let original = replies(&captures("haproxy", "operator-acted.stat.txt")[0]);
        let mut moved = original.clone();
        let text = String::from_utf8(moved[1].bytes.clone()).unwrap().replacen("# ", "", 1);
        moved[1].bytes = text.into_bytes();
        apply(&mut moved[1].bytes, &Spoil::SwapColumns(a, b));
        moved[1].bytes.splice(0..0, *b"# ");
        prop_assert_eq!(interpret(ProbeId::Haproxy, &original), interpret(ProbeId::Haproxy, &moved));
    }
}
