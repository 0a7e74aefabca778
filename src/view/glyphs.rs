//! Symbols, in Unicode and in ASCII.

use crate::app::meaning::Meaning;

/// One set of symbols; each is one column wide.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Glyphs {
    ok: &'static str,
    warn: &'static str,
    crit: &'static str,
    stale: &'static str,
    unknown: &'static str,
    standby: &'static str,
    drain: &'static str,
    maint: &'static str,
    /// Fills a line between sections.
    pub(super) line: &'static str,
    /// Stands between panes.
    pub(super) bar: &'static str,
    /// Points at the row under the cursor.
    pub(super) cursor: &'static str,
    /// Where traffic flows on.
    pub(super) arrow: &'static str,
    /// What was cut.
    pub(super) ellipsis: &'static str,
    /// A typed character of a secret.
    pub(super) bullet: char,
    /// Eight heights of a chart, lowest first.
    pub(super) levels: [&'static str; 8],
    /// A missing sample.
    pub(super) gap: &'static str,
    /// Where typing goes on.
    pub(super) caret: &'static str,
    /// Corners of a dialog: top left, top right, bottom left, bottom right.
    pub(super) corners: [&'static str; 4],
}

/// For terminals with UTF-8.
pub(super) const UNICODE: Glyphs = Glyphs {
    ok: "●",
    warn: "▲",
    crit: "✗",
    stale: "◌",
    unknown: "?",
    standby: "○",
    drain: "▼",
    // Not U+23F8: terminals draw it as an emoji, two cells wide, or not at all.
    maint: "‖",
    line: "─",
    bar: "│",
    cursor: "▸",
    arrow: "─▶",
    ellipsis: "…",
    bullet: '•',
    levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: "·",
    caret: "▏",
    corners: ["┌", "┐", "└", "┘"],
};

/// For everything else.
pub(super) const ASCII: Glyphs = Glyphs {
    ok: "+",
    warn: "!",
    crit: "X",
    stale: "~",
    unknown: "?",
    standby: "o",
    drain: "v",
    maint: "#",
    line: "-",
    bar: "|",
    cursor: ">",
    arrow: "->",
    ellipsis: "~",
    bullet: '*',
    levels: ["_", ".", ".", "-", "-", "=", "=", "#"],
    gap: " ",
    caret: "_",
    corners: ["+", "+", "+", "+"],
};

impl Glyphs {
    /// The sign of a state; nothing for meanings that are no state.
    pub(super) fn sign(&self, meaning: Meaning) -> &'static str {
        match meaning {
            Meaning::Ok => self.ok,
            Meaning::Warn => self.warn,
            Meaning::Crit => self.crit,
            Meaning::Stale => self.stale,
            Meaning::Unknown => self.unknown,
            Meaning::Standby => self.standby,
            Meaning::Drain => self.drain,
            Meaning::Maint => self.maint,
            _ => " ",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_state_has_a_sign_of_its_own_one_column_wide() {
        let states = [
            Meaning::Ok,
            Meaning::Warn,
            Meaning::Crit,
            Meaning::Stale,
            Meaning::Unknown,
            Meaning::Standby,
            Meaning::Drain,
            Meaning::Maint,
        ];
        for glyphs in [&UNICODE, &ASCII] {
            let signs: std::collections::BTreeSet<&str> = states.iter().map(|state| glyphs.sign(*state)).collect();
            assert_eq!(signs.len(), states.len());
            assert!(signs.iter().all(|sign| sign.width() == 1));
        }
    }
}
