//! The notation of a story, read line by line.
//!
//! A line is a verb and its words; what stands in quotes is one word. `#` begins a comment. Everything that is wrong
//! with a file is told at once, with its line.

use std::{fmt, path::PathBuf};
use vakt::app::msg::Key;

/// A story: its header and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Story {
    /// Its file.
    pub(super) path: PathBuf,
    /// Which simulated cluster it plays on.
    pub(super) scenario: String,
    /// Whether the same file can be played on the lab.
    pub(super) lab: bool,
    /// Whether the console may write.
    pub(super) read_only: bool,
    /// What happens, with line numbers from 1.
    pub(super) lines: Vec<(usize, Line)>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    /// The terminal's size in cells.
    Size(u16, u16),
    /// Keys by the notation of the keymap.
    Press(Vec<Key>),
    /// Text, letter by letter.
    Type(String),
    /// Time passes: milliseconds.
    Advance(u64),
    /// Something breaks, in the words of the simulation.
    Fault(String),
    /// Somebody else takes the lock: who, where, what for.
    Held { by: String, bastion: String, what: String },
    /// Nobody holds it any more.
    Released,
    /// The executor of the run in progress is killed.
    KillExecutor,
    /// The console ends and is started again.
    ConsoleRestarts,
    /// Time passes until something holds, at most that many milliseconds.
    Await(u64, Expectation),
    /// Something holds now.
    Expect(Expectation),
}

/// What can be expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expectation {
    /// The screen is that of the golden file beside the story; the name tells several apart.
    Screen(Option<String>),
    /// The screen shows this, or does not.
    Text(String, bool),
    /// A finding of that rule about that subject is open, or none is.
    Finding(String, Option<String>, bool),
    /// The open plan is that of the golden file.
    Plan(String),
    /// The open refusal says this.
    Refusal(String),
    /// So many writes reached the machines since the beginning.
    Writes(usize),
    /// A write with these words reached a machine.
    Sent(String),
    /// The newest run ended so.
    Ending(String),
    /// The newest run is in that state.
    Run(String),
    /// A wish of that kind for that server is in the ledger, or none is.
    Wish(String, String, bool),
    /// A server is told this by that load balancer.
    Told { server: String, balancer: String, state: String },
    /// No request failed since the beginning.
    NoFailedRequests,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.what)
    }
}

/// Every verb with its form, for messages.
const FORMS: [&str; 14] = [
    "scenario NAME",
    "lab",
    "read-only",
    "size WIDTHxHEIGHT",
    "press KEY…",
    "type TEXT",
    "advance TIME",
    "fault WORDS",
    "lock WHO@BASTION \"WHAT\" | lock free",
    "kill executor",
    "console restarts",
    "await TIME EXPECTATION",
    "expect EXPECTATION",
    "expect screen [NAME] | [no] text \"…\" | [no] finding RULE [SUBJECT] | plan NAME | refusal \"…\" | writes N | \
     no writes | sent \"…\" | ending KIND | run STATE | [no] wish KIND SERVER | told SERVER STATE on LB | \
     no failed requests",
];

impl Story {
    /// Reads a story, or says everything that is wrong with it.
    pub(super) fn parse(path: PathBuf, text: &str) -> Result<Self, Vec<Wrong>> {
        let mut story = Self { path, scenario: "seed".to_owned(), lab: false, read_only: false, lines: Vec::new() };
        let mut wrong = Vec::new();
        for (number, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim())) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Err(what) = story.read(number, line) {
                wrong.push(Wrong { line: number, what });
            }
        }
        if !story.lines.iter().any(|(_, line)| matches!(line, Line::Expect(_) | Line::Await(..))) {
            wrong.push(Wrong { line: 1, what: "it expects nothing and cannot fail".to_owned() });
        }
        if wrong.is_empty() { Ok(story) } else { Err(wrong) }
    }

    fn read(&mut self, number: usize, line: &str) -> Result<(), String> {
        let (verb, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let words = words(rest)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_header = matches!(verb, "scenario" | "lab" | "read-only");
        if is_header && !self.lines.is_empty() {
            return Err(format!("`{verb}` belongs above everything that happens"));
        }
        let happens = match (verb, &words[..]) {
            ("scenario", [name]) => {
                (*name).clone_into(&mut self.scenario);
                return Ok(());
            }
            ("lab", []) => {
                self.lab = true;
                return Ok(());
            }
            ("read-only", []) => {
                self.read_only = true;
                return Ok(());
            }
            ("size", [size]) => Self::size(size)?,
            ("press", [_, ..]) => {
                let key = |word: &&str| Key::parse(word).ok_or_else(|| format!("no key is named {word}"));
                Line::Press(words.iter().map(key).collect::<Result<_, _>>()?)
            }
            ("type", [_, ..]) => Line::Type(rest.to_owned()),
            ("advance", [time]) => Line::Advance(time_ms(time)?),
            ("fault", [_, ..]) => Line::Fault(rest.to_owned()),
            ("lock", ["free"]) => Line::Released,
            ("lock", [who, what]) => {
                let (by, bastion) = who.split_once('@').ok_or("the holder is written WHO@BASTION")?;
                Line::Held { by: by.to_owned(), bastion: bastion.to_owned(), what: (*what).to_owned() }
            }
            ("kill", ["executor"]) => Line::KillExecutor,
            ("console", ["restarts"]) => Line::ConsoleRestarts,
            ("await", [time, expectation @ ..]) => Line::Await(time_ms(time)?, expectation_of(expectation)?),
            ("expect", expectation) => Line::Expect(expectation_of(expectation)?),
            _ => return Err(form_of(verb)),
        };
        self.lines.push((number, happens));
        Ok(())
    }

    fn size(word: &str) -> Result<Line, String> {
        let cells = word.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        cells.map(|(width, height)| Line::Size(width, height)).ok_or_else(|| form_of("size"))
    }
}

