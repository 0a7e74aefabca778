//! A figure over time, over the whole body.

use super::canvas::{Canvas, width};
use crate::app::{
    App,
    chart::{self, Chart, Drawn},
    layout::Area,
    meaning::{Meaning, Span},
};

/// Columns of the labels at the left.
const LABEL_WIDTH: u16 = 10;
/// Columns between two moments on the axis of time, at least.
const MOMENT_GAP: u16 = 18;

/// Draws what is open.
pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, open: &Chart, mut body: Area) {
    let ground = canvas.theme.dialog;
    canvas.clear(body, ground);
    let aside = if open.is_compared { vec![Span::dim("dots: an hour before")] } else { Vec::new() };
    canvas.rule(body.take_top(1), &[Span::new(chart::title(open), Meaning::Accent)], &aside);
    let reading = body.take_bottom(1);
    let axis = body.take_bottom(1);
    let marks = body.take_bottom(1);
    let plot = Area { x: body.x + LABEL_WIDTH, width: body.width.saturating_sub(LABEL_WIDTH + 1), ..body };
    if plot.width == 0 || plot.height == 0 {
        return;
    }
    let drawn = chart::cut(app, open, usize::from(plot.width));
    // Before the first sample there is nothing to miss.
    let first = drawn.now.iter().position(Option::is_some).unwrap_or(0);
    labels(canvas, open, &drawn, body);
    for column in 0..usize::from(plot.width) {
        draw_column(canvas, &drawn, column, column >= first, plot);
        mark(canvas, &drawn, column, Area { x: plot.x, width: plot.width, ..marks });
    }
    moments(canvas, app, &drawn, Area { x: plot.x, width: plot.width, ..axis });
    let line = chart::reading(app, open, &drawn);
    canvas.line(reading.x + 1, reading.y, reading.width.saturating_sub(2), &line);
}

/// Top, middle and bottom of the scale.
fn labels(canvas: &mut Canvas<'_>, open: &Chart, drawn: &Drawn<'_>, body: Area) {
    let Some(unit) = open.plot().map(|plot| plot.figure.row().1) else { return };
    let last = body.height.saturating_sub(1);
    let mut label = |row: u16, share: f32| {
        let words = [Span::dim(chart::value(drawn.top * share, unit))];
        canvas.line_right(body.x, body.y + row, LABEL_WIDTH - 1, &words);
    };
    label(0, 1.0);
    if last >= 4 {
        label(last / 2, 1.0 - f32::from(last / 2) / f32::from(last));
    }
    if last > 0 {
        label(last, 0.0);
    }
}

fn draw_column(canvas: &mut Canvas<'_>, drawn: &Drawn<'_>, column: usize, is_watched: bool, plot: Area) {
    let x = plot.x.saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
    let is_cursor = drawn.cursor == Some(column);
    let last = plot.y + plot.height.saturating_sub(1);
    if is_cursor {
        let (bar, style) = (canvas.glyphs.bar, canvas.style(Meaning::Key));
        (plot.y..=last).for_each(|y| _ = canvas.text(x, y, 1, bar, style));
    }
    if let Some(value) = drawn.now.get(column).copied().flatten() {
        let style = canvas.style(if is_cursor { Meaning::Key } else { Meaning::Chart });
        let eighths = eighths(value, drawn.top, plot.height);
        for row in 0..plot.height {
            let filled = eighths.saturating_sub(u32::from(row) * 8).min(8);
            // What is known and nothing still stands on its axis.
            let filled = if row == 0 { filled.max(1) } else { filled };
            if filled > 0 {
                let level = canvas.glyphs.levels[filled as usize - 1];
                canvas.text(x, last - row, 1, level, style);
            }
        }
    } else if is_watched {
        let (gap, style) = (canvas.glyphs.gap, canvas.style(Meaning::Line));
        canvas.text(x, last, 1, gap, style);
    }
    if let Some(value) = drawn.ago.get(column).copied().flatten() {
        let row = u16::try_from(eighths(value, drawn.top, plot.height).saturating_sub(1) / 8).unwrap_or(0);
        let style = canvas.style(Meaning::Accent);
        let mut dot = [0; 4];
        let dot = canvas.glyphs.bullet.encode_utf8(&mut dot);
        canvas.text(x, last.saturating_sub(row), 1, dot, style);
    }
}

/// How high a value stands in a chart of so many rows, in eighths of a row.
fn eighths(value: f32, top: f32, rows: u16) -> u32 {
    let most = f32::from(rows) * 8.0;
    (value / top.max(f32::EPSILON) * most).round().clamp(0.0, most) as u32
}

/// What happened in a column: the sign of what an operator did before that of a finding.
fn mark(canvas: &mut Canvas<'_>, drawn: &Drawn<'_>, column: usize, row: Area) {
    let Some(marks) = drawn.marks.get(column).filter(|marks| !marks.is_empty()) else { return };
    let meaning = if marks.iter().any(|mark| mark.is_action) { Meaning::Drain } else { Meaning::Warn };
    let x = row.x.saturating_add(u16::try_from(column).unwrap_or(u16::MAX));
    canvas.line(x, row.y, 1, &[Span::signed("", meaning)]);
}

/// Clock times along the axis, each above the beginning of its column.
fn moments(canvas: &mut Canvas<'_>, app: &App, drawn: &Drawn<'_>, row: Area) {
    let mut column = 0;
    while column < row.width {
        let words = chart::moment(app, drawn, usize::from(column));
        let room = row.width - column;
        if width(&words) > room {
            break;
        }
        canvas.line(row.x + column, row.y, room, &[Span::dim(words)]);
        column += MOMENT_GAP;
    }
}
