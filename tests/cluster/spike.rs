//! A rush of visitors on real load balancers: requests queue, two moves of the playbook end it at the same time, both go back by
//! themselves, and nothing is left changed.

use super::lab::{Lab, answer, until};
use crate::program::now;
use serde_json::Value;
use std::{
    process::{Command, Output},
    time::Duration,
};

const BALANCERS: [&str; 2] = ["lb01", "lb02"];
const SERVERS: [&str; 3] = ["web01", "web02", "web03"];
/// What one server takes for this test, and what its file says.
pub(super) const LIMIT: u64 = 5;
const LIMIT_IN_FILE: u64 = 100;
/// How long a move lasts here.
const BACK_AFTER: &str = "20s";

fn asked(node: &str, command: &str) -> String {
    let script = format!("echo '{command}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock");
    answer(&["exec", node, "sh", "-c", &script])
}

fn limit(value: u64) {
    for node in BALANCERS {
        for server in SERVERS {
            asked(node, &format!("set maxconn server web_cluster/{server} {value}"));
        }
    }
}

/// Visitors come; servers have their own limits again, and visitors are gone, also when the test fails.
pub(super) struct Calm;

impl Calm {
    /// Visitors as usual, at servers that take few at once.
    pub(super) fn begin() -> Self {
        let calm = Self;
        super::lab::run(&["load", "start"]);
        limit(LIMIT);
        calm
    }

    /// Visitors in hundreds, and pages that take two seconds each: more at once than the servers may take.
    #[expect(clippy::unused_self, reason = "only who brings the calm back may end it")]
    pub(super) fn end(&self) {
        super::lab::run(&["fault", "spike", "lb01"]);
        let slow = "rm -f /root/calm; setsid sh -c 'for s in $(seq 90); do [ ! -e /root/calm ] || break; \
                    for i in $(seq 12); do curl -s -m 20 -o /dev/null http://10.10.0.100/slow & done; sleep 1; done' \
                    </dev/null >/dev/null 2>&1 &";
        answer(&["exec", "db03", "sh", "-c", slow]);
    }
}

impl Drop for Calm {
    fn drop(&mut self) {
        for words in [["heal", "lb01"], ["load", "stop"]] {
            let _ = Command::new(super::lab::SCRIPT).args(words).output();
        }
        answer(&["exec", "db03", "touch", "/root/calm"]);
        for node in BALANCERS {
            asked(node, "set rate-limit sessions global 0");
        }
        limit(LIMIT_IN_FILE);
    }
}

/// A column of every row of the backend, by HAProxy itself.
fn column(node: &str, name: &str) -> Vec<(String, u64)> {
    let table = asked(node, "show stat");
    let columns: Vec<&str> = table.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
    let place = columns.iter().position(|column| *column == name).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("web_cluster,").map(|rest| (line, rest)));
    rows.map(|(line, rest)| {
        let value = line.split(',').nth(place).unwrap().parse().unwrap_or(0);
        (rest.split(',').next().unwrap().to_owned(), value)
    })
    .collect()
}

/// Requests that wait for the backend or one of its servers, on both load balancers.
pub(super) fn queue() -> u64 {
    BALANCERS.iter().map(|node| column(node, "qcur").iter().map(|(_, count)| count).sum::<u64>()).sum()
}

pub(super) fn limits() -> Vec<u64> {
    let of = |node: &&str| column(node, "slim").into_iter().filter(|(name, _)| SERVERS.contains(&name.as_str()));
    BALANCERS.iter().flat_map(of).map(|(_, limit)| limit).collect()
}

pub(super) fn rates() -> Vec<String> {
    let of = |node: &&str| {
        let told = asked(node, "show info");
        told.lines().find_map(|line| line.strip_prefix("SessRateLimit: ")).unwrap().to_owned()
    };
    BALANCERS.iter().map(of).collect()
}

/// vakt on the lab with a state folder of its own.
pub(super) struct Operator<'l> {
    lab: &'l Lab,
    pub(super) state: tempfile::TempDir,
}

impl<'l> Operator<'l> {
    pub(super) fn of(lab: &'l Lab) -> Self {
        Self { lab, state: tempfile::tempdir().unwrap() }
    }

