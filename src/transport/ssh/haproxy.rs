//! HAProxy's stats sockets of one session: keeps one conversation per socket, lets it go when idle.
//!
//! HAProxy serves ten stats connections by default, and accepts more without ever answering them; so there is one
//! per node, and none where nobody looks. It is lowered to the level that only reads.
//!
//! Writes have a conversation of their own. HAProxy must greet on it before the write leaves: a command that waits in the
//! queue of a full socket would take effect minutes later. Where writes must not wait for that ([`Haproxy::stand_ready`])
//! it is opened beforehand and kept from one write to the next; otherwise it ends with the write.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    conversations::{self, Conversations},
    haproxy_cli::{CliFault, HaproxyCli, is_one_command},
    route,
    session::{Session, micros},
    ways::{self, Hello},
};
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::request::Reply,
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// A connection that HAProxy has accepted but not answered for so long waits in a full queue.
const GREETING_WAIT_MAX: Duration = Duration::from_secs(2);
/// A conversation that stands ready and does not answer in that time is given up for a new one.
const STILL_THERE_WAIT_MAX: Duration = Duration::from_millis(300);
/// Longest answer to `show info`.
const INFO_BYTES_MAX: usize = 64 * 1024;
/// A conversation nobody uses gives its place back.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(180);

/// The conversations, by socket.
#[derive(Debug, Default)]
pub(super) struct Haproxy {
    reading: Conversations<Kept>,
    /// Those that stand ready for writes.
    writing: Conversations<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    cli: Option<HaproxyCli<Drained>>,
    used: Option<Instant>,
}

impl conversations::Kept for Kept {
    fn used(&self) -> Option<Instant> {
        self.used
    }
}

impl Haproxy {
    /// Ends the conversations that nobody has used for `idle_max`.
    pub(super) fn release_idle(&self, idle_max: Duration) {
        self.reading.release_idle(idle_max);
        self.writing.release_idle(idle_max);
    }

    /// Commands that only read, each answered. They leave together: a round trip wakes HAProxy, the SSH daemon and what is
    /// between them.
    pub(super) async fn ask(
        &self,
        session: &Session,
        socket: &str,
        commands: &[(&str, usize)],
        limit: Duration,
        sent: &AtomicBool,
    ) -> Result<Vec<Reply>, Trouble> {
        commands.iter().try_for_each(|(command, _)| check(socket, command))?;
        let slot = self.reading.slot(socket).ok_or_else(|| internal("too many sockets on one node"))?;
        let mut kept = slot.lock().await;
        let started = Instant::now();
        sent.store(true, Ordering::Relaxed);
        let named = commands.first().map_or("", |(command, _)| command);
        // Within the deadline, so that a full socket is told apart from a node that has vanished.
        let greeting_wait = GREETING_WAIT_MAX.min(limit / 2);
        // Taken out: if this future is dropped at the deadline, the conversation goes with it.
        let fresh = kept.cli.take().filter(|cli| cli.stream().unread() == 0 && !cli.stream().is_ended());
        let was_kept = fresh.is_some();
        let mut cli = match fresh {
            Some(cli) => cli,
            None => connect(session, socket, greeting_wait, named).await?,
        };
        let mut answers = cli.ask_all(commands).await;
        let gone = matches!(answers, Err(CliFault::Ended | CliFault::Io(_)));
        let leaves = |answers: &Vec<Vec<u8>>| answers.iter().any(|answer| is_leaving(answer));
        if was_kept && (gone || answers.as_ref().is_ok_and(leaves)) {
            // HAProxy was restarted or reloaded meanwhile: the kept conversation led to the old process. A read may
            // be repeated.
            cli = connect(session, socket, greeting_wait, named).await?;
            answers = cli.ask_all(commands).await;
        }
        let answers = answers.map_err(|fault| trouble(session, &fault, named))?;
        kept.cli = Some(cli);
        kept.used = Some(Instant::now());
        let elapsed_us = micros(started);
        let reply = |bytes| Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us };
        Ok(answers.into_iter().map(reply).collect())
    }

    /// Opens a conversation for writes to come.
    pub(super) async fn stand_ready(&self, session: &Session, socket: &str, limit: Duration) -> Result<(), Trouble> {
        let slot = self.writing.slot(socket).ok_or_else(|| internal("too many sockets on one node"))?;
        let mut kept = slot.lock().await;
        if kept.cli.is_none() {
            let mut cli = greeted(session, socket, GREETING_WAIT_MAX.min(limit / 2)).await?;
            cli.stay().await.map_err(|fault| trouble(session, &fault, "prompt"))?;
            *kept = Kept { cli: Some(cli), used: Some(Instant::now()) };
        }
        Ok(())
    }

    /// One write, once. `left` becomes true when its first byte may have left.
    pub(super) async fn send(
        &self,
        session: &Session,
        socket: &str,
        command: &str,
        cap: usize,
        limit: Duration,
        left: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        check(socket, command)?;
        let slot = self.writing.slot(socket).ok_or_else(|| internal("too many sockets on one node"))?;
        let mut kept = slot.lock().await;
        // Taken out: whatever goes wrong on it, it is not used again.
        let ready = match kept.cli.take() {
            Some(cli) => still_serves(cli).await,
            None => None,
        };
        let stays = ready.is_some();
        let mut cli = match ready {
            Some(cli) => cli,
            None => greeted(session, socket, GREETING_WAIT_MAX.min(limit / 2)).await?,
        };
        let started = Instant::now();
        left.store(true, Ordering::Relaxed);
        let bytes = cli.ask(command, cap).await.map_err(|fault| trouble(session, &fault, command))?;
        if stays {
            *kept = Kept { cli: Some(cli), used: Some(Instant::now()) };
        }
        Ok(Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us: micros(started) })
    }
}

