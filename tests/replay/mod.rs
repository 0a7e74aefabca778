//! What the flight recorder keeps, and what a replay makes of it.

mod disk;
mod format;
mod masking;
mod moving;
mod program;
mod round_trip;
mod secrets;

use crate::wire::captures::{captures, replies};
use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};
use vakt::{
    app::{
        App, Options,
        effect::Effect,
        msg::{Event, Key, KeyCode, Msg},
        update,
    },
    cli::replay::to,
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::{LinkEvent, LinkState},
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
    },
    runtime::{
        collector::understood,
        recorder::{Recorder, Recording, Replies, Settings, Target},
        replay::Player,
    },
    view::picture,
    wire::probe::ProbeId,
};

/// Longer than any disk of a test takes.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) const START: Now = Now { mono: Mono(0), wall: Wall(1_795_528_800_000) };

/// Something that happens, with the replies it was made of.
#[derive(Debug, Clone)]
pub(crate) struct Happening {
    pub(crate) msg: Msg,
    pub(crate) replies: Option<Replies>,
}

/// A console that is recorded.
pub(crate) struct Live {
    pub(crate) app: App,
    pub(crate) effects: Vec<Vec<Effect>>,
    pub(crate) recorder: Recorder,
}

impl Live {
    pub(crate) fn start(target: Target, mask_key: Option<[u8; 16]>, chapter_ms: u64) -> Self {
        let settings = Settings { target, name: "20261124T140000Z-7".into(), mask_key, chapter_ms };
        let inventory = Arc::new(inventory());
        let options = Options::default();
        let recorder = Recorder::start(settings, &inventory, &options).unwrap();
        Self { app: App::new(inventory, options, START), effects: Vec::new(), recorder }
    }

    pub(crate) fn take(&mut self, happening: &Happening) {
        self.recorder.record(&self.app, &happening.msg, happening.replies.as_ref());
        self.effects.push(update(&mut self.app, happening.msg.clone()));
    }

    pub(crate) fn tell(mut self, story: &[Happening]) -> (App, Vec<Vec<Effect>>) {
        for happening in story {
            self.take(happening);
        }
        assert!(self.recorder.finish(PATIENCE));
        (self.app, self.effects)
    }
}

/// Records a story into one file.
pub(crate) fn recorded(story: &[Happening], chapter_ms: u64) -> (tempfile::TempDir, PathBuf, App, Vec<Vec<Effect>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("story.vakt.gz");
    let (app, effects) = Live::start(Target::file(&path).unwrap(), None, chapter_ms).tell(story);
    (folder, path, app, effects)
}

pub(crate) fn player(path: &Path) -> Player {
    Player::new(Recording::open(path).unwrap(), Options::default(), (120, 34)).unwrap()
}

/// The screen after all messages, as it was seen.
pub(crate) fn last_screen(path: &Path) -> picture::Screen {
    let mut player = player(path);
    to(&mut player, None).unwrap();
    picture::draw(player.app())
}

/// The text of a recording.
pub(crate) fn plain(path: &Path) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// A cluster that comes up, answers in the words of real daemons, loses a node, is looked at and typed into.
pub(crate) fn story(rounds: u64) -> Vec<Happening> {
    let nodes: Vec<NodeName> = inventory().nodes.iter().map(|node| node.name.clone()).collect();
    let mut story = vec![at(0, Event::Resize { width: 120, height: 34 })];
    for (index, node) in nodes.iter().enumerate() {
        let state = if index == 1 { down() } else { LinkState::Up };
        story.push(at(100 + index as u64, Event::Link { node: node.clone(), event: LinkEvent::State(state) }));
    }
    let hosts = captures("host", ".txt");
    let profiles = captures("host-profile", ".txt");
    let proxies = captures("haproxy", ".stat.txt");
    let keys = "6 j j enter esc 2 j j enter tab j esc 7 : l b 0 enter 1 / w e b enter p j p ? j esc 2 w s s";
    let mut keys = keys.split(' ').cycle();
    for round in 1..=rounds {
        let ms = round * 1000;
        for (index, node) in nodes.iter().enumerate().filter(|(index, _)| *index != 1 || round > 5) {
            let turn = index + usize::try_from(round).unwrap();
            story.push(answered(ms + 7 * index as u64, node, ProbeId::Host, &hosts[turn % hosts.len()]));
            if node.as_str().starts_with("lb") {
                let path = &proxies[turn % proxies.len()];
                story.push(answered(ms + 300 + index as u64, node, ProbeId::Haproxy, path));
            }
            if round % 4 == 1 {
                let path = &profiles[turn % profiles.len()];
                story.push(answered(ms + 400 + index as u64, node, ProbeId::HostProfile, path));
            }
        }
        for part in 0..2 {
            story.push(at(ms + 450 + part * 250, Event::Tick));
            story.push(at(ms + 460 + part * 250, key(keys.next().unwrap())));
        }
        if round == 5 {
            story.push(at(ms + 900, Event::Link { node: nodes[1].clone(), event: LinkEvent::State(LinkState::Up) }));
        }
        if round == 8 {
            story.push(at(ms + 900, Event::Link { node: nodes[2].clone(), event: LinkEvent::State(down()) }));
        }
    }
    story.push(at(rounds * 1000 + 990, Event::Tick));
    story.sort_by_key(|happening| happening.msg.at.mono);
    story
}

fn down() -> LinkState {
    LinkState::Down { trouble: Trouble::new(TroubleKind::Refused, "connection refused", "start sshd"), retry: None }
}

/// A probe's answer as the collector hands it over.
pub(crate) fn answered(ms: u64, node: &NodeName, probe: ProbeId, capture: &Path) -> Happening {
    let replies: Replies = replies(capture).into();
    let (outcome, complaints) = understood(probe, &replies);
    let report = vakt::app::msg::Report { node: node.clone(), probe, outcome, complaints, round_trip_ms: 3 };
    Happening { replies: Some(replies), ..at(ms, Event::Report(report)) }
}

pub(crate) fn inventory() -> Inventory {
    let metadata = vakt::config::FileMetadata { mode: Some(0o600), home: Some("/home/operator".into()) };
    vakt::config::load("example.toml".as_ref(), vakt::config::EXAMPLE, &metadata).unwrap().inventory
}

pub(crate) fn at(ms: u64, event: Event) -> Happening {
    let now = Now { mono: Mono(START.mono.0 + ms), wall: Wall(START.wall.0 + ms.cast_signed()) };
    Happening { msg: Msg { at: now, event }, replies: None }
}

pub(crate) fn key(name: &str) -> Event {
    Event::Key(Key::parse(name).unwrap())
}

pub(crate) fn letter(c: char) -> Event {
    Event::Key(Key::plain(KeyCode::Char(c)))
}

/// Waits, bounded, for what a thread will do.
pub(crate) fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = crate::program::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed().as_secs() < 20, "{what}: not within 20 s");
        crate::program::pause();
    }
}
