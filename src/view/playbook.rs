//! The playbook: one block a move, the one under the cursor always in sight.

use super::{
    canvas::{Canvas, line_width},
    overlays::{dialog, wrap_hanging},
    sheet::ascii,
};
use crate::app::{
    App,
    layout::{self, Area},
    meaning::{Line, Meaning, Span},
    playbook::{Playbook, Row},
};

/// Columns before a move, for the cursor.
const INDENT: u16 = 2;
/// The line between list and foot, and the foot.
const FOOT_ROWS: u16 = 2;

pub(super) fn draw(canvas: &mut Canvas<'_>, app: &App, open: &Playbook, body: Area) {
    let sheet = layout::sheet(app.size);
    let room = sheet.width.saturating_sub(INDENT);
    let blocks: Vec<Vec<Line>> = open.rows().iter().map(|row| block(row, room, app.options.unicode)).collect();
    let wanted: usize = blocks.iter().map(|block| block.len() + 1).sum::<usize>().max(1);
    let wanted = u16::try_from(wanted).unwrap_or(u16::MAX).saturating_add(FOOT_ROWS + 2);
    let mut inside = dialog(canvas, body, sheet.width, wanted, &open.title());
    let foot = inside.take_bottom(FOOT_ROWS.min(inside.height.saturating_sub(1)));
    if blocks.is_empty() {
        let words = "Nothing is near its limit, and nobody waits: there is nothing to relieve.";
        canvas.line(inside.x, inside.y, inside.width, &[Span::dim(words)]);
    }
    let below = list(canvas, open, &blocks, inside);
    let aside = if below > 0 { vec![Span::dim(format!("{below} more below"))] } else { Vec::new() };
    canvas.rule(Area { height: foot.height.min(1), ..foot }, &aside, &[]);
    if foot.height > 1 {
        let words = match &open.said {
            Some(said) => Span::new(said.clone(), Meaning::Warn),
            None => Span::dim(open.foot()),
        };
        canvas.line(foot.x, foot.y + 1, foot.width, &[words]);
    }
}

/// The lines of a move: what it does with its time, then what it would do.
fn block(row: &Row, room: u16, unicode: bool) -> Vec<Line> {
    let aside = line_width(std::slice::from_ref(&row.aside));
    let mut lines = wrap_hanging(&row.head, room.saturating_sub(aside + 2), INDENT);
    if let Some(first) = lines.first_mut() {
        let gap = room.saturating_sub(line_width(first) + aside);
        first.push(Span::plain(" ".repeat(usize::from(gap))));
        first.push(row.aside.clone());
    }
    for line in &row.body {
        let indented: Line = [Span::plain("  ")].into_iter().chain(line.iter().cloned()).collect();
        lines.extend(wrap_hanging(&indented, room, INDENT));
    }
    if !unicode {
        for span in lines.iter_mut().flatten() {
            span.text = span.text.chars().map(ascii).collect();
        }
    }
    lines
}

/// Draws the blocks around the cursor; returns how many moves lie below.
fn list(canvas: &mut Canvas<'_>, open: &Playbook, blocks: &[Vec<Line>], area: Area) -> usize {
    let height = usize::from(area.height);
    // From the first block that leaves room for the whole of the marked one.
    let mut first = open.marked.min(blocks.len().saturating_sub(1));
    let mut used = blocks.get(first).map_or(0, Vec::len);
    while first > 0 && used + blocks[first - 1].len() < height {
        first -= 1;
        used += blocks[first].len() + 1;
    }
    let mut y = 0;
    for (index, block) in blocks.iter().enumerate().skip(first) {
        if y >= height || (index > open.marked && y + block.len() > height) {
            return blocks.len() - index;
        }
        for (offset, line) in block.iter().enumerate().take(height - y) {
            let row = Area { y: area.y + (y + offset) as u16, height: 1, ..area };
            canvas.line(row.x + INDENT, row.y, row.width.saturating_sub(INDENT), line);
            if index == open.marked && offset == 0 {
                canvas.lay(row, canvas.theme.selection);
                let style = canvas.style(Meaning::Accent).patch(canvas.theme.selection);
                canvas.text(row.x, row.y, 1, canvas.glyphs.cursor, style);
            }
        }
        y += block.len() + 1;
    }
    0
}
