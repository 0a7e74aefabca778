//! The thread that owns the disk. Whatever the disk does, the loop does not wait for it.

use super::{
    Entry, Shared, Target,
    files::{self, Bounds},
    line::{self, RawReply, RawReport, Writing},
};
use crate::{
    app::snapshot::Snapshot,
    model::time::{Mono, Now},
    wire::mask::Mask,
};
use flate2::{Compression, write::GzEncoder};
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

/// What is recorded reaches the file at least this often: a crash loses no more.
const FLUSH_MS: u64 = 1_000;
/// A line reaches the encoder in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;
/// A single file ends here.
const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// A chapter ends here even before its time, on the disk.
const CHAPTER_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// A chapter ends here even before its time, as text: a replay holds one in memory.
const CHAPTER_TEXT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Writes entries until there are no more; an error ends the recording and is told.
pub(super) fn run(target: Target, mask: Option<&Mask>, entries: &Receiver<Entry>, shared: &Arc<Shared>) {
    let mut writer = Writer { target, mask, chapter: None, file_bytes: 0, flushed: Mono(0), shared };
    if let Err(error) = writer.all(entries) {
        tracing::warn!("recording stopped: {error}");
        shared.stop(&format!("recording stopped: {error}"));
    }
}

struct Writer<'a> {
    target: Target,
    mask: Option<&'a Mask>,
    chapter: Option<Chapter>,
    /// Bytes of the chapters before, where all are in one file.
    file_bytes: u64,
    flushed: Mono,
    shared: &'a Shared,
}

struct Chapter {
    out: GzEncoder<Counted<BufWriter<File>>>,
    text_bytes: u64,
}

impl Writer<'_> {
    fn all(&mut self, entries: &Receiver<Entry>) -> io::Result<()> {
        loop {
            match entries.recv_timeout(Duration::from_millis(FLUSH_MS)) {
                Ok(entry) => {
                    let (at, bytes) = (entry.at(), entry.bytes());
                    let taken = self.take(entry);
                    self.shared.done(bytes);
                    taken?;
                    if at.mono.since_ms(self.flushed) >= FLUSH_MS {
                        self.flushed = at.mono;
                        self.flush()?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.flush()?,
                Err(RecvTimeoutError::Disconnected) => return self.end_chapter().map(drop),
            }
        }
    }

    fn take(&mut self, entry: Entry) -> io::Result<()> {
        match entry {
            Entry::Chapter { header, snapshot } => self.begin_chapter(&header, &snapshot),
            Entry::Msg(msg) => self.line(&Writing::Msg(&msg)),
            Entry::Report { at, node, probe, round_trip_ms, replies } => {
                let replies = replies.iter().map(RawReply::of).collect();
                self.line(&Writing::Raw(RawReport { at, node, probe, round_trip_ms, replies }))
            }
        }
    }

    fn line(&mut self, line: &Writing<'_>) -> io::Result<()> {
        let Some(chapter) = &mut self.chapter else { return Ok(()) };
        chapter.text_bytes += written(&mut chapter.out, line, self.mask)?;
        let bytes = chapter.out.get_ref().bytes;
        if bytes > CHAPTER_BYTES_MAX || chapter.text_bytes > CHAPTER_TEXT_BYTES_MAX {
            self.shared.want_chapter();
        }
        if matches!(self.target, Target::File(..)) && self.file_bytes + bytes > FILE_BYTES_MAX {
            let full = format!("the file has reached {} MiB", FILE_BYTES_MAX / 1024 / 1024);
            return Err(io::Error::other(full));
        }
        Ok(())
    }

    fn begin_chapter(&mut self, header: &super::Header, snapshot: &Snapshot) -> io::Result<()> {
        let before = self.end_chapter()?;
        let file = match &mut self.target {
            Target::Folder { path, bounds } => {
                files::make_folder(path)?;
                make_room(path, bounds, header.started)?;
                files::create(&path.join(files::name(&header.recording, header.chapter)))?
            }
            // The first chapter takes the file, the others get it from the one before: gzip members follow each other.
            Target::File(file) => match before.or_else(|| file.take()) {
                Some(file) => file,
                None => return Err(io::Error::other("the file is gone")),
            },
        };
        let out = GzEncoder::new(Counted { inner: BufWriter::new(file), bytes: 0 }, Compression::fast());
        self.chapter = Some(Chapter { out, text_bytes: 0 });
        self.line(&Writing::Header(header))?;
        self.line(&Writing::Snapshot(snapshot))?;
        self.flush()
    }

    /// Completes the chapter; its file.
    fn end_chapter(&mut self) -> io::Result<Option<File>> {
        let Some(chapter) = self.chapter.take() else { return Ok(None) };
        let counted = chapter.out.finish()?;
        self.file_bytes += counted.bytes;
        let file = counted.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Some(file))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.chapter.as_mut().map_or(Ok(()), |chapter| chapter.out.flush())
    }
}

/// Writes one line; its bytes. The encoder clears a buffer for every piece that it is given, and a line is made of many
/// small ones: they are put together first. It is not flushed, that is done once a second.
fn written(encoder: &mut impl Write, line: &Writing<'_>, mask: Option<&Mask>) -> io::Result<u64> {
    let mut out = Counted { inner: BufWriter::with_capacity(PIECE_BYTES, encoder), bytes: 0 };
    line::write(&mut out, line, mask)?;
    out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(out.bytes)
}

/// Removes what is too old or too much, so that another chapter fits.
fn make_room(folder: &Path, bounds: &Bounds, now: Now) -> io::Result<()> {
    let stored = files::stored(folder)?;
    for file in files::doomed(&stored, now.wall, CHAPTER_BYTES_MAX.min(bounds.total_bytes / 4), bounds) {
        // It may be somebody else's, or gone already.
        if let Err(error) = std::fs::remove_file(&file.path) {
            tracing::info!("an old recording stays: {}: {error}", file.path.display());
        }
    }
    Ok(())
}

/// Counts what passes.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
