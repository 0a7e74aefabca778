//! Time passes: probes become due, rules look again, notices go away.

use crate::{
    app::{
        App,
        effect::{Effect, RunEffect},
        logs, planning, playbook, rows, tune,
    },
    rules::Operators,
};

/// The rules run at most this often.
const RULES_MS: u64 = 250;
/// Without any report the rules still run this often: silence is a symptom.
const RULES_IDLE_MS: u64 = 1000;

pub(super) fn tick(app: &mut App) -> Vec<Effect> {
    let now = app.now.mono;
    if app.toast.as_ref().is_some_and(|(_, until)| *until <= now) {
        app.toast = None;
        app.frames.want_now(now);
    }
    judge(app);
    planning::compare(app);
    playbook::keep_fresh(app);
    app.frames.tick(now);
    tune::keep_fresh(app);
    let mut effects = due(app);
    effects.extend(take_back(app));
    effects.extend(logs::due(app));
    effects
}

/// What was acknowledged until it clears and has cleared is taken back, by every console that saw it clear.
fn take_back(app: &App) -> impl Iterator<Item = Effect> {
    let cleared = app.rules.cleared();
    let acknowledged = app.standing.acknowledged.0.iter().filter(|one| one.until.is_none());
    acknowledged
        .filter(|one| cleared.iter().any(|(rule, subject)| *rule == one.rule && *subject == one.subject))
        .map(|one| RunEffect::Unacknowledge { rule: one.rule.clone(), subject: one.subject.clone() })
        .map(Effect::Run)
}

/// What is due is polled.
pub(super) fn due(app: &mut App) -> Vec<Effect> {
    let due = app.schedule.take_due(app.now.mono);
    due.into_iter().map(|(node, probe)| Effect::Poll { node, probe }).collect()
}

fn judge(app: &mut App) {
    let wait = if app.rules_wanted { RULES_MS } else { RULES_IDLE_MS };
    if app.rules_ran.is_some_and(|ran| app.now.mono.since_ms(ran) < wait) {
        return;
    }
    judge_now(app);
}

/// Judges whatever the rate limit says.
pub(in crate::app) fn judge_now(app: &mut App) {
    app.rules_ran = Some(app.now.mono);
    app.rules_wanted = false;
    let standing = &app.standing;
    let operators = Operators {
        ledger: &standing.ledger,
        lock: &standing.lock,
        runs: &standing.runs,
        acknowledged: &standing.acknowledged,
    };
    let findings = app.rules.evaluate(&app.world, &app.inventory, operators, app.now);
    for finding in &findings {
        let is_new = !app.findings.iter().any(|known| known.rule == finding.rule && known.subject == finding.subject);
        if is_new {
            app.changes.note(rows::finding_id(finding), app.now.mono);
        }
    }
    if findings != app.findings {
        app.marks.compare(&app.findings, &findings, app.now.mono);
        app.findings = findings;
        app.frames.want_soon(app.now.mono);
    }
}
