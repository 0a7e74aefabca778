//! The connection to the node: what stands in the way, which way each socket is reached, which settings are in use;
//! and what was odd in the node's answers.

use super::{Scene, Section};
use crate::{
    app::{
        figures,
        meaning::{Line, Meaning, Span},
    },
    model::{link::LinkState, trouble::Trouble},
    view::overlays::wrap_hanging,
    wire::probe::ProbeId,
};

/// Labels stand in a column of this width.
const LABEL: u16 = 15;

/// How the node is reached.
pub(super) fn connection(scene: Scene<'_>) -> Section {
    let link = &scene.node.link;
    let since = figures::duration_s(scene.seen.now.mono.since_ms(link.since.mono) / 1000);
    let state = match &link.state {
        LinkState::Idle => vec![Span::signed("not tried yet", Meaning::Unknown)],
        LinkState::Connecting { stage } => vec![Span::signed(stage.as_str(), Meaning::Unknown)],
        LinkState::Asking => vec![Span::signed("waits for your answer", Meaning::Warn)],
        LinkState::Up => vec![Span::signed("up", Meaning::Ok), Span::dim(format!(" for {since}"))],
        LinkState::Down { .. } => vec![Span::signed("down", Meaning::Crit), Span::dim(format!(" for {since}"))],
    };
    let mut lines = vec![labelled("state", state)];
    if let LinkState::Down { trouble, retry } = &link.state {
        lines.extend(trouble_lines(scene, trouble));
        let next = match retry {
            None => "none: this cannot mend itself".to_owned(),
            Some(at) => match at.mono.since_ms(scene.seen.now.mono) {
                0 => "now".to_owned(),
                ms => format!("in {}", figures::age(ms)),
            },
        };
        lines.push(labelled("next attempt", vec![Span::plain(next)]));
    }
    for route in &link.routes {
        let way = match &route.way {
            Ok(way) => vec![Span::plain(route.path.as_str()), Span::dim(format!(" by {}", way.words()))],
            Err(_) => vec![Span::plain(route.path.as_str()), Span::new(" not reached", Meaning::Warn)],
        };
        lines.extend(wrap_hanging(&labelled("socket", way), scene.room, LABEL));
        if let Err(trouble) = &route.way {
            lines.extend(trouble_lines(scene, trouble));
        }
    }
    for setting in &link.settings {
        let value = vec![Span::plain(setting.value.as_str()), Span::dim(format!(" ({})", setting.source))];
        lines.extend(wrap_hanging(&labelled(setting.name.as_str(), value), scene.room, LABEL));
    }
    Section { title: super::CONNECTION.to_owned(), lines }
}

fn trouble_lines(scene: Scene<'_>, trouble: &Trouble) -> Vec<Line> {
    let cause = labelled("cause", vec![Span::new(trouble.cause.as_str(), Meaning::Crit)]);
    let cure = labelled("what to do", vec![Span::plain(trouble.cure.as_str())]);
    [cause, cure].iter().flat_map(|line| wrap_hanging(line, scene.room, LABEL)).collect()
}

fn labelled(label: &str, value: Line) -> Line {
    let mut line = vec![Span::dim(format!("  {label:<width$}", width = usize::from(LABEL) - 2))];
    line.extend(value);
    line
}

/// What was odd in the newest answers; nothing when nothing was.
pub(super) fn complaints(scene: Scene<'_>) -> Option<Section> {
    let mut lines = Vec::new();
    for probe in ProbeId::ALL {
        let Some(found) = scene.app.complaints.get(&(scene.node.name.clone(), probe)) else { continue };
        for complaint in found {
            let line = vec![Span::dim(format!("  {}: ", complaint.about)), Span::plain(complaint.text.as_str())];
            lines.extend(wrap_hanging(&line, scene.room, 4));
        }
    }
    (!lines.is_empty()).then(|| Section { title: "Not understood in its answers".to_owned(), lines })
}
