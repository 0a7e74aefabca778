//! The flight recorder: every message, one JSON line each, written by a thread of its own so that a slow disk never
//! delays the loop. What does not fit is counted, and the count stands in the recording.

use crate::{
    app::{
        Options,
        msg::{Event, Key, KeyCode, Msg},
    },
    model::{
        inventory::{Inventory, ThemeName},
        time::Now,
    },
};
use serde::{Deserialize, Serialize};
use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::mpsc::{SyncSender, TrySendError, sync_channel},
    thread::JoinHandle,
};

/// Version of the recording's format. A reader refuses a newer one.
pub const FORMAT: u32 = 1;
/// Lines that may wait for the disk.
const LINES_WAITING_MAX: usize = 4096;
/// A recording ends here.
const BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Longest line a reader accepts.
const LINE_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The first line: everything needed to build the same application again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of vakt that recorded.
    pub vakt: String,
    /// When the application was made.
    pub started: Now,
    /// The configuration.
    pub inventory: Inventory,
    /// How it looked.
    pub options: RecordedOptions,
}

/// [`Options`] as they are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedOptions {
    read_only: bool,
    theme: ThemeName,
    unicode: bool,
    #[serde(default)]
    simulated: bool,
    /// Name of the time zone; UTC when it has none.
    zone: String,
}

impl From<&Options> for RecordedOptions {
    fn from(options: &Options) -> Self {
        Self {
            read_only: options.read_only,
            theme: options.theme,
            unicode: options.unicode,
            simulated: options.simulated,
            zone: options.zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

impl From<&RecordedOptions> for Options {
    fn from(recorded: &RecordedOptions) -> Self {
        Self {
            read_only: recorded.read_only,
            theme: recorded.theme,
            unicode: recorded.unicode,
            simulated: recorded.simulated,
            zone: jiff::tz::TimeZone::get(&recorded.zone).unwrap_or(jiff::tz::TimeZone::UTC),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Header(Box<Header>),
    Msg(Box<Msg>),
    /// This many messages are missing here.
    Lost(u64),
}

/// Writes a recording.
#[derive(Debug)]
pub struct Recorder {
    lines: Option<SyncSender<Vec<u8>>>,
    writer: Option<JoinHandle<io::Result<()>>>,
    lost: u64,
    bytes: u64,
}

impl Recorder {
    /// Creates the file (mode 0600: it holds what the cluster said) and writes the header. An existing file is refused.
    pub fn create(path: &Path, header: Header) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let (lines, incoming) = sync_channel::<Vec<u8>>(LINES_WAITING_MAX);
        let writer = std::thread::Builder::new().name("recorder".into()).spawn(move || {
            let mut out = BufWriter::new(file);
            for line in incoming {
                out.write_all(&line)?;
            }
            out.flush()
        })?;
        let mut recorder = Self { lines: Some(lines), writer: Some(writer), lost: 0, bytes: 0 };
        recorder.send(&Line::Header(Box::new(header)));
        Ok(recorder)
    }

    /// Records one message. What is typed into a secret prompt is recorded as a key without its character.
    pub fn record(&mut self, msg: &Msg, secret_prompt_open: bool) {
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            if !self.send(&Line::Lost(lost)) {
                self.lost = lost;
            }
        }
        let line = if secret_prompt_open { redacted(msg) } else { msg.clone() };
        if !self.send(&Line::Msg(Box::new(line))) {
            self.lost += 1;
        }
    }

    /// Waits until everything is on its way to the disk.
    pub fn finish(mut self) {
        self.lines = None;
        if let Some(writer) = self.writer.take()
            && let Ok(Err(error)) = writer.join()
        {
            tracing::error!("recording not complete: {error}");
        }
    }

    fn send(&mut self, line: &Line) -> bool {
        let Some(lines) = &self.lines else { return true };
        let Ok(mut bytes) = serde_json::to_vec(line) else { return false };
        bytes.push(b'\n');
        self.bytes += bytes.len() as u64;
        if self.bytes > BYTES_MAX {
            tracing::warn!("recording ends: it has reached {BYTES_MAX} bytes");
            self.lines = None;
            return true;
        }
        match lines.try_send(bytes) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => false,
            Err(TrySendError::Disconnected(_)) => {
                self.lines = None;
                true
            }
        }
    }
}

fn redacted(msg: &Msg) -> Msg {
    let event = match &msg.event {
        Event::Key(Key { code: KeyCode::Char(_), .. }) => {
            Event::Key(Key { code: KeyCode::Redacted, ctrl: false, alt: false, shift: false })
        }
        Event::Paste(_) => Event::Paste(String::new()),
        other => other.clone(),
    };
    Msg { at: msg.at, event }
}

/// A recording, read back.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Its first line.
    pub header: Header,
    /// Its messages.
    pub messages: Vec<Msg>,
    /// Messages that are missing because the disk was too slow; more than 0 means the replay may differ.
    pub lost: u64,
    /// Whether the last line was cut off (the recorder was killed).
    pub cut: bool,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    /// A line is not what a recorder writes.
    #[error("line {line} of the recording is damaged: {source}")]
    Damaged {
        /// 1-based.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// It does not begin with a header.
    #[error("this is not a recording of vakt: its first line is no header")]
    NoHeader,
    /// It was made by a newer vakt.
    #[error("the recording has format {0}, this vakt reads up to {FORMAT}; use the vakt that made it")]
    Newer(u32),
}

/// Reads a recording.
pub fn read(source: impl Read) -> Result<Recording, RecordingError> {
    let mut reader = BufReader::new(source);
    let mut header = None;
    let (mut messages, mut lost, mut cut) = (Vec::new(), 0, false);
    for number in 1.. {
        let mut line = Vec::new();
        if reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let whole = line.ends_with(b"\n");
        match serde_json::from_slice(&line) {
            Ok(Line::Header(found)) if header.is_none() => {
                if found.format > FORMAT {
                    return Err(RecordingError::Newer(found.format));
                }
                header = Some(*found);
            }
            Ok(_) if header.is_none() => return Err(RecordingError::NoHeader),
            Ok(Line::Msg(msg)) => messages.push(*msg),
            Ok(Line::Lost(count)) => lost += count,
            Ok(Line::Header(_)) => {}
            Err(_) if number == 1 => return Err(RecordingError::NoHeader),
            // A killed recorder leaves half a line; everything before it is good.
            Err(_) if !whole => cut = true,
            Err(source) => return Err(RecordingError::Damaged { line: number, source }),
        }
    }
    header.map(|header| Recording { header, messages, lost, cut }).ok_or(RecordingError::NoHeader)
}
