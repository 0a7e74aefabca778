//! Reading recordings: what chapters there are, and one chapter at a time.

use super::{
    files,
    line::{FORMAT, FormatOnly, Header, RawReply, RawReport, Reading},
};
use crate::{
    app::{
        msg::{Event, Msg, Report},
        snapshot::Snapshot,
    },
    model::time::Now,
    runtime::collector,
    wire::request::Reply,
};
use flate2::bufread::GzDecoder;
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// Longest line a reader accepts: a snapshot of the largest cluster.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Chapters of one recording.
const CHAPTERS_MAX: usize = 100_000;
/// Entries of one chapter.
const ENTRIES_MAX: usize = 50_000_000;

/// A recording: what chapters it has. Their contents are read when they are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// In order; at least one.
    pub chapters: Vec<Chapter>,
    /// Files or chapters that belong to other recordings and are left out.
    pub others: usize,
}

/// Where a chapter lies, and its first line.
#[derive(Debug, Clone, PartialEq)]
pub struct Chapter {
    /// Its file.
    pub path: PathBuf,
    /// Where its gzip member begins.
    offset: u64,
    /// Its header.
    pub header: Header,
}

/// A chapter's contents.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The console at its beginning. `None`: an old recording, which begins with an empty console, or a snapshot that
    /// this version cannot read.
    pub snapshot: Option<Box<Snapshot>>,
    /// What happened, in order.
    pub entries: Vec<Recorded>,
    /// Lines that this version cannot read, in a recording of another version.
    pub not_understood: usize,
    /// Messages that are missing within (format 1).
    pub lost: u64,
    /// Whether its end is cut off: the recorder was killed, or still writes.
    pub cut: bool,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// As it was taken.
    Msg(Box<Msg>),
    /// A report as the node's own words.
    Raw(RawReport<'static>),
}

impl Recorded {
    /// When the loop took it.
    pub fn at(&self) -> Now {
        match self {
            Self::Msg(msg) => msg.at,
            Self::Raw(report) => report.at,
        }
    }

    /// The message; replies are understood by the probes of this version.
    pub fn msg(&self) -> Msg {
        match self {
            Self::Msg(msg) => (**msg).clone(),
            Self::Raw(RawReport { at, node, probe, round_trip_ms, replies }) => {
                let replies: Vec<Reply> = replies.iter().cloned().map(RawReply::into_reply).collect();
                let (outcome, complaints) = collector::understood(*probe, &replies);
                let report =
                    Report { node: node.clone(), probe: *probe, outcome, complaints, round_trip_ms: *round_trip_ms };
                Msg { at: *at, event: Event::Report(report) }
            }
        }
    }
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("cannot read the recording: {0}")]
    Io(#[from] io::Error),
    /// A line is not what a recorder writes.
    #[error("line {line} of chapter {chapter} of the recording is damaged: {source}")]
    Damaged {
        /// 1-based.
        chapter: usize,
        /// 1-based.
        line: usize,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// It does not begin with a header.
    #[error("this is not a recording of vakt: its first line is no header")]
    NoHeader,
    /// The folder holds none.
    #[error("there is no recording in this folder; recordings are files that end in {}", files::ENDING)]
    NoneHere,
    /// It was made by a newer vakt.
    #[error("the recording has format {0}, this vakt reads up to {FORMAT}; use the vakt that made it")]
    Newer(u32),
}

impl Recording {
    /// The recording in a file, or the newest one in a folder.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        if path.is_dir() {
            let inner = path.join("recordings");
            return in_folder(if inner.is_dir() { &inner } else { path });
        }
        let mut chapters = chapters_of(path)?;
        let newest = chapters.last().map(|chapter| chapter.header.recording.clone()).ok_or(RecordingError::NoHeader)?;
        let all = chapters.len();
        chapters.retain(|chapter| chapter.header.recording == newest);
        Ok(Self { others: all - chapters.len(), chapters })
    }

    /// Reads a chapter.
    pub fn load(&self, index: usize) -> Result<Loaded, RecordingError> {
        let Some(chapter) = self.chapters.get(index) else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no such chapter").into());
        };
        load(chapter, index)
    }

    /// Version of vakt that recorded, where it is not this one: what it recorded may be understood differently now.
    pub fn other_version(&self) -> Option<&str> {
        self.chapters.iter().map(|chapter| chapter.header.vakt.as_str()).find(|made| *made != env!("CARGO_PKG_VERSION"))
    }

    /// Messages that the recorder could not keep, as far as headers tell.
    pub fn lost(&self) -> u64 {
        self.chapters.iter().map(|chapter| chapter.header.lost).sum()
    }
}

/// The newest recording of a folder. A file that was only just made has no header yet, and is left out.
fn in_folder(folder: &Path) -> Result<Recording, RecordingError> {
    let stored = files::stored(folder)?;
    let mut names: Vec<&str> = stored.iter().map(|file| file.recording.as_str()).collect();
    names.dedup();
    let mut failure = None;
    for name in names.into_iter().rev() {
        let mut chapters = Vec::new();
        for file in stored.iter().filter(|file| file.recording == name).take(CHAPTERS_MAX) {
            let opened = File::open(&file.path).map_err(RecordingError::from);
            match opened.and_then(|source| first_line(&mut Lines::of(BufReader::new(source))?)) {
                Ok(header) => chapters.push(Chapter { path: file.path.clone(), offset: 0, header }),
                Err(error) => failure = Some(error),
            }
        }
        if !chapters.is_empty() {
            let others = stored.iter().filter(|file| file.recording != name).count();
            return Ok(Recording { chapters, others });
        }
    }
    Err(failure.unwrap_or(RecordingError::NoneHere))
}