/// What a line with this verb should look like.
fn form_of(verb: &str) -> String {
    let known = FORMS.iter().rev().find(|form| form.split_whitespace().next() == Some(verb));
    if let Some(form) = known {
        return format!("write `{form}`");
    }
    let verbs: Vec<&str> = FORMS.iter().filter_map(|form| form.split_whitespace().next()).collect();
    format!("unknown verb `{verb}`; the verbs are {}", verbs.join(", "))
}

fn expectation_of(words: &[&str]) -> Result<Expectation, String> {
    let owned = |word: &str| word.to_owned();
    let (is_there, words) = match words {
        ["no", rest @ ..] => (false, rest),
        _ => (true, words),
    };
    Ok(match (is_there, words) {
        (true, ["screen"]) => Expectation::Screen(None),
        (true, ["screen", name]) => Expectation::Screen(Some(owned(name))),
        (_, ["text", text]) if !text.is_empty() => Expectation::Text(owned(text), is_there),
        (_, ["finding", rule]) => Expectation::Finding(owned(rule), None, is_there),
        (_, ["finding", rule, subject]) => Expectation::Finding(owned(rule), Some(owned(subject)), is_there),
        (true, ["plan", name]) => Expectation::Plan(owned(name)),
        (true, ["refusal", text]) if !text.is_empty() => Expectation::Refusal(owned(text)),
        (false, ["writes"]) => Expectation::Writes(0),
        (true, ["writes", count]) => {
            Expectation::Writes(count.parse().map_err(|_| format!("`{count}` is not a number of writes"))?)
        }
        (true, ["sent", text]) if !text.is_empty() => Expectation::Sent(owned(text)),
        (true, ["ending", kind @ ..]) if !kind.is_empty() => {
            let kind = kind.join(" ");
            if !["reached", "rolled back", "stopped", "needs operator"].contains(&kind.as_str()) {
                return Err(format!("no run ends `{kind}`; it ends reached, rolled back, stopped, or needs operator"));
            }
            Expectation::Ending(kind)
        }
        (true, ["run", state @ ..]) if !state.is_empty() => Expectation::Run(state.join(" ")),
        (_, ["wish", kind, server]) => Expectation::Wish(owned(kind), owned(server), is_there),
        (true, ["told", server, state, "on", balancer]) => {
            Expectation::Told { server: owned(server), balancer: owned(balancer), state: owned(state) }
        }
        (false, ["failed", "requests"]) => Expectation::NoFailedRequests,
        _ => return Err(form_of("expect")),
    })
}

/// Words between spaces; what stands in double quotes is one word.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, left) = match rest.strip_prefix('"') {
            // A quote that is a key of its own.
            Some(quoted) if !quoted.starts_with(' ') && !quoted.is_empty() => {
                quoted.split_once('"').ok_or("a quote is not closed")?
            }
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = left.trim_start();
    }
    Ok(words)
}

/// `300ms`, `3s`, `2m`.
fn time_ms(word: &str) -> Result<u64, String> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = word.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1000),
        "m" => Some(60_000),
        _ => None,
    };
    let ms = number.parse::<u64>().ok().zip(factor).map(|(number, factor)| number * factor);
    ms.filter(|ms| (1..=3_600_000).contains(ms)).ok_or_else(|| format!("`{word}` is no time such as 300ms, 3s or 2m"))
}

#[test]
fn a_story_reads_back_as_it_is_meant() {
    let text = "# comment\nscenario two-small\nlab\nsize 80x24\npress 2 ctrl-c enter\ntype web 03 \"x\"\nadvance 300ms\n\
                await 2m no text \"a b\"\nexpect ending rolled back\nexpect no writes\nlock ola@b2 \"Drain x\"\n";
    let story = Story::parse("a.story".into(), text).unwrap();
    assert!(story.lab && !story.read_only && story.scenario == "two-small");
    let lines: Vec<&Line> = story.lines.iter().map(|(_, line)| line).collect();
    assert_eq!(lines[0], &Line::Size(80, 24));
    assert!(matches!(lines[1], Line::Press(keys) if keys.len() == 3 && keys[1].ctrl));
    assert_eq!(lines[2], &Line::Type("web 03 \"x\"".to_owned()));
    assert_eq!(lines[4], &Line::Await(120_000, Expectation::Text("a b".to_owned(), false)));
    assert_eq!(lines[5], &Line::Expect(Expectation::Ending("rolled back".to_owned())));
    assert_eq!(lines[6], &Line::Expect(Expectation::Writes(0)));
}

#[test]
fn everything_that_is_wrong_is_told_with_its_line() {
    let wrong = |text: &str| {
        let wrong = Story::parse("a.story".into(), text).unwrap_err();
        wrong.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let told =
        wrong("jump lb01\nsize 80\npress hyper-x\nadvance soon\nexpect ending well\nscenario x\nexpect text \"a\n");
    assert!(told[0].starts_with("1: unknown verb `jump`; the verbs are scenario, lab, "), "{told:?}");
    assert_eq!(
        told[1..],
        [
            "2: write `size WIDTHxHEIGHT`",
            "3: no key is named hyper-x",
            "4: `soon` is no time such as 300ms, 3s or 2m",
            "5: no run ends `well`; it ends reached, rolled back, stopped, or needs operator",
            "7: a quote is not closed",
            "1: it expects nothing and cannot fail",
        ]
    );
    assert_eq!(wrong("press 2\nlab\nexpect no writes\n"), ["2: `lab` belongs above everything that happens"]);
}
