//! A kept conversation with HAProxy's stats socket, over any byte stream.
//!
//! `prompt` makes HAProxy keep the connection and end every answer with an empty line and `> `. One command, one
//! answer; HAProxy prints a prompt for each half of `a;b`, which would shift all later answers by one, so such a
//! command is refused. Several commands may be sent at once, each on its line: HAProxy takes them up one by one. After
//! any doubt the conversation is dropped, never repaired.

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What ends an answer: the empty line that HAProxy adds, and its prompt.
const PROMPT: &[u8] = b"\n> ";
/// Longest answer to the commands that begin a conversation: at worst HAProxy's whole help.
const GREETING_BYTES_MAX: usize = 64 * 1024;

/// Why an exchange failed. In each case but [`CliFault::NotACommand`] the conversation must be dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliFault {
    /// The command has a line break or a `;`, or is empty. Nothing was sent.
    #[error("the command is not one line without `;`")]
    NotACommand,
    /// HAProxy ended the conversation.
    #[error("HAProxy ended the conversation")]
    Ended,
    /// Reading or writing failed.
    #[error("the socket could not be read or written")]
    Io(#[source] io::Error),
    /// The answer exceeded its cap.
    #[error("the answer is longer than {cap} bytes")]
    TooLong {
        /// The cap.
        cap: usize,
    },
    /// Bytes came that belong to no question.
    #[error("HAProxy said something unasked")]
    OutOfStep,
}

/// A conversation in prompt mode.
#[derive(Debug)]
pub(super) struct HaproxyCli<S> {
    stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HaproxyCli<S> {
    /// Begins the conversation; whoever got an answer is being served. The caller bounds the time: HAProxy accepts a connection beyond its limit and then
    /// never answers.
    pub(super) async fn greet(stream: &mut S) -> Result<(), CliFault> {
        let greeting = exchange(stream, "prompt", GREETING_BYTES_MAX).await?;
        if greeting.is_empty() { Ok(()) } else { Err(CliFault::OutOfStep) }
    }

    /// Takes over a stream on which [`HaproxyCli::greet`] succeeded.
    pub(super) fn new(stream: S) -> Self {
        Self { stream }
    }

    /// The stream, for what it knows about its end.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Makes it a conversation that is kept.
    pub(super) async fn stay(&mut self) -> Result<(), CliFault> {
        // Without it HAProxy closes the connection after ten idle seconds. A socket of level `user` may refuse.
        exchange(&mut self.stream, "set timeout cli 1h", GREETING_BYTES_MAX).await.map(drop)
    }

    /// Makes it a conversation that is kept and only reads.
    pub(super) async fn settle(&mut self) -> Result<(), CliFault> {
        self.stay().await?;
        // HAProxy itself then denies every write on it, and there is no way up again. All that vakt polls is open to
        // this level. HAProxy before 1.9 does not know the word and answers with its help.
        exchange(&mut self.stream, "user", GREETING_BYTES_MAX).await.map(drop)
    }

    /// One command, one answer, without the final empty line and the prompt.
    pub(super) async fn ask(&mut self, command: &str, cap: usize) -> Result<Vec<u8>, CliFault> {
        if !is_one_command(command) {
            return Err(CliFault::NotACommand);
        }
        exchange(&mut self.stream, command, cap).await
    }

    /// Several commands, sent at once: their answers, in their order. Each has its cap.
    pub(super) async fn ask_all(&mut self, commands: &[(&str, usize)]) -> Result<Vec<Vec<u8>>, CliFault> {
        if !commands.iter().all(|(command, _)| is_one_command(command)) {
            return Err(CliFault::NotACommand);
        }
        if let [(command, cap)] = commands {
            return Ok(vec![exchange(&mut self.stream, command, *cap).await?]);
        }
        let lines: String = commands.iter().flat_map(|(command, _)| [command, "\n"]).collect();
        self.stream.write_all(lines.as_bytes()).await.map_err(CliFault::Io)?;
        self.stream.flush().await.map_err(CliFault::Io)?;
        let mut answers = Vec::with_capacity(commands.len());
        let mut received = Vec::new();
        let mut chunk = vec![0; 16 * 1024];
        for (_, cap) in commands {
            let mut scanned = 0;
            let length = loop {
                if let Some(length) = first_end(&received, scanned) {
                    break length;
                }
                if received.len() > cap.saturating_add(PROMPT.len()) {
                    return Err(CliFault::TooLong { cap: *cap });
                }
                scanned = received.len();
                let count = self.stream.read(&mut chunk).await.map_err(CliFault::Io)?;
                if count == 0 {
                    return Err(CliFault::Ended);
                }
                received.extend_from_slice(&chunk[..count]);
            };
            if length > *cap {
                return Err(CliFault::TooLong { cap: *cap });
            }
            let rest = received.split_off(length + PROMPT.len());
            received.truncate(length);
            answers.push(std::mem::replace(&mut received, rest));
        }
        if received.is_empty() { Ok(answers) } else { Err(CliFault::OutOfStep) }
    }
}

/// Whether HAProxy takes it as exactly one command.
pub(super) fn is_one_command(command: &str) -> bool {
    !command.trim().is_empty() && !command.contains([';', '\n', '\r', '\0'])
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    command: &str,
    cap: usize,
) -> Result<Vec<u8>, CliFault> {
    stream.write_all(format!("{command}\n").as_bytes()).await.map_err(CliFault::Io)?;
    stream.flush().await.map_err(CliFault::Io)?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 16 * 1024];
    loop {
        let count = stream.read(&mut chunk).await.map_err(CliFault::Io)?;
        if count == 0 {
            return Err(CliFault::Ended);
        }
        answer.extend_from_slice(&chunk[..count]);
        if let Some(length) = complete(&answer) {
            answer.truncate(length);
            return if answer.len() > cap { Err(CliFault::TooLong { cap }) } else { Ok(answer) };
        }
        if answer.len() > cap.saturating_add(PROMPT.len()) {
            return Err(CliFault::TooLong { cap });
        }
    }
}

