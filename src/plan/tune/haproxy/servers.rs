//! What a line of the file promises about servers, and how that is seen once HAProxy is reloaded: by which weight they run, and
//! that they answer the page that they are asked for now.

use super::{
    field::{Field, Seat},
    on,
};
use crate::{
    model::{
        haproxy::{Backend, Server},
        intent::ServerPath,
        text::Clean,
        tune_act::Keep,
        tuning::key_and_part,
    },
    plan::{
        expect::{Check, Expect, ServerExpect, takes_traffic},
        parts::{Action, Need, OnLate, Step, Until, Wait},
        refusal::{Reason, ReasonKind},
    },
};

const WEIGHT: &str = "haproxy.server.weight";
const PAGE: &str = "haproxy.option.httpchk";
/// The largest weight that HAProxy takes.
const WEIGHT_MAX: u64 = 256;
/// From one look at the checks to the next: as soon as one server is out, the file is put back.
const CHECK_POLL_MS: u64 = 500;
/// How many of them in a row must find every server well: three checks that fail take a server out, five seconds apart at the
/// most that is advised.
const CHECK_LOOKS: u32 = 32;
const CHECK_DEADLINE_MS: u64 = 60_000;
/// Servers that are waited for at most.
const WAITED_MAX: usize = 40;

/// Whether the setting is about the weight in the file, or the page that is asked for.
pub(super) fn is_seen_at_servers(field: &Field<'_>) -> bool {
    matches!(field.setting.key.as_str(), WEIGHT | PAGE)
}

/// The servers that the part of the setting means.
fn meant<'s>(field: &Field<'_>, seat: &Seat<'s>) -> Vec<(&'s Backend, &'s Server)> {
    let (_, part) = key_and_part(field.key.as_str());
    let part = part.unwrap_or_default();
    let (backend, server) = part.split_once('/').map_or((part, None), |(backend, server)| (backend, Some(server)));
    let backends = seat.sample.backends.iter().filter(|one| one.name.as_str() == backend || backend == "defaults");
    let all = backends.flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)));
    all.filter(|(_, one)| server.is_none_or(|name| one.name.as_str() == name)).collect()
}

fn check(seat: &Seat<'_>, (backend, server): (&Backend, &Server), is: ServerExpect) -> Check {
    let server = ServerPath { backend: backend.name.clone(), server: server.name.clone() };
    on(seat, Expect::Server { server, is })
}

/// What is seen of servers once the file is changed and HAProxy reloaded.
pub(super) fn promised(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Check> {
    // A file that does not name it brings HAProxy's own.
    let is_named = field.keep == Keep::InFile || seat.filing.as_ref().is_some_and(|one| one.keeping.brings.is_some());
    let weight = field.value.parse().ok().filter(|_| field.setting.key == WEIGHT && is_named);
    let Some(weight) = weight else { return Vec::new() };
    let both = |one| [ServerExpect::WeightInFile(weight), ServerExpect::Weight(weight)].map(|is| check(seat, one, is));
    meant(field, seat).into_iter().flat_map(both).collect()
}

/// Waits until every server that takes traffic passes the new check. Where one does not, the run puts the file back.
pub(super) fn wait_for_checks(field: &Field<'_>, seat: &Seat<'_>) -> Option<Step> {
    let checks = pages(field, seat, ServerExpect::CheckPasses);
    if checks.is_empty() {
        return None;
    }
    let guards = pages(field, seat, ServerExpect::TakesTraffic);
    let until =
        Until { checks, need: Need::All, holds: CHECK_LOOKS, poll_ms: CHECK_POLL_MS, deadline_ms: CHECK_DEADLINE_MS };
    let wait = Wait { until, guards, on_late: OnLate::Fail, keeps: false };
    let title = format!("{}: see that every server answers {} well", seat.node.name, field.value);
    Some(super::step(&title, Action::Wait(wait)))
}

fn pages(field: &Field<'_>, seat: &Seat<'_>, is: ServerExpect) -> Vec<Check> {
    if field.setting.key != PAGE || field.keep != Keep::InFile || seat.filing.is_none() {
        return Vec::new();
    }
    let serving = meant(field, seat).into_iter().filter(|(_, server)| takes_traffic(server)).take(WAITED_MAX);
    serving.map(|one| check(seat, one, is)).collect()
}

/// What is said of it beforehand.
pub(super) fn effect(field: &Field<'_>, seat: &Seat<'_>) -> Option<String> {
    if pages(field, seat, ServerExpect::CheckPasses).is_empty() {
        return None;
    }
    let seconds = CHECK_POLL_MS * u64::from(CHECK_LOOKS) / 1000;
    Some(format!(
        "The run then looks for {seconds} s whether every server stays up on {}. As soon as one does not answer the page, and is \
         out of traffic there for that, the file is put back: ask a server for the page by hand first.",
        seat.node.name
    ))
}

/// A weight beyond HAProxy's range, and servers that run by another weight than their file says: what counts after a
/// reload would be another change.
pub(super) fn judge(field: &Field<'_>, reasons: &mut Vec<Reason>) {
    if field.setting.key != WEIGHT {
        return;
    }
    if field.value.parse::<u64>().is_ok_and(|weight| weight > WEIGHT_MAX) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} does not take {}.", field.key, field.value),
            vec![Clean::line(&format!("HAProxy: from 0 to {WEIGHT_MAX}"))],
            "Choose a weight within; only the shares beside each other count.",
        ));
    }
    for seat in &field.seats {
        let is_otherwise = |one: &(&Backend, &Server)| {
            let (now, in_file) = (one.1.weight.known(), one.1.weight_configured.known());
            now.zip(in_file).is_none_or(|(now, in_file)| now != in_file)
        };
        let evidence: Vec<Clean> = meant(field, seat)
            .into_iter()
            .filter(is_otherwise)
            .map(|(backend, server)| {
                let words = |figure: crate::model::figure::Figure<u64>| {
                    figure.known().map_or_else(|| "unknown".to_owned(), |weight| weight.to_string())
                };
                Clean::line(&format!(
                    "{}: {}/{} runs with weight {}, its file says {}",
                    seat.node.name,
                    backend.name,
                    server.name,
                    words(server.weight),
                    words(server.weight_configured)
                ))
            })
            .collect();
        if !evidence.is_empty() {
            reasons.push(Reason::new(
                ReasonKind::Busy,
                format!("Servers on {} run by another weight than their file says.", seat.node.name),
                evidence,
                "Give them the weight of the file first: vakt do haproxy.weight BACKEND/SERVER --weight N.",
            ));
        }
    }
}
