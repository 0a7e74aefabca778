//! The same stories played by the real program in a real terminal on the lab: what they say must be seen there too, so
//! that the simulation cannot drift from reality.
//!
//! Time is real here: `advance` is nothing to wait for, and what is expected may take as long as the slowest part of the
//! lab needs. What only a simulation can do or tell (faults, golden screens, writes at the machine) is no part of a story
//! with `lab` in its header; a test holds that without a lab.

use super::{
    prose, read, shown, stories,
    story::{Expectation, Line, Story},
};
use crate::{cluster::lab::Lab, program::Program};
use serde_json::Value;
use std::time::Duration;
use vakt::app::msg::{Key, KeyCode};

/// Longest wait for what a story expects at once.
const AT_ONCE: Duration = Duration::from_secs(15);
/// Added to the time that a story awaits: SSH, real checks, two processors for ten nodes.
const SLACK: Duration = Duration::from_secs(15);
/// The server that these stories change; whatever happens, it is returned to traffic.
const SERVER: &str = "web_cluster/web03";

/// The stories that are played on the lab.
fn lab_stories() -> Vec<Story> {
    stories().iter().filter_map(|path| read(path).ok()).filter(|story| story.lab).collect()
}

/// What a line needs that a lab does not have.
fn beyond_a_lab(line: &Line) -> Option<&'static str> {
    match line {
        Line::Fault(_) | Line::Held { .. } | Line::Released | Line::KillExecutor | Line::ConsoleRestarts => {
            Some("it breaks something")
        }
        Line::Expect(expectation) | Line::Await(_, expectation) => match expectation {
            Expectation::Screen(_) | Expectation::Plan(_) => Some("it compares figures that move"),
            Expectation::Sent(_) | Expectation::NoFailedRequests => Some("it looks at the machine"),
            Expectation::Writes(count) if *count > 0 => Some("it looks at the machine"),
            _ => None,
        },
        Line::Size(..) | Line::Press(_) | Line::Type(_) | Line::Advance(_) => None,
    }
}

/// One story on the lab.
struct Played<'l> {
    lab: &'l Lab,
    program: Program,
    state: tempfile::TempDir,
}

impl<'l> Played<'l> {
    /// The console in a terminal of the story's first size.
    fn start(lab: &'l Lab, story: &Story) -> Self {
        let size = story.lines.iter().find_map(|(_, line)| match line {
            Line::Size(width, height) => Some((*width, *height)),
            _ => None,
        });
        let (width, height) = size.unwrap_or((80, 24));
        let state = tempfile::tempdir().unwrap();
        let args = ["--config", lab.config(), "--state", state.path().to_str().unwrap()];
        let program = Program::vakt(&args, width, height);
        program.wait_for("the console is there", AT_ONCE, |screen| screen.contains("Overview"));
        Self { lab, program, state }
    }

    fn vakt(&self, args: &[&str]) -> std::process::Output {
        let mut all = vec!["--state", self.state.path().to_str().unwrap()];
        all.extend(args);
        self.lab.vakt(&all)
    }

