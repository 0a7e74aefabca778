//! What speaks against a value: HAProxy's own limits, and what is known to be dangerous.

use super::{
    KnobExpect, KnobIs,
    field::{Field, Seat},
    stops_when_full,
};
use crate::{
    model::{text::Clean, tune_act::Keep, tuning::Knob},
    plan::{
        expect::Verdict,
        refusal::{Reason, ReasonKind},
    },
    wire::{haproxy::set_knob, probe::Facts},
};

/// Every reason, of every load balancer that would be changed.
pub(super) fn judge(field: &Field<'_>, reasons: &mut Vec<Reason>) {
    let has_knobs = field.seats.iter().any(|seat| !seat.knobs.is_empty());
    if field.keep == Keep::No && !has_knobs {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("HAProxy takes {} from its file only.", field.setting.key),
            field.seats.iter().flat_map(Seat::evidence).collect(),
            "Add --persist: the file is changed, judged by HAProxy, and HAProxy is reloaded.",
        ));
        return;
    }
    for seat in &field.seats {
        for (knob, old) in seat.turned(field) {
            judge_range(field, seat, knob, reasons);
            judge_full(field, seat, (knob, *old), reasons);
            if set_knob(seat.socket, knob, 0).is_none() {
                reasons.push(Reason::new(
                    ReasonKind::UnsafeName,
                    "A name is not safe to send to HAProxy; nothing was sent.",
                    vec![Clean::line(&format!("{}: {knob}", seat.node.name))],
                    "Use names of letters, digits and _ . : - only.",
                ));
            }
        }
    }
}

fn judge_range(field: &Field<'_>, seat: &Seat<'_>, knob: &Knob, reasons: &mut Vec<Reason>) {
    let Some(value) = field.number else { return };
    let (minimum, maximum) = knob.range(seat.sample);
    if (minimum..=maximum).contains(&value) {
        return;
    }
    let node = &seat.node.name;
    let cure = match (knob, value) {
        (Knob::Frontend(name), 0) => {
            format!("Limit new connections instead (haproxy.connection_rate), or stop {name} on the node.")
        }
        (Knob::Connections | Knob::Frontend(_), _) => {
            "More needs a larger maxconn under global in the file, and a restart of HAProxy.".to_owned()
        }
        _ => "Choose a value within.".to_owned(),
    };
    reasons.push(Reason::new(
        ReasonKind::NotFit,
        format!("{} on {node} does not take {value}.", field.key),
        vec![Clean::line(&format!("{node}: {knob}, from {minimum} to {maximum}"))],
        cure,
    ));
}

/// Some HAProxy stop dead when a frontend gets another limit while clients wait for it.
fn judge_full(field: &Field<'_>, seat: &Seat<'_>, (knob, _): (&Knob, u64), reasons: &mut Vec<Reason>) {
    if !matches!(knob, Knob::Frontend(_)) || !stops_when_full(seat.sample) {
        return;
    }
    let facts = Facts::Haproxy(Box::new(seat.sample.clone()));
    let room = KnobExpect { knob: knob.clone(), is: KnobIs::HasRoom }.judge(&facts);
    let (kind, what) = match &room {
        Verdict::Holds(_) => return,
        Verdict::Fails(_) => (ReasonKind::Busy, "Clients wait for"),
        Verdict::Unknown(_) => (ReasonKind::UnknownFact, "Nobody can say whether clients wait for"),
    };
    let node = &seat.node.name;
    let version = seat.sample.info.version.as_ref().known().map_or("of a version that is not known", Clean::as_str);
    reasons.push(Reason::new(
        kind,
        format!("{what} {} on {node}: this HAProxy may stop dead when its limit is changed now.", field.key),
        vec![
            Clean::line(&format!("{node}: {}", room.seen())),
            Clean::line(&format!("{node}: HAProxy {version}; a deadlock, and its watchdog aborts it (haproxy#2726)")),
        ],
        "Let sessions end first: limit new ones (haproxy.connection_rate), or move the virtual address to another load \
         balancer; then plan again. HAProxy 3.1 does not have this fault.",
    ));
}
