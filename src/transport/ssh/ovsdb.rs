//! The databases of Open vSwitch of one session: one conversation per socket, which the database itself keeps current.
//!
//! Whoever polls drives the conversation; between polls what the database tells waits in the channel. A poll is
//! answered as soon as something changed, else after its hold, with the word that nothing did.

use super::{
    channel::Drained,
    conversations::{self, Conversations},
    route,
    session::{Session, micros},
    ways::{self, Hello},
};
use crate::{
    model::{
        text::Clean,
        time::Mono,
        trouble::{Trouble, TroubleKind},
    },
    wire::{
        feed::{Feed, FeedOutput},
        ovs::{MESSAGE_BYTES_MAX, OvsFeed, Told, message},
        request::Reply,
    },
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout, timeout_at},
};

/// A connection that was accepted and not answered for so long is to a frozen database.
const GREETING_WAIT_MAX: Duration = Duration::from_secs(2);
/// What the database may tell between two polls.
const UNREAD_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1024 * 1024;
/// The feed looks at the time this often.
const TICK: Duration = Duration::from_millis(500);
/// So long after a sign of life was asked for in vain, the database is said to be silent.
const SILENCE_MS: u64 = 2_000;
/// Pause before a conversation that broke is begun again; it doubles up to the longest.
const BACKOFF_MIN: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// A conversation that nobody polls any more is let go.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The conversations, by socket.
#[derive(Debug, Default)]
pub(super) struct Ovsdb(Conversations<Kept>);

#[derive(Debug, Default)]
struct Kept {
    conversation: Option<Conversation>,
    used: Option<Instant>,
    /// After a conversation that broke: not again before then, and why.
    rest: Option<(Instant, Trouble)>,
    backoff: Duration,
}

impl conversations::Kept for Kept {
    fn used(&self) -> Option<Instant> {
        self.used
    }
}

struct Conversation {
    stream: Drained,
    feed: OvsFeed,
    begun: Instant,
    rounds: u64,
    /// When statistics came last.
    round_at: Instant,
    /// Since when a sign of life is waited for.
    asked_at: Option<Instant>,
    heard_at: Instant,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").field("rounds", &self.rounds).finish_non_exhaustive()
    }
}

impl Ovsdb {
    /// Ends the conversations that nobody polls any more.
    pub(super) fn release_idle(&self) {
        self.0.release_idle(IDLE_MAX);
    }

    /// What changed since the last answer.
    pub(super) async fn ask(
        &self,
        session: &Session,
        socket: &str,
        hold: Duration,
        cap: usize,
        sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        if !route::is_usable_path(socket) {
            return Err(Trouble::new(
                TroubleKind::Internal,
                "the path of the switch's socket is not absolute, or has characters other than A-Za-z0-9/._-+@",
                "correct the path in the configuration",
            ));
        }
        let slot = self.0.slot(socket).ok_or_else(|| {
            Trouble::new(TroubleKind::Internal, "too many sockets on one node", "report this as a bug of vakt")
        })?;
        let mut kept = slot.lock().await;
        let started = Instant::now();
        kept.used = Some(started);
        // Taken out: if this future is dropped at the deadline, the conversation goes with it.
        let mut told = Told::default();
        let mut conversation = match kept.conversation.take() {
            Some(conversation) => conversation,
            None => match kept.begin(session, socket, sent, &mut told).await {
                Ok(conversation) => conversation,
                Err(trouble) => return Err(kept.failed(trouble)),
            },
        };
        // From here on a deadline says something about the node only when the conversation is already silent: the
        // answer waits for a change, at most for its hold.
        match conversation.next(session, started + hold, &mut told).await {
            Ok(()) => {}
            Err(End::Silent(trouble)) => {
                kept.conversation = Some(conversation);
                return Err(trouble);
            }
            Err(End::Broken(trouble)) => return Err(kept.failed(trouble)),
        }
        let age_ms = u64::try_from(conversation.round_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        kept.conversation = Some(conversation);
        kept.backoff = Duration::ZERO;
        let bytes = told.into_bytes(age_ms);
        if bytes.len() > cap {
            return Err(session.too_long(cap, "the switch's database"));
        }
        Ok(Reply { bytes, stderr: Vec::new(), exit: None, elapsed_us: micros(started) })
    }
}

impl Kept {
    async fn begin(
        &mut self,
        session: &Session,
        socket: &str,
        sent: &AtomicBool,
        told: &mut Told,
    ) -> Result<Conversation, Trouble> {
        if let Some((until, trouble)) = &self.rest
            && Instant::now() < *until
        {
            return Err(trouble.clone());
        }
        sent.store(true, Ordering::Relaxed);
        let question = message::call("echo", &json!([]), "vakt-hello");
        let hello = Hello::Bytes { question: &question, who: "the database of Open vSwitch" };
        let stream = ways::open(session, socket, hello, UNREAD_BYTES_MAX, GREETING_WAIT_MAX).await?;
        let now = Instant::now();
        let mut conversation = Conversation {
            stream,
            feed: OvsFeed::default(),
            begun: now,
            rounds: 0,
            round_at: now,
            asked_at: None,
            heard_at: now,
        };
        let outputs = conversation.feed.open(Mono(0));
        conversation.perform(session, outputs, told).await.map_err(End::trouble)?;
        Ok(conversation)
    }

