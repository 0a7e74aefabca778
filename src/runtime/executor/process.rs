//! What makes the executor a process that outlives whoever started it.

use std::{io, os::fd::RawFd};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Leaves the terminal and the process group of whoever started it, and whatever files were left open for it.
pub(super) fn leave() {
    close_inherited();
    // Fails only for the leader of a group, which a child is not.
    let _ = rustix::process::setsid();
}

/// Closes everything but the standard streams. Whoever waits for the end of a pipe must not wait for the run.
fn close_inherited() {
    let Ok(folder) = std::fs::read_dir("/proc/self/fd") else { return };
    let open: Vec<RawFd> =
        folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|fd| *fd > 2).collect();
    // The folder's own is gone again.
    let is_open = |fd: &RawFd| std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok();
    for fd in open.into_iter().filter(is_open) {
        #[expect(unsafe_code, reason = "runs first in the process: nobody owns these")]
        unsafe {
            rustix::io::close(fd);
        }
    }
}

/// Signals of the executor: the operator's ways to end a console do not end a run.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    /// Listened to, so that they do nothing.
    _ignored: [Signal; 3],
}

impl Signals {
    /// Starts listening.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            _ignored: [signal(SignalKind::hangup())?, signal(SignalKind::interrupt())?, signal(SignalKind::pipe())?],
        })
    }

    /// The machine shuts down, or somebody wants the run to stop.
    pub(super) async fn terminated(&mut self) {
        self.terminate.recv().await;
    }
}
