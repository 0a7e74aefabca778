//! `ovs-appctl upcall/show`: how many flows the daemon keeps in each datapath, and how many it allows itself.

use super::{Answer, ROWS_MAX, Understood};
use crate::model::{
    figure::{Figure, Unknown},
    ovs_daemon::Upcalls,
    text::Clean,
};

/// Every datapath, in the daemon's order.
pub fn upcalls(bytes: &[u8]) -> Understood<Upcalls> {
    let mut answer = Answer::new("upcall/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut all: Vec<Upcalls> = Vec::new();
    for (rows, line) in text.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        if rows >= ROWS_MAX {
            answer.complaints.add("upcall/show", format!("only {ROWS_MAX} lines are looked at"));
            break;
        }
        if !line.starts_with([' ', '\t']) {
            let Some(name) = line.trim().strip_suffix(':') else {
                answer.text = text;
                return answer.not_understood();
            };
            let missing = Figure::Unknown(Unknown::Missing);
            all.push(Upcalls { datapath: Clean::line(name), flows: missing, flows_max: missing, dump_ms: missing });
            continue;
        }
        let (Some(last), Some((key, value))) = (all.last_mut(), line.split_once(':')) else { continue };
        match key.trim() {
            // `(current 0) (avg 0) (max 67) (limit 49000)`; before 2.4 there was no space before the bracket.
            "flows" => {
                let mut number = |word: &str| {
                    let part = value.split('(').find_map(|part| part.trim().strip_prefix(word));
                    let part = part.map(|part| part.trim_end().trim_end_matches(')').trim());
                    part.map_or(Figure::Unknown(Unknown::Missing), |part| {
                        answer.complaints.number(format_args!("upcall/show {word}"), part)
                    })
                };
                (last.flows, last.flows_max) = (number("current "), number("limit "));
            }
            "dump duration" => {
                last.dump_ms = answer.complaints.number("upcall/show dump", value.trim().trim_end_matches("ms"));
            }
            _ => {}
        }
    }
    (Some(all), answer.complaints.finish())
}
