//! The weight of a server that comes back: raised in steps, each once its check passes and nothing that it did failed for a
//! while. A server with cold caches, or one that is only half well, then shows it while it has little.
//!
//! Deliberately absent: a step that stays. What is cut off is taken up or undone like any other run, and a step that does not
//! hold puts everything back.

use super::{Field, Seat, ServerExpect, limits, names_of, ready::set_weight, seconds, wait};
use crate::{
    model::haproxy::AdminState,
    plan::{
        expect::takes_traffic,
        parts::{Need, OnLate, Step, Until, When},
    },
};

/// Shares of its weight that a server has before it has all of it, percent.
const SHARES_PERCENT: [u64; 2] = [10, 50];
/// Ways of balancing that follow every weight that is set while HAProxy runs.
pub(in crate::plan) const BY_WEIGHT: [&str; 3] = ["roundrobin", "leastconn", "random"];
/// Longest wait for a while without failure, beyond that while.
const GRACE_MS: u64 = 30_000;

/// A server on one load balancer, and the weights that it goes through.
struct Climb<'f, 'a> {
    seat: &'f Seat<'a>,
    /// The present one first, the wanted one last.
    weights: Vec<u64>,
}

/// Which load balancers raise its weight in steps.
pub(super) struct Ramp<'f, 'a> {
    climbs: Vec<Climb<'f, 'a>>,
    /// Why others do not, a sentence each.
    at_once: Vec<String>,
    pace_ms: u64,
}

impl<'f, 'a> Ramp<'f, 'a> {
    /// Of a server that returns with `wanted` on each of `seats`.
    pub(super) fn of(field: &Field<'a>, seats: &[&'f Seat<'a>], wanted: impl Fn(&Seat<'a>) -> u64) -> Self {
        let mut ramp = Self { climbs: Vec::new(), at_once: Vec::new(), pace_ms: field.ramp_step_ms };
        for seat in seats {
            let weight = wanted(seat);
            match why_at_once(field, seat, weight) {
                Some(why) if ramp.pace_ms > 0 => ramp.at_once.push(format!("{}: {why}", seat.node.name)),
                Some(_) => {}
                None => ramp.climbs.push(Climb { seat, weights: weights(seat.weight(), weight) }),
            }
        }
        ramp
    }

    /// Whether this load balancer raises it in steps.
    pub(super) fn has(&self, seat: &Seat<'_>) -> bool {
        self.climbs.iter().any(|climb| climb.seat.node.name == seat.node.name)
    }

    /// Before it gets sessions: the first of its weights.
    pub(super) fn begin(&self, field: &Field<'_>) -> Vec<Step> {
        self.climbs.iter().filter_map(|climb| climb.step(field, 1)).collect()
    }

    /// While it has sessions: the others, each after a while in which all was well.
    pub(super) fn go_on(&self, field: &Field<'_>) -> Vec<Step> {
        let count = self.climbs.iter().map(|climb| climb.weights.len()).max().unwrap_or(0);
        let stage = |at: usize| {
            let raised: Vec<Step> = self.climbs.iter().filter_map(|climb| climb.step(field, at)).collect();
            let gate = (!raised.is_empty()).then(|| self.gate(field));
            gate.into_iter().chain(raised)
        };
        (2..count).flat_map(stage).collect()
    }

    /// Waits for a while without failure.
    fn gate(&self, field: &Field<'_>) -> Step {
        let seats = || self.climbs.iter().map(|climb| climb.seat);
        let checks = |all: &[ServerExpect]| {
            seats().flat_map(|seat| all.iter().map(|is| seat.check(&field.path, *is)).collect::<Vec<_>>()).collect()
        };
        let looks = self.pace_ms.div_ceil(limits::WAIT_POLL_MS);
        let until = Until {
            checks: checks(&[ServerExpect::TakesTraffic, ServerExpect::NoNewErrors]),
            need: Need::All,
            holds: u32::try_from(looks).unwrap_or(u32::MAX).max(1),
            poll_ms: limits::WAIT_POLL_MS,
            deadline_ms: self.pace_ms + GRACE_MS,
        };
        let title = format!(
            "{}: see that nothing fails on {} for {}",
            names_of(seats().map(|seat| &seat.node.name)),
            field.path.server,
            seconds(self.pace_ms)
        );
        let guards = checks(&[ServerExpect::Told(AdminState::Ready), ServerExpect::CheckPasses]);
        wait(&title, When::Always, until, guards, OnLate::Fail)
    }

    /// What it means, in sentences.
    pub(super) fn words(&self, field: &Field<'_>) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(first) = self.climbs.first() {
            let weights: Vec<String> = first.weights.iter().skip(1).map(ToString::to_string).collect();
            words.push(format!(
                "Its weight is raised in steps ({}), each once its check passes and no error has come from {} for {}; else \
                 everything is put back.",
                weights.join(", "),
                field.path.server,
                seconds(self.pace_ms)
            ));
        }
        words.extend(self.at_once.iter().cloned());
        words
    }
}

impl Climb<'_, '_> {
    /// From the weight before to that one; none where it has no such step.
    fn step(&self, field: &Field<'_>, at: usize) -> Option<Step> {
        let (from, to) = (*self.weights.get(at - 1)?, *self.weights.get(at)?);
        // One that has the first weight already needs no step to it.
        (from != to).then(|| set_weight(field, self.seat, (from, to), &[]))
    }
}

/// From the present weight over those of the steps to the wanted one.
fn weights(now: u64, wanted: u64) -> Vec<u64> {
    let mut weights: Vec<u64> = SHARES_PERCENT.iter().map(|share| (wanted * share / 100).max(1)).collect();
    weights.push(wanted);
    weights.dedup();
    weights.insert(0, now);
    weights
}

/// Why a server has all its weight at once on a load balancer.
fn why_at_once(field: &Field<'_>, seat: &Seat<'_>, wanted: u64) -> Option<String> {
    let name = &field.path.server;
    let others = seat.backend.servers.iter().filter(|other| other.name != *name && takes_traffic(other)).count();
    let algorithm = seat.backend.algorithm.as_ref().known();
    if field.ramp_step_ms == 0 {
        return Some("weights are raised at once.".to_owned());
    }
    if seat.starts_slowly {
        return Some(format!("HAProxy itself raises what {name} gets (slowstart in its file)."));
    }
    if others == 0 {
        return Some(format!("no other server takes traffic: {name} gets everything at once."));
    }
    if wanted < 2 || weights(seat.weight(), wanted).len() < 3 {
        return Some(format!(
            "a weight of {wanted} has no steps: {name} gets its whole share at once; weights of 100 would have."
        ));
    }
    match algorithm {
        Some(how) if BY_WEIGHT.iter().any(|known| how.as_str().starts_with(known)) => None,
        Some(how) => Some(format!("{how} follows no weight that is set now: {name} gets its whole share at once.")),
        None => Some(format!("how it balances is not known: {name} gets its whole share at once.")),
    }
}

#[cfg(test)]
mod tests {
    use super::weights;

    #[test]
    fn weights_rise_and_none_is_zero() {
        assert_eq!(weights(100, 100), [100, 10, 50, 100]);
        assert_eq!(weights(0, 256), [0, 25, 128, 256]);
        assert_eq!(weights(4, 4), [4, 1, 2, 4]);
        assert_eq!(weights(1, 1), [1, 1]);
        assert_eq!(weights(2, 2), [2, 1, 2]);
    }
}
