//! The configuration: the example, the defaults, the reference page, and corpora of valid and invalid files.
//!
//! Every `invalid/*.toml` has its exact messages beside it in `*.messages`, every `valid/*.toml` what it resolves to in
//! `*.inventory`; `UPDATE=1 cargo test` rewrites them. A first line `# mode: 0644` sets the file's permission bits.

use std::{
    fs,
    path::{Path, PathBuf},
};
use vakt::{
    config::{
        self, FileMetadata, Loaded, Origin, Problem, defaults, reference,
        schema::{Kind, Need, SECTIONS, Section, Shape},
    },
    model::inventory::Inventory,
};

mod settings;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn load(name: &str, text: &str) -> Result<Loaded, Vec<Problem>> {
    let mode = text.lines().next().and_then(|line| line.strip_prefix("# mode: "));
    let metadata = FileMetadata {
        mode: Some(mode.map_or(0o600, |mode| u32::from_str_radix(mode, 8).unwrap())),
        home: Some("/home/eva".into()),
    };
    config::load(Path::new(name), text, &metadata)
}

fn inventory(text: &str) -> Inventory {
    load("test.toml", text).map_or_else(|problems| panic!("{}", messages(&problems)), |loaded| loaded.inventory)
}

fn messages(problems: &[Problem]) -> String {
    problems.iter().flat_map(|problem| [problem.to_string(), "\n".into()]).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(ROOT).join("tests/config").join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    assert!(!files.is_empty(), "no files in {folder}");
    files
}

/// Compares with the file, or rewrites it with `UPDATE=1`. `Some` says what differs.
fn differs(path: &Path, actual: &str) -> Option<String> {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, actual).unwrap();
        return None;
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (expected != actual).then(|| format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", path.display()))
}

#[test]
fn every_invalid_file_gives_exactly_its_messages() {
    let mut wrong = Vec::new();
    for path in files("invalid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let problems = load(name, &fs::read_to_string(&path).unwrap()).expect_err(name);
        wrong.extend(differs(&path.with_extension("messages"), &messages(&problems)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_valid_file_gives_exactly_its_inventory() {
    let mut wrong = Vec::new();
    for path in files("valid") {
        let inventory = inventory(&fs::read_to_string(&path).unwrap());
        let text = format!("{}\n", serde_json::to_string_pretty(&inventory).unwrap());
        wrong.extend(differs(&path.with_extension("inventory"), &text));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_problem_names_a_line_that_exists() {
    for path in files("invalid") {
        let text = fs::read_to_string(&path).unwrap();
        for problem in load("x", &text).unwrap_err() {
            assert!((1..=text.lines().count().max(1)).contains(&problem.line), "{}: {problem}", path.display());
        }
    }
}

#[test]
fn invariant_12_the_example_is_valid() {
    let inventory = inventory(config::EXAMPLE);
    assert_eq!(inventory.nodes.len(), 11);
    assert!(inventory.nodes.iter().all(|node| node.site.is_some() && node.private.is_some()));
}

/// `key = value` in that section of the example, commented out or set.
fn example_values(section: &Section) -> Vec<(String, String)> {
    let header = section.header();
    let mut inside = false;
    let mut values = Vec::new();
    for line in config::EXAMPLE.lines() {
        if line.starts_with('[') {
            inside = line == header;
        } else if inside && let Some((key, value)) = line.trim_start_matches("# ").split_once(" = ") {
            values.push((key.to_owned(), value.to_owned()));
        }
    }
    values
}

#[test]
fn invariant_12_the_example_is_complete_and_shows_the_defaults() {
    for section in SECTIONS {
        let values = example_values(section);
        for key in section.keys {
            let path = format!("{}.{}", section.header(), key.name);
            let value = values.iter().find(|(name, _)| name == key.name).map(|(_, value)| value.as_str());
            // Login keys are shown once, under [ssh].
            let shown_elsewhere =
                section.shape == Shape::List && config::schema::section("ssh").unwrap().key(key.name).is_some();
            assert!(value.is_some() || shown_elsewhere, "{path} is not in the example");
            if key.need == Need::Tunable {
                let default = defaults::tunable(section.name, key.name).unwrap().default.to_string();
                assert_eq!(value, Some(default.as_str()), "{path}");
            }
        }
    }
}

/// The commented-out lines are valid too: what an operator uncomments must not be refused.
#[test]
fn invariant_12_the_example_stays_valid_when_every_commented_setting_is_set() {
    let is_setting = |line: &str| {
        let key = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")).map(|(key, _)| key);
        key.is_some_and(|key| SECTIONS.iter().any(|section| section.key(key).is_some()))
    };
    let text: Vec<&str> =
        config::EXAMPLE.lines().map(|line| if is_setting(line) { &line[2..] } else { line }).collect();
    let text = text.join("\n");
    let all_set = inventory(&text);
    let shown = inventory(config::EXAMPLE);
    assert_eq!(all_set.settings.poll, shown.settings.poll);
    assert_eq!(all_set.settings.thresholds, shown.settings.thresholds);
    assert_eq!(all_set.settings.policy, shown.settings.policy);
    assert_eq!(all_set.settings.console, shown.settings.console);
}

#[test]
fn the_reference_page_is_current() {
    let wrong = differs(&Path::new(ROOT).join("docs/configuration.md"), &reference::page());
    assert!(wrong.is_none(), "UPDATE=1 cargo test rewrites it\n{}", wrong.unwrap());
}

#[test]
fn the_origin_of_a_setting_is_known() {
    let loaded = load("x", "[cluster]\nname = \"c\"\n[poll]\nhost_ms = 500\n[[node]]\nname = \"a\"\nroles = \"web\"\nmanagement = \"a\"\nport = 2222\n").unwrap();
    assert_eq!(loaded.origin("poll.host_ms"), Origin::File { line: 4 });
    assert_eq!(loaded.origin("poll.haproxy_ms"), Origin::Default);
    assert_eq!(loaded.origin("node.a.port"), Origin::File { line: 9 });
}

#[test]
fn a_thousand_nodes_load_quickly() {
    let mut text = String::from("[cluster]\nname = \"big\"\n[ssh]\njump = \"n0\"\n");
    for node in 0..1000 {
        let (high, low) = (node / 250, node % 250);
        let lines = [format!("name = \"n{node}\""), format!("management = \"10.{high}.{low}.1\"")];
        text += &["[[node]]\nroles = [\"web\"]\n", &lines.join("\n"), "\n"].concat();
    }
    assert_eq!(inventory(&text).nodes.len(), 1000);
}

#[test]
fn secrets_are_the_only_keys_that_are_secret() {
    let secrets: Vec<_> = SECTIONS
        .iter()
        .flat_map(|section| {
            section.keys.iter().filter(|key| key.kind == Kind::Secret).map(|key| (section.name, key.name))
        })
        .collect();
    assert_eq!(secrets, [("ssh", "passphrase"), ("jump_host", "passphrase"), ("node", "passphrase")]);
}
