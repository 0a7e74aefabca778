//! `mysql.switchover`: another database is the primary, planned, without losing a write.
//!
//! `field` is who is what, `candidate` the table of replicas with every check, `endpoint` where writes go in (`hook` and
//! `plan::vip::writes` where that is not HAProxy alone), `steps` the order of things, `positions` who has what, `statements`
//! the words for all that, of MariaDB and of MySQL side by side.
//!
//! Deliberately absent: failing over from a dead primary (`plan::failover`), Galera and group replication (each refused with
//! the right way), and moving events.

pub(super) mod besides;
mod body;
pub(super) mod candidate;
pub(super) mod endpoint;
pub(super) mod expect;
pub(super) mod field;
pub(super) mod hook;
pub(super) mod positions;
pub(super) mod statements;
pub(super) mod steps;

pub use expect::DatabaseExpect;
pub use hook::HookExpect;

use super::{
    parts::Plan,
    refusal::{AlreadyThere, Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
};
use crate::{
    model::{
        ids::NodeName,
        intent::{Intent, ServerPath},
        text::Clean,
    },
    wire::probe::Facts,
};
use field::Field;
use std::net::IpAddr;

/// Plans a switchover.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, to: &NodeName) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let mut found = Vec::new();
    let field = Field::survey(scene, to, &mut found);
    reasons.extend(found);
    if let Some(field) = field.as_ref().filter(|field| reasons.is_empty() && field.is_there()) {
        return Ok(Planned::AlreadyThere(AlreadyThere {
            intent: intent.clone(),
            what: Clean::line(&format!("{to} is the primary already: it takes writes, and no other database does.")),
            evidence: field.evidence(),
        }));
    }
    let body = field.as_ref().filter(|_| reasons.is_empty()).and_then(|field| body::body(scene, intent, field));
    if let Some(body) = body {
        return Ok(Planned::Plan(Box::new(Plan::new(body))));
    }
    let title = Clean::line(&format!("Switch the primary over to {to}"));
    Err(Refusal::of(intent, title, reasons))
}

/// A node in one line, for what is true after a run.
pub(super) fn words(facts: &Facts, endpoints: &[ServerPath], address: Option<IpAddr>) -> Clean {
    match (facts, address) {
        (Facts::Presence(_), Some(address)) => {
            Clean::line(&format!("{address}: {}", super::vip::words(facts, address)))
        }
        (Facts::Hook(sample), _) => hook::words(sample),
        (Facts::Haproxy(_), _) => {
            let told = endpoints.iter().filter(|path| super::expect::find(facts, path).is_ok());
            let told: Vec<String> =
                told.map(|path| format!("{path} {}", super::expect::server_words(facts, path))).collect();
            if told.is_empty() { "has no server of the databases".into() } else { Clean::line(&told.join("; ")) }
        }
        _ => expect::words(facts),
    }
}
