//! Changes that go back by themselves: a finished plan gets a step that holds until an operator says that it stays.
//!
//! Any plan may have it whose every step can be undone. The way back is the ordinary one: when nobody says the word, the
//! step runs out of time, and the run is undone. The word is kept by the step (`Wait.keeps`): nothing that fails behind it
//! takes the change back.

use super::{
    limits,
    parts::{Action, Need, OnLate, Plan, Step, Until, Wait, When},
    refusal::{Reason, ReasonKind, Refusal},
    text::time_words,
};
use crate::model::text::Clean;

/// Lets it go back `after_ms` after its goal was seen, unless an operator says that it stays.
pub(super) fn hold(plan: &mut Plan, after_ms: u64) -> Result<(), Refusal> {
    let mut body = plan.body.clone();
    let fixed = body.steps.iter().position(stays);
    let proof = match (fixed, body.steps.last().map(|step| &step.action)) {
        (None, Some(Action::Wait(wait))) => wait.until.clone(),
        (at, _) => {
            let step = at.and_then(|at| body.steps.get(at)).map(|step| step.title.clone());
            return Err(Refusal {
                intent: body.intent,
                title: body.title,
                reasons: vec![Reason::new(
                    ReasonKind::NoWay,
                    "It cannot go back by itself: not every step of it can be undone.",
                    step.into_iter().collect(),
                    "Leave --revert-after away.",
                )],
            });
        }
    };
    let time = time_words(after_ms);
    let wait = Wait {
        until: Until {
            checks: proof.checks.clone(),
            need: Need::Word,
            holds: 1,
            poll_ms: limits::HOLD_POLL_MS,
            deadline_ms: after_ms,
        },
        guards: proof.checks.clone(),
        on_late: OnLate::Fail,
        keeps: true,
    };
    let unseen = Clean::line("somebody said that it stays, and it is not seen to be so");
    let proven = Wait { until: proof, guards: Vec::new(), on_late: OnLate::Rest(unseen), keeps: false };
    body.steps.push(step(&format!("wait for the word that it stays; without it, back after {time}"), wait));
    body.steps.push(step("see that it is still so", proven));
    body.effect.push(Clean::line(&format!(
        "It goes back by itself {time} later, unless somebody says that it stays: vakt runs keep, or a key on the screen of \
         changes. Meanwhile others may change something else; who changes the same ends the wait."
    )));
    body.effect.push(
        "Should the process of this run die, the time runs on, and the next console takes the change back.".into(),
    );
    *plan = Plan::new(body);
    Ok(())
}

/// What was done up to here could not be undone, or would not be.
fn stays(step: &Step) -> bool {
    match &step.action {
        Action::Write(write) => step.is_irreversible() || write.rests.is_some(),
        Action::Wait(wait) => wait.keeps || matches!(wait.on_late, OnLate::Rest(_)),
    }
}

fn step(title: &str, wait: Wait) -> Step {
    Step { title: Clean::line(title), when: When::Always, action: Action::Wait(wait), at_once: false }
}
