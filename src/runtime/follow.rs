//! Following a run that an executor carries out: its records from the journal, the rest over its socket.
//!
//! The socket says that there is something to read; the journal says what. A run is followed just as well, only a little
//! later, when the socket has no place left.

use super::{
    executor::control::{self, Ask, TOLD_BYTES_MAX, Told},
    lines::Lines,
    state::{Follower, StateDir, StateTrouble},
};
use crate::{
    model::{ids::NodeName, link::Question, text::Clean},
    plan::PlanId,
    run::{Entry, Record},
};
use std::{collections::VecDeque, io, sync::Arc, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    time::{sleep, timeout},
};

/// Records in one piece of news.
const RECORDS_PER_NEWS_MAX: usize = 256;
/// Between two looks at the journal of a run whose socket cannot be had.
const WITHOUT_SOCKET_PAUSE: Duration = Duration::from_millis(300);
/// Longest wait until a request is taken.
const ASK_WAIT: Duration = Duration::from_secs(2);

/// What a follower hears.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Records that were not told yet, in order.
    Records(Vec<Record>),
    /// What stopping would do now.
    StopWould(Clean),
    /// What the newest look saw while it waits; nothing when the wait is over.
    Seen(Vec<Clean>),
    /// A connection of the executor waits for an answer.
    Question(NodeName, Question),
    /// That question needs no answer any more.
    QuestionGone(NodeName, u64),
    /// The executor is gone and left no ending. Nothing follows.
    Vanished(Clean),
    /// It is over: the last record is the ending. Nothing follows.
    Over,
}

/// One run being followed.
#[derive(Debug)]
pub struct Following {
    state: Arc<StateDir>,
    run: PlanId,
    journal: Follower,
    socket: Option<(Lines<OwnedReadHalf>, OwnedWriteHalf)>,
    told: Told,
    /// Whether the last record so far is an ending.
    has_ended: bool,
    is_over: bool,
    pending: VecDeque<News>,
}

impl Following {
    /// Follows a run from its first record on, whether it goes on or not.
    pub async fn begin(state: Arc<StateDir>, run: PlanId) -> Result<Self, StateTrouble> {
        let journal = state.follow(&run)?;
        let mut following = Self {
            state,
            run,
            journal,
            socket: None,
            told: Told::default(),
            has_ended: false,
            is_over: false,
            pending: VecDeque::new(),
        };
        following.connect().await;
        following.read();
        Ok(following)
    }

    /// What happens next; `None` after the last news. Whoever stops waiting for it loses nothing.
    pub async fn next(&mut self) -> Option<News> {
        loop {
            if let Some(news) = self.pending.pop_front() {
                return Some(news);
            }
            if self.is_over {
                return None;
            }
            match &mut self.socket {
                Some((lines, _)) => {
                    let told = lines.next().await.and_then(|line| serde_json::from_slice::<Told>(&line).ok());
                    match told {
                        Some(told) => self.take(told),
                        None => self.socket = None,
                    }
                }
                None => self.look().await,
            }
        }
    }

    /// Asks the executor for something; false when it does not listen.
    pub async fn ask(&mut self, ask: &Ask) -> bool {
        if self.socket.is_none() {
            self.connect().await;
        }
        let Some((_, writer)) = &mut self.socket else { return false };
        let is_sent = send(writer, ask).await;
        // A socket that took nothing is no use: the next one may be.
        if !is_sent {
            self.socket = None;
        }
        is_sent
    }

    /// Without a socket: what the journal says, and whether its writer lives.
    async fn look(&mut self) {
        // In this order: what it wrote before it ended is read after its end was seen.
        let lives = self.journal.lives();
        self.read();
        if !self.pending.is_empty() {
            return;
        }
        if !lives {
            self.is_over = true;
            self.pending.push_back(if self.has_ended {
                News::Over
            } else {
                News::Vanished("The process that carried it out is gone and left no ending.".into())
            });
            return;
        }
        sleep(WITHOUT_SOCKET_PAUSE).await;
        self.connect().await;
    }

    async fn connect(&mut self) {
        if let Ok(stream) = control::connect(&self.state.run_folder(&self.run)).await {
            let (reader, writer) = stream.into_split();
            self.socket = Some((Lines::new(reader, TOLD_BYTES_MAX), writer));
        }
    }

    fn take(&mut self, told: Told) {
        self.read();
        if told.stop_would != self.told.stop_would {
            self.pending.push_back(News::StopWould(told.stop_would.clone()));
        }
        if told.seen != self.told.seen {
            self.pending.push_back(News::Seen(told.seen.clone()));
        }
        for (node, question) in &self.told.questions {
            if !told.questions.contains(&(node.clone(), question.clone())) {
                self.pending.push_back(News::QuestionGone(node.clone(), question.id));
            }
        }
        for asked in &told.questions {
            if !self.told.questions.contains(asked) {
                self.pending.push_back(News::Question(asked.0.clone(), asked.1.clone()));
            }
        }
        if told.ended {
            self.is_over = true;
            self.pending.push_back(News::Over);
        }
        self.told = told;
    }

    fn read(&mut self) {
        match self.journal.read() {
            Ok(records) => {
                if let Some(last) = records.last() {
                    self.has_ended = matches!(last.entry, Entry::Ended(_) | Entry::Resolved { .. });
                }
                let chunks = records.chunks(RECORDS_PER_NEWS_MAX).map(|chunk| News::Records(chunk.to_vec()));
                self.pending.extend(chunks);
            }
            Err(trouble) => {
                self.is_over = true;
                self.pending.push_back(News::Vanished(Clean::line(&trouble.to_string())));
            }
        }
    }
}

/// Asks the executor of a run that is not followed; false when it was not heard.
pub async fn ask(state: &StateDir, run: &PlanId, ask: &Ask) -> bool {
    timeout(ASK_WAIT, ask_and_wait(state, run, ask)).await.is_ok_and(|is_heard| is_heard.unwrap_or(false))
}

/// The executor that has read everything answers once more and closes: one that has no place left closes at once.
async fn ask_and_wait(state: &StateDir, run: &PlanId, ask: &Ask) -> io::Result<bool> {
    let (reader, mut writer) = control::connect(&state.run_folder(run)).await?.into_split();
    if !send(&mut writer, ask).await {
        return Ok(false);
    }
    writer.shutdown().await?;
    let mut lines = Lines::new(reader, TOLD_BYTES_MAX);
    let mut is_heard = false;
    while let Some(line) = lines.next().await {
        is_heard = serde_json::from_slice::<Told>(&line).is_ok_and(|told| !told.ended);
    }
    Ok(is_heard)
}

async fn send(writer: &mut (impl tokio::io::AsyncWrite + Unpin), ask: &Ask) -> bool {
    // A secret in it is wiped with the line.
    let mut line = secrecy::zeroize::Zeroizing::new(Vec::with_capacity(control::ASK_BYTES_MAX));
    if serde_json::to_writer(&mut *line, ask).is_err() {
        return false;
    }
    line.push(b'\n');
    timeout(ASK_WAIT, writer.write_all(&line)).await.is_ok_and(|written| written.is_ok())
}