/// A conversation that was opened earlier, if it still leads to the process that serves: after a reload it would lead to
/// the one that only finishes its connections.
async fn still_serves(mut cli: HaproxyCli<Drained>) -> Option<HaproxyCli<Drained>> {
    if cli.stream().unread() > 0 || cli.stream().is_ended() {
        return None;
    }
    let info = timeout(STILL_THERE_WAIT_MAX, cli.ask("show info", INFO_BYTES_MAX)).await.ok()?.ok()?;
    (info.starts_with(b"Name: ") && !is_leaving(&info)).then_some(cli)
}

/// Whether `show info` says that this process only finishes its connections: a reload has replaced it.
fn is_leaving(answer: &[u8]) -> bool {
    answer.starts_with(b"Name: ") && answer.split(|&byte| byte == b'\n').any(|line| line == b"Stopping: 1")
}

/// What can be asked at all.
fn check(socket: &str, command: &str) -> Result<(), Trouble> {
    if !is_one_command(command) {
        return Err(internal("HAProxy takes one command at a time, without ; or line breaks"));
    }
    if !route::is_usable_path(socket) {
        return Err(internal("the socket's path is not absolute, or has characters other than A-Za-z0-9/._-+@"));
    }
    Ok(())
}

/// Opens a conversation that is kept and only reads.
async fn connect(
    session: &Session,
    socket: &str,
    greeting_wait: Duration,
    command: &str,
) -> Result<HaproxyCli<Drained>, Trouble> {
    let mut cli = greeted(session, socket, greeting_wait).await?;
    cli.settle().await.map_err(|fault| trouble(session, &fault, command))?;
    Ok(cli)
}

/// Opens a conversation that HAProxy has greeted.
async fn greeted(session: &Session, socket: &str, greeting_wait: Duration) -> Result<HaproxyCli<Drained>, Trouble> {
    ways::open(session, socket, Hello::Prompt, UNREAD_BYTES_MAX, greeting_wait).await.map(HaproxyCli::new)
}

fn trouble(session: &Session, fault: &CliFault, command: &str) -> Trouble {
    match fault {
        _ if session.is_ended() => session.end(),
        CliFault::TooLong { cap } => session.too_long(*cap, command),
        CliFault::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            session.too_long(UNREAD_BYTES_MAX, command)
        }
        CliFault::Ended | CliFault::Io(_) => Trouble::new(
            TroubleKind::ConnectionLost,
            format!("HAProxy on {} ended the conversation during: {command}", session.name()),
            "look at HAProxy on the node: it was stopped, or is being reloaded",
        ),
        CliFault::OutOfStep | CliFault::NotACommand => Trouble::new(
            TroubleKind::AnswerNotUnderstood,
            format!("HAProxy on {} answered out of step: {command}", session.name()),
            "the conversation was closed and will be opened anew",
        ),
    }
}

fn internal(cause: &str) -> Trouble {
    Trouble::new(TroubleKind::Internal, cause, "report this as a bug of vakt, with its configuration")
}

#[cfg(test)]
mod tests {
    use super::{super::conversations::SOCKETS_MAX, *};

    #[tokio::test]
    async fn only_idle_conversations_are_let_go() {
        let haproxy = Haproxy::default();
        let slot = haproxy.reading.slot("/run/x.sock").unwrap();
        slot.lock().await.used = Some(Instant::now());
        haproxy.release_idle(Duration::from_secs(3600));
        assert!(slot.lock().await.used.is_some());
        let in_use = slot.lock().await;
        haproxy.release_idle(Duration::ZERO);
        assert!(in_use.used.is_some());
        drop(in_use);
        haproxy.release_idle(Duration::ZERO);
        assert!(slot.lock().await.used.is_none());
    }

    #[test]
    fn a_process_that_a_reload_has_replaced_says_so() {
        assert!(is_leaving(b"Name: HAProxy\nStopping: 1\nPid: 7\n"));
        assert!(!is_leaving(b"Name: HAProxy\nStopping: 0\n"));
        assert!(!is_leaving(b"# pxname\nStopping: 1\n"));
    }

    #[test]
    fn sockets_are_limited() {
        let haproxy = Haproxy::default();
        for index in 0..SOCKETS_MAX {
            assert!(haproxy.reading.slot(&format!("/run/{index}")).is_some());
        }
        assert!(haproxy.reading.slot("/run/one/more").is_none() && haproxy.reading.slot("/run/0").is_some());
    }
}
