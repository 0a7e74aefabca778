//! Small questions before something is planned or decided: a weight, why a run is settled, whether to take one up.

use super::{
    App, Overlay, changes,
    effect::{Effect, RunEffect},
    following::{self, Following},
    msg::{Key, KeyCode},
    planning,
};
use crate::{
    model::{
        intent::{Change, Intent, ServerPath, WEIGHT_MAX},
        text::Clean,
        time::Wall,
    },
    plan::PlanId,
    rules::Severity,
    run::Recovery,
};
use serde::{Deserialize, Serialize};

/// Longest answer, characters.
const TYPED_MAX: usize = 200;

/// An open question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Decision {
    /// About what.
    pub(crate) about: About,
    /// What is typed.
    pub(crate) typed: String,
    /// What the last key came to.
    pub(crate) said: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum About {
    /// Which weight a server shall have.
    Weight {
        /// Which server.
        server: ServerPath,
        /// Its present weight.
        now: Option<u64>,
    },
    /// Whether to take up a run.
    Recover {
        /// Which.
        run: PlanId,
        /// "Drain web_cluster/web03 on lb01 and lb02".
        title: Clean,
        /// Which way.
        choice: Recovery,
    },
    /// Why a run is settled.
    Resolve {
        /// Which.
        run: PlanId,
        /// Its title.
        title: Clean,
    },
    /// Why a finding shall not be told first, and until when.
    Acknowledge {
        /// Its rule.
        rule: Clean,
        /// Its subject.
        subject: Clean,
        /// How bad it is, with what follows from it.
        severity: Severity,
        /// Until when.
        end: End,
    },
    /// Whether a finding shall be told in its place again.
    Unacknowledge {
        /// Its rule.
        rule: Clean,
        /// Its subject.
        subject: Clean,
    },
}

/// How long an acknowledgement lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// One hour.
    Hour,
    /// Eight hours.
    Shift,
    /// Until the finding clears.
    Cleared,
}

impl End {
    const ALL: [Self; 3] = [Self::Hour, Self::Shift, Self::Cleared];

    fn words(self) -> &'static str {
        match self {
            Self::Hour => "1 h",
            Self::Shift => "8 h",
            Self::Cleared => "until it clears",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Hour => Self::Shift,
            Self::Shift => Self::Cleared,
            Self::Cleared => Self::Hour,
        }
    }

    fn until(self, now: Wall) -> Option<Wall> {
        let hours = match self {
            Self::Hour => 1,
            Self::Shift => 8,
            Self::Cleared => return None,
        };
        Some(Wall(now.0.saturating_add(hours * 3_600_000)))
    }
}

impl Decision {
    /// Asks.
    pub(crate) fn new(about: About) -> Self {
        Self { about, typed: String::new(), said: None }
    }

    /// Whether something is to be typed.
    pub(crate) fn has_field(&self) -> bool {
        !matches!(self.about, About::Recover { .. } | About::Unacknowledge { .. })
    }

    /// On top.
    pub(crate) fn title(&self) -> String {
        match &self.about {
            About::Weight { server, .. } => format!("Weight of {server}"),
            About::Recover { choice: Recovery::Resume, .. } => "Resume a run".to_owned(),
            About::Recover { choice: Recovery::RollBack, .. } => "Roll a run back".to_owned(),
            About::Resolve { .. } => "Mark a run as settled".to_owned(),
            About::Acknowledge { subject, .. } => format!("Acknowledge {subject}"),
            About::Unacknowledge { subject, .. } => format!("Tell {subject} in its place again"),
        }
    }

    /// What it means, sentence by sentence.
    pub(crate) fn words(&self) -> Vec<String> {
        match &self.about {
            About::Weight { now, .. } => {
                let now = now.map_or("not the same on every load balancer".to_owned(), |now| now.to_string());
                vec![
                    format!("Its weight now: {now}. From 0 (no new sessions) to {WEIGHT_MAX}."),
                    "The plan comes next; nothing is sent before it is confirmed.".to_owned(),
                ]
            }
            About::Recover { title, choice, .. } => vec![
                format!("{title}."),
                match choice {
                    Recovery::Resume => {
                        "The world is read first; then it goes on towards its goal. If it was being undone, it goes \
                         on being undone."
                    }
                    Recovery::RollBack => {
                        "The world is read first; then every step that was done is undone, the last one first."
                    }
                }
                .to_owned(),
            ],
            About::Resolve { title, .. } => vec![
                format!("{title}."),
                "Nothing is sent. The journal keeps who settled it and why; it can not be taken up again.".to_owned(),
            ],
            About::Acknowledge { rule, end, .. } => {
                let choices = End::ALL
                    .map(|one| if one == *end { format!("[{}]", one.words()) } else { format!(" {} ", one.words()) });
                vec![
                    format!("The finding {rule} is told last, to every operator here, until its end."),
                    "It comes back before that when it gets worse.".to_owned(),
                    format!("It ends: {}   (Tab changes)", choices.join(" ")),
                ]
            }
            About::Unacknowledge { rule, .. } => {
                vec![format!("The finding {rule} is told as if nobody had seen it.")]
            }
        }
    }

