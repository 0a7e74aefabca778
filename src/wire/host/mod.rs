//! One batched read of `/proc` and `/sys`.
//!
//! Two probes: [`HostProbe`] for what moves every second, on the node's kept shell, and [`HostProfileProbe`] for what
//! changes rarely and may hang (file systems), in a channel of its own so that it delays nothing.
//!
//! Deliberately absent: anything that needs root or a package on the node.

mod devices;
mod kernel;
mod profile;
mod sample;
mod virtualisation;

use super::{
    probe::{Complaint, Facts, Probe},
    request::{Call, Reply, Request, first_bytes},
    sources::{kept_files, send_files},
};
use crate::model::inventory::Node;

/// Longest answer of [`HostProbe`]; a machine with 64 CPUs and 200 interfaces sends about 40 KiB.
pub const HOST_CAP_BYTES: usize = 256 * 1024;
/// Longest answer of [`HostProfileProbe`].
pub const PROFILE_CAP_BYTES: usize = 512 * 1024;
/// Longest wait for file systems, milliseconds; the other parts take a few milliseconds.
pub const PROFILE_DEADLINE_MS: u64 = 10_000;

/// What [`HostProbe`] runs: the clock, every file, and the tasks in state D while there are any.
///
/// Reading the state of each interface costs more than all other files together. The kernel counts its load every five
/// seconds, and a boot ends the shell too. Files that this kernel lacks are silently absent. The clock is a process where the shell has no `EPOCHREALTIME`.
/// Where `grep` reads the files, lines that nobody reads and that are long or many are left on the node; a name with a
/// colon behind it (an interface) never matches that filter.
///
/// Listing tasks costs about 40 µs each, so with blocked tasks it is done every fifth second (at every poll by shells
/// that know no time), and by thread only on machines with few.
const HOST_SCRIPT: &str = concat!(
    "LC_ALL=C; h=clock:${EPOCHREALTIME:-$(date +%s.%N)}; set -- ",
    "/proc/stat /proc/meminfo /proc/vmstat /proc/uptime /proc/diskstats /proc/net/dev ",
    "/proc/pressure/cpu /proc/pressure/memory /proc/pressure/io; ",
    kept_files!(
        "/sys/class/net/*/operstate" for "3" s in "vakt_i" "vakt_n",
        "/proc/loadavg" for "3" s in "vakt_k" "vakt_o",
        "/proc/sys/kernel/random/boot_id" for "3600" s in "vakt_l" "vakt_p"
    ),
    send_files!(concat!(
        "-Ev '^(intr|softirq|(nr|numa|pg|thp|workingset|compact|unevictable|htlb|zone|allocstall|kswapd|balloon|direct)",
        "[a-z0-9_]*) | (loop|ram)[0-9]+ 0 0 0 0 0 0 0 '"
    )),
    r#"; case $o in "#,
    "*'procs_blocked 0'*) ;; ",
    "*'procs_blocked '*) if [ $((${EPOCHSECONDS:-0} % 5)) = 0 ]; then n=0; ",
    "read -r _ _ _ n _ </proc/loadavg; n=${n#*/}; ",
    r"if [ ${n:-0} -le 1500 ]; then set -- /proc/[0-9]*/task/[0-9]*/stat; ",
    "elif [ $n -le 8000 ]; then set -- /proc/[0-9]*/stat; else set --; fi; ",
    r#"[ $# = 0 ] || LC_ALL=C grep -shaoE '^[0-9]+ \(.*\) D ' "$@" /dev/null 2>/dev/null | head -n 64; fi;; esac"#
);

/// The same in Perl.
const PERL: &str = concat!(include_str!("../sources.pl"), include_str!("host.pl"));

/// Figures that move every second.
#[derive(Debug)]
pub struct HostProbe;

impl HostProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::ShellWithin { script, .. } if script == HOST_SCRIPT)
    }
}

impl Probe for HostProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::look(HOST_SCRIPT, PERL, deadline_ms, HOST_CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (sample, complaints) = sample::interpret(first_bytes(replies));
        (sample.map(|sample| Facts::Host(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// What changes rarely.
#[derive(Debug)]
pub struct HostProfileProbe;

impl HostProfileProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Exec { argv } if argv.last().is_some_and(|script| script == profile::SCRIPT))
    }
}

impl Probe for HostProfileProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        let argv = vec!["sh".to_owned(), "-c".to_owned(), profile::SCRIPT.to_owned()];
        vec![Request::read(Call::Exec { argv }, deadline_ms.max(PROFILE_DEADLINE_MS), PROFILE_CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (profile, complaints) = profile::interpret(first_bytes(replies));
        (profile.map(|profile| Facts::HostProfile(Box::new(profile))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}
