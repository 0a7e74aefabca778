//! Stories told by keys: what the operator presses, what the console then shows and wants done.

use super::world::{self, press, resize, send, text};
use vakt::{
    app::{
        App, Options, command,
        effect::{Effect, Reply},
        help,
        msg::{Event, Key, KeyCode, Mouse, MouseAction, Report, Signal},
        screen::ScreenId,
        update,
    },
    model::{
        host::HostSample,
        inventory::ThemeName,
        link::{Ask, LinkEvent, LinkState, Question},
        time::{Mono, Now},
        trouble::{Trouble, TroubleKind},
    },
    wire::probe::{Facts, ProbeId},
};

fn at_size(mut app: App, width: u16, height: u16) -> App {
    resize(&mut app, width, height);
    app
}

#[test]
fn digits_open_screens_and_escape_comes_out_the_same_way() {
    let mut app = world::healthy();
    press(&mut app, "2 6 enter");
    assert_eq!(app.screen(), ScreenId::Node);
    press(&mut app, "esc");
    assert_eq!(app.screen(), ScreenId::Nodes);
    press(&mut app, "esc esc");
    assert_eq!(app.screen(), ScreenId::Overview);
    assert!(press(&mut app, "esc esc").is_empty(), "Esc never quits");
}

#[test]
fn the_palette_finds_the_traffic_screen_and_enter_opens_details() {
    let mut app = at_size(world::failing(), 80, 24);
    press(&mut app, ": traf enter j");
    assert_eq!(app.screen(), ScreenId::Traffic);
    press(&mut app, ": web03 enter");
    assert_eq!(app.screen(), ScreenId::Node);
    press(&mut app, ": web_cluster/web03 enter enter");
    assert!(text(&app).contains("web_cluster/web03 server"), "{}", text(&app));
    press(&mut app, "esc");
    assert!(text(&app).contains("STATE"), "the list is back: {}", text(&app));
}

#[test]
fn the_palette_shows_every_line_that_it_has_room_for_wherever_the_mark_is() {
    let mut app = at_size(world::failing(), 80, 24);
    press(&mut app, ": mysql.failover space");
    assert!(text(&app).contains("▸ Make another database the primary"), "the only line: {}", text(&app));
    press(&mut app, "esc : web_cluster/web0");
    let shown = |app: &App| -> Vec<String> {
        let text = text(app);
        text.lines().filter(|line| line.contains("│") && line.contains("web_cluster/web0")).map(str::to_owned).collect()
    };
    let count = shown(&app).len();
    assert!(count > 2, "{}", text(&app));
    press(&mut app, "down down down down down down down down");
    assert_eq!(shown(&app).len(), count, "{}", text(&app));
}

#[test]
fn enter_on_the_worst_finding_opens_its_evidence_and_then_its_node() {
    let mut app = at_size(world::failing(), 80, 24);
    press(&mut app, "enter");
    assert_eq!(app.screen(), ScreenId::Findings);
    assert!(text(&app).contains("Evidence"));
    press(&mut app, "enter");
    assert_eq!(app.screen(), ScreenId::Node);
    assert!(text(&app).contains("check that db03 runs"), "the cure stands on the node screen: {}", text(&app));
}

#[test]
fn a_filter_acts_while_it_is_typed_and_escape_removes_it() {
    let mut app = at_size(world::failing(), 120, 40);
    press(&mut app, "2 / web03");
    assert!(text(&app).contains("web03") && !text(&app).contains("web01"));
    press(&mut app, "enter");
    assert!(text(&app).contains("filter: web03"));
    press(&mut app, "esc");
    assert!(text(&app).contains("web01"));
    press(&mut app, "/ do wn enter");
    assert!(text(&app).contains("web03") && !text(&app).contains("web01"), "states can be filtered for");
    press(&mut app, "/ ctrl-u nothing-like-this enter");
    assert!(text(&app).contains("Nothing matches"));
}

#[test]
fn a_disagreeing_server_is_open_and_any_server_opens_on_demand() {
    let mut app = at_size(world::failing(), 120, 40);
    press(&mut app, "2");
    assert_eq!(text(&app).matches("on lb02").count(), 1, "only web02 differs");
    press(&mut app, "j j j l");
    assert_eq!(text(&app).matches("on lb02").count(), 2, "web01 was opened");
    press(&mut app, "h");
    assert_eq!(text(&app).matches("on lb02").count(), 1);
    press(&mut app, "k h");
    assert!(!text(&app).contains("web01"), "the backend is folded");
    press(&mut app, "l");
    assert!(text(&app).contains("web01"));
}

