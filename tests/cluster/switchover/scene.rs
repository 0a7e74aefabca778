//! The lab's databases as the tests of a switchover need them: vakt with a login to replicate, who takes writes, and the
//! way back to the beginning past vakt.

use crate::{
    cluster::lab::{self, Lab},
    program::{now, pause},
};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
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
}

impl Scene {
    /// `None`, with a word about it, when tests run without a lab.
    pub(in crate::cluster) fn take() -> Option<Self> {
        let lab = Lab::take()?;
        let folder = tempfile::tempdir().unwrap();
        let text = std::fs::read_to_string(lab.config()).unwrap();
        // Dozens of runs begin on a machine that has other work.
        let text = text.replace("[poll]\n", "[poll]\ndeadline_ms = 10000\n");
        std::fs::write(folder.path().join("vakt.toml"), text).unwrap();
        let scene = Self { lab, folder };
        if is_mariadb() {
            restore();
        }
        Some(scene)
    }

    pub(in crate::cluster) fn lab(&self) -> &Lab {
        &self.lab
    }

    pub(in crate::cluster) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.arg("--config").arg(self.folder.path().join("vakt.toml"));
        command.arg("--state").arg(self.folder.path().join("state")).args(args);
        command.stdin(Stdio::null()).env_remove("VAKT_FAULT");
        command
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

