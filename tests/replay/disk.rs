//! A disk that is full, slow or read-only never delays or ends the console.

use super::{Live, at, key, last_screen, player, story, wait_until};
use std::{
    fs::{self, File, OpenOptions},
    io::Read,
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    time::Duration,
};
use vakt::{
    app::msg::{Event, RecorderNews},
    model::time::Mono,
    runtime::recorder::{Bounds, ENDING, Recording, Target},
    view::picture,
};

pub(super) const ROOMY: Bounds = Bounds { total_bytes: 1 << 30, age_ms: u64::MAX };

#[test]
fn a_full_disk_stops_the_recording_with_a_notice_and_nothing_else() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut live = Live::start(Target::File(Some(full)), None, u64::MAX);
    live.take(&at(0, Event::Resize { width: 120, height: 34 }));
    let news = wait_until("the news", || live.recorder.news(Mono(0)));
    let RecorderNews::Stopped(why) = &news else { panic!("{news:?}") };
    assert!(why.as_str().contains("No space left"), "{why}");
    live.take(&at(10, Event::Recorder(news)));
    let shown = picture::text(&picture::draw(&live.app));
    assert!(shown.contains("recording stopped: No space left") && shown.contains("recording incomplete"), "{shown}");
    live.take(&at(20, key("2")));
    assert!(live.recorder.news(Mono(20)).is_none(), "told once");
    live.recorder.finish(super::PATIENCE);
}

#[test]
fn a_folder_that_cannot_be_made_stops_the_recording_with_a_notice() {
    let target = Target::Folder { path: "/proc/vakt/recordings".into(), bounds: ROOMY };
    let mut live = Live::start(target, None, u64::MAX);
    live.take(&at(0, Event::Tick));
    let news = wait_until("the news", || live.recorder.news(Mono(0)));
    assert!(matches!(news, RecorderNews::Stopped(_)), "{news:?}");
}

#[test]
fn a_disk_that_hangs_delays_nobody_and_the_next_chapter_is_exact_again() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut live = Live::start(Target::File(Some(File::from(OwnedFd::from(writer)))), None, u64::MAX);
    for happening in &story(3) {
        live.take(happening);
    }
    let start = crate::program::now();
    // A pipe that nobody reads takes 64 KiB; text that does not compress fills it soon.
    let mut random = fastrand::Rng::with_seed(4711);
    let mut taken = 0;
    let lost = loop {
        let text: String = std::iter::repeat_with(|| random.alphanumeric()).take(300).collect();
        live.take(&at(4_000 + taken, Event::Paste(text)));
        taken += 1;
        if let Some(RecorderNews::Lost(lost)) = live.recorder.news(live.app.now.mono) {
            break lost;
        }
        assert!(taken < 50_000, "nothing was lost in {taken} messages");
    };
    assert!(lost > 0);
    assert!(start.elapsed() < Duration::from_secs(60), "the loop waited");
    // The disk wakes up; the end of the console would wait half a second at most.
    let drained = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map(|_| bytes).unwrap()
    });
    let mut asked_at = live.app.now.mono;
    wait_until("a chapter after the hole", || {
        let now = live.app.now.mono.0 + 100;
        let mut tick = at(0, Event::Tick);
        tick.msg.at.mono = Mono(now);
        live.take(&tick);
        // Nothing more is lost once a chapter has begun.
        let news = {
            asked_at = asked_at.plus_ms(60_000);
            live.recorder.news(asked_at)
        };
        assert!(!matches!(news, Some(RecorderNews::Stopped(_))), "{news:?}");
        news.is_none().then_some(())
    });
    live.recorder.finish(super::PATIENCE);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vakt.gz");
    fs::write(&path, drained.join().unwrap()).unwrap();
    let recording = Recording::open(&path).unwrap();
    assert!(recording.chapters.len() >= 2 && recording.lost() >= lost, "{} chapters", recording.chapters.len());
    assert_eq!(last_screen(&path), picture::draw(&live.app));
    assert!(player(&path).notes().iter().any(|note| note.contains("messages are missing")));
}

#[test]
fn what_was_recorded_is_readable_after_a_crash_up_to_the_last_second() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Folder { path: folder.path().to_owned(), bounds: ROOMY };
    let mut live = Live::start(target, None, u64::MAX);
    let story = story(6);
    for happening in &story {
        live.take(happening);
    }
    // Nobody ends the recording: within two seconds everything is in the file all the same.
    let count = wait_until("the flush", || {
        let recording = Recording::open(folder.path()).ok()?;
        let loaded = recording.load(0).ok()?;
        (loaded.entries.len() == story.len()).then_some((loaded.cut, loaded.entries.len()))
    });
    assert_eq!(count, (true, story.len()));
    assert_eq!(last_screen(folder.path()), picture::draw(&live.app));
    let file = Recording::open(folder.path()).unwrap().chapters[0].path.clone();
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    live.recorder.finish(super::PATIENCE);
}

#[test]
fn invariant_8_the_folder_stays_within_its_bounds_and_strangers_files_stay() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    for day in 10..=20 {
        fs::write(folder.path().join(format!("202601{day}T000000Z-1.00000{ENDING}")), vec![0; 100_000]).unwrap();
    }
    let mut live = Live::start(
        Target::Folder { path: folder.path().to_owned(), bounds: Bounds { total_bytes: 500_000, age_ms: u64::MAX } },
        None,
        u64::MAX,
    );
    // The console's clock is a day ahead of the files: nobody writes to them any more.
    let tomorrow = i64::try_from(
        fs::metadata(folder.path())
            .unwrap()
            .modified()
            .unwrap()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_millis(),
    )
    .unwrap()
        + 86_400_000;
    live.app.now.wall.0 = tomorrow;
    live.take(&at(0, Event::Tick));
    live.recorder.finish(super::PATIENCE);
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.contains(&"notes.txt".to_owned()));
    let kept: Vec<&String> = names.iter().filter(|name| name.starts_with("202601")).collect();
    assert!((2..=4).contains(&kept.len()) && kept[0].as_str() > "20260116", "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("20261124T140000Z-7.00000")), "{names:?}");
}
