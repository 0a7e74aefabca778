//! The lines of a recording. Every text on its way to the disk passes one door, which masks addresses; what a node said
//! is kept as its own bytes.

use crate::{
    app::{
        msg::Msg,
        snapshot::{SavedOptions, Snapshot},
    },
    model::{ids::NodeName, inventory::Inventory, time::Now},
    wire::{mask::Mask, mysql, probe::ProbeId, request::Reply},
};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CompactFormatter, Formatter};
use std::{
    borrow::Cow,
    io::{self, Write},
    sync::Arc,
};

/// Version of the recording's format. A reader refuses a newer one, and reads the older ones.
///
/// 1: one JSON line each for a header and for every message, reports as facts. 2: gzip; chapters that begin with header
/// and snapshot; reports as the node's own bytes.
pub const FORMAT: u32 = 2;

/// The first line of a chapter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// Version of vakt that recorded.
    pub vakt: String,
    /// Which recording: the same in all its chapters.
    #[serde(default)]
    pub recording: String,
    /// 0 for the first chapter.
    #[serde(default)]
    pub chapter: u32,
    /// When the chapter begins.
    pub started: Now,
    /// Messages that could not be recorded, before this chapter and since the one before.
    #[serde(default)]
    pub lost: u64,
    /// Whether literals and strangers' addresses are masked.
    #[serde(default)]
    pub masked: bool,
    /// The configuration.
    pub inventory: Arc<Inventory>,
    /// How the console looked when it started.
    pub options: SavedOptions,
}

/// A line as it is written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Writing<'a> {
    Header(&'a Header),
    Snapshot(&'a Snapshot),
    Msg(&'a Msg),
    Raw(RawReport<'a>),
}

/// A line as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reading {
    Header(Box<Header>),
    Snapshot(Box<Snapshot>),
    Msg(Box<Msg>),
    Raw(RawReport<'static>),
    /// Format 1: this many messages are missing here.
    Lost(u64),
}

/// Only the number that says whether the rest can be understood.
#[derive(Debug, Deserialize)]
pub(super) struct FormatOnly {
    pub(super) header: FormatNumber,
}

/// See [`FormatOnly`].
#[derive(Debug, Deserialize)]
pub(super) struct FormatNumber {
    pub(super) format: u32,
}

/// A report as the node's own words: a later, better parser can read them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawReport<'a> {
    /// When the loop took it.
    pub at: Now,
    /// Whose.
    pub node: NodeName,
    /// Which probe asked.
    pub probe: ProbeId,
    /// From the first request to the last byte, milliseconds.
    pub round_trip_ms: u64,
    /// One per request.
    pub replies: Vec<RawReply<'a>>,
}

/// One reply, as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawReply<'a> {
    out: Bytes<'a>,
    #[serde(default, skip_serializing_if = "Bytes::is_empty")]
    err: Bytes<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit: Option<u32>,
    elapsed_us: u64,
}

/// Bytes as text: nearly always they are text; else each byte is the character of its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Bytes<'a> {
    Text(Cow<'a, str>),
    Latin1(String),
}

impl Default for Bytes<'_> {
    fn default() -> Self {
        Self::Text(Cow::Borrowed(""))
    }
}

impl Bytes<'_> {
    fn of(bytes: &[u8]) -> Bytes<'_> {
        std::str::from_utf8(bytes).map_or_else(
            |_| Bytes::Latin1(bytes.iter().copied().map(char::from).collect()),
            |text| Bytes::Text(Cow::Borrowed(text)),
        )
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }

    fn into_vec(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into_owned().into_bytes(),
            Self::Latin1(text) => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
        }
    }

    fn without_literals(self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Cow::Owned(mysql::masked(&text))),
            Self::Latin1(text) => Self::Latin1(mysql::masked(&text)),
        }
    }
}

impl<'a> RawReply<'a> {
    /// A reply as it is recorded.
    pub fn of(reply: &'a Reply) -> Self {
        let Reply { bytes, stderr, exit, elapsed_us } = reply;
        Self { out: Bytes::of(bytes), err: Bytes::of(stderr), exit: *exit, elapsed_us: *elapsed_us }
    }

    /// The reply again.
    pub fn into_reply(self) -> Reply {
        Reply { bytes: self.out.into_vec(), stderr: self.err.into_vec(), exit: self.exit, elapsed_us: self.elapsed_us }
    }

    fn without_literals(self) -> Self {
        Self { out: self.out.without_literals(), err: self.err.without_literals(), ..self }
    }
}

/// Writes one line, masked if there is a mask.
pub(super) fn write(out: impl Write, line: &Writing<'_>, mask: Option<&Mask>) -> io::Result<()> {
    let mut out = out;
    match (mask, line) {
        (None, line) => serde_json::to_writer(&mut out, line)?,
        // The header names the inventory's addresses and no others.
        (Some(_), Writing::Header(_)) => serde_json::to_writer(&mut out, line)?,
        (Some(mask), Writing::Raw(report)) if report.probe.probe().holds_statements() => {
            let mut report = report.clone();
            report.replies = report.replies.into_iter().map(RawReply::without_literals).collect();
            line_through(&mut out, &Writing::Raw(report), mask)?;
        }
        (Some(mask), line) => line_through(&mut out, line, mask)?,
    }
    out.write_all(b"\n")
}

fn line_through(out: &mut impl Write, line: &Writing<'_>, mask: &Mask) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Masking(mask));
    line.serialize(&mut serializer).map_err(io::Error::from)
}

/// The door: every piece of text between two escapes passes it, and no address contains an escape.
struct Masking<'a>(&'a Mask);

impl Formatter for Masking<'_> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        CompactFormatter.write_string_fragment(writer, &self.0.addresses(fragment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_reply_survives_being_written_down(bytes in proptest::collection::vec(any::<u8>(), 0..300), exit in any::<Option<u32>>()) {
            let reply = Reply { stderr: bytes.iter().rev().copied().collect(), bytes, exit, elapsed_us: 7 };
            let text = serde_json::to_string(&RawReply::of(&reply)).unwrap();
            let back: RawReply<'static> = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(back.into_reply(), reply);
        }
    }
}
