//! `vakt runs` as operators and scripts see it: texts beside this file, exit codes, JSON. `UPDATE=1` rewrites the texts.

use super::{Bed, Ends, carry_out, records};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

/// Runs `vakt runs …` on the bed's state folder.
fn runs(bed: &Bed, args: &[&str]) -> Output {
    let config = bed.folder.path().join("config.toml");
    if !config.exists() {
        let text = "[cluster]\nname = \"oslo-prod\"\n[[node]]\nname = \"lb01\"\nroles = [\"edge\"]\nmanagement = \"192.0.2.1\"\n";
        fs::write(&config, text).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_vakt"))
        .arg("--config")
        .arg(&config)
        .arg("--state")
        .arg(bed.place().path)
        .arg("runs")
        .args(args)
        .env("TZ", "UTC")
        .env_remove("VAKT_STATE")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/state/{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{}\n--- expected\n{expected}\n--- actual\n{text}", path.display());
}

/// One run of each kind; the names of them.
fn history(bed: &Bed) -> Vec<String> {
    let state = bed.state();
    let ends = [Ends::Reached, Ends::RolledBack, Ends::NeedsOperator, Ends::Killed(5)];
    let ids = ends.into_iter().zip(0..).map(|(ends, number)| carry_out(&state, records(number, ends)).0.to_string());
    ids.collect()
}

#[test]
fn the_list_is_a_table_and_its_exit_code_says_whether_somebody_has_to_decide() {
    let bed = Bed::new();
    let output = runs(&bed, &[]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    assert!(stderr(&output).contains("no run of oslo-prod is written down in"));
    let ids = history(&bed);
    let output = runs(&bed, &["list"]);
    assert_eq!(output.status.code(), Some(1));
    golden("list", &stdout(&output));
    for id in &ids[2..] {
        assert_eq!(runs(&bed, &["resolve", id, "--reason", "set by hand"]).status.code(), Some(0));
    }
    assert_eq!(runs(&bed, &[]).status.code(), Some(0));
}

#[test]
fn a_run_is_told_as_prose_from_who_asked_to_what_to_type() {
    let bed = Bed::new();
    let ids = history(&bed);
    let resolved = runs(&bed, &["resolve", &ids[3], "--reason", "web03 was set to ready by hand"]);
    assert_eq!(stdout(&resolved), format!("Run {} is resolved.\n", ids[3]));
    for (name, id) in ["reached", "rolled_back", "needs_operator"].iter().zip(&ids) {
        let output = runs(&bed, &["show", id]);
        assert_eq!(output.status.code(), Some(0));
        golden(&format!("show_{name}"), &stdout(&output));
    }
    // Who resolved it depends on who runs the tests.
    let text = stdout(&runs(&bed, &["show", &ids[3]]));
    assert!(text.contains(": resolved.") && text.contains("set to ready by hand"), "{text}");
}

#[test]
fn a_run_is_named_by_as_much_of_its_name_as_is_unique() {
    let bed = Bed::new();
    let ids = history(&bed);
    assert_eq!(runs(&bed, &["show", &ids[1][..14]]).status.code(), Some(0));
    for (name, says) in [("2026", "more than one run begins with 2026, such as"), ("1999", "no run begins with 1999")] {
        let output = runs(&bed, &["show", name]);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

#[test]
fn resolving_needs_a_reason_and_a_run_that_needs_it() {
    let bed = Bed::new();
    let ids = history(&bed);
    assert_eq!(runs(&bed, &["resolve", &ids[3]]).status.code(), Some(2));
    assert_eq!(runs(&bed, &["resolve", &ids[3], "--reason", " "]).status.code(), Some(2));
    let output = runs(&bed, &["resolve", &ids[0], "--reason", "x"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("is reached: only an interrupted run, or one that needs an operator"));
    // While it is carried out.
    let (_journal, _) = bed.state().reopen_run(&ids[3].clone().into()).unwrap();
    let output = runs(&bed, &["resolve", &ids[3], "--reason", "x"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("is being carried out by another process"), "{}", stderr(&output));
}

#[test]
fn verify_says_where_and_ends_with_1() {
    let bed = Bed::new();
    let ids = history(&bed);
    let output = runs(&bed, &["verify"]);
    assert_eq!(output.status.code(), Some(0));
    golden("verify", &stdout(&output));
    let heads = bed.folder.path().join("syslog");
    let log: Vec<_> = bed.logged().iter().map(|line| format!("Nov 23 14:03:22 b1 {line}\n")).collect();
    fs::write(&heads, log.concat()).unwrap();
    assert_eq!(runs(&bed, &["verify", "--heads", heads.to_str().unwrap()]).status.code(), Some(0));
    let path = bed.journal(&ids[1].clone().into());
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 8;
    fs::write(&path, &bytes).unwrap();
    fs::remove_dir_all(bed.file("runs").join(&ids[2])).unwrap();
    let output = runs(&bed, &["verify"]);
    assert_eq!(output.status.code(), Some(1));
    golden("verify_damage", &stdout(&output));
    assert_eq!(runs(&bed, &["verify", &ids[0]]).status.code(), Some(0));
    assert_eq!(runs(&bed, &["verify", &ids[1]]).status.code(), Some(1));
    assert_eq!(runs(&bed, &["show", &ids[1]]).status.code(), Some(1));
}

/// Paths of all keys; elements of lists are `[]`. What a record holds is the journal's own shape.
fn walk(prefix: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !matches!(prefix, "records[].entry" | "records[].at" | "run") => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                if !value.is_array() && path != "run" {
                    keys.insert(path.clone());
                }
                walk(&path, value, keys);
            }
        }
        Value::Array(items) => {
            keys.insert(format!("{prefix}[]"));
            for item in items {
                walk(&format!("{prefix}[]"), item, keys);
            }
        }
        _ => {}
    }
}

#[test]
fn the_documents_and_their_description_have_the_same_keys() {
    let bed = Bed::new();
    let ids = history(&bed);
    fs::write(bed.journal(&ids[0].clone().into()), "{}\n").unwrap();
    let mut keys = BTreeSet::new();
    for args in [&["list", "--json"][..], &["show", &ids[2], "--json"], &["changed", "--json"]] {
        let output = runs(&bed, args);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["schema"], 1);
        walk("", &document, &mut keys);
    }
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/runs-json.md")).unwrap();
    // What follows is told line by line while a run goes on; tests/executor looks at it.
    let (of_documents, _) = text.split_once("\n## `vakt do").unwrap();
    let described: BTreeSet<String> = of_documents
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    let undescribed: Vec<_> = keys.difference(&described).collect();
    let missing: Vec<_> = described.difference(&keys).collect();
    assert!(undescribed.is_empty() && missing.is_empty(), "not described: {undescribed:?}; not there: {missing:?}");
}

#[test]
fn an_unusable_state_folder_ends_with_2_and_says_what_to_do() {
    let bed = Bed::new();
    fs::write(bed.place().path, "").unwrap();
    let output = runs(&bed, &["list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("(from --state) is no folder; remove it, or name another one with --state"));
}
