//! One host in depth.

use super::super::{canvas::Canvas, sections};
use crate::app::{
    App, figures,
    layout::{Area, Layout},
    meaning::{Line, Meaning, Span},
    screen::ScreenId,
    standing,
};

pub(in super::super) fn draw(canvas: &mut Canvas<'_>, app: &App, layout: &Layout) {
    let seen = app.seen();
    let Some(node) = app.place.node.as_ref().and_then(|name| seen.world.node(name)) else {
        canvas.line(
            layout.list.x + 3,
            layout.list.y,
            layout.list.width,
            &[Span::dim("This node is not in the configuration.")],
        );
        return;
    };
    let standing = standing::of_node(seen, node);
    let mut trail: Line = app.trail.iter().rev().take(3).rev().map(|place| step(place.screen)).collect();
    trail.push(Span::new(node.name.as_str(), Meaning::Accent));
    trail.push(Span::plain(" "));
    trail.push(Span::signed(standing.word, standing.meaning));
    if let Some(listed) = seen.inventory.node(&node.name) {
        let roles = listed.roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", ");
        let site = listed.site.as_deref().map_or_else(String::new, |site| format!(", {site}"));
        trail.push(Span::dim(format!("  {roles}{site}, {}", listed.management)));
    }
    let age = match standing.age_ms {
        Some(age) => Span::new(
            format!("figures {} old", figures::age(age)),
            if standing.is_stale { Meaning::Stale } else { Meaning::Dim },
        ),
        None => Span::new("no figures yet", Meaning::Unknown),
    };
    canvas.rule(Area { height: 1.min(layout.caption.height), ..layout.caption }, &trail, &[age]);
    let sentence = if standing.problem.is_empty() {
        Span::new("Nothing is wrong with this node.", Meaning::Dim)
    } else {
        Span::new(standing.problem.clone(), standing.problem_meaning)
    };
    canvas.line(layout.caption.x + 3, layout.caption.y + 1, layout.caption.width.saturating_sub(4), &[sentence]);
    let area = Area { x: layout.list.x + 1, width: layout.list.width.saturating_sub(2), ..layout.list };
    sections::draw(canvas, app, node, area, app.screens.of(ScreenId::Node).scroll);
}

fn step(screen: ScreenId) -> Span {
    Span::dim(format!("{} > ", screen.title()))
}
