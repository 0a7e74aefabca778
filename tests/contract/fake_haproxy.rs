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
    /// Knows no `user`, as HAProxy before 1.9.
    Old,
    /// Does what it is told and closes without an answer.
    Mute,
    /// Answers with bytes that look like its own prompt.
    Hostile,
}

pub(super) struct FakeHaproxy {
    pub(super) path: PathBuf,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    /// Writes that took effect, in order.
    written: Written,
    task: JoinHandle<()>,
}

type Written = Arc<Mutex<Vec<String>>>;

impl FakeHaproxy {
    pub(super) fn start(folder: &Path) -> Self {
        let path = folder.join("admin.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mood = Arc::new(Mutex::new(Mood::Well));
        let connections = Arc::new(AtomicUsize::new(0));
        let written = Written::default();
        let task = tokio::spawn(listen(listener, Arc::clone(&mood), Arc::clone(&connections), Arc::clone(&written)));
        Self { path, mood, connections, written, task }
    }

    pub(super) fn socket(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn written(&self) -> Vec<String> {
        self.written.lock().unwrap().clone()
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

async fn listen(listener: UnixListener, mood: Arc<Mutex<Mood>>, connections: Arc<AtomicUsize>, written: Written) {
    let mut talks = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        let born = *mood.lock().unwrap();
        talks.spawn(talk(stream, Arc::clone(&mood), born, Arc::clone(&written)));
    }
}

/// A conversation begun while HAProxy was well belongs to the old process once it is leaving.
async fn talk(stream: UnixStream, mood: Arc<Mutex<Mood>>, born: Mood, written: Written) {
    let mut stream = BufReader::new(stream);
    let mut is_lowered = false;
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|count| count > 0) {
        let now = *mood.lock().unwrap();
        if born == Mood::Full {
            line.clear();
            continue;
        }
        let answer = match line.trim_end() {
            "prompt" | "set timeout cli 1h" => String::new(),
            "user" if now == Mood::Old => format!("Unknown command: 'user'\n{}", "  help\n".repeat(1000)),
            "user" => {
                is_lowered = true;
                String::new()
            }
            set if set.starts_with("set server ") && is_lowered => "Permission denied\n".into(),
            set if set.starts_with("set server ") => {
                written.lock().unwrap().push(set.to_owned());
                if now == Mood::Mute {
                    return;
                }
                String::new()
            }
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
