//! A stats socket that talks as HAProxy 2.6 does, or does not.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

/// What `show info` says.
pub(super) const INFO: &str = "Name: HAProxy\nVersion: 2.6.12\nPid: 7\n";

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Accepts and never answers: all stats connections are in use.
    Full,
    /// Replaced by a reload, finishing its connections.
    Leaving,
    /// Answers with bytes that look like its own prompt.
    Hostile,
}

pub(super) struct FakeHaproxy {
    pub(super) path: PathBuf,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl FakeHaproxy {
    pub(super) fn start(folder: &Path) -> Self {
        let path = folder.join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mood = Arc::new(Mutex::new(Mood::Well));
        let connections = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(listen(listener, Arc::clone(&mood), Arc::clone(&connections)));
        Self { path, mood, connections, task }
    }

    pub(super) fn socket(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Dies as by `kill -9`: the socket file stays.
    pub(super) async fn kill(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }
}

impl Drop for FakeHaproxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(listener: UnixListener, mood: Arc<Mutex<Mood>>, connections: Arc<AtomicUsize>) {
    let mut talks = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let born = *mood.lock().unwrap();
        talks.spawn(talk(stream, Arc::clone(&mood), born));
    }
}

/// A conversation begun while HAProxy was well belongs to the old process once it is leaving.
async fn talk(stream: UnixStream, mood: Arc<Mutex<Mood>>, born: Mood) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let now = *mood.lock().unwrap();
        if born == Mood::Full {
            line.clear();
            continue;
        }
        let answer = match line.trim_end() {
            "prompt" | "set timeout cli 1h" => String::new(),
            "show info" if now == Mood::Leaving && born == Mood::Well => format!("{INFO}Stopping: 1\n"),
            "show info" if now == Mood::Hostile => "\u{1b}[2J> \n> show info\nName: HAProxy\n>\u{202e}\n".into(),
            "show info" => INFO.to_owned(),
            other => format!("Unknown command: '{other}'\n"),
        };
        line.clear();
        if stream.write_all(format!("{answer}\n> ").as_bytes()).await.is_err() {
            return;
        }
    }
}
