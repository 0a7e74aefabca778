//! Changes by keys: a verb opens a plan, the plan asks for what it needs, the run tells its story, and nothing is wanted
//! of the runtime before the operator has confirmed.

use super::{
    change_stages::{SIZES, STAGES, begun, busy, holder, on_web03, running, tell},
    world::{self, clean, press, resize, send, text},
};
use crate::run::harness::Script;
use std::{fmt::Write as _, fs, path::Path};
use unicode_width::UnicodeWidthStr;
use vakt::{
    app::{
        App,
        effect::{Effect, RunEffect},
        msg::{Event, Mouse, MouseAction, Standing},
    },
    model::{
        figure::Figure::Known,
        haproxy::{AdminState, OperationalState},
        ids::NodeName,
        intent::Intent,
        inventory::ThemeName,
    },
    plan::text as plan_text,
    run::lock::LockState,
};

#[test]
fn every_stage_of_a_change_at_every_size() {
    for (name, build) in STAGES {
        let mut app = build();
        let mut all = String::new();
        for (width, height) in SIZES {
            resize(&mut app, width, height);
            let _ = write!(all, "=== {width}x{height}\n{}", text(&app));
        }
        insta::assert_snapshot!(name, all);
    }
}

#[test]
fn no_stage_panics_at_any_size_and_two_draws_are_equal() {
    for (name, build) in STAGES {
        let mut app = build();
        for width in [0, 1, 3, 20, 41, 59, 60, 61, 80, 133, 300] {
            for height in [0, 1, 2, 4, 15, 16, 17, 24, 100] {
                resize(&mut app, width, height);
                let (first, second) = (world::drawn(&app), world::drawn(&app));
                assert_eq!(first.backend().buffer(), second.backend().buffer(), "{name} at {width}x{height}");
            }
        }
        resize(&mut app, 80, 24);
        press(&mut app, "j pagedown end k home v ? tab");
        world::drawn(&app);
    }
}

#[test]
fn every_stage_is_whole_in_ascii_and_without_colours() {
    for (name, build) in STAGES {
        let mut app = build();
        resize(&mut app, 100, 40);
        let coloured = text(&app);
        app.options.theme = ThemeName::Mono;
        assert_eq!(text(&app), coloured, "{name}");
        app.options.unicode = false;
        let shown = text(&app);
        assert!(shown.is_ascii(), "{name}: {shown}");
        for (ascii, unicode) in shown.lines().zip(coloured.lines()) {
            assert_eq!(ascii.width(), unicode.width(), "{name}: {ascii}");
        }
    }
}

#[test]
fn at_80_by_24_title_effect_prompt_and_confirmation_stand_without_scrolling() {
    let mut app = on_web03();
    for (key, needed) in [
        ("d", ["Drain web_cluster/web03 on lb01 and lb02", "web03 gets no new sessions", "Press Enter to start."]),
        ("M", ["Put web_cluster/web03 into maintenance", "gets no sessions at all", "Enter, then type web03 to start"]),
    ] {
        press(&mut app, key);
        let shown = text(&app);
        for words in needed {
            assert!(shown.contains(words), "{words} is missing:\n{shown}");
        }
        assert!(!shown.lines().next_back().unwrap().trim().is_empty(), "the keys stand at the bottom");
        press(&mut app, "esc");
    }
}

/// The overlay and `--plan` are one text: only lines that are too long for the screen are cut.
#[test]
fn the_plan_on_the_screen_is_the_text_of_the_command_line() {
    let mut app = on_web03();
    resize(&mut app, 120, 100);
    press(&mut app, "d");
    let shown = text(&app);
    let effects = press(&mut app, "enter");
    let text = plan_text::plan(begun(&effects), 116);
    for line in text.lines().filter(|line| !line.is_empty()) {
        assert!(shown.contains(&format!("│ {line}")), "missing: {line}\n{shown}");
    }
}

#[test]
fn a_verb_opens_a_plan_and_only_the_plan_begins_a_run() {
    let mut app = on_web03();
    assert!(press(&mut app, "d").is_empty());
    assert!(press(&mut app, "j k pagedown ? ? R + o e x esc esc").is_empty(), "reading wants nothing done");
    assert!(!text(&app).contains("Press Enter to start."), "Esc leaves");
    let effects = press(&mut app, "d enter");
    let plan = begun(&effects);
    assert_eq!(plan.body.intent, Intent::parse(&["haproxy.drain", "web_cluster/web03"]).unwrap());
    assert!(plan.is_intact());
    assert!(text(&app).contains("Starting: the lock is taken"));
}

