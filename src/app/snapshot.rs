//! Everything a console is between two messages, as a value that can be written down: a replay starts from it and goes
//! on exactly as the console did. And the part of it that belongs to the one who looks, so that a replay can show the
//! same world to somebody else.
//!
//! A snapshot holds no secret: of what is typed into a prompt only the length is kept. Deliberately absent: the keymap,
//! which comes with the program, and when to draw, which is the terminal's business.

use super::{
    App, Frozen, Options, Overlay, Size,
    chart::{Chart, Marks},
    decision::Decision,
    following::Following,
    frames::Frames,
    keymap::Keymap,
    logs::Logs,
    msg::Standing,
    palette::Palette,
    planning::Planning,
    playbook::Playbook,
    prompt::Prompt,
    screen::{Place, ScreenId, Screens},
    standing::Changes,
};
use crate::{
    history::recent::History,
    model::{
        ids::NodeName,
        inventory::{Inventory, ThemeName},
        link::Question,
        text::Clean,
        time::{Mono, Now},
        world::World,
    },
    plan::PlanId,
    rules::{Finding, Rules},
    schedule::Schedule,
    wire::probe::{Complaint, ProbeId},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// [`Options`] as they are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOptions {
    read_only: bool,
    theme: ThemeName,
    unicode: bool,
    #[serde(default)]
    simulated: bool,
    /// Name of the time zone; UTC when it has none.
    zone: String,
}

