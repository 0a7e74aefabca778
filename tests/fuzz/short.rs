//! The short run, and that no parser is forgotten.

use crate::fuzz::{
    engine::{matrix, run},
    targets::{Target, table},
};
use std::{collections::BTreeSet, fs, path::Path};
use vakt::wire::probe::ProbeId;

/// Executions per target: a few seconds altogether, without optimisation.
const EXECUTIONS: u64 = 400;

fn every_target(test: impl Fn(&Target) + Sync) {
    let table = table();
    std::thread::scope(|scope| {
        let running: Vec<_> = table.iter().map(|target| scope.spawn(|| test(target))).collect();
        for target in running {
            target.join().unwrap();
        }
    });
}

#[test]
fn invariant_4_spoilt_answers_are_no_panic_and_nothing_a_terminal_obeys_comes_through() {
    every_target(|target| run(target, 20_261_128, EXECUTIONS));
}

#[test]
fn invariant_10_every_payload_of_the_hostile_matrix_in_every_parser() {
    every_target(|target| matrix(target, 8));
}

#[test]
fn every_parser_has_a_row() {
    let table = table();
    let covered: BTreeSet<&str> = table.iter().flat_map(|target| target.covers).copied().collect();
    let mut parsers = BTreeSet::new();
    find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire"), &mut parsers);
    // Probes have a row each by themselves.
    let probes = parsers.iter().filter(|parser| parser.ends_with("Probe")).count();
    assert_eq!(probes, ProbeId::ALL.len(), "{parsers:?}");
    parsers.retain(|parser| !parser.ends_with("Probe"));
    let missing: Vec<_> =
        parsers.iter().filter(|parser| !covered.iter().any(|name| name.rsplit("::").next() == Some(parser))).collect();
    assert!(missing.is_empty(), "parsers without a row in tests/fuzz/targets.rs: {missing:?}");
    let gone: Vec<_> =
        covered.iter().filter(|name| !parsers.contains(name.rsplit("::").next().unwrap_or_default())).collect();
    assert!(gone.is_empty(), "rows for parsers that are not there: {gone:?}");
}

/// Probes, feeds, and public functions that take bytes or answers.
fn find(folder: &Path, parsers: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, parsers);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for line in source.lines().take_while(|line| !line.starts_with("#[cfg(test)]")) {
            let name = line
                .strip_prefix("impl Probe for ")
                .or_else(|| line.strip_prefix("impl Feed for "))
                .or_else(|| line.strip_prefix("pub fn ").filter(|line| takes_an_answer(line)));
            if let Some(name) = name {
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
                parsers.insert(name[..end].to_owned());
            }
        }
    }
}

fn takes_an_answer(line: &str) -> bool {
    ["(bytes: &[u8])", "(bytes: &[u8], ", "(answers: &Answers", "(answer: &[u8])", "(reply: &[u8])"]
        .iter()
        .any(|part| line.contains(part))
}
