//! The run this console follows: its records as they arrive, what stopping would do, how it ended.
//!
//! It is carried out by another process. Leaving the view, or the console, leaves the run alone.

use super::{
    App, Overlay, changes,
    decision::{About, Decision},
    effect::{Effect, RunEffect},
    layout,
    msg::{Key, KeyCode, RunNews},
    planning::Planning,
    story,
};
use crate::{
    model::text::Clean,
    plan::{Plan, PlanId, Reason},
    run::{EndingKind, Entry, Progress, Record, Recovery, journal::RECORDS_MAX},
};
use serde::{Deserialize, Serialize};

/// Rows under the text: a line, and what the last key came to.
pub(crate) const FOOT_ROWS: u16 = 2;

/// How far stopping a run from here is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stop {
    /// Nobody thinks of it.
    No,
    /// It is asked once more.
    Asking,
    /// Its executor was asked.
    Sent,
}

/// The run this console follows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Following {
    /// Which.
    pub(crate) run: PlanId,
    /// "Drain web_cluster/web03 on lb01 and lb02".
    pub(crate) title: Clean,
    /// Whether this console began it or took it up.
    pub(crate) is_ours: bool,
    /// Everything that was told, in order.
    pub(crate) records: Vec<Record>,
    /// The same, folded.
    pub(crate) progress: Option<Progress>,
    /// What stopping would do now.
    pub(crate) stop_would: Option<Clean>,
    /// What the newest look saw, while it waits.
    pub(crate) seen: Vec<Clean>,
    /// Why its executor is gone although it has no ending.
    pub(crate) vanished: Option<Clean>,
    /// The plan, where it was begun here.
    plan: Option<Box<Plan>>,
    /// Whether its view is open, or comes back when a question is answered.
    pub(crate) is_shown: bool,
    /// How far stopping it from here is.
    pub(crate) stop: Stop,
    /// Whether the records are shown instead of the steps.
    pub(crate) story: bool,
    /// First visible line.
    pub(crate) scroll: usize,
    /// What the last key came to, until the next one.
    pub(crate) said: Option<String>,
}

impl Following {
    fn new(run: PlanId, title: Clean, is_ours: bool) -> Self {
        Self {
            run,
            title,
            is_ours,
            records: Vec::new(),
            progress: None,
            stop_would: None,
            seen: Vec::new(),
            vanished: None,
            plan: None,
            is_shown: true,
            stop: Stop::No,
            story: false,
            scroll: 0,
            said: None,
        }
    }

    /// A run that is begun here.
    pub(crate) fn begun(plan: &Plan) -> Self {
        let plan = Box::new(plan.clone());
        Self { plan: Some(plan.clone()), ..Self::new(plan.id.clone(), plan.body.title.clone(), true) }
    }

    /// A run that is taken up here.
    pub(crate) fn taken_up(run: PlanId, title: Clean) -> Self {
        Self::new(run, title, true)
    }

    /// A run that somebody else began, or that is over.
    fn watched(run: PlanId, title: Clean) -> Self {
        Self::new(run, title, false)
    }

    /// Who declared it settled, and why.
    pub(crate) fn resolved(&self) -> Option<(&Clean, &Clean)> {
        match &self.records.last()?.entry {
            Entry::Resolved { operator, why } => Some((&operator.login, why)),
            _ => None,
        }
    }

    /// Whether it has no ending yet and its executor lives.
    pub(crate) fn goes_on(&self) -> bool {
        self.vanished.is_none()
            && self.resolved().is_none()
            && self.progress.as_ref().is_none_or(|progress| progress.ending.is_none())
    }

    /// Whether it only waits for a word, so that something else can be changed meanwhile.
    pub(crate) fn only_waits(&self) -> bool {
        let waits = self.progress.as_ref().is_some_and(|progress| progress.holding().is_some());
        waits && self.progress.as_ref().is_some_and(Progress::lends_its_lock)
    }

