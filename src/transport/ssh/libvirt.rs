//! libvirt of one session: its client library behind a bridge, kept between questions.
//!
//! libvirt's calls block and cannot be cancelled. So they run on a thread of their own, and a question that gets no
//! answer in time closes the bridge: the call ends with an error, and the thread with it.

use super::session::Session;
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::{libvirt::Question, request::Reply},
};
use std::{sync::atomic::AtomicBool, time::Duration};

#[cfg(feature = "libvirt")]
pub(super) use built_in::Libvirt;

/// What stands in for libvirt in a vakt that was built without it.
#[cfg(not(feature = "libvirt"))]
#[derive(Debug, Default)]
pub(super) struct Libvirt(());

#[cfg(not(feature = "libvirt"))]
impl Libvirt {
    #[expect(clippy::unused_async, reason = "the same call as where libvirt is built in")]
    pub(super) async fn ask(
        &self,
        session: &Session,
        _socket: &str,
        _question: Question,
        _cap: usize,
        _limit: Duration,
        _sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        Err(Trouble::new(
            TroubleKind::NotBuiltIn,
            format!("this vakt was built without libvirt: the guests of {} are not read", session.name()),
            "build it with the default features, or set libvirt_socket = \"none\" for this node",
        ))
    }
}

#[cfg(feature = "libvirt")]
mod built_in {
    use super::{
        super::{
            bridge::{self, Bridge},
            session::micros,
        },
        AtomicBool, Duration, Question, Reply, Session, Trouble, TroubleKind,
    };
    use crate::{
        model::link::LinkEvent,
        transport::libvirt::{Client, Fault},
    };
    use std::{
        io,
        sync::{Arc, atomic::Ordering},
    };
    use tokio::{
        sync::{Mutex as TurnMutex, Notify},
        time::{Instant, sleep, timeout},
    };
    use tokio_util::sync::{CancellationToken, DropGuard};

    /// libvirt tells every step of a start or a migration; one look shows them all.
    const ANNOUNCE_PAUSE: Duration = Duration::from_millis(200);

    /// The conversation.
    #[derive(Debug, Default)]
    pub(in super::super) struct Libvirt(TurnMutex<State>);

    #[derive(Debug, Default)]
    struct State {
        kept: Option<Kept>,
        /// How long the last answer took, by question.
        usual: [Duration; 2],
    }

    #[derive(Debug)]
    struct Kept {
        socket: String,
        client: Client,
        /// Dropped after the client, whose thread may wait in a call that only this ends.
        _bridge: Bridge,
        _announcing: DropGuard,
    }

    impl Libvirt {
        /// One question, one answer.
        ///
        /// A guest whose QEMU stands still holds up the first question that meets it; from then on libvirt knows that it
        /// is busy and tells the others at once. So a question without answer is asked once more before libvirtd counts
        /// as silent.
        pub(in super::super) async fn ask(
            &self,
            session: &Session,
            socket: &str,
            question: Question,
            cap: usize,
            limit: Duration,
            sent: &AtomicBool,
        ) -> Result<Reply, Trouble> {
            let mut state = self.0.lock().await;
            let started = Instant::now();
            sent.store(true, Ordering::Relaxed);
            // Within the deadline, so that a silent libvirtd is told apart from a node that has vanished.
            let patience = limit * 9 / 10;
            let usual = state.usual[question as usize];
            let first = (patience / 2).max(usual * 3).min(patience);
            // Taken out: if this future is dropped at the deadline, the conversation goes with it.
            let fresh = state.kept.take().filter(|kept| kept.socket == socket);
            let was_kept = fresh.is_some();
            let mut conversation = match fresh {
                Some(kept) => kept,
                None => begin(session, socket).await?,
            };
            let mut asked = Instant::now();
            let mut answer = timeout(first, conversation.client.ask(question)).await;
            let again = match &answer {
                // libvirtd was restarted meanwhile.
                Ok(Err(Fault::Lost(_))) => was_kept,
                Err(_) => first < patience,
                Ok(_) => false,
            };
            if again {
                // First the old one: its call ends with its bridge.
                drop(conversation);
                conversation = begin(session, socket).await?;
                asked = Instant::now();
                let left = patience.saturating_sub(started.elapsed());
                answer = timeout(left, conversation.client.ask(question)).await;
            }
            match answer {
                Ok(Ok(bytes)) if bytes.len() > cap => Err(session.too_long(cap, question.words())),
                Ok(Ok(bytes)) => {
                    state.kept = Some(conversation);
                    state.usual[question as usize] = asked.elapsed();
                    Ok(Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us: micros(started) })
                }
                Ok(Err(fault)) => Err(trouble(session, socket, &fault)),
                Err(_) => Err(silent(session, started.elapsed())),
            }
        }
    }

    async fn begin(session: &Session, socket: &str) -> Result<Kept, Trouble> {
        let stream = bridge::reach(session, socket).await?;
        let here = |error: io::Error| {
            Trouble::new(
                TroubleKind::Internal,
                format!("no private socket for libvirt on this machine: {error}"),
                "check that $XDG_RUNTIME_DIR or /tmp exists and has room",
            )
        };
        let bridge = Bridge::open(stream, session.tasks()).map_err(here)?;
        let announced = Arc::new(Notify::new());
        let client = Client::start(bridge.path(), Arc::clone(&announced)).map_err(here)?;
        let ended = CancellationToken::new();
        let operator = Arc::clone(session.operator());
        let until = ended.clone();
        session.tasks().spawn(async move {
            let tell = async {
                loop {
                    announced.notified().await;
                    operator.tell(LinkEvent::GuestsChanged).await;
                    sleep(ANNOUNCE_PAUSE).await;
                }
            };
            tokio::select! {
                () = until.cancelled() => {}
                () = tell => {}
            }
        });
        Ok(Kept { socket: socket.to_owned(), client, _bridge: bridge, _announcing: ended.drop_guard() })
    }

    fn silent(session: &Session, waited: Duration) -> Trouble {
        Trouble::new(
            TroubleKind::LibvirtSilent,
            format!("libvirtd on {} took the question and said nothing for {} ms", session.name(), waited.as_millis()),
            "it is frozen or waits for a guest's QEMU or a storage pool: look at its log (journalctl -u libvirtd)",
        )
    }

    fn trouble(session: &Session, socket: &str, fault: &Fault) -> Trouble {
        match fault {
            _ if session.is_ended() => session.end(),
            Fault::Lost(words) => Trouble::new(
                TroubleKind::DaemonNotRunning,
                format!("libvirtd on {} ended the conversation: {words}", session.name()),
                "see whether it runs (systemctl status libvirtd), and why it ended",
            ),
            Fault::Refused(words) => Trouble::new(
                TroubleKind::ServiceRefused,
                format!("libvirt on {} refused: {words}", session.name()),
                format!("check that this login may use {socket}, and that it belongs to the QEMU driver"),
            ),
            Fault::TooMany => Trouble::new(
                TroubleKind::Internal,
                "too many conversations with libvirt at once",
                "watch fewer hypervisors with one vakt",
            ),
        }
    }
}
