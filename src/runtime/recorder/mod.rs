//! The flight recorder: everything that changes what is shown, as it happened.
//!
//! A recording is a row of chapters. Each begins with a header and a snapshot of the whole console, so that a replay
//! can start there; then come the messages, reports as the node's own bytes. A thread of its own masks, compresses and
//! writes. The loop hands over values and never waits: what does not fit is counted, and the next chapter begins as
//! soon as there is room, so that every chapter is exact in itself.
//!
//! Main types: [`Recorder`], [`Recording`]. Deliberately absent: what was drawn; it follows from the messages.

mod files;
mod line;
mod read;
mod writer;

pub use files::{Bounds, ENDING, recording_name};
pub use line::{FORMAT, Header, RawReply, RawReport};
pub use read::{Chapter, Loaded, Recorded, Recording, RecordingError};

use crate::{
    app::{
        App,
        msg::{Event, Key, KeyCode, Msg, RecorderNews},
        snapshot::Snapshot,
    },
    model::{ids::NodeName, inventory::Inventory, text::Clean, time::Mono, time::Now},
    wire::{mask::Mask, probe::ProbeId, request::Reply},
};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel},
    },
    time::Duration,
};

/// Entries that may wait for the disk.
const ENTRIES_MAX: usize = 8_192;
/// Bytes of replies that may wait for the disk.
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The end of the console waits at most this long for the disk.
pub const FINISH_WAIT: Duration = Duration::from_millis(500);
/// Losses are told at most this often.
const NEWS_MS: u64 = 5_000;

/// The replies that a report was made of, shared between the collector and the recorder.
pub type Replies = Arc<[Reply]>;

/// Where to record.
#[derive(Debug)]
pub enum Target {
    /// Chapters as files of a folder, within bounds.
    Folder {
        /// The folder; it is made if needed.
        path: PathBuf,
        /// How much may lie there.
        bounds: Bounds,
    },
    /// All chapters in this one file.
    File(Option<File>),
}

impl Target {
    /// A file that must not exist yet.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::File(Some(files::create(path)?)))
    }
}

/// What a recording is to be.
#[derive(Debug)]
pub struct Settings {
    /// Where.
    pub target: Target,
    /// Its name; see [`recording_name`].
    pub name: String,
    /// A random key: literals and strangers' addresses are masked with it. `None`: they are not masked.
    pub mask_key: Option<[u8; 16]>,
    /// Length of a chapter, milliseconds.
    pub chapter_ms: u64,
}

enum Entry {
    Chapter { header: Box<Header>, snapshot: Box<Snapshot> },
    Msg(Box<Msg>),
    Report { at: Now, node: NodeName, probe: ProbeId, round_trip_ms: u64, replies: Replies },
}

impl Entry {
    fn at(&self) -> Now {
        match self {
            Self::Chapter { header, .. } => header.started,
            Self::Msg(msg) => msg.at,
            Self::Report { at, .. } => *at,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Report { replies, .. } => replies.iter().map(|reply| reply.bytes.len() + reply.stderr.len()).sum(),
            Self::Msg(_) | Self::Chapter { .. } => 0,
        }
    }
}

/// What both sides see.
#[derive(Debug, Default)]
struct Shared {
    entries_waiting: AtomicUsize,
    bytes_waiting: AtomicUsize,
    wants_chapter: AtomicBool,
    has_stopped: AtomicBool,
    why_stopped: Mutex<Option<Clean>>,
}

impl Shared {
    fn done(&self, bytes: usize) {
        self.bytes_waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.entries_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    fn want_chapter(&self) {
        self.wants_chapter.store(true, Ordering::Relaxed);
    }

    fn stop(&self, why: &str) {
        *self.why_stopped.lock().unwrap_or_else(PoisonError::into_inner) = Some(Clean::line(why));
        self.has_stopped.store(true, Ordering::Release);
    }
}

/// Records one console.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once it has stopped.
    entries: Option<SyncSender<Entry>>,
    finished: Receiver<()>,
    shared: Arc<Shared>,
    /// Of the next chapter.
    header: Header,
    chapter_ms: u64,
    /// When the present chapter began; `None` while nothing may be recorded before the next one begins.
    chapter: Option<Mono>,
    /// Lost since the last chapter began, and since the start.
    lost: u64,
    lost_in_all: u64,
    told_lost: u64,
    told_at: Option<Mono>,
}

impl Recorder {
    /// Starts the thread. Whether the disk can be used is told later, by [`Recorder::news`].
    pub fn start(settings: Settings, inventory: &Arc<Inventory>, options: &crate::app::Options) -> io::Result<Self> {
        let Settings { target, name, mask_key, chapter_ms } = settings;
        let (entries, incoming) = sync_channel(ENTRIES_MAX);
        let (done, finished) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let mask = mask_key.map(|key| Mask::new(inventory, key));
        let header = Header {
            format: FORMAT,
            vakt: env!("CARGO_PKG_VERSION").to_owned(),
            recording: name,
            chapter: 0,
            started: Now::default(),
            lost: 0,
            masked: mask.is_some(),
            inventory: Arc::clone(inventory),
            options: options.into(),
        };
        let for_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("recorder".to_owned()).spawn(move || {
            writer::run(target, mask.as_ref(), &incoming, &for_thread);
            drop(incoming);
            let _ = done.try_send(());
        })?;
        Ok(Self {
            entries: Some(entries),
            finished,
            shared,
            header,
            chapter_ms,
            chapter: None,
            lost: 0,
            lost_in_all: 0,
            told_lost: 0,
            told_at: None,
        })
    }

