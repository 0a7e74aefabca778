//! The playbook: what helps now, as a list over the screen. A move is taken by opening its plan; nothing else happens here.
//!
//! The list is made anew every second, because its figures are those of this moment. The cursor stays on its move.

use super::{
    App, Overlay, changes,
    effect::Effect,
    meaning::{Line, Meaning, Span},
    msg::{Key, KeyCode},
    planning,
};
use crate::{
    model::{intent::duration_word, inventory::Policy, text::Clean, time::Mono},
    plan::playbook::{self, Move},
    rules::{Finding, RuleId},
};
use serde::{Deserialize, Serialize};

/// The command that opens it; rules that name it are those it is about.
pub(crate) const COMMAND: &str = "finding.playbook";
/// The figures are looked at anew this often, milliseconds.
const ANEW_MS: u64 = 1000;
/// Times that `+` and `-` go through, seconds.
const BACK_AFTER_S: [u32; 10] = [10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];

/// An open playbook.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Playbook {
    /// The subject of the finding from which it was opened.
    about: Option<Clean>,
    /// The moves, the best first.
    pub(crate) moves: Vec<Move>,
    /// The move under the cursor.
    pub(crate) marked: usize,
    /// After how long a move goes back by itself.
    back_after_ms: u32,
    /// What the last key came to.
    pub(crate) said: Option<String>,
    made: Mono,
}

/// A move for people.
pub(crate) struct Row {
    /// What it does.
    pub(crate) head: Line,
    /// Beside it: when it goes back.
    pub(crate) aside: Span,
    /// What it would do, and what may go wrong.
    pub(crate) body: Vec<Line>,
}

/// Whether the playbook is about findings of this rule.
pub(crate) fn helps(finding: &Finding) -> bool {
    RuleId::named(finding.rule.as_str()).is_some_and(|rule| rule.rule().commands.contains(&COMMAND))
}

/// Opens it.
pub(crate) fn open(app: &mut App, about: Option<Clean>) {
    let back_after_ms = app.inventory.settings.policy.playbook_revert_ms;
    let moves = moves(app, about.as_ref(), back_after_ms);
    let playbook = Playbook { about, moves, marked: 0, back_after_ms, said: None, made: app.now.mono };
    app.overlay = Overlay::Playbook(Box::new(playbook));
}

fn moves(app: &App, about: Option<&Clean>, back_after_ms: u32) -> Vec<Move> {
    let policy = Policy { read_only: changes::is_read_only(app), ..app.inventory.settings.policy.clone() };
    playbook::moves(&app.world, &app.inventory, &policy, app.now, about.map(Clean::as_str), back_after_ms)
}

impl Playbook {
    /// The heading of the list.
    pub(crate) fn title(&self) -> String {
        match &self.about {
            Some(about) => format!("What helps {about} now"),
            None => "What helps now".to_owned(),
        }
    }

    /// The line below the list.
    pub(crate) fn foot(&self) -> String {
        format!(
            "Enter opens the plan of a move; nothing is sent before it is confirmed. It goes back after {}.",
            duration_word(u64::from(self.back_after_ms))
        )
    }

    /// The moves for people.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.moves.iter().map(row).collect()
    }

    fn look_again(&mut self, app: &App) {
        let before = self.moves.get(self.marked).cloned();
        self.moves = moves(app, self.about.as_ref(), self.back_after_ms);
        let place = before.and_then(|before| self.moves.iter().position(|one| one.same_as(&before)));
        self.marked = place.unwrap_or(self.marked).min(self.moves.len().saturating_sub(1));
        self.made = app.now.mono;
    }

    fn mark(&mut self, step: isize) {
        let last = self.moves.len().saturating_sub(1);
        self.marked = self.marked.saturating_add_signed(step).min(last);
    }
}

fn row(one: &Move) -> Row {
    let (head, aside) = match (&one.refused, one.back_after_ms()) {
        (Some(_), _) => (Meaning::Dim, Span::new("not now", Meaning::Dim)),
        (None, Some(ms)) => (Meaning::Accent, Span::new(format!("back after {}", duration_word(ms)), Meaning::Key)),
        (None, None) => (Meaning::Accent, Span::new("does not come back", Meaning::Warn)),
    };
    let meaning = if one.refused.is_some() { Meaning::Dim } else { Meaning::Text };
    let mut body: Vec<Line> = one.refused.iter().map(|why| vec![Span::new(why.as_str(), Meaning::Warn)]).collect();
    body.extend(one.effect.iter().map(|line| vec![Span::new(line.as_str(), meaning)]));
    body.push(vec![Span::dim(format!("Risk: {}", one.risk))]);
    Row { head: vec![Span::new(one.what.as_str(), head)], aside, body }
}

/// Time passed: the figures of an open list are those of this moment.
pub(crate) fn keep_fresh(app: &mut App) {
    if !matches!(&app.overlay, Overlay::Playbook(open) if app.now.mono.since_ms(open.made) >= ANEW_MS) {
        return;
    }
    if let Overlay::Playbook(mut open) = std::mem::take(&mut app.overlay) {
        open.look_again(app);
        app.overlay = Overlay::Playbook(open);
        app.frames.want_soon(app.now.mono);
    }
}

/// A key while it is open.
pub(crate) fn key(app: &mut App, mut open: Box<Playbook>, key: Key) -> Vec<Effect> {
    open.said = None;
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) => return Vec::new(),
        (KeyCode::Enter, _) => match open.moves.get(open.marked) {
            Some(Move { refused: None, intent: Some(intent), .. }) => {
                planning::open(app, intent.clone());
                return Vec::new();
            }
            Some(Move { refused: Some(why), .. }) => open.said = Some(format!("Not now: {why}")),
            _ => {}
        },
        (KeyCode::Down | KeyCode::Char('j'), false) => open.mark(1),
        (KeyCode::Up | KeyCode::Char('k'), false) => open.mark(-1),
        (KeyCode::Home, _) => open.marked = 0,
        (KeyCode::End, _) => open.mark(isize::MAX),
        (KeyCode::Char('+' | '='), _) => change_time(app, &mut open, true),
        (KeyCode::Char('-'), _) => change_time(app, &mut open, false),
        _ => open.said = Some(format!("{key} means nothing here.")),
    }
    app.overlay = Overlay::Playbook(open);
    Vec::new()
}

fn change_time(app: &App, open: &mut Playbook, longer: bool) {
    let seconds = open.back_after_ms / 1000;
    let next = if longer {
        BACK_AFTER_S.into_iter().find(|step| *step > seconds)
    } else {
        BACK_AFTER_S.into_iter().rev().find(|step| *step < seconds)
    };
    match next {
        Some(next) => {
            open.back_after_ms = next * 1000;
            open.look_again(app);
        }
        None => open.said = Some("There is no further step.".to_owned()),
    }
}