#[test]
fn the_cursor_stays_on_its_row_when_the_order_changes() {
    let mut app = at_size(world::failing(), 120, 40);
    press(&mut app, "6 / db enter j j");
    let marked =
        |app: &App| text(app).lines().find(|line| line.starts_with(" ▸")).unwrap_or_default()[4..12].to_owned();
    let before = marked(&app);
    for _ in 0..7 {
        press(&mut app, "s");
        assert_eq!(marked(&app), before);
    }
}

#[test]
fn pausing_freezes_the_display_and_not_the_polling() {
    let mut app = at_size(world::healthy(), 120, 40);
    press(&mut app, "p");
    assert!(app.is_paused() && text(&app).contains("PAUSED"));
    let report = Report {
        node: world::name("lb01"),
        probe: ProbeId::Host,
        outcome: Ok(Facts::Host(Box::default())),
        complaints: Vec::new(),
        round_trip_ms: 3,
    };
    app.now = world::at(900);
    send(&mut app, Event::Report(report));
    assert!(text(&app).contains("11 %"), "the frozen figures are still there");
    assert_eq!(app.world.node(&world::name("lb01")).unwrap().host.age_ms(app.now.mono), Some(0));
    press(&mut app, "p");
    assert!(!text(&app).contains("PAUSED"));
}

#[test]
fn quitting_suspending_redrawing_and_copying_are_effects() {
    let mut app = at_size(world::failing(), 120, 40);
    assert_eq!(press(&mut app, "ctrl-z"), [Effect::Suspend]);
    assert_eq!(press(&mut app, "ctrl-l"), [Effect::Redraw]);
    assert_eq!(send(&mut app, Event::Signal(Signal::Continue)), [Effect::Redraw]);
    let Some(Effect::Copy(copied)) = press(&mut app, "y").pop() else { panic!("y copies") };
    assert_eq!(copied, "oslo-prod: db03: Unreachable: no answer from 10.99.0.33 port 22 within 5 s");
    let Some(Effect::Copy(copied)) = press(&mut app, "2 end enter y").pop() else { panic!("y copies details") };
    assert!(copied.starts_with("oslo-prod: server mysql_rw/db03\n") && copied.contains("admin: ready"), "{copied}");
    assert_eq!(press(&mut app, "q"), [Effect::Quit]);
    assert!(app.has_ended());
    let mut app = world::healthy();
    assert_eq!(press(&mut app, ": ctrl-c"), [Effect::Quit], "Ctrl-c ends the console wherever one is");
    let mut app = world::healthy();
    assert_eq!(send(&mut app, Event::Signal(Signal::Terminate)), [Effect::Quit]);
}

#[test]
fn an_unavailable_command_says_why() {
    let mut app = at_size(world::healthy(), 120, 40);
    press(&mut app, "R");
    assert!(text(&app).contains("lb01 is connected."), "{}", text(&app));
    let mut app = at_size(world::failing(), 120, 40);
    assert_eq!(press(&mut app, "R"), [Effect::Reconnect { node: world::name("db03") }]);
}

fn ask(app: &mut App, ask: Ask) {
    send(app, Event::Question { node: world::name("web01"), question: Question { id: 7, ask } });
}

#[test]
fn a_secret_is_masked_and_leaves_only_as_an_answer() {
    let mut app = at_size(world::connecting(), 80, 24);
    ask(&mut app, Ask::Passphrase { file: world::clean("~/.ssh/id_ed25519") });
    assert!(app.secret_prompt_open());
    press(&mut app, "h u n t e r backspace 2");
    send(&mut app, Event::Paste("-pasted\n".to_owned()));
    assert!(!text(&app).contains("hunte") && text(&app).contains("•••••••"), "{}", text(&app));
    assert!(!format!("{app:?}").contains("hunte"), "Debug shows no secret");
    let effects = press(&mut app, "enter");
    let answer = Reply::Secret("hunte2-pasted".to_owned());
    assert_eq!(effects, [Effect::Answer { node: world::name("web01"), question: 7, answer }]);
    assert!(!format!("{effects:?}").contains("hunte2"));
    assert!(!app.secret_prompt_open());
}

