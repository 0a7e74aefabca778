//! A plan before it is started: read, changed in its options, confirmed as it asks. Nothing is sent before that.
//!
//! The text is that of `vakt do … --plan`, and so are the words of a refusal. A plan is made of the present, so a
//! display that is paused opens none.

use super::{
    App, Overlay, actions, changes,
    effect::{Effect, RunEffect},
    following::Following,
    layout,
    msg::{Key, KeyCode},
    story,
};
use crate::{
    model::{
        intent::{Change, Intent, OnDeadline},
        inventory::Policy,
        text::Clean,
        time::{Mono, Now},
    },
    plan::{
        self, Plan, Planned, Reason, Refusal,
        parts::{ConfirmBy, Step},
        refusal::AlreadyThere,
        text,
    },
    run::ledger::Wish,
};
use serde::{Deserialize, Serialize};

/// What must be typed to act although somebody else holds the lock.
pub(crate) const PHRASE: &str = "break glass";
/// Longest text that can be typed here, characters.
const TYPED_MAX: usize = 200;
/// Deadlines that `+` and `-` go through, seconds.
const DEADLINES_S: [u64; 12] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600];
/// The world is compared with an open plan this often, milliseconds.
const COMPARE_MS: u64 = 1000;
/// Rows under the text: a line, the age, the options, the prompt.
pub(crate) const FOOT_ROWS: u16 = 4;
/// Widest text, columns: longer lines are hard to read.
pub(crate) const TEXT_WIDTH_MAX: u16 = 116;

/// An open plan, refusal, or the news that nothing is left to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Planning {
    /// What is wanted; its options can be changed here.
    pub(crate) intent: Intent,
    /// What planning gave.
    pub(crate) outcome: Outcome,
    /// Where nothing is left to do: what was wished and is given up by asking for this.
    settles: Vec<Wish>,
    /// What typed characters go into.
    pub(crate) field: Field,
    /// What is typed there.
    pub(crate) typed: String,
    /// Whether the page about the action is shown instead.
    pub(crate) runbook: bool,
    /// First visible line.
    pub(crate) scroll: usize,
    /// What the last key came to, until the next one.
    pub(crate) said: Option<String>,
    /// Whether the world has moved so that planning now would give something else.
    pub(crate) has_moved: bool,
    /// When it was made.
    pub(crate) made_at: Now,
    compared: Mono,
}

/// What planning gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It can be started.
    Plan(Box<Plan>),
    /// It cannot, and why.
    Refused(Refusal),
    /// Nothing is left to do.
    AlreadyThere(AlreadyThere),
}

/// What typed characters go into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Field {
    /// Nothing: keys are commands.
    None,
    /// The name that confirms.
    Confirm,
    /// Why the change is made.
    Reason,
    /// The phrase that breaks the lock.
    Phrase,
    /// Why the lock is broken.
    Glass,
}

impl Planning {
    /// Plans an intent on the world as observed.
    pub(crate) fn new(app: &App, intent: Intent) -> Self {
        let outcome = outcome(app, &intent);
        let settles = match outcome {
            Outcome::AlreadyThere(_) => app.standing.ledger.settled_by(&intent, &app.world),
            Outcome::Plan(_) | Outcome::Refused(_) => Vec::new(),
        };
        Self {
            outcome,
            settles,
            intent,
            field: Field::None,
            typed: String::new(),
            runbook: false,
            scroll: 0,
            said: None,
            has_moved: false,
            made_at: app.now,
            compared: app.now.mono,
        }
    }

    /// A run that did not start is a refusal like any other.
    pub(crate) fn not_started(app: &App, intent: Intent, title: Clean, reasons: Vec<Reason>) -> Self {
        let refusal = Refusal { intent: intent.clone(), title, reasons };
        Self { outcome: Outcome::Refused(refusal), ..Self::new(app, intent) }
    }

    /// What is shown, line by line, at that width.
    pub(crate) fn text(&self, width: u16) -> String {
        let width = usize::from(width);
        match &self.outcome {
            _ if self.runbook => page(actions::runbook(&self.intent.change), width),
            Outcome::Plan(plan) => text::plan(plan, width),
            Outcome::Refused(refusal) => text::refusal(refusal, width),
            Outcome::AlreadyThere(already) => text::already_there(already, width),
        }
    }

