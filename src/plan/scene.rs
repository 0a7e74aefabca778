//! What a plan is made of, and what of it is known well enough to plan with.

use super::{
    haproxy::list_words,
    refusal::{Reason, ReasonKind},
    text::seconds,
};
use crate::model::{
    ids::NodeName,
    inventory::{Inventory, Node, Policy},
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

impl<'a> Scene<'a> {
    /// The node of that name, or a refusal: no database runs there.
    pub(super) fn database_or_refuse(&self, name: &NodeName, reasons: &mut Vec<Reason>) -> Option<&'a Node> {
        let databases = || self.inventory.nodes.iter().filter(|node| node.database.is_some());
        let found = databases().find(|node| node.name == *name);
        if found.is_none() {
            reasons.push(Reason::new(
                ReasonKind::UnknownTarget,
                format!("{name} runs no database that vakt knows."),
                vec![Clean::line(&list_words(databases().map(|node| node.name.as_str())))],
                "Name one of these nodes, or give the node the role database.",
            ));
        }
        found
    }
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
