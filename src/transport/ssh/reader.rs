//! The kept reader: a Perl on the node that runs our programs, where there is a Perl.
//!
//! What watching costs a node is mostly its shell: a bash allocates for every word and opens every file by its path, a
//! millisecond for what takes a Perl a fifth of it, with files that stay open and one write for an answer. Nothing is installed
//! for it; where there is no Perl, or a program fails in it, the shell does the same. After any doubt the reader is dropped,
//! never repaired.

use super::frame::{self, Answer, ProgramFault};
use ring::digest;
use tokio::io::{AsyncRead, AsyncWrite};

/// What it runs.
const PROGRAM: &str = include_str!("reader.pl");
/// Programs that a reader keeps; each is some kilobytes.
const PROGRAMS_MAX: usize = 16;

/// What starts the reader, one line that any login shell takes as it is: a Perl that reads its program first. No variable of
/// the login changes what it does.
pub(super) fn command() -> String {
    format!(
        r#"exec sh -c 'unset PERL5OPT PERL5LIB PERL_UNICODE PERLIO; LC_ALL=C; export LC_ALL; command -v perl >/dev/null 2>&1 && exec perl -e "while(length(\$b)<\$ARGV[0]){{sysread(STDIN,\$b,\$ARGV[0]-length(\$b),length(\$b))or exit}}eval\$b" {}; exit 127'"#,
        PROGRAM.len()
    )
}

/// A running reader.
#[derive(Debug)]
pub(super) struct Reader<S> {
    stream: S,
    is_told: bool,
    /// SHA-256 of the programs that it holds.
    kept: Vec<[u8; 32]>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// Takes over the stream of a reader that was started by [`command`].
    pub(super) fn new(stream: S) -> Self {
        Self { stream, is_told: false, kept: Vec::new() }
    }

    /// The stream, for what it knows about its end.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Runs `program`, which is not empty, and reads its answer, whose exit is 0 unless the program failed. The caller bounds the time, and drops
    /// the reader on any error.
    pub(super) async fn run(&mut self, program: &str, cap: usize) -> Result<Answer, ProgramFault> {
        let nonce = frame::nonce()?;
        let order = self.order(program, &nonce);
        frame::ask(&mut self.stream, &order, nonce, cap).await
    }

    /// The reader itself before the first order, and the program with its first one.
    fn order(&mut self, program: &str, nonce: &str) -> String {
        let mut id = [0; 32];
        id.copy_from_slice(digest::digest(&digest::SHA256, program.as_bytes()).as_ref());
        let known = self.kept.iter().position(|kept| *kept == id);
        let order = if let Some(number) = known {
            format!("{nonce} {number} 0\n")
        } else {
            if self.kept.len() >= PROGRAMS_MAX {
                self.kept.pop();
            }
            self.kept.push(id);
            format!("{nonce} {} {}\n{program}", self.kept.len() - 1, program.len())
        };
        if std::mem::replace(&mut self.is_told, true) { order } else { format!("{PROGRAM}{order}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    /// A real one on this machine, through pipes, started as on a node.
    fn local() -> (tokio::process::Child, Reader<impl AsyncRead + AsyncWrite + Unpin>) {
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", &command()])
            .env("PERL5OPT", "-Mno_such_module")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let stream = tokio::io::join(child.stdout.take().unwrap(), child.stdin.take().unwrap());
        (child, Reader::new(stream))
    }

    #[tokio::test]
    async fn a_real_reader_survives_what_programs_do() {
        let (_child, mut reader) = local();
        for (program, bytes, exit) in [
            (r#"$o .= "one\n"; warn "two";"#, &b"one\n"[..], 0),
            ("die", b"", 1),
            ("this is (no Perl", b"", 1),
            ("$o .= <STDIN> if 0; $o = \"\\x00\\xff\\n\\n\";", b"\0\xff\n\n", 0),
            ("$n++; $o .= $n;", b"1", 0),
            ("$n++; $o .= $n;", b"2", 0),
            ("$n++; $o .= $n;", b"3", 0),
        ] {
            let answer = reader.run(program, 30_000).await.unwrap();
            assert_eq!((answer.exit, answer.bytes.len()), (exit, bytes.len()), "{program}");
            assert!(answer.bytes == bytes, "{program}");
        }
        // Longer than a pipe holds.
        let answer = reader.run("$o .= 'x' x 200_000;", 300_000).await.unwrap();
        assert!(answer.bytes.len() == 200_000 && answer.bytes.iter().all(|byte| *byte == b'x'));
    }

    #[tokio::test]
    async fn a_program_is_sent_once_and_not_kept_without_end() {
        let (_child, mut reader) = local();
        for round in 0..2 {
            for number in 0..PROGRAMS_MAX + 3 {
                let answer = reader.run(&format!("$o .= 'program {number}';"), 100).await.unwrap();
                assert_eq!(answer.bytes, format!("program {number}").as_bytes(), "{round}");
            }
        }
        assert_eq!(reader.kept.len(), PROGRAMS_MAX);
        assert_eq!(reader.order("$o .= 'program 3';", "n"), "n 3 0\n");
    }

    #[tokio::test]
    async fn a_reader_that_ends_or_was_never_there_is_an_error() {
        let (_child, mut reader) = local();
        assert!(matches!(reader.run("exit", 10).await, Err(ProgramFault::Ended)));
        let stream = tokio::io::join(&b""[..], Vec::new());
        assert!(matches!(Reader::new(stream).run("1", 10).await, Err(ProgramFault::Ended)));
    }
}
