//! What is done about findings, without touching the cluster.

use super::super::{
    App, Overlay, changes,
    command::{Command, Danger, Here, Scope},
    decision::{About, Decision, End},
    effect::Effect,
    playbook,
    rows::RowId,
    screen::ScreenId,
    telling,
};
use crate::{model::text::Clean, rules::Finding};

pub(in crate::app) const COMMANDS: &[Command] = &[ACKNOWLEDGE, PLAYBOOK];

const PLAYBOOK: Command = Command {
    id: playbook::COMMAND,
    title: "See what helps now (playbook)",
    hint: "what helps",
    doc: "Lists the moves that help in a spike, the best first, each with what it would do by the figures of this moment; Enter \
          opens its plan.",
    scope: Scope::Screens(&[ScreenId::Overview, ScreenId::Findings, ScreenId::Traffic, ScreenId::Database]),
    danger: Danger::Looks,
    available: |here| {
        changes::not_now(here.app)?;
        pressed(here).map(|_| ())
    },
    act: |app| {
        match pressed(&Here::of(app)) {
            Ok(about) => playbook::open(app, about),
            Err(reason) => app.notify(reason),
        }
        Vec::<Effect>::new()
    },
};

/// What the playbook is about: the finding under the cursor, else all that is near its limit.
fn pressed(here: &Here<'_>) -> Result<Option<Clean>, String> {
    let findings = here.app.seen().findings;
    if !findings.iter().any(playbook::helps) {
        return Err("Nothing is near its limit: there is no finding about traffic, sessions, a queue or connections."
            .to_owned());
    }
    let Some(RowId::Finding(rule, subject)) = &here.row else { return Ok(None) };
    let chosen = findings.iter().find(|finding| finding.rule == *rule && finding.subject == *subject);
    Ok(chosen.filter(|finding| playbook::helps(finding)).map(|finding| finding.subject.clone()))
}

const ACKNOWLEDGE: Command = Command {
    id: "finding.acknowledge",
    title: "Acknowledge this finding",
    hint: "seen",
    doc: "Puts a finding last for an hour, a shift or until it clears, for a reason; once more takes that back.",
    scope: Scope::Screens(&[ScreenId::Overview, ScreenId::Findings]),
    danger: Danger::Console,
    available: |here| chosen(here).map(|_| ()),
    act: |app| {
        let about = chosen(&Here::of(app)).map(|finding| ask(app, finding));
        if let Ok(about) = about {
            app.overlay = Overlay::Decision(Decision::new(about));
        }
        Vec::<Effect>::new()
    },
};

/// The finding under the cursor, if it can be acknowledged here.
fn chosen<'a>(here: &Here<'a>) -> Result<&'a Finding, String> {
    if let Some(trouble) = &here.app.standing.trouble {
        return Err(format!("There is no state folder to keep it in: {trouble}"));
    }
    let Some(RowId::Finding(rule, subject)) = &here.row else { return Err("No finding is chosen here.".to_owned()) };
    let found = here.app.seen().findings.iter().find(|finding| finding.rule == *rule && finding.subject == *subject);
    found.ok_or_else(|| "This finding is over.".to_owned())
}

fn ask(app: &App, finding: &Finding) -> About {
    let (rule, subject) = (finding.rule.clone(), finding.subject.clone());
    let is_its_own = finding.acknowledged.as_ref().is_some_and(|seen| seen.rule == rule && seen.subject == subject);
    if is_its_own {
        return About::Unacknowledge { rule, subject };
    }
    About::Acknowledge { rule, subject, severity: telling::urgency(app.seen().findings, finding), end: End::Hour }
}
