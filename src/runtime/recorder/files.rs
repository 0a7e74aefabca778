//! The folder of recordings: names, permissions, and what has to go when it is full or old.

use crate::model::time::{Now, Wall};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// How the files of recordings end.
pub const ENDING: &str = ".vakt.gz";
/// Files of a folder that are looked at.
const FILES_MAX: usize = 100_000;

/// `20261124T140322Z-4711.00003.vakt.gz`: recordings and their chapters sort by name.
pub(super) fn name(recording: &str, chapter: u32) -> String {
    format!("{recording}.{chapter:05}{ENDING}")
}

/// The name of a recording that starts now; `instance` tells consoles apart that start in the same second.
pub fn recording_name(start: Now, instance: u32) -> String {
    let stamp = jiff::Timestamp::from_millisecond(start.wall.0).unwrap_or_default();
    format!("{}-{instance}", stamp.strftime("%Y%m%dT%H%M%SZ"))
}

/// The recording and the chapter that a file name stands for.
pub(super) fn parse(name: &str) -> Option<(&str, u32)> {
    let (recording, chapter) = name.strip_suffix(ENDING)?.rsplit_once('.')?;
    started(recording)?;
    Some((recording, chapter.parse().ok()?))
}

fn started(recording: &str) -> Option<Wall> {
    let (stamp, _) = recording.split_once('-')?;
    let moment = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", stamp).ok()?;
    Some(Wall(moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond()))
}

/// Makes the folder, readable by its owner only; one that is there stays as it is.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A new file, readable by its owner, and by the group where the folder is shared with one (setgid).
pub(super) fn create(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let is_shared = fs::metadata(folder)?.mode() & 0o2000 != 0;
    let mode = if is_shared { 0o640 } else { 0o600 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

/// A file of a recording in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) path: PathBuf,
    pub(super) recording: String,
    pub(super) chapter: u32,
    pub(super) bytes: u64,
    /// When it was last written to.
    pub(super) written: Wall,
}

/// The recordings in a folder, the oldest first. What is no recording is left alone.
pub(super) fn stored(folder: &Path) -> io::Result<Vec<Stored>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)?.take(FILES_MAX) {
        let entry = entry?;
        let name = entry.file_name();
        let Some((recording, chapter)) = name.to_str().and_then(parse) else { continue };
        // It may have gone since: another console removes old ones too.
        let Ok(metadata) = entry.metadata() else { continue };
        let written = Wall(metadata.mtime().saturating_mul(1000));
        let (recording, bytes) = (recording.to_owned(), metadata.len());
        found.push(Stored { path: entry.path(), recording, chapter, bytes, written });
    }
    found.sort_by(|a, b| (&a.recording, a.chapter).cmp(&(&b.recording, b.chapter)));
    Ok(found)
}

/// Room and age of a folder of recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of all recordings together.
    pub total_bytes: u64,
    /// Milliseconds since a file was last written to.
    pub age_ms: u64,
}

/// What must go, so that what stays and `coming` bytes more fit: what is too old, then the oldest first. A file that was
/// written to within the last minutes may be another console's, and stays.
pub(super) fn doomed<'a>(stored: &'a [Stored], now: Wall, coming: u64, bounds: &Bounds) -> Vec<&'a Stored> {
    let age_ms = |file: &Stored| u64::try_from(now.0.saturating_sub(file.written.0)).unwrap_or(0);
    let mut total = coming.saturating_add(stored.iter().map(|file| file.bytes).sum());
    let mut doomed = Vec::new();
    let mut by_age: Vec<&Stored> = stored.iter().collect();
    by_age.sort_by_key(|file| file.written);
    for file in by_age {
        let is_old = age_ms(file) > bounds.age_ms;
        if is_old || (total > bounds.total_bytes && age_ms(file) > IN_USE_MS) {
            total = total.saturating_sub(file.bytes);
            doomed.push(file);
        }
    }
    doomed
}

/// A recorder flushes each second: what was written within this time may still grow.
const IN_USE_MS: u64 = 120_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Mono;

    fn file(name: &str, bytes: u64, written: i64) -> Stored {
        let (recording, chapter) = parse(name).unwrap();
        Stored { path: name.into(), recording: recording.into(), chapter, bytes, written: Wall(written) }
    }

    #[test]
    fn names_are_read_back() {
        let start = Now { mono: Mono(0), wall: Wall(1_795_528_802_000) };
        let recording = recording_name(start, 4711);
        assert_eq!(recording, "20261124T140002Z-4711");
        assert_eq!(parse(&name(&recording, 3)), Some((recording.as_str(), 3)));
        for strange in ["x.vakt.gz", "20261124T140002Z-4711.vakt.gz", "20261124T140002Z-4711.00001.gz", "notes.txt"] {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }

    #[test]
    fn the_oldest_go_first_and_what_is_in_use_stays() {
        let minute = 60_000;
        let files = [
            file("20261124T140002Z-1.00000.vakt.gz", 10, 0),
            file("20261124T140002Z-1.00001.vakt.gz", 10, 10 * minute),
            file("20261124T150002Z-2.00000.vakt.gz", 10, 20 * minute),
            file("20261124T150002Z-3.00000.vakt.gz", 10, 30 * minute - 1000),
        ];
        let doomed = |total_bytes, age_minutes: u64| {
            let bounds = Bounds { total_bytes, age_ms: age_minutes * 60_000 };
            doomed(&files, Wall(30 * minute), 5, &bounds)
                .into_iter()
                .map(|file| file.written.0 / minute)
                .collect::<Vec<_>>()
        };
        assert_eq!(doomed(100, 1000), Vec::<i64>::new());
        assert_eq!(doomed(40, 1000), [0]);
        assert_eq!(doomed(25, 1000), [0, 10]);
        assert_eq!(doomed(1, 1000), [0, 10, 20], "the newest may be another console's");
        assert_eq!(doomed(100, 15), [0, 10]);
    }
}
