//! The logs behind a row.

use super::world::{self, at, press, resize, send, text};
use std::fmt::Write;
use vakt::{
    app::{
        App,
        effect::{Effect, LogAsk},
        msg::Event,
    },
    model::{
        log::{LogId, LogLine, LogPage, LogWindow},
        text::Clean,
        time::Wall,
        trouble::{Trouble, TroubleKind},
    },
};

fn asked(effects: &[Effect]) -> LogAsk {
    let asks: Vec<&LogAsk> =
        effects.iter().filter_map(|effect| if let Effect::Log(ask) = effect { Some(ask) } else { None }).collect();
    assert_eq!(asks.len(), 1, "{effects:?}");
    asks[0].clone()
}

fn line(ms: u64, from: &str, text: &str) -> LogLine {
    LogLine { at: Some(at(ms).wall), from: from.into(), text: Clean::line(text) }
}

fn page(lines: Vec<LogLine>) -> LogPage {
    LogPage { lines, missing: Vec::new() }
}

fn answer(app: &mut App, ask: &LogAsk, page: LogPage) {
    send(app, Event::Log { number: ask.number, outcome: Ok(page) });
}

fn some_lines() -> Vec<LogLine> {
    vec![
        line(1_000, "haproxy", "Proxy web_cluster started."),
        line(
            2_000,
            "haproxy",
            "[WARNING] Server web_cluster/web03 is DOWN, reason: Layer7 timeout, check duration: 500ms. 2 active and 0 \
             backup servers left. 12 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        LogLine { at: None, from: "haproxy.log".into(), text: "a line that goes on".into() },
        line(3_000, "systemd", "haproxy.service: Watchdog timeout"),
    ]
}

#[test]
fn a_node_s_logs_at_every_size() {
    let mut all = String::new();
    for (width, height) in [(80, 24), (200, 60)] {
        let mut app = world::failing();
        resize(&mut app, width, height);
        press(&mut app, "6 home");
        let ask = asked(&press(&mut app, "L"));
        let _ = write!(all, "=== {width}x{height}, asked for {:?} of {}\n{}", ask.log, ask.node, text(&app));
        answer(&mut app, &ask, page(some_lines()));
        let _ = write!(all, "=== answered\n{}", text(&app));
        press(&mut app, "/");
        press(&mut app, "w a t c h");
        let _ = write!(all, "=== filtered\n{}", text(&app));
    }
    insta::assert_snapshot!("logs", all);
}

#[test]
fn a_finding_s_logs_are_those_around_its_beginning_and_t_shows_the_newest() {
    let mut app = world::failing();
    press(&mut app, "7 home");
    let ask = asked(&press(&mut app, "L"));
    assert!(matches!(ask.window, LogWindow::Around(_)), "{ask:?}");
    answer(&mut app, &ask, page(some_lines()));
    assert!(text(&app).contains("from 2 m before"), "{}", text(&app));
    let newest = asked(&press(&mut app, "t"));
    assert_eq!((newest.node, newest.window), (ask.node, LogWindow::Newest));
    assert!(text(&app).contains("reading…"), "what was read of another part is not shown: {}", text(&app));
}

#[test]
fn what_is_followed_is_asked_again_and_an_answer_to_an_earlier_question_is_dropped() {
    let mut app = world::failing();
    press(&mut app, "6 home");
    let first = asked(&press(&mut app, "L"));
    let second = asked(&press(&mut app, "tab"));
    assert_ne!((first.node.clone(), first.log), (second.node.clone(), second.log));
    answer(&mut app, &first, page(vec![line(1_000, "a", "of the first log")]));
    assert!(!text(&app).contains("of the first log"));
    answer(&mut app, &second, page(vec![line(1_000, "b", "of the second log")]));
    assert!(text(&app).contains("of the second log"));
    let mut later = app.now;
    let mut again = Vec::new();
    for _ in 0..30 {
        later = vakt::model::time::Now { mono: later.mono.plus_ms(100), wall: Wall(later.wall.0 + 100) };
        let effects = vakt::app::update(&mut app, vakt::app::msg::Msg { at: later, event: Event::Tick });
        again.extend(effects.into_iter().filter(|effect| matches!(effect, Effect::Log(_))));
    }
    assert_eq!(again.len(), 1, "two seconds later, once: one question is open");
    let trouble = Trouble::new(TroubleKind::TimedOut, "no answer from lb01", "look");
    send(&mut app, Event::Log { number: asked(&again).number, outcome: Err(trouble) });
    assert!(text(&app).contains("of the second log"), "what was read stays");
    assert!(text(&app).contains("older lines: no answer from lb01"), "{}", text(&app));
}

#[test]
fn who_reads_older_lines_keeps_his_place() {
    let mut app = world::failing();
    press(&mut app, "6 home");
    let ask = asked(&press(&mut app, "L"));
    let lines = |count: u64| page((0..count).map(|n| line(n * 10, "x", &format!("line {n}."))).collect());
    answer(&mut app, &ask, lines(300));
    assert!(text(&app).contains("line 299."));
    press(&mut app, "pageup pageup");
    let read = text(&app);
    assert!(read.contains("not followed") && !read.contains("line 299."), "{read}");
    press(&mut app, "home");
    assert!(text(&app).contains("line 0."), "{}", text(&app));
    press(&mut app, "end");
    assert!(text(&app).contains("line 299."));
    press(&mut app, "esc");
    assert!(!text(&app).contains("line 299."));
}

#[test]
fn an_empty_log_and_an_unreachable_node_say_what_is() {
    let mut app = world::failing();
    press(&mut app, "6 home");
    let ask = asked(&press(&mut app, "L"));
    let missing = vec![Clean::line("there is no journalctl")];
    answer(&mut app, &ask, LogPage { lines: Vec::new(), missing });
    assert!(text(&app).contains("there is no journalctl") && text(&app).contains("holds nothing"), "{}", text(&app));
    let mut app = world::failing();
    press(&mut app, "6 home");
    let ask = asked(&press(&mut app, "L"));
    let trouble = Trouble::new(TroubleKind::Refused, "connection refused", "start sshd");
    send(&mut app, Event::Log { number: ask.number, outcome: Err(trouble) });
    assert!(text(&app).contains("connection refused"), "{}", text(&app));
}

#[test]
fn the_likeliest_log_comes_first() {
    for (keys, node, log) in [("7 home", "db03", LogId::Database), ("6 / lb01 enter home", "lb01", LogId::Haproxy)] {
        let mut app = world::failing();
        press(&mut app, keys);
        let ask = asked(&press(&mut app, "L"));
        assert_eq!((ask.node.as_str(), ask.log), (node, log));
    }
    let mut app = world::failing();
    press(&mut app, "8");
    assert!(press(&mut app, "L").iter().all(|effect| !matches!(effect, Effect::Log(_))), "a run has its own journal");
}
