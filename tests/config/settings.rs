//! Each setting of the schema changes the inventory, and bad values of each kind are refused with a message.

use super::{config, defaults, inventory, load, messages};
use config::schema::{Key, Kind, Need, SECTIONS, Section, Shape};
use proptest::prelude::*;

const BASE: &str = "[cluster]\nname = \"c\"\n\
    [[jump_host]]\nname = \"j\"\naddress = \"j.example.net\"\n#jump_host\n\
    [[node]]\nname = \"a\"\nroles = [\"edge\", \"database\", \"hypervisor\"]\nmanagement = \"a.example.net\"\n#node\n\
    [[vip]]\naddress = \"10.0.0.9\"\nnodes = [\"a\"]\n#vip\n\
    [[guest]]\nname = \"g\"\nroles = [\"app\"]\n#guest\n";

/// [`BASE`] with one more line in that section.
fn with(section: &Section, line: &str) -> String {
    match section.shape {
        Shape::List => BASE.replace(&format!("#{}\n", section.name), &format!("{line}\n")),
        Shape::Table => format!("{BASE}[{}]\n{line}\n", section.name),
    }
}

/// A valid value that is not the default.
fn other_value(section: &Section, key: &Key) -> String {
    let tunable = defaults::tunable(section.name, key.name);
    match key.kind {
        Kind::Integer => match &tunable.unwrap().default {
            // Upwards, because stale_after_ms must stay above host_ms.
            defaults::Value::Integer(default) => (default + 1).to_string(),
            other => panic!("{other:?}"),
        },
        Kind::Decimal => format!("{:.1}", tunable.unwrap().max.unwrap() - 0.5),
        Kind::Switch => (!defaults::switch(section.name, key.name)).to_string(),
        Kind::Choice(words) => {
            format!("{:?}", words.iter().find(|word| **word != defaults::text(section.name, key.name)).unwrap())
        }
        Kind::PrivateAddress => "\"192.168.7.7\"".into(),
        Kind::PublicAddress => "\"203.0.113.7\"".into(),
        Kind::Port => "2222".into(),
        Kind::Ports => "[80, 8080]".into(),
        Kind::Names | Kind::NamesOrNone => {
            format!(
                "[{:?}]",
                if matches!(section.name, "jump_host" | "lock") || key.name == "hosts" { "a" } else { "j" }
            )
        }
        // A virtual address that is there.
        Kind::Address => "\"10.0.0.9\"".into(),
        Kind::Command => "[\"/x/y\", \"z\"]".into(),
        Kind::Label if key.name == "heartbeat_table" => "\"s.t\"".into(),
        Kind::Files => "[\"/k\"]".into(),
        Kind::FileOrNone | Kind::RemotePath | Kind::RemotePathOrNone => "\"/x/y\"".into(),
        _ => "\"else\"".into(),
    }
}

#[test]
fn every_key_reaches_the_inventory() {
    let base = inventory(BASE);
    for section in SECTIONS {
        for key in section.keys.iter().filter(|key| key.need != Need::Required && key.kind != Kind::Secret) {
            let text = with(section, &format!("{} = {}", key.name, other_value(section, key)));
            assert_ne!(inventory(&text), base, "{}.{} changes nothing", section.header(), key.name);
        }
    }
}

#[test]
fn every_secret_is_found_under_its_name() {
    use secrecy::ExposeSecret;
    let passphrase = |section: &str, of: &str| {
        let text = with(config::schema::section(section).unwrap(), "passphrase = \"p\"");
        let loaded = load("x", &text).unwrap();
        loaded.secrets.passphrase(of).map(|secret| secret.expose_secret().to_owned())
    };
    assert_eq!(passphrase("node", "a").as_deref(), Some("p"));
    assert_eq!(passphrase("node", "j"), None);
    assert_eq!(passphrase("jump_host", "j").as_deref(), Some("p"));
    assert_eq!(passphrase("ssh", "a").as_deref(), Some("p"));
}

#[test]
fn every_key_refuses_another_type_and_every_number_its_bounds() {
    for section in SECTIONS {
        for key in section.keys.iter().filter(|key| key.need != Need::Required) {
            let refused = |value: &str, says: &str| {
                let text = with(section, &format!("{} = {value}", key.name));
                let found = load("x", &text).map(|_| ()).map_err(|problems| messages(&problems)).unwrap_err();
                assert!(found.contains(key.name) && found.contains(says), "{value}: {found}");
            };
            refused("1979-05-27", "is a date, not");
            refused("{ a = 1 }", "is a table, not");
            if let (Kind::Integer | Kind::Decimal, Some(tunable)) =
                (key.kind, defaults::tunable(section.name, key.name))
            {
                refused(&(tunable.max.unwrap() + 1.0).to_string(), &tunable.bounds());
                refused("-1", &tunable.bounds());
                refused("99999999999999999999999999", &tunable.bounds());
                refused("\"5\"", "without quotes");
            }
        }
    }
}

#[test]
fn intervals_move_the_stale_limit_along() {
    let slow = inventory(&format!("{BASE}[poll]\nhost_ms = 10000\n"));
    assert_eq!(slow.settings.poll.stale_after_ms, 25_000);
    let fast = inventory(&format!("{BASE}[poll]\nhost_ms = 200\n"));
    assert_eq!(fast.settings.poll.stale_after_ms, 2_500);
}

proptest! {
    /// Whatever the file contains: an answer, never a panic; every problem within the text.
    #[test]
    fn any_text_gives_an_inventory_or_problems(text in "[ -~\n\u{e9}\"'\\[\\]={}#]{0,400}") {
        if let Err(problems) = load("x", &text) {
            prop_assert!(!problems.is_empty());
        }
    }

    /// The example cut or broken anywhere.
    #[test]
    fn a_damaged_example_gives_an_inventory_or_problems(cut in 0usize..10_000, byte in any::<char>()) {
        let mut text: String = config::EXAMPLE.chars().take(cut).collect();
        text.push(byte);
        text.extend(config::EXAMPLE.chars().skip(cut + 1));
        for problem in load("x", &text).err().unwrap_or_default() {
            prop_assert!(problem.line <= text.lines().count() + 1, "{}", problem);
        }
    }
}
