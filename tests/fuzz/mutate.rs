//! Ways to spoil an answer.

/// The hostile matrix: what has no business in an answer.
pub(super) const PAYLOADS: &[&[u8]] = &[
    // What a terminal would obey.
    b"\x1b[2J\x1b[6n",
    b"\x1b]0;title\x07\x1b]8;;http://x\x1b\\\x1b]52;c;AAAA\x07",
    b"\x1bP1$r\x1b\\\x1b_x\x1b\\\x9b1m\x9d0;x\x9c",
    b"\r\x08\x0b\x0c\x7f",
    // Rows that are none.
    b"\n# pxname,svname,\n",
    b"\n=== status\n/proc/stat:cpu  1 2 3 4\n",
    b"\n> \n",
    // Other directions, no width, no end.
    "\u{202e}\u{2066}\u{200b}\u{e0041}\u{feff}".as_bytes(),
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}👩\u{200d}👩\u{200d}👧".as_bytes(),
    b"\xff\xfe\xc0\xaf\xed\xa0\x80\x00",
    // Numbers.
    b"18446744073709551616",
    b"-9223372036854775809",
    b"-1",
    b"NaN",
    b"1e999",
    b"1,5",
    b"99999999999999999999999999999999999999999999",
    b"0x",
    // Structure.
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{\"a\":{\"a\":{\"a\":{\"a\":",
    b"<!DOCTYPE x [<!ENTITY a \"&b;&b;\">]><a><a><a>",
    b",,,,,,,,,,,,,,,,,,,,",
    b"\"\"\"\n\n",
    b"((((((((",
    b"\\",
    b"%00",
    // Words for a shell.
    b"; $(reboot) `reboot` --help ../../etc/passwd 'x' \"y\"",
    b" ",
    b"\t",
    b"\n\n\n\n",
];

/// Random numbers from a seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        // xorshift64*: enough to visit everything, and the same everywhere.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % end
    }
}

/// Bytes of one reply at most: small answers are many answers.
const REPLY_BYTES_MAX: usize = 1500;

/// Part of an answer, spoilt in one to four places.
pub(super) fn spoilt(seed: &[Vec<u8>], random: &mut Random) -> Vec<Vec<u8>> {
    let mut replies: Vec<Vec<u8>> = seed.iter().map(|reply| part(reply, random)).collect();
    if replies.is_empty() {
        return replies;
    }
    for _ in 0..=random.below(4) {
        let index = random.below(replies.len());
        spoil(&mut replies[index], random);
    }
    // Fewer or more answers than questions.
    match random.below(40) {
        0 => drop(replies.pop()),
        1 => replies.push(b"once more\n".to_vec()),
        _ => {}
    }
    replies
}

/// The first line, which often names the columns, and some lines from anywhere.
fn part(reply: &[u8], random: &mut Random) -> Vec<u8> {
    if reply.len() <= REPLY_BYTES_MAX {
        return reply.to_vec();
    }
    let first = reply.iter().position(|byte| *byte == b'\n').map_or(0, |end| (end + 1).min(REPLY_BYTES_MAX));
    let start = first + random.below(reply.len() - first);
    let line = reply[start..].iter().position(|byte| *byte == b'\n').map_or(start, |end| start + end + 1);
    let length = 1 + random.below(REPLY_BYTES_MAX);
    let end = (line + length).min(reply.len());
    [&reply[..first], &reply[line.min(end)..end]].concat()
}

fn spoil(reply: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(reply.len() + 1);
    let until = (at + random.below(24)).min(reply.len());
    match random.below(9) {
        0 => put(reply, at, PAYLOADS[random.below(PAYLOADS.len())]),
        1 => drop(reply.drain(at..until)),
        2 => reply.truncate(at),
        3 => {
            let again = reply[at..until].to_vec();
            put(reply, at, &again);
        }
        4 | 5 => {
            if let Some(number) = number_near(reply, at) {
                drop(reply.drain(number.clone()));
                put(reply, number.start, PAYLOADS[10 + random.below(8)]);
            }
        }
        6 => exchange_fields(reply, at),
        _ => {
            if let Some(byte) = reply.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// Puts bytes into an answer.
pub(super) fn put(reply: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    drop(reply.splice(at..at, bytes.iter().copied()));
}

/// The digits at or behind a position.
fn number_near(reply: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let start = at + reply[at..].iter().position(u8::is_ascii_digit)?;
    let end = start + reply[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    Some(start..end)
}

/// Two neighbouring fields change places.
fn exchange_fields(reply: &mut [u8], at: usize) {
    let separator = |byte: &u8| matches!(byte, b',' | b' ' | b'\t' | b':' | b'=');
    let Some(first) = reply[at..].iter().position(separator).map(|offset| at + offset) else { return };
    let Some(length) = reply[first + 1..].iter().position(separator) else { return };
    let start = first - reply[..first].iter().rev().take_while(|byte| !separator(byte)).count();
    reply[start..first + 1 + length].rotate_left(first - start + 1);
}
