//! The one function that changes the console, by family of messages.

mod keys;
mod link;
mod mouse;
mod recorder;
mod report;
mod returned;
mod run;
mod switch;
pub(super) mod tick;

use super::{
    App, Size, changes,
    effect::{Effect, RunEffect},
    logs,
    msg::{Event, Msg, Report, Signal, Standing},
    tune,
};
use crate::{
    run::{Recovery, RunState, RunSummary},
    wire::probe::ProbeId,
};

/// A run that was opened at least so long ago is no news when it is first heard of.
const NEW_RUN_MS: i64 = 10_000;

/// Runs that were not there before are marks on charts. What was there when the console started is none.
fn note_runs(app: &mut App, newer: &Standing) {
    let (known, now) = (&app.standing.runs, app.now.wall.0);
    let is_young = |run: &RunSummary| now.saturating_sub(run.opened_at.0) < NEW_RUN_MS;
    let is_new = |run: &&RunSummary| is_young(run) && known.iter().all(|old| old.id != run.id);
    let begun: Vec<String> = newer.runs.iter().filter(is_new).map(|run| run.title.to_string()).collect();
    for title in begun {
        app.marks.action(title, app.now.mono);
    }
}

/// Runs that wait for an operator's word and lost their process are taken up at once: they go on waiting, or go back when
/// their time has passed. Whoever began them asked for that. Each is tried once, when it is first seen so.
fn left_holding(app: &App, newer: &Standing) -> Vec<Effect> {
    if changes::is_read_only(app) || newer.trouble.is_some() {
        return Vec::new();
    }
    let is_left = |run: &&RunSummary| run.state == RunState::Interrupted && run.holds_until.is_some();
    let is_new = |run: &&RunSummary| app.standing.runs.iter().filter(is_left).all(|old| old.id != run.id);
    let left = newer.runs.iter().filter(is_left).filter(is_new);
    let take_up = |run: &RunSummary| RunEffect::Recover { run: run.id.clone(), choice: Recovery::Resume };
    left.map(|run| Effect::Run(take_up(run))).collect()
}

/// Takes what happened, changes the console, and says what is to be done about it.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    // Messages are taken in order; a clock that stands still or goes back must not make ages negative.
    app.now = if msg.at.mono >= app.now.mono { msg.at } else { app.now };
    let now = app.now.mono;
    match msg.event {
        Event::Tick => tick::tick(app),
        Event::Key(key) => {
            app.frames.want_now(now);
            // The next key is the answer to a notice: it has been read, or it is in the way.
            app.toast = None;
            keys::key(app, key.normal())
        }
        Event::Paste(text) => {
            keys::paste(app, &text);
            at_once(app)
        }
        Event::Mouse(mouse) => {
            app.frames.want_now(now);
            mouse::mouse(app, mouse)
        }
        Event::Resize { width, height } => {
            app.size = Size { width, height };
            at_once(app)
        }
        Event::Link { node, event } => {
            link::event(app, &node, event);
            app.frames.want_soon(now);
            tick::due(app)
        }
        Event::Question { node, question } => {
            link::question(app, &node, question);
            at_once(app)
        }
        Event::QuestionGone { node, id } => {
            link::question_gone(app, &node, id);
            at_once(app)
        }
        Event::Report(report) => reported(app, report),
        Event::Log { number, outcome } => {
            logs::answered(app, number, outcome);
            app.frames.want_soon(now);
            Vec::new()
        }
        Event::Standing(standing) => {
            note_runs(app, &standing);
            let effects = left_holding(app, &standing);
            tune::look_at_what_runs_set(app, &standing);
            app.standing = *standing;
            app.world.drained = app.standing.ledger.drained_nodes();
            app.rules_wanted = true;
            app.frames.want_soon(now);
            effects
        }
        Event::NotKept(why) => {
            app.alarm(format!("✗ not kept, and not in force: {why}"));
            at_once(app)
        }
        Event::Recorder(news) => {
            recorder::news(app, news);
            at_once(app)
        }
        Event::Run { run, news } => run::news(app, &run, news),
        Event::Signal(Signal::Terminate) => app.end(),
        Event::Signal(Signal::Continue) => {
            app.frames.want_now(now);
            vec![Effect::Redraw]
        }
    }
}

/// What a node answered; a former primary that it tells of is made harmless.
fn reported(app: &mut App, report: Report) -> Vec<Effect> {
    let lives = (report.probe == ProbeId::Daemon && report.outcome.is_ok()).then(|| report.node.clone());
    report::report(app, report);
    if !app.is_paused() {
        app.frames.want_soon(app.now.mono);
    }
    lives.map(|name| returned::make_harmless(app, &name)).unwrap_or_default()
}

/// Nothing follows but a frame, as soon as there may be one.
fn at_once(app: &mut App) -> Vec<Effect> {
    app.frames.want_now(app.now.mono);
    Vec::new()
}
