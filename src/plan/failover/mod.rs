//! `mysql.failover`: another database is the primary, because the present one does not serve any more.
//!
//! `field` is who is what and how it is known, `fence` what keeps the old primary from coming back, `loss` what may be
//! lost, `steps` the order of things. The expectations of databases, load balancers and the statements are those of
//! `plan::switchover`.
//!
//! Deliberately absent: a failover without a fence. An old primary that may still write is left alone.

mod body;
mod candidate;
mod expect;
pub(super) mod fence;
mod field;
mod loss;
mod steps;

pub use expect::DaemonExpect;
pub(super) use expect::words as daemon_words;

use super::{
    parts::Plan,
    refusal::{Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
};
use crate::model::{ids::NodeName, intent::Intent, text::Clean};
use field::Field;

/// Plans a failover.
pub(super) fn plan(scene: &Scene<'_>, intent: &Intent, to: Option<&NodeName>) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, to, &mut reasons);
    let body = field.as_ref().filter(|_| reasons.is_empty()).and_then(|field| body::body(scene, intent, field));
    if let Some(body) = body {
        return Ok(Planned::Plan(Box::new(Plan::new(body))));
    }
    if reasons.is_empty() {
        let what = "A step cannot be written down; this is a fault of vakt.";
        reasons.push(Reason::new(ReasonKind::Internal, what, Vec::new(), "Report this."));
    }
    reasons.sort_by_key(|reason| reason.kind);
    let title = match to {
        Some(to) => format!("Fail the primary over to {to}"),
        None => "Fail the primary over".to_owned(),
    };
    Err(Refusal { intent: intent.clone(), title: Clean::line(&title), reasons })
}
