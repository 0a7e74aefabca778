//! House rules that no compiler knows.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lines of a source file, tests not counted.
const FILE_LINES_MAX: usize = 600;

#[test]
fn no_source_file_outgrows_its_room() {
    let long: Vec<String> = rust_files("src")
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let own = text.split("#[cfg(test)]\nmod tests").next().unwrap_or(&text).lines().count();
            (own > FILE_LINES_MAX).then(|| format!("{}: {own} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn every_path_named_in_the_documents_exists() {
    let mut missing = Vec::new();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let looks_like_path =
                ["src/", "tests/", "assets/", "docs/", "benches/", ".ci/"].iter().any(|start| word.starts_with(start));
            if looks_like_path && !word.contains(['*', '<', ' ', '{']) && !root().join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn no_unbounded_channel_and_no_shared_mutable_application() {
    let mut found = Vec::new();
    for path in rust_files("src") {
        let text = fs::read_to_string(&path).unwrap();
        for banned in ["unbounded_channel", "UnboundedSender", "Arc<Mutex<App"] {
            if text.contains(banned) {
                found.push(format!("{}: {banned}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Invariant 5: only the journal, once a record is on the disk, makes what a write needs.
#[test]
fn only_the_journal_makes_a_permit() {
    let makers: Vec<String> = rust_files("src")
        .into_iter()
        .filter(|path| {
            let text = fs::read_to_string(path).unwrap();
            text.match_indices("Permit {").any(|(at, _)| {
                let before = &text[..at];
                // A definition, a pattern in a signature's end, and `SemaphorePermit {` make none.
                !before.ends_with("struct ") && !before.ends_with("-> ") && !before.ends_with(char::is_alphanumeric)
            })
        })
        .map(|path| path.strip_prefix(root()).unwrap().display().to_string())
        .collect();
    assert_eq!(makers, ["src/runtime/state/journal_file.rs"]);
}

#[test]
fn every_dependency_says_why() {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    let mut above = "";
    let mut silent = Vec::new();
    for line in text.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies && line.contains('=') && !above.starts_with('#') && !line.contains('#') {
            silent.push(line.to_owned());
        }
        above = line;
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found
}
