//! The kept shell: one shell on the node that reads our commands from its standard input.
//!
//! Every answer stands between two lines that carry a fresh 128-bit random number, so no line of data can be taken
//! for the end of an answer, and noise of login files before the first answer is skipped. Standard error is
//! discarded on the node. After any doubt the shell is dropped, never repaired.
//!
//! A shell reads its standard input byte by byte, which costs the node more than most scripts do, and reading a script
//! as commands costs about as much again. Scripts that come again are therefore sent once, as a function or into a
//! variable of the shell, and run by its name.

use crate::wire::request::shell_word;
use ring::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use std::{fmt::Write as _, io};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What starts the shell: replaces the login shell, whatever that is. Where there is a bash it is taken: it reads
/// files without a process for each, so watching costs the node less. It reads no start files.
pub(super) const COMMAND: &str =
    "exec sh -c 'unset BASH_ENV; command -v bash >/dev/null 2>&1 && exec bash --norc --noprofile; exec sh'";
/// Noise (login files, `/etc/motd`) that is skipped before an answer begins.
const NOISE_BYTES_MAX: usize = 256 * 1024;
/// Scripts that a shell keeps; each is some kilobytes.
const SCRIPTS_MAX: usize = 16;
/// Scripts whose coming again is noticed.
const RECENT_MAX: usize = 16;

/// Why an exchange with the shell failed. In each case the shell must be dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum ShellFault {
    /// The shell ended or the connection did.
    #[error("the shell on the node ended")]
    Ended,
    /// Reading or writing failed.
    #[error("the shell on the node could not be reached")]
    Io(#[source] io::Error),
    /// The answer exceeded its cap.
    #[error("the answer is longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
    /// What came was no answer of the shell.
    #[error("the shell's answer was not understood")]
    NotUnderstood,
    /// No random number could be had.
    #[error("the operating system gave no random numbers")]
    NoRandom,
}

/// Where a script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a subshell: an `exit`, a `cd` or a syntax error in it does not reach the kept shell.
    Apart,
    /// In the kept shell itself, which saves a process: for what leaves nothing but the same variables behind.
    Within,
}

/// A running shell.
#[derive(Debug)]
pub(super) struct Shell<S> {
    stream: S,
    /// Which scripts its functions and variables `vakt_0`, `vakt_1`, … hold.
    kept: Vec<ScriptId>,
    /// Which others it ran.
    recent: Vec<ScriptId>,
}

/// SHA-256 of a script, for thousands of shells need not hold the same texts, and where it runs.
type ScriptId = ([u8; 32], Place);

/// Runs a kept function in the shell itself and frames its output: its arguments are the random number and the
/// function's own number.
const RUN_WITHIN: &str = r"vakt_w() { echo $1; vakt_$2 </dev/null 2>/dev/null; printf '\n%s %d\n' $1 $?; }";

/// A complete answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) bytes: Vec<u8>,
    pub(super) exit: u32,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shell<S> {
    /// Takes over the stream of a started shell.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, kept: Vec::new(), recent: Vec::new() }
    }

    /// The stream, for what it knows about its end.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Runs `script` and reads its answer. The caller bounds the time, and drops the shell on any error.
    pub(super) async fn run(&mut self, script: &str, place: Place, cap: usize) -> Result<Answer, ShellFault> {
        let nonce = nonce()?;
        let lines = self.lines(script, place, &nonce);
        self.stream.write_all(lines.as_bytes()).await.map_err(ShellFault::Io)?;
        self.stream.flush().await.map_err(ShellFault::Io)?;
        let mut frame = Frame::new(nonce, cap);
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let count = self.stream.read(&mut chunk).await.map_err(ShellFault::Io)?;
            if count == 0 {
                return Err(ShellFault::Ended);
            }
            if let Some(answer) = frame.feed(&chunk[..count])? {
                return Ok(answer);
            }
        }
    }
}