#[test]
fn options_are_edited_in_place_and_the_plan_follows() {
    let mut app = on_web03();
    press(&mut app, "d - - o e k e r n e l space 6 . 1 enter");
    let shown = text(&app);
    assert!(shown.contains("deadline 20s") && shown.contains("then maint") && shown.contains("kernel 6.1"), "{shown}");
    let Some(Effect::Copy(line)) = press(&mut app, "y").pop() else { panic!("y copies") };
    assert_eq!(
        line,
        "vakt do haproxy.drain web_cluster/web03 --deadline 20s --on-deadline maint --reason 'kernel 6.1'"
    );
    press(&mut app, "o");
    let shown = text(&app);
    assert!(shown.contains("Enter, then type web03 to start: sessions that are open"), "{shown}");
    assert!(press(&mut app, "enter w e b 0 2 enter").is_empty());
    assert!(text(&app).contains("That is \"web02\", not web03. Nothing was sent."), "{}", text(&app));
    let effects = press(&mut app, "w e b 0 3 enter");
    assert_eq!(
        begun(&effects).body.intent.words().join(" "),
        "haproxy.drain web_cluster/web03 --deadline 20s --on-deadline maint+close --reason kernel 6.1"
    );
}

#[test]
fn the_palette_takes_the_words_of_vakt_do() {
    let mut app = on_web03();
    let typed = |app: &mut App, line: &str| {
        press(app, "1 :");
        send(app, Event::Paste(line.to_owned()));
        press(app, "enter")
    };
    typed(&mut app, "haproxy.drain web_cluster/web02 --deadline 10s --on-deadline maint --reason 'disk swap'");
    let effects = press(&mut app, "enter");
    let words = begun(&effects).body.intent.words();
    assert_eq!(words[..2], ["haproxy.drain", "web_cluster/web02"]);
    assert_eq!(words[6..], ["--reason", "disk swap"]);
    for (line, complaint) in [
        ("haproxy.drain web02", "Haproxy.drain needs a server as backend/server"),
        ("haproxy.weight web_cluster/web02", "--weight needs a whole number"),
        ("haproxy.drain a/b --reason 'x", "A quote is not closed"),
    ] {
        let mut app = on_web03();
        resize(&mut app, 160, 40);
        assert!(typed(&mut app, line).is_empty());
        let shown = text(&app);
        assert!(shown.contains(complaint) && shown.contains(line), "{complaint}: {shown}");
    }
    let mut app = on_web03();
    press(&mut app, ": haproxy.kill enter");
    assert!(text(&app).contains(": haproxy.kill-sessions ▏"), "an action is completed: {}", text(&app));
}

#[test]
fn refusals_are_those_of_the_command_line() {
    let mut app = world::healthy();
    for name in ["lb01", "lb02"] {
        let node = app.world.node_mut(&NodeName::from(name)).unwrap();
        let mut facts = node.haproxy.last().unwrap().clone();
        for server in &mut facts.sample.backends[0].servers[..2] {
            server.admin = Known(AdminState::Maint);
            server.operational = OperationalState::Maintenance;
        }
        node.haproxy.take(facts, world::at(300));
    }
    resize(&mut app, 120, 40);
    press(&mut app, ": web_cluster/web03 enter d");
    let shown = text(&app);
    assert!(shown.contains("✗ web03 is the last usable server of web_cluster."), "{shown}");
    assert!(shown.contains("→ Bring another server of web_cluster back first."));
    assert!(press(&mut app, "enter").is_empty());
    assert!(!text(&app).contains("last usable"), "Enter closes what cannot be started");
}

#[test]
fn read_only_opens_the_plan_to_look_and_says_why_it_cannot_start() {
    let mut app = on_web03();
    app.options.read_only = true;
    press(&mut app, "d");
    assert!(text(&app).contains("✗ This console is read-only."), "{}", text(&app));
    assert!(press(&mut app, "enter esc").is_empty());
    press(&mut app, "? pagedown");
    assert!(text(&app).contains("read-only"));
}

#[test]
fn a_paused_display_refuses_every_verb_and_says_why() {
    let mut app = busy();
    resize(&mut app, 120, 40);
    press(&mut app, ": web_cluster/web03 enter p");
    for key in ["d", "u", "M", "W", "x", "r", "U", "8 j c", "b", "D"] {
        assert!(press(&mut app, key).is_empty());
        let shown = text(&app);
        assert!(shown.contains("The display is paused: what it shows may no longer be so."), "{key}: {shown}");
        assert!(!shown.contains("┌"), "{key} opened something: {shown}");
    }
    send(&mut app, Event::Tick);
    press(&mut app, ":");
    send(&mut app, Event::Paste("haproxy.drain web_cluster/web03".to_owned()));
    press(&mut app, "enter");
    assert!(text(&app).contains("The display is paused"));
}

