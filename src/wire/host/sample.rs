//! The answer of [`super::HostProbe`] as a [`HostSample`].

use super::{devices, kernel};
use crate::{
    model::{
        figure::{Figure, Unknown},
        host::HostSample,
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::Complaint,
        sources::{Sources, as_text},
    },
};

/// Different commands in state D that are named.
const BLOCKED_COMMANDS_MAX: usize = 16;

/// What the answer says; `None` when it has nothing of `/proc` at all.
pub(super) fn interpret(bytes: &[u8]) -> (Option<HostSample>, Vec<Complaint>) {
    let text = as_text(bytes);
    let sources = Sources::parse(&text, &["clock"]);
    let mut complaints = Complaints::default();
    if sources.cut {
        complaints.add("the answer", "too many lines; the rest is left out");
    }
    if sources.lines("/proc/stat").is_empty()
        && sources.lines("/proc/meminfo").is_empty()
        && sources.lines("/proc/loadavg").is_empty()
    {
        complaints.add("the answer", format!("nothing of /proc in it: {}", Clean::line(&first_line(&text))));
        return (None, complaints.finish());
    }
    let boot_id = sources.first("/proc/sys/kernel/random/boot_id").map(Clean::line);
    let sample = HostSample {
        clock_ms: kernel::clock_ms(&sources, &mut complaints),
        uptime_ms: kernel::uptime_ms(&sources, &mut complaints),
        boot_id: Figure::from_option(boot_id, Unknown::Missing),
        cpu: kernel::cpu_ticks(&sources, &mut complaints),
        cpus: kernel::cpus(&sources),
        blocked_tasks: kernel::blocked_tasks(&sources, &mut complaints),
        blocked_commands: blocked_commands(&sources),
        load: kernel::load(&sources, &mut complaints),
        memory: kernel::memory(&sources, &mut complaints),
        swap_in_pages: kernel::vmstat(&sources, "pswpin ", &mut complaints),
        swap_out_pages: kernel::vmstat(&sources, "pswpout ", &mut complaints),
        oom_kills: kernel::vmstat(&sources, "oom_kill ", &mut complaints),
        pressure: kernel::pressure(&sources, &mut complaints),
        disks: devices::disks(&sources, &mut complaints),
        interfaces: devices::interfaces(&sources, &mut complaints),
    };
    (Some(sample), complaints.finish())
}

/// `123 (mariadbd) D `: the commands, each once. A command may contain anything, parentheses too.
fn blocked_commands(sources: &Sources<'_>) -> Vec<Clean> {
    let mut commands: Vec<Clean> = Vec::new();
    for line in sources.loose() {
        let Some((pid, rest)) = line.split_once(" (") else { continue };
        let Some(command) = rest.trim_end().strip_suffix(") D") else { continue };
        let command = Clean::line(command);
        if pid.bytes().all(|byte| byte.is_ascii_digit()) && !commands.contains(&command) {
            commands.push(command);
        }
        if commands.len() >= BLOCKED_COMMANDS_MAX {
            break;
        }
    }
    commands
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(80).collect()
}