#[test]
fn an_unknown_host_key_needs_the_whole_word() {
    let key = || Ask::UnknownHostKey {
        host: world::clean("10.99.0.21"),
        algorithm: world::clean("ssh-ed25519"),
        fingerprint: world::clean("SHA256:abc"),
        file: world::clean("~/.ssh/known_hosts"),
    };
    let mut app = at_size(world::connecting(), 80, 24);
    ask(&mut app, key());
    assert!(!app.secret_prompt_open());
    assert!(text(&app).contains("SHA256:abc") && text(&app).contains("known_hosts"));
    assert!(press(&mut app, "y enter").is_empty(), "one letter is not enough");
    let answer = |answer| [Effect::Answer { node: world::name("web01"), question: 7, answer }];
    assert_eq!(press(&mut app, "e s enter"), answer(Reply::Accept));
    ask(&mut app, key());
    assert_eq!(press(&mut app, "esc"), answer(Reply::Refuse));
}

#[test]
fn a_question_never_steals_keys_and_waits_until_the_operator_is_done() {
    let mut app = at_size(world::connecting(), 80, 24);
    press(&mut app, ": no");
    ask(&mut app, Ask::Prompt { text: world::clean("Password:"), echo: false });
    assert!(!app.secret_prompt_open());
    assert!(text(&app).contains("1 node asking"), "the title says so: {}", text(&app));
    press(&mut app, "esc");
    assert!(app.secret_prompt_open());
    send(&mut app, Event::QuestionGone { node: world::name("web01"), id: 7 });
    assert!(!app.secret_prompt_open());
}

#[test]
fn the_mouse_opens_tabs_marks_rows_and_opens_marked_rows() {
    let mut app = at_size(world::failing(), 120, 40);
    let find = |app: &App, what: &str| {
        let shown = text(app);
        let (row, line) = shown.lines().enumerate().find(|(_, line)| line.contains(what)).unwrap();
        let column = line.chars().position(|_| true).unwrap() + line[..line.find(what).unwrap()].chars().count();
        (column as u16, row as u16)
    };
    let click = |app: &mut App, (column, row): (u16, u16)| {
        send(app, Event::Mouse(Mouse { column, row, action: MouseAction::Click }))
    };
    let tab = find(&app, "2 Traffic");
    click(&mut app, tab);
    assert_eq!(app.screen(), ScreenId::Traffic);
    let row = find(&app, "db02");
    click(&mut app, row);
    assert!(text(&app).lines().nth(usize::from(row.1)).unwrap().starts_with(" ▸"));
    click(&mut app, row);
    assert!(text(&app).contains("mysql_rw/db02 server"));
    press(&mut app, "1");
    let row = find(&app, "web02  web");
    click(&mut app, row);
    click(&mut app, row);
    assert_eq!(app.screen(), ScreenId::Node);
    press(&mut app, "2 home");
    for _ in 0..2 {
        send(&mut app, Event::Mouse(Mouse { column: 5, row: 10, action: MouseAction::ScrollDown }));
    }
    assert!(text(&app).lines().any(|line| line.starts_with(" ▸") && line.contains("on lb02")), "{}", text(&app));
    click(&mut app, (500, 500));
}

#[test]
fn a_link_that_goes_down_keeps_the_values_and_one_that_comes_up_is_noted() {
    let mut app = world::healthy();
    let down = LinkState::Down {
        trouble: Trouble::new(TroubleKind::ConnectionLost, "the connection ended", "wait"),
        retry: None,
    };
    let node = world::name("lb01");
    send(&mut app, Event::Link { node: node.clone(), event: LinkEvent::State(down.clone()) });
    let since = app.now;
    app.now = world::at(5_000);
    let connecting = LinkState::Connecting { stage: world::clean("connecting") };
    send(&mut app, Event::Link { node: node.clone(), event: LinkEvent::State(connecting) });
    send(&mut app, Event::Link { node: node.clone(), event: LinkEvent::State(down) });
    let facts = app.world.node(&node).unwrap();
    assert!(facts.host.last().is_some());
    assert!(facts.link.since.mono >= since.mono);
    send(&mut app, Event::Link { node: node.clone(), event: LinkEvent::State(LinkState::Up) });
    assert_eq!(app.world.node(&node).unwrap().link.up_at, Some(app.now));
}

