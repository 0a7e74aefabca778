//! Stories of operators: text files beside this one, played through the console's real `update` over a simulated
//! cluster in virtual time. `CONTRIBUTING.md` has the notation; `UPDATE=1` rewrites the golden screens.
//!
//! Stories with `lab` in their header are played a second time by the real program on the lab (`lab`).

mod executor;
mod lab;
mod links;
mod stage;
mod story;

use stage::Stage;
use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};
use story::{Expectation, Line, Story};
use vakt::{
    app::msg::{Event, Key, KeyCode},
    model::haproxy::Answers,
    run::RunState,
};

/// How finely an `await` looks.
const LOOK_MS: u64 = 50;
/// The size at which a plan is compared: none of it is hidden.
const PLAN_SIZE: (u16, u16) = (120, 200);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories")
}

/// Every story, in the order of its path.
fn stories() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "story") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&folder(), &mut found);
    found
}

fn read(path: &Path) -> Result<Story, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Story::parse(path.to_owned(), &text).map_err(|wrong| {
        let shown = shown(path);
        wrong.iter().map(|wrong| format!("{shown}:{wrong}")).collect::<Vec<_>>().join("\n")
    })
}

fn shown(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// Plays a story to its end, or to the first line that does not hold.
fn play(story: &Story) -> Result<(), String> {
    let mut stage =
        Stage::new(&story.scenario, story.read_only).map_err(|what| format!("{}: {what}", shown(&story.path)))?;
    for (number, line) in &story.lines {
        perform(&mut stage, story, line).map_err(|what| {
            format!(
                "{}:{number}: {what}\n--- the screen\n{}--- what happened last\n{}",
                shown(&story.path),
                stage.screen(),
                stage.last_happenings()
            )
        })?;
    }
    Ok(())
}

fn perform(stage: &mut Stage, story: &Story, line: &Line) -> Result<(), String> {
    match line {
        Line::Size(width, height) => {
            stage.send(Event::Resize { width: *width, height: *height });
            stage.advance(20);
        }
        Line::Press(keys) => keys.iter().for_each(|key| stage.press(*key)),
        Line::Type(text) => text.chars().for_each(|c| stage.press(Key::plain(KeyCode::Char(c)))),
        Line::Advance(ms) => stage.advance(*ms),
        Line::Fault(words) => stage.fault(words)?,
        Line::Held { by, bastion, what } => stage.hold_lock(Some((by, bastion, what))),
        Line::Released => stage.hold_lock(None),
        Line::KillExecutor => stage.kill_executor()?,
        Line::ConsoleRestarts => stage.restart_console(),
        Line::Await(ms, expectation) => {
            let mut left_ms = *ms;
            while let Err(what) = check(stage, story, expectation) {
                if left_ms == 0 {
                    return Err(format!("after {ms} ms, {what}"));
                }
                stage.advance(LOOK_MS.min(left_ms));
                left_ms -= LOOK_MS.min(left_ms);
            }
        }
        Line::Expect(expectation) => check(stage, story, expectation)?,
    }
    Ok(())
}

fn check(stage: &mut Stage, story: &Story, expectation: &Expectation) -> Result<(), String> {
    let verdict = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    match expectation {
        Expectation::Screen(name) => golden(story, name.as_deref(), "screen", &stage.screen()),
        Expectation::Plan(name) => golden(story, Some(name), "plan", &stage.screen_at(PLAN_SIZE.0, PLAN_SIZE.1)),
        Expectation::Text(text, is_there) => {
            let shows = stage.screen().lines().any(|line| line.contains(text.as_str()));
            verdict(
                shows == *is_there,
                format!("the screen {} {text:?}", if shows { "shows" } else { "does not show" }),
            )
        }
        Expectation::Refusal(text) => {
            let prose = prose(&stage.screen_at(PLAN_SIZE.0, PLAN_SIZE.1));
            verdict(
                prose.contains("Refused:") && prose.contains(text.as_str()),
                format!("nothing is refused with {text:?}"),
            )
        }
        Expectation::Finding(rule, subject, is_there) => {
            let is_meant = |finding: &&vakt::rules::Finding| {
                finding.rule.as_str() == rule
                    && subject.as_ref().is_none_or(|subject| finding.subject.as_str() == subject)
            };
            let found = stage.app.findings.iter().find(is_meant).map(|finding| finding.sentence.to_string());
            let open = stage.app.findings.iter().map(|finding| format!("{} {}", finding.rule, finding.subject));
            let open = open.collect::<Vec<_>>().join(", ");
            verdict(found.is_some() == *is_there, format!("the finding is {found:?}; open are [{open}]"))
        }
        Expectation::Writes(count) => {
            let writes: Vec<String> = writes(stage);
            verdict(writes.len() == *count, format!("{} writes were sent: {writes:#?}", writes.len()))
        }
        Expectation::Sent(text) => {
            let writes = writes(stage);
            verdict(writes.iter().any(|write| write.contains(text.as_str())), format!("only {writes:#?} were sent"))
        }
        Expectation::Ending(kind) => match stage.bureau.newest().map(|run| run.state) {
            Some(RunState::Ended { kind: ended, why }) => {
                verdict(ended.word() == kind, format!("the run ended {ended}: {why}"))
            }
            other => Err(format!("no run has ended; the newest is {other:?}")),
        },
        Expectation::Run(wanted) => {
            let word = stage.bureau.newest().map(|run| run.state.word());
            verdict(word == Some(wanted.as_str()), format!("the newest run is {word:?}"))
        }
        Expectation::Wish(kind, server, is_there) => {
            let wishes = &stage.bureau.ledger().wishes;
            let holds = wishes.iter().any(|wish| wish.wanted.word() == kind && wish.server.to_string() == *server);
            verdict(holds == *is_there, format!("the ledger is {wishes:?}"))
        }
        Expectation::Told { server, balancer, state } => {
            let told = told(stage, server, balancer);
            verdict(told.as_deref() == Some(state.as_str()), format!("{balancer} tells {server} {told:?}"))
        }
        Expectation::NoFailedRequests => {
            let failed = failed_requests(stage);
            verdict(failed == 0, format!("{failed} requests failed"))
        }
    }
}

fn writes(stage: &Stage) -> Vec<String> {
    stage.cluster.writes().iter().map(|write| format!("{}: {}", write.node, write.command)).collect()
}

/// What a load balancer was told of a server, as the console knows it.
fn told(stage: &Stage, server: &str, balancer: &str) -> Option<String> {
    let facts = stage.app.world.node(&balancer.into())?.haproxy.last()?;
    let (backend, server) = server.split_once('/')?;
    let backend = facts.sample.backends.iter().find(|known| known.name.as_str() == backend)?;
    let server = backend.servers.iter().find(|known| known.name.as_str() == server)?;
    server.admin.known().map(|told| told.to_string())
}

/// Answers 5xx that clients got, as far as the processes that run now count.
fn failed_requests(stage: &Stage) -> u64 {
    let samples = stage.app.world.nodes.iter().filter_map(|node| node.haproxy.last());
    let answers = samples.flat_map(|facts| &facts.sample.frontends).filter_map(|front| front.traffic.answers.known());
    answers.map(|Answers { server_error, .. }| server_error).sum()
}

/// The text on a screen without frames and line breaks.
fn prose(screen: &str) -> String {
    let words = screen.lines().flat_map(|line| line.split_whitespace());
    words.filter(|word| !word.chars().all(|c| "│─┌┐└┘├┤▏▕|+-".contains(c))).collect::<Vec<_>>().join(" ")
}

/// Compares with the golden file beside the story.
fn golden(story: &Story, name: Option<&str>, kind: &str, text: &str) -> Result<(), String> {
    let extension = name.map_or_else(|| kind.to_owned(), |name| format!("{name}.{kind}"));
    let path = story.path.with_extension(extension);
    if std::env::var_os("UPDATE").is_some() {
        return fs::write(&path, text).map_err(|error| error.to_string());
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    if expected == text {
        return Ok(());
    }
    let differs = expected
        .lines()
        .zip(text.lines())
        .position(|(a, b)| a != b)
        .unwrap_or_else(|| expected.lines().count().min(text.lines().count()));
    let line = |text: &str| text.lines().nth(differs).unwrap_or_default().to_owned();
    Err(format!(
        "line {} of {} is\n  {}\nand was\n  {}\nUPDATE=1 rewrites the file",
        differs + 1,
        shown(&path),
        line(text),
        line(&expected)
    ))
}

#[test]
fn every_story_holds() {
    let mut paths = stories();
    if let Ok(wanted) = std::env::var("VAKT_STORIES") {
        paths.retain(|path| wanted.split(',').any(|word| shown(path).contains(word)));
    }
    assert!(!paths.is_empty(), "no story was found");
    // Each by itself: the longest ones would else be played last and alone.
    let next = AtomicUsize::new(0);
    let play_some = || {
        let mine = std::iter::from_fn(|| paths.get(next.fetch_add(1, Ordering::Relaxed)));
        mine.filter_map(|path| read(path).and_then(|story| play(&story)).err()).collect::<Vec<_>>()
    };
    let players = thread::available_parallelism().map_or(1, NonZero::get);
    let failures: Vec<String> = thread::scope(|scope| {
        let all: Vec<_> = (0..players).map(|_| scope.spawn(play_some)).collect();
        all.into_iter().flat_map(|player| player.join().unwrap()).collect()
    });
    assert!(failures.is_empty(), "{} of {} stories fail\n\n{}", failures.len(), paths.len(), failures.join("\n\n"));
}

/// A golden file that no story compares with is a promise nobody keeps.
#[test]
fn every_golden_file_belongs_to_a_story() {
    for path in stories() {
        let story = read(&path).unwrap();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let named = story.lines.iter().filter_map(|(_, line)| match line {
            Line::Expect(Expectation::Screen(None)) => Some(format!("{stem}.screen")),
            Line::Expect(Expectation::Screen(Some(name))) => Some(format!("{stem}.{name}.screen")),
            Line::Expect(Expectation::Plan(name)) => Some(format!("{stem}.{name}.plan")),
            _ => None,
        });
        let named: Vec<String> = named.collect();
        for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
            let name = entry.unwrap().file_name().to_str().unwrap().to_owned();
            let rest = name.strip_prefix(&stem).and_then(|rest| rest.strip_prefix('.'));
            let is_own = rest.is_some_and(|rest| rest != "story");
            assert!(!is_own || named.contains(&name), "{name} is compared with nothing");
        }
    }
}
