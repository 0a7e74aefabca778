//! The lines that travel over the simulation's socket: one JSON value each.

use crate::{
    model::{ids::NodeName, link::LinkEvent, text::Clean, trouble::Trouble},
    transport::Sent,
    wire::request::{Reply, Request},
};
use serde::{Deserialize, Serialize};
use std::io;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// Longest line of a client: a request.
pub(super) const ASKED_BYTES_MAX: u64 = 64 * 1024;
/// Longest line of the simulation: an answer of twenty thousand servers.
pub(super) const TOLD_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Lines that wait to be written, each way.
pub(super) const LINES_WAITING_MAX: usize = 256;

/// What a client asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asked {
    /// One request; the answer carries the number.
    Request { id: u64, node: NodeName, request: Request },
    /// Try the connection again now.
    Reconnect { node: NodeName },
}

/// What the simulation tells.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ToldLine {
    /// Of a read.
    Answer { id: u64, answer: Result<TextReply, Trouble> },
    /// Of a write.
    Sent { id: u64, sent: SentLine },
    /// A connection changed.
    Link { node: NodeName, event: LinkEvent },
}

/// A reply whose bytes are text, as all of a simulation are: as numbers they would be four times as long.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TextReply {
    text: String,
    stderr: String,
    exit: Option<u32>,
    elapsed_us: u64,
}

/// A [`Sent`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SentLine {
    Replied(TextReply),
    Lost(Clean),
    NotSent(Clean),
}

impl From<Reply> for TextReply {
    fn from(reply: Reply) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { text: text(reply.bytes), stderr: text(reply.stderr), exit: reply.exit, elapsed_us: reply.elapsed_us }
    }
}

impl From<TextReply> for Reply {
    fn from(reply: TextReply) -> Self {
        let TextReply { text, stderr, exit, elapsed_us } = reply;
        Self { bytes: text.into_bytes(), stderr: stderr.into_bytes(), exit, elapsed_us }
    }
}

impl From<Sent> for SentLine {
    fn from(sent: Sent) -> Self {
        match sent {
            Sent::Replied(reply) => Self::Replied(reply.into()),
            Sent::Lost(why) => Self::Lost(why),
            Sent::NotSent(why) => Self::NotSent(why),
        }
    }
}

impl From<SentLine> for Sent {
    fn from(sent: SentLine) -> Self {
        match sent {
            SentLine::Replied(reply) => Self::Replied(reply.into()),
            SentLine::Lost(why) => Self::Lost(why),
            SentLine::NotSent(why) => Self::NotSent(why),
        }
    }
}

/// A value as a line.
pub(super) fn line(value: &impl Serialize) -> io::Result<String> {
    let mut text = serde_json::to_string(value).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

/// The next line as a value; `None` at the end. A line that is too long or not understood is an error.
pub(super) async fn next<T: for<'d> Deserialize<'d>>(
    reader: &mut (impl AsyncBufRead + Unpin),
    bytes_max: u64,
) -> io::Result<Option<T>> {
    let mut text = Vec::new();
    let count = (&mut *reader).take(bytes_max).read_until(b'\n', &mut text).await?;
    if count == 0 {
        return Ok(None);
    }
    if text.last() != Some(&b'\n') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line without end, or too long"));
    }
    serde_json::from_slice(&text).map(Some).map_err(io::Error::other)
}
