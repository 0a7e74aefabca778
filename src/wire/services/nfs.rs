//! NFS mounts from `/proc/self/mountstats`.

use crate::{
    model::{
        figure::{Figure, Unknown},
        services::NfsMount,
        text::Clean,
    },
    wire::{complaints::Complaints, sources::Sources},
};

/// Mounts kept of one node.
const MOUNTS_MAX: usize = 64;
/// The kernel's file.
const FILE: &str = "/proc/self/mountstats";

/// The mounts, in the order in which they were made. The file tells of every mount of the node; the others are none of ours.
pub(super) fn of(sources: &Sources<'_>, complaints: &mut Complaints) -> Vec<NfsMount> {
    let mut mounts: Vec<NfsMount> = Vec::new();
    let mut is_ours = false;
    for line in sources.lines(FILE) {
        if let Some(rest) = line.strip_prefix("device ") {
            let kind = rest.rsplit_once(" with fstype ").and_then(|(_, kind)| kind.split_whitespace().next());
            // What an NFS server has of its own is called nfsd.
            is_ours = matches!(kind, Some("nfs" | "nfs4"));
            if !is_ours {
                continue;
            }
            if mounts.len() >= MOUNTS_MAX {
                complaints.add("NFS", format!("only the first {MOUNTS_MAX} mounts are kept"));
                break;
            }
            match mount(rest) {
                Some(mount) => mounts.push(mount),
                None => complaints.add("NFS", format!("not understood: {line}")),
            }
        } else if let (true, Some(mount), Some((key, values))) =
            (is_ours, mounts.last_mut(), line.trim().split_once(':'))
        {
            take(mount, key, values, complaints);
        }
    }
    mounts
}

/// `10.10.0.25:/srv/share mounted on /srv/share with fstype nfs4 statvers=1.1`; blanks in a path are `\040`.
fn mount(text: &str) -> Option<NfsMount> {
    let (device, rest) = text.split_once(" mounted on ")?;
    let (mount, kind) = rest.rsplit_once(" with fstype ")?;
    let kind = kind.split_whitespace().next()?;
    let missing = Figure::Unknown(Unknown::Missing);
    Some(NfsMount {
        device: Clean::line(&device.replace("\\040", " ")),
        mount: Clean::line(&mount.replace("\\040", " ")),
        kind: Clean::line(kind),
        age_s: missing,
        sent: missing,
        received: missing,
        operations: Figure::Known(0),
        round_trip_ms: Figure::Known(0),
        timeouts: Figure::Known(0),
    })
}

fn take(mount: &mut NfsMount, key: &str, values: &str, complaints: &mut Complaints) {
    let mut words = values.split_whitespace();
    match key {
        "age" => mount.age_s = complaints.number("NFS age", words.next().unwrap_or_default()),
        // tcp and rdma: port, binds, connects, time to connect, idle time, sends, receives. udp: port, binds, sends, …
        "xprt" => {
            let skipped = if words.next() == Some("udp") { 2 } else { 5 };
            let mut words = words.skip(skipped);
            let sent = complaints.number("NFS sends", words.next().unwrap_or_default());
            let received = complaints.number("NFS receives", words.next().unwrap_or_default());
            mount.sent = added(mount.sent, sent);
            mount.received = added(mount.received, received);
        }
        // Operations, transmissions, timeouts, bytes sent, bytes received, milliseconds in the queue, on the way, in all.
        _ if key.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_') => {
            let words: Vec<&str> = words.take(8).collect();
            let [operations, _, timeouts, _, _, _, round_trip_ms, ..] = words[..] else { return };
            mount.operations = added(mount.operations, complaints.number("NFS operations", operations));
            mount.timeouts = added(mount.timeouts, complaints.number("NFS timeouts", timeouts));
            mount.round_trip_ms = added(mount.round_trip_ms, complaints.number("NFS round trips", round_trip_ms));
        }
        _ => {}
    }
}

/// The sum; what was missing begins with the first figure.
fn added(so_far: Figure<u64>, more: Figure<u64>) -> Figure<u64> {
    match (so_far, more) {
        (Figure::Known(so_far), Figure::Known(more)) => Figure::Known(so_far.saturating_add(more)),
        (Figure::Unknown(Unknown::Missing), more) => more,
        (_, Figure::Unknown(why)) | (Figure::Unknown(why), _) => Figure::Unknown(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bash sends the kernel's file whole.
    #[test]
    fn mounts_that_are_not_nfs_are_none() {
        let content = "device /dev/vda1 mounted on / with fstype ext4\ndevice nfsd mounted on /proc/fs/nfsd with fstype nfsd\n\
            device 10.10.0.25:/srv mounted on /srv with fstype nfs4 statvers=1.1\n\tage:\t7\n\
            device tmpfs mounted on /tmp with fstype tmpfs\n\tage:\t9\n";
        let text = format!("file:{} {FILE}\n{content}\n", content.len());
        let mut complaints = Complaints::default();
        let mounts = of(&Sources::parse(&text, &[]), &mut complaints);
        let [mount] = mounts.as_slice() else { panic!("{mounts:?}") };
        assert_eq!((mount.mount.as_str(), mount.kind.as_str(), mount.age_s), ("/srv", "nfs4", Figure::Known(7)));
        assert!(complaints.finish().is_empty());
    }
}
