//! Which layer may use which, and which external crates are forbidden where.
//!
//! The check reads source text: every `crate::X` (in nested `use` trees too) and every forbidden external path. It is
//! itself tested: for each forbidden pair a violation is planted in a copy of the layer's text and must be found.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A layer: its folder, the layers it may use, and the crates and paths it may not name.
struct Layer {
    name: &'static str,
    may_use: &'static [&'static str],
    forbidden: &'static [&'static str],
}

const PURE: &[&str] = &[
    "tokio",
    "ratatui",
    "crossterm",
    "russh",
    "mysql_async",
    "virt",
    "std::fs",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::os::unix::net",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::env",
    "std::io::stdout",
    "std::io::stderr",
    "std::io::stdin",
];
const DRAWING: &[&str] = &[
    "tokio",
    "crossterm",
    "russh",
    "mysql_async",
    "virt",
    "std::fs",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::env",
];
const TRANSPORT: &[&str] = &["ratatui", "crossterm", "std::time::Instant", "std::time::SystemTime"];

const LAYERS: &[Layer] = &[
    Layer { name: "model", may_use: &[], forbidden: PURE },
    Layer { name: "wire", may_use: &["model"], forbidden: PURE },
    Layer { name: "history", may_use: &["model", "wire"], forbidden: PURE },
    Layer { name: "schedule", may_use: &["model", "wire", "history"], forbidden: PURE },
    Layer { name: "plan", may_use: &["model", "wire", "history"], forbidden: PURE },
    Layer { name: "run", may_use: &["model", "wire", "history", "plan"], forbidden: PURE },
    // A rule knows what operators want (the ledger) and who acts now.
    Layer { name: "rules", may_use: &["model", "wire", "history", "plan", "run"], forbidden: PURE },
    Layer { name: "config", may_use: &["model", "wire", "history"], forbidden: PURE },
    Layer {
        name: "app",
        may_use: &["model", "wire", "history", "rules", "plan", "run", "schedule", "config"],
        forbidden: PURE,
    },
    Layer {
        name: "view",
        may_use: &["model", "wire", "history", "rules", "plan", "run", "schedule", "config", "app"],
        forbidden: DRAWING,
    },
    Layer { name: "transport", may_use: &["model", "wire", "config"], forbidden: TRANSPORT },
    Layer { name: "sim", may_use: &["model", "wire", "config", "transport"], forbidden: TRANSPORT },
    Layer {
        name: "runtime",
        may_use: &[
            "model",
            "wire",
            "history",
            "rules",
            "plan",
            "run",
            "schedule",
            "config",
            "app",
            "view",
            "transport",
            "sim",
        ],
        forbidden: &[],
    },
    Layer {
        name: "cli",
        may_use: &[
            "model",
            "wire",
            "history",
            "rules",
            "plan",
            "run",
            "schedule",
            "config",
            "app",
            "view",
            "transport",
            "sim",
            "runtime",
        ],
        forbidden: &["ratatui", "crossterm"],
    },
];

