//! How a kept program frames its answers: between two lines that carry a fresh 128-bit random number, so no line of data can
//! be taken for the end of an answer, and noise of login files before the first answer is skipped.

use ring::rand::{SecureRandom, SystemRandom};
use std::{fmt::Write as _, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Noise (login files, `/etc/motd`) that is skipped before an answer begins.
const NOISE_BYTES_MAX: usize = 256 * 1024;

/// Why an exchange with a kept program failed. In each case the program must be dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramFault {
    /// The program ended or the connection did.
    #[error("the program on the node ended")]
    Ended,
    /// Reading or writing failed.
    #[error("the program on the node could not be reached")]
    Io(#[source] io::Error),
    /// The answer exceeded its cap.
    #[error("the answer is longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
    /// What came was no answer of it.
    #[error("the program's answer was not understood")]
    NotUnderstood,
    /// No random number could be had.
    #[error("the operating system gave no random numbers")]
    NoRandom,
}

/// A complete answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) exit: u32,
}

/// 128 random bits in hexadecimal.
pub(super) fn nonce() -> Result<String, ProgramFault> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ProgramFault::NoRandom)?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// Says `text`, which asks with `nonce`, and reads the answer. The caller bounds the time.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    text: &str,
    nonce: String,
    cap: usize,
) -> Result<Answer, ProgramFault> {
    stream.write_all(text.as_bytes()).await.map_err(ProgramFault::Io)?;
    stream.flush().await.map_err(ProgramFault::Io)?;
    let mut frame = Frame::new(nonce, cap);
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk).await.map_err(ProgramFault::Io)?;
        if count == 0 {
            return Err(ProgramFault::Ended);
        }
        if let Some(answer) = frame.feed(&chunk[..count])? {
            return Ok(answer);
        }
    }
}

/// Finds one answer in the bytes of the program.
#[derive(Debug)]
struct Frame {
    nonce: String,
    cap: usize,
    buffer: Vec<u8>,
    /// Where the search for the next line break goes on.
    scanned: usize,
    /// Start of the line that is being received.
    line: usize,
    /// Whether the opening line has been seen; `buffer` then starts behind it.
    begun: bool,
}

impl Frame {
    fn new(nonce: String, cap: usize) -> Self {
        Self { nonce, cap, buffer: Vec::new(), scanned: 0, line: 0, begun: false }
    }