    /// Whether it waits for a person: no ending and no executor, or an ending that asks for one.
    pub(crate) fn is_undecided(&self) -> bool {
        if self.resolved().is_some() {
            return false;
        }
        let needs = self.progress.as_ref().and_then(|progress| progress.ending.as_ref());
        (self.vanished.is_some() && self.progress.is_some())
            || needs.is_some_and(|ending| ending.kind == EndingKind::NeedsOperator)
    }

    fn take(&mut self, records: Vec<Record>) {
        for record in records {
            // Told again from the first one on after re-attaching: what is known is left out.
            let is_next = record.seq == self.records.len() as u64;
            if !is_next || record.seq >= RECORDS_MAX {
                continue;
            }
            match &mut self.progress {
                Some(progress) => progress.take(&record),
                None => self.progress = Progress::of(std::slice::from_ref(&record)),
            }
            // Somebody took it up again.
            self.vanished = None;
            self.records.push(record);
        }
    }
}

/// News of the run.
pub(crate) fn news(app: &mut App, run: &PlanId, news: RunNews) {
    let Some(following) = app.following.as_mut().filter(|following| following.run == *run) else {
        // Nothing is followed, but something was asked for: marking a run as settled, for one.
        if let RunNews::NotStarted(reasons) = &news {
            let words = refused_words(reasons);
            app.notify(words);
        }
        return;
    };
    let went_on = following.goes_on();
    match news {
        RunNews::Records(records) => following.take(records),
        RunNews::StopWould(words) => following.stop_would = Some(words),
        RunNews::Seen(lines) => following.seen = lines,
        RunNews::NotStarted(reasons) => return not_started(app, reasons),
        RunNews::Vanished(why) => following.vanished = Some(why),
    }
    let is_over = went_on && !following.goes_on();
    if is_over {
        following.stop = Stop::No;
        if !following.is_shown {
            let words = match &following.progress {
                Some(progress) if following.vanished.is_none() => progress.sentence().to_string(),
                _ => "Its executor is gone; 8 opens it.".to_owned(),
            };
            let title = following.title.clone();
            app.notify(format!("{title}: {words}"));
        }
    }
}

/// What was refused, in a line.
fn refused_words(reasons: &[Reason]) -> String {
    let words: Vec<String> = reasons
        .iter()
        .map(|reason| {
            let evidence: Vec<&str> = reason.evidence.iter().map(Clean::as_str).collect();
            format!("{} {}", reason.what, evidence.join("; ")).trim_end().to_owned()
        })
        .collect();
    words.join(" ")
}

/// A run that did not start is shown as the refusal it is. What was asked of a run whose records are known (to mark it
/// as settled) leaves its view as it is.
fn not_started(app: &mut App, reasons: Vec<Reason>) {
    let words = refused_words(&reasons);
    if let Some(following) = app.following.as_mut().filter(|following| !following.records.is_empty()) {
        following.said = Some(words);
        return;
    }
    let Some(following) = app.following.take() else { return };
    let known = changes::run(app.seen(), &following.run).map(|run| run.intent.clone());
    let intent = following.plan.map(|plan| plan.body.intent).or(known);
    match intent {
        Some(intent) if matches!(app.overlay, Overlay::Run) => {
            let planning = Planning::not_started(app, intent, following.title, reasons);
            app.overlay = Overlay::Plan(Box::new(planning));
        }
        _ => {
            if matches!(app.overlay, Overlay::Run) {
                app.overlay = Overlay::None;
            }
            app.notify(format!("Not started: {words} Nothing was sent."));
        }
    }
}

/// Follows a run, or shows the one that is followed already.
pub(crate) fn show(app: &mut App, run: &PlanId) -> Vec<Effect> {
    if app.following.as_ref().is_some_and(|following| following.run == *run) {
        if let Some(following) = &mut app.following {
            following.is_shown = true;
        }
        app.overlay = Overlay::Run;
        return Vec::new();
    }
    let title = changes::run(app.seen(), run).map(|run| run.title.clone()).unwrap_or_default();
    let mut effects = let_go(app);
    app.following = Some(Following::watched(run.clone(), title));
    app.overlay = Overlay::Run;
    effects.push(Effect::Run(RunEffect::Attach { run: run.clone() }));
    effects
}

