//! What a plan is made of, and what of it is known well enough to plan with.

use super::{
    refusal::{Reason, ReasonKind},
    text::seconds,
};
use crate::model::{
    ids::NodeName,
    inventory::{Inventory, Policy},
    observation::Observed,
    text::Clean,
    time::Now,
    world::World,
};

/// What a plan is made of.
pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    pub(super) inventory: &'a Inventory,
    pub(super) policy: &'a Policy,
    pub(super) now: Now,
}

/// Facts with their age, if they are fresh.
pub(super) fn sight<'w, T>(
    observed: &'w Observed<T>,
    name: &NodeName,
    now: Now,
    limit_ms: u64,
) -> Result<(&'w T, u64), Clean> {
    match (observed.fresh(now.mono, limit_ms), observed.age_ms(now.mono), observed.failure()) {
        (Some(facts), Some(age_ms), _) => Ok((facts, age_ms)),
        (_, _, Some(failure)) => {
            let since = seconds(now.mono.since_ms(failure.since.mono));
            Err(Clean::line(&format!("{name}: reading fails since {since}: {}", failure.reason)))
        }
        (_, Some(age_ms), None) => Err(Clean::line(&format!(
            "{name}: last read {} ago, at most {} is accepted",
            seconds(age_ms),
            seconds(limit_ms)
        ))),
        _ => Err(Clean::line(&format!("{name}: never read"))),
    }
}

/// The same, or a refusal: `what` is not known well enough, in a sentence.
pub(super) fn sight_or_refuse<T>(
    seen: Result<T, Clean>,
    name: &NodeName,
    what: String,
    reasons: &mut Vec<Reason>,
) -> Option<T> {
    let refuse = |why| {
        let cure = format!("Mend the connection to {name}; then plan again.");
        reasons.push(Reason::new(ReasonKind::StaleFacts, what, vec![why], cure));
    };
    seen.map_err(refuse).ok()
}
