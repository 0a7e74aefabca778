//! The command that leads writes, run on this machine (`wire::hook`): no shell, nothing on its standard input, an
//! environment of a few plain variables, a bounded time, and of what it prints a bounded part. Only the executor asks it.

use super::{Answer, Connections, Permit, Sent, WritingConnections};
use crate::{
    model::{ids::NodeName, text::Clean, trouble::Trouble},
    wire::{
        hook::{NOT_STARTED, SILENT},
        request::{Access, Call, Reply, Request},
    },
};
use futures::future::BoxFuture;
use rustix::process::{Pid, Signal, kill_process_group};
use std::{os::unix::process::ExitStatusExt, process::Stdio, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{Instant, timeout},
};

/// What of vakt's environment the command sees. Passwords stand in other variables.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "USER", "LOGNAME", "LANG"];
/// Longest wait for the rest of what an ended command printed: one of its own processes may hold the pipe open.
const REST_WAIT: Duration = Duration::from_millis(100);
/// Read at once.
const CHUNK_BYTES: usize = 4 * 1024;
/// What a shell adds to the number of the signal that ended a process.
const BY_SIGNAL: i32 = 128;

/// Connections of a run, with the command beside the nodes.
#[derive(Debug)]
pub struct WithHook {
    nodes: Arc<dyn WritingConnections>,
    read_only: bool,
}

impl WithHook {
    /// Over these. Read-only ones start the command to look and for nothing else.
    pub fn over(nodes: Arc<dyn WritingConnections>, read_only: bool) -> Arc<dyn WritingConnections> {
        Arc::new(Self { nodes, read_only })
    }
}

impl Connections for WithHook {
    fn call<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        match &request.call {
            Call::Hook { argv } if request.access == Access::Read => {
                Box::pin(async move { Ok(look(argv, request).await) })
            }
            _ => self.nodes.call(node, request),
        }
    }

    fn answer(&self, node: &NodeName, question: u64, answer: Answer) {
        self.nodes.answer(node, question, answer);
    }

    fn reconnect(&self, node: &NodeName) {
        self.nodes.reconnect(node);
    }

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        self.nodes.shutdown()
    }
}

impl WritingConnections for WithHook {
    fn send<'a>(&'a self, node: &'a NodeName, request: &'a Request, permit: Permit) -> BoxFuture<'a, Sent> {
        match &request.call {
            Call::Hook { argv } => Box::pin(async move {
                if self.read_only || request.access != Access::Write {
                    return Sent::NotSent(Clean::line(&format!("vakt is read-only; not started: {request}")));
                }
                tracing::info!(record = permit.record, %request, "write");
                lead(argv, request).await
            }),
            _ => self.nodes.send(node, request, permit),
        }
    }

    fn stand_ready<'a>(&'a self, node: &'a NodeName, request: &'a Request) -> BoxFuture<'a, ()> {
        match &request.call {
            Call::Hook { .. } => Box::pin(std::future::ready(())),
            _ => self.nodes.stand_ready(node, request),
        }
    }
}

/// How a call of the command went.
enum Outcome {
    Ended(Reply),
    /// It was killed.
    Silent(Clean),
    /// There was no process.
    NotStarted(Clean),
}

/// Whatever goes wrong is an answer, which says nothing of where writes go.
async fn look(argv: &[String], request: &Request) -> Reply {
    let said = |exit, why: Clean| Reply { exit: Some(exit), stderr: why.as_str().into(), ..Reply::default() };
    match run(argv, request).await {
        Outcome::Ended(reply) => reply,
        Outcome::Silent(why) => said(SILENT, why),
        Outcome::NotStarted(why) => said(NOT_STARTED, why),
    }
}

async fn lead(argv: &[String], request: &Request) -> Sent {
    match run(argv, request).await {
        Outcome::Ended(reply) => Sent::Replied(reply),
        Outcome::Silent(why) => Sent::Lost(why),
        Outcome::NotStarted(why) => Sent::NotSent(why),
    }
}

async fn run(argv: &[String], request: &Request) -> Outcome {
    let Some((program, arguments)) = argv.split_first() else {
        return Outcome::NotStarted("there is no command".into());
    };
    let known = ENVIRONMENT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let started = Instant::now();
    let spawned = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(known)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What it starts is killed with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Outcome::NotStarted(Clean::line(&format!("{program} cannot be started: {error}"))),
    };
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let limit = Duration::from_millis(request.deadline_ms);
    let ended = timeout(limit, listen(&mut child, request.cap_bytes)).await;
    let Ok((exit, bytes, stderr)) = ended else {
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = child.wait().await;
        let why = format!("{program} was killed: it had not ended after {} ms", request.deadline_ms);
        return Outcome::Silent(Clean::line(&why));
    };
    let elapsed_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    match exit {
        Some(exit) => Outcome::Ended(Reply { bytes, stderr, exit: Some(exit), elapsed_us }),
        None => Outcome::Silent(Clean::line(&format!("how {program} ended is not known"))),
    }
}

