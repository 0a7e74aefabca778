//! The lock on nodes: its script in the shells that nodes have, and the majority over several of them. A node is a
//! folder here, and its connection the pipes of a process.

use super::holder;
use crate::program::{now, pause};
use futures::future::BoxFuture;
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    pin::Pin,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    task::{Context, Poll},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use vakt::{
    model::{
        ids::{ClusterName, NodeName},
        trouble::{Trouble, TroubleKind},
    },
    run::lock::{self, Holder, LockState},
    runtime::state::{NodeLock, Pace},
    transport::{LockChannels, ssh::BoxStream},
    wire::request::{Call, Reply},
};

const NOBODY: u32 = 65534;

fn cluster() -> ClusterName {
    ClusterName::new("oslo-prod")
}

/// Shells of this machine.
fn shells() -> Vec<&'static str> {
    let there = |shell: &&str| {
        let program = shell.split(' ').next().unwrap();
        Command::new("which").arg(program).output().is_ok_and(|which| which.status.success())
    };
    ["sh", "dash", "bash", "bash --posix", "busybox sh"].into_iter().filter(there).collect()
}

/// A folder that everybody can write to, as /run/lock is.
fn node() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

fn hold_command(folder: &Path, shell: &str) -> String {
    let command = lock::hold_command(&cluster());
    assert!(command.starts_with("exec sh -c ") && command.contains("/run/lock"));
    command.replacen("exec sh ", &format!("exec {shell} "), 1).replace("/run/lock", folder.to_str().unwrap())
}

