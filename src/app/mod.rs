//! The console as a value: everything that can happen is a [`msg::Msg`], everything it wants done is an
//! [`effect::Effect`], and [`update`] is a plain function between them.
//!
//! Main type: [`App`]. Deliberately absent: drawing, colours, clocks, IO. What something *means* is decided here
//! ([`meaning::Meaning`]); how a meaning looks is decided in `view`.

pub mod actions;
pub(crate) mod change_details;
pub(crate) mod changes;
pub(crate) mod chart;
pub mod command;
mod commands;
pub(crate) mod databases;
pub(crate) mod decision;
pub(crate) mod details;
pub mod effect;
pub(crate) mod evidence;
pub(crate) mod figures;
pub(crate) mod following;
pub(crate) mod frames;
pub mod help;
pub mod keymap;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod machine_details;
pub(crate) mod machines;
pub(crate) mod matrix;
pub mod meaning;
pub mod msg;
pub(crate) mod network;
pub(crate) mod overview;
pub(crate) mod palette;
pub(crate) mod path;
pub(crate) mod planning;
pub(crate) mod playbook;
pub(crate) mod prompt;
pub mod replay;
pub(crate) mod rows;
pub mod screen;
pub mod snapshot;
pub(crate) mod standing;
pub(crate) mod story;
pub(crate) mod telling;
pub(crate) mod traffic;
pub(crate) mod trend;
pub(crate) mod tune;
mod update;
pub(crate) mod what_if;

pub use update::update;

use crate::{
    history::recent::History,
    model::{
        ids::NodeName,
        inventory::{Inventory, ThemeName},
        text::Clean,
        time::{Mono, Now},
        world::World,
    },
    plan::PlanId,
    rules::{Finding, Rules},
    schedule::Schedule,
    wire::probe::{Complaint, ProbeId},
};
use decision::Decision;
use frames::Frames;
use keymap::Keymap;
use palette::Palette;
use planning::Planning;
use prompt::Prompt;
use screen::{Place, ScreenId, Screens};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What the console is started with, beyond the inventory. The runtime resolves environment and locale.
#[derive(Debug, Clone)]
pub struct Options {
    /// No write leaves this console.
    pub read_only: bool,
    /// Colours; `NO_COLOR` makes it [`ThemeName::Mono`].
    pub theme: ThemeName,
    /// Whether symbols outside ASCII may be drawn.
    pub unicode: bool,
    /// The cluster is a simulation; the title says so on every screen.
    pub simulated: bool,
    /// The zone of every wall clock on screen.
    pub zone: jiff::tz::TimeZone,
    /// Where the replay stands; `None` in a console that shows the present.
    pub replay: Option<replay::Replay>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            theme: ThemeName::Dark,
            unicode: true,
            simulated: false,
            zone: jiff::tz::TimeZone::UTC,
            replay: None,
        }
    }
}

/// The terminal's size in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// Everything the console is, between two messages.
#[derive(Debug)]
pub struct App {
    /// The cluster as written down.
    pub inventory: Arc<Inventory>,
    /// How this console was started; theme and symbols may change while it runs.
    pub options: Options,
    /// Which key means which command.
    pub keymap: Keymap,
    /// The cluster as observed.
    pub world: World,
    /// Figures over time.
    pub history: History,
    /// What is due to be read.
    pub schedule: Schedule,
    /// The rules and what they remember.
    pub rules: Rules,
    /// What is wrong now, worst first.
    pub findings: Vec<Finding>,
    /// Runs, lock and ledger.
    pub standing: msg::Standing,
    /// What was odd in the newest answer of each probe.
    pub complaints: BTreeMap<(NodeName, ProbeId), Vec<Complaint>>,
    /// When the last message was taken.
    pub now: Now,
    /// The terminal.
    pub size: Size,
    /// Where the operator is.
    pub(crate) place: Place,
    /// Where the operator came from; Esc goes back.
    pub(crate) trail: Vec<Place>,
    /// What each screen remembers.
    pub(crate) screens: Screens,
    /// What lies over the screen.
    pub(crate) overlay: Overlay,
    /// The run this console follows.
    pub(crate) following: Option<following::Following>,
    /// A short notice and when it goes away.
    pub(crate) toast: Option<(String, Mono)>,
    /// The world as it was when the display was paused.
    frozen: Option<Box<Frozen>>,
    /// Why the flight recorder has stopped, or what it has lost.
    pub(crate) unrecorded: Option<Clean>,
    /// States that changed lately.
    pub(crate) changes: standing::Changes,
    /// The failovers whose former primary came back and was made harmless, or was tried to.
    pub(crate) made_harmless: BTreeSet<PlanId>,
    /// What happened lately, for charts.
    pub(crate) marks: chart::Marks,
    /// When to draw.
    pub(crate) frames: Frames,
    /// When the rules ran last, and whether anything moved since.
    rules_ran: Option<Mono>,
    rules_wanted: bool,
    ended: bool,
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Default)]
pub(crate) enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The explanation of this screen and this row; first visible line.
    Help(usize),
    /// Round trips between nodes; first visible line.
    Matrix(usize),
    /// Commands, nodes and servers by name.
    Palette(Palette),
    /// The filter of the current screen is being typed.
    Filter,
    /// A question of a connection.
    Prompt(Prompt),
    /// In a replay: the moment to go to is being typed.
    Moment(String),
    /// A plan that is not started.
    Plan(Box<Planning>),
    /// A question before something is planned, or about a run.
    Decision(Decision),
    /// The run that this console follows.
    Run,
    /// The logs behind a row.
    Logs(Box<logs::Logs>),
    /// A figure of a row over time.
    Chart(Box<chart::Chart>),
    /// What helps now.
    Playbook(Box<playbook::Playbook>),
}

