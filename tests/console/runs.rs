//! Runs on the screen: stopped, left, taken up again, settled, undone, and done again where something was lost.

use super::{
    change_stages::{begun, busy, ended, holder, id, on_web03, operator, records, running, standing, summary, tell},
    world::{self, clean, press, resize, send, text},
};
use crate::run::harness::Script;
use vakt::{
    app::{
        App,
        effect::{Effect, RunEffect},
        msg::{Event, RunNews, Standing},
        screen::ScreenId,
    },
    plan::{Reason, ReasonKind},
    run::{EndingKind, Entry, Record, Recovery, RunState, RunSummary},
};

#[test]
fn a_run_is_stopped_after_one_more_question_and_left_without_harm() {
    let (mut app, run) = running(6, Script::default());
    assert!(text(&app).contains("S stops it safely. Stopping undoes steps 2, 1."), "{}", text(&app));
    assert!(press(&mut app, "S").is_empty());
    assert!(text(&app).contains("Stop it? Stopping undoes steps 2, 1."));
    assert!(press(&mut app, "j S").is_empty(), "any other key lets it go on");
    assert_eq!(press(&mut app, "S"), [Effect::Run(RunEffect::Stop { run: run.clone() })]);
    assert!(text(&app).contains("Stopping was asked for"));
    assert!(press(&mut app, "esc").is_empty());
    assert!(text(&app).contains("The run goes on. 8 opens the changes"), "{}", text(&app));
    let rest: Vec<Record> = records(&app, Script::default());
    send(&mut app, Event::Run { run, news: RunNews::Records(rest) });
    assert!(
        text(&app).contains("Drain web_cluster/web03 on lb01 and lb02: Reached"),
        "the end is told: {}",
        text(&app)
    );
}

#[test]
fn a_run_of_this_console_comes_back_without_asking_for_it_anew() {
    let (mut app, run) = running(6, Script::default());
    press(&mut app, "esc");
    let mut known = standing(&app);
    known.runs = vec![RunSummary { id: run.clone(), ..known.runs[0].clone() }];
    tell(&mut app, known);
    assert!(press(&mut app, "8 enter").is_empty(), "its records are known");
    assert!(text(&app).contains("Step 3 of 4."), "{}", text(&app));
    // A run of somebody else is asked for; the one that is over is let go.
    let mut app = busy();
    assert_eq!(press(&mut app, "8 enter"), [Effect::Run(RunEffect::Attach { run: id(7) })]);
    assert!(text(&app).contains("Its journal is being read."));
    press(&mut app, "esc");
    let effects = press(&mut app, "j enter");
    let [Effect::Run(RunEffect::Detach { run: left }), Effect::Run(RunEffect::Attach { run })] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((left, run), (&id(7), &id(6)));
}

#[test]
fn records_that_are_told_twice_count_once() {
    let (mut app, run) = running(100, Script::default());
    let once = text(&app);
    let again = records(&app, Script::default());
    send(&mut app, Event::Run { run, news: RunNews::Records(again) });
    assert_eq!(text(&app), once);
    let news = RunNews::StopWould(clean("another run's"));
    send(&mut app, Event::Run { run: id(3), news });
    assert_eq!(text(&app), once, "news of another run are not for this view");
}

#[test]
fn a_run_that_did_not_start_is_a_refusal() {
    let mut app = on_web03();
    let effects = press(&mut app, "d enter");
    let run = begun(&effects).id.clone();
    let reason =
        Reason::new(ReasonKind::StaleFacts, "eva@bastion2 holds the lock.", Vec::new(), "Wait until it is free.");
    send(&mut app, Event::Run { run, news: RunNews::NotStarted(vec![reason]) });
    let shown = text(&app);
    assert!(shown.contains("┌ Refused") && shown.contains("✗ eva@bastion2 holds the lock."), "{shown}");
    assert!(shown.contains("Nothing was sent."));
    press(&mut app, "esc d");
    assert!(text(&app).contains("Press Enter to start."), "the next plan can be started");
}

