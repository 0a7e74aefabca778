//! Invariant 11: a recording replays to the same last screen, and to the same effects.

use super::{Live, at, inventory, key, last_screen, player, recorded, story};
use crate::console::world;
use std::sync::Arc;
use vakt::{
    app::{App, Options, msg::Event, snapshot::Snapshot, update},
    cli::replay::to,
    runtime::recorder::{Recording, Target},
    view::picture,
};

#[test]
fn invariant_11_a_recording_replays_to_the_same_last_screen_and_the_same_effects() {
    let story = story(12);
    let (_folder, path, app, effects) = recorded(&story, u64::MAX);
    let mut again = player(&path);
    for (index, wanted) in effects.iter().enumerate() {
        assert_eq!(again.advance().unwrap().as_ref(), Some(wanted), "message {index}: {:?}", story[index].msg);
    }
    assert_eq!(again.advance().unwrap(), None);
    assert_eq!(picture::draw(again.app()), picture::draw(&app));
    assert!(effects.iter().flatten().count() > 50, "the story wants something done");
    // The comparison means something: half the story looks different.
    let mut half = player(&path);
    to(&mut half, Some(story.len() / 2)).unwrap();
    assert_ne!(picture::draw(half.app()), picture::draw(&app));
}

#[test]
fn invariant_11_every_chapter_begins_exactly_where_the_one_before_ends() {
    let story = story(12);
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Folder { path: folder.path().join("recordings"), bounds: super::disk::ROOMY };
    let (app, effects) = Live::start(target, None, 1_500).tell(&story);
    let recording = Recording::open(folder.path()).unwrap();
    assert!(recording.chapters.len() > 5, "{} chapters", recording.chapters.len());
    // All chapters as one time line.
    let mut whole = player(folder.path());
    let mut replayed = Vec::new();
    while let Some(effects) = whole.advance().unwrap() {
        replayed.push(effects);
    }
    assert_eq!(replayed, effects);
    assert_eq!(picture::draw(whole.app()), picture::draw(&app));
    // And from each chapter on.
    for chapter in &recording.chapters {
        let rest = folder.path().join("rest");
        std::fs::create_dir_all(&rest).unwrap();
        std::fs::copy(&chapter.path, rest.join(chapter.path.file_name().unwrap())).unwrap();
    }
    for chapter in &recording.chapters {
        assert_eq!(last_screen(&folder.path().join("rest")), picture::draw(&app));
        std::fs::remove_file(folder.path().join("rest").join(chapter.path.file_name().unwrap())).unwrap();
    }
}

#[test]
fn invariant_11_a_snapshot_at_any_message_goes_on_as_the_whole_does() {
    let story = story(12);
    let whole = Arc::new(inventory());
    let mut app = App::new(Arc::clone(&whole), Options::default(), super::START);
    let mut snapshots = Vec::new();
    let mut effects = Vec::new();
    for (index, happening) in story.iter().enumerate() {
        if index % 5 == 0 {
            snapshots.push((index, serde_json::to_string(&Snapshot::of(&app)).unwrap()));
        }
        effects.push(update(&mut app, happening.msg.clone()));
    }
    let last = picture::draw(&app);
    for (from, written) in snapshots {
        let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&snapshot).unwrap(), written, "written down once more, message {from}");
        let mut app = snapshot.restore(Arc::clone(&whole));
        for (happening, wanted) in story.iter().zip(&effects).skip(from) {
            assert_eq!(&update(&mut app, happening.msg.clone()), wanted, "from message {from} on");
        }
        assert_eq!(picture::draw(&app), last, "from message {from} on");
    }
}

#[test]
fn invariant_11_every_screen_survives_a_snapshot() {
    for build in [world::healthy, world::stale, world::failing, world::connecting, world::large] {
        for keys in [
            "1",
            "2 j j enter tab j",
            "2 l j w s",
            "6 enter pagedown",
            "7 enter",
            "? j j",
            ": l b",
            "2 / w",
            "p 2",
            "a",
            "ctrl-t",
        ] {
            let mut app = build();
            world::resize(&mut app, 150, 44);
            world::press(&mut app, keys);
            let written = serde_json::to_string(&Snapshot::of(&app)).unwrap();
            let snapshot: Snapshot = serde_json::from_str(&written).unwrap();
            let mut again = snapshot.restore(Arc::clone(&app.inventory));
            assert_eq!(picture::draw(&again), picture::draw(&app), "{keys}");
            // What comes next means the same.
            for next in ["j", "enter", "esc", "1", "p"] {
                let msg = at(2_000_000, key(next)).msg;
                assert_eq!(update(&mut again, msg.clone()), update(&mut app, msg), "{keys}, then {next}");
                assert_eq!(picture::draw(&again), picture::draw(&app), "{keys}, then {next}");
            }
            let resize = Event::Resize { width: 80, height: 24 };
            let msg = at(2_000_100, resize).msg;
            assert_eq!(update(&mut again, msg.clone()), update(&mut app, msg));
            assert_eq!(picture::draw(&again), picture::draw(&app), "{keys}, smaller");
        }
    }
}