    /// The plan, if it is one.
    pub(crate) fn plan(&self) -> Option<&Plan> {
        match &self.outcome {
            Outcome::Plan(plan) => Some(plan),
            Outcome::Refused(_) | Outcome::AlreadyThere(_) => None,
        }
    }

    /// What the prompt at the bottom says.
    pub(crate) fn prompt(&self) -> String {
        match (self.field, &self.outcome) {
            (Field::Reason, _) => "Reason, kept in the journal: ".to_owned(),
            (Field::Phrase, _) => format!("Type {PHRASE} to act although somebody else does: "),
            (Field::Glass, _) => "Why can it not wait? Kept in the journal: ".to_owned(),
            (Field::Confirm, Outcome::Plan(plan)) => match &plan.body.confirmation.by {
                ConfirmBy::Cluster(name) => format!("Type the cluster's name, {name}, to start: "),
                ConfirmBy::Target(name) => format!("Type {name} to start: "),
                ConfirmBy::Enter => String::new(),
            },
            (_, Outcome::Plan(plan)) => match &plan.body.confirmation.by {
                ConfirmBy::Enter => text::prompt(plan).to_string(),
                ConfirmBy::Target(name) | ConfirmBy::Cluster(name) => {
                    format!("Enter, then type {name} to start: {}.", plan.body.confirmation.why)
                }
            },
            (_, Outcome::Refused(_)) => "Nothing was sent. R plans again.".to_owned(),
            (_, Outcome::AlreadyThere(_)) => match self.settles.first() {
                Some(wish) => format!("Enter takes back what {} wanted: {}.", wish.by, wanted_words(&self.settles)),
                None => "Nothing is left to do.".to_owned(),
            },
        }
    }

    /// The words of a risk that an operator may take, where nothing else is left.
    pub(crate) fn risk(&self, app: &App) -> Option<Clean> {
        match &self.outcome {
            Outcome::Refused(refusal) => plan::failover::risk_offered(refusal, &app.inventory),
            Outcome::Plan(_) | Outcome::AlreadyThere(_) => None,
        }
    }

    fn plan_again(&mut self, app: &App) {
        let kept = std::mem::take(&mut self.typed);
        *self = Self { typed: kept, runbook: self.runbook, scroll: self.scroll, ..Self::new(app, self.intent.clone()) };
    }
}

/// A page of Markdown as lines of at most `width`: paragraphs are joined and broken anew.
fn page(markdown: &str, width: usize) -> String {
    let paragraphs = markdown.split("\n\n").map(|paragraph| {
        let joined = paragraph.trim_start_matches("# ").split_whitespace().collect::<Vec<_>>().join(" ");
        story::wrapped(&joined.replace('*', ""), width).join("\n")
    });
    paragraphs.collect::<Vec<_>>().join("\n\n")
}