impl<S> Shell<S> {
    /// The lines that run a script. When it comes for the second time the shell is told to keep it, then its name is
    /// enough. What runs in the shell itself becomes a function, which is read as commands only once; what runs apart
    /// may be no commands at all, and stays a text until then.
    fn lines(&mut self, script: &str, place: Place, nonce: &str) -> String {
        let by_name = |index| match place {
            Place::Within => format!("vakt_w {nonce} {index}\n"),
            Place::Apart => framed(&format!("\"$vakt_{index}\""), place, nonce),
        };
        let mut id = ([0; 32], place);
        id.0.copy_from_slice(digest::digest(&digest::SHA256, script.as_bytes()).as_ref());
        if let Some(index) = self.kept.iter().position(|kept| *kept == id) {
            return by_name(index);
        }
        if self.kept.len() < SCRIPTS_MAX && self.recent.contains(&id) {
            let index = self.kept.len();
            self.kept.push(id);
            let keeping = match place {
                Place::Within => format!("{RUN_WITHIN}\nvakt_{index}() {{ {script}\n}}"),
                Place::Apart => format!("vakt_{index}={}", shell_word(script)),
            };
            return format!("{keeping}\n{}", by_name(index));
        }
        if self.recent.len() >= RECENT_MAX {
            self.recent.remove(0);
        }
        self.recent.push(id);
        framed(&shell_word(script), place, nonce)
    }
}

/// 128 random bits in hexadecimal.
fn nonce() -> Result<String, ShellFault> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| ShellFault::NoRandom)?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The lines that run a script, given as one word of the shell, and frame its output. It runs through `eval` and cannot
/// read the commands that follow it.
fn framed(word: &str, place: Place, nonce: &str) -> String {
    let run = match place {
        Place::Apart => format!("(eval {word})"),
        Place::Within => format!("{{ eval {word}; }}"),
    };
    format!("echo {nonce}\n{run} </dev/null 2>/dev/null\nprintf '\\n%s %d\\n' {nonce} $?\n")
}

