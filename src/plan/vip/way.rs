//! Which numbers make the target the first among those that may hold the address.

use super::{
    Reason, ReasonKind,
    field::{Field, Seat},
    restart,
};
use crate::{
    model::{presence::TrackedFile, text::Clean},
    wire::{
        file_edit::is_plain_path,
        request::{Access, Call, Request},
    },
};

/// keepalived keeps what a file adds within these.
const ADDED_MAX: i64 = 253;

/// A number that is written into a tracked file.
pub(super) struct Lift<'f> {
    pub(super) seat: &'f Seat<'f>,
    pub(super) path: Clean,
    /// The number in the file now, and the new one.
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) priority_before: i64,
    pub(super) priority: i64,
    /// Whether nothing else is written for this move.
    pub(super) is_only: bool,
}

/// How the address is moved.
pub(super) enum Way<'f> {
    /// These numbers are written; the last one moves it.
    Lifts(Vec<Lift<'f>>),
    /// keepalived is restarted on the holder.
    Restart,
}

/// The best way; none with a reason.
pub(super) fn find<'f>(field: &'f Field<'f>, reasons: &mut Vec<Reason>) -> Option<Way<'f>> {
    if !reasons.is_empty() {
        return None;
    }
    let no_way = |what: String, cure: &str| Reason::new(ReasonKind::NoWay, what, field.priorities(), cure);
    let (target, to) = (&field.target, &field.target.node.name);
    if !target.instance.is_nopreempt && field.rivals().next().is_none() {
        reasons.push(no_way(
            format!("{to} has the highest priority already and does not hold the address."),
            "See in keepalived's log there what its check scripts say; or wait until its preempt_delay is over.",
        ));
        return None;
    }
    let lifts = if target.instance.is_nopreempt { None } else { lifts(field) };
    if let Some(lifts) = lifts {
        return Some(Way::Lifts(lifts));
    }
    let Some(objection) = restart::objection(field) else { return Some(Way::Restart) };
    reasons.push(if target.instance.is_nopreempt {
        no_way(
            format!(
                "{to} takes no address from a living holder (nopreempt), and a restart of the holder would not help: \
                 {objection}."
            ),
            "Let every node's instance say nopreempt, or none (preempt_delay keeps a returning node from taking over \
             at once).",
        )
    } else {
        no_way(
            format!(
                "No file that keepalived tracks can put {to} first, and a restart of the holder would not help: {objection}."
            ),
            "Give the instance a track_file with weight 1 on every node (man keepalived.conf), with 0 in the file.",
        )
    });
    None
}

/// What is written, the last one moves the address; `None` where no number does.
fn lifts<'f>(field: &'f Field<'f>) -> Option<Vec<Lift<'f>>> {
    let target = &field.target;
    let own = target.instance.priority_now()?;
    let rivals: Vec<&Seat<'_>> = field.rivals().collect();
    let highest = rivals.iter().filter_map(|seat| seat.instance.priority_now()).max().unwrap_or(0);
    // What an earlier move left is taken back first; then whoever is above is put below; then the target is raised.
    let back = usable(target).filter(|(path, weight)| own - added(target, path, *weight) > highest);
    let back = back.and_then(|(path, weight)| lift(target, &path, weight, own - added(target, &path, weight)));
    let ways = back.map(|lift| vec![lift]);
    let ways = ways.or_else(|| rivals.iter().map(|rival| below(rival, own)).collect::<Option<Vec<_>>>());
    let ways = ways.or_else(|| {
        let (path, weight) = usable(target)?;
        Some(vec![lift(target, &path, weight, highest + 1)?])
    });
    let mut lifts = ways.filter(|lifts| !lifts.is_empty())?;
    // The holder comes last: until then nothing moves.
    lifts.sort_by_key(|lift| lift.seat.node.name == field.holder.node.name);
    let is_only = lifts.len() == 1;
    for lift in &mut lifts {
        lift.is_only = is_only;
    }
    Some(lifts)
}

fn below<'f>(seat: &'f Seat<'f>, priority: i64) -> Option<Lift<'f>> {
    let (path, weight) = usable(seat)?;
    lift(seat, &path, weight, priority - 1)
}

/// A tracked file that can be used, and by how much its number counts.
fn usable(seat: &Seat<'_>) -> Option<(Clean, i64)> {
    let is_usable = |file: &&TrackedFile| file.value.known().is_some() && is_plain_path(file.path.as_str());
    let file = seat.instance.files.iter().find(is_usable)?;
    let weight = seat.instance.files.iter().filter(|other| other.path == file.path).map(|other| other.weight).sum();
    (weight != 0 && seat.instance.files.iter().all(|file| file.weight != 0)).then(|| (file.path.clone(), weight))
}

fn number(seat: &Seat<'_>, path: &Clean) -> Option<i64> {
    seat.instance.files.iter().find(|file| file.path == *path)?.value.known()
}

fn added(seat: &Seat<'_>, path: &Clean, weight: i64) -> i64 {
    number(seat, path).unwrap_or(0).saturating_mul(weight)
}

/// The number that brings the priority to `wanted`, or further away from where it is.
fn lift<'f>(seat: &'f Seat<'f>, path: &Clean, weight: i64, wanted: i64) -> Option<Lift<'f>> {
    let before = seat.instance.priority_now()?;
    let from = number(seat, path)?;
    let change = wanted - before;
    // Away from zero: a weight of 2 takes one more rather than one less.
    let steps = (change.abs() + weight.abs() - 1) / weight.abs() * change.signum() * weight.signum();
    let to = from + steps;
    let priority = before + steps * weight;
    let sound = (1..=254).contains(&priority) && (to * weight).abs() <= ADDED_MAX && to != from;
    sound.then(|| Lift { seat, path: path.clone(), from, to, priority_before: before, priority, is_only: true })
}

/// Writes a number into a tracked file, as root. The file stays the same one, which keepalived watches.
pub(super) fn set_number(path: &Clean, number: i64) -> Request {
    const SCRIPT: &str = r#"s=; [ -w "$1" ] || s="sudo -n"; printf "%s\n" "$2" | $s tee -- "$1" >/dev/null"#;
    let argv = ["sh", "-c", SCRIPT, "sh", path.as_str(), &number.to_string()].map(str::to_owned).to_vec();
    Request { access: Access::Write, call: Call::Exec { argv }, deadline_ms: 3_000, cap_bytes: 4_096 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_written_to() {
        for path in ["/etc/keepalived/priority", "/run/vrrp-1.prio"] {
            assert!(is_plain_path(path), "{path}");
        }
        for path in ["priority", "", "/etc/../shadow", "/proc/sysrq-trigger", "/dev/sda", "/etc/a b", "/etc/$(id)"] {
            assert!(!is_plain_path(path), "{path}");
        }
    }
}