fn outcome(app: &App, intent: &Intent) -> Outcome {
    let policy = Policy { read_only: changes::is_read_only(app), ..app.inventory.settings.policy.clone() };
    match plan::plan(&app.world, &app.inventory, intent, &policy, app.now) {
        Ok(Planned::Plan(plan)) => Outcome::Plan(plan),
        Ok(Planned::AlreadyThere(already)) => Outcome::AlreadyThere(already),
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// Opens the plan of an intent, or says why none can be made now.
pub(crate) fn open(app: &mut App, intent: Intent) {
    match changes::not_now(app) {
        Ok(()) => app.overlay = Overlay::Plan(Box::new(Planning::new(app, intent))),
        Err(reason) => app.notify(reason),
    }
}

/// Time passed: tells an open plan when the world has moved away from it.
pub(crate) fn compare(app: &mut App) {
    let Overlay::Plan(planning) = &app.overlay else { return };
    if app.now.mono.since_ms(planning.compared) < COMPARE_MS {
        return;
    }
    let has_moved = !is_same(&planning.outcome, &outcome(app, &planning.intent));
    let now = app.now.mono;
    if let Overlay::Plan(planning) = &mut app.overlay {
        planning.compared = now;
        planning.has_moved = has_moved;
    }
}

/// Whether the facts under a plan are older than its premises allow.
fn is_stale(plan: &Plan, now: Now) -> bool {
    let limit_ms = plan.body.premises.iter().map(|premise| premise.age_ms_max).min();
    let age_ms = plan.body.facts_age_ms + now.mono.since_ms(plan.body.made_at.mono);
    limit_ms.is_some_and(|limit_ms| age_ms > limit_ms)
}

/// Whether two outcomes would be read as the same: figures move, what is done and what it rests on do not.
fn is_same(shown: &Outcome, fresh: &Outcome) -> bool {
    match (shown, fresh) {
        (Outcome::Plan(shown), Outcome::Plan(fresh)) => {
            let (shown, fresh) = (&shown.body, &fresh.body);
            let checks =
                |plan: &plan::parts::Body| plan.premises.iter().map(|one| one.check.clone()).collect::<Vec<_>>();
            let words = |plan: &plan::parts::Body| plan.effect.iter().map(without_figures).collect::<Vec<_>>();
            same_steps(&shown.steps, &fresh.steps)
                && shown.confirmation == fresh.confirmation
                && shown.point_of_no_return == fresh.point_of_no_return
                && checks(shown) == checks(fresh)
                && words(shown) == words(fresh)
        }
        (Outcome::Refused(shown), Outcome::Refused(fresh)) => {
            let kinds = |refusal: &Refusal| refusal.reasons.iter().map(|reason| reason.kind).collect::<Vec<_>>();
            kinds(shown) == kinds(fresh)
        }
        (Outcome::AlreadyThere(_), Outcome::AlreadyThere(_)) => true,
        _ => false,
    }
}

/// A timer on a node and a cut address are named for the moment of their plan: that name is another one with each plan.
fn same_steps(shown: &[Step], fresh: &[Step]) -> bool {
    let name = |steps| {
        let timer = plan::tune::timer_name(steps).map(ToString::to_string);
        timer.or_else(|| plan::failover::cut_mark(steps).map(|mark| mark.to_string()))
    };
    match (name(shown), name(fresh)) {
        (Some(shown_id), Some(fresh_id)) => {
            let text = |steps, id: &str| serde_json::to_string(steps).map(|text| text.replace(id, "")).ok();
            text(shown, &shown_id) == text(fresh, &fresh_id)
        }
        _ => shown == fresh,
    }
}

/// "Its 4 sessions may take 60 s to end" says the same as with 5 sessions.
fn without_figures(text: &Clean) -> String {
    let digits: String = text.as_str().chars().filter(|c| !c.is_ascii_digit()).collect();
    digits.replace("sessions", "session")
}

/// A key while a plan is open.
pub(crate) fn key(app: &mut App, mut planning: Box<Planning>, key: Key) -> Vec<Effect> {
    planning.said = None;
    let effects =
        if planning.field == Field::None { command(app, &mut planning, key) } else { typing(app, &mut planning, key) };
    match effects {
        Next::Stay => app.overlay = Overlay::Plan(planning),
        Next::Copy(text) => {
            app.overlay = Overlay::Plan(planning);
            return vec![Effect::Copy(text)];
        }
        Next::Leave => app.overlay = Overlay::None,
        Next::TakeBack(wishes) => {
            app.overlay = Overlay::None;
            app.notify(format!("Taken back: {}.", wanted_words(&wishes)));
            return vec![Effect::Run(RunEffect::TakeBack { wishes })];
        }
        Next::Begin(break_glass) => return begin(app, *planning, break_glass),
    }
    Vec::new()
}

/// What follows a key.
enum Next {
    Stay,
    Copy(String),
    Leave,
    TakeBack(Vec<Wish>),
    Begin(Option<Clean>),
}

/// "drain of web_cluster/web03".
fn wanted_words(wishes: &[Wish]) -> String {
    let words = wishes.iter().map(|wish| format!("{} of {}", wish.wanted.word(), wish.server));
    words.collect::<Vec<_>>().join(", ")
}

fn command(app: &App, planning: &mut Planning, key: Key) -> Next {
    let (lines, page) = extent(app, planning);
    let last = lines.saturating_sub(page);
    // Stored beyond the end it would take as many keys to come back.
    planning.scroll = planning.scroll.min(last);
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) if planning.runbook => {
            planning.runbook = false;
            planning.scroll = 0;
        }
        (KeyCode::Esc, _) => return Next::Leave,
        (KeyCode::Enter, _) => return enter(app, planning),
        (KeyCode::Down | KeyCode::Char('j'), false) => planning.scroll = (planning.scroll + 1).min(last),
        (KeyCode::Up | KeyCode::Char('k'), false) => planning.scroll = planning.scroll.saturating_sub(1),
        (KeyCode::PageDown | KeyCode::Char(' '), _) => planning.scroll = (planning.scroll + page).min(last),
        (KeyCode::PageUp, _) => planning.scroll = planning.scroll.saturating_sub(page),
        (KeyCode::Home, _) => planning.scroll = 0,
        (KeyCode::End, _) => planning.scroll = last,
        (KeyCode::Char('?'), _) => {
            planning.runbook = !planning.runbook;
            planning.scroll = 0;
        }
        (KeyCode::Char('R'), _) => {
            planning.plan_again(app);
            planning.said = Some("Planned again.".to_owned());
        }
        (KeyCode::Char('y'), _) => {
            let line = text::command_line(&planning.intent);
            planning.said = Some(format!("Sent to the clipboard: {line}"));
            return Next::Copy(line);
        }
        (KeyCode::Char('a'), _) if planning.risk(app).is_some() => take_risk(app, planning),
        (KeyCode::Char('+' | '='), _) => change_deadline(app, planning, true),
        (KeyCode::Char('-'), _) => change_deadline(app, planning, false),
        (KeyCode::Char('o'), _) => change_policy(app, planning),
        (KeyCode::Char('e'), _) => {
            planning.field = Field::Reason;
            planning.typed = planning.intent.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        }
        (KeyCode::Char('b'), _) if planning.plan().is_some() && changes::held_by_other(app).is_some() => {
            planning.field = Field::Phrase;
            planning.typed.clear();
        }
        _ => planning.said = Some(format!("{key} means nothing here.")),
    }
    Next::Stay
}

