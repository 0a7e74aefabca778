//! A state folder, a cluster, and vakt's commands on both.

use crate::{
    cluster::lab::{self, Lab},
    program::{now, pause},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    time::Duration,
};
use tempfile::TempDir;

/// The server that every test moves.
pub(super) const WEB03: &str = "web_cluster/web03";
/// Longest wait for anything that should happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// The lab with a state folder, for one test at a time.
pub(super) struct Bench {
    lab: Lab,
    /// A configuration that says more than the lab's.
    own_config: Option<String>,
    state: TempDir,
}

impl Bench {
    /// `None`, with a word about it, when tests run without a lab.
    pub(super) fn take() -> Option<Self> {
        let bench = Self { lab: Lab::take()?, own_config: None, state: tempfile::tempdir().unwrap() };
        bench.reset();
        Some(bench)
    }

    /// The same with a lock over three nodes, as several bastions share it.
    pub(super) fn take_locked() -> Option<Self> {
        Some(Self::take()?.configured(|text| text + "\n[lock]\nnodes = [\"lb01\", \"web01\", \"web02\"]\n"))
    }

    /// The same, which waits longer for an answer: for tests that begin dozens of runs on a machine that has other work.
    pub(super) fn take_patient() -> Option<Self> {
        Some(Self::take()?.configured(|text| text.replace("[poll]\n", "[poll]\ndeadline_ms = 10000\n")))
    }

    fn configured(mut self, change: impl Fn(String) -> String) -> Self {
        let text = std::fs::read_to_string(self.lab.config()).unwrap();
        let path = self.state.path().join("vakt.toml");
        std::fs::write(&path, change(text)).unwrap();
        self.own_config = Some(path.to_str().unwrap().to_owned());
        self
    }

    /// The lab itself.
    pub(super) fn lab(&self) -> &Lab {
        &self.lab
    }

    fn config(&self) -> &str {
        self.own_config.as_deref().unwrap_or_else(|| self.lab.config())
    }

    /// web03 in traffic on both load balancers, without vakt.
    pub(super) fn reset(&self) {
        for balancer in ["lb01", "lb02"] {
            self.tell(balancer, &format!("set server {WEB03} state ready"));
        }
    }

    /// One command to HAProxy, past vakt.
    #[expect(clippy::unused_self, reason = "only who holds the lab may change it")]
    pub(super) fn tell(&self, balancer: &str, command: &str) -> String {
        let relay = format!("echo '{command}' | sudo -n socat - UNIX-CONNECT:/run/haproxy/admin.sock");
        lab::run(&["ssh", balancer, &relay])
    }

    /// What web03 is told on each load balancer, as HAProxy's own number (0 is ready, 8 is drain).
    pub(super) fn told(&self) -> [String; 2] {
        ["lb01", "lb02"].map(|balancer| {
            let states = self.tell(balancer, "show servers state web_cluster");
            let row = states.lines().find(|line| line.contains(" web03 ")).unwrap();
            row.split(' ').nth(6).unwrap().to_owned()
        })
    }

    pub(super) fn state(&self) -> &Path {
        self.state.path()
    }

    /// vakt on this lab and this state folder.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.command_on(self.state.path(), args)
    }

    /// vakt on this lab and another state folder.
    pub(super) fn command_on(&self, state: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.arg("--config").arg(self.config()).arg("--state").arg(state).args(args);
        command.stdin(Stdio::null()).env_remove("VAKT_FAULT");
        command
    }

    /// Arguments that name this lab and state folder, for a terminal.
    pub(super) fn arguments<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        let state = self.state.path().to_str().unwrap();
        [&["--config", self.config(), "--state", state][..], args].concat()
    }

    /// Runs vakt to its end.
    pub(super) fn vakt(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Starts vakt, to read its lines of JSON.
    pub(super) fn start(&self, args: &[&str]) -> Running {
        let mut child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines }
    }

    /// The names of all runs.
    pub(super) fn runs(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.state.path().join("lab/runs")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    pub(super) fn run_folder(&self, run: &str) -> PathBuf {
        self.state.path().join("lab/runs").join(run)
    }

    /// The executor that holds the lock of this bastion.
    pub(super) fn executor(&self) -> Pid {
        let text = std::fs::read(self.state.path().join("lab/lock.holder")).unwrap();
        let holder: Value = serde_json::from_slice(&text).unwrap();
        Pid::from_raw(i32::try_from(holder["process"].as_i64().unwrap()).unwrap()).unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A run that is still under way would move it again.
        if self.state.path().join("lab/lock.holder").exists() {
            let _ = kill_process(self.executor(), Signal::KILL);
        }
        self.reset();
    }
}

/// A vakt whose lines of JSON are read as they come.
pub(super) struct Running {
    pub(super) child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Reads on until `find` takes a line.
    pub(super) fn until<T>(&mut self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if let Some(found) = find(&line) {
                return found;
            }
            seen.push(line);
        }
        panic!("never said: {what}; said: {seen:#?}");
    }

    /// The run's name, once it is open.
    pub(super) fn opened(&mut self) -> String {
        self.until("opened", |line| Some(line.get("opened")?["run"].as_str()?.to_owned()))
    }

    /// The ending, and the exit code.
    pub(super) fn ending(mut self) -> (Value, i32) {
        let ending = self.until("an ending", |line| line.get("ending").cloned());
        (ending, self.child.wait().unwrap().code().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of JSON of a vakt that has ended.
pub(super) fn lines(output: &Output) -> Vec<Value> {
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The ending in lines of JSON.
pub(super) fn ending_of(output: &Output) -> Value {
    let lines = lines(output);
    let last = lines.last().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    last.get("ending").unwrap_or_else(|| panic!("no ending: {last:#}")).clone()
}

/// Waits until something holds.
pub(super) fn until(what: &str, holds: impl Fn() -> bool) {
    let start = now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        pause();
    }
}

/// A record of a kind, such as `step_ended`.
pub(super) fn is_record(line: &Value, kind: &str) -> Option<Value> {
    line.get("record")?["entry"].get(kind).cloned()
}