    /// What is printed of a switchover that is refused.
    pub(in crate::cluster) fn refusal(&self, node: &str) -> String {
        let output = self.vakt(&["do", "mysql.switchover", "--to", node, "--yes"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!output.status.success() && text.contains("Refused: "), "{text}");
        text
    }

    /// The names of all runs.
    pub(in crate::cluster) fn runs(&self) -> Vec<String> {
        let Ok(folder) = std::fs::read_dir(self.folder.path().join("state/lab/runs")) else { return Vec::new() };
        folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if is_mariadb() {
            restore();
        }
    }
}

/// Rows without a header; empty when the server refuses.
pub(in crate::cluster) fn sql(node: &str, statements: &str) -> String {
    let script = "$(command -v mariadb || command -v mysql) -NBe \"$0\"";
    lab::answer(&["exec", node, "sh", "-c", script, statements]).trim().to_owned()
}

pub(in crate::cluster) fn is_mariadb() -> bool {
    // A test may have left the first one dead, or frozen: then it would not answer.
    sql(DATABASES[2].0, "select version()").contains("MariaDB")
}

/// One command to HAProxy, past vakt.
fn tell(balancer: &str, command: &str) -> String {
    let script = "echo \"$0\" | socat - UNIX-CONNECT:/run/haproxy/admin.sock";
    lab::answer(&["exec", balancer, "sh", "-c", script, command])
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
    let follows = |node: &str| {
        let status = lab::answer(&["exec", node, "mariadb", "-Ee", "show slave status"]);
        let says = |line: &str| status.lines().any(|said| said.trim() == line);
        says(&format!("Master_Host: {host}")) && says("Slave_IO_Running: Yes") && says("Slave_SQL_Running: Yes")
    };
    writable == [primary]
        && sent.iter().all(|servers| servers.len() == 1 && servers[0] == primary)
        && DATABASES.iter().all(|(node, _)| *node == primary || follows(node))
        && sql(primary, "show slave status").is_empty()
}

/// The number of the last transaction of a server in the lab's one domain.
fn last(node: &str) -> u64 {
    let position = sql(node, "select @@gtid_current_pos");
    position.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// db01 is the primary, the others follow it, past vakt; nothing that anybody was told is lost.
pub(in crate::cluster) fn restore() {
    for (node, _) in DATABASES {
        awake(node);
    }
    if is_settled("db01") && sql("db02", "show status like 'slave_heartbeat_period'").ends_with("1.000") {
        return;
    }
    for (node, _) in DATABASES {
        sql(node, "set global read_only=1; set global rpl_semi_sync_master_enabled=0");
    }
    let (furthest, host) = DATABASES.into_iter().max_by_key(|(node, _)| last(node)).unwrap();
    let position = sql(furthest, "select @@gtid_current_pos");
    for (node, _) in DATABASES {
        if node != furthest {
            take_back(node, furthest);
        }
    }
    if last("db01") < last(furthest) {
        sql("db01", &format!("stop slave; set global gtid_slave_pos={OWN}; {}; start slave", follow(host)));
        let waited = sql("db01", &format!("select master_gtid_wait('{position}', 10)"));
        assert_eq!(waited, "0", "db01 does not get what {furthest} has: {position}");
    }
    sql("db01", "stop slave; reset slave all");
    for (node, _) in &DATABASES[1..] {
        sql(node, &format!("stop slave; set global gtid_slave_pos={OWN}; {}; start slave", follow("10.10.0.31")));
    }
    sql("db01", "set global rpl_semi_sync_master_enabled=1; set global read_only=0");
    for balancer in BALANCERS {
        for (node, _) in DATABASES {
            let word = if node == "db01" { "ready" } else { "maint" };
            tell(balancer, &format!("set server mysql_rw/{node} state {word}"));
        }
    }
    let start = now();
    while !is_settled("db01") {
        assert!(start.elapsed() < PATIENCE, "the lab does not come back: {:?}", state());
        pause();
    }
}

/// Where a server stands, whether it was the primary or a replica last.
const OWN: &str = "if(@@gtid_slave_pos = @@gtid_current_pos, @@gtid_slave_pos, @@gtid_binlog_pos)";

/// The daemon of a node runs and answers, whatever a failover or a fault made of it.
fn awake(node: &str) {
    let script = "systemctl kill --signal=CONT mariadb.service; systemctl unmask mariadb.service; \
        systemctl is-active -q mariadb.service || systemctl start mariadb.service";
    lab::answer(&["exec", node, "sh", "-c", script]);
    let start = now();
    while sql(node, "select 1") != "1" {
        assert!(start.elapsed() < PATIENCE, "the database of {node} does not come back");
        pause();
    }
}

/// The last transaction that a server wrote, as another one knows it.
fn written_by(writer: &str, on: &str) -> u64 {
    let id = sql(writer, "select @@server_id");
    let state = sql(on, "select @@gtid_binlog_state");
    let own = state.split(',').filter_map(|one| one.strip_prefix(&format!("0-{id}-")));
    own.filter_map(|number| number.parse().ok()).max().unwrap_or(0)
}

/// A primary that was killed may have written what nobody else has and no client was told of: it goes, or the server
/// could not follow.
fn take_back(node: &str, furthest: &str) {
    let known = written_by(node, furthest);
    // Whoever was rebuilt knows only the newest transaction of the others.
    if known == 0 || written_by(node, node) <= known {
        return;
    }
    let recent = "select id from lab.writes order by id desc limit 20000";
    let kept: Vec<String> = sql(furthest, recent).lines().map(str::to_owned).collect();
    let own = sql(node, recent);
    let surplus: Vec<&str> =
        own.lines().filter(|id| !kept.iter().any(|other| other == id)).filter(|id| !id.is_empty()).collect();
    let since = kept.iter().min().cloned().unwrap_or_default();
    let surplus: Vec<&str> = surplus.into_iter().filter(|id| *id >= since.as_str()).collect();
    if !surplus.is_empty() {
        sql(node, &format!("set sql_log_bin=0; delete from lab.writes where id in ({})", surplus.join(",")));
    }
    let id = sql(node, "select @@server_id");
    sql(node, &format!("stop slave; reset slave all; reset master; set global gtid_slave_pos='0-{id}-{known}'"));
}

fn follow(host: &str) -> String {
    format!(
        "change master to master_host='{host}', master_port=3306, master_user='replica', \
         master_password='lab-replica', master_use_gtid=slave_pos, master_connect_retry=1, master_heartbeat_period=1"
    )
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