/// Plans with the risk, which is typed before anything is sent.
fn take_risk(app: &App, planning: &mut Planning) {
    let risk = planning.risk(app);
    if let Change::MysqlFailover { accept_risk, .. } = &mut planning.intent.change {
        *accept_risk = risk;
        planning.scroll = 0;
        planning.plan_again(app);
        planning.said = Some("Planned with the risk: read it, and type it to start.".to_owned());
    }
}

/// Lines of the text, and rows that show it.
fn extent(app: &App, planning: &Planning) -> (usize, usize) {
    let area = layout::sheet(app.size);
    (planning.text(area.width).lines().count(), usize::from(area.height.saturating_sub(FOOT_ROWS)).max(1))
}

fn enter(app: &App, planning: &mut Planning) -> Next {
    let Some(plan) = planning.plan() else {
        return match changes::obstacle(app) {
            _ if planning.settles.is_empty() => Next::Leave,
            Some(why) => {
                planning.said = Some(why);
                Next::Stay
            }
            None => Next::TakeBack(std::mem::take(&mut planning.settles)),
        };
    };
    if let Err(why) = may_begin(app, false) {
        planning.said = Some(why);
        return Next::Stay;
    }
    match &plan.body.confirmation.by {
        ConfirmBy::Enter => Next::Begin(None),
        ConfirmBy::Target(_) | ConfirmBy::Cluster(_) => {
            planning.field = Field::Confirm;
            planning.typed.clear();
            Next::Stay
        }
    }
}

/// Whether what is to be confirmed can be read: on a tiny terminal only a sentence is shown.
pub(super) fn can_be_read(app: &App) -> Result<(), String> {
    if app.size.width < layout::WIDTH_MIN || app.size.height < layout::HEIGHT_MIN {
        return Err("This terminal is too small to read what is confirmed; make it larger.".to_owned());
    }
    Ok(())
}

/// Whether a plan can be started from here now.
fn may_begin(app: &App, breaks_glass: bool) -> Result<(), String> {
    can_be_read(app)?;
    if let Some(why) = changes::obstacle(app) {
        return Err(why);
    }
    match changes::held_by_other(app) {
        Some(holder) if !breaks_glass => {
            let name = changes::holder_name(holder);
            Err(format!("{name} acts now: wait, ask, or press b to act nevertheless."))
        }
        _ => Ok(()),
    }
}

fn typing(app: &App, planning: &mut Planning, key: Key) -> Next {
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) => leave_field(planning),
        (KeyCode::Enter, _) => return typed(app, planning),
        (KeyCode::Backspace, _) => {
            planning.typed.pop();
        }
        (KeyCode::Char('u'), true) => planning.typed.clear(),
        (KeyCode::Char(c), false) => add(planning, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    Next::Stay
}

