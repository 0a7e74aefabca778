//! The same rush of visitors, and nothing but keys: the real console in a terminal shows the spike as its first line, two
//! moves of the playbook are taken from there, the queue is gone, and both are back by themselves.

use super::{
    lab::{Lab, until},
    spike::{self, Calm, LEARNED, LIMIT, Operator, queue},
};
use crate::program::{Program, now, pause};
use std::time::Duration;

/// Longest wait for what the console shows next.
const SOON: Duration = Duration::from_secs(20);
/// Keys that make ten minutes one.
const SOONER: &str = "---";
/// The words of the playbook for each move, and those of the screen of changes, whatever the numbers are. What is let in
/// first: with room for everybody there would be nothing left to hold back.
const MOVES: [(&str, &str); 2] = [
    ("new sessions a second in on", "Set haproxy.session_rate"),
    ("Let each server of web_cluster take", "Set haproxy.server.maxc"),
];
/// What has findings of its own where the machine under the lab has other work.
const MACHINES: [&str; 10] = ["lb01", "lb02", "web01", "web02", "web03", "db01", "db02", "db03", "kvm01", "kvm02"];

/// The console of an operator who has a keyboard and nothing else.
struct Console(Program);

impl Console {
    fn open(lab: &Lab, operator: &Operator<'_>) -> Self {
        let state = operator.state.path().to_str().unwrap();
        let program = Program::vakt(&["--config", lab.config(), "--state", state], 120, 60);
        program.wait_for("the console is there", SOON, |screen| screen.contains("Overview"));
        Self(program)
    }

    fn sees(&self, what: &str) {
        self.0.wait_for(what, SOON, |screen| screen.contains(what));
    }

    /// Goes to the first finding that is not about a machine: the one under the lab may have other work.
    fn goes_to_the_spike(&mut self) {
        self.0.press("7");
        let is_spike = |screen: &str| first_line(screen).is_some_and(|(_, row)| row.contains("times the usual"));
        self.0.wait_for("the spike is the first line", Duration::from_secs(60), is_spike);
        let (at, row) = first_line(&self.0.screen()).unwrap();
        println!("first line: {row}");
        self.0.press("\x1b[H");
        self.0.press(&"j".repeat(at));
        self.sees("S what helps");
    }

    /// Takes the move whose line has these words, from the finding to the word that it waits.
    fn makes(&mut self, words: &str) {
        self.0.press("S");
        self.sees("What helps");
        // The list is made anew every second: the cursor is led, not counted.
        let start = now();
        while !self.marked().is_some_and(|row| row.contains(words)) {
            assert!(start.elapsed() < SOON, "the cursor does not come to \"{words}\":\n{}", self.0.screen());
            let before = self.marked();
            self.0.press("j");
            let pressed = now();
            while self.marked() == before && pressed.elapsed() < Duration::from_secs(1) {
                pause();
            }
            if self.marked() == before {
                self.0.press("\x1b[H");
            }
        }
        self.0.press(SOONER);
        self.0.wait_for("the time is a minute", SOON, |screen| {
            marked(screen).is_some_and(|row| row.contains(words) && row.contains("back after 60s"))
        });
        self.0.press("\r");
        self.sees("then type edge to start");
        self.0.press("\r");
        self.0.press("edge");
        self.0.press("\r");
        self.sees("it goes back unless somebody says that it stays");
        self.0.press("\x1b");
        // A terminal sends Esc and a letter at once as one key.
        self.sees("Findings, where to look first");
    }

    fn marked(&self) -> Option<String> {
        marked(&self.0.screen())
    }
}

/// The first finding, and how many about machines stand above it.
fn first_line(screen: &str) -> Option<(usize, String)> {
    let rows = screen.lines().filter(|line| line.contains("▲ warning ") || line.contains("✗ critical "));
    let subject = |row: &str| row.trim_start_matches([' ', '▸']).split_whitespace().nth(2).map(str::to_owned);
    let is_machine = |row: &str| subject(row).is_some_and(|name| MACHINES.contains(&name.as_str()));
    rows.enumerate().find(|(_, row)| !is_machine(row)).map(|(at, row)| (at, row.trim().to_owned()))
}

/// The line under the cursor of the playbook.
fn marked(screen: &str) -> Option<String> {
    let list = screen.lines().skip_while(|line| !line.contains("What helps"));
    list.skip(1).find(|line| line.contains("│ ▸ ")).map(str::to_owned)
}

#[test]
fn by_keys_only_two_moves_end_a_queue_and_both_go_back() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let calm = Calm::begin();
    let operator = Operator::of(&lab);
    let mut console = Console::open(&lab, &operator);
    let opened = now();
    while opened.elapsed() < LEARNED {
        pause();
    }
    calm.end();
    until("requests queue", Duration::from_secs(30), || queue() > 0);
    console.goes_to_the_spike();
    let (found, waiting) = (now(), queue());
    for (words, _) in MOVES {
        console.makes(words);
    }
    let made = now();
    until("the queue is gone", Duration::from_secs(15), || queue() == 0);
    println!(
        "{waiting} requests waited; both moves took {:.1} s by keys, and {} ms later none waited",
        (made - found).as_secs_f64(),
        made.elapsed().as_millis()
    );
    until("both wait for a word", Duration::from_secs(15), || operator.waiting() == 2);
    spike::both_hold();
    console.0.press("8");
    for (_, words) in MOVES {
        console.0.wait_for("both are on the screen of changes", SOON, |screen| {
            screen.lines().any(|line| line.contains("waits for you") && line.contains(words))
        });
    }
    operator.is_back(Duration::from_secs(120));
    console.0.wait_for("the console says that both are back", SOON, |screen| {
        screen.lines().filter(|line| line.contains("rolled back")).count() == 2 && !screen.contains("waits for you")
    });
    assert!(spike::limits().iter().all(|limit| *limit == LIMIT));
    console.0.press("q");
    assert_eq!(console.0.wait_for_end(SOON), 0);
}
