//! The rows of the screen of settings, what there is to say about one, and when settings are read again.

use super::{
    App, Overlay, Seen,
    details::{Detail, said, text},
    meaning::{Line, Meaning, Span},
    msg::Standing,
    rows::{RowId, contains},
    screen::ScreenId,
};
use crate::{
    history::tuning::{Fold, Limits, Mark, Row, called, fold, survey},
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        intent::Change,
        inventory::Role,
        port_setting::PortSetting,
        text::Clean,
        tuning::{Advice, How, Technology, catalogue},
    },
    plan::PlanId,
    rules::is_about_settings,
    wire::probe::ProbeId,
};

/// The orders of the screen; the first is the default.
pub(crate) const SORTS: [&str; 2] = ["worst first", "setting"];
/// Where somebody needs them now settings are read again when they are so old.
const FRESH_MS: u64 = 15_000;

/// The settings, folded, those that stand out first.
pub(crate) fn rows(seen: Seen<'_>, sort: usize, filter: &str) -> Vec<Fold> {
    let mut rows = fold(survey(seen.world, seen.inventory));
    rows.retain(|fold| matches(fold, filter));
    if sort == 0 {
        rows.sort_by_key(|fold| match meaning(&fold.row) {
            Meaning::Warn => 0,
            Meaning::Unknown => 1,
            Meaning::Standby => 2,
            _ => 3,
        });
    }
    rows
}

fn matches(fold: &Fold, filter: &str) -> bool {
    filter.is_empty()
        || contains(&fold.row.title(), filter)
        || contains(fold.row.setting.technology.word(), filter)
        || fold.nodes.iter().any(|node| contains(node.as_str(), filter))
        || fold.row.marks.iter().any(|mark| contains(&mark.words(fold.row.setting), filter))
}

/// What a row is about.
pub(crate) fn id(fold: &Fold) -> RowId {
    RowId::Setting(fold.row.node.clone(), Clean::line(&fold.row.title()))
}

/// How urgent the worst of it is.
pub(crate) fn meaning(row: &Row) -> Meaning {
    if row.marks.iter().any(Mark::is_trouble) {
        Meaning::Warn
    } else if !row.marks.is_empty() {
        Meaning::Standby
    } else if matches!(row.running, Figure::Unknown(Unknown::NotOffered | Unknown::Missing) | Figure::Known(_)) {
        Meaning::Ok
    } else {
        Meaning::Unknown
    }
}

/// A value for people.
pub(crate) fn value(row: &Row, figure: &Figure<Clean>) -> Line {
    match figure {
        Figure::Known(value) => text(row.setting.unit.words(value.as_str())),
        Figure::Unknown(Unknown::Missing) => vec![Span::dim("none")],
        Figure::Unknown(Unknown::NotOffered) => vec![Span::dim("-")],
        Figure::Unknown(_) => vec![Span::new("?", Meaning::Unknown)],
    }
}

/// The value of the file that wins.
pub(crate) fn in_file(row: &Row) -> Line {
    match &row.configured {
        Figure::Known(Some(found)) => text(row.setting.unit.words(found.value.as_str())),
        Figure::Known(None) | Figure::Unknown(Unknown::NotOffered) => vec![Span::dim("-")],
        Figure::Unknown(_) => vec![Span::new("?", Meaning::Unknown)],
    }
}

/// What is advised, in a line.
pub(crate) fn advised(row: &Row) -> Line {
    match &row.advice {
        Advice::Nothing => vec![Span::dim("-")],
        Advice::Unknown(why) => vec![Span::new("? ", Meaning::Unknown), Span::dim(why.as_str())],
        Advice::Value { words, .. } => text(words.as_str()),
    }
}

/// What stands out, in a line.
pub(crate) fn marks(row: &Row) -> Line {
    let words: Vec<String> = row.marks.iter().map(|mark| mark.words(row.setting)).collect();
    let meaning = meaning(row);
    if words.is_empty() { Vec::new() } else { vec![Span::signed(&words.join("; "), meaning)] }
}