impl From<&Options> for SavedOptions {
    fn from(options: &Options) -> Self {
        Self {
            read_only: options.read_only,
            theme: options.theme,
            unicode: options.unicode,
            simulated: options.simulated,
            zone: options.zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

impl From<&SavedOptions> for Options {
    fn from(saved: &SavedOptions) -> Self {
        Self {
            read_only: saved.read_only,
            theme: saved.theme,
            unicode: saved.unicode,
            simulated: saved.simulated,
            zone: jiff::tz::TimeZone::get(&saved.zone).unwrap_or(jiff::tz::TimeZone::UTC),
            replay: None,
        }
    }
}

/// A console, written down. The inventory stands beside it, because it never changes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    options: SavedOptions,
    world: World,
    history: History,
    schedule: Schedule,
    rules: Rules,
    findings: Vec<Finding>,
    standing: Standing,
    /// A list: maps with structured keys cannot be written as JSON.
    complaints: Vec<((NodeName, ProbeId), Vec<Complaint>)>,
    now: Now,
    size: Size,
    place: Place,
    trail: Vec<Place>,
    screens: Screens,
    overlay: SavedOverlay,
    following: Option<Following>,
    toast: Option<(String, Mono)>,
    frozen: Option<Box<Frozen>>,
    unrecorded: Option<Clean>,
    changes: Changes,
    #[serde(default)]
    made_harmless: BTreeSet<PlanId>,
    #[serde(default)]
    marks: Marks,
    rules_ran: Option<Mono>,
    rules_wanted: bool,
    ended: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SavedOverlay {
    None,
    Help(usize),
    Matrix(usize),
    Palette(Palette),
    Filter,
    Plan(Box<Planning>),
    Decision(Decision),
    Run,
    Logs(Box<Logs>),
    Chart(Box<Chart>),
    Playbook(Box<Playbook>),
    Prompt {
        node: NodeName,
        question: Question,
        /// What is typed; of a secret, as many strokes.
        typed: String,
    },
}

impl From<&Overlay> for SavedOverlay {
    fn from(overlay: &Overlay) -> Self {
        match overlay {
            // A moment is asked for in a replay only, and a replay is not recorded.
            Overlay::None | Overlay::Moment(_) => Self::None,
            Overlay::Help(line) => Self::Help(*line),
            Overlay::Matrix(line) => Self::Matrix(*line),
            Overlay::Palette(palette) => Self::Palette(palette.clone()),
            Overlay::Filter => Self::Filter,
            Overlay::Plan(open) => Self::Plan(open.clone()),
            Overlay::Decision(open) => Self::Decision(open.clone()),
            Overlay::Run => Self::Run,
            Overlay::Logs(open) => Self::Logs(open.clone()),
            Overlay::Chart(open) => Self::Chart(open.clone()),
            Overlay::Playbook(open) => Self::Playbook(open.clone()),
            Overlay::Prompt(prompt) => {
                Self::Prompt { node: prompt.node.clone(), question: prompt.question.clone(), typed: prompt.shown('x') }
            }
        }
    }
}

impl From<SavedOverlay> for Overlay {
    fn from(saved: SavedOverlay) -> Self {
        match saved {
            SavedOverlay::None => Self::None,
            SavedOverlay::Help(line) => Self::Help(line),
            SavedOverlay::Matrix(line) => Self::Matrix(line),
            SavedOverlay::Palette(palette) => Self::Palette(palette),
            SavedOverlay::Filter => Self::Filter,
            SavedOverlay::Plan(open) => Self::Plan(open),
            SavedOverlay::Decision(open) => Self::Decision(open),
            SavedOverlay::Run => Self::Run,
            SavedOverlay::Logs(open) => Self::Logs(open),
            SavedOverlay::Chart(open) => Self::Chart(open),
            SavedOverlay::Playbook(open) => Self::Playbook(open),
            SavedOverlay::Prompt { node, question, typed } => {
                let mut prompt = Prompt::new(node, question);
                prompt.add(&typed);
                Self::Prompt(prompt)
            }
        }
    }
}

impl Snapshot {
    /// The console as it is now.
    pub fn of(app: &App) -> Self {
        // Without `..`: whoever gives the console a new part decides here whether a replay needs it.
        let App {
            inventory: _,
            options,
            keymap: _,
            world,
            history,
            schedule,
            rules,
            findings,
            standing,
            complaints,
            now,
            size,
            place,
            trail,
            screens,
            overlay,
            following,
            toast,
            frozen,
            unrecorded,
            changes,
            made_harmless,
            marks,
            frames: _,
            rules_ran,
            rules_wanted,
            ended,
        } = app;
        Self {
            options: options.into(),
            world: world.clone(),
            history: history.clone(),
            schedule: schedule.clone(),
            rules: rules.clone(),
            findings: findings.clone(),
            standing: standing.clone(),
            complaints: complaints.iter().map(|(of, list)| (of.clone(), list.clone())).collect(),
            now: *now,
            size: *size,
            place: place.clone(),
            trail: trail.clone(),
            screens: screens.clone(),
            overlay: overlay.into(),
            following: following.clone(),
            toast: toast.clone(),
            frozen: frozen.clone(),
            unrecorded: unrecorded.clone(),
            changes: changes.clone(),
            made_harmless: made_harmless.clone(),
            marks: marks.clone(),
            rules_ran: *rules_ran,
            rules_wanted: *rules_wanted,
            ended: *ended,
        }
    }

    /// When it was taken.
    pub fn at(&self) -> Now {
        self.now
    }

    /// The console again.
    pub fn restore(self, inventory: Arc<Inventory>) -> App {
        App {
            inventory,
            options: (&self.options).into(),
            keymap: Keymap::embedded(),
            world: self.world,
            history: self.history,
            schedule: self.schedule,
            rules: self.rules,
            findings: self.findings,
            standing: self.standing,
            complaints: self.complaints.into_iter().collect(),
            now: self.now,
            size: self.size,
            place: self.place,
            trail: self.trail,
            screens: self.screens,
            overlay: self.overlay.into(),
            following: self.following,
            toast: self.toast,
            frozen: self.frozen,
            unrecorded: self.unrecorded,
            changes: self.changes,
            made_harmless: self.made_harmless,
            marks: self.marks,
            frames: Frames::new(self.now.mono),
            rules_ran: self.rules_ran,
            rules_wanted: self.rules_wanted,
            ended: self.ended,
        }
    }
}

/// What belongs to the one who looks: where he is, what lies over his screen, how it looks.
#[derive(Debug)]
pub struct View {
    options: Options,
    size: Size,
    place: Place,
    trail: Vec<Place>,
    screens: Screens,
    overlay: Overlay,
    following: Option<Following>,
    toast: Option<(String, Mono)>,
    frozen: Option<Box<Frozen>>,
    ended: bool,
}

impl View {
    /// The overview, on a terminal of that many columns and rows.
    pub fn new(options: Options, (width, height): (u16, u16)) -> Self {
        Self {
            options,
            size: Size { width, height },
            place: Place::new(ScreenId::Overview),
            trail: Vec::new(),
            screens: Screens::default(),
            overlay: Overlay::None,
            following: None,
            toast: None,
            frozen: None,
            ended: false,
        }
    }
}

impl App {
    /// Gives the console another view and keeps its own in exchange. The world stays.
    pub fn swap_view(&mut self, view: &mut View) {
        use std::mem::swap;
        let View { options, size, place, trail, screens, overlay, following, toast, frozen, ended } = view;
        swap(&mut self.options, options);
        swap(&mut self.size, size);
        swap(&mut self.place, place);
        swap(&mut self.trail, trail);
        swap(&mut self.screens, screens);
        swap(&mut self.overlay, overlay);
        swap(&mut self.following, following);
        swap(&mut self.toast, toast);
        swap(&mut self.frozen, frozen);
        swap(&mut self.ended, ended);
    }
}
