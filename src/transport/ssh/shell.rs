//! The kept shell: one shell on the node that reads our commands from its standard input.
//!
//! Its answers are framed (`frame`); standard error is discarded on the node. After any doubt the shell is dropped, never
//! repaired.
//!
//! A shell reads its standard input byte by byte, which costs the node more than most scripts do, and reading a script
//! as commands costs about as much again. Scripts that come again are therefore sent once, as a function or into a
//! variable of the shell, and run by its name.

use super::frame::{self, Answer, ProgramFault};
use crate::wire::request::shell_word;
use ring::digest;
use tokio::io::{AsyncRead, AsyncWrite};

/// What starts the shell: replaces the login shell, whatever that is. Where there is a bash it is taken: it reads
/// files without a process for each, so watching costs the node less. It reads no start files.
pub(super) const COMMAND: &str =
    "exec sh -c 'unset BASH_ENV; command -v bash >/dev/null 2>&1 && exec bash --norc --noprofile; exec sh'";
/// Scripts that a shell keeps; each is some kilobytes.
const SCRIPTS_MAX: usize = 16;
/// Scripts whose coming again is noticed.
const RECENT_MAX: usize = 16;

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
    pub(super) async fn run(&mut self, script: &str, place: Place, cap: usize) -> Result<Answer, ProgramFault> {
        let nonce = frame::nonce()?;
        let lines = self.lines(script, place, &nonce);
        frame::ask(&mut self.stream, &lines, nonce, cap).await
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

/// The lines that run a script, given as one word of the shell, and frame its output. It runs through `eval` and cannot
/// read the commands that follow it.
fn framed(word: &str, place: Place, nonce: &str) -> String {
    let run = match place {
        Place::Apart => format!("(eval {word})"),
        Place::Within => format!("{{ eval {word}; }}"),
    };
    format!("echo {nonce}\n{run} </dev/null 2>/dev/null\nprintf '\\n%s %d\\n' {nonce} $?\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    const NONCE: &str = "00112233445566778899aabbccddeeff";

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
        assert!(matches!(shell.run(parent, Place::Apart, 10).await, Err(ProgramFault::Ended)));
    }
}