/// Hears the command to its end: its exit status, and the beginning of what it printed.
async fn listen(child: &mut Child, cap_bytes: usize) -> (Option<u32>, Vec<u8>, Vec<u8>) {
    let (mut bytes, mut stderr) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let status = {
        let mut printed = Box::pin(async {
            tokio::join!(keep_beginning(out, &mut bytes, cap_bytes), keep_beginning(err, &mut stderr, cap_bytes));
        });
        // Both at once: one that prints much must not wait for a reader.
        let mut is_heard = false;
        let status = loop {
            tokio::select! {
                status = child.wait() => break status,
                () = &mut printed, if !is_heard => is_heard = true,
            }
        };
        if !is_heard {
            let _ = timeout(REST_WAIT, printed).await;
        }
        status
    };
    let exit = status.ok().and_then(|status| status.code().or_else(|| Some(BY_SIGNAL + status.signal()?)));
    (exit.and_then(|code| u32::try_from(code).ok()), bytes, stderr)
}

/// Reads to the end, and keeps the beginning.
async fn keep_beginning(source: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>, cap_bytes: usize) {
    let Some(mut source) = source else { return };
    let mut chunk = [0; CHUNK_BYTES];
    while let Ok(count) = source.read(&mut chunk).await {
        if count == 0 {
            return;
        }
        let room = cap_bytes.saturating_sub(kept.len());
        kept.extend_from_slice(&chunk[..count.min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(access: Access, words: &[&str], deadline_ms: u64) -> Request {
        let argv = words.iter().map(|word| (*word).to_owned()).collect();
        Request { access, call: Call::Hook { argv }, deadline_ms, cap_bytes: 64 }
    }

    async fn told(words: &[&str], deadline_ms: u64) -> Sent {
        let request = request(Access::Write, words, deadline_ms);
        let Call::Hook { argv } = &request.call else { panic!("{request}") };
        lead(argv, &request).await
    }

    #[tokio::test]
    async fn a_command_is_started_with_its_words_and_without_secrets() {
        let words = ["/bin/sh", "-c", "echo $# \"$2\"; env | grep -c VAKT; cat; pwd; exit 3", "sh", "a b", "$(id); x"];
        let Sent::Replied(reply) = told(&words, 5_000).await else { panic!("no answer") };
        assert_eq!(String::from_utf8_lossy(&reply.bytes), "2 $(id); x\n0\n/\n");
        assert_eq!(reply.exit, Some(3));
    }

    #[tokio::test]
    async fn one_that_hangs_is_killed_with_everything_it_has_started() {
        let mark = std::env::temp_dir().join(format!("vakt-hook-{}", std::process::id()));
        let script = format!("sleep 60 & echo $! >{}; sleep 60", mark.display());
        let sent = told(&["/bin/sh", "-c", &script], 500).await;
        assert!(matches!(&sent, Sent::Lost(why) if why.as_str().contains("killed")), "{sent:?}");
        let number = std::fs::read_to_string(&mark).unwrap();
        std::fs::remove_file(&mark).unwrap();
        let stat = format!("/proc/{}/stat", number.trim());
        let lives = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        let mut looks = 0;
        while lives() {
            looks += 1;
            assert!(looks < 500, "what it had started lives on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn one_that_prints_without_end_is_read_and_only_its_beginning_kept() {
        let words = ["/bin/sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x; echo done >&2"];
        let Sent::Replied(reply) = told(&words, 10_000).await else { panic!("no answer") };
        assert_eq!((reply.bytes.len(), reply.stderr), (64, b"done\n".to_vec()));
        let sent = told(&["/bin/sh", "-c", "yes"], 200).await;
        assert!(matches!(sent, Sent::Lost(_)), "{sent:?}");
    }

    #[tokio::test]
    async fn one_that_leaves_a_process_behind_is_answered_when_it_ends_itself() {
        let begun = Instant::now();
        let sent = told(&["/bin/sh", "-c", "sleep 5 & echo there"], 4_000).await;
        assert!(matches!(&sent, Sent::Replied(reply) if reply.bytes == b"there\n"), "{sent:?}");
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test]
    async fn one_that_is_not_there_was_not_started_and_one_that_a_signal_ends_says_which() {
        let sent = told(&["/nowhere/lead-writes"], 1_000).await;
        assert!(matches!(&sent, Sent::NotSent(why) if why.as_str().contains("cannot be started")), "{sent:?}");
        let sent = told(&["/bin/sh", "-c", "kill -TERM $$"], 1_000).await;
        assert!(matches!(&sent, Sent::Replied(reply) if reply.exit == Some(143)), "{sent:?}");
    }

    #[tokio::test]
    async fn a_look_is_always_answered() {
        for (words, exit) in [(&["/nowhere/x"][..], NOT_STARTED), (&["/bin/sleep", "9"], SILENT), (&["/bin/true"], 0)] {
            let request = request(Access::Read, words, 200);
            let Call::Hook { argv } = &request.call else { panic!("{request}") };
            assert_eq!(look(argv, &request).await.exit, Some(exit), "{words:?}");
        }
    }
}
