//! What holds for every screen at every size.

use super::{
    change_stages,
    world::{self, drawn, press, resize, text},
};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;
use vakt::{
    app::App,
    model::{figure::Figure, haproxy::OperationalState, host::HostFacts, ids::NodeName, text::Clean},
};

const PLACES: [&str; 14] = [
    "1",
    "2",
    "2 end enter",
    "2 j j j j enter",
    "6",
    "6 enter",
    "6 enter pagedown",
    "7",
    "7 enter",
    "?",
    ": w",
    "8",
    "8 j j tab",
    "2 end d",
];

const WORLDS: [fn() -> App; 6] =
    [world::healthy, world::stale, world::failing, world::connecting, world::large, change_stages::busy];

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_screen_panics_at_any_size(
        world in 0..WORLDS.len(), place in 0..PLACES.len(), width in 0_u16..=300, height in 0_u16..=100,
    ) {
        let mut app = WORLDS[world]();
        resize(&mut app, 120, 40);
        press(&mut app, PLACES[place]);
        resize(&mut app, width, height);
        drawn(&app);
        press(&mut app, "j pagedown end k home tab j tab w s");
        drawn(&app);
    }

    #[test]
    fn any_keys_at_any_size_leave_a_screen(
        world in 0..WORLDS.len(),
        keys in proptest::collection::vec(
            prop_oneof![
                Just("j"), Just("k"), Just("enter"), Just("esc"), Just("tab"), Just("1"), Just("2"), Just("6"),
                Just("7"), Just("l"), Just("h"), Just("s"), Just("w"), Just("p"), Just("?"), Just(":"), Just("/"),
                Just("n"), Just("y"), Just("end"), Just("pagedown"), Just("down"), Just("a"), Just("R"), Just("ctrl-t"),
                Just("8"), Just("d"), Just("u"), Just("U"), Just("M"), Just("W"), Just("x"), Just("r"), Just("c"),
                Just("b"), Just("D"), Just("S"), Just("v"), Just("e"), Just("o"), Just("+"), Just("-"), Just("5"),
            ],
            0..40,
        ),
        width in 0_u16..=220, height in 0_u16..=70,
    ) {
        let mut app = WORLDS[world]();
        resize(&mut app, width, height);
        for key in keys {
            press(&mut app, key);
        }
        drawn(&app);
    }
}

#[test]
fn no_screen_panics_at_any_small_size() {
    for build in [world::failing, world::connecting] {
        for place in PLACES {
            let mut app = build();
            resize(&mut app, 120, 40);
            press(&mut app, place);
            for width in [0, 1, 2, 3, 5, 9, 20, 41, 59, 60, 61] {
                for height in [0, 1, 2, 3, 4, 8, 15, 16, 17] {
                    resize(&mut app, width, height);
                    drawn(&app);
                }
            }
        }
    }
}

#[test]
fn invariant_2_two_draws_of_the_same_app_give_the_same_cells() {
    for build in WORLDS {
        for place in PLACES {
            let mut app = build();
            resize(&mut app, 120, 40);
            press(&mut app, place);
            assert_eq!(drawn(&app).backend().buffer(), drawn(&app).backend().buffer(), "{place}");
        }
    }
}

/// A node whose first poll failed, and one that answered without any figure, show `?`, never a zero.
#[test]
fn invariant_3_a_failed_probe_never_shows_as_zero() {
    let mut app = world::connecting();
    let failed = app.world.node_mut(&NodeName::from("db01")).unwrap();
    failed.link.state = vakt::model::link::LinkState::Up;
    failed.link.up_at = Some(world::at(0));
    failed.host.fail(Clean::line("no answer within 2 s"), world::at(100));
    let empty = app.world.node_mut(&NodeName::from("db02")).unwrap();
    empty.link.state = vakt::model::link::LinkState::Up;
    empty.host.take(HostFacts::default(), world::at(300));
    for keys in ["1", "6"] {
        resize(&mut app, 160, 40);
        press(&mut app, keys);
        let shown = text(&app);
        let row = |name: &str| {
            let row = shown.lines().find(|line| line.trim_start_matches([' ', '▸']).starts_with(name)).unwrap();
            // The name carries digits of its own, and an age may begin with a zero.
            row.split_once(name).unwrap().1.rsplit_once("  ").unwrap().0.to_owned()
        };
        assert!(row("db01").contains("no answer within 2 s"), "{}", row("db01"));
        assert!(!row("db02").contains('0'), "{}", row("db02"));
        assert!(row("db02").contains('?'), "{}", row("db02"));
    }
    press(&mut app, ": db02 enter");
    let shown = text(&app);
    let processor: Vec<&str> = shown.lines().skip_while(|line| !line.contains("Processor")).take(8).collect();
    let left: String = processor.iter().map(|line| line.chars().take(50).collect::<String>()).collect();
    assert!(!left.contains('0') && left.contains('?'), "{left}");
}

#[test]
fn stale_rows_show_their_age_and_the_reason() {
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let mut app = world::stale();
        resize(&mut app, width, height);
        let shown = text(&app);
        assert!(shown.contains("◌ stale"), "{shown}");
        assert!(shown.contains("12 s"), "{shown}");
        assert!(shown.contains("no answer within 2 s"), "{shown}");
    }
}

#[test]
fn the_last_values_stay_when_a_node_is_gone() {
    let mut app = world::failing();
    resize(&mut app, 160, 40);
    press(&mut app, "6");
    let shown = text(&app);
    let row = shown.lines().find(|line| line.contains("db03")).unwrap();
    assert!(row.contains("unreachable") && row.contains("64 %") && row.contains("1 m 00 s"), "{row}");
}

#[test]
fn wide_characters_take_two_columns_and_nothing_overlaps() {
    let mut app = world::healthy();
    let node = app.world.node_mut(&NodeName::from("lb01")).unwrap();
    let mut facts = node.haproxy.last().unwrap().clone();
    facts.sample.backends[0].servers[0].name = "网络服务器".into();
    facts.sample.backends[0].servers[1].operational = OperationalState::Other(Clean::line("e\u{301}tat 状态"));
    facts.sample.backends[0].servers[2].check.status = Figure::Known(Clean::line("状态状态状态状态状态状态"));
    node.haproxy.take(facts, world::at(300));
    for width in 60..140 {
        resize(&mut app, width, 30);
        press(&mut app, "2");
        let terminal = drawn(&app);
        let buffer = terminal.backend().buffer();
        for y in 0..30 {
            let mut x = 0;
            while x < width {
                let symbol = buffer[(x, y)].symbol();
                let columns = symbol.width().max(1) as u16;
                assert!(x + columns <= width, "a wide character is cut in half at {x},{y}");
                for hidden in 1..columns {
                    let behind = buffer[(x + hidden, y)].symbol();
                    assert!(behind.is_empty() || behind == " ", "{behind:?} lies under {symbol:?} at {x},{y}");
                }
                x += columns;
            }
        }
    }
}
