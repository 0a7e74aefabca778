//! Takes a stream of JSON objects apart: OVSDB writes one behind the other, with nothing between them.
//!
//! Only braces outside of texts are counted, one byte at a time and each byte once, so that a message may come in any
//! number of pieces and nesting costs nothing. Whether a message is sound JSON is judged when it is whole.

use serde_json::Value;

/// Longest message that is accepted; a switch with 10,000 ports says about 6 MiB at once.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// About how much memory a message may take once it is read: sixteen megabytes of `{"a":0},` would become a gigabyte.
const BUILT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What an object, an array and one more element take when they are read.
const BUILT_BYTES: [(u8, usize); 3] = [(b'{', 640), (b'[', 64), (b',', 48)];
/// Memory kept between messages; a long one must not hold its room for ever.
const IDLE_BYTES_MAX: usize = 64 * 1024;

/// A whole message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    /// Sound JSON.
    Message(Value),
    /// Braces that match around something that is no JSON: why.
    Unsound(String),
}

/// The stream is of no use any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// A message that does not end.
    #[error("a message is longer than {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    /// A message of very many small parts.
    #[error("a message holds too many values")]
    TooMany,
    /// Something other than an object where a message must begin.
    #[error("expected a JSON object, got byte {0:#04x}")]
    NoObject(u8),
}

/// What has arrived of the message that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: Vec<u8>,
    /// Braces that are open.
    depth: usize,
    /// What the message will take when it is read.
    built_bytes: usize,
    in_text: bool,
    escaped: bool,
}

impl Frames {
    /// Takes bytes; gives the messages that they complete, in order.
    ///
    /// # Errors
    /// The stream cannot be followed any further. What was whole before is lost with it: the connection is closed.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, Broken> {
        let mut whole = Vec::new();
        let mut begin = 0; // of what is not in the buffer yet
        for (at, byte) in bytes.iter().enumerate() {
            if self.depth == 0 {
                match byte {
                    b'{' => {
                        self.depth = 1;
                        self.built_bytes = 0;
                        begin = at;
                    }
                    b' ' | b'\t' | b'\r' | b'\n' => {}
                    other => return Err(Broken::NoObject(*other)),
                }
            } else if self.scan(*byte) {
                whole.push(self.finish(&bytes[begin..=at])?);
            } else if self.built_bytes > BUILT_BYTES_MAX {
                return Err(Broken::TooMany);
            }
        }
        if self.depth > 0 {
            self.keep(&bytes[begin..])?;
        }
        Ok(whole)
    }

    /// Follows one byte within a message; whether it ends the message.
    fn scan(&mut self, byte: u8) -> bool {
        if !self.in_text {
            let built = BUILT_BYTES.iter().find(|(what, _)| *what == byte);
            self.built_bytes += built.map_or(0, |(_, bytes)| *bytes);
        }
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            _ if self.in_text => {}
            b'{' => self.depth += 1,
            b'}' => self.depth -= 1,
            _ => {}
        }
        self.depth == 0
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.check_length(bytes)?;
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn check_length(&self, more: &[u8]) -> Result<(), Broken> {
        if self.buffer.len() + more.len() > MESSAGE_BYTES_MAX { Err(Broken::TooLong) } else { Ok(()) }
    }

    fn finish(&mut self, last: &[u8]) -> Result<Frame, Broken> {
        // Nearly always a message comes in one piece and need not be copied.
        self.check_length(last)?;
        let read = if self.buffer.is_empty() {
            serde_json::from_slice(last)
        } else {
            self.buffer.extend_from_slice(last);
            let read = serde_json::from_slice(&self.buffer);
            self.buffer.clear();
            self.buffer.shrink_to(IDLE_BYTES_MAX);
            read
        };
        Ok(read.map_or_else(|error| Frame::Unsound(error.to_string()), Frame::Message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const STREAM: &str = concat!(
        r#"{"id":"a","result":[{"x":"}{\"}\\"}],"error":null}{"method":"echo"}"#,
        "\n \r\n\t",
        r#"{"unsound":}{"wide":"\ud83d\ude00 é"}{"#
    );

    fn expected() -> Vec<Frame> {
        vec![
            Frame::Message(json!({"id": "a", "result": [{"x": "}{\"}\\"}], "error": null})),
            Frame::Message(json!({"method": "echo"})),
            Frame::Unsound("expected value at line 1 column 12".into()),
            Frame::Message(json!({"wide": "😀 é"})),
        ]
    }

    #[test]
    fn messages_behind_each_other_are_told_apart() {
        assert_eq!(Frames::default().take(STREAM.as_bytes()).unwrap(), expected());
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_give_the_same_messages(cuts in proptest::collection::vec(0..STREAM.len(), 0..20)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let mut frames = Frames::default();
            let mut got = Vec::new();
            let mut from = 0;
            for to in cuts.into_iter().chain([STREAM.len()]) {
                got.extend(frames.take(&STREAM.as_bytes()[from..to]).unwrap());
                from = to;
            }
            prop_assert_eq!(got, expected());
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut frames = Frames::default();
            let _ = frames.take(b"{");
            let _ = frames.take(&bytes);
            prop_assert!(frames.buffer.len() <= bytes.len() + 1);
        }
    }

    #[test]
    fn nesting_of_any_depth_is_unsound_and_not_a_stack_overflow() {
        let deep = format!("{{\"a\":{}{}}}", "[{\"a\":".repeat(100_000), "1".to_owned() + &"}]".repeat(100_000));
        let frames = Frames::default().take(deep.as_bytes()).unwrap();
        assert!(matches!(frames.as_slice(), [Frame::Unsound(why)] if why.contains("recursion")), "{frames:?}");
    }

    #[test]
    fn a_message_that_never_ends_breaks_the_stream_within_its_bound() {
        let mut frames = Frames::default();
        assert_eq!(frames.take(b"{\"a\":\""), Ok(Vec::new()));
        let piece = vec![b'x'; 1024 * 1024];
        let pieces = (0..20).take_while(|_| frames.take(&piece).is_ok()).count();
        assert_eq!(pieces, 15);
        assert!(frames.buffer.len() <= MESSAGE_BYTES_MAX);
    }

    #[test]
    fn a_message_of_very_many_parts_breaks_the_stream() {
        let many =
            |part: &str, count| Frames::default().take(format!("{{\"a\":[{}0]}}", part.repeat(count)).as_bytes());
        assert_eq!(many("{\"a\":0},", 250_000), Err(Broken::TooMany));
        assert_eq!(many("[],", 1_500_000), Err(Broken::TooMany));
        assert_eq!(many("\"{[,\",", 10_000).unwrap().len(), 1, "within texts they are letters");
    }

    #[test]
    fn what_is_no_object_breaks_the_stream() {
        for odd in ["[1]", "HTTP/1.1 400", "\u{0}", "}"] {
            assert_eq!(Frames::default().take(odd.as_bytes()), Err(Broken::NoObject(odd.as_bytes()[0])));
        }
    }

    #[test]
    fn a_long_message_does_not_hold_its_room() {
        let mut frames = Frames::default();
        let long = format!("{{\"a\":\"{}\"", "x".repeat(1_000_000));
        assert_eq!(frames.take(long.as_bytes()), Ok(Vec::new()));
        assert_eq!(frames.take(b"}").unwrap().len(), 1);
        assert!(frames.buffer.capacity() <= IDLE_BYTES_MAX);
    }
}
