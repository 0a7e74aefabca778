//! Recordings that are damaged, cut off, of another version, or from before the present format.

use super::{last_screen, plain, player, recorded, story};
use flate2::{Compression, write::GzEncoder};
use std::{fs, io::Write, path::Path};
use vakt::{
    app::{App, Options},
    cli::replay::to,
    runtime::{
        recorder::{Recording, RecordingError},
        replay::Player,
    },
    view::picture,
};

fn write(path: &Path, text: &str) {
    let mut out = GzEncoder::new(fs::File::create(path).unwrap(), Compression::fast());
    out.write_all(text.as_bytes()).unwrap();
    out.finish().unwrap();
}

fn replay(path: &Path) -> Result<App, RecordingError> {
    let mut player = Player::new(Recording::open(path)?, Options::default(), (120, 34))?;
    to(&mut player, None)?;
    Ok(player.into_app())
}

#[test]
fn a_cut_recording_shows_what_is_there() {
    let story = story(6);
    let (_folder, path, ..) = recorded(&story, u64::MAX);
    let bytes = fs::read(&path).unwrap();
    let mut seen = 0;
    for length in (0..bytes.len()).step_by(bytes.len() / 23) {
        fs::write(&path, &bytes[..length]).unwrap();
        match Recording::open(&path) {
            Ok(recording) => {
                let loaded = recording.load(0).unwrap();
                assert!(loaded.cut && loaded.entries.len() <= story.len(), "cut at {length}");
                let notes = player(&path).notes();
                assert!(notes.iter().any(|note| note.contains("cut off")), "{notes:?}");
                seen = seen.max(loaded.entries.len());
            }
            Err(error) => assert!(matches!(error, RecordingError::NoHeader), "cut at {length}: {error}"),
        }
    }
    assert!(seen > story.len() / 3, "only {seen} messages were readable");
}

#[test]
fn a_damaged_recording_says_where() {
    let (_folder, path, ..) = recorded(&story(3), u64::MAX);
    let text = plain(&path);
    write(&path, &text.replacen("\n{\"msg\"", "\n{\"nonsense\"", 1));
    let error = replay(&path).unwrap_err();
    assert!(matches!(error, RecordingError::Damaged { chapter: 1, line: 3, .. }), "{error}");
    fs::write(&path, "not a recording\n").unwrap();
    assert!(matches!(replay(&path).unwrap_err(), RecordingError::NoHeader));
    fs::write(&path, "").unwrap();
    assert!(matches!(replay(&path).unwrap_err(), RecordingError::NoHeader));
    assert!(matches!(Recording::open(tempfile::tempdir().unwrap().path()), Err(RecordingError::NoneHere)));
}

#[test]
fn a_newer_format_is_refused_with_a_cure() {
    let (_folder, path, ..) = recorded(&story(1), u64::MAX);
    let newer =
        plain(&path).replacen("\"format\":2", "\"format\":3", 1).replacen("\"inventory\"", "\"cluster_file\"", 1);
    write(&path, &newer);
    let error = replay(&path).unwrap_err();
    assert_eq!(error.to_string(), "the recording has format 3, this vakt reads up to 2; use the vakt that made it");
}

#[test]
fn a_recording_of_another_version_is_read_as_far_as_it_is_understood_and_says_so() {
    let (_folder, path, app, _) = recorded(&story(4), u64::MAX);
    let version = format!("\"vakt\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let other = plain(&path).replacen(&version, "\"vakt\":\"9.9.9\"", 1);
    write(&path, &other);
    assert_eq!(last_screen(&path), picture::draw(&app), "the same format needs no more than a word");
    assert!(player(&path).notes()[0].contains("made by vakt 9.9.9"), "{:?}", player(&path).notes());
    // Its snapshot and one of its messages mean nothing here.
    let strange = other.replacen("{\"snapshot\"", "{\"image\"", 1).replacen("\n{\"msg\"", "\n{\"smell\"", 1);
    write(&path, &strange);
    let mut strange = player(&path);
    to(&mut strange, None).unwrap();
    assert!(strange.notes().iter().any(|note| note.starts_with("2 lines")), "{:?}", strange.notes());
}

#[test]
fn a_recording_of_format_1_is_still_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay/format_1.jsonl");
    let recording = Recording::open(&path).unwrap();
    assert_eq!(recording.chapters[0].header.format, 1);
    let mut player = player(&path);
    to(&mut player, Some(59)).unwrap();
    insta::assert_snapshot!(picture::text(&picture::draw(player.app())));
    to(&mut player, None).unwrap();
    assert!(picture::text(&picture::draw(player.app())).contains("No load balancer has answered yet"));
}