/// Finds one answer in the bytes of the shell.
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

    /// Takes bytes; `Some` when the answer is complete. Nothing may follow it: the shell waits for a command.
    fn feed(&mut self, bytes: &[u8]) -> Result<Option<Answer>, ShellFault> {
        self.buffer.extend_from_slice(bytes);
        while let Some(found) = self.buffer[self.scanned..].iter().position(|&byte| byte == b'\n') {
            let end = self.scanned + found;
            let after = end + 1;
            if self.begun {
                if let Some(exit) = self.closing(self.line, end)? {
                    if after != self.buffer.len() {
                        return Err(ShellFault::NotUnderstood);
                    }
                    // The line break before the closing line is ours.
                    self.buffer.truncate(self.line.saturating_sub(1));
                    if self.buffer.len() > self.cap {
                        return Err(ShellFault::TooLong { cap: self.cap });
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
    fn closing(&self, start: usize, end: usize) -> Result<Option<u32>, ShellFault> {
        let Some(rest) = self.buffer[start..end].strip_prefix(self.nonce.as_bytes()) else { return Ok(None) };
        let status =
            std::str::from_utf8(rest).ok().and_then(|text| text.strip_prefix(' ')).and_then(|n| n.parse().ok());
        // Our own random number in any other shape: the framing is broken.
        status.map(Some).ok_or(ShellFault::NotUnderstood)
    }

    /// The buffer may hold the answer, the line break that is ours and the closing line.
    fn within_cap(&self) -> Result<Option<Answer>, ShellFault> {
        let (max, fault) = if self.begun {
            (self.cap.saturating_add(self.nonce.len() + 16), ShellFault::TooLong { cap: self.cap })
        } else {
            (NOISE_BYTES_MAX, ShellFault::NotUnderstood)
        };
        if self.buffer.len() > max { Err(fault) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Stdio;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

    fn fed(pieces: &[&[u8]], cap: usize) -> Result<Option<Answer>, ShellFault> {
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
        assert!(matches!(fed(&[&wire(b"", &[b'x'; 200], 0)], 100), Err(ShellFault::TooLong { cap: 100 })));
        assert!(fed(&[&wire(b"", &[b'x'; 100], 0)], 100).unwrap().is_some());
        let mut frame = Frame::new(NONCE.into(), 100);
        frame.feed(format!("{NONCE}\n").as_bytes()).unwrap();
        assert!(frame.feed(&[b'x'; 1000]).is_err());
    }

    #[test]
    fn a_closing_line_with_junk_is_not_believed() {
        let junk = format!("{NONCE}\nx\n{NONCE} 0 extra\n");
        assert!(matches!(fed(&[junk.as_bytes()], 100), Err(ShellFault::NotUnderstood)));
        let more = [wire(b"", b"x", 0), b"more".to_vec()].concat();
        assert!(matches!(fed(&[&more], 100), Err(ShellFault::NotUnderstood)));
    }

    #[test]
    fn endless_noise_is_not_kept() {
        let mut frame = Frame::new(NONCE.into(), 100);
        let noise = vec![b'x'; NOISE_BYTES_MAX + 1];
        assert!(matches!(frame.feed(&noise), Err(ShellFault::NotUnderstood)));
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

    /// A real `sh` on this machine, through pipes.
    fn local_shell() -> (tokio::process::Child, Shell<impl AsyncRead + AsyncWrite + Unpin>) {
        let mut child = tokio::process::Command::new("sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (child, Shell::new(stream))
    }

    #[tokio::test]
    async fn a_real_shell_survives_what_scripts_do() {
        let (_child, mut shell) = local_shell();
        for (script, bytes, exit) in [
            ("echo one; echo two >&2", &b"one\n"[..], 0),
            ("exit 3", b"", 3),
            ("if then fi (", b"", 2),
            ("cat", b"", 0),
            ("cd /; X=1; printf 'it'\"'\"'s'", b"it's", 0),
            ("echo \"[$X]\"", b"[]\n", 0),
            ("true", b"", 0),
        ] {
            // As it is, to be kept, by its name.
            for _ in 0..3 {
                let answer = shell.run(script, Place::Apart, 1000).await.unwrap();
                assert_eq!((answer.bytes.as_slice(), answer.exit), (bytes, exit), "{script}");
            }
        }
    }

    #[tokio::test]
    async fn what_comes_again_is_sent_once_more_and_not_without_end() {
        let (_child, mut shell) = local_shell();
        let script = "echo a long script";
        assert!(shell.lines(script, Place::Apart, NONCE).contains("(eval 'echo a long script')"));
        assert!(shell.lines(script, Place::Apart, NONCE).starts_with("vakt_0='echo a long script'\n"));
        assert!(!shell.lines(script, Place::Apart, NONCE).contains("long"));
        assert!(shell.lines(script, Place::Within, NONCE).contains("{ eval 'echo a long script'; }"));
        assert!(shell.lines(script, Place::Within, NONCE).contains("vakt_1() { echo a long script\n}\n"));
        assert_eq!(shell.lines(script, Place::Within, NONCE), format!("vakt_w {NONCE} 1\n"));
        shell.kept.clear();
        for number in 1..=SCRIPTS_MAX + 3 {
            for _ in 0..3 {
                let answer = shell.run(&format!("echo {number}"), Place::Apart, 100).await.unwrap();
                assert_eq!(answer.bytes, format!("{number}\n").as_bytes());
            }
        }
        assert_eq!((shell.kept.len(), shell.recent.len()), (SCRIPTS_MAX, RECENT_MAX));
    }

    #[tokio::test]
    async fn what_runs_within_makes_no_process_and_reads_no_command() {
        let (_child, mut shell) = local_shell();
        for round in 1..=4 {
            let script = "n=$((${n:-0} + 1)); set -- $n it\\'s; echo $1; cat; echo x >&2; false";
            let answer = shell.run(script, Place::Within, 100).await.unwrap();
            assert_eq!((answer.bytes, answer.exit), (format!("{round}\n").into_bytes(), 1));
        }
        let answer = shell.run("echo $n", Place::Within, 100).await.unwrap();
        assert_eq!(answer.bytes, b"4\n", "the shell itself ran it");
    }

    #[tokio::test]
    async fn a_shell_that_ends_is_an_error() {
        let (_child, mut shell) = local_shell();
        let parent = "kill $$";
        assert!(matches!(shell.run(parent, Place::Apart, 10).await, Err(ShellFault::Ended)));
    }
}
