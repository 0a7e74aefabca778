//! What something on the screen means. State becomes a meaning here; only `view` turns a meaning into a colour.

use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::OperationalState,
        world::NodeState,
    },
    rules::Severity,
};

/// Why a piece of text stands out, or does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Meaning {
    /// Ordinary text.
    #[default]
    Text,
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Service is lost or about to be.
    Crit,
    /// True some time ago.
    Stale,
    /// Not known, for a reason.
    Unknown,
    /// Ready, without work.
    Standby,
    /// Finishing what it has.
    Drain,
    /// Taken out by somebody.
    Maint,
    /// Less important than its surroundings.
    Dim,
    /// A name to find again: the cluster, the open tab.
    Accent,
    /// The head of a section or a column.
    Heading,
    /// A key to press.
    Key,
    /// Lines between things.
    Line,
    /// A chart.
    Chart,
}

impl Meaning {
    /// Every meaning, for themes and for tests.
    pub const ALL: [Self; 15] = [
        Self::Text,
        Self::Ok,
        Self::Warn,
        Self::Crit,
        Self::Stale,
        Self::Unknown,
        Self::Standby,
        Self::Drain,
        Self::Maint,
        Self::Dim,
        Self::Accent,
        Self::Heading,
        Self::Key,
        Self::Line,
        Self::Chart,
    ];

    /// Its name in a theme file and in a snapshot.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Crit => "crit",
            Self::Stale => "stale",
            Self::Unknown => "unknown",
            Self::Standby => "standby",
            Self::Drain => "drain",
            Self::Maint => "maint",
            Self::Dim => "dim",
            Self::Accent => "accent",
            Self::Heading => "heading",
            Self::Key => "key",
            Self::Line => "line",
            Self::Chart => "chart",
        }
    }

    /// Whether it wants attention, and how much: larger is worse.
    pub(crate) fn badness(self) -> u8 {
        match self {
            Self::Crit => 5,
            Self::Warn => 4,
            Self::Stale => 3,
            Self::Unknown => 2,
            Self::Drain | Self::Maint => 1,
            _ => 0,
        }
    }

    /// The one of the two that wants more attention.
    pub(crate) fn worse(self, other: Self) -> Self {
        if other.badness() > self.badness() { other } else { self }
    }
}

impl From<Severity> for Meaning {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warn,
            Severity::Critical => Self::Crit,
        }
    }
}

impl From<NodeState> for Meaning {
    fn from(state: NodeState) -> Self {
        match state {
            NodeState::Up => Self::Ok,
            NodeState::Connecting => Self::Unknown,
            NodeState::Stale => Self::Stale,
            NodeState::Unreachable => Self::Crit,
        }
    }
}

impl From<&OperationalState> for Meaning {
    fn from(state: &OperationalState) -> Self {
        match state {
            OperationalState::Up | OperationalState::Unchecked => Self::Ok,
            OperationalState::GoingDown { .. } => Self::Warn,
            OperationalState::Down | OperationalState::GoingUp { .. } => Self::Crit,
            OperationalState::Stopping | OperationalState::Draining => Self::Drain,
            OperationalState::Maintenance => Self::Maint,
            OperationalState::Other(_) => Self::Unknown,
        }
    }
}

/// A piece of text and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Span {
    /// The text.
    pub text: String,
    /// What it means.
    pub meaning: Meaning,
}

impl Span {
    /// Text with a meaning.
    pub(crate) fn new(text: impl Into<String>, meaning: Meaning) -> Self {
        Self { text: text.into(), meaning }
    }

    /// The sign of a meaning and a text in its colour.
    pub(crate) fn signed(text: &str, meaning: Meaning) -> Self {
        Self::new(if text.is_empty() { SIGN.to_string() } else { format!("{SIGN} {text}") }, meaning)
    }

    /// Ordinary text.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Meaning::Text)
    }

    /// Less important text.
    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::new(text, Meaning::Dim)
    }

    /// A figure as text: `?` when unknown, `-` where a figure has no meaning because nothing happened.
    pub(crate) fn figure<T>(figure: Figure<T>, show: impl FnOnce(T) -> String) -> Self {
        match figure {
            Figure::Known(value) => Self::plain(show(value)),
            Figure::Unknown(Unknown::NothingHappened) => Self::dim("-"),
            Figure::Unknown(_) => Self::new("?", Meaning::Unknown),
        }
    }

    /// A figure that should stay below a limit: beyond it the text warns.
    pub(crate) fn limited(figure: Figure<f64>, limit: f64, show: impl FnOnce(f64) -> String) -> Self {
        let mut span = Self::figure(figure, show);
        if figure.known().is_some_and(|value| value >= limit) {
            span.meaning = Meaning::Warn;
        }
        span
    }

    /// The same text with another meaning.
    #[must_use]
    pub(crate) fn meaning(mut self, meaning: Meaning) -> Self {
        self.meaning = meaning;
        self
    }
}

/// A line of text as a list of pieces.
pub type Line = Vec<Span>;

/// Stands at the start of a span for the sign of its meaning; the view draws it in the set that the terminal has.
pub(crate) const SIGN: char = '\u{1}';

/// The text of a line without its meanings, for the clipboard.
pub(crate) fn plain_text(line: &[Span]) -> String {
    let text: String = line.iter().flat_map(|span| span.text.chars()).filter(|c| *c != SIGN).collect();
    text.trim_start().to_owned()
}
