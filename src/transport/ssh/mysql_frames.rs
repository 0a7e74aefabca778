//! What a database server may send through the bridge: the client library trusts lengths that a server names, so they
//! are looked at before they reach it.
//!
//! Frames have a length, a number and a payload. The first payload after something was sent is a head: a refusal, an
//! acknowledgement, or how many columns follow; while logging in every payload is one. Deliberately absent: whatever
//! else a frame says.

use crate::model::text::Clean;

/// Longest frame: a set of transactions is one.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024 + 64 * 1024;
/// Columns of an answer; `show all slaves status` has about 60.
const COLUMNS_MAX: u16 = 512;
/// What is kept of a head: the name of a login method fits.
const HEAD_BYTES_MAX: usize = 64;
/// Login methods that are understood. Others never reach the library.
const METHODS: [&str; 3] = ["mysql_native_password", "caching_sha2_password", "client_ed25519"];
/// What a login takes, and the setting up of a session.
const LOGIN_BUDGET_BYTES: usize = 64 * 1024;

/// Why the bridge was closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FrameFault {
    /// More than the answer may have.
    #[error("the answer is longer than it may be")]
    TooLong,
    /// Not the protocol.
    #[error("what it says is not the protocol of MySQL")]
    NotMysql,
    /// It wants a login method that vakt does not know.
    #[error("it wants a login by {0}, which vakt does not know")]
    Method(Clean),
}

/// Follows the frames of one connection.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that has happened on the connection")]
pub(super) struct Frames {
    header: [u8; 4],
    header_length: usize,
    /// Of the current payload: what is still to come, and its beginning.
    remaining: usize,
    head: Vec<u8>,
    head_wanted: usize,
    is_logged_in: bool,
    is_greeted: bool,
    has_switched: bool,
    /// The next payload is a head.
    awaits_head: bool,
    /// Bytes that may still come.
    budget: usize,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            header: [0; 4],
            header_length: 0,
            remaining: 0,
            head: Vec::new(),
            head_wanted: 0,
            is_logged_in: false,
            is_greeted: false,
            has_switched: false,
            awaits_head: true,
            budget: LOGIN_BUDGET_BYTES,
        }
    }
}

impl Frames {
    /// Something was sent to the server.
    pub(super) fn sent(&mut self) {
        self.awaits_head = true;
    }