    /// Takes bytes; `Some` when the answer is complete. Nothing may follow it: the program waits for an order.
    fn feed(&mut self, bytes: &[u8]) -> Result<Option<Answer>, ProgramFault> {
        self.buffer.extend_from_slice(bytes);
        while let Some(found) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') {
            let end = self.scanned + found;
            let after = end + 1;
            if self.begun {
                if let Some(exit) = self.closing(self.line, end)? {
                    if after != self.buffer.len() {
                        return Err(ProgramFault::NotUnderstood);
                    }
                    // The line break before the closing line is ours.
                    self.buffer.truncate(self.line.saturating_sub(1));
                    if self.buffer.len() > self.cap {
                        return Err(ProgramFault::TooLong { cap: self.cap });
                    }
                    return Ok(Some(Answer { bytes: std::mem::take(&mut self.buffer), exit }));
                }
                self.line = after;
                self.scanned = after;
            } else {
                self.begun = self.buffer[self.line..end] == *self.nonce.as_bytes();
                self.buffer.drain(..after);
                self.line = 0;
                self.scanned = 0;
            }
        }
        self.scanned = self.buffer.len();
        self.within_cap()
    }

    /// The exit status, if the line from `start` to `end` closes the answer.
    fn closing(&self, start: usize, end: usize) -> Result<Option<u32>, ProgramFault> {
        let Some(rest) = self.buffer[start..end].strip_prefix(self.nonce.as_bytes()) else { return Ok(None) };
        let status =
            std::str::from_utf8(rest).ok().and_then(|text| text.strip_prefix(' ')).and_then(|n| n.parse().ok());
        // Our own random number in any other shape: the framing is broken.
        status.map(Some).ok_or(ProgramFault::NotUnderstood)
    }

    /// The buffer may hold the answer, the line break that is ours and the closing line.
    fn within_cap(&self) -> Result<Option<Answer>, ProgramFault> {
        let (max, fault) = if self.begun {
            (self.cap.saturating_add(self.nonce.len() + 16), ProgramFault::TooLong { cap: self.cap })
        } else {
            (NOISE_BYTES_MAX, ProgramFault::NotUnderstood)
        };
        if self.buffer.len() > max { Err(fault) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    fn fed(pieces: &[&[u8]], cap: usize) -> Result<Option<Answer>, ProgramFault> {
        let mut frame = Frame::new(NONCE.into(), cap);
        for piece in pieces {
            if let Some(answer) = frame.feed(piece)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    fn wire(noise: &[u8], data: &[u8], exit: u32) -> Vec<u8> {
        let mut wire = noise.to_vec();
        wire.extend_from_slice(format!("{NONCE}\n").as_bytes());
        wire.extend_from_slice(data);
        wire.extend_from_slice(format!("\n{NONCE} {exit}\n").as_bytes());
        wire
    }

    #[test]
    fn noise_of_login_files_is_skipped() {
        let answer = fed(&[&wire(b"Welcome!\nlast login\n", b"data\n", 0)], 100).unwrap().unwrap();
        assert_eq!(answer, Answer { bytes: b"data\n".to_vec(), exit: 0 });
    }

    #[test]
    fn an_empty_answer_is_empty() {
        assert_eq!(fed(&[&wire(b"", b"", 7)], 0).unwrap().unwrap(), Answer { bytes: vec![], exit: 7 });
    }

    #[test]
    fn an_answer_over_the_cap_is_an_error_and_is_not_kept() {
        assert!(matches!(fed(&[&wire(b"", &[b'x'; 200], 0)], 100), Err(ProgramFault::TooLong { cap: 100 })));
        assert!(fed(&[&wire(b"", &[b'x'; 100], 0)], 100).unwrap().is_some());
        let mut frame = Frame::new(NONCE.into(), 100);
        frame.feed(format!("{NONCE}\n").as_bytes()).unwrap();
        assert!(frame.feed(&[b'x'; 1000]).is_err());
    }

    #[test]
    fn a_closing_line_with_junk_is_not_believed() {
        let junk = format!("{NONCE}\nx\n{NONCE} 0 extra\n");
        assert!(matches!(fed(&[junk.as_bytes()], 100), Err(ProgramFault::NotUnderstood)));
        let more = [wire(b"", b"x", 0), b"more".to_vec()].concat();
        assert!(matches!(fed(&[&more], 100), Err(ProgramFault::NotUnderstood)));
    }

    #[test]
    fn endless_noise_is_not_kept() {
        let mut frame = Frame::new(NONCE.into(), 100);
        let noise = vec![b'x'; NOISE_BYTES_MAX + 1];
        assert!(matches!(frame.feed(&noise), Err(ProgramFault::NotUnderstood)));
    }

    proptest! {
        #[test]
        fn any_data_in_any_pieces_comes_out_as_it_went_in(
            data in proptest::collection::vec(any::<u8>(), 0..400),
            noise in "[a-z ]{0,20}",
            exit in 0_u32..256,
            size in 1_usize..50,
        ) {
            let noise = if noise.is_empty() { noise } else { format!("{noise}\n") };
            let wire = wire(noise.as_bytes(), &data, exit);
            let pieces: Vec<&[u8]> = wire.chunks(size).collect();
            let answer = fed(&pieces, 400).unwrap().unwrap();
            prop_assert_eq!(answer, Answer { bytes: data, exit });
        }

        #[test]
        fn lines_that_look_like_markers_do_not_end_an_answer(
            lines in proptest::collection::vec(prop_oneof![
                Just("> ".to_owned()),
                Just("00112233445566778899aabbccddeefe 0".to_owned()),
                Just(String::new()),
                Just(" 00112233445566778899aabbccddeeff 0".to_owned()),
                "[ -~]{0,40}",
            ], 0..20),
        ) {
            let data = lines.join("\n");
            let answer = fed(&[&wire(b"", data.as_bytes(), 0)], 4000).unwrap().unwrap();
            prop_assert_eq!(answer.bytes, data.into_bytes());
        }
    }
}