#[test]
fn a_plan_that_is_older_than_its_facts_may_be_is_made_anew() {
    let mut app = on_web03();
    press(&mut app, "d");
    let later = |app: &mut App, ms: u64, change: &dyn Fn(&mut vakt::model::haproxy::HaproxyFacts)| {
        app.now = world::at(400 + ms);
        for name in ["lb01", "lb02"] {
            let node = app.world.node_mut(&NodeName::from(name)).unwrap();
            let mut facts = node.haproxy.last().unwrap().clone();
            change(&mut facts);
            node.haproxy.take(facts, world::at(300 + ms));
        }
    };
    // Another number of sessions is the same plan; it starts at once, and is the fresh one.
    later(&mut app, 20_000, &|facts| facts.sample.backends[0].servers[2].traffic.sessions_current = Known(5));
    let effects = press(&mut app, "enter");
    assert_eq!(begun(&effects).body.made_at, app.now);
    // Somebody drained it on the way: nothing starts, and what is left is shown.
    let mut app = on_web03();
    press(&mut app, "d");
    later(&mut app, 20_000, &|facts| {
        facts.sample.backends[0].servers[2].admin = Known(AdminState::Drain);
        facts.sample.backends[0].servers[2].operational = OperationalState::Draining;
    });
    send(&mut app, Event::Tick);
    assert!(text(&app).contains("The world moved: planned now, it would not be this."), "{}", text(&app));
    assert!(press(&mut app, "enter").is_empty());
    assert!(text(&app).contains("It was planned again: read it anew."), "{}", text(&app));
    // Facts that are old are refused, not trusted.
    let mut app = on_web03();
    press(&mut app, "d");
    app.now = world::at(60_000);
    assert!(press(&mut app, "enter").is_empty());
    assert!(text(&app).contains("┌ Refused"), "{}", text(&app));
}

#[test]
fn a_lock_that_somebody_holds_is_named_and_broken_only_by_a_phrase_and_a_reason() {
    let mut app = on_web03();
    resize(&mut app, 120, 40);
    let lock = holder(&app);
    tell(&mut app, Standing { lock, ..Standing::default() });
    assert!(text(&app).lines().next().unwrap().contains("held by eva@bastion2 12 s"), "{}", text(&app));
    press(&mut app, "d");
    assert!(text(&app).contains("The lock is held by eva@bastion2 for 12 s: Drain web_cluster/web02"));
    assert!(press(&mut app, "enter").is_empty());
    assert!(text(&app).contains("eva@bastion2 acts now: wait, ask, or press b"));
    assert!(press(&mut app, "b y e s enter").is_empty());
    assert!(text(&app).contains("That is \"yes\", not break glass."));
    assert!(press(&mut app, "b r e a k space g l a s s enter enter").is_empty());
    assert!(text(&app).contains("Say why"));
    let effects = press(&mut app, "s i t e space o n space f i r e enter");
    let [Effect::Run(RunEffect::Begin { break_glass: Some(why), .. })] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(why.as_str(), "site on fire");
}

#[test]
fn what_stands_in_the_way_is_said_before_enter_and_at_enter() {
    let mut app = on_web03();
    tell(&mut app, Standing { trouble: Some(clean("/var/lib/vakt belongs to root")), ..Standing::default() });
    press(&mut app, "d");
    assert!(text(&app).contains("The state folder cannot be used, so nothing can be changed"));
    assert!(press(&mut app, "enter").is_empty());
    let (mut app, _) = running(3, Script::default());
    press(&mut app, "esc 2 d");
    assert!(text(&app).contains("A run of this console goes on: Drain web_cluster/web03"), "{}", text(&app));
    assert!(press(&mut app, "enter").is_empty(), "one run at a time");
    let mut app = on_web03();
    press(&mut app, "d");
    resize(&mut app, 50, 12);
    assert!(press(&mut app, "enter").is_empty(), "what cannot be read cannot be started");
    let mut app = busy();
    press(&mut app, "8 j c");
    resize(&mut app, 50, 12);
    assert!(press(&mut app, "enter").is_empty(), "nor taken up");
}

#[test]
fn a_verb_finds_the_one_server_that_a_row_means() {
    let mut app = world::failing();
    resize(&mut app, 120, 40);
    press(&mut app, "7 j d");
    assert!(text(&app).contains("Drain web_cluster/web03"), "a finding about a server: {}", text(&app));
    press(&mut app, "esc : web01 enter d");
    assert!(text(&app).contains("Drain web_cluster/web01"), "a node that is a server: {}", text(&app));
    press(&mut app, "esc 6 / kvm01 enter d");
    assert!(text(&app).contains("kvm01 is no server of a load balancer."), "{}", text(&app));
}