#[test]
fn a_run_that_cannot_be_settled_or_taken_up_says_why() {
    let reason =
        || vec![Reason::new(ReasonKind::NotRecoverable, "It is not settled.", vec![clean("it goes on")], "Wait.")];
    // From the list: nothing is followed.
    let mut app = busy();
    resize(&mut app, 120, 40);
    press(&mut app, "8 j D o k enter");
    send(&mut app, Event::Run { run: id(6), news: RunNews::NotStarted(reason()) });
    assert!(text(&app).contains("It is not settled. it goes on"), "{}", text(&app));
    // From the view of the run: it stays.
    let (mut app, run) = running(4, Script::default());
    send(&mut app, Event::Run { run: run.clone(), news: RunNews::Vanished(clean("Killed.")) });
    press(&mut app, "D o k enter");
    assert!(text(&app).contains("interrupted here"), "the view comes back: {}", text(&app));
    send(&mut app, Event::Run { run, news: RunNews::NotStarted(reason()) });
    assert!(text(&app).contains("It is not settled. it goes on") && text(&app).contains("interrupted here"));
    // Taking up is refused like a plan.
    let mut app = busy();
    press(&mut app, "8 j c enter");
    send(&mut app, Event::Run { run: id(6), news: RunNews::NotStarted(reason()) });
    assert!(text(&app).contains("┌ Refused") && text(&app).contains("✗ It is not settled."), "{}", text(&app));
}

#[test]
fn a_run_that_was_settled_is_over_and_one_that_cannot_be_read_says_so() {
    let (mut app, run) = running(4, Script::default());
    send(&mut app, Event::Run { run: run.clone(), news: RunNews::Vanished(clean("Killed.")) });
    assert!(text(&app).contains("c resume"));
    let at = app.now;
    let entry = Entry::Resolved { operator: operator("eva"), why: clean("drained by hand") };
    send(&mut app, Event::Run { run, news: RunNews::Records(vec![Record { seq: 4, at, entry }]) });
    let shown = text(&app);
    assert!(shown.contains("○  Settled by eva: drained by hand") && !shown.contains("c resume"), "{shown}");
    let mut app = busy();
    press(&mut app, "8 enter");
    send(&mut app, Event::Run { run: id(7), news: RunNews::Vanished(clean("permission denied")) });
    assert!(text(&app).contains("It cannot be followed: permission denied"), "{}", text(&app));
    assert_eq!(press(&mut app, "esc"), [Effect::Run(RunEffect::Detach { run: id(7) })]);
}

#[test]
fn an_interrupted_run_is_the_first_thing_that_is_said_and_can_be_decided() {
    let mut app = busy();
    resize(&mut app, 80, 24);
    let shown = text(&app);
    let first = shown.lines().nth(3).unwrap();
    assert!(first.contains("A run needs you: Put web_cluster/web01") && first.contains("8 opens it"), "{shown}");
    press(&mut app, "enter");
    assert_eq!(app.screen(), ScreenId::Changes);
    let marked = |app: &App| text(app).lines().find(|line| line.starts_with(" ▸")).unwrap().to_owned();
    assert!(marked(&app).contains("✗ needs operator"), "{}", text(&app));
    press(&mut app, "j");
    assert!(marked(&app).contains("✗ interrupted"), "{}", text(&app));
    assert!(press(&mut app, "c").is_empty());
    assert!(text(&app).contains("Press Enter to go on"));
    assert_eq!(press(&mut app, "enter"), [Effect::Run(RunEffect::Recover { run: id(5), choice: Recovery::Resume })]);
    let mut app = busy();
    let effects = press(&mut app, "8 j j b enter");
    assert_eq!(effects, [Effect::Run(RunEffect::Recover { run: id(5), choice: Recovery::RollBack })]);
    let mut app = busy();
    assert!(press(&mut app, "8 j D enter").is_empty(), "a reason is needed");
    assert!(text(&app).contains("Say why"));
    let effects = press(&mut app, "o k enter");
    assert_eq!(effects, [Effect::Run(RunEffect::Resolve { run: id(6), why: clean("ok") })]);
    press(&mut app, "home c");
    assert!(text(&app).contains("This run goes on; Enter opens it."), "{}", text(&app));
}

