//! Which key means which command: `assets/keymap.toml`, embedded, addressed by command id.

use super::{
    App,
    command::{self, Command},
    msg::{Key, KeyCode},
};
use std::{collections::BTreeMap, fmt};

/// The embedded keymap.
const EMBEDDED: &str = include_str!("../../assets/keymap.toml");

/// Keys by command id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Keymap(BTreeMap<String, Vec<Key>>);

impl Keymap {
    /// The keymap that vakt comes with. A test holds that it is whole; a part that could not be read would be left
    /// out, and the palette still reaches every command.
    pub fn embedded() -> Self {
        Self::parse(EMBEDDED).unwrap_or_default()
    }

    /// A keymap from text; the error names what is not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines: BTreeMap<String, Vec<String>> = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut keymap = BTreeMap::new();
        for (id, keys) in lines {
            let keys: Result<Vec<Key>, String> =
                keys.iter().map(|key| Key::parse(key).ok_or_else(|| format!("{id}: no key is named {key}"))).collect();
            keymap.insert(id, keys?);
        }
        Ok(Self(keymap))
    }

    /// The keys of a command, the shown one first.
    pub fn keys(&self, id: &str) -> &[Key] {
        self.0.get(id).map_or(&[], Vec::as_slice)
    }

    /// Whether the keymap says something about a command, be it that it has no key.
    pub fn mentions(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// Every command id the keymap names.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The key shown for a command.
    pub fn shown(&self, id: &str) -> Option<String> {
        self.keys(id).first().map(ToString::to_string)
    }

    /// The command that `key` means where the operator is.
    pub fn command(&self, key: Key, app: &App) -> Option<&'static Command> {
        command::here(app).find(|command| self.keys(command.id).contains(&key))
    }
}

const NAMED: [(&str, KeyCode); 14] = [
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pageup", KeyCode::PageUp),
    ("pagedown", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
];

impl Key {
    /// A key without control or alt.
    pub fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// From the notation of the keymap: `j`, `enter`, `ctrl-c`, `f5`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("ctrl-").filter(|rest| !rest.is_empty()) {
            return Self::parse(rest).map(|key| Self { ctrl: true, ..key });
        }
        if let Some(rest) = text.strip_prefix("alt-").filter(|rest| !rest.is_empty()) {
            return Self::parse(rest).map(|key| Self { alt: true, ..key });
        }
        let mut characters = text.chars();
        if let (Some(c), None) = (characters.next(), characters.next()) {
            return Some(Self::plain(KeyCode::Char(c)));
        }
        if text == "space" {
            return Some(Self::plain(KeyCode::Char(' ')));
        }
        if let Some(number) = text.strip_prefix('f').and_then(|number| number.parse().ok()) {
            return (1..=12).contains(&number).then(|| Self::plain(KeyCode::F(number)));
        }
        NAMED.iter().find(|(name, _)| *name == text).map(|(_, code)| Self::plain(*code))
    }

    /// Without shift where the code already says it, so that terminals that report it and those that do not agree.
    #[must_use]
    pub(crate) fn normal(self) -> Self {
        match (self.code, self.shift) {
            (KeyCode::Char(_) | KeyCode::BackTab, _) => Self { shift: false, ..self },
            (KeyCode::Tab, true) => Self { code: KeyCode::BackTab, shift: false, ..self },
            _ => self,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = NAMED.iter().find(|(_, code)| *code == self.code).map(|(name, _)| *name);
        let name = match (named, self.code) {
            (_, KeyCode::PageUp) => "PgUp".to_owned(),
            (_, KeyCode::PageDown) => "PgDn".to_owned(),
            // Named keys have a capital, as they are printed on keyboards.
            (Some(name), _) => {
                let mut letters = name.chars();
                letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
            }
            (None, KeyCode::Char(' ')) => "Space".to_owned(),
            (None, KeyCode::Char(c)) => c.to_string(),
            (None, KeyCode::F(number)) => format!("F{number}"),
            (None, _) => "?".to_owned(),
        };
        let prefix = match (self.ctrl, self.alt) {
            (true, true) => "Ctrl-Alt-",
            (true, false) => "Ctrl-",
            (false, true) => "Alt-",
            (false, false) => "",
        };
        f.pad(&format!("{prefix}{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{command::Scope, screen::ScreenId};

    #[test]
    fn the_embedded_keymap_is_whole() {
        let keymap = Keymap::parse(EMBEDDED).unwrap();
        for id in keymap.ids() {
            assert!(command::all().any(|command| command.id == id), "the keymap names {id}, which is no command");
        }
        for command in command::all() {
            assert!(keymap.mentions(command.id), "{} is neither bound nor palette-only on purpose", command.id);
        }
    }

    #[test]
    fn no_key_means_two_things_on_one_screen() {
        let keymap = Keymap::embedded();
        for screen in ScreenId::ALL {
            let mut seen: BTreeMap<Key, &str> = BTreeMap::new();
            let may_be_given = |command: &&Command| command.scope.includes(screen) || command.scope == Scope::Replay;
            for command in command::all().filter(may_be_given) {
                for key in keymap.keys(command.id) {
                    if let Some(other) = seen.insert(*key, command.id) {
                        panic!("{key} means {other} and {} on {screen:?}", command.id);
                    }
                }
            }
        }
    }

    #[test]
    fn keys_are_read_and_shown() {
        for (text, shown) in [("j", "j"), ("ctrl-c", "Ctrl-c"), ("enter", "Enter"), ("f5", "F5"), ("space", "Space")] {
            assert_eq!(Key::parse(text).unwrap().to_string(), shown);
        }
        assert_eq!(Key::parse("nonsense"), None);
        assert_eq!(Key::parse("f13"), None);
    }
}