/// A script that holds, or tried to.
struct Script {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Script {
    fn start(command: &str, who: &Holder, uid: Option<u32>) -> Self {
        let mut program = Command::new("sh");
        program.args(["-c", command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(uid) = uid {
            program.uid(uid).gid(uid);
        }
        let mut child = program.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(&who.line().unwrap()).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input: Some(input), output }
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Its input ends; it cleans up and is gone.
    fn end(mut self) {
        self.input = None;
        let start = now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "the script does not end with its input");
            pause();
        }
        let mut complaints = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut complaints).unwrap();
        assert_eq!(complaints, "");
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Who holds it, as a console asks; through the shell that answers it.
fn read(folder: &Path, shell: &str) -> LockState {
    let request = lock::read_request(&cluster());
    let Call::Shell { script } = &request.call else { panic!("no script") };
    assert!(!script.contains('\n'), "the kept shell takes one line");
    let script = script.replace("/run/lock", folder.to_str().unwrap());
    let words: Vec<_> = shell.split(' ').collect();
    let output = Command::new(words[0]).args(&words[1..]).args(["-c", &script]).output().unwrap();
    assert!(output.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    lock::interpret(&Reply { bytes: output.stdout, ..Reply::default() })
}

fn left(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn in_every_shell_one_holds_the_other_names_it_and_nothing_stays() {
    for shell in shells() {
        let node = node();
        let command = hold_command(node.path(), shell);
        assert_eq!(read(node.path(), shell), LockState::Free);
        assert_eq!(left(node.path()), Vec::<PathBuf>::new(), "looking leaves nothing");
        let mut first = Script::start(&command, &holder(1), None);
        assert_eq!(first.says(), "held", "{shell}");
        assert_eq!(read(node.path(), shell), LockState::Held(Box::new(holder(1))), "{shell}");
        let mut second = Script::start(&command, &holder(2), None);
        assert_eq!(second.says(), "busy", "{shell}");
        assert_eq!(Holder::read(second.says().as_bytes()), Some(holder(1)), "{shell}");
        second.end();
        assert_eq!(
            read(node.path(), shell),
            LockState::Held(Box::new(holder(1))),
            "{shell}: a loser removed something"
        );
        first.input.as_mut().unwrap().write_all(b"\n").unwrap();
        assert_eq!(first.says(), "alive", "{shell}");
        first.end();
        assert_eq!(left(node.path()), Vec::<PathBuf>::new(), "{shell}");
        assert_eq!(read(node.path(), shell), LockState::Free);
    }
}

#[test]
fn a_holder_that_was_killed_is_not_believed_and_its_rests_are_used_and_removed() {
    for shell in shells() {
        let node = node();
        let command = hold_command(node.path(), shell);
        let mut first = Script::start(&command, &holder(1), None);
        assert_eq!(first.says(), "held");
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        assert_eq!(left(node.path()).len(), 2, "{shell}: what a killed script leaves");
        let start = now();
        // The renewal it waited for holds nothing: it does not have the lock's descriptor.
        while read(node.path(), shell) != LockState::Free {
            assert!(start.elapsed() < Duration::from_secs(5), "{shell}: the lock outlived its holder");
            pause();
        }
        let mut second = Script::start(&command, &holder(2), None);
        assert_eq!(second.says(), "held");
        assert_eq!(read(node.path(), shell), LockState::Held(Box::new(holder(2))));
        second.end();
        assert_eq!(left(node.path()), Vec::<PathBuf>::new(), "{shell}");
    }
}

#[test]
fn a_silent_connection_loses_the_lock_after_its_lease() {
    for shell in shells() {
        let node = node();
        let lease = format!("timeout {} ", lock::LEASE_S);
        let command = hold_command(node.path(), shell);
        assert!(command.contains(&lease));
        let mut silent = Script::start(&command.replace(&lease, "timeout 1 "), &holder(1), None);
        assert_eq!(silent.says(), "held");
        let start = now();
        assert_eq!(silent.says(), "", "{shell}: it says nothing and ends");
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(left(node.path()), Vec::<PathBuf>::new(), "{shell}");
    }
}

/// `fs.protected_regular` forbids opening another user's file in a sticky folder with O_CREAT, even to root.
#[test]
fn a_file_of_another_user_is_locked_as_well() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("VAKT_LAB").is_none(), "with the lab, tests run as root");
        println!("skipped: only root can be two users");
        return;
    }
    for (theirs, ours) in [(Some(NOBODY), None), (None, Some(NOBODY))] {
        let node = node();
        let command = hold_command(node.path(), "sh");
        let mut first = Script::start(&command, &holder(1), theirs);
        assert_eq!(first.says(), "held");
        let mut second = Script::start(&command, &holder(2), ours);
        assert_eq!(second.says(), "busy");
        assert_eq!(Holder::read(second.says().as_bytes()), Some(holder(1)));
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        // The other's file is still there.
        let mut third = Script::start(&command, &holder(3), ours);
        assert_eq!(third.says(), "held");
        assert_eq!(read(node.path(), "sh"), LockState::Held(Box::new(holder(3))));
        third.end();
    }
}

#[test]
fn a_trap_in_place_of_the_lock_is_refused() {
    let node = node();
    let path = node.path().join("vakt-oslo-prod.lock");
    let command = hold_command(node.path(), "sh");
    let refused = || Script::start(&command, &holder(1), None).says();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(refused().starts_with("trouble ") && refused().ends_with("is no regular file"));
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert!(refused().ends_with("is no regular file"));
}

#[test]
fn words_of_a_holder_are_never_run() {
    let node = node();
    let command = hold_command(node.path(), "sh");
    let mut hostile = holder(1);
    hostile.what = "$(touch pwned); `touch pwned`; ' ; touch pwned ; \" %s%n \\n".into();
    let mut first = Script::start(&command, &hostile, None);
    assert_eq!(first.says(), "held");
    assert_eq!(read(node.path(), "sh"), LockState::Held(Box::new(hostile.clone())));
    let mut second = Script::start(&command, &holder(2), None);
    assert_eq!((second.says().as_str(), Holder::read(second.says().as_bytes())), ("busy", Some(hostile)));
    first.end();
    assert!(!Path::new("pwned").exists());
}

/// Several nodes; those without a folder cannot be reached.
#[derive(Debug, Default)]
struct Nodes {
    folders: BTreeMap<NodeName, tempfile::TempDir>,
    /// Scripts that run, to be killed or stopped.
    scripts: std::sync::Mutex<BTreeMap<NodeName, u32>>,
}

/// The pipes of a script; its input closes when it is shut down, as a channel's does.
struct Pipes {
    input: Option<tokio::process::ChildStdin>,
    output: tokio::process::ChildStdout,
    _child: tokio::process::Child,
}

impl AsyncRead for Pipes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.output).poll_read(cx, buf)
    }
}

impl AsyncWrite for Pipes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match &mut self.input {
            Some(input) => Pin::new(input).poll_write(cx, bytes),
            None => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.input = None;
        Poll::Ready(Ok(()))
    }
}

impl LockChannels for Nodes {
    fn keep<'a>(&'a self, node: &'a NodeName, command: &'a str) -> BoxFuture<'a, Result<BoxStream, Trouble>> {
        Box::pin(async move {
            let Some(folder) = self.folders.get(node) else {
                return Err(Trouble::new(TroubleKind::Refused, "connection refused", "start it"));
            };
            let command = command.replace("/run/lock", folder.path().to_str().unwrap());
            let mut child = tokio::process::Command::new("sh")
                .args(["-c", &command])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            self.scripts.lock().unwrap().insert(node.clone(), child.id().unwrap());
            let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
            Ok(Box::new(Pipes { input, output, _child: child }) as BoxStream)
        })
    }
}

