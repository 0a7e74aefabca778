//! The executor's socket for those who follow a run: JSON lines both ways.
//!
//! A follower is told how many records there are (it reads them from the journal itself), what stopping would do, and
//! which questions of connections wait; it may ask to stop, say that something stays, or answer a question. It is told the newest state and never
//! a queue of states, so that a slow one costs nothing. Whatever it does, the run does not wait for it.

use crate::{
    model::{ids::NodeName, link::Question, text::Clean},
    run::Operator,
    runtime::{lines::Lines, state::Sharing},
    transport::Answer,
};
use secrecy::{SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, Permissions},
    io,
    os::{fd::AsRawFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc, watch},
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// The socket's name in the folder of the run.
pub const SOCKET: &str = "control.sock";
/// Followers at once; one more is turned away.
pub const FOLLOWERS_MAX: usize = 16;
/// Longest line a follower may send.
pub const ASK_BYTES_MAX: usize = 16 * 1024;
/// Lines a follower may send; then it has to come back.
const ASKS_PER_FOLLOWER_MAX: usize = 64;
/// Longest line that the executor sends.
pub const TOLD_BYTES_MAX: usize = 1024 * 1024;
/// Requests that may wait for the run; more are dropped.
const ASKS_MAX: usize = 16;
/// Questions that are told at once.
pub(super) const QUESTIONS_MAX: usize = 64;
/// A follower that takes nothing for so long is let go.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time for the followers to hear the end.
const GOODBYE_WAIT: Duration = Duration::from_millis(500);

/// What a follower is told: the whole state, each time anew.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Told {
    /// Durable records so far.
    pub records: u64,
    /// What stopping would do now.
    pub stop_would: Clean,
    /// What the newest look saw, while it waits.
    #[serde(default)]
    pub seen: Vec<Clean>,
    /// Questions of connections that wait for an operator.
    pub questions: Vec<(NodeName, Question)>,
    /// It is over; nothing follows.
    pub ended: bool,
}

/// What a follower asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Stop and undo.
    Abort,
    /// What waits for a word stays.
    Keep {
        /// Who says so.
        operator: Operator,
    },
    /// The answer to a question.
    Answer {
        /// Whose question.
        node: NodeName,
        /// Which question.
        question: u64,
        /// The answer.
        answer: Given,
    },
}

/// An answer on its way.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Given {
    /// A secret as typed.
    Secret(#[serde(with = "wiped")] Zeroizing<String>),
    /// Yes, to a host key.
    Accept,
    /// No.
    Refuse,
}

/// A text that is wiped, as JSON.
mod wiped {
    use secrecy::zeroize::Zeroizing;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(deserializer).map(Zeroizing::new)
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Secret(_) => "Secret(…)",
            Self::Accept => "Accept",
            Self::Refuse => "Refuse",
        })
    }
}

impl From<Given> for Answer {
    fn from(given: Given) -> Self {
        match given {
            Given::Secret(text) => Self::Secret(SecretString::from(text.as_str())),
            Given::Accept => Self::Accept,
            Given::Refuse => Self::Refuse,
        }
    }
}

/// The executor's end.
#[derive(Debug)]
pub(super) struct Control {
    told: watch::Sender<Told>,
    asks: mpsc::Receiver<Ask>,
    socket: PathBuf,
    accepting: tokio::task::JoinHandle<()>,
    followers: TaskTracker,
}

