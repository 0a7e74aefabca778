//! The lab as tests see it.

use crate::program::{now, pause};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines},
    panic::{AssertUnwindSafe, catch_unwind},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

static TURN: Mutex<()> = Mutex::new(());

/// The lab's own program.
pub(crate) const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab");

/// Whether tests on the lab are wanted.
///
/// # Panics
/// Where `./dev test` wants them later, by their names, and does not name this one.
pub(crate) fn is_wanted() -> bool {
    let wanted = std::env::var("VAKT_LAB");
    assert!(wanted.as_deref() != Ok("later"), "a test on the lab that LAB_TESTS in ./dev does not name");
    wanted.as_deref() == Ok("1")
}

/// A lab that is up, for one test at a time.
pub(crate) struct Lab {
    config: String,
    _turn: MutexGuard<'static, ()>,
}

impl Lab {
    /// The lab, or `None` (with a word about it) when tests run without one.
    pub(crate) fn take() -> Option<Self> {
        // A test that failed has healed the lab while unwinding; the next one may go on.
        let turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !is_wanted() {
            println!("skipped: no lab (VAKT_LAB is not 1)");
            return None;
        }
        let config = std::env::var("VAKT_LAB_CONFIG").unwrap_or_else(|_| run(&["config"]).trim().to_owned());
        Some(Self { config, _turn: turn })
    }

    /// The same for what runs do: a machine that has other work may answer late, and a plan rests on what is fresh.
    pub(crate) fn take_unhurried() -> Option<Self> {
        let lab = Self::take()?;
        let text = std::fs::read_to_string(&lab.config).unwrap();
        assert!(text.contains("[poll]\n"), "{}", lab.config);
        let config = concat!(env!("CARGO_TARGET_TMPDIR"), "/unhurried.toml");
        std::fs::write(config, text.replace("[poll]\n", "[poll]\ndeadline_ms = 10000\n")).unwrap();
        Some(Self { config: config.to_owned(), ..lab })
    }

    /// Path of the configuration of this lab.
    pub(crate) fn config(&self) -> &str {
        &self.config
    }

    /// Runs vakt to its end.
    pub(crate) fn vakt(&self, args: &[&str]) -> Output {
        Command::new(crate::program::path())
            .env("VAKT_STATE", concat!(env!("CARGO_TARGET_TMPDIR"), "/lab-state"))
            .arg("--config")
            .arg(&self.config)
            .args(args)
            .output()
            .unwrap()
    }

    /// `vakt status --json`, parsed.
    pub(crate) fn status(&self) -> Value {
        let output = self.vakt(&["status", "--json", "--wait", "30"]);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    /// `vakt status --json --watch`, one document after the other.
    pub(crate) fn watch(&self) -> Watch {
        let mut child = Command::new(crate::program::path())
            .args(["--config", &self.config, "status", "--json", "--watch"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Watch { child, lines }
    }

    /// Breaks something with a verb of the lab and heals it when the guard goes.
    #[expect(clippy::unused_self, reason = "only who holds the lab may break it")]
    pub(crate) fn fault(&self, verb: &[&str], heal: &'static [&'static str]) -> Fault {
        run(verb);
        Fault { heal, at: now() }
    }
}

/// A fault that heals when it is dropped, also when the test fails.
pub(crate) struct Fault {
    heal: &'static [&'static str],
    /// When it was caused.
    pub(crate) at: Instant,
}

impl Fault {
    /// Heals now.
    pub(crate) fn heal(self) {
        drop(self);
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        put_back(|| drop(run(self.heal)));
    }
}

/// What a test does when it ends, however it ended. A failure here fails the test; where it failed already, that failure
/// is the one to be read, and a second one would end all other tests with it.
pub(crate) fn put_back(steps: impl FnOnce()) {
    if !thread::panicking() {
        steps();
    } else if catch_unwind(AssertUnwindSafe(steps)).is_err() {
        println!("and the lab was not put back");
    }
}

/// Documents of a running `vakt status --watch`.
pub(crate) struct Watch {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// The next document.
    pub(crate) fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// Reads documents until one satisfies `holds`; fails after `limit`.
    pub(crate) fn until(&mut self, what: &str, limit: Duration, mut holds: impl FnMut(&Value) -> bool) -> Value {
        let start = now();
        loop {
            let document = self.next();
            if holds(&document) {
                return document;
            }
            assert!(start.elapsed() < limit, "{what}: not within {limit:?}: {document:#}");
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A node's row of a status document.
pub(crate) fn node<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap()
}

/// Runs a verb of the lab; fails when it fails.
pub(crate) fn run(args: &[&str]) -> String {
    let output = lab(args);
    assert!(output.status.success(), "lab {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a verb of the lab says, also when it fails.
pub(crate) fn answer(args: &[&str]) -> String {
    String::from_utf8_lossy(&lab(args).stdout).into_owned()
}

/// Waits until a TCP port answers with a banner; returns when it did.
pub(crate) fn sshd_answers(address: &str, limit: Duration) -> Instant {
    use std::{io::Read, net::TcpStream};
    let start = now();
    loop {
        let target = format!("{address}:22").parse().unwrap();
        if let Ok(mut stream) = TcpStream::connect_timeout(&target, Duration::from_millis(200)) {
            let mut banner = [0; 4];
            stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            if stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-" {
                return now();
            }
        }
        assert!(start.elapsed() < limit, "no sshd at {address} within {limit:?}");
        pause();
    }
}

fn lab(args: &[&str]) -> Output {
    Command::new(SCRIPT).args(args).output().unwrap()
}

/// Looks again until it holds.
pub(crate) fn until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = now();
    while !holds() {
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        pause();
    }
}