impl Nodes {
    fn new(reachable: &[&str]) -> Self {
        let folders = reachable.iter().map(|name| (NodeName::from(*name), node())).collect();
        Self { folders, ..Self::default() }
    }

    async fn take(&self, process: u32, pace: Pace) -> Result<NodeLock, vakt::runtime::state::NotHeld> {
        NodeLock::take(self, &cluster(), &names(), &holder(process), pace).await
    }

    fn left(&self) -> usize {
        self.folders.values().map(|folder| left(folder.path()).len()).sum()
    }

    fn signal(&self, node: &str, signal: rustix::process::Signal) {
        let id = self.scripts.lock().unwrap()[&NodeName::from(node)];
        let process = rustix::process::Pid::from_raw(id.cast_signed()).unwrap();
        rustix::process::kill_process(process, signal).unwrap();
    }
}

fn names() -> Vec<NodeName> {
    ["lb01", "lb02", "web01"].map(NodeName::from).to_vec()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(20), future).await;
    waited.unwrap_or_else(|_| panic!("{what}: not within 20 s"))
}

#[tokio::test]
async fn most_nodes_are_enough_and_less_are_given_back() {
    let nodes = Nodes::new(&["lb01", "web01"]);
    let lock = nodes.take(1, Pace::default()).await.unwrap();
    assert!(lock.is_held());
    let refused = nodes.take(2, Pace::default()).await.unwrap_err();
    assert_eq!((refused.got, refused.needed), (0, 2));
    let busy = [("lb01", 1), ("web01", 1)].map(|(node, process)| (NodeName::from(node), Some(holder(process))));
    assert_eq!(refused.busy, busy);
    assert_eq!(refused.unreachable, [(NodeName::from("lb02"), "connection refused".into())]);
    lock.release().await;
    assert_eq!(nodes.left(), 0);
    let few = Nodes::new(&["lb01"]);
    let refused = few.take(1, Pace::default()).await.unwrap_err();
    assert_eq!((refused.got, refused.needed, refused.busy.len()), (1, 2, 0));
    assert_eq!(few.left(), 0, "what was held on one node is given back");
    assert_eq!(
        refused.to_string(),
        "the lock needs 2 of 3 nodes and got 1; lb02: connection refused; web01: connection refused"
    );
}

#[tokio::test]
async fn a_lock_is_lost_with_the_second_node_of_three() {
    let nodes = Nodes::new(&["lb01", "lb02", "web01"]);
    let pace = Pace { renew: Duration::from_millis(50), ..Pace::default() };
    let lock = nodes.take(1, pace).await.unwrap();
    nodes.signal("lb01", rustix::process::Signal::KILL);
    let early = tokio::time::timeout(Duration::from_millis(300), lock.lost()).await;
    assert!(early.is_err() && lock.is_held(), "two of three are most of them");
    nodes.signal("web01", rustix::process::Signal::KILL);
    soon("the loss", lock.lost()).await;
    assert!(!lock.is_held());
}

#[tokio::test]
async fn nodes_that_do_not_answer_are_not_believed_in() {
    let nodes = Nodes::new(&["lb01", "lb02", "web01"]);
    let pace = Pace { renew: Duration::from_millis(20), belief: Duration::from_millis(600) };
    let lock = nodes.take(1, pace).await.unwrap();
    // Renewed many times over: it lives on while it is answered.
    let early = tokio::time::timeout(Duration::from_millis(1500), lock.lost()).await;
    assert!(early.is_err() && lock.is_held());
    for node in ["lb01", "web01"] {
        nodes.signal(node, rustix::process::Signal::STOP);
    }
    soon("the loss", lock.lost()).await;
    for node in ["lb01", "web01"] {
        nodes.signal(node, rustix::process::Signal::CONT);
    }
    drop(lock);
}

#[tokio::test]
async fn of_two_that_race_exactly_one_wins_each_time() {
    let nodes = Nodes::new(&["lb01", "lb02", "web01"]);
    for round in 0..20 {
        let (a, b) = tokio::join!(nodes.take(1, Pace::default()), nodes.take(2, Pace::default()));
        assert!(a.is_ok() != b.is_ok(), "round {round}: {a:?} {b:?}");
        a.or(b).unwrap().release().await;
    }
    assert_eq!(nodes.left(), 0);
}
