//! How a meaning looks: `assets/themes/*.toml`, embedded, parsed once.

use crate::{app::meaning::Meaning, model::inventory::ThemeName};
use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::OnceLock};

/// Looks by meaning, and looks of places (a selected row, an open tab).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Theme {
    meanings: [Style; Meaning::ALL.len()],
    /// Laid over the row under the cursor.
    pub(super) selection: Style,
    /// Laid over a row that changed just now.
    pub(super) pulse: Style,
    /// Laid over a row that changed a moment ago.
    pub(super) tint: Style,
    /// The open tab.
    pub(super) tab: Style,
    /// What must not be overlooked: the display is paused.
    pub(super) banner: Style,
    /// The ground of dialogs.
    pub(super) dialog: Style,
}

/// A look as written in a theme file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "attributes of a terminal cell are independent switches")]
struct Look {
    fg: Option<String>,
    bg: Option<String>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
    reversed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    meaning: BTreeMap<String, Look>,
    place: BTreeMap<String, Look>,
}

impl Theme {
    /// The theme of that name.
    pub fn named(name: ThemeName) -> &'static Self {
        static THEMES: OnceLock<[Theme; 3]> = OnceLock::new();
        let themes = THEMES.get_or_init(|| {
            // A test holds that each embedded file is whole; a plain look beats no console.
            [DARK, LIGHT, MONO].map(|text| Self::parse(text).unwrap_or_default())
        });
        &themes[name as usize]
    }

    /// A theme in which every meaning has the palette colour of its number: for tests that look at meanings.
    pub fn by_number() -> Self {
        let mut theme = Self::default();
        for (number, style) in theme.meanings.iter_mut().enumerate() {
            *style = Style::new().fg(Color::Indexed(u8::try_from(number).unwrap_or(u8::MAX)));
        }
        theme.selection = Style::new().add_modifier(Modifier::REVERSED);
        theme
    }

    /// A theme from a file's text; the error names what is missing or not understood.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut theme = Self::default();
        for (slot, meaning) in theme.meanings.iter_mut().zip(Meaning::ALL) {
            *slot = style(&file.meaning, meaning.name())?;
        }
        if let Some(name) = file.meaning.keys().find(|name| !Meaning::ALL.iter().any(|m| m.name() == name.as_str())) {
            return Err(format!("no meaning is named {name}"));
        }
        theme.selection = style(&file.place, "selection")?;
        theme.pulse = style(&file.place, "pulse")?;
        theme.tint = style(&file.place, "tint")?;
        theme.tab = style(&file.place, "tab")?;
        theme.banner = style(&file.place, "banner")?;
        theme.dialog = style(&file.place, "dialog")?;
        Ok(theme)
    }

    /// The look of a meaning.
    pub(super) fn of(&self, meaning: Meaning) -> Style {
        self.meanings[meaning as usize]
    }
}

const DARK: &str = include_str!("../../assets/themes/dark.toml");
const LIGHT: &str = include_str!("../../assets/themes/light.toml");
const MONO: &str = include_str!("../../assets/themes/mono.toml");

fn style(looks: &BTreeMap<String, Look>, name: &str) -> Result<Style, String> {
    let look = looks.get(name).ok_or_else(|| format!("{name} is missing"))?;
    let colour = |text: &Option<String>| -> Result<Option<Color>, String> {
        text.as_deref().map(|text| text.parse().map_err(|_| format!("{name}: no colour is named {text}"))).transpose()
    };
    let mut style = Style::new();
    style.fg = colour(&look.fg)?;
    style.bg = colour(&look.bg)?;
    for (wanted, modifier) in [
        (look.bold, Modifier::BOLD),
        (look.dim, Modifier::DIM),
        (look.italic, Modifier::ITALIC),
        (look.underlined, Modifier::UNDERLINED),
        (look.reversed, Modifier::REVERSED),
    ] {
        if wanted {
            style = style.add_modifier(modifier);
        }
    }
    Ok(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_themes_are_whole() {
        for text in [DARK, LIGHT, MONO] {
            Theme::parse(text).unwrap();
        }
    }

    #[test]
    fn the_theme_without_colours_has_none() {
        let mono = Theme::parse(MONO).unwrap();
        for meaning in Meaning::ALL {
            assert_eq!((mono.of(meaning).fg, mono.of(meaning).bg), (None, None), "{meaning:?}");
        }
    }
}