    /// From here on so many bytes may come.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.budget = bytes;
    }

    /// Whether the server has accepted the login.
    pub(super) fn is_logged_in(&self) -> bool {
        self.is_logged_in
    }

    /// Bytes of the server, before they reach the client.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), FrameFault> {
        self.budget = self.budget.checked_sub(bytes.len()).ok_or(FrameFault::TooLong)?;
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.remaining == 0 {
                rest = self.take_header(rest)?;
                continue;
            }
            let taken = self.remaining.min(rest.len());
            let missing = self.head_wanted - self.head.len();
            self.head.extend_from_slice(&rest[..taken.min(missing)]);
            self.remaining -= taken;
            rest = &rest[taken..];
            if self.head_wanted > 0 && self.head.len() == self.head_wanted {
                self.head_wanted = 0;
                let head = std::mem::take(&mut self.head);
                self.judge(&head)?;
            }
        }
        Ok(())
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], FrameFault> {
        let taken = (4 - self.header_length).min(bytes.len());
        self.header[self.header_length..self.header_length + taken].copy_from_slice(&bytes[..taken]);
        self.header_length += taken;
        if self.header_length == 4 {
            self.header_length = 0;
            let [a, b, c, _] = self.header;
            self.remaining = u32::from_le_bytes([a, b, c, 0]) as usize;
            if self.remaining == 0 {
                return Err(FrameFault::NotMysql);
            }
            if self.remaining > FRAME_BYTES_MAX || (!self.is_logged_in && self.remaining > LOGIN_BUDGET_BYTES) {
                return Err(if self.is_logged_in { FrameFault::TooLong } else { FrameFault::NotMysql });
            }
            let is_head = self.awaits_head || !self.is_logged_in;
            self.head_wanted = if is_head { self.remaining.min(HEAD_BYTES_MAX) } else { 0 };
            self.head.clear();
        }
        Ok(&bytes[taken..])
    }

    fn judge(&mut self, head: &[u8]) -> Result<(), FrameFault> {
        self.awaits_head = false;
        let first = *head.first().ok_or(FrameFault::NotMysql)?;
        if self.is_logged_in {
            return match (first, head) {
                (0..=0xfa | 0xff, _) => Ok(()),
                (0xfc, [_, low, high, ..]) if u16::from_le_bytes([*low, *high]) <= COLUMNS_MAX => Ok(()),
                (0xfc..=0xfe, _) => Err(FrameFault::TooLong),
                // A server may ask for a file of the client's.
                (0xfb, _) => Err(FrameFault::NotMysql),
            };
        }
        if !self.is_greeted {
            self.is_greeted = true;
            return if matches!(first, 0x0a | 0xff) { Ok(()) } else { Err(FrameFault::NotMysql) };
        }
        match first {
            0x00 => self.is_logged_in = true,
            0x01 | 0xff => {}
            0xfe => return self.switch(&head[1..]),
            _ => return Err(FrameFault::NotMysql),
        }
        Ok(())
    }

    fn switch(&mut self, head: &[u8]) -> Result<(), FrameFault> {
        let name = head.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() || self.has_switched {
            return Err(FrameFault::NotMysql);
        }
        self.has_switched = true;
        if METHODS.iter().any(|method| method.as_bytes() == name) {
            Ok(())
        } else {
            Err(FrameFault::Method(Clean::line_from_bytes(name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
        [&length[..3], &[1], payload].concat()
    }

    fn logged_in() -> Frames {
        let mut frames = Frames::default();
        frames.take(&frame(b"\x0a10.11\0greeting")).unwrap();
        frames.sent();
        frames.take(&frame(&[0, 0, 0, 2, 0, 0, 0])).unwrap();
        assert!(frames.is_logged_in());
        frames.allow(1 << 20);
        frames.sent();
        frames
    }

    #[test]
    fn an_honest_answer_passes_in_any_pieces() {
        let answer = [frame(&[2]), frame(b"column"), frame(&[0xfe, 0, 0, 2, 0]), frame(&[0xfd; 300])].concat();
        for size in 1..40 {
            let mut frames = logged_in();
            assert!(answer.chunks(size).all(|chunk| frames.take(chunk).is_ok()), "{size}");
        }
    }

    #[test]
    fn invariant_8_lengths_that_would_take_memory_do_not_pass() {
        for (payload, fault) in [
            (vec![0xfe; 9], FrameFault::TooLong),
            (vec![0xfd, 255, 255, 255], FrameFault::TooLong),
            (vec![0xfc, 255, 255], FrameFault::TooLong),
            (b"\xfb/etc/passwd".to_vec(), FrameFault::NotMysql),
        ] {
            assert_eq!(logged_in().take(&frame(&payload)), Err(fault), "{payload:?}");
        }
        assert_eq!(logged_in().take(&[0, 0, 0, 1]), Err(FrameFault::NotMysql));
        assert_eq!(logged_in().take(&[255, 255, 255, 1]), Err(FrameFault::TooLong));
        let mut frames = logged_in();
        frames.allow(100);
        assert_eq!(frames.take(&[0; 101]), Err(FrameFault::TooLong));
    }

    #[test]
    fn only_known_ways_to_log_in_pass_and_only_one_change_of_them() {
        let switch =
            |name: &str| frame(format!("\u{fe}{name}\0salt").chars().map(|c| c as u8).collect::<Vec<_>>().as_slice());
        let greeted = || {
            let mut frames = Frames::default();
            frames.take(&frame(b"\x0agreeting")).unwrap();
            frames
        };
        let mut frames = greeted();
        frames.take(&switch("mysql_native_password")).unwrap();
        assert_eq!(frames.take(&switch("client_ed25519")), Err(FrameFault::NotMysql));
        for method in ["mysql_clear_password", "dialog", "parsec"] {
            assert_eq!(greeted().take(&switch(method)), Err(FrameFault::Method(method.into())));
        }
        assert_eq!(greeted().take(&frame(&[0xfe])), Err(FrameFault::NotMysql), "the old password of 4.0");
        assert_eq!(Frames::default().take(&frame(b"SSH-2.0-x")), Err(FrameFault::NotMysql));
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..20), login in any::<bool>()
        ) {
            let mut frames = if login { logged_in() } else { Frames::default() };
            for chunk in chunks {
                if frames.take(&chunk).is_err() {
                    break;
                }
                prop_assert!(frames.head.len() <= HEAD_BYTES_MAX);
                frames.sent();
            }
        }
    }
}