/// Everything there is to say about a row.
pub(crate) fn details(fold: &Fold) -> Vec<Detail> {
    let row = &fold.row;
    let (setting, unit) = (row.setting, row.setting.unit);
    let words =
        |value: &Clean| unit.canonical(value.as_str()).map_or_else(|| value.to_string(), |text| unit.words(&text));
    let nodes: Vec<&str> = fold.nodes.iter().map(NodeName::as_str).collect();
    let figure = |figure: &Figure<Clean>| said(figure.clone(), |value| unit.words(value.as_str()));
    let file = match &row.configured {
        Figure::Known(Some(found)) => {
            let place = if found.line > 0 { format!("{}:{}", found.file, found.line) } else { found.file.to_string() };
            vec![Span::plain(unit.words(found.value.as_str())), Span::dim(format!(" {place}"))]
        }
        Figure::Known(None) => vec![Span::dim("no file names it")],
        Figure::Unknown(why) => said(Figure::<()>::Unknown(*why), |()| String::new()),
    };
    let mut lines = vec![
        Detail::Title(vec![Span::signed("", meaning(row)), Span::new(format!(" {}", row.title()), Meaning::Accent)]),
        Detail::Pair("on", text(nodes.join(", "))),
        Detail::Pair("running", figure(&row.running)),
        Detail::Pair("file", file),
        Detail::Pair("default", figure(&row.default)),
        Detail::Pair("advised", advised(row)),
    ];
    if let Some((minimum, maximum)) = &row.limits.range {
        lines.push(Detail::Pair("takes", text(format!("{} to {}", words(minimum), words(maximum)))));
    } else if !row.limits.choices.is_empty() {
        let choices: Vec<&str> = row.limits.choices.iter().map(Clean::as_str).collect();
        lines.push(Detail::Pair("takes", text(choices.join(", "))));
    }
    let counts = match (row.limits.needs_restart, setting.change) {
        (true, _) => "when the server starts again",
        (false, How::Reload) => "when HAProxy is reloaded",
        (false, _) => "at once",
    };
    lines.push(Detail::Pair("counts", text(counts)));
    lines.extend(row.marks.iter().map(|mark| {
        let meaning = if mark.is_trouble() { Meaning::Warn } else { Meaning::Standby };
        Detail::Text(vec![Span::signed(&mark.words(setting), meaning)])
    }));
    lines.push(Detail::Heading("Why".to_owned()));
    lines.push(Detail::Text(text(setting.why.as_str())));
    lines.push(Detail::Text(vec![Span::dim("Risk: "), Span::plain(setting.risk.as_str())]));
    if let Some(loses) = &setting.loses {
        let safe = setting.safe.join(" or ");
        lines.push(Detail::Text(vec![
            Span::dim(format!("Unless it is {safe}, a crash loses: ")),
            Span::plain(loses.as_str()),
        ]));
    }
    if let Some(since) = &setting.since {
        lines.push(Detail::Text(vec![Span::dim("When it counts: "), Span::plain(since.as_str())]));
    }
    lines
}

fn find(seen: Seen<'_>, node: &NodeName, title: &str) -> Option<Fold> {
    let folds = fold(survey(seen.world, seen.inventory));
    folds.into_iter().find(|fold| fold.nodes.contains(node) && fold.row.title() == title)
}

/// All details of the row about a setting of a node.
pub(crate) fn of_row(seen: Seen<'_>, node: &NodeName, title: &str) -> Vec<Detail> {
    find(seen, node, title).map(|fold| details(&fold)).unwrap_or_default()
}

/// What stands out about it, for the help.
pub(crate) fn in_short(seen: Seen<'_>, node: &NodeName, title: &str) -> Vec<Line> {
    find(seen, node, title).map(|fold| marks(&fold.row)).into_iter().filter(|line| !line.is_empty()).collect()
}

