//! What speaks against a value: the server's own limits, and what is known to be dangerous.

use super::{
    Scene,
    field::{Field, Seat},
};
use crate::{
    history::tuning::Limits,
    model::{figure::Figure, text::Clean, tune_act::Keep, tuning::Setting},
    plan::refusal::{Reason, ReasonKind},
};

/// Every reason, of every server that would be changed.
pub(super) fn judge(scene: &Scene<'_>, field: &Field<'_>, reasons: &mut Vec<Reason>) {
    for seat in field.to_change() {
        if field.keep == Keep::No {
            judge_restart(field.setting, seat, reasons);
        }
        judge_range(field, seat, reasons);
        if seat.sets {
            judge_applier(scene, field.setting, seat, reasons);
        }
        if let Ok(wanted) = field.value.parse::<u64>() {
            judge_memory(field.setting, seat, wanted, reasons);
            judge_clients(field.setting, seat, wanted, reasons);
            judge_neighbours(seat, wanted, reasons);
        }
    }
}

fn judge_restart(setting: &Setting, seat: &Seat<'_>, reasons: &mut Vec<Reason>) {
    if !Limits::of(setting, seat.variable).needs_restart {
        return;
    }
    let node = &seat.node.name;
    let place = match &seat.configured {
        Figure::Known(Some((_, found))) => format!("{}:{}", found.file, found.line),
        _ => "the option file of the server, under [mysqld]".to_owned(),
    };
    reasons.push(Reason::new(
        ReasonKind::NoWay,
        format!("{} on {node} needs a restart of the server.", seat.name),
        vec![seat.evidence()],
        format!("Write it to {place} with --persist, and restart the server when it does not carry the writes."),
    ));
}

/// The range that the server states; where it states none, nobody knows what it makes of a value.
fn judge_range(field: &Field<'_>, seat: &Seat<'_>, reasons: &mut Vec<Reason>) {
    let (variable, unit, node) = (seat.variable, field.setting.unit, &seat.node.name);
    let words =
        |text: &Clean| unit.canonical(text.as_str()).map_or_else(|| text.to_string(), |value| unit.words(&value));
    if !unit.is_number() {
        let fits =
            variable.choices.iter().any(|choice| unit.canonical(choice.as_str()).as_deref() == Some(&field.value));
        if !variable.choices.is_empty() && !fits {
            let choices: Vec<&str> = variable.choices.iter().map(Clean::as_str).collect();
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} on {node} does not take {}.", seat.name, field.value),
                vec![seat.evidence()],
                format!("Use one of {}.", choices.join(", ")),
            ));
        }
        return;
    }
    let (Some(minimum), Some(maximum)) = (&variable.minimum, &variable.maximum) else {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("Which values {} takes on {node} is not known.", seat.name),
            vec![seat.evidence()],
            "MariaDB tells it in information_schema.SYSTEM_VARIABLES, MySQL in performance_schema.variables_info; let vakt's \
             login read it.",
        ));
        return;
    };
    let is_beyond = |bound: &Clean, is_beyond: fn(f64, f64) -> bool| match (
        field.value.parse::<f64>(),
        bound.as_str().parse::<f64>(),
    ) {
        (Ok(value), Ok(bound)) => is_beyond(value, bound),
        _ => true,
    };
    if is_beyond(minimum, |value, bound| value < bound) || is_beyond(maximum, |value, bound| value > bound) {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} on {node} does not take {}.", seat.name, unit.words(&field.value)),
            vec![Clean::line(&format!("{node}: from {} to {}, by its own word", words(minimum), words(maximum)))],
            "Choose a value within.",
        ));
    }
    let block = variable.block.as_ref().and_then(|block| block.as_str().parse::<u64>().ok()).filter(|block| *block > 1);
    if let (Some(block), Ok(value)) = (block, field.value.parse::<u64>())
        && !value.is_multiple_of(block)
    {
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} on {node} is a multiple of {}.", seat.name, unit.words(&block.to_string())),
            vec![seat.evidence()],
            format!("Use {}, or {}.", value - value % block, value - value % block + block),
        ));
    }
}

