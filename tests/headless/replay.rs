//! Invariant 11: a recording replays to the same last screen.

use std::{fmt::Write, fs::File, sync::Arc};
use vakt::{
    app::{
        App, Options,
        msg::{Event, Key, KeyCode, Msg, Report},
        update,
    },
    cli::replay::replayed,
    model::{
        figure::Figure,
        host::{CpuTicks, HostSample, Load},
        inventory::Inventory,
        link::{Ask, LinkEvent, LinkState, Question},
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
    },
    runtime::recorder::{FORMAT, Header, Recorder, RecordingError, read},
    view::picture,
    wire::probe::{Facts, ProbeId},
};

const START: Now = Now { mono: Mono(0), wall: Wall(1_780_000_000_000) };

#[test]
fn invariant_11_a_recording_replays_to_the_same_last_screen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    let (live, _) = live(&path, &story());
    let recording = read(File::open(&path).unwrap()).unwrap();
    assert_eq!((recording.lost, recording.cut), (0, false));
    assert_eq!(recording.messages.len(), story().len());
    let again = replayed(&recording, None, None);
    assert_eq!(picture::draw(&again), picture::draw(&live));
    // The comparison means something: half the story looks different.
    let half = replayed(&recording, Some(story().len() / 2), None);
    assert_ne!(picture::draw(&half), picture::draw(&live));
}

#[test]
fn invariant_10_a_secret_never_reaches_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    let node = inventory().nodes[0].name.clone();
    let question = Question { id: 7, ask: Ask::Passphrase { file: "/home/operator/.ssh/id".into() } };
    let mut story = vec![at(10, Event::Question { node, question })];
    story.extend("sesame".chars().map(|c| at(20, key(KeyCode::Char(c)))));
    story.push(at(25, Event::Paste("sesame".into())));
    story.push(at(30, key(KeyCode::Enter)));
    let (_, effects) = live(&path, &story);
    assert!(effects.contains("Answer"), "the prompt took the keys: {effects}");
    assert!(!effects.contains("sesame"), "effects print no secret: {effects}");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("redacted"), "{text}");
    for letter in "sesam".chars() {
        assert!(!text.contains(&format!("{{\"char\":\"{letter}\"}}")), "{text}");
    }
    assert!(!text.contains("sesame"));
}

#[test]
fn a_damaged_recording_says_where_and_a_cut_one_shows_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recording.jsonl");
    live(&path, &story());
    let text = std::fs::read_to_string(&path).unwrap();
    let cut = &text[..text.len() - 20];
    let recording = read(cut.as_bytes()).unwrap();
    assert!(recording.cut);
    assert_eq!(recording.messages.len(), story().len() - 1);
    let damaged = text.replacen("\n{\"msg\"", "\n{\"nonsense\"", 1);
    assert!(matches!(read(damaged.as_bytes()), Err(RecordingError::Damaged { line: 2, .. })));
    assert!(matches!(read(&b"not a recording\n"[..]), Err(RecordingError::NoHeader)));
    let newer = text.replacen("\"format\":1", "\"format\":2", 1);
    assert!(matches!(read(newer.as_bytes()), Err(RecordingError::Newer(2))));
}

/// Runs a story through an application that is recorded; the application and what it wanted done.
fn live(path: &std::path::Path, story: &[Msg]) -> (App, String) {
    let options = Options::default();
    let header = Header {
        format: FORMAT,
        vakt: "test".into(),
        started: START,
        inventory: inventory(),
        options: (&options).into(),
    };
    let mut recorder = Recorder::create(path, header).unwrap();
    let mut app = App::new(Arc::new(inventory()), options, START);
    let mut effects = String::new();
    for msg in story {
        recorder.record(msg, app.secret_prompt_open());
        let _ = write!(effects, "{:?}", update(&mut app, msg.clone()));
    }
    recorder.finish();
    (app, effects)
}

fn story() -> Vec<Msg> {
    let nodes = inventory().nodes;
    let mut story = vec![at(0, Event::Resize { width: 120, height: 34 })];
    for (index, node) in nodes.iter().enumerate() {
        let state = if index == 1 {
            LinkState::Down {
                trouble: Trouble::new(TroubleKind::Refused, "connection refused", "start sshd"),
                retry: None,
            }
        } else {
            LinkState::Up
        };
        story.push(at(100, Event::Link { node: node.name.clone(), event: LinkEvent::State(state) }));
    }
    for step in 1..=4_u64 {
        for node in nodes.iter().filter(|node| node.name != nodes[1].name) {
            let report = Report {
                node: node.name.clone(),
                probe: ProbeId::Host,
                outcome: Ok(Facts::Host(Box::new(sample(step)))),
                complaints: Vec::new(),
                round_trip_ms: 3,
            };
            story.push(at(step * 1000, Event::Report(report)));
        }
        story.push(at(step * 1000 + 500, Event::Tick));
    }
    for code in [KeyCode::Char('6'), KeyCode::Down, KeyCode::Enter] {
        story.push(at(5000, key(code)));
    }
    story.push(at(5200, Event::Tick));
    story
}

fn sample(step: u64) -> HostSample {
    HostSample {
        clock_ms: Figure::Known(START.wall.0 + step.cast_signed() * 1000),
        uptime_ms: Figure::Known(100_000 + step * 1000),
        cpu: Figure::Known(CpuTicks { user: 30 * step, idle: 50 * step, iowait: 20 * step, ..CpuTicks::default() }),
        cpus: Figure::Known(2),
        load: Figure::Known(Load { one_minute: 0.42, five_minutes: 0.3, fifteen_minutes: 0.2 }),
        ..HostSample::default()
    }
}

fn inventory() -> Inventory {
    let metadata = vakt::config::FileMetadata { mode: Some(0o600), home: Some("/home/operator".into()) };
    vakt::config::load("example.toml".as_ref(), vakt::config::EXAMPLE, &metadata).unwrap().inventory
}

fn at(ms: u64, event: Event) -> Msg {
    Msg { at: Now { mono: Mono(START.mono.0 + ms), wall: Wall(START.wall.0 + ms.cast_signed()) }, event }
}

fn key(code: KeyCode) -> Event {
    Event::Key(Key { code, ctrl: false, alt: false, shift: false })
}