#[test]
fn nothing_is_taken_up_while_somebody_else_acts_or_from_a_read_only_console() {
    let mut app = busy();
    let lock = holder(&app);
    let known = standing(&app);
    tell(&mut app, Standing { lock, ..known });
    assert!(press(&mut app, "8 j c enter").is_empty());
    assert!(text(&app).contains("The lock is held by eva@bastion2"), "{}", text(&app));
    let mut app = busy();
    app.options.read_only = true;
    for keys in ["8 j c enter", "esc D o k enter"] {
        assert!(press(&mut app, keys).is_empty());
        assert!(text(&app).contains("This console is read-only."), "{}", text(&app));
    }
}

/// Runs with their states, the newest first; and the line that takes back the last one, or why there is none.
type Undo<'a> = (&'a [(&'a str, RunState)], Result<&'a str, &'a str>);

#[test]
fn undo_is_the_inverse_of_the_last_run_and_says_when_there_is_none() {
    let reached = || ended(EndingKind::Reached, "as wanted");
    let cases: [Undo<'_>; 10] = [
        (&[], Err("No run has changed anything yet.")),
        (&[("haproxy.drain web_cluster/web03", reached())], Ok("haproxy.ready web_cluster/web03")),
        (&[("haproxy.maint web_cluster/web03", reached())], Ok("haproxy.ready web_cluster/web03")),
        (
            &[("haproxy.maint web_cluster/web03", reached()), ("haproxy.drain web_cluster/web03", reached())],
            Ok("haproxy.drain web_cluster/web03"),
        ),
        (&[("haproxy.ready web_cluster/web03", reached())], Err("It is not known what web_cluster/web03 was")),
        (
            &[("haproxy.ready web_cluster/web03", reached()), ("haproxy.drain web_cluster/web03", reached())],
            Ok("haproxy.drain web_cluster/web03"),
        ),
        (
            &[("haproxy.weight web_cluster/web03 --weight 50", reached())],
            Ok("haproxy.weight web_cluster/web03 --weight 100"),
        ),
        (
            &[
                ("haproxy.weight web_cluster/web03 --weight 50", reached()),
                ("haproxy.weight web_cluster/web03 --weight 70", reached()),
            ],
            Ok("haproxy.weight web_cluster/web03 --weight 70"),
        ),
        (&[("haproxy.kill-sessions web_cluster/web03", reached())], Err("The last run closed sessions")),
        (
            &[("haproxy.drain web_cluster/web03", RunState::Interrupted)],
            Err("The last run is interrupted: title. Decide about it"),
        ),
    ];
    for (runs, wanted) in cases {
        let mut app = world::healthy();
        resize(&mut app, 160, 40);
        let runs =
            (1..).zip(runs).map(|(number, (line, state))| summary(&app, number, line, "title", 60, state.clone()));
        let runs = runs.collect();
        tell(&mut app, Standing { runs, ..Standing::default() });
        press(&mut app, "U");
        match wanted {
            Ok(line) => {
                let Some(Effect::Copy(copied)) = press(&mut app, "y").pop() else { panic!("{line}: {}", text(&app)) };
                assert!(copied.starts_with(&format!("vakt do {line}")) && copied.contains("undo of run"), "{copied}");
            }
            Err(why) => assert!(text(&app).contains(why), "{why}: {}", text(&app)),
        }
    }
}

#[test]
fn what_was_lost_is_applied_again_from_the_finding_the_wish_and_the_server() {
    let mut app = busy();
    let mut finding =
        world::finding(vakt::rules::Severity::Warning, "lb01", "web_cluster/web03", "lb01 forgot the drain", 0);
    finding.rule = clean("haproxy.intent.lost");
    app.findings = vec![finding];
    resize(&mut app, 120, 40);
    for keys in ["7 r", "8 end r", ": web_cluster/web03 enter r"] {
        press(&mut app, keys);
        let shown = text(&app);
        assert!(shown.contains("┌ Plan") && shown.contains("Drain web_cluster/web03 on lb01"), "{keys}: {shown}");
        assert!(shown.contains("reason new kernel on web03"), "{shown}");
        press(&mut app, "esc");
    }
    press(&mut app, "2 home r");
    assert!(text(&app).contains("This acts on one server"), "{}", text(&app));
    press(&mut app, ": web_cluster/web01 enter r");
    assert!(text(&app).contains("Nobody wants anything of web_cluster/web01"), "{}", text(&app));
}
