//! Signals of the process and the disappearance of its terminal, as one stream.

use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};

/// What the process was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// SIGTERM, SIGINT or SIGQUIT: end, the terminal is still there.
    Terminate,
    /// SIGHUP: the terminal is gone.
    HangUp,
    /// SIGTSTP from outside: give the terminal back before stopping.
    Suspend,
    /// SIGCONT after a stop: draw again.
    Continue,
}

/// The signals vakt listens to.
#[derive(Debug)]
pub struct Signals {
    terminate: UnixSignal,
    interrupt: UnixSignal,
    quit: UnixSignal,
    hang_up: UnixSignal,
    suspend: UnixSignal,
    resume: UnixSignal,
}

impl Signals {
    /// Starts listening.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            suspend: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            resume: signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Terminate,
            _ = self.interrupt.recv() => Told::Terminate,
            _ = self.quit.recv() => Told::Terminate,
            _ = self.hang_up.recv() => Told::HangUp,
            _ = self.suspend.recv() => Told::Suspend,
            _ = self.resume.recv() => Told::Continue,
        }
    }
}
