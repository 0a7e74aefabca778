//! `mysql.failover`: another database is the primary, because the present one does not serve any more.
//!
//! `field` is who is what and how it is known, `fence` what keeps the old primary from coming back, `cut` what keeps it from
//! being heard where its machine does not answer, `loss` what may be lost, `steps` the order of things. The expectations of databases, load balancers and the statements are those of
//! `plan::switchover`.
//!
//! Deliberately absent: a failover without a fence, unless the operator types the risk (`--accept-risk`). An old primary that
//! may still write is left alone.

mod body;
mod candidate;
mod cut;
mod expect;
pub(super) mod fence;
mod field;
mod harmless;
mod loss;
pub(super) mod reopen;
mod steps;

pub(super) use cut::words as cut_words;
pub use cut::{CutExpect, cut_mark};
pub use expect::DaemonExpect;
pub(super) use expect::words as daemon_words;
pub(super) use harmless::plan as fence_again;

use super::{
    parts::Plan,
    refusal::{Planned, Reason, ReasonKind, Refusal},
    scene::Scene,
};
use crate::model::{ids::NodeName, intent::Intent, inventory::Inventory, text::Clean};
use field::Field;

/// The words by which an operator takes the risk that this refusal names.
pub fn risk_offered(refusal: &Refusal, inventory: &Inventory) -> Option<Clean> {
    let mut reasons = refusal.reasons.iter().filter(|reason| reason.kind == ReasonKind::NoFence);
    let cure = &reasons.next()?.cure;
    let phrases = inventory.nodes.iter().map(|node| cut::phrase(&node.name));
    let mut offered = phrases.filter(|phrase| cure.as_str().contains(&format!("\"{phrase}\"")));
    offered.next().map(|phrase| Clean::line(&phrase))
}

/// Plans a failover.
///
/// `risk` is what the operator typed of the risk, where nothing proves that the old primary does not write.
pub(super) fn plan(
    scene: &Scene<'_>,
    intent: &Intent,
    to: Option<&NodeName>,
    risk: Option<&Clean>,
) -> Result<Planned, Refusal> {
    let mut reasons = Vec::new();
    if scene.policy.read_only {
        reasons.push(Reason::read_only());
    }
    let field = Field::survey(scene, to, risk, &mut reasons);
    let body = field.as_ref().filter(|_| reasons.is_empty()).and_then(|field| body::body(scene, intent, field));
    if let Some(body) = body {
        return Ok(Planned::Plan(Box::new(Plan::new(body))));
    }
    let title = match to {
        Some(to) => format!("Fail the primary over to {to}"),
        None => "Fail the primary over".to_owned(),
    };
    Err(Refusal::of(intent, Clean::line(&title), reasons))
}
