//! What a change of a setting of HAProxy does, in sentences.

use super::{
    field::{Field, Seat},
    servers,
};
use crate::{
    model::{tune_act::Keep, tuning::Knob},
    plan::haproxy::list_words,
    wire::file_edit::FileWay,
};

/// Parts that are told one by one.
const NAMED_MAX: usize = 6;

/// Every sentence.
pub(super) fn effect(field: &Field<'_>, nodes: &str) -> Vec<String> {
    let mut effect = Vec::new();
    for seat in field.to_change() {
        effect.extend(knobs(field, seat));
        effect.extend(file(field, seat));
        effect.extend(servers::effect(field, seat));
    }
    let left: Vec<&str> = field
        .seats
        .iter()
        .filter(|seat| field.to_change().all(|changed| changed.node.name != seat.node.name))
        .map(|seat| seat.node.name.as_str())
        .collect();
    if !left.is_empty() {
        effect.push(format!("Left alone, because it is so already: {}.", list_words(left)));
    }
    effect.extend(moves(field));
    if let Some(since) = &field.setting.since {
        effect.push(format!("When it counts: {since}."));
    }
    effect.push(format!("Risk: {}", field.setting.risk));
    effect.push(if field.to_change().any(Seat::is_reloaded) {
        format!(
            "HAProxy on {nodes} is reloaded, one after the other: a new process takes new connections, and the old one keeps \
             those that are open until they end. Its counters begin anew."
        )
    } else {
        format!("Clients of {nodes} stay connected.")
    });
    effect
}

fn knobs(field: &Field<'_>, seat: &Seat<'_>) -> Vec<String> {
    let node = &seat.node.name;
    let turned: Vec<&(Knob, u64)> = seat.turned(field).collect();
    let mut words: Vec<String> = turned
        .iter()
        .take(NAMED_MAX)
        .map(|(knob, old)| {
            let load = knob.load(seat.sample).map(|load| format!(" Now {load}.")).unwrap_or_default();
            let old = if *old == 0 { "any number".to_owned() } else { old.to_string() };
            let new = if field.number == Some(0) { "any number".to_owned() } else { field.value.clone() };
            format!("On {node} the limit of {knob} goes from {old} to {new}.{load}")
        })
        .collect();
    if turned.len() > NAMED_MAX {
        words.push(format!("On {node} the same with {} more.", turned.len() - NAMED_MAX));
    }
    if field.keep == Keep::No && !turned.is_empty() {
        let brings = seat.sheet.as_ref().map_or_else(
            || "what its file says, which is not known".to_owned(),
            |sheet| sheet.brings(field.setting.unit),
        );
        words.push(format!("No file is changed: a reload or restart of HAProxy on {node} brings {brings}."));
    }
    words
}

fn file(field: &Field<'_>, seat: &Seat<'_>) -> Vec<String> {
    let (node, unit) = (&seat.node.name, field.setting.unit);
    let Some(filing) = &seat.filing else {
        let says = field.keep == Keep::InFile;
        return says.then(|| format!("The file on {node} says so already.")).into_iter().collect();
    };
    let keeping = &filing.keeping;
    let path = &keeping.edit.path;
    let mut words = vec![match (keeping.way, &keeping.brings) {
        (FileWay::Make, _) => format!(
            "The new {path} on {node} is judged by HAProxy itself before it counts; the file as it was stays beside it as {}, for \
             the way back. Remove it when nobody needs it.",
            keeping.edit.kept
        ),
        (FileWay::TakeBack, brings) => {
            let brings = brings.as_ref().map_or_else(|| "HAProxy's own value".to_owned(), |value| unit.words(value));
            format!("{path} on {node} is again what it was before, byte for byte: a restart brings {brings}.")
        }
    }];
    if let Some(inherited) = &filing.inherited {
        words.push(format!(
            "What counts there now is {}:{} ({}), which other parts go by, too: it stays, and {} gets a word of its own.",
            inherited.file, inherited.line, inherited.value, field.key
        ));
    }
    if !seat.carried.is_empty() {
        let told: Vec<String> = seat.carried.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        let more = seat.carried.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        words.push(format!(
            "What operators told HAProxy on {node} is carried over: {}{more}. It is written to the state file that HAProxy reads \
             when it is reloaded, and seen afterwards.",
            told.join(", ")
        ));
    }
    words
}

/// The figures that should move.
fn moves(field: &Field<'_>) -> Option<String> {
    let figures = match field.setting.key.as_str() {
        "haproxy.maxconn" => "connections that are open, and those that wait in the kernel",
        "haproxy.connection_rate" | "haproxy.session_rate" => {
            "what comes in a second, and those that wait in the kernel"
        }
        "haproxy.frontend.maxconn" => "sessions of the frontend, then the queue and the response time of its backend",
        "haproxy.server.maxconn" => "sessions of the server, the queue of the backend, and the response time",
        "haproxy.timeout.queue" => "the queue of the backend, and answers 503",
        "haproxy.timeout.connect" | "haproxy.timeout.server" => "response times, and answers 503 and 504",
        "haproxy.timeout.client" | "haproxy.timeout.http-request" => "sessions that are open, and answers 408",
        "haproxy.server.weight" => "how often each server is chosen beside the others",
        "haproxy.server.inter"
        | "haproxy.server.rise"
        | "haproxy.server.fall"
        | "haproxy.timeout.check"
        | "haproxy.option.httpchk" => "how soon a dead server is out of traffic, and failed checks",
        _ => return None,
    };
    Some(format!("What should move: {figures}. The end of the run tells them as they are then."))
}