#[test]
fn the_wheel_scrolls_what_lies_over_the_screen_and_clicks_do_nothing() {
    let mut app = on_web03();
    press(&mut app, "d");
    let before = text(&app);
    let mouse = |action| Event::Mouse(Mouse { column: 20, row: 10, action });
    send(&mut app, mouse(MouseAction::ScrollDown));
    assert!(!text(&app).contains("│ Drain web_cluster/web03"), "{}", text(&app));
    send(&mut app, mouse(MouseAction::ScrollUp));
    assert!(send(&mut app, mouse(MouseAction::Click)).is_empty());
    assert_eq!(text(&app), before);
    press(&mut app, "e");
    send(&mut app, Event::Paste("a reason\nof two lines".to_owned()));
    send(&mut app, mouse(MouseAction::ScrollDown));
    assert!(text(&app).contains("a reasonof two lines▏"), "typing goes on: {}", text(&app));
}

#[test]
fn a_weight_is_asked_for_before_its_plan() {
    let mut app = on_web03();
    assert!(press(&mut app, "W 3 0 0 enter").is_empty());
    assert!(text(&app).contains("A weight is a whole number from 0 to 256."), "{}", text(&app));
    press(&mut app, "backspace backspace 0 enter");
    assert!(text(&app).contains("Give web_cluster/web03 the weight 30 on lb01 and lb02"), "{}", text(&app));
    let effects = press(&mut app, "enter");
    assert_eq!(begun(&effects).body.intent.words().join(" "), "haproxy.weight web_cluster/web03 --weight 30");
}

#[test]
fn what_is_wanted_stands_beside_what_is() {
    let mut app = busy();
    for (width, height) in [(80, 24), (120, 40)] {
        resize(&mut app, width, height);
        press(&mut app, "2");
        let shown = text(&app);
        let row = shown.lines().find(|line| line.contains("web03")).unwrap();
        assert!(shown.contains("WANTED") && row.contains("✗ drain"), "{shown}");
    }
    let mut app = world::healthy();
    press(&mut app, "2");
    assert!(!text(&app).contains("WANTED"), "nobody wants anything");
}

#[test]
fn the_title_says_who_may_act_and_that_a_simulation_is_one() {
    let (mut app, run) = running(6, Script::default());
    resize(&mut app, 120, 40);
    let mut lock = holder(&app);
    if let LockState::Held(holder) = &mut lock {
        holder.run = run;
        holder.what = clean("Drain web_cluster/web03");
    }
    tell(&mut app, Standing { lock, ..Standing::default() });
    let title = |app: &App| text(app).lines().next().unwrap().to_owned();
    assert!(title(&app).contains("read-write   yours: Drain web_cluster/web03"), "{}", title(&app));
    app.options.read_only = true;
    assert!(title(&app).contains("read-only"));
    for width in [60, 80, 120] {
        app.options.simulated = true;
        resize(&mut app, width, 24);
        assert!(title(&app).contains("oslo-prod  SIMULATED "), "{}", title(&app));
    }
    let mut app = world::healthy();
    resize(&mut app, 80, 24);
    let lock = holder(&app);
    tell(&mut app, Standing { lock, ..Standing::default() });
    assert!(title(&app).contains("held by eva@bastion2"), "at 80 columns too: {}", title(&app));
}

#[test]
fn every_key_that_an_overlay_shows_does_something() {
    let mut tried = 0;
    for (name, build) in STAGES {
        let mut app = build();
        resize(&mut app, 140, 24);
        let before = text(&app);
        let keys = before.lines().last().unwrap();
        // The key line of a screen is the other test's.
        if keys.contains("q quit") {
            continue;
        }
        for key in ["R", "y", "b", "S", "v", "c", "D", "?", "Esc", "Enter"] {
            if !keys.starts_with(&format!(" {key} ")) && !keys.contains(&format!("  {key} ")) {
                continue;
            }
            let mut pressed = build();
            resize(&mut pressed, 140, 24);
            let named = if key.len() > 1 { key.to_lowercase() } else { key.to_owned() };
            let effects = press(&mut pressed, &named);
            assert!(!effects.is_empty() || text(&pressed) != before, "{key} does nothing in {name}: {before}");
            assert!(!text(&pressed).contains("means nothing here"), "{key} in {name}");
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} keys were shown");
}

#[test]
fn the_page_of_actions_is_the_registrys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/actions.md");
    let wanted = vakt::app::actions::reference();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "run UPDATE=1 cargo test the_page_of_actions");
    let ids: Vec<&str> = vakt::app::actions::ALL.iter().map(|action| action.id).collect();
    assert_eq!(ids, vakt::model::intent::ACTIONS, "every action is described");
}
