//! The reference page `docs/configuration.md`, from the schema and the defaults.

use super::{
    defaults,
    schema::{Key, Need, SECTIONS, Section},
};
use std::fmt::Write;

/// The page, as Markdown.
pub fn page() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         One TOML file describes the cluster. It is looked for at `--config FILE`, `$VAKT_CONFIG`, \
         `$XDG_CONFIG_HOME/vakt/config.toml` (`~/.config` where that is not set) and `/etc/vakt/config.toml`; \
         the first one counts. `vakt config example` prints a complete, commented one.\n\n\
         Every problem of the file is reported at once, with file, line, column and cure; vakt then ends with exit code 2.\n\n\
         This page is generated from the schema; a test compares it.\n",
    );
    for section in SECTIONS {
        section_page(&mut page, section);
    }
    page
}

fn section_page(page: &mut String, section: &Section) {
    let _ = write!(
        page,
        "\n## `{}`\n\n{}\n\n| key | value | when absent | meaning |\n|---|---|---|---|\n",
        section.header(),
        section.what
    );
    for key in section.keys {
        let (value, absent) = value_and_absence(section, key);
        let _ = writeln!(page, "| `{}` | {value} | {absent} | {} |", key.name, key.what);
    }
}

fn value_and_absence(section: &Section, key: &Key) -> (String, String) {
    let words = key.kind.words();
    match (key.need, defaults::tunable(section.name, key.name)) {
        (Need::Required, _) => (words, "required".into()),
        (Need::Optional(absent), _) => (words, absent.into()),
        (Need::Tunable, None) => (words, String::new()),
        (Need::Tunable, Some(tunable)) => {
            let unit = tunable.unit.as_deref().unwrap_or_default();
            let value = match tunable.bounds() {
                bounds if bounds.is_empty() => words,
                bounds => bounds,
            };
            (value, format!("`{}` {unit}", tunable.default).trim_end().to_owned())
        }
    }
}
