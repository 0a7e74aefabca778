//! How a finding is told in a line: its meaning, what it follows from, who has seen it.

use super::{
    App, changes,
    command::{self, Command},
    figures,
    meaning::Meaning,
};
use crate::{
    model::time::Wall,
    rules::{Acknowledgement, Finding, RuleId, Severity},
};

/// How much a finding wants attention: none where somebody has seen it.
pub(crate) fn meaning(finding: &Finding) -> Meaning {
    if finding.acknowledged.is_some() { Meaning::Standby } else { finding.severity.into() }
}

/// The meaning of its words.
pub(crate) fn words_meaning(finding: &Finding) -> Meaning {
    if finding.acknowledged.is_some() { Meaning::Dim } else { Meaning::Text }
}

/// Why it does not stand first, in a few words: "follows from web03", "eva has seen it, until 16:00".
pub(crate) fn why_below(app: &App, finding: &Finding) -> Option<String> {
    if let Some(seen) = &finding.acknowledged {
        return Some(format!("seen by {}, {}", seen.by, until(app, seen)));
    }
    finding.follows_from.as_ref().map(|cause| format!("follows from {}", cause.subject))
}

/// "until 16:00", "until it clears".
pub(crate) fn until(app: &App, seen: &Acknowledgement) -> String {
    seen.until.map_or_else(|| "until it clears".to_owned(), |until| format!("until {}", moment(app, until)))
}

/// A time of the day, with its date where that is not today's.
fn moment(app: &App, at: Wall) -> String {
    let zoned =
        |at: Wall| jiff::Timestamp::from_millisecond(at.0).ok().map(|stamp| stamp.to_zoned(app.options.zone.clone()));
    match (zoned(at), zoned(app.now.wall)) {
        (Some(at), Some(now)) if at.date() == now.date() => at.strftime("%H:%M").to_string(),
        (Some(at), _) => at.strftime("%e %b %H:%M").to_string().trim().to_owned(),
        (None, _) => "?".to_owned(),
    }
}

/// Keys of commands that may help, the best first: what they are and a word for each. A finding of a rule that names
/// none has a log at least.
pub(crate) fn keys(app: &App, finding: &Finding) -> Vec<(String, &'static Command)> {
    let named = RuleId::named(finding.rule.as_str()).map(|id| id.rule().commands).filter(|list| !list.is_empty());
    let commands = named.unwrap_or(&["row.logs"]).iter().filter_map(|id| command::find(id));
    let here = commands.filter(|command| command.scope.includes(app.screen()));
    here.filter_map(|command| Some((app.keymap.shown(command.id)?, command))).collect()
}

/// Findings that follow from this one, directly.
pub(crate) fn affected<'a>(findings: &'a [Finding], of: &Finding) -> Vec<&'a Finding> {
    let follows = |finding: &&Finding| {
        let from = finding.follows_from.as_ref();
        from.is_some_and(|from| from.rule == of.rule && from.subject == of.subject)
    };
    findings.iter().filter(follows).collect()
}

/// How bad a finding is, with everything that follows from it.
pub(crate) fn urgency(findings: &[Finding], of: &Finding) -> Severity {
    let mut following = vec![of];
    let mut seen = 0;
    while let Some(cause) = following.get(seen) {
        seen += 1;
        following.extend(affected(findings, cause));
        if following.len() > findings.len() {
            break;
        }
    }
    following.iter().map(|finding| finding.severity).max().unwrap_or(of.severity)
}

/// Lines about both for the details.
pub(crate) fn details(app: &App, finding: &Finding) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(cause) = &finding.follows_from {
        lines.push(format!("It follows from {}: {} ({}). Look there first.", cause.subject, cause.title, cause.rule));
    }
    if let Some(seen) = &finding.acknowledged {
        let ago = figures::age(changes::wall_ms(seen.at, app.now.wall));
        let whose = if seen.subject == finding.subject && seen.rule == finding.rule { "" } else { " with its cause" };
        lines.push(format!("Acknowledged{whose} by {} {ago} ago, {}: {}", seen.by, until(app, seen), seen.reason));
    }
    lines
}
