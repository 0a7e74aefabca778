//! Moving in a recording. These commands exist only in a replay.

use super::{LOOKS, always};
use crate::app::{
    App, Overlay,
    command::{Command, Here, Scope},
    effect::Effect,
    replay::{Jog, MINUTE_MS, STEP_MS},
};

pub(in crate::app) const COMMANDS: &[Command] = &[
    Command {
        id: "replay.play",
        title: "Play or stop the replay",
        hint: "play or stop",
        doc: "Lets time go on, or stops it.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: always,
        act: |_| vec![Effect::Replay(Jog::PlayOrStop)],
    },
    Command {
        id: "replay.next",
        title: "Next change",
        hint: "change",
        doc: "To the next message that changed something.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_end,
        act: |_| vec![Effect::Replay(Jog::NextChange)],
    },
    Command {
        id: "replay.previous",
        title: "Previous change",
        hint: "",
        doc: "To the message before that changed something.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_start,
        act: |_| vec![Effect::Replay(Jog::PreviousChange)],
    },
    Command {
        id: "replay.forward",
        title: "Five seconds forward",
        hint: "5 s on",
        doc: "Five seconds of the recording forward.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_end,
        act: |_| vec![Effect::Replay(Jog::By(STEP_MS))],
    },
    Command {
        id: "replay.back",
        title: "Five seconds back",
        hint: "5 s back",
        doc: "Five seconds of the recording back.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_start,
        act: |_| vec![Effect::Replay(Jog::By(-STEP_MS))],
    },
    Command {
        id: "replay.minute_forward",
        title: "A minute forward",
        hint: "",
        doc: "A minute of the recording forward.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_end,
        act: |_| vec![Effect::Replay(Jog::By(MINUTE_MS))],
    },
    Command {
        id: "replay.minute_back",
        title: "A minute back",
        hint: "",
        doc: "A minute of the recording back.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_start,
        act: |_| vec![Effect::Replay(Jog::By(-MINUTE_MS))],
    },
    Command {
        id: "replay.end",
        title: "To the end of the recording",
        hint: "",
        doc: "To the last thing that was recorded.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: not_at_end,
        act: |_| vec![Effect::Replay(Jog::BeforeEnd(0))],
    },
    Command {
        id: "replay.go",
        title: "Go to a moment of the recording",
        hint: "go to",
        doc: "Asks for a time of the day, a date with a time, or how long before the end.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: always,
        act: |app| {
            app.overlay = Overlay::Moment(String::new());
            Vec::new()
        },
    },
    Command {
        id: "replay.faster",
        title: "Replay faster",
        hint: "",
        doc: "Time goes faster, up to a minute a second.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: always,
        act: |_| vec![Effect::Replay(Jog::Faster)],
    },
    Command {
        id: "replay.slower",
        title: "Replay slower",
        hint: "",
        doc: "Time goes slower, down to a quarter.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: always,
        act: |_| vec![Effect::Replay(Jog::Slower)],
    },
    Command {
        id: "replay.as_seen",
        title: "The screen as it was seen, or a view of your own",
        hint: "",
        doc: "Shows what the operator saw then, with his keys; once more gives you a view of your own.",
        scope: Scope::Replay,
        danger: LOOKS,
        available: always,
        act: |_| vec![Effect::Replay(Jog::AsSeen)],
    },
];

fn not_at_end(here: &Here<'_>) -> Result<(), String> {
    let at_end = |app: &App| app.options.replay.as_ref().is_some_and(|replay| app.now.mono >= replay.end.mono);
    if at_end(here.app) { Err("This is the end of the recording.".to_owned()) } else { Ok(()) }
}

fn not_at_start(here: &Here<'_>) -> Result<(), String> {
    let at_start = |app: &App| app.options.replay.as_ref().is_some_and(|replay| app.now.mono <= replay.start.mono);
    if at_start(here.app) { Err("This is the beginning of the recording.".to_owned()) } else { Ok(()) }
}
