//! `haproxy.weight`: another share of new sessions.

use super::{Blast, Draft, Field, Outcome, Reason, Seat, ServerExpect, judge_capacity, prove, ready::set_weight};
use crate::plan::expect::takes_traffic;

pub(super) fn plan(field: &Field<'_>, weight: u64, reasons: &mut Vec<Reason>) -> Outcome {
    let changing: Vec<&Seat<'_>> = field.seats.iter().filter(|seat| seat.weight() != weight).collect();
    if changing.is_empty() {
        return Outcome::AlreadyThere(format!("{} already has weight {weight} on {}.", field.path, field.names()));
    }
    // Weight 0 takes it out of balancing, like a drain.
    let alone = if weight == 0 { judge_capacity(field, &changing, reasons) } else { Blast::Small };
    let guard = [ServerExpect::OthersCarry { percent_min: field.capacity_floor_percent }];
    let guards = |seat: &Seat<'_>| if weight == 0 && takes_traffic(seat.server) { &guard[..] } else { &[] };
    let mut steps: Vec<_> =
        changing.iter().map(|seat| set_weight(field, seat, (seat.weight(), weight), guards(seat))).collect();
    let title = format!("{}: {} has weight {weight}", field.names(), field.path.server);
    steps.push(prove(field, &title, ServerExpect::Weight(weight)));
    let premises = changing.iter().flat_map(|seat| {
        let others = guards(seat).iter().map(|is| seat.check(&field.path, *is));
        [seat.check(&field.path, ServerExpect::Weight(seat.weight()))].into_iter().chain(others)
    });
    // Whether this weight is a deviation that a restart would lose; the journal has to say it.
    let premises = premises.chain(field.seats.iter().filter_map(|seat| seat.weight_in_file(&field.path)));
    let mut effect: Vec<String> = changing
        .iter()
        .map(|seat| {
            format!(
                "{}: weight {} becomes {weight}; haproxy.cfg says {}.",
                seat.node.name,
                seat.weight(),
                seat.weight_configured()
            )
        })
        .collect();
    if weight == 0 {
        effect
            .push("Weight 0 means no new sessions, except those that a cookie or stick table binds to it.".to_owned());
    }
    effect.push("Open sessions stay. A reload of HAProxy returns to the file's weight.".to_owned());
    Outcome::Draft(Draft {
        effect,
        goal: format!("{} has weight {weight} on {}", field.path, field.names()),
        premises: premises.collect(),
        steps,
        confirm: alone,
        why: match alone {
            Blast::Small => "every step can be undone".to_owned(),
            _ => format!("one server stays in traffic: its failure would stop {}", field.path.backend),
        },
    })
}
