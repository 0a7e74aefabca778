//! What is done about findings, without touching the cluster.

use super::super::{
    App, Overlay,
    command::{Command, Danger, Here, Scope},
    decision::{About, Decision, End},
    effect::Effect,
    rows::RowId,
    screen::ScreenId,
    telling,
};
use crate::rules::Finding;

pub(in crate::app) const COMMANDS: &[Command] = &[Command {
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
}];

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
