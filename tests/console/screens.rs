//! Every screen at four sizes in five worlds, as text and by meaning. Review changes with `cargo insta review`.

use super::world::{self, press, resize, text};
use ratatui::{Terminal, backend::TestBackend, style::Color};
use std::fmt::Write;
use vakt::{
    app::{App, meaning::Meaning, msg::Event},
    model::{
        inventory::ThemeName,
        link::{Ask, Question},
    },
    view::Theme,
};

const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (40, 10)];

/// A way to make a console.
type Build = fn() -> App;

const WORLDS: [(&str, Build); 5] = [
    ("healthy", world::healthy),
    ("stale", world::stale),
    ("failing", world::failing),
    ("connecting", world::connecting),
    ("large", world::large),
];

/// One file per screen and world, with all sizes one below the other.
fn snapshots(screen: &str, keys: &str) {
    for (what, build) in WORLDS {
        let mut all = String::new();
        for (width, height) in SIZES {
            let mut app = build();
            resize(&mut app, width, height);
            press(&mut app, keys);
            let _ = write!(all, "=== {width}x{height}\n{}", text(&app));
        }
        insta::assert_snapshot!(format!("{screen}_{what}"), all);
    }
}

#[test]
fn overview() {
    snapshots("overview", "1");
}

#[test]
fn traffic() {
    snapshots("traffic", "2");
}

#[test]
fn traffic_details() {
    snapshots("traffic_details", "2 j j j j j enter");
}

#[test]
fn nodes() {
    snapshots("nodes", "6");
}

#[test]
fn node() {
    snapshots("node", "6 enter");
}

#[test]
fn findings() {
    snapshots("findings", "7 enter");
}

#[test]
fn machines() {
    snapshots("machines", "5");
}

#[test]
fn machines_details() {
    snapshots("machines_details", "5 j enter");
}

#[test]
fn tune() {
    snapshots("tune", "9");
}

#[test]
fn tune_details() {
    snapshots("tune_details", "9 j enter");
}

#[test]
fn what_if() {
    snapshots("what_if", "0");
}

#[test]
fn changes() {
    snapshots("changes", "8");
}

#[test]
fn what_lies_over_a_screen() {
    let mut app = world::failing();
    for (name, keys) in [("help", "2 ?"), ("palette", ": web"), ("filter", "2 / web0")] {
        resize(&mut app, 80, 24);
        press(&mut app, keys);
        insta::assert_snapshot!(format!("over_{name}"), text(&app));
        press(&mut app, "esc esc esc");
    }
}

#[test]
fn questions_of_connections() {
    let asks = [
        ("passphrase", Ask::Passphrase { file: world::clean("/home/ops/.ssh/id_ed25519") }),
        ("prompt", Ask::Prompt { text: world::clean("Verification code:"), echo: false }),
        (
            "host_key",
            Ask::UnknownHostKey {
                host: world::clean("[10.99.0.21]:22"),
                algorithm: world::clean("ssh-ed25519"),
                fingerprint: world::clean("SHA256:GkVh3mO9k0r0t4yqk1zvE4pX8bK6w0fNfM1c2d3e4f5"),
                file: world::clean("/home/ops/.ssh/known_hosts"),
            },
        ),
    ];
    for (name, ask) in asks {
        let mut app = world::connecting();
        resize(&mut app, 80, 24);
        let question = Question { id: 7, ask };
        world::send(&mut app, Event::Question { node: world::name("web01"), question });
        press(&mut app, "s e c r e t");
        insta::assert_snapshot!(format!("question_{name}"), text(&app));
    }
}

/// The screen with its meanings written into it: `<crit>✗ down</>`. Ordinary text has no mark.
fn meanings(app: &App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).unwrap();
    terminal.draw(|frame| vakt::view::draw_with(frame, app, &Theme::by_number())).unwrap();
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let mut open = Meaning::Text;
        let mut line = String::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let meaning = match cell.fg {
                Color::Indexed(number) => Meaning::ALL[usize::from(number)],
                _ => Meaning::Text,
            };
            // Spaces between two words of one meaning do not end it.
            if meaning != open && cell.symbol() != " " {
                if open != Meaning::Text {
                    line.push_str("</>");
                }
                if meaning != Meaning::Text {
                    let _ = write!(line, "<{}>", meaning.name());
                }
                open = meaning;
            }
            line.push_str(cell.symbol());
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[test]
fn meanings_of_overview_and_traffic() {
    for (what, build) in WORLDS {
        for (screen, keys) in [("overview", "1"), ("traffic", "2")] {
            let mut app = build();
            resize(&mut app, 120, 40);
            press(&mut app, keys);
            insta::assert_snapshot!(format!("meanings_{screen}_{what}"), meanings(&app));
        }
    }
}

#[test]
fn the_ascii_set_is_ascii() {
    for (_, build) in WORLDS {
        for keys in ["1", "2", "6", "6 enter", "7", "?", ":"] {
            let mut app = build();
            app.options.unicode = false;
            resize(&mut app, 120, 40);
            press(&mut app, keys);
            assert!(text(&app).is_ascii(), "{keys}: {}", text(&app));
        }
    }
}

/// The text of a screen without colours is the text of the screen with colours: every state has a sign and a word.
#[test]
fn mono_loses_no_information() {
    for (_, build) in WORLDS {
        for keys in ["1", "2", "6", "6 enter", "7"] {
            let mut app = build();
            resize(&mut app, 120, 40);
            press(&mut app, keys);
            let coloured = text(&app);
            app.options.theme = ThemeName::Mono;
            assert_eq!(text(&app), coloured, "{keys}");
            let terminal = world::drawn(&app);
            let buffer = terminal.backend().buffer();
            assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        }
    }
}