/// Length of the answer, if what came so far ends one: the prompt follows an empty line, or is all there is.
fn complete(received: &[u8]) -> Option<usize> {
    let body = received.strip_suffix(PROMPT)?;
    (body.is_empty() || body.ends_with(b"\n")).then_some(body.len())
}

/// Length of the first answer in what came so far, of which the first `scanned` bytes end none.
fn first_end(received: &[u8], scanned: usize) -> Option<usize> {
    if received.starts_with(PROMPT) {
        return Some(0);
    }
    let from = scanned.saturating_sub(PROMPT.len() + 1);
    let found = received.get(from..)?.windows(PROMPT.len() + 1).position(|window| window == b"\n\n> ")?;
    Some(from + found + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{DuplexStream, duplex};

    /// Plays HAProxy: expects each command, sends each answer in pieces of `size`.
    async fn play(mut socket: DuplexStream, script: Vec<(String, Vec<u8>)>, size: usize) {
        for (command, answer) in script {
            let mut line = vec![0; command.len() + 1];
            socket.read_exact(&mut line).await.unwrap();
            assert_eq!(line, format!("{command}\n").into_bytes());
            for piece in answer.chunks(size) {
                socket.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        }
    }

    fn opening() -> Vec<(String, Vec<u8>)> {
        [("prompt", "\n> "), ("set timeout cli 1h", "\n> "), ("user", "Unknown command: 'user'\n\n> ")]
            .map(|(command, answer)| (command.to_owned(), answer.into()))
            .to_vec()
    }

    async fn conversation(script: Vec<(String, Vec<u8>)>, size: usize) -> HaproxyCli<DuplexStream> {
        let (mut ours, theirs) = duplex(1 << 20);
        tokio::spawn(play(theirs, [opening(), script].concat(), size));
        HaproxyCli::greet(&mut ours).await.unwrap();
        let mut cli = HaproxyCli::new(ours);
        cli.settle().await.unwrap();
        cli
    }

    #[tokio::test]
    async fn answers_come_without_prompt_and_empty_line() {
        let script = vec![
            ("show info".into(), b"Name: HAProxy\nPid: 7\n\n> ".to_vec()),
            ("set weight x/y 1".into(), b"\n> ".to_vec()),
            ("nonsense".into(), b"Unknown command: 'nonsense'\n\n> ".to_vec()),
        ];
        let mut cli = conversation(script, 3).await;
        assert_eq!(cli.ask("show info", 1000).await.unwrap(), b"Name: HAProxy\nPid: 7\n");
        assert_eq!(cli.ask("set weight x/y 1", 1000).await.unwrap(), b"");
        assert_eq!(cli.ask("nonsense", 1000).await.unwrap(), b"Unknown command: 'nonsense'\n");
    }

    /// Plays a HAProxy that gets several commands at once.
    async fn answers(text: &'static [u8], size: usize, caps: [usize; 3]) -> Result<Vec<Vec<u8>>, CliFault> {
        let mut cli = conversation(vec![("a\nb\nc".into(), text.to_vec())], size).await;
        cli.ask_all(&[("a", caps[0]), ("b", caps[1]), ("c", caps[2])]).await
    }

    #[tokio::test]
    async fn several_commands_at_once_have_each_its_answer() {
        let text = b"Name: HAProxy\n> x\n\n> \n> Unknown command: 'c'\n\n> ";
        for size in [1, 2, 3, 5, 7, 100] {
            let expected: [&[u8]; 3] = [b"Name: HAProxy\n> x\n", b"", b"Unknown command: 'c'\n"];
            assert_eq!(answers(text, size, [100; 3]).await.unwrap(), expected, "{size}");
        }
        assert!(matches!(answers(text, 9, [3, 100, 100]).await, Err(CliFault::TooLong { cap: 3 })));
        assert!(matches!(answers(text, 9, [100, 100, 3]).await, Err(CliFault::TooLong { cap: 3 })));
        assert!(matches!(answers(b"x\n\n> y\n", 9, [100; 3]).await, Err(CliFault::Ended)));
        assert!(matches!(answers(b"\n> \n> \n> more", 100, [100; 3]).await, Err(CliFault::OutOfStep)));
        let mut cli = conversation(Vec::new(), 9).await;
        assert!(matches!(cli.ask_all(&[("a", 9), ("b;c", 9)]).await, Err(CliFault::NotACommand)));
    }

    #[tokio::test]
    async fn a_prompt_inside_a_line_ends_nothing() {
        let script = vec![("show stat".into(), b"a> \nb\n> c\n\n> ".to_vec())];
        let mut cli = conversation(script, 1).await;
        // `\n> c` has the prompt at a line start, but no empty line before it.
        assert_eq!(cli.ask("show stat", 1000).await.unwrap(), b"a> \nb\n> c\n");
    }

    #[tokio::test]
    async fn two_commands_in_one_are_refused_and_nothing_is_sent() {
        let (ours, mut theirs) = duplex(1000);
        let mut cli = HaproxyCli::new(ours);
        for command in ["show info;show stat", "show info\nshow stat", "", "  ", "a\rb", "a\0b"] {
            assert!(matches!(cli.ask(command, 10).await, Err(CliFault::NotACommand)), "{command:?}");
        }
        drop(cli);
        let mut sent = Vec::new();
        theirs.read_to_end(&mut sent).await.unwrap();
        assert!(sent.is_empty());
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_off() {
        let script = vec![("show stat".into(), [vec![b'x'; 5000], b"\n\n> ".to_vec()].concat())];
        let mut cli = conversation(script, 4096).await;
        assert!(matches!(cli.ask("show stat", 1000).await, Err(CliFault::TooLong { cap: 1000 })));
    }

    #[tokio::test]
    async fn the_end_of_the_conversation_is_an_error() {
        let script = vec![("show stat".into(), b"half".to_vec())];
        let mut cli = conversation(script, 4096).await;
        assert!(matches!(cli.ask("show stat", 1000).await, Err(CliFault::Ended)));
    }

    #[tokio::test]
    async fn a_greeting_that_is_no_prompt_is_out_of_step() {
        let (mut ours, theirs) = duplex(1000);
        tokio::spawn(play(theirs, vec![("prompt".into(), b"hello\n\n> ".to_vec())], 100));
        assert!(matches!(HaproxyCli::greet(&mut ours).await, Err(CliFault::OutOfStep)));
    }

    proptest! {
        #[test]
        fn any_lines_in_any_pieces_come_out_as_they_went_in(
            lines in proptest::collection::vec("[ -~]{1,30}", 0..30),
            size in 1_usize..64,
        ) {
            let body: String = lines.iter().flat_map(|line| [line, "\n"]).collect();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let answer = runtime.block_on(async {
                let wire = [body.as_bytes(), b"\n> "].concat();
                let mut cli = conversation(vec![("show stat".into(), wire)], size).await;
                cli.ask("show stat", 10_000).await.unwrap()
            });
            prop_assert_eq!(answer, body.into_bytes());
        }
    }
}
