//! A figure over time, on a page of its own.

use super::world::{self, at, press, resize, text};
use std::fmt::Write;
use vakt::{
    app::{
        App,
        msg::{Event, Msg},
        update,
    },
    model::{
        figure::Figure,
        host::{CpuShares, HostFacts},
        time::{Mono, Now},
    },
};

/// How long db01 has been watched.
const WATCHED_S: u64 = 4_500;

/// db01 was watched for 75 minutes: iowait of 5 % an hour ago, a gap of a minute, 44 % for the last three minutes.
fn watched() -> App {
    let mut app = world::failing();
    for second in 1..=WATCHED_S {
        let left = WATCHED_S - second;
        if (300..360).contains(&left) {
            continue;
        }
        let wave = f64::from(u32::try_from(second % 20).unwrap()) / 4.0;
        let iowait = if left < 180 { 44.0 } else { 5.0 } + wave;
        let facts = HostFacts {
            cpu: Figure::Known(CpuShares { iowait, idle: 100.0 - iowait, ..CpuShares::default() }),
            ..HostFacts::default()
        };
        let moment = at(60_000 + second * 1_000).mono;
        app.history.push_host(&world::name("db01"), &facts, moment);
    }
    let now = at(60_000 + WATCHED_S * 1_000);
    update(&mut app, Msg { at: now, event: Event::Tick });
    app
}

/// The chart of iowait of db01.
fn opened(app: &mut App) {
    press(app, "6 / db01 enter home g tab");
}

#[test]
fn a_chart_at_every_size() {
    let mut all = String::new();
    for (width, height) in [(80, 24), (200, 60)] {
        let mut app = watched();
        resize(&mut app, width, height);
        opened(&mut app);
        let _ = write!(all, "=== {width}x{height}\n{}", text(&app));
        press(&mut app, "b left left left left");
        let _ = write!(all, "=== against an hour before, with a cursor\n{}", text(&app));
        press(&mut app, "end b - -");
        let _ = write!(all, "=== two hours\n{}", text(&app));
    }
    insta::assert_snapshot!("chart", all);
}

#[test]
fn the_reading_says_the_value_the_range_and_the_hour_before() {
    let mut app = watched();
    resize(&mut app, 120, 40);
    opened(&mut app);
    let shown = text(&app);
    assert!(shown.contains("iowait of db01") && shown.contains("the last 10 m"), "{shown}");
    assert!(shown.contains("now  "), "{shown}");
    press(&mut app, "b left");
    assert!(text(&app).contains("an hour before: "), "{}", text(&app));
    press(&mut app, "esc");
    assert!(!text(&app).contains("iowait of db01"));
}

#[test]
fn invariant_3_what_was_not_read_is_a_gap_and_its_cursor_says_so() {
    let mut app = watched();
    resize(&mut app, 120, 40);
    opened(&mut app);
    // A column is a bit more than five seconds; the gap lies five to six minutes back.
    for _ in 0..62 {
        press(&mut app, "left");
    }
    assert!(text(&app).contains("? nothing was read"), "{}", text(&app));
}

/// A console that has just been started: what lies before it is empty, and the axis has the right times.
#[test]
fn before_the_start_of_the_program_there_is_nothing() {
    let inventory = world::inventory();
    let start = Now { mono: Mono(0), wall: at(0).wall };
    let mut app = App::new(inventory, vakt::app::Options::default(), start);
    let facts = HostFacts { memory_used_percent: Figure::Known(44.0), ..HostFacts::default() };
    for second in 1..=20 {
        app.history.push_host(&world::name("db01"), &facts, Mono(second * 1_000));
    }
    let now = Now { mono: Mono(20_000), wall: at(20_000).wall };
    update(&mut app, Msg { at: now, event: Event::Tick });
    resize(&mut app, 120, 40);
    press(&mut app, "6 / db01 enter home g tab tab tab");
    let shown = text(&app);
    assert!(shown.contains("memory used of db01"), "{shown}");
    let bottom = shown.lines().find(|line| line.trim_start().starts_with("0 %")).unwrap();
    assert_eq!(bottom.matches('█').count(), 4, "twenty seconds of ten minutes in 109 columns: {shown}");
    assert!(shown.contains("13:53:4"), "ten minutes before 14:03:42: {shown}");
}

#[test]
fn zoom_and_figures_have_ends() {
    let mut app = watched();
    opened(&mut app);
    for _ in 0..9 {
        press(&mut app, "+");
    }
    assert!(text(&app).contains("the last 2 m"), "{}", text(&app));
    for _ in 0..9 {
        press(&mut app, "-");
    }
    assert!(text(&app).contains("the last 4 h"), "{}", text(&app));
    let first = text(&app);
    for _ in 0..10 {
        press(&mut app, "tab");
    }
    assert_eq!(text(&app), first, "ten figures, then the first again");
}

#[test]
fn a_row_without_figures_says_so_and_a_finding_opens_its_figure() {
    let mut app = world::failing();
    press(&mut app, "8 g");
    assert!(!text(&app).contains("the last 10 m"));
    press(&mut app, "2 j j g");
    assert!(text(&app).contains("the last 10 m"), "{}", text(&app));
}

/// A finding that begins is a mark on the axis, and the cursor names it.
#[test]
fn what_happened_stands_under_the_chart() {
    let mut app = watched();
    resize(&mut app, 120, 40);
    let began = app.now;
    for second in 1..=40 {
        let now = vakt::model::time::Now { mono: Mono(began.mono.0 + second * 1_000), wall: began.wall };
        update(&mut app, Msg { at: now, event: Event::Tick });
    }
    opened(&mut app);
    let shown = text(&app);
    let marks = shown.lines().rev().nth(3).unwrap().to_owned();
    assert!(marks.contains('▲'), "stale nodes are findings, and findings are marks: {shown}");
}

/// What can be charted besides hosts and servers: ports of switches and guests.
#[test]
fn ports_and_guests_have_figures_too() {
    let mut app = super::network::with_switches();
    press(&mut app, "3 / vnet enter end g");
    let shown = text(&app);
    assert!(shown.contains("received by the switch of ") && shown.contains("1 of 3"), "{shown}");
    press(&mut app, "tab tab");
    assert!(text(&app).contains("dropped, both ways of "), "{}", text(&app));
    // Of a plain bridge, too: its ports are counted with the host's devices.
    let mut app = super::network::with_switches();
    super::network::count_of_device(&mut app, ("web02", "eth4"), 1_000, 0);
    super::network::count_of_device(&mut app, ("web02", "eth4"), 2_000, 125_000);
    press(&mut app, "3 / eth4 enter end g");
    let shown = text(&app);
    assert!(shown.contains("received by the switch of ") && shown.contains("1.00 Mb/s"), "{shown}");
    let mut app = world::failing();
    press(&mut app, "5 end g");
    let shown = text(&app);
    assert!(shown.contains("CPU of ") && shown.contains("1 of 2"), "{shown}");
}