fn judge_applier(scene: &Scene<'_>, setting: &Setting, seat: &Seat<'_>, reasons: &mut Vec<Reason>) {
    if !setting.applier_stopped {
        return;
    }
    let node = &seat.node.name;
    let (kind, what) = match seat.mysql {
        Some(facts) if facts.channels().is_empty() => return,
        Some(_) => {
            (ReasonKind::Busy, format!("{} cannot change while {node} applies what its source sends.", seat.name))
        }
        None => (ReasonKind::UnknownFact, format!("Whether {node} replicates is not known.")),
    };
    let age = scene.world.node(node).and_then(|facts| facts.mysql.age_ms(scene.now.mono));
    let seen = age
        .map_or_else(|| "never read".to_owned(), |age_ms| format!("read {} ago", crate::plan::text::seconds(age_ms)));
    reasons.push(Reason::new(
        kind,
        what,
        vec![Clean::line(&format!("{node}: its replication was {seen}"))],
        format!("Write it to the option file of {node}; it counts when the server starts again."),
    ));
}

fn judge_memory(setting: &Setting, seat: &Seat<'_>, wanted: u64, reasons: &mut Vec<Reason>) {
    if setting.key != "innodb_buffer_pool_size" {
        return;
    }
    let node = &seat.node.name;
    let bytes = |bytes: u64| setting.unit.words(&bytes.to_string());
    match seat.basis.memory_bytes {
        Figure::Unknown(why) => reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("How much memory {node} has is not known."),
            vec![Clean::line(&format!("{node}: {why}"))],
            format!("Mend the connection to {node}; then plan again."),
        )),
        // Nine tenths: the server needs more than its pool, and the kernel needs some, too.
        Figure::Known(memory) if wanted > memory / 10 * 9 => reasons.push(Reason::new(
            ReasonKind::CapacityFloor,
            format!("{node} has not the memory for a pool of {}.", bytes(wanted)),
            vec![Clean::line(&format!("{node}: {} in all", bytes(memory)))],
            "Leave at least a tenth to the rest of the machine; 70 to 80 % is advised.",
        )),
        Figure::Known(_) => {}
    }
}

fn judge_clients(setting: &Setting, seat: &Seat<'_>, wanted: u64, reasons: &mut Vec<Reason>) {
    if setting.key != "max_connections" {
        return;
    }
    let node = &seat.node.name;
    let connected = seat.mysql.and_then(|facts| facts.sample.server.threads_connected.known());
    let Some(connected) = connected else {
        reasons.push(Reason::new(
            ReasonKind::UnknownFact,
            format!("How many clients {node} has is not known."),
            Vec::new(),
            format!("Mend the connection to {node}; then plan again."),
        ));
        return;
    };
    if wanted <= connected {
        reasons.push(Reason::new(
            ReasonKind::Busy,
            format!("{connected} sessions are open on {node}: with a limit of {wanted} the next client is refused."),
            vec![seat.evidence()],
            format!("Choose more than {connected}, or let clients go first."),
        ));
    }
}

/// Values that a server quietly moves when they cross.
fn judge_neighbours(seat: &Seat<'_>, wanted: u64, reasons: &mut Vec<Reason>) {
    let (usual, most) = ("innodb_io_capacity", "innodb_io_capacity_max");
    let (other, crosses, cure) = match seat.name.as_str() {
        "innodb_io_capacity" => (most, seat.other(most).is_some_and(|limit| wanted > limit), "Raise"),
        "innodb_io_capacity_max" => (usual, seat.other(usual).is_some_and(|least| wanted < least), "Lower"),
        _ => return,
    };
    if crosses {
        let node = &seat.node.name;
        let value = seat.other(other).unwrap_or_default();
        reasons.push(Reason::new(
            ReasonKind::NotFit,
            format!("{} of {wanted} on {node} crosses {other}, and the server would move that by itself.", seat.name),
            vec![Clean::line(&format!("{node}: {other} is {value}"))],
            format!("{cure} {other} first: vakt do tune.set {node} {other} {wanted}."),
        ));
    }
}
