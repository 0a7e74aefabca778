//! The one sanitiser. Bytes from a node reach a terminal, log, journal or export only as [`Clean`].
//!
//! Terminal control sequences, C1 codes, bidirectional overrides, zero-width and tag characters are replaced by
//! something visible; floods of combining marks are cut; invalid UTF-8 becomes U+FFFD. What cannot be drawn safely
//! is shown, not dropped: an operator should see that a node sent something odd.

use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// Longest line that is kept of one text; the rest is cut with an ellipsis.
pub const LINE_CHARS_MAX: usize = 512;
/// Longest multi-line text (an error log, a status page).
pub const BLOCK_CHARS_MAX: usize = 64 * 1024;
/// Combining marks kept behind one base character.
const MARKS_MAX: usize = 3;

/// Text without control, bidirectional or invisible characters, of bounded length.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Clean(Arc<str>);

impl Clean {
    /// One line: line breaks become `␊`; at most [`LINE_CHARS_MAX`] characters.
    pub fn line(text: &str) -> Self {
        Self(sanitise(text, LINE_CHARS_MAX, false).into())
    }

    /// One line from raw bytes.
    pub fn line_from_bytes(bytes: &[u8]) -> Self {
        // Cutting first bounds the work for a hostile megabyte; four bytes a character at most.
        let head = &bytes[..bytes.len().min(LINE_CHARS_MAX * 4 + 4)];
        Self::line(&String::from_utf8_lossy(head))
    }

    /// Several lines: `\n` stays, a tab becomes a space; at most [`BLOCK_CHARS_MAX`] characters.
    pub fn block_from_bytes(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(BLOCK_CHARS_MAX * 4 + 4)];
        Self(sanitise(&String::from_utf8_lossy(head), BLOCK_CHARS_MAX, true).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Clean {
    fn from(text: String) -> Self {
        // A recording or state file is outside data too. Idempotent: clean text stays as it is.
        Self(sanitise(&text, BLOCK_CHARS_MAX, true).into())
    }
}

impl From<&str> for Clean {
    fn from(text: &str) -> Self {
        Self::line(text)
    }
}

impl Default for Clean {
    fn default() -> Self {
        Self("".into())
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn sanitise(text: &str, chars_max: usize, keep_lines: bool) -> String {
    let mut out = String::with_capacity(text.len().min(chars_max));
    let mut marks = 0;
    let mut kept = 0;
    for c in text.chars() {
        if kept >= chars_max {
            // The ellipsis replaces the last kept character, so the bound holds and a second pass changes nothing.
            out.pop();
            out.push('…');
            break;
        }
        if is_mark(c) {
            marks += 1;
            if marks > MARKS_MAX {
                continue;
            }
        } else {
            marks = 0;
        }
        match c {
            '\n' if keep_lines => out.push('\n'),
            '\t' => out.push(' '),
            '\u{0}'..='\u{1f}' => out.push(control_picture(c)),
            '\u{7f}' => out.push('\u{2421}'),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
        kept += 1;
    }
    out
}

/// `ESC` becomes `␛`, `CR` becomes `␍`: the Unicode block "Control Pictures" is the C0 block moved by 0x2400.
fn control_picture(c: char) -> char {
    char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')
}

/// C1 controls, format, bidirectional, zero-width, tag and private characters, and line separators.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{e000}'..='\u{f8ff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{10ffff}')
}

/// Combining marks of the blocks that are used to stack them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{e31}' | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(Clean::line("a\x1b[2Jb\r\n").as_str(), "a␛[2Jb␍␊");
        assert_eq!(Clean::line("x\u{202e}y\u{200b}z\u{9b}1m").as_str(), "x\u{fffd}y\u{fffd}z\u{fffd}1m");
    }

    #[test]
    fn a_flood_of_marks_is_cut() {
        let flood = format!("e{}", "\u{301}".repeat(10_000));
        assert_eq!(Clean::line(&flood).as_str().chars().count(), 1 + MARKS_MAX);
    }

    proptest! {
        #[test]
        fn invariant_10_nothing_dangerous_passes(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            let line = Clean::line_from_bytes(&bytes);
            prop_assert!(line.as_str().chars().count() <= LINE_CHARS_MAX);
            prop_assert!(!line.as_str().chars().any(|c| c.is_control() || is_hidden(c)));
            let block = Clean::block_from_bytes(&bytes);
            prop_assert!(!block.as_str().chars().any(|c| (c.is_control() && c != '\n') || is_hidden(c)));
        }

        #[test]
        fn cleaning_twice_changes_nothing(text in "\\PC{0,700}") {
            let once = Clean::line(&text);
            prop_assert_eq!(Clean::line(once.as_str()), once.clone());
            prop_assert_eq!(Clean::from(once.as_str().to_owned()), once);
        }
    }
}
