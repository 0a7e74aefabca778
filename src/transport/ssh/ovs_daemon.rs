//! The daemon of Open vSwitch of one session: looks whether its process lives, and asks it on one kept conversation.
//!
//! Its control socket has its process number in its name; another number is another conversation. A daemon that does
//! not answer is an answer, too: the look at the process tells more than the missing words.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    route,
    session::{Session, micros},
    ways::{self, Hello},
};
use crate::{
    model::{
        ovs_daemon::DaemonProcessState,
        trouble::{Trouble, TroubleKind},
    },
    wire::{
        ovs::daemon::{self, DaemonTalk},
        request::{OvsTalk, Reply},
    },
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::Mutex as TurnMutex,
    time::{Instant, timeout_at},
};

/// The look prints two lines.
const LOOK_BYTES_MAX: usize = 4096;
/// Longest wait for the daemon's answers; it must leave time within the request's deadline.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(1500);

/// Who answers.
pub(super) const DAEMON: &str = "ovs-vswitchd";

/// The conversation with the daemon.
#[derive(Debug, Default)]
pub(super) struct OvsDaemon(TurnMutex<State>);

#[derive(Debug, Default)]
struct State {
    kept: Option<Kept>,
    /// The last question ended before any conversation was open.
    was_unopened: bool,
}

#[derive(Debug)]
struct Kept {
    pid: u64,
    folder: String,
    stream: Drained,
}

impl OvsDaemon {
    /// The look at the process and the daemon's answers, as far as there are any.
    pub(super) async fn ask(
        &self,
        session: &Session,
        folder: &str,
        talk: OvsTalk,
        limit: Duration,
        sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        if !route::is_usable_path(folder) {
            return Err(Trouble::new(
                TroubleKind::Internal,
                "the folder of the switch's sockets has characters other than A-Za-z0-9/._-+@",
                "correct the path in the configuration",
            ));
        }
        let mut state = self.0.lock().await;
        let State { kept, was_unopened } = &mut *state;
        let started = Instant::now();
        let look = session.look(&daemon::look(folder), &daemon::look_perl(folder), LOOK_BYTES_MAX, sent).await?.bytes;
        let pid = match daemon::process_state(&look) {
            DaemonProcessState::Running { pid } | DaemonProcessState::Hidden { pid } => Some(pid),
            _ => None,
        };
        let until = started + ANSWER_WAIT_MAX.min(limit * 3 / 4);
        let bytes = match pid {
            None => {
                *kept = None;
                daemon::unasked(&look, None)
            }
            Some(pid) => {
                let fresh = kept.take().filter(|kept| {
                    kept.pid == pid && kept.folder == folder && kept.stream.unread() == 0 && !kept.stream.is_ended()
                });
                let mut conversation = DaemonTalk::new(talk);
                let is_open = AtomicBool::new(false);
                let conversing = converse(session, folder, pid, fresh, &mut conversation, until, &is_open);
                let outcome = timeout_at(until, conversing).await.unwrap_or_else(|_| Err(silent(session)));
                let is_late = outcome.as_ref().is_err_and(|trouble| trouble.kind == TroubleKind::DeadlineMissed);
                let is_unopened = is_late && !is_open.into_inner();
                // A login's first way leads through a relay, and a busy node takes its time to start one. From the second
                // time on it is the daemon.
                let is_excused = is_unopened && !*was_unopened;
                *was_unopened = is_unopened;
                match if is_excused { Err(unopened(session)) } else { outcome } {
                    Ok(stream) => {
                        *kept = Some(Kept { pid, folder: folder.to_owned(), stream });
                        conversation.into_bytes(&look, None)
                    }
                    Err(trouble) if session.is_ended() => return Err(trouble),
                    Err(trouble) => conversation.into_bytes(&look, Some(trouble)),
                }
            }
        };
        Ok(Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us: micros(started) })
    }
}

async fn converse(
    session: &Session,
    folder: &str,
    pid: u64,
    kept: Option<Kept>,
    talk: &mut DaemonTalk,
    until: Instant,
    is_open: &AtomicBool,
) -> Result<Drained, Trouble> {
    let mut stream = if let Some(kept) = kept {
        kept.stream
    } else {
        let socket = format!("{folder}/ovs-vswitchd.{pid}.ctl");
        let question = daemon::hello();
        let hello = Hello::Bytes { question: &question, who: DAEMON };
        let wait = until.saturating_duration_since(Instant::now());
        ways::open(session, &socket, hello, UNREAD_BYTES_MAX, wait).await?
    };
    is_open.store(true, Ordering::Relaxed);
    exchange(session, &mut stream, talk).await.map(|()| stream)
}

fn unopened(session: &Session) -> Trouble {
    Trouble::new(
        TroubleKind::TimedOut,
        format!("the way to ovs-vswitchd on {} was not open within {} ms", session.name(), ANSWER_WAIT_MAX.as_millis()),
        "it is tried again by itself",
    )
}

fn silent(session: &Session) -> Trouble {
    Trouble::new(
        TroubleKind::DeadlineMissed,
        format!("ovs-vswitchd on {} gave no answer within {} ms", session.name(), ANSWER_WAIT_MAX.as_millis()),
        "it is frozen or overloaded: look at the daemon on the node",
    )
}

async fn exchange(session: &Session, stream: &mut Drained, talk: &mut DaemonTalk) -> Result<(), Trouble> {
    let ended = |why: String| {
        Trouble::new(
            TroubleKind::ConnectionLost,
            format!("ovs-vswitchd on {} ended the conversation: {why}", session.name()),
            "it is begun anew by itself",
        )
    };
    let mut chunk = vec![0; 64 * 1024];
    while let Some(question) = talk.ask() {
        stream.write_all(&question).await.map_err(|error| ended(error.to_string()))?;
        stream.flush().await.map_err(|error| ended(error.to_string()))?;
        loop {
            let count = stream.read(&mut chunk).await.map_err(|error| ended(error.to_string()))?;
            if count == 0 {
                return Err(ended("it was restarted or stopped".to_owned()));
            }
            if talk.take(&chunk[..count]).map_err(ended)? {
                break;
            }
        }
    }
    Ok(())
}
