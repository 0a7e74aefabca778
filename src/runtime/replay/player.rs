//! Moves in a recording: forward message by message, back by the nearest snapshot and forward from there.
//!
//! The console of the recording is taken through every message exactly as it was, keys included. Who replays looks at
//! its world with a view of his own, which is swapped in; or he sees what was seen.

use crate::{
    app::{
        App, Options,
        command::Scope,
        effect::Effect,
        msg::{Event, Key, KeyCode, Msg},
        replay::{Jog, Replay, Speed},
        snapshot::View,
        update,
    },
    model::time::{Mono, Now, Wall},
    runtime::{
        recorder::{Loaded, Recorded, Recording, RecordingError},
        session::Left,
    },
};
use std::sync::Arc;

/// Messages that one turn of the loop takes at most, so that keys are heard at any speed.
const MESSAGES_PER_TURN_MAX: usize = 2_000;

/// A recording, and a place in it.
#[derive(Debug)]
pub struct Player {
    recording: Recording,
    loaded: Loaded,
    chapter: usize,
    /// The entry of the chapter that comes next.
    next: usize,
    app: App,
    /// The view that is not shown: that of the recording, or that of who replays.
    hidden: View,
    replay: Replay,
    size: (u16, u16),
    /// How far the time has gone; the newest message is at or before it.
    position: Mono,
    /// Chapters whose defects are counted.
    counted: usize,
    not_understood: usize,
    lost_within: u64,
}

impl Player {
    /// At the beginning of a recording, stopped. `options` says how it looks to the one who replays.
    pub fn new(recording: Recording, options: Options, size: (u16, u16)) -> Result<Self, RecordingError> {
        let (Some(first_chapter), Some(last_chapter)) = (recording.chapters.first(), recording.chapters.last()) else {
            return Err(RecordingError::NoneHere);
        };
        let last = recording.load(recording.chapters.len() - 1)?;
        let start = first_chapter.header.started;
        let end = last.entries.last().map_or(last_chapter.header.started, Recorded::at);
        let header = &first_chapter.header;
        let app = App::new(Arc::clone(&header.inventory), (&header.options).into(), start);
        let replay = Replay { playing: false, speed: Speed::default(), start, end, as_seen: true };
        let loaded = if recording.chapters.len() == 1 { last } else { recording.load(0)? };
        let mut player = Self {
            recording,
            loaded: Loaded::default(),
            chapter: 0,
            next: 0,
            app,
            hidden: View::new(Options { replay: Some(replay.clone()), ..options }, size),
            replay,
            size,
            position: start.mono,
            counted: 0,
            not_understood: 0,
            lost_within: 0,
        };
        player.enter(0, loaded, true);
        Ok(player)
    }

