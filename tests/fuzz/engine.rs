//! Runs a target, and says which input broke it.

use super::{
    mutate::{PAYLOADS, Random, put, spoilt},
    targets::Target,
};
use serde_json::Value;
use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Executions whose processor time is measured together.
const BATCH: u64 = 32;
/// Processor time that such a batch may take; it takes milliseconds, even without optimisation.
const BATCH_NS_MAX: u64 = 5_000_000_000;
/// Every so many executions, all that was understood is looked at: that is dearer than understanding it.
const LOOK_EVERY: u64 = 8;
/// Longest text that may come out: what is kept of a node's line, in bytes.
const TEXT_BYTES_MAX: usize = 512 * 4;

/// Runs `executions` spoilt inputs.
pub(crate) fn run(target: &Target, seed: u64, executions: u64) {
    let seeds = &target.seeds;
    assert!(!seeds.is_empty(), "{} has nothing to spoil", target.name);
    let mut random = Random::new(seed);
    let mut started = processor_ns();
    for number in 0..executions {
        let input = spoilt(&seeds[random.below(seeds.len())], &mut random);
        execute(target, &input, number % LOOK_EVERY == 0);
        if number % BATCH == BATCH - 1 {
            let now = processor_ns();
            assert!(
                now - started < BATCH_NS_MAX,
                "{}: {BATCH} executions before {number} took {} ns",
                target.name,
                now - started
            );
            started = now;
        }
    }
}

/// Every payload at some places of a capture.
pub(crate) fn matrix(target: &Target, places: usize) {
    for seed in target.seeds.iter().take(2) {
        for (index, reply) in seed.iter().enumerate() {
            let whole = &reply[..reply.len().min(3000)];
            for place in 0..=places {
                for payload in PAYLOADS {
                    let mut input = seed.clone();
                    input[index] = whole.to_vec();
                    put(&mut input[index], whole.len() * place / places, payload);
                    execute(target, &input, true);
                }
            }
        }
    }
}

fn execute(target: &Target, input: &[Vec<u8>], look: bool) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input, look)));
    let shown = || {
        let replies: Vec<String> = input.iter().map(|reply| format!("  b\"{}\"", reply.escape_ascii())).collect();
        replies.join("\n")
    };
    let Ok(understood) = outcome else { panic!("{} panics on\n{}", target.name, shown()) };
    for value in &understood {
        if let Some(text) = unclean(value, target.lines_in) {
            panic!("{} lets {text:?} through, of\n{}", target.name, shown());
        }
    }
}

/// The first text that a terminal would obey, or that has no bound.
fn unclean(value: &Value, lines_in: &str) -> Option<String> {
    match value {
        Value::String(text) => (text.len() > TEXT_BYTES_MAX || text.chars().any(obeyed)).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(|item| unclean(item, lines_in)),
        // Names of fields are ours or the node's: both are looked at.
        Value::Object(fields) => fields.iter().find_map(|(name, field)| {
            if name.chars().any(obeyed) {
                return Some(name.clone());
            }
            if name == lines_in {
                return unclean_lines(field);
            }
            unclean(field, lines_in)
        }),
        _ => None,
    }
}

/// A text that has lines by design: each of them is clean.
fn unclean_lines(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.lines().find(|line| line.chars().any(obeyed)).map(str::to_owned),
        Value::Array(items) => items.iter().find_map(unclean_lines),
        Value::Object(fields) => fields.values().find_map(unclean_lines),
        _ => None,
    }
}

fn obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..)
}

/// What this thread has cost so far. Elapsed time would measure the neighbours, too.
fn processor_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}