    /// Before what is typed, or what Enter does.
    pub(crate) fn prompt(&self) -> &'static str {
        match &self.about {
            About::Weight { .. } => "New weight: ",
            About::Recover { choice: Recovery::Resume, .. } => "Press Enter to go on, Esc to leave it.",
            About::Recover { choice: Recovery::RollBack, .. } => "Press Enter to undo it, Esc to leave it.",
            About::Resolve { .. } => "Why is it settled? ",
            About::Acknowledge { .. } => "Why: ",
            About::Unacknowledge { .. } => "Press Enter to take it back, Esc to leave it.",
        }
    }
}

/// A key while it is asked.
pub(crate) fn key(app: &mut App, mut decision: Decision, key: Key) -> Vec<Effect> {
    decision.said = None;
    match (key.code, key.ctrl) {
        (KeyCode::Esc, _) => {
            following::show_again(app);
            return Vec::new();
        }
        (KeyCode::Enter, _) => return answer(app, decision),
        (KeyCode::Backspace, _) => {
            decision.typed.pop();
        }
        (KeyCode::Char('u'), true) => decision.typed.clear(),
        (KeyCode::Tab, _) => {
            if let About::Acknowledge { end, .. } = &mut decision.about {
                *end = end.next();
            }
        }
        (KeyCode::Char(c), false) => add(&mut decision, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    app.overlay = Overlay::Decision(decision);
    Vec::new()
}

/// Adds text as far as it fits.
pub(crate) fn add(decision: &mut Decision, text: &str) {
    if decision.has_field() {
        append(&mut decision.typed, text, TYPED_MAX);
    }
}

/// Appends printable characters up to a number of them.
pub(super) fn append(typed: &mut String, text: &str, max: usize) {
    let room = max.saturating_sub(typed.chars().count());
    typed.extend(text.chars().filter(|c| !c.is_control()).take(room));
}

fn answer(app: &mut App, mut decision: Decision) -> Vec<Effect> {
    let words = decision.typed.trim().to_owned();
    let said = match &decision.about {
        About::Acknowledge { .. } if words.is_empty() => "Say why: whoever comes next wants to know.".to_owned(),
        About::Acknowledge { rule, subject, severity, end } => {
            app.notify(format!("Acknowledged: {subject}"));
            return vec![Effect::Run(RunEffect::Acknowledge {
                rule: rule.clone(),
                subject: subject.clone(),
                severity: *severity,
                reason: Clean::line(&words),
                until: end.until(app.now.wall),
            })];
        }
        About::Unacknowledge { rule, subject } => {
            app.notify(format!("Told in its place again: {subject}"));
            return vec![Effect::Run(RunEffect::Unacknowledge { rule: rule.clone(), subject: subject.clone() })];
        }
        About::Weight { server, .. } => match words.parse().ok().filter(|weight: &u64| *weight <= WEIGHT_MAX) {
            Some(weight) => {
                let change = Change::HaproxyWeight { server: server.clone(), weight };
                planning::open(app, Intent::new(change, None));
                return Vec::new();
            }
            None => format!("A weight is a whole number from 0 to {WEIGHT_MAX}."),
        },
        About::Recover { run, title, choice } => match may_recover(app) {
            Ok(()) => {
                let mut effects = following::let_go(app);
                app.following = Some(Following::taken_up(run.clone(), title.clone()));
                app.overlay = Overlay::Run;
                effects.push(Effect::Run(RunEffect::Recover { run: run.clone(), choice: *choice }));
                return effects;
            }
            Err(why) => why,
        },
        About::Resolve { .. } if words.is_empty() => "Say why: the journal keeps it.".to_owned(),
        About::Resolve { run, title } => match changes::obstacle(app) {
            None => {
                app.notify(format!("Marked as settled: {title}"));
                let effect = RunEffect::Resolve { run: run.clone(), why: Clean::line(&words) };
                following::show_again(app);
                return vec![Effect::Run(effect)];
            }
            Some(why) => why,
        },
    };
    decision.said = Some(said);
    app.overlay = Overlay::Decision(decision);
    Vec::new()
}

/// Whether a run can be taken up from here now.
fn may_recover(app: &App) -> Result<(), String> {
    planning::can_be_read(app)?;
    if let Some(why) = changes::obstacle(app) {
        return Err(why);
    }
    match changes::held_by_other(app) {
        Some(holder) => Err(format!("{}. Wait until it is free.", changes::held_words(app, holder))),
        None => Ok(()),
    }
}