    /// Records one message, before `app` takes it. What is typed into a secret prompt is recorded as a key without its
    /// character. Of a report only the replies are kept, where there are any.
    pub fn record(&mut self, app: &App, msg: &Msg, replies: Option<&Replies>) {
        if self.entries.is_none() {
            return;
        }
        if self.chapter_is_over(msg.at) && self.has_room() {
            self.begin_chapter(app);
        }
        let is_recorded = self.chapter.is_some() && self.send(entry(app, msg, replies));
        if !is_recorded && self.entries.is_some() {
            // With a hole behind it nothing would replay exactly: the next chapter has to begin first.
            self.chapter = None;
            self.lost += 1;
            self.lost_in_all += 1;
        }
    }

    fn chapter_is_over(&self, now: Now) -> bool {
        let Some(began) = self.chapter else { return true };
        now.mono.since_ms(began) >= self.chapter_ms || self.shared.wants_chapter.load(Ordering::Relaxed)
    }

    /// Half the room must be free before a snapshot is made: a disk that hangs costs no copies of the world.
    fn has_room(&self) -> bool {
        self.shared.entries_waiting.load(Ordering::Relaxed) < ENTRIES_MAX / 2
            && self.shared.bytes_waiting.load(Ordering::Relaxed) < WAITING_BYTES_MAX / 2
    }

    fn begin_chapter(&mut self, app: &App) {
        self.shared.wants_chapter.store(false, Ordering::Relaxed);
        let header = Header { started: app.now, lost: self.lost, ..self.header.clone() };
        // The one whole copy of the console; its text is made on the other side.
        let snapshot = Box::new(Snapshot::of(app));
        if self.send(Entry::Chapter { header: Box::new(header), snapshot }) {
            self.header.chapter += 1;
            self.lost = 0;
            self.chapter = Some(app.now.mono);
        }
    }

    fn send(&mut self, entry: Entry) -> bool {
        let Some(entries) = &self.entries else { return false };
        let bytes = entry.bytes();
        if self.shared.bytes_waiting.load(Ordering::Relaxed).saturating_add(bytes) > WAITING_BYTES_MAX {
            return false;
        }
        self.shared.bytes_waiting.fetch_add(bytes, Ordering::Relaxed);
        self.shared.entries_waiting.fetch_add(1, Ordering::Relaxed);
        match entries.try_send(entry) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.shared.done(bytes);
                false
            }
            Err(TrySendError::Disconnected(_)) => {
                self.entries = None;
                false
            }
        }
    }

    /// What the operator should know, once; ask at every turn of the loop.
    pub fn news(&mut self, now: Mono) -> Option<RecorderNews> {
        if self.shared.has_stopped.load(Ordering::Acquire) {
            self.entries = None;
            let why = self.shared.why_stopped.lock().unwrap_or_else(PoisonError::into_inner).take();
            return why.map(RecorderNews::Stopped);
        }
        let is_time = self.told_at.is_none_or(|told| now.since_ms(told) >= NEWS_MS);
        if self.lost_in_all > self.told_lost && is_time {
            self.told_lost = self.lost_in_all;
            self.told_at = Some(now);
            return Some(RecorderNews::Lost(self.lost_in_all));
        }
        None
    }

    /// Ends the recording and waits until everything is on its way to the disk, at most `wait`: a disk that hangs holds
    /// nobody up. Whether it is.
    pub fn finish(mut self, wait: Duration) -> bool {
        self.entries = None;
        let is_complete = self.finished.recv_timeout(wait) != Err(RecvTimeoutError::Timeout);
        if !is_complete {
            tracing::warn!("the end of the recording may be missing: the disk is slow");
        }
        is_complete
    }
}

fn entry(app: &App, msg: &Msg, replies: Option<&Replies>) -> Entry {
    match (&msg.event, replies) {
        (Event::Report(report), Some(replies)) => Entry::Report {
            at: msg.at,
            node: report.node.clone(),
            probe: report.probe,
            round_trip_ms: report.round_trip_ms,
            replies: Arc::clone(replies),
        },
        _ if app.secret_prompt_open() => Entry::Msg(Box::new(redacted(msg))),
        _ => Entry::Msg(Box::new(msg.clone())),
    }
}

fn redacted(msg: &Msg) -> Msg {
    let event = match &msg.event {
        Event::Key(Key { code: KeyCode::Char(_), ctrl: false, alt, shift }) => {
            Event::Key(Key { code: KeyCode::Redacted, ctrl: false, alt: *alt, shift: *shift })
        }
        // As many strokes: the field looks the same in a replay, and that length is all that is known of it.
        Event::Paste(text) => Event::Paste("x".repeat(text.chars().filter(|c| !c.is_control()).count().min(PASTE_MAX))),
        other => other.clone(),
    };
    Msg { at: msg.at, event }
}

/// More than fits into a prompt.
const PASTE_MAX: usize = 1024;
