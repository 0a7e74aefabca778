//! The lab's databases as the tests of a switchover need them: vakt with a login to replicate, who takes writes, and the
//! way back to the beginning past vakt.

use super::family;
use crate::{
    cluster::lab::{self, Lab},
    program::{now, pause},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};
use tempfile::TempDir;

pub(in crate::cluster) const DATABASES: [(&str, &str); 3] =
    [("db01", "10.10.0.31"), ("db02", "10.10.0.32"), ("db03", "10.10.0.33")];
pub(in crate::cluster) const BALANCERS: [&str; 2] = ["lb01", "lb02"];
const PATIENCE: Duration = Duration::from_secs(30);

/// vakt on the lab; the lab is as at its beginning again when it goes, also when a test
/// fails.
pub(in crate::cluster) struct Scene {
    lab: Lab,
    folder: TempDir,
    /// A configuration that says more than the lab's.
    own_config: Option<String>,
}

impl Scene {
    /// `None`, with a word about it, when tests run without a lab.
    pub(in crate::cluster) fn take() -> Option<Self> {
        let lab = Lab::take_unhurried()?;
        let scene = Self { lab, folder: tempfile::tempdir().unwrap(), own_config: None };
        restore();
        Some(scene)
    }

    pub(in crate::cluster) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(in crate::cluster) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(crate::program::path());
        command.arg("--config").arg(self.own_config.as_deref().unwrap_or_else(|| self.lab.config()));
        command.arg("--state").arg(self.folder.path().join("state")).args(args);
        command.stdin(Stdio::null()).env_remove("VAKT_FAULT");
        command
    }

    /// A folder of its own, which goes with it.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same with another configuration.
    pub(super) fn configured(mut self, change: impl Fn(String, &Path) -> String) -> Self {
        let text = std::fs::read_to_string(self.lab.config()).unwrap();
        let path = self.folder().join("vakt.toml");
        std::fs::write(&path, change(text, self.folder())).unwrap();
        self.own_config = Some(path.to_str().unwrap().to_owned());
        self
    }

    pub(in crate::cluster) fn vakt(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// A switchover that reaches its goal; what was printed.
    pub(in crate::cluster) fn switch_to(&self, node: &str) -> String {
        let output = self.vakt(&["do", "mysql.switchover", "--to", node, "--yes", "--reason", "test"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("Reached: "), "{text}");
        text
    }

    /// The names of all runs.
    pub(in crate::cluster) fn runs(&self) -> Vec<String> {
        // One folder for each cluster, and each flavour of the lab is one.
        let Ok(clusters) = std::fs::read_dir(self.folder.path().join("state")) else { return Vec::new() };
        let runs = clusters.filter_map(|cluster| std::fs::read_dir(cluster.unwrap().path().join("runs")).ok());
        runs.flatten().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        lab::put_back(restore);
    }
}

/// Rows without a header; empty when the server refuses.
pub(in crate::cluster) fn sql(node: &str, statements: &str) -> String {
    let script = "$(command -v mariadb || command -v mysql) -NBe \"$0\"";
    lab::answer(&["exec", node, "sh", "-c", script, statements]).trim().to_owned()
}

/// Which family the lab's flavour has.
pub(in crate::cluster) fn is_mariadb() -> bool {
    static FAMILY: OnceLock<bool> = OnceLock::new();
    *FAMILY.get_or_init(|| {
        let script = "command -v mariadbd >/dev/null && echo mariadb || echo mysql";
        lab::answer(&["exec", DATABASES[2].0, "sh", "-c", script]).trim() == "mariadb"
    })
}

/// One command to HAProxy, past vakt.
fn tell(balancer: &str, command: &str) -> String {
    let script = "echo \"$0\" | socat - UNIX-CONNECT:/run/haproxy/admin.sock";
    lab::answer(&["exec", balancer, "sh", "-c", script, command])
}

/// No load balancer sends writes to that server, and its sessions are closed.
pub(super) fn send_nothing_to(node: &str) {
    for balancer in BALANCERS {
        tell(balancer, &format!("set server mysql_rw/{node} state maint; shutdown sessions server mysql_rw/{node}"));
    }
}

/// That load balancer sends writes to that server.
pub(super) fn send_to(balancer: &str, node: &str) {
    tell(balancer, &format!("set server mysql_rw/{node} state ready"));
}

/// Who takes writes by its own word, and to whom each load balancer sends them.
pub(in crate::cluster) fn state() -> (Vec<&'static str>, Vec<Vec<String>>) {
    let writable = DATABASES.iter().map(|(node, _)| *node).filter(|node| sql(node, "select @@read_only") == "0");
    (writable.collect(), BALANCERS.map(ready).into())
}

/// The servers of the write endpoint that are told ready.
fn ready(balancer: &str) -> Vec<String> {
    let states = tell(balancer, "show servers state mysql_rw");
    let rows = states.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    // 4 says that the file has it in maintenance, which counts no more once it was told otherwise.
    let is_ready = |row: &Vec<&str>| row[6].parse::<u8>().is_ok_and(|told| told & !4 == 0);
    let rows = rows.filter(|row| row.get(1) == Some(&"mysql_rw"));
    rows.filter(is_ready).map(|row| row[3].to_owned()).collect()
}

/// Exactly that one takes writes, everybody sends to it and follows it.
pub(in crate::cluster) fn is_settled(primary: &str) -> bool {
    let (writable, sent) = state();
    let host = DATABASES.iter().find(|(node, _)| *node == primary).unwrap().1;
    writable == [primary]
        && sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary)
        && DATABASES.iter().all(|(node, _)| *node == primary || family::follows(node, host))
        && sql(primary, family::show()).is_empty()
}