/// Every chapter of a file: gzip members that follow each other.
fn chapters_of(path: &Path) -> Result<Vec<Chapter>, RecordingError> {
    let mut source = BufReader::new(File::open(path)?);
    let mut chapters = Vec::new();
    loop {
        let offset = source.stream_position()?;
        if source.fill_buf()?.is_empty() || chapters.len() >= CHAPTERS_MAX {
            return Ok(chapters);
        }
        let mut lines = Lines::of(source)?;
        match first_line(&mut lines) {
            Ok(header) => chapters.push(Chapter { path: path.to_owned(), offset, header }),
            // Half a member at the end: the recorder was killed while it began a chapter.
            Err(RecordingError::NoHeader | RecordingError::Io(_)) if !chapters.is_empty() => return Ok(chapters),
            Err(error) => return Err(error),
        }
        match lines.behind()? {
            Some(rest) => source = rest,
            None => return Ok(chapters),
        }
    }
}

fn first_line(lines: &mut Lines<BufReader<File>>) -> Result<Header, RecordingError> {
    let Some(line) = lines.next()? else { return Err(RecordingError::NoHeader) };
    let only: FormatOnly = serde_json::from_slice(&line.bytes).map_err(|_| RecordingError::NoHeader)?;
    if only.header.format > FORMAT {
        return Err(RecordingError::Newer(only.header.format));
    }
    match serde_json::from_slice(&line.bytes) {
        Ok(Reading::Header(header)) => Ok(*header),
        Ok(_) => Err(RecordingError::NoHeader),
        Err(source) => Err(RecordingError::Damaged { chapter: 1, line: 1, source }),
    }
}

fn load(chapter: &Chapter, index: usize) -> Result<Loaded, RecordingError> {
    let mut source = BufReader::new(File::open(&chapter.path)?);
    source.seek(SeekFrom::Start(chapter.offset))?;
    let mut lines = Lines::of(source)?;
    lines.next()?;
    let is_ours = chapter.header.vakt == env!("CARGO_PKG_VERSION");
    let mut loaded = Loaded::default();
    for number in 2.. {
        let Some(line) = lines.next()? else { break };
        match serde_json::from_slice(&line.bytes) {
            Ok(Reading::Msg(msg)) => loaded.entries.push(Recorded::Msg(msg)),
            Ok(Reading::Raw(report)) => loaded.entries.push(Recorded::Raw(report)),
            Ok(Reading::Snapshot(snapshot)) => loaded.snapshot = Some(snapshot),
            Ok(Reading::Lost(count)) => loaded.lost += count,
            Ok(Reading::Header(_)) => {}
            // A killed recorder leaves half a line; everything before it is good.
            Err(_) if !line.is_whole => loaded.cut = true,
            Err(_) if !is_ours => loaded.not_understood += 1,
            Err(source) => return Err(RecordingError::Damaged { chapter: index + 1, line: number, source }),
        }
        if loaded.entries.len() >= ENTRIES_MAX {
            break;
        }
    }
    loaded.cut |= lines.is_cut;
    Ok(loaded)
}

/// The lines of one chapter, compressed or (format 1) not.
struct Lines<R: BufRead> {
    source: Source<R>,
    is_cut: bool,
}

enum Source<R: BufRead> {
    Plain(R),
    Gzip(Box<BufReader<GzDecoder<R>>>),
}

struct Line {
    bytes: Vec<u8>,
    /// Whether its line end is there.
    is_whole: bool,
}

/// The first two bytes of a gzip member.
const GZIP: [u8; 2] = [0x1f, 0x8b];

impl<R: BufRead> Lines<R> {
    fn of(mut source: R) -> Result<Self, RecordingError> {
        let source = if source.fill_buf()?.starts_with(&GZIP) {
            Source::Gzip(Box::new(BufReader::new(GzDecoder::new(source))))
        } else {
            Source::Plain(source)
        };
        Ok(Self { source, is_cut: false })
    }

    fn next(&mut self) -> Result<Option<Line>, RecordingError> {
        let mut bytes = Vec::new();
        let read = match &mut self.source {
            Source::Plain(source) => source.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes),
            Source::Gzip(source) => source.take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes),
        };
        match read {
            Ok(_) => {}
            // The end of the member is missing; what came before it is good.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.is_cut = true,
            Err(error) => return Err(error.into()),
        }
        let is_whole = bytes.ends_with(b"\n");
        Ok((!bytes.is_empty()).then_some(Line { bytes, is_whole }))
    }

    /// What follows this chapter in its file.
    fn behind(mut self) -> Result<Option<R>, RecordingError> {
        while self.next()?.is_some() {}
        Ok(match self.source {
            Source::Gzip(source) if !self.is_cut => Some(source.into_inner().into_inner()),
            _ => None,
        })
    }
}
