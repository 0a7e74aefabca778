//! Drawing text into cells: clipped, aligned by display width, never outside.

use super::{glyphs::Glyphs, theme::Theme};
use crate::app::{
    layout::Area,
    meaning::{Meaning, SIGN, Span},
};
use ratatui::{buffer::Buffer, layout::Rect, style::Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The cells of a frame and how things look on it.
pub(super) struct Canvas<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) theme: &'a Theme,
    pub(super) glyphs: &'static Glyphs,
}

/// Display width of a text in columns.
pub(super) fn width(text: &str) -> u16 {
    if text.is_ascii() {
        return u16::try_from(text.len()).unwrap_or(u16::MAX);
    }
    u16::try_from(text.width()).unwrap_or(u16::MAX)
}

/// Display width of a line in columns.
pub(super) fn line_width(line: &[Span]) -> u16 {
    // The mark of a sign is a control character without width of its own, and is drawn one column wide.
    line.iter().map(|span| width(span.text.trim_start_matches(SIGN)) + u16::from(span.text.starts_with(SIGN))).sum()
}

impl Canvas<'_> {
    /// The look of a meaning.
    pub(super) fn style(&self, meaning: Meaning) -> Style {
        self.theme.of(meaning)
    }

    /// Draws a text in at most `room` columns; what does not fit ends in an ellipsis. Returns the columns used.
    pub(super) fn text(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let edge = self.buffer.area.right();
        if y < self.buffer.area.top() || y >= self.buffer.area.bottom() || x >= edge {
            return 0;
        }
        let room = room.min(edge - x);
        if text.is_ascii() && text.len() <= usize::from(room) {
            return self.ascii(x, y, text, style);
        }
        let is_cut = width(text) > room;
        let shown = if is_cut { room.saturating_sub(1) } else { room };
        let mut used = self.characters(x, y, shown, text, style);
        if is_cut && used < room {
            self.put(x + used, y, self.glyphs.ellipsis, style);
            used += 1;
        }
        used
    }

    /// Most of a screen is ASCII: one cell a byte, no width tables.
    fn ascii(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let start = self.buffer.index_of(x, y);
        for (cell, byte) in self.buffer.content[start..].iter_mut().zip(text.bytes()) {
            let shown = if byte.is_ascii_control() { ' ' } else { char::from(byte) };
            cell.set_char(shown).set_style(style);
        }
        u16::try_from(text.len()).unwrap_or(u16::MAX)
    }

    fn characters(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let mut used = 0;
        for c in text.chars() {
            let columns = u16::try_from(c.width().unwrap_or(0)).unwrap_or(0);
            if columns == 0 {
                // A combining mark belongs to the character before it; anything else without width is not drawn.
                if used > 0 && !c.is_control() {
                    self.append(x + used - 1, y, c);
                }
                continue;
            }
            if used + columns > room {
                break;
            }
            self.put(x + used, y, c.encode_utf8(&mut [0; 4]), style);
            // The second column of a wide character must be empty, or the terminal and we disagree from there on.
            for extra in 1..columns {
                self.put(x + used + extra, y, "", style);
            }
            used += columns;
        }
        used
    }

    fn put(&mut self, x: u16, y: u16, symbol: &str, style: Style) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            cell.set_symbol(symbol).set_style(style);
        }
    }

    fn append(&mut self, x: u16, y: u16, mark: char) {
        if let Some(cell) = self.buffer.cell_mut((x, y)) {
            let mut symbol = cell.symbol().to_owned();
            symbol.push(mark);
            cell.set_symbol(&symbol);
        }
    }

    /// Draws pieces one after the other in at most `room` columns. Returns the columns used.
    pub(super) fn line(&mut self, x: u16, y: u16, room: u16, line: &[Span]) -> u16 {
        let mut used = 0;
        for span in line {
            let style = self.theme.of(span.meaning);
            if used >= room {
                break;
            }
            let rest = match span.text.strip_prefix(SIGN) {
                Some(rest) => {
                    self.text(x.saturating_add(used), y, 1, self.glyphs.sign(span.meaning), style);
                    used += 1;
                    rest
                }
                None => span.text.as_str(),
            };
            used += self.text(x.saturating_add(used), y, room.saturating_sub(used), rest, style);
        }
        used
    }

    /// Draws a line so that it ends at the right of its room.
    pub(super) fn line_right(&mut self, x: u16, y: u16, room: u16, line: &[Span]) -> u16 {
        let wanted = line_width(line).min(room);
        self.line(x + (room - wanted), y, wanted, line);
        wanted
    }

    /// Lays a look over cells without changing their text.
    pub(super) fn lay(&mut self, area: Area, style: Style) {
        self.buffer.set_style(Rect::new(area.x, area.y, area.width, area.height).intersection(self.buffer.area), style);
    }

    /// Empties cells.
    pub(super) fn clear(&mut self, area: Area, style: Style) {
        let area = Rect::new(area.x, area.y, area.width, area.height).intersection(self.buffer.area);
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// Draws a line over the whole width with a title in it: `─ What is wrong ────`.
    pub(super) fn rule(&mut self, area: Area, title: &[Span], aside: &[Span]) {
        let Area { x, y, width, height } = area;
        if height == 0 {
            return;
        }
        let style = self.style(Meaning::Line);
        for column in 0..width {
            self.text(x + column, y, 1, self.glyphs.line, style);
        }
        let mut used = 0;
        if !title.is_empty() && width > 6 {
            self.text(x + 1, y, 1, " ", style);
            used = 2 + self.line(x + 2, y, width - 4, title);
            self.text(x + used, y, 1, " ", style);
        }
        let wanted = line_width(aside);
        if wanted > 0 && used + wanted + 6 < width {
            let start = x + width - wanted - 2;
            self.text(start - 1, y, 1, " ", style);
            self.line(start, y, wanted, aside);
            self.text(start + wanted, y, 1, " ", style);
        }
    }

    /// A chart of one row: oldest left, a gap where a sample is missing, scaled to `top`.
    pub(super) fn chart(&mut self, x: u16, y: u16, samples: &[Option<f32>], top: f32, meaning: Meaning) {
        let style = self.style(meaning);
        let gap = self.style(Meaning::Line);
        // Before the first sample there is nothing to miss.
        let first = samples.iter().position(Option::is_some).unwrap_or(samples.len());
        for (column, sample) in (x..).zip(samples).skip(first) {
            match sample {
                Some(value) => {
                    let height = (value / top.max(f32::EPSILON) * 7.0).round().clamp(0.0, 7.0) as usize;
                    self.text(column, y, 1, self.glyphs.levels[height], style);
                }
                None => {
                    self.text(column, y, 1, self.glyphs.gap, gap);
                }
            }
        }
    }
}