#[test]
fn every_layer_uses_only_what_it_may() {
    let mut violations = Vec::new();
    for layer in LAYERS {
        for path in sources(&source_root().join(layer.name)) {
            for what in check(layer, &read(&path)) {
                violations.push(format!("{}: layer `{}` {what}", path.display(), layer.name));
            }
        }
    }
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn every_folder_of_src_is_a_layer() {
    let known: BTreeSet<String> = LAYERS.iter().map(|layer| layer.name.to_owned()).collect();
    let found: BTreeSet<String> = fs::read_dir(source_root())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(known, found);
}

#[test]
fn a_planted_violation_is_found_for_each_forbidden_pair_of_layers() {
    let mut pairs = 0;
    for layer in LAYERS {
        let clean = read(&sources(&source_root().join(layer.name))[0]);
        for other in LAYERS.iter().filter(|other| other.name != layer.name && !layer.may_use.contains(&other.name)) {
            for plant in [
                format!("use crate::{}::Anything;\n", other.name),
                format!("use crate::{{model::ids, {}::{{Anything, more}}}};\n", other.name),
                format!("fn planted() {{ let _ = crate::{}::anything(); }}\n", other.name),
            ] {
                assert!(
                    check(layer, &format!("{clean}\n{plant}")).iter().any(|what| what.contains(other.name)),
                    "planted in {}: {plant}",
                    layer.name
                );
            }
            pairs += 1;
        }
        for path in layer.forbidden {
            let plant = format!("{clean}\nuse {path}::Anything;\n");
            assert!(check(layer, &plant).iter().any(|what| what.contains(path)), "planted in {}: {path}", layer.name);
            pairs += 1;
        }
    }
    assert!(pairs > 100, "only {pairs} forbidden pairs were tried");
}

/// What `text` of `layer` uses against the rules.
fn check(layer: &Layer, text: &str) -> Vec<String> {
    let code = without_comments_and_tests(text);
    let mut found = Vec::new();
    for used in crate_modules(&code) {
        let is_layer = LAYERS.iter().any(|other| other.name == used);
        if is_layer && used != layer.name && !layer.may_use.contains(&used.as_str()) {
            found.push(format!("uses layer `{used}`"));
        }
    }
    let flat = flatten_uses(&code);
    for path in layer.forbidden {
        if names_path(&code, path) || flat.iter().any(|used| used == path || used.starts_with(&format!("{path}::"))) {
            found.push(format!("names `{path}`"));
        }
    }
    found
}

/// The first segment behind each `crate::`, also within a brace list.
fn crate_modules(code: &str) -> BTreeSet<String> {
    let mut modules: BTreeSet<String> = flatten_uses(code)
        .into_iter()
        .filter_map(|path| Some(path.strip_prefix("crate::")?.split("::").next()?.to_owned()))
        .collect();
    for (at, _) in code.match_indices("crate::") {
        let name: String =
            code[at + "crate::".len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() {
            modules.insert(name);
        }
    }
    modules
}

/// Every `use` declaration as full paths.
fn flatten_uses(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("use ") {
        let starts_word = at == 0 || code[..at].ends_with(|c: char| c.is_whitespace() || c == ')' || c == ';');
        if !starts_word {
            continue;
        }
        if let Some(end) = code[at..].find(';') {
            expand("", code[at + 4..at + end].trim(), &mut paths);
        }
    }
    paths
}

fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    match tree.find('{') {
        Some(open) if tree.ends_with('}') => {
            let prefix = format!("{prefix}{}", &tree[..open]);
            let inner = &tree[open + 1..tree.len() - 1];
            let (mut depth, mut start) = (0, 0);
            for (at, c) in inner.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        expand(&prefix, inner[start..at].trim(), paths);
                        start = at + 1;
                    }
                    _ => {}
                }
            }
            expand(&prefix, inner[start..].trim(), paths);
        }
        _ if !tree.is_empty() => paths.push(format!("{prefix}{}", tree.split(" as ").next().unwrap_or(tree))),
        _ => {}
    }
}

/// Whether `path` stands in the code as a path of its own (`tokio::…`, not `my_tokio::…`).
fn names_path(code: &str, path: &str) -> bool {
    code.match_indices(&format!("{path}::"))
        .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

/// The text without comments and without what follows `#[cfg(test)]` (tests may use more).
fn without_comments_and_tests(text: &str) -> String {
    let tests = text.find("#[cfg(test)]\nmod ");
    // A violation planted behind the tests must be seen: only the test module's own braces are left out.
    let (before, after) = match tests {
        Some(at) => (&text[..at], skip_block(&text[at..])),
        None => (text, ""),
    };
    format!("{before}\n{after}")
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What follows the first item of `text`, which ends at a `}` or `;` in the first column.
fn skip_block(text: &str) -> &str {
    match (text.find("\n}\n"), text.find(";\n"), text.find('{')) {
        (_, Some(end), open) if open.is_none_or(|open| end < open) => &text[end + 2..],
        (Some(end), _, _) => &text[end + 3..],
        _ => "",
    }
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            // `tests.rs` is the test module of its folder: tests may use more than the code they test.
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
