//! The configuration file: reading, resolving with provenance, validating with every problem at once.
//!
//! [`find`] says where the file is, [`load`] makes an [`Inventory`] of its text. Both are pure; `cli::config_file`
//! does the reading. [`schema`] is the one table of sections and keys; the numbers are in `assets/defaults.toml`.

mod build;
mod check;
pub mod defaults;
mod document;
pub mod find;
mod jump;
mod kind;
mod problem;
pub mod reference;
pub mod schema;
mod suggest;
mod values;
mod write_endpoint;

pub use find::{EnvInput, NotFound, Place, find};
pub use problem::Problem;
// Scenarios of the simulation are TOML files too, and their problems are reported in the same way.
pub(crate) use problem::{Position, Problems};
pub(crate) use suggest::nearest;

use crate::model::inventory::Inventory;
use document::Document;
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};
use toml::de::DeTable;
use values::Surroundings;

/// The complete, commented, valid example, as `vakt config example` prints it.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The command that prints [`EXAMPLE`].
pub const EXAMPLE_COMMAND: &str = "vakt config example";

/// A configuration that can be used, and where it came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says.
    pub inventory: Inventory,
    /// The file.
    pub path: PathBuf,
    /// Its secrets, kept apart from the inventory because that is written into recordings.
    pub secrets: Secrets,
    /// The line of each setting the file gives: "poll.host_ms", "node.web01.port".
    lines: BTreeMap<String, usize>,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The file, at this line.
    File {
        /// 1-based.
        line: usize,
    },
    /// `assets/defaults.toml`, or `ssh -G` for what has no default of ours.
    Default,
}

impl Loaded {
    /// Where the value of `poll.host_ms` or `node.web01.port` came from.
    pub fn origin(&self, setting: &str) -> Origin {
        self.lines.get(setting).map_or(Origin::Default, |&line| Origin::File { line })
    }
}

/// Secrets of the file. `Debug` shows none, and there is no way to serialise them.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    common: Option<SecretString>,
    own: BTreeMap<String, SecretString>,
}

impl Secrets {
    /// Passphrase of the identity files of a node or jump host.
    pub fn passphrase(&self, name: &str) -> Option<&SecretString> {
        self.own.get(name).or(self.common.as_ref())
    }
}

/// What is known of the file besides its text.
#[derive(Debug, Clone, Default)]
pub struct FileMetadata {
    /// Permission bits, where the system has them.
    pub mode: Option<u32>,
    /// The operator's home folder, for `~`.
    pub home: Option<PathBuf>,
}

/// The configuration that `text` describes, or everything that is wrong with it, in the order of the file.
pub fn load(path: &Path, text: &str, metadata: &FileMetadata) -> Result<Loaded, Vec<Problem>> {
    let mut problems = Problems::new(path.to_owned(), text);
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let around = Surroundings { home: metadata.home.as_deref(), folder };
    let (root, errors) = DeTable::parse_recoverable(text);
    let document = Document::read(root.get_ref(), &around, &mut problems);
    if syntax_problems(&errors, &mut problems) {
        return Err(problems.into_sorted());
    }
    check::check(&document, metadata.mode, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into_sorted());
    }
    let (secrets, lines) = (secrets(&document), lines(&document));
    Ok(Loaded { inventory: build::inventory(&document), path: path.to_owned(), secrets, lines })
}

/// Notes what the parser of TOML objects to; whether it does.
pub(crate) fn syntax_problems(errors: &[toml::de::Error], problems: &mut Problems<'_>) -> bool {
    let Some(first) = errors.iter().map(|error| position_of(error, problems)).min() else { return false };
    // The parser goes on after an error, but a broken header puts what follows into the wrong section.
    problems.keep_before(first);
    for error in errors {
        let (what, cure) = syntax(error.message());
        problems.add(position_of(error, problems), what, cure);
    }
    true
}

fn position_of(error: &toml::de::Error, problems: &Problems<'_>) -> Position {
    error.span().map_or(Position::START, |span| problems.position(&span))
}

fn syntax(message: &str) -> (String, &'static str) {
    if message.starts_with("duplicate key") {
        return ("the same key or section a second time".into(), "remove one of the two");
    }
    (format!("not TOML: {}", message.lines().collect::<Vec<_>>().join(", ")), "correct the line; see https://toml.io")
}

fn secrets(document: &Document) -> Secrets {
    let of = |table: &document::Table| Some((table.text("name")?.to_owned(), table.secret("passphrase")?.clone()));
    Secrets {
        common: document.table("ssh").and_then(|ssh| ssh.secret("passphrase")).cloned(),
        own: document.list("node").iter().chain(document.list("jump_host")).filter_map(of).collect(),
    }
}

fn lines(document: &Document) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for section in schema::SECTIONS {
        for table in document.table(section.name).into_iter().chain(document.list(section.name)) {
            let whose = match section.shape {
                schema::Shape::Table => section.name.to_owned(),
                schema::Shape::List => {
                    let address = table.address("address").map(|address| address.to_string());
                    let name = table.text("name").map(str::to_owned).or(address).unwrap_or_default();
                    format!("{}.{name}", section.name)
                }
            };
            lines.extend(table.positions().map(|(key, at)| (format!("{whose}.{key}"), at.line)));
        }
    }
    lines
}