    fn vakt(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.args(["--config", self.lab.config(), "--state"]).arg(self.state.path()).args(words).output().unwrap()
    }

    /// The moves that can be made now.
    fn moves(&self) -> Vec<Value> {
        let shown = self.vakt(&["playbook", "web_cluster", "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["moves"].as_array().unwrap().clone()
    }

    /// Makes a move, as its own line says, for a shorter time.
    fn make(&self, one: &Value) {
        let line = one["command"].as_str().unwrap().strip_prefix("vakt do ").unwrap();
        let (words, _) = line.split_once(" --revert-after ").unwrap();
        let words: Vec<&str> = words.split(' ').collect();
        let more = ["--revert-after", BACK_AFTER, "--reason", "spike", "--detach", "--yes"];
        let done = self.vakt(&[&["do"], &words[..], &more].concat());
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert_eq!(done.status.code(), Some(0), "{line}: {said}");
    }

    /// What is left changed.
    pub(super) fn changed(&self) -> Vec<Value> {
        let shown = self.vakt(&["runs", "changed", "--json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
        shown["changed"].as_array().unwrap().clone()
    }

    /// How many changes wait for a word, and go back without it.
    pub(super) fn waiting(&self) -> usize {
        let waits = |one: &&Value| one["kind"] == "goes_back" && one["back_at"].is_string();
        self.changed().iter().filter(waits).count()
    }

    /// Both moves are back by themselves, and nothing is left changed.
    pub(super) fn is_back(&self, limit: Duration) {
        until("both are back", limit, || self.changed().is_empty());
        assert_eq!(limits(), [LIMIT; 6]);
        assert_eq!(rates(), ["0", "0"]);
        let left = self.vakt(&["runs", "changed"]);
        assert_eq!(left.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&left.stdout), "Nothing is left changed.\n");
    }
}

/// What the servers take and what is let in while both moves hold.
pub(super) fn both_hold() {
    let (limits, rates) = (limits(), rates());
    assert!(limits.iter().all(|limit| *limit > LIMIT), "{limits:?}");
    assert!(rates.iter().all(|rate| rate != "0"), "{rates:?}");
}

/// The rule learns for half a minute what is usual.
pub(super) const LEARNED: Duration = Duration::from_secs(35);

#[test]
fn two_moves_end_a_queue_go_back_by_themselves_and_leave_nothing_changed() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let calm = Calm::begin();
    let operator = Operator::of(&lab);
    let mut watch = lab.watch();
    let learned = now() + LEARNED;
    watch.until("what is usual is known", Duration::from_secs(60), |_| now() > learned);

    calm.end();
    let first = |document: &Value| {
        // The machine under the lab may have other work, which its disks feel.
        let ids = document["findings"].as_array().unwrap().iter().filter_map(|finding| finding["id"].as_str());
        let mut ids = ids.filter(|id| !id.starts_with("host.") && *id != "mysql.disk");
        ids.next().map(str::to_owned)
    };
    watch.until("the spike is the first line", Duration::from_secs(60), |document| {
        first(document).as_deref() == Some("traffic.spike")
    });
    until("requests queue", Duration::from_secs(30), || queue() > 0);

    let moves = operator.moves();
    let the = |kind: &str| {
        let found = moves.iter().find(|one| one["kind"] == kind && one["refused"].is_null());
        found.unwrap_or_else(|| panic!("no {kind} can be made: {moves:#?}")).clone()
    };
    let (less, room) = (the("rate_limit"), the("server_limit"));
    println!("{less:#}\n{room:#}\nqueue {}", queue());
    operator.make(&less);
    operator.make(&room);
    let made = now();
    until("the queue is gone", Duration::from_secs(15), || queue() == 0);
    println!("no queue {} ms after the second move", made.elapsed().as_millis());
    // The queue may be gone before the second run has seen that its limits stay.
    until("both wait for a word", Duration::from_secs(15), || operator.waiting() == 2);
    both_hold();
    operator.is_back(Duration::from_secs(60));
    drop(calm);
    assert_eq!(limits(), [LIMIT_IN_FILE; 6]);
}