fn leave_field(planning: &mut Planning) {
    planning.field = Field::None;
    planning.typed.clear();
}

/// Adds text as far as it fits.
pub(crate) fn add(planning: &mut Planning, text: &str) {
    if planning.field != Field::None {
        super::decision::append(&mut planning.typed, text, TYPED_MAX);
    }
}

/// Enter in a field.
fn typed(app: &App, planning: &mut Planning) -> Next {
    let words = planning.typed.trim().to_owned();
    match planning.field {
        Field::None => {}
        Field::Reason => {
            planning.intent.reason = Some(Clean::line(&words)).filter(|reason| !reason.is_empty());
            leave_field(planning);
            planning.plan_again(app);
        }
        Field::Confirm => {
            let name = planning.plan().map(|plan| match &plan.body.confirmation.by {
                ConfirmBy::Target(name) | ConfirmBy::Cluster(name) => name.to_string(),
                ConfirmBy::Enter => String::new(),
            });
            match (name, may_begin(app, false)) {
                (Some(name), _) if name != words => {
                    planning.said = Some(format!("That is {words:?}, not {name}. Nothing was sent."));
                    planning.typed.clear();
                }
                (_, Err(why)) => planning.said = Some(why),
                _ => return Next::Begin(None),
            }
        }
        Field::Phrase if words == PHRASE => {
            planning.field = Field::Glass;
            planning.typed.clear();
        }
        Field::Phrase => {
            planning.said = Some(format!("That is {words:?}, not {PHRASE}. Nothing was sent."));
            planning.typed.clear();
        }
        Field::Glass if words.is_empty() => {
            planning.said = Some("Say why: whoever holds the lock will read it.".to_owned());
        }
        Field::Glass => match may_begin(app, true) {
            Ok(()) => return Next::Begin(Some(Clean::line(&words))),
            Err(why) => planning.said = Some(why),
        },
    }
    Next::Stay
}

/// Starts the plan, on facts that are fresh enough: an older one is made anew first, and is asked about again if it
/// is not the same any more.
fn begin(app: &mut App, mut planning: Planning, break_glass: Option<Clean>) -> Vec<Effect> {
    let is_stale = planning.plan().is_none_or(|plan| is_stale(plan, app.now));
    if is_stale {
        let shown = std::mem::replace(&mut planning.outcome, outcome(app, &planning.intent));
        if !is_same(&shown, &planning.outcome) {
            leave_field(&mut planning);
            planning.made_at = app.now;
            planning.has_moved = false;
            planning.scroll = 0;
            planning.said =
                Some("The world moved since this was planned. It was planned again: read it anew.".to_owned());
            app.overlay = Overlay::Plan(Box::new(planning));
            return Vec::new();
        }
    }
    let Outcome::Plan(plan) = planning.outcome else { return Vec::new() };
    let mut effects = super::following::let_go(app);
    app.following = Some(Following::begun(&plan));
    app.overlay = Overlay::Run;
    effects.push(Effect::Run(RunEffect::Begin { plan, break_glass }));
    effects
}

fn change_deadline(app: &App, planning: &mut Planning, longer: bool) {
    let (Change::HaproxyDrain { deadline_ms, .. } | Change::HaproxyReady { deadline_ms, .. }) =
        &mut planning.intent.change
    else {
        planning.said = Some("This change has no deadline.".to_owned());
        return;
    };
    let seconds = *deadline_ms / 1000;
    let next = if longer {
        DEADLINES_S.into_iter().find(|step| *step > seconds)
    } else {
        DEADLINES_S.into_iter().rev().find(|step| *step < seconds)
    };
    match next {
        Some(next) => {
            *deadline_ms = next * 1000;
            planning.plan_again(app);
        }
        None => planning.said = Some("There is no further step; the palette takes any --deadline.".to_owned()),
    }
}

fn change_policy(app: &App, planning: &mut Planning) {
    let Change::HaproxyDrain { on_deadline, .. } = &mut planning.intent.change else {
        planning.said = Some("Only a drain has a policy for its deadline.".to_owned());
        return;
    };
    *on_deadline = match on_deadline {
        OnDeadline::Keep => OnDeadline::Maint,
        OnDeadline::Maint => OnDeadline::MaintAndClose,
        OnDeadline::MaintAndClose => OnDeadline::Keep,
    };
    planning.plan_again(app);
}