/// What the display shows while it is paused.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Frozen {
    world: World,
    history: History,
    findings: Vec<Finding>,
    at: Now,
}

/// What the screens look at: the present, or the moment at which the display was paused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) inventory: &'a Inventory,
    pub(crate) world: &'a World,
    pub(crate) history: &'a History,
    pub(crate) findings: &'a [Finding],
    /// Runs, lock and wishes are those of now, also while the display is paused.
    pub(crate) standing: &'a msg::Standing,
    pub(crate) now: Now,
}

impl App {
    /// A console that knows nothing yet but the inventory.
    pub fn new(inventory: impl Into<Arc<Inventory>>, options: Options, now: Now) -> Self {
        let inventory = inventory.into();
        Self {
            world: World::new(&inventory),
            history: History::new(inventory.settings.poll.host_ms, inventory.settings.poll.haproxy_ms),
            schedule: Schedule::new(&inventory),
            rules: Rules::default(),
            findings: Vec::new(),
            standing: msg::Standing::default(),
            complaints: BTreeMap::new(),
            keymap: Keymap::embedded(),
            options,
            now,
            size: Size { width: 80, height: 24 },
            place: Place::new(ScreenId::Overview),
            trail: Vec::new(),
            screens: Screens::default(),
            overlay: Overlay::None,
            following: None,
            toast: None,
            frozen: None,
            unrecorded: None,
            changes: standing::Changes::default(),
            made_harmless: BTreeSet::new(),
            marks: chart::Marks::default(),
            frames: Frames::new(now.mono),
            rules_ran: None,
            rules_wanted: true,
            ended: false,
            inventory,
        }
    }

    /// Whether typed keys and pasted text go into a prompt that must not be shown, logged or recorded.
    /// While this holds, a recorder replaces keys by [`msg::KeyCode::Redacted`] and drops pastes.
    pub fn secret_prompt_open(&self) -> bool {
        matches!(&self.overlay, Overlay::Prompt(prompt) if prompt.is_secret())
    }

    /// Whether a frame should be drawn now. Call [`App::frame_drawn`] after drawing.
    pub fn frame_due(&self) -> bool {
        self.frames.due(self.now.mono)
    }

    /// Lets the rules look at once, for an answer that is given once.
    pub fn judge_now(&mut self) {
        update::tick::judge_now(self);
    }

    /// Notes that a frame was drawn.
    pub fn frame_drawn(&mut self) {
        self.frames.drawn(self.now.mono);
    }

    /// The latest moment for the next [`msg::Event::Tick`]: a probe is due, a frame is wanted, or ages move.
    pub fn wake_at(&self) -> Mono {
        let next = self.frames.next(self.now.mono);
        self.schedule.next_due().map_or(next, |due| due.min(next)).max(self.now.mono)
    }

    /// Whether the console has asked to end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the display is paused.
    pub fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// The screen the operator is on.
    pub fn screen(&self) -> ScreenId {
        self.place.screen
    }

    /// The moment at which the display was paused.
    pub(crate) fn paused_at(&self) -> Option<Now> {
        self.frozen.as_ref().map(|frozen| frozen.at)
    }

    /// What the screens look at.
    pub(crate) fn seen(&self) -> Seen<'_> {
        match &self.frozen {
            Some(frozen) => Seen {
                inventory: &self.inventory,
                world: &frozen.world,
                history: &frozen.history,
                findings: &frozen.findings,
                standing: &self.standing,
                now: frozen.at,
            },
            None => Seen {
                inventory: &self.inventory,
                world: &self.world,
                history: &self.history,
                findings: &self.findings,
                standing: &self.standing,
                now: self.now,
            },
        }
    }

    /// Freezes the display, or lets it go on. Polling never stops.
    pub(crate) fn toggle_pause(&mut self) {
        self.frozen = match self.frozen.take() {
            Some(_) => None,
            // The one whole copy of the world that is ever made, on a key press.
            None => Some(Box::new(Frozen {
                world: self.world.clone(),
                history: self.history.clone(),
                findings: self.findings.clone(),
                at: self.now,
            })),
        };
    }

    /// Ends the console.
    pub(crate) fn end(&mut self) -> Vec<effect::Effect> {
        self.ended = true;
        vec![effect::Effect::Quit]
    }

    /// Shows a short notice for a few seconds.
    pub(crate) fn notify(&mut self, text: impl Into<String>) {
        self.toast = Some((text.into(), self.now.mono.plus_ms(4000)));
    }

    /// Shows that something an operator asked for did not happen, for long enough to be read by who looked away.
    pub(crate) fn alarm(&mut self, text: impl Into<String>) {
        self.toast = Some((text.into(), self.now.mono.plus_ms(20_000)));
    }

    /// Goes to a place and remembers where from.
    pub(crate) fn go(&mut self, place: Place) {
        if self.place != place {
            let from = std::mem::replace(&mut self.place, place);
            self.trail.push(from);
            if self.trail.len() > 32 {
                self.trail.remove(0);
            }
        }
    }
}