/// Whether vakt sets the setting of that row. Asked with every frame, so no other row is looked at.
pub(crate) fn can_set(seen: Seen<'_>, node: &NodeName, title: &str) -> Result<(), String> {
    // Rows of parts of HAProxy, and of ports, have names of their own.
    if of_port(title).is_some() {
        return Ok(());
    }
    let Some(setting) = catalogue().find(title).filter(|setting| setting.technology == Technology::Database) else {
        return Ok(());
    };
    let sample = seen.world.node(node).and_then(|facts| facts.tuning.last());
    let Some(variable) = sample.and_then(|sample| sample.reading(setting).variable) else {
        return Err(format!("{title} has not been read on {node}."));
    };
    if Limits::of(setting, variable).needs_restart {
        return Err(format!("{title} needs a restart of the server: write it to its file."));
    }
    Ok(())
}

/// The setting of a port that a row is about; its title names the port first.
fn of_port(title: &str) -> Option<PortSetting> {
    let (_, name) = title.rsplit_once(' ')?;
    PortSetting::ALL.into_iter().find(|setting| setting.key().strip_prefix("ovs.") == Some(name))
}

/// The words of the change that the advice, or the value as it runs, leads to: to be looked over and taken. A row of every
/// database, or of every load balancer, sets all of them.
pub(crate) fn words(seen: Seen<'_>, fold: &Fold) -> String {
    let row = &fold.row;
    if let (Technology::Ovs, Some(port)) = (row.setting.technology, &row.object) {
        let value = row.running.as_ref().known().map_or("", Clean::as_str);
        return format!("tune.set {}/{port} {} {value}", row.node, row.setting.key);
    }
    let role = if row.setting.technology == Technology::Haproxy { Role::Edge } else { Role::Database }.word();
    let of_role: Vec<&NodeName> = called(seen.inventory, role).into_iter().map(|node| &node.name).collect();
    let is_everywhere = of_role.len() > 1 && fold.nodes.iter().eq(of_role);
    let target = if is_everywhere { role } else { row.node.as_str() };
    let value = match (&row.advice, &row.running, &row.configured) {
        (Advice::Value { value, is_met: Figure::Known(false), .. }, ..) | (_, Figure::Known(value), _) => {
            value.as_str()
        }
        (_, _, Figure::Known(Some(found))) => found.value.as_str(),
        _ => "",
    };
    let keep = if row.setting.change == How::Reload { " --persist" } else { "" };
    format!("tune.set {target} {} {value}{keep}", row.key())
}

/// Settings are read again at once, on every node.
pub(crate) fn look_again(app: &mut App) {
    for node in &app.inventory.nodes {
        app.schedule.hurry_waiting(&node.name, ProbeId::Tuning, app.now.mono);
    }
}

/// A run that sets something has gone on: what it set is read again, whoever began it.
pub(crate) fn look_at_what_runs_set(app: &mut App, standing: &Standing) {
    let known = |id: &PlanId| app.standing.runs.iter().find(|run| run.id == *id).map(|run| run.records);
    let mut sets = standing.runs.iter().filter(|run| matches!(run.intent.change, Change::Tune(_)));
    if sets.any(|run| known(&run.id) != Some(run.records)) {
        look_again(app);
    }
}

/// While the screen is open, or a plan that sets something, settings stay fresh, and those of a node that a finding is
/// about: what was mended is seen. Nobody else needs them so often.
pub(crate) fn keep_fresh(app: &mut App) {
    let now = app.now.mono;
    let is_planned = matches!(&app.overlay, Overlay::Plan(open) if matches!(open.intent.change, Change::Tune(_)));
    let is_open = app.place.screen == ScreenId::Tune || is_planned;
    let about = app.findings.iter().filter(|finding| is_about_settings(finding.rule.as_str()));
    let about: Vec<&NodeName> = about.flat_map(|finding| &finding.nodes).collect();
    for node in &app.world.nodes {
        let is_wanted = is_open || about.contains(&&node.name);
        if is_wanted && node.tuning.age_ms(now).is_some_and(|age_ms| age_ms > FRESH_MS) {
            app.schedule.hurry_waiting(&node.name, ProbeId::Tuning, now);
        }
    }
}