    /// What somebody who looks at this recording must know, as sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(version) = self.recording.other_version() {
            notes.push(format!(
                "This recording was made by vakt {version}; what nodes said is understood as vakt {} does, and may look \
                 different.",
                env!("CARGO_PKG_VERSION")
            ));
        }
        let lost = self.recording.lost().max(self.lost_within);
        if lost > 0 {
            notes.push(format!("{lost} messages are missing in this recording; the disk was too slow."));
        }
        if self.not_understood > 0 {
            notes.push(format!("{} lines could not be read by this version and are left out.", self.not_understood));
        }
        if self.loaded.cut && self.chapter + 1 == self.recording.chapters.len() {
            notes.push("The recording is cut off at its end; everything before is shown.".to_owned());
        }
        if self.recording.chapters.iter().any(|chapter| chapter.header.masked) {
            notes.push("Addresses outside the inventory are masked in this recording.".to_owned());
        }
        notes
    }

    /// The console at this moment.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// The same, to keep.
    pub fn into_app(self) -> App {
        self.app
    }

    /// Where the replay stands.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Begins at a chapter. Without a snapshot that can be read, what was known before is kept when time goes forward.
    fn enter(&mut self, chapter: usize, loaded: Loaded, moves_back: bool) {
        if chapter >= self.counted {
            self.counted = chapter + 1;
            self.not_understood += loaded.not_understood;
            self.lost_within += loaded.lost;
        }
        let header = self.recording.chapters.get(chapter).map(|chapter| &chapter.header);
        let restored = match (&loaded.snapshot, header) {
            (Some(snapshot), Some(header)) => Some(snapshot.as_ref().clone().restore(Arc::clone(&header.inventory))),
            (None, Some(header)) if moves_back => {
                Some(App::new(Arc::clone(&header.inventory), (&header.options).into(), header.started))
            }
            _ => None,
        };
        if let Some(mut app) = restored {
            if !self.replay.as_seen {
                // The view of who replays leaves the old console and enters the new one.
                self.app.swap_view(&mut self.hidden);
                app.swap_view(&mut self.hidden);
            }
            self.app = app;
        }
        (self.chapter, self.loaded, self.next) = (chapter, loaded, 0);
    }

    fn load_and_enter(&mut self, chapter: usize) -> Result<(), RecordingError> {
        let moves_back = chapter <= self.chapter;
        let loaded =
            if chapter == self.chapter { std::mem::take(&mut self.loaded) } else { self.recording.load(chapter)? };
        self.enter(chapter, loaded, moves_back);
        Ok(())
    }

    /// When the next message comes; `None` at the end.
    fn next_at(&self) -> Option<Now> {
        let here = self.loaded.entries.get(self.next).map(Recorded::at);
        here.or_else(|| self.recording.chapters.get(self.chapter + 1).map(|chapter| chapter.header.started))
    }

    /// Takes the next message; what the recorded console wanted done because of it. `None` at the end.
    pub fn advance(&mut self) -> Result<Option<Vec<Effect>>, RecordingError> {
        while self.next >= self.loaded.entries.len() {
            if self.chapter + 1 >= self.recording.chapters.len() {
                return Ok(None);
            }
            self.load_and_enter(self.chapter + 1)?;
        }
        let Some(entry) = self.loaded.entries.get(self.next) else { return Ok(None) };
        let msg = entry.msg();
        self.next += 1;
        Ok(Some(self.apply(msg)))
    }

    /// A recorded message meets the recorded view.
    fn apply(&mut self, msg: Msg) -> Vec<Effect> {
        if self.replay.as_seen {
            return update(&mut self.app, msg);
        }
        self.app.swap_view(&mut self.hidden);
        let effects = update(&mut self.app, msg);
        self.app.swap_view(&mut self.hidden);
        let now = self.app.now.mono;
        self.app.toast.take_if(|(_, until)| *until <= now);
        effects
    }

    /// So many real milliseconds have passed. Whether anything moved.
    pub fn pass(&mut self, real_ms: u64) -> Result<bool, RecordingError> {
        if !self.replay.playing {
            return Ok(false);
        }
        self.position = self.position.plus_ms(self.replay.speed.recorded_ms(real_ms));
        let mut moved = false;
        for _ in 0..MESSAGES_PER_TURN_MAX {
            match self.next_at() {
                Some(next) if next.mono <= self.position => moved |= self.advance()?.is_some(),
                Some(_) => return Ok(moved),
                None => {
                    self.replay.playing = false;
                    return Ok(true);
                }
            }
        }
        // Faster than this machine can follow: time waits.
        self.position = self.app.now.mono;
        Ok(moved)
    }

    /// Moves.
    pub fn jog(&mut self, jog: Jog) -> Result<(), RecordingError> {
        match jog {
            Jog::PlayOrStop => self.replay.playing = !self.replay.playing && self.next_at().is_some(),
            Jog::Faster => self.replay.speed = self.replay.speed.faster(),
            Jog::Slower => self.replay.speed = self.replay.speed.slower(),
            Jog::AsSeen => self.look_as_seen(!self.replay.as_seen),
            Jog::NextChange => {
                self.replay.playing = false;
                while self.advance()?.is_some() {
                    let taken = self.next.checked_sub(1).and_then(|taken| self.loaded.entries.get(taken));
                    if taken.is_some_and(|taken| is_change(taken, self.replay.as_seen)) {
                        break;
                    }
                }
            }
            Jog::PreviousChange => {
                self.replay.playing = false;
                self.previous_change()?;
            }
            // From where the time is, not from the last message: a step forward undoes a step back.
            Jog::By(ms) => return self.seek(Mono(self.position.0.saturating_add_signed(ms))),
            Jog::BeforeEnd(ms) => return self.seek(Mono(self.replay.end.mono.0.saturating_sub(ms))),
            Jog::To(wall) => self.seek_wall(wall)?,
        }
        self.position = self.app.now.mono;
        Ok(())
    }

    /// Shows what was seen, or the view of who replays.
    pub fn look_as_seen(&mut self, as_seen: bool) {
        if self.replay.as_seen == as_seen {
            return;
        }
        self.app.swap_view(&mut self.hidden);
        self.replay.as_seen = as_seen;
        if !as_seen {
            self.app.options.replay = Some(self.replay.clone());
            let ((width, height), at) = (self.size, self.app.now);
            // A change of size wants nothing done.
            let _ = update(&mut self.app, Msg { at, event: Event::Resize { width, height } });
        }
    }

    /// The moment after the change before the last one that has been taken; else the beginning.
    fn previous_change(&mut self) -> Result<(), RecordingError> {
        let before = match self.change_before(self.chapter, self.next)? {
            Some((chapter, entry)) => self.change_before(chapter, entry)?,
            None => None,
        };
        match before {
            Some((chapter, entry)) => self.go(chapter, entry + 1),
            None => self.go(0, 0),
        }
    }

    /// The last change before that entry, in this chapter or an earlier one.
    fn change_before(&self, chapter: usize, entry: usize) -> Result<Option<(usize, usize)>, RecordingError> {
        let last_change = |entries: &[Recorded], end: usize| {
            entries.iter().take(end).rposition(|entry| is_change(entry, self.replay.as_seen))
        };
        let (mut chapter, mut end) = (chapter, entry);
        loop {
            let found = if chapter == self.chapter {
                last_change(&self.loaded.entries, end)
            } else {
                last_change(&self.recording.load(chapter)?.entries, end)
            };
            match (found, chapter.checked_sub(1)) {
                (Some(entry), _) => return Ok(Some((chapter, entry))),
                (None, Some(earlier)) => (chapter, end) = (earlier, usize::MAX),
                (None, None) => return Ok(None),
            }
        }
    }

    /// To a chapter, and so many messages of it.
    fn go(&mut self, chapter: usize, messages: usize) -> Result<(), RecordingError> {
        self.load_and_enter(chapter)?;
        while self.next < messages {
            if self.advance()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// To the last message at or before that moment.
    fn seek(&mut self, target: Mono) -> Result<(), RecordingError> {
        let target = target.clamp(self.replay.start.mono, self.replay.end.mono);
        self.seek_while(target < self.app.now.mono, |at| at.mono <= target)?;
        self.position = target;
        Ok(())
    }

    /// The same by the wall clock, which may have stepped: then to the last chapter that began before.
    fn seek_wall(&mut self, target: Wall) -> Result<(), RecordingError> {
        let target = target.max(self.replay.start.wall);
        self.seek_while(target < self.app.now.wall, |at| at.wall <= target)
    }

    fn seek_while(&mut self, moves_back: bool, is_before: impl Fn(Now) -> bool) -> Result<(), RecordingError> {
        let chapter =
            self.recording.chapters.iter().rposition(|chapter| is_before(chapter.header.started)).unwrap_or(0);
        if moves_back || chapter != self.chapter {
            self.load_and_enter(chapter)?;
        }
        while self.next_at().is_some_and(&is_before) {
            if self.advance()?.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Something the one who replays did. What remains for the terminal is returned.
    pub fn take(&mut self, event: Event) -> Result<Vec<Left>, RecordingError> {
        if let Event::Resize { width, height } = event {
            self.size = (width, height);
        }
        let effects = if self.replay.as_seen { self.command(&event) } else { self.own(event) };
        let mut left = Vec::new();
        for effect in effects {
            match effect {
                Effect::Replay(jog) => self.jog(jog)?,
                Effect::Copy(text) => left.push(Left::Copy(text)),
                Effect::Redraw => left.push(Left::Redraw),
                Effect::Suspend => left.push(Left::Suspend),
                Effect::Quit => left.push(Left::Quit),
                // Nothing reaches the cluster from here.
                Effect::Poll { .. }
                | Effect::Answer { .. }
                | Effect::Reconnect { .. }
                | Effect::Log(_)
                | Effect::Run(_) => {}
            }
        }
        Ok(left)
    }

    fn own(&mut self, event: Event) -> Vec<Effect> {
        self.app.options.replay = Some(self.replay.clone());
        let at = self.app.now;
        update(&mut self.app, Msg { at, event })
    }

    /// While the screen is the one that was seen, keys move in the recording and do nothing else.
    fn command(&mut self, event: &Event) -> Vec<Effect> {
        let Event::Key(key) = event else { return Vec::new() };
        let key = key.normal();
        if key.ctrl && key.code == KeyCode::Char('c') {
            return vec![Effect::Quit];
        }
        match self.command_of(key) {
            Some("replay.go") => {
                self.look_as_seen(false);
                self.own(event.clone())
            }
            Some("console.quit") => vec![Effect::Quit],
            Some("console.suspend") => vec![Effect::Suspend],
            Some("console.redraw") => vec![Effect::Redraw],
            Some(id) => crate::app::command::find(id)
                .filter(|command| command.scope == Scope::Replay)
                .map_or_else(Vec::new, |command| (command.act)(&mut self.app)),
            None => Vec::new(),
        }
    }

    fn command_of(&mut self, key: Key) -> Option<&'static str> {
        self.app.options.replay = Some(self.replay.clone());
        let command = self.app.keymap.command(key, &self.app);
        // The recorded console goes on as if nobody replayed it.
        self.app.options.replay = None;
        command.map(|command| command.id)
    }

    /// Says something to the one who replays, until the next key.
    pub fn say(&mut self, text: &str) {
        if !self.replay.as_seen {
            self.app.notify(text);
        }
    }

    /// Lets `look` see the console with the banner.
    pub fn show<T>(&mut self, look: impl FnOnce(&App) -> T) -> T {
        self.app.options.replay = Some(self.replay.clone());
        if !self.replay.as_seen {
            return look(&self.app);
        }
        let seen_size = self.app.size;
        (self.app.size.width, self.app.size.height) = self.size;
        let shown = look(&self.app);
        self.app.size = seen_size;
        self.app.options.replay = None;
        shown
    }
}

/// Whether a message changes more than ages and, unless the screen of then is shown, what the operator of then looks at.
fn is_change(entry: &Recorded, as_seen: bool) -> bool {
    let Recorded::Msg(msg) = entry else { return true };
    match &msg.event {
        Event::Tick => false,
        Event::Key(_) | Event::Mouse(_) | Event::Paste(_) | Event::Resize { .. } => as_seen,
        _ => true,
    }
}