    /// Notes that there is no conversation, and why.
    fn failed(&mut self, trouble: Trouble) -> Trouble {
        self.backoff = (self.backoff * 2).clamp(BACKOFF_MIN, BACKOFF_MAX);
        if self.rest.as_ref().is_none_or(|(until, _)| *until <= Instant::now()) {
            self.rest = Some((Instant::now() + self.backoff, trouble.clone()));
        }
        trouble
    }
}

/// Why a conversation does not go on.
enum End {
    /// It is still there and says nothing.
    Silent(Trouble),
    /// It is of no use any more.
    Broken(Trouble),
}

impl End {
    fn trouble(self) -> Trouble {
        match self {
            Self::Silent(trouble) | Self::Broken(trouble) => trouble,
        }
    }
}

impl Conversation {
    /// Follows until something changed or `until` has come.
    async fn next(&mut self, session: &Session, until: Instant, told: &mut Told) -> Result<(), End> {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            while self.stream.unread() > 0 {
                let count =
                    self.stream.read(&mut chunk).await.map_err(|error| self.ended(session, &error.to_string()))?;
                let now = Instant::now();
                (self.heard_at, self.asked_at) = (now, None);
                let outputs = self.feed.take(&chunk[..count], self.mono(now));
                self.perform(session, outputs, told).await?;
            }
            if told.has_news() {
                if let Some(rounds) = told.rounds().filter(|rounds| *rounds != self.rounds) {
                    (self.rounds, self.round_at) = (rounds, self.heard_at);
                }
                return Ok(());
            }
            let now = Instant::now();
            if now >= until {
                return self.is_silent(session, now);
            }
            let outputs = self.feed.tick(self.mono(now));
            if outputs.iter().any(|output| matches!(output, FeedOutput::Send(_))) {
                self.asked_at.get_or_insert(now);
            }
            self.perform(session, outputs, told).await?;
            let next = until.min(now + TICK);
            if let Ok(false) = timeout_at(next, self.stream.has_something()).await {
                return Err(self.ended(session, "it closed the connection"));
            }
        }
    }

    /// A sign of life that does not come for so long is worth telling, long before the connection is given up.
    fn is_silent(&self, session: &Session, now: Instant) -> Result<(), End> {
        match self.asked_at {
            Some(asked) if now.duration_since(asked) >= Duration::from_millis(SILENCE_MS) => {
                let silent_s = now.duration_since(self.heard_at).as_secs();
                Err(End::Silent(Trouble::new(
                    TroubleKind::DeadlineMissed,
                    format!("the database of Open vSwitch on {} is silent for {silent_s} s", session.name()),
                    "ovsdb-server is frozen or overloaded: look at it on the node",
                )))
            }
            _ => Ok(()),
        }
    }

    async fn perform(
        &mut self,
        session: &Session,
        outputs: Vec<FeedOutput<crate::model::ovs::OvsSample>>,
        told: &mut Told,
    ) -> Result<(), End> {
        for output in outputs {
            match output {
                FeedOutput::Send(bytes) => {
                    let sending = async {
                        self.stream.write_all(&bytes).await?;
                        self.stream.flush().await
                    };
                    // A peer that takes nothing must not hold up more than its own poll.
                    match timeout(GREETING_WAIT_MAX, sending).await {
                        Ok(Ok(())) => {}
                        Ok(Err(error)) => return Err(self.ended(session, &error.to_string())),
                        Err(_) => return Err(self.ended(session, "it takes no more questions")),
                    }
                }
                FeedOutput::Close(why) => return Err(self.ended(session, why.as_str())),
                other => told.note(other),
            }
        }
        Ok(())
    }

    fn ended(&self, session: &Session, why: &str) -> End {
        if session.is_ended() {
            return End::Broken(session.end());
        }
        let said = String::from_utf8_lossy(&self.stream.stderr()).trim().to_owned();
        let why = if said.is_empty() { Clean::line(why) } else { Clean::line(&said) };
        End::Broken(Trouble::new(
            TroubleKind::ConnectionLost,
            format!("the conversation with the database of Open vSwitch on {} ended: {why}", session.name()),
            "it is begun anew by itself; look at ovsdb-server on the node if that does not help",
        ))
    }

    fn mono(&self, now: Instant) -> Mono {
        Mono(u64::try_from(now.duration_since(self.begun).as_millis()).unwrap_or(u64::MAX))
    }
}
