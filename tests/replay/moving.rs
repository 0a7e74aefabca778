//! Moving in a recording: any way to a moment shows what was true then, and nothing can be changed.

use super::{key, player, recorded, story};
use std::path::Path;
use vakt::{
    app::{
        command,
        msg::{Event, Key, KeyCode},
        replay::Jog,
    },
    model::time::Wall,
    runtime::{replay::Player, session::Left},
    view::picture,
};

fn text(player: &mut Player) -> String {
    player.show(|app| picture::text(&picture::draw(app)))
}

/// Everything but the banner.
fn body(player: &mut Player) -> String {
    text(player).lines().skip(1).collect::<Vec<_>>().join("\n")
}

fn press(player: &mut Player, keys: &str) -> Vec<Left> {
    keys.split(' ').flat_map(|name| player.take(key(name)).unwrap()).collect()
}

fn own(path: &Path) -> Player {
    let mut player = player(path);
    player.look_as_seen(false);
    player
}

#[test]
fn any_way_to_a_moment_shows_the_same() {
    let (_folder, path, ..) = recorded(&story(12), 2_000);
    let mut straight = own(&path);
    let moments = [0_i64, 1_500, 3_333, 6_900, 8_950, 12_000, 12_990];
    let mut seen = Vec::new();
    for ms in moments {
        straight.jog(Jog::To(Wall(super::START.wall.0 + ms))).unwrap();
        seen.push((ms, straight.app().now, body(&mut straight)));
    }
    let mut zigzag = own(&path);
    for index in [6, 0, 3, 1, 5, 5, 2, 4, 0] {
        let (ms, now, wanted) = &seen[index];
        zigzag.jog(Jog::To(Wall(super::START.wall.0 + ms))).unwrap();
        assert_eq!(zigzag.app().now, *now, "at {ms}");
        assert_eq!(&body(&mut zigzag), wanted, "at {ms}");
    }
    // By steps and from the end, as well.
    zigzag.jog(Jog::BeforeEnd(0)).unwrap();
    assert_eq!(body(&mut zigzag), seen[6].2);
    zigzag.jog(Jog::By(-5_000)).unwrap();
    zigzag.jog(Jog::By(5_000)).unwrap();
    assert_eq!(body(&mut zigzag), seen[6].2);
    zigzag.jog(Jog::By(i64::MIN)).unwrap();
    assert_eq!(zigzag.app().now.mono, super::START.mono);
    zigzag.jog(Jog::By(i64::MAX)).unwrap();
    assert_eq!(body(&mut zigzag), seen[6].2);
}

#[test]
fn steps_go_from_change_to_change_and_back_again() {
    let (_folder, path, ..) = recorded(&story(5), 2_000);
    let mut player = own(&path);
    let mut there = vec![(player.app().now, body(&mut player))];
    loop {
        player.jog(Jog::NextChange).unwrap();
        let here = (player.app().now, body(&mut player));
        there.push(here);
        if player.app().now == player.replay().end {
            break;
        }
    }
    assert!(there.len() > 20);
    // The end itself is a tick: not a change.
    there.pop();
    for (now, wanted) in there.iter().rev().skip(1) {
        player.jog(Jog::PreviousChange).unwrap();
        assert_eq!((player.app().now, &body(&mut player)), (*now, wanted));
    }
    player.jog(Jog::PreviousChange).unwrap();
    assert_eq!(body(&mut player), there[0].1, "the beginning");
}

#[test]
fn time_passes_as_fast_as_it_is_told_and_stops_at_the_end() {
    let (_folder, path, ..) = recorded(&story(12), 4_000);
    let mut player = own(&path);
    assert!(!player.pass(5_000).unwrap(), "stopped");
    press(&mut player, "space + +");
    for _ in 0..10 {
        player.pass(100).unwrap();
    }
    let after = player.app().now.mono.0;
    assert!((3_700..=4_000).contains(&after), "a second at 4x came to {after}");
    assert!(text(&mut player).contains(", 4x"), "{}", text(&mut player));
    press(&mut player, "- - - -");
    let before = player.app().now.mono.0;
    for _ in 0..100 {
        player.pass(40).unwrap();
    }
    let passed = player.app().now.mono.0 - before;
    assert!((700..=1_300).contains(&passed), "four seconds at a quarter came to {passed}");
    press(&mut player, "+ + + + + + + + + +");
    for _ in 0..10 {
        player.pass(100).unwrap();
    }
    assert!(!player.replay().playing && text(&mut player).contains("the end, stopped"), "{}", text(&mut player));
    press(&mut player, "space");
    assert!(!player.replay().playing, "there is nothing after the end");
}