impl Control {
    /// Listens in the folder of the run.
    pub(super) fn listen(folder: &Path, sharing: Sharing) -> io::Result<Self> {
        let socket = folder.join(SOCKET);
        match fs::remove_file(&socket) {
            // Of an executor that was killed: this process has the run's lock.
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let (_folder, short) = short_path(folder)?;
        let listener = std::os::unix::net::UnixListener::bind(&short)?;
        let mode = if sharing == Sharing::Group { 0o660 } else { 0o600 };
        fs::set_permissions(&short, Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(listener)?;
        let (told, _) = watch::channel(Told::default());
        let (sender, asks) = mpsc::channel(ASKS_MAX);
        let followers = TaskTracker::new();
        let accepting = tokio::spawn(accept(listener, told.clone(), sender, followers.clone()));
        Ok(Self { told, asks, socket, accepting, followers })
    }

    /// The next request of a follower.
    pub(super) async fn next(&mut self) -> Ask {
        match self.asks.recv().await {
            Some(ask) => ask,
            // The listening task is gone only with this value.
            None => std::future::pending().await,
        }
    }

    /// Changes what is told; followers hear of it when it is news.
    pub(super) fn tell(&self, change: impl FnOnce(&mut Told)) {
        self.told.send_if_modified(|told| {
            let before = told.clone();
            change(told);
            *told != before
        });
    }

    /// Whether a question waits for an operator.
    pub(super) fn is_asking(&self) -> bool {
        !self.told.borrow().questions.is_empty()
    }

    /// It is over: followers hear it, if they listen.
    pub(super) async fn end(self) {
        self.tell(|told| told.ended = true);
        self.accepting.abort();
        self.followers.close();
        let _ = timeout(GOODBYE_WAIT, self.followers.wait()).await;
        let _ = fs::remove_file(&self.socket);
    }
}

/// The socket by a path that is short however deep the folder lies: a socket's path has at most 107 bytes. Valid while
/// the folder is open.
fn short_path(folder: &Path) -> io::Result<(File, PathBuf)> {
    let folder = File::open(folder)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
    Ok((folder, short))
}

/// Connects to the executor of the run in that folder.
pub(crate) async fn connect(folder: &Path) -> io::Result<UnixStream> {
    let (_folder, short) = short_path(folder)?;
    UnixStream::connect(&short).await
}

async fn accept(listener: UnixListener, told: watch::Sender<Told>, asks: mpsc::Sender<Ask>, followers: TaskTracker) {
    let places = Arc::new(Semaphore::new(FOLLOWERS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors: those who follow keep theirs.
            tokio::time::sleep(PATIENCE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (told, asks) = (told.subscribe(), asks.clone());
        followers.spawn(async move {
            serve(stream, told, asks).await;
            drop(place);
        });
    }
}

/// One follower, until it goes, is too slow, or the run is over.
///
/// One that asks and goes at once is heard nevertheless: that it takes nothing any more does not end the reading. When
/// it has said everything it is told the state once more, as a sign that all of it was read.
async fn serve(stream: UnixStream, mut told: watch::Receiver<Told>, asks: mpsc::Sender<Ask>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines::new(reader, ASK_BYTES_MAX);
    let mut asks_left = ASKS_PER_FOLLOWER_MAX;
    let mut is_listening = true;
    told.mark_changed();
    loop {
        tokio::select! {
            changed = told.changed(), if is_listening => {
                if changed.is_err() {
                    return;
                }
                let now = told.borrow_and_update().clone();
                match timeout(PATIENCE, write(&mut writer, &now)).await {
                    Ok(Ok(())) if !now.ended => {}
                    Ok(Err(_)) => is_listening = false,
                    _ => return,
                }
            }
            line = lines.next() => {
                let Some(line) = line else {
                    let now = told.borrow().clone();
                    // One that went without listening hears nothing.
                    let _ = timeout(PATIENCE, write(&mut writer, &now)).await;
                    return;
                };
                let (Ok(ask), Some(left)) = (serde_json::from_slice(&line), asks_left.checked_sub(1)) else { return };
                asks_left = left;
                // A run that has more requests than it can take has heard this one already.
                drop(asks.try_send(ask));
            }
        }
    }
}

async fn write(writer: &mut (impl tokio::io::AsyncWrite + Unpin), told: &Told) -> io::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever says one thing and goes away at once, while the run has something to tell, is heard.
    #[tokio::test]
    async fn one_that_asks_and_goes_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let mut control = Control::listen(folder.path(), Sharing::Private).unwrap();
        for round in 1..=200 {
            let mut stream = connect(folder.path()).await.unwrap();
            stream.write_all(b"\"abort\"\n").await.unwrap();
            drop(stream);
            control.tell(|told| told.records = round);
            let ask = timeout(Duration::from_secs(5), control.next()).await;
            assert!(matches!(ask, Ok(Ask::Abort)), "round {round}: {ask:?}");
        }
    }
}