/// db01 is the primary, the others follow it, past vakt; nothing that anybody was told is lost.
pub(in crate::cluster) fn restore() {
    for (node, _) in DATABASES {
        awake(node);
    }
    let is_as_it_was = || !is_mariadb() || sql("db02", "show status like 'slave_heartbeat_period'").ends_with("1.000");
    if is_settled("db01") && is_as_it_was() {
        return;
    }
    for (node, _) in DATABASES {
        sql(node, family::at_rest());
    }
    let (furthest, host) = DATABASES.into_iter().max_by_key(|(node, _)| family::last(node)).unwrap();
    for (node, _) in DATABASES {
        if node != furthest {
            family::take_back(node, furthest);
        }
    }
    if family::last("db01") < family::last(furthest) {
        family::follow("db01", host);
        family::wait_for_all_of("db01", furthest);
    }
    sql("db01", family::forget());
    for (node, _) in &DATABASES[1..] {
        family::follow(node, "10.10.0.31");
    }
    sql("db01", family::in_service());
    for balancer in BALANCERS {
        for (node, _) in DATABASES {
            let word = if node == "db01" { "ready" } else { "maint" };
            tell(balancer, &format!("set server mysql_rw/{node} state {word}"));
        }
    }
    let start = now();
    while !is_settled("db01") {
        let followers = || DATABASES.map(|(node, _)| format!("{node}: {}", sql(node, family::show())));
        assert!(start.elapsed() < PATIENCE, "the lab does not come back: {:?} {:#?}", state(), followers());
        pause();
    }
}

/// The daemon of a node runs and answers, whatever a failover or a fault made of it.
fn awake(node: &str) {
    let script = "systemctl kill --signal=CONT $0; systemctl unmask $0; rm -f /run/systemd/system/$0.d/lab.conf; \
        systemctl daemon-reload; systemctl is-active -q $0 || systemctl start $0";
    lab::answer(&["exec", node, "sh", "-c", script, family::unit()]);
    let start = now();
    while sql(node, "select 1") != "1" {
        assert!(start.elapsed() < PATIENCE, "the database of {node} does not come back");
        pause();
    }
}

/// A program in a node whose lines are read; it ends with this value.
pub(in crate::cluster) struct Lines {
    child: Child,
    pub(in crate::cluster) lines: Arc<Mutex<Vec<String>>>,
}

impl Lines {
    pub(in crate::cluster) fn of(node: &str, input: Stdio, args: &[&str]) -> Self {
        let mut command = Command::new(lab::SCRIPT);
        command.args(["exec", node]).args(args).stdin(input).stdout(Stdio::piped()).stderr(Stdio::null());
        // What it starts in the node is of its group, and ends with it.
        let mut child = command.process_group(0).spawn().unwrap();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (reader, shared) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&lines));
        thread::spawn(move || {
            for line in reader.map_while(Result::ok) {
                shared.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}