/// Follows no run any more.
pub(crate) fn let_go(app: &mut App) -> Vec<Effect> {
    app.following.take().map(|following| Effect::Run(RunEffect::Detach { run: following.run })).into_iter().collect()
}

/// Opens the view of the run again where it was open before something else took its place.
pub(crate) fn show_again(app: &mut App) {
    let is_shown = app.following.as_ref().is_some_and(|following| following.is_shown);
    app.overlay = if is_shown { Overlay::Run } else { Overlay::None };
}

/// A key while the view of the run is open.
pub(crate) fn key(app: &mut App, key: Key) -> Vec<Effect> {
    let lines = story::lines(app, layout::sheet(app.size).width).len();
    let page = usize::from(layout::sheet(app.size).height.saturating_sub(FOOT_ROWS)).max(1);
    let copied = story::summary(app);
    let Some(following) = &mut app.following else { return Vec::new() };
    let asked = following.stop == Stop::Asking;
    if asked {
        following.stop = Stop::No;
    }
    following.said = None;
    match (key.code, key.ctrl) {
        (KeyCode::Char('S'), false) => {
            if !following.goes_on() {
                following.said = Some("It is over.".to_owned());
            } else if asked {
                following.stop = Stop::Sent;
                let run = following.run.clone();
                app.overlay = Overlay::Run;
                return vec![Effect::Run(RunEffect::Stop { run })];
            } else {
                following.stop = Stop::Asking;
            }
        }
        (KeyCode::Char('Y'), false) => match following.progress.as_ref().and_then(Progress::holding) {
            Some(_) if following.goes_on() => {
                following.said = Some("Said that it stays.".to_owned());
                let run = following.run.clone();
                app.overlay = Overlay::Run;
                return vec![Effect::Run(RunEffect::Keep { run })];
            }
            _ => following.said = Some("It waits for nobody's word now.".to_owned()),
        },
        (KeyCode::Esc, _) if asked => {}
        (KeyCode::Esc, _) => return leave(app),
        (KeyCode::Enter, _) if !following.goes_on() => return leave(app),
        (KeyCode::Char('v'), false) => {
            following.story = !following.story;
            following.scroll = 0;
        }
        (KeyCode::Char('y'), false) => {
            following.said = Some("Sent to the clipboard.".to_owned());
            app.overlay = Overlay::Run;
            return vec![Effect::Copy(copied)];
        }
        (KeyCode::Char(choice @ ('c' | 'b' | 'D')), false) if following.is_undecided() => {
            let (run, title) = (following.run.clone(), following.title.clone());
            app.overlay = Overlay::Decision(Decision::new(about(choice, run, title)));
            return Vec::new();
        }
        _ => scroll(following, key, lines, page),
    }
    app.overlay = Overlay::Run;
    Vec::new()
}

/// What the three keys of an undecided run ask.
fn about(choice: char, run: PlanId, title: Clean) -> About {
    match choice {
        'c' => About::Recover { run, title, choice: Recovery::Resume },
        'b' => About::Recover { run, title, choice: Recovery::RollBack },
        _ => About::Resolve { run, title },
    }
}

fn scroll(following: &mut Following, key: Key, lines: usize, page: usize) {
    let last = lines.saturating_sub(page);
    let now = following.scroll.min(last);
    following.scroll = match key.code {
        KeyCode::Down | KeyCode::Char('j') => (now + 1).min(last),
        KeyCode::Up | KeyCode::Char('k') => now.saturating_sub(1),
        KeyCode::PageDown | KeyCode::Char(' ') => (now + page).min(last),
        KeyCode::PageUp => now.saturating_sub(page),
        KeyCode::Home => 0,
        KeyCode::End => last,
        _ => {
            following.said = Some(format!("{key} means nothing here."));
            now
        }
    };
}

/// Closes the view; a run that goes on is followed further.
fn leave(app: &mut App) -> Vec<Effect> {
    app.overlay = Overlay::None;
    let Some(following) = &mut app.following else { return Vec::new() };
    following.is_shown = false;
    if following.goes_on() {
        app.notify("The run goes on. 8 opens the changes; Enter on the run shows it again.");
        return Vec::new();
    }
    let_go(app)
}