#[test]
fn a_frame_is_due_at_once_after_a_key_and_twice_a_second_without_one() {
    let mut app = App::new(world::inventory(), Options::default(), world::at(0));
    assert!(app.frame_due(), "the first frame comes before any connection");
    app.frame_drawn();
    assert!(!app.frame_due());
    let wake = app.wake_at();
    assert!(wake > app.now.mono && wake <= Mono(app.now.mono.0 + 500), "{wake:?}");
    app.now = Now { mono: wake, ..app.now };
    send(&mut app, Event::Tick);
    assert!(app.frame_due());
    app.frame_drawn();
    app.now = Now { mono: Mono(wake.0 + 100), ..app.now };
    press(&mut app, "2");
    assert!(app.frame_due());
}

#[test]
fn every_shown_key_works() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        for screen in ["1", "2", "6", "6 enter", "7", "8"] {
            let mut app = at_size(world::failing(), width, height);
            press(&mut app, screen);
            let keys = text(&app).lines().last().unwrap().to_owned();
            for command in command::all().filter(|command| command.scope.includes(app.screen())) {
                let Some(key) = app.keymap.shown(command.id) else { continue };
                if command.hint.is_empty() || !keys.contains(&format!(" {key} {}", command.hint)) {
                    continue;
                }
                assert!(
                    (command.available)(&command::Here::of(&app)).is_ok(),
                    "{} is shown and cannot act",
                    command.id
                );
                let mut pressed = at_size(world::failing(), width, height);
                press(&mut pressed, screen);
                let before = text(&pressed);
                let effects = send(&mut pressed, Event::Key(app.keymap.keys(command.id)[0]));
                assert!(!effects.is_empty() || text(&pressed) != before, "{} did nothing on {screen}", command.id);
            }
        }
    }
}

#[test]
fn the_help_names_every_key_of_the_screen() {
    let mut app = at_size(world::healthy(), 120, 100);
    for screen in ["1", "2", "6", "6 enter", "7", "8"] {
        press(&mut app, screen);
        press(&mut app, "?");
        let shown = text(&app);
        for command in command::all().filter(|command| command.scope.includes(app.screen())) {
            let key = app.keymap.shown(command.id).unwrap();
            let found = shown.lines().any(|line| line.split('│').any(|part| part.trim_start().starts_with(&key)));
            assert!(found, "{} ({key}) is missing in the help of {screen}", command.id);
        }
        press(&mut app, "esc");
    }
    insta::assert_snapshot!("keys_markdown", help::markdown());
}

#[test]
fn themes_change_while_the_console_runs() {
    let mut app = world::healthy();
    press(&mut app, "ctrl-t");
    assert_eq!(app.options.theme, ThemeName::Light);
    press(&mut app, "ctrl-t ctrl-t");
    assert_eq!(app.options.theme, ThemeName::Dark);
}

#[test]
fn redacted_keys_of_a_recording_fill_the_prompt() {
    let mut app = at_size(world::connecting(), 80, 24);
    ask(&mut app, Ask::Passphrase { file: world::clean("key") });
    for _ in 0..3 {
        send(&mut app, Event::Key(Key { code: KeyCode::Redacted, ctrl: false, alt: false, shift: false }));
    }
    assert!(text(&app).contains("•••"));
}

#[test]
fn complaints_of_an_answer_are_kept_until_the_next_one() {
    let mut app = at_size(world::healthy(), 200, 60);
    let report = |complaints| Report {
        node: world::name("lb01"),
        probe: ProbeId::Host,
        outcome: Ok(Facts::Host(Box::<HostSample>::default())),
        complaints,
        round_trip_ms: 3,
    };
    send(&mut app, Event::Report(report(vec![vakt::wire::probe::Complaint::new("diskstats", "17 columns")])));
    press(&mut app, ": lb01 enter");
    assert!(text(&app).contains("diskstats: 17 columns"));
    send(&mut app, Event::Report(report(Vec::new())));
    assert!(!text(&app).contains("17 columns"));
}

/// What was not written down does not hold: the console says it, and long enough to be read.
#[test]
fn an_acknowledgement_that_was_not_kept_is_an_error_on_the_screen() {
    let mut app = world::failing();
    let why = "cannot write acknowledged.json: no space left on device".into();
    send(&mut app, Event::NotKept(why));
    assert!(text(&app).contains("✗ not kept, and not in force: cannot write"), "{}", text(&app));
    let later = Now { mono: app.now.mono.plus_ms(10_000), wall: app.now.wall };
    update(&mut app, vakt::app::msg::Msg { at: later, event: Event::Tick });
    assert!(text(&app).contains("not kept"), "ten seconds later");
}