    fn json(&self, args: &[&str]) -> Value {
        let output = self.vakt(args);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn perform(&mut self, what: &str, line: &Line) {
        match line {
            Line::Size(width, height) => self.program.resize(*width, *height),
            Line::Press(keys) => keys.iter().for_each(|key| self.program.press(&bytes(*key))),
            Line::Type(text) => self.program.press(text),
            Line::Await(ms, expectation) => self.wait(what, Duration::from_millis(*ms) + SLACK, expectation),
            Line::Expect(expectation) => self.wait(what, AT_ONCE, expectation),
            // The lab's time passes by itself.
            Line::Advance(_) => {}
            Line::Fault(_) | Line::Held { .. } | Line::Released | Line::KillExecutor | Line::ConsoleRestarts => {
                panic!("{what}: this cannot be played on a lab")
            }
        }
    }

    fn wait(&self, what: &str, limit: Duration, expectation: &Expectation) {
        match expectation {
            Expectation::Text(text, is_there) => {
                let shows = |screen: &str| screen.lines().any(|line| line.contains(text.as_str()));
                self.program.wait_for(what, limit, |screen| shows(screen) == *is_there);
            }
            Expectation::Refusal(text) => {
                self.program.wait_for(what, limit, |screen| {
                    let prose = prose(screen);
                    prose.contains("Refused:") && prose.contains(text.as_str())
                });
            }
            other => {
                let start = crate::program::now();
                while let Err(seen) = self.look(other) {
                    // What was seen stands last: whoever reads only the end of a log reads that.
                    assert!(start.elapsed() < limit, "the screen:\n{}\n{what}: {seen}", self.program.screen());
                    crate::program::pause();
                }
            }
        }
    }

    /// What the other commands of the same program say.
    fn look(&self, expectation: &Expectation) -> Result<(), String> {
        let verdict = |holds: bool, seen: &Value| if holds { Ok(()) } else { Err(format!("{seen:#}")) };
        let same = |value: &Value, text: &str| value.as_str() == Some(text);
        match expectation {
            Expectation::Ending(word) | Expectation::Run(word) => {
                let runs = self.json(&["runs", "list", "--json"]);
                let newest = &runs["runs"][0];
                verdict(same(&newest["state"], &word.replace(' ', "_")) || same(&newest["state"], word), newest)
            }
            Expectation::Writes(_) => {
                let runs = self.json(&["runs", "list", "--json"]);
                verdict(runs["runs"].as_array().is_some_and(Vec::is_empty), &runs)
            }
            Expectation::Told { server, balancer, state } => {
                let status = self.json(&["status", "--json", "--wait", "30"]);
                let (backend, server) = server.split_once('/').unwrap_or_default();
                let mut rows = status["haproxy"]["servers"].as_array().into_iter().flatten();
                let row = rows.find(|row| {
                    same(&row["lb"], balancer) && same(&row["backend"], backend) && same(&row["server"], server)
                });
                let holds = row.is_some_and(|row| same(&row["admin_state"], state));
                // Where the balancer has no such row, how the nodes were reached tells why.
                verdict(holds, row.unwrap_or(&status["nodes"]))
            }
            Expectation::Wish(kind, server, is_there) => {
                let status = self.json(&["status", "--json", "--wait", "30"]);
                let (backend, server) = server.split_once('/').unwrap_or_default();
                let mut wishes = status["wishes"].as_array().into_iter().flatten();
                let found = wishes.any(|wish| {
                    same(&wish["wanted"], kind) && same(&wish["backend"], backend) && same(&wish["server"], server)
                });
                verdict(found == *is_there, &status["wishes"])
            }
            Expectation::Finding(rule, subject, is_there) => {
                let status = self.json(&["status", "--json", "--wait", "30"]);
                let mut findings = status["findings"].as_array().into_iter().flatten();
                let found = findings.any(|finding| {
                    same(&finding["rule"], rule)
                        && subject.as_ref().is_none_or(|subject| same(&finding["subject"], subject))
                });
                verdict(found == *is_there, &status["findings"])
            }
            other => panic!("{other:?} cannot be seen on a lab"),
        }
    }
}

impl Drop for Played<'_> {
    /// Also when a story fails in the middle, the next one finds the server in traffic.
    fn drop(&mut self) {
        self.vakt(&["do", "haproxy.ready", SERVER, "--yes", "--reason", "end of a test"]);
    }
}

/// What a terminal sends for a key.
fn bytes(key: Key) -> String {
    let text = match key.code {
        KeyCode::Char(c) if key.ctrl => char::from(u8::try_from(c.to_ascii_lowercase()).unwrap() & 0x1f).to_string(),
        KeyCode::Char(c) => c.to_string(),
        KeyCode::Enter => "\r".to_owned(),
        KeyCode::Esc => "\x1b".to_owned(),
        KeyCode::Tab => "\t".to_owned(),
        KeyCode::BackTab => "\x1b[Z".to_owned(),
        KeyCode::Backspace => "\x7f".to_owned(),
        KeyCode::Delete => "\x1b[3~".to_owned(),
        KeyCode::Up => "\x1b[A".to_owned(),
        KeyCode::Down => "\x1b[B".to_owned(),
        KeyCode::Right => "\x1b[C".to_owned(),
        KeyCode::Left => "\x1b[D".to_owned(),
        KeyCode::PageUp => "\x1b[5~".to_owned(),
        KeyCode::PageDown => "\x1b[6~".to_owned(),
        KeyCode::Home => "\x1b[H".to_owned(),
        KeyCode::End => "\x1b[F".to_owned(),
        other @ (KeyCode::F(_) | KeyCode::Redacted) => panic!("{other:?} is not sent to a lab"),
    };
    if key.alt { format!("\x1b{text}") } else { text }
}

#[test]
fn a_story_for_the_lab_asks_only_for_what_a_lab_can_do() {
    for story in lab_stories() {
        for (number, line) in &story.lines {
            let what = beyond_a_lab(line);
            assert!(what.is_none(), "{}:{number}: not for a lab: {}", shown(&story.path), what.unwrap_or_default());
        }
    }
}

#[test]
fn stories_without_faults_hold_on_the_lab() {
    let Some(lab) = Lab::take_unhurried() else { return };
    for story in lab_stories() {
        let mut played = Played::start(&lab, &story);
        for (number, line) in &story.lines {
            played.perform(&format!("{}:{number}", shown(&story.path)), line);
        }
    }
}