#[test]
fn the_operator_who_replays_has_a_view_of_his_own_and_the_one_of_then_stays_exact() {
    let story = story(12);
    let (_folder, path, app, _) = recorded(&story, 4_000);
    let mut player = own(&path);
    player.take(Event::Resize { width: 150, height: 50 }).unwrap();
    press(&mut player, "2 j j");
    for moves in 0..6 {
        player.jog(Jog::By(2_000)).unwrap();
        press(&mut player, if moves % 2 == 0 { "j / w enter" } else { "esc 6 k" });
        assert!(text(&mut player).lines().count() >= 45, "the size is that of who replays");
    }
    player.jog(Jog::BeforeEnd(0)).unwrap();
    press(&mut player, "2");
    assert!(text(&mut player).contains("replay 2026-11-24"), "{}", text(&mut player));
    player.look_as_seen(true);
    assert_eq!(picture::draw(player.app()), picture::draw(&app), "as it was seen");
    let seen = text(&mut player);
    assert!(seen.contains("as it was seen"), "{seen}");
    // Keys that are no movement do nothing to it; a movement does, and G asks in a view of one's own.
    press(&mut player, "j 1 p");
    assert_eq!(picture::draw(player.app()), picture::draw(&app));
    press(&mut player, "v");
    assert!(text(&mut player).lines().count() >= 45);
    press(&mut player, "v G");
    assert!(text(&mut player).contains("go to _"), "{}", text(&mut player));
    press(&mut player, "1 4 : 0 0 : 0 3 enter");
    assert_eq!(player.app().now.wall.0, super::START.wall.0 + 3_000);
    press(&mut player, "G x enter");
    assert!(text(&mut player).contains("is no moment"), "{}", text(&mut player));
}

#[test]
fn nothing_can_be_changed_in_the_past() {
    let (_folder, path, ..) = recorded(&story(12), u64::MAX);
    let mut player = own(&path);
    player.jog(Jog::BeforeEnd(0)).unwrap();
    // Everything that touches more than the view is refused, by key and by palette, with one sentence.
    press(&mut player, "6 home");
    let refused: Vec<&str> = command::all()
        .filter(|command| command.danger != command::Danger::Looks)
        .filter(|command| {
            player.show(|app| {
                command::available(command, &command::Here::of(app))
                    .is_err_and(|why| why == "This is a replay: the past cannot be changed.")
            })
        })
        .map(|command| command.id)
        .collect();
    assert!(refused.contains(&"node.reconnect") && refused.contains(&"console.answer"), "{refused:?}");
    let allowed: Vec<&str> = command::all()
        .filter(|command| command.danger != command::Danger::Looks && !refused.contains(&command.id))
        .map(|command| command.id)
        .collect();
    assert_eq!(allowed, ["console.suspend", "console.quit"]);
    assert_eq!(press(&mut player, "R"), []);
    assert!(text(&mut player).contains("the past cannot be changed"), "{}", text(&mut player));
    // Every key there is, on every screen: at most the clipboard, the screen and this process.
    for screen in ["1", "2", "6", "7"] {
        for command in command::all() {
            for pressed in player.app().keymap.keys(command.id).to_vec() {
                press(&mut player, &format!("esc esc {screen}"));
                let left = player.take(Event::Key(pressed)).unwrap();
                assert!(
                    left.iter().all(|left| matches!(left, Left::Copy(_) | Left::Redraw | Left::Suspend | Left::Quit))
                );
            }
        }
    }
    assert_eq!(press(&mut player, "q"), [Left::Quit]);
}

#[test]
fn the_commands_of_a_replay_exist_in_a_replay_only() {
    let mut present = crate::console::world::healthy();
    crate::console::world::press(&mut present, "?");
    assert!(!picture::text(&picture::draw(&present)).contains("recording"));
    let (_folder, path, ..) = recorded(&story(2), u64::MAX);
    let mut player = own(&path);
    player.take(Event::Resize { width: 160, height: 100 }).unwrap();
    press(&mut player, "?");
    let help = text(&mut player);
    for words in ["To the next message that changed something.", "A minute of the recording back."] {
        assert!(help.contains(words), "{help}");
    }
    press(&mut player, "esc");
    let space = Key::plain(KeyCode::Char(' '));
    assert_eq!(player.show(|app| app.keymap.command(space, app).map(|command| command.id)), Some("replay.play"));
    assert!(present.keymap.command(space, &present).is_none());
}
