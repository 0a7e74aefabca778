//! Plans: what a change will do, thought through before anything is sent.
//!
//! [`plan`] turns an intent and the world as observed into a [`Plan`], or into a [`Refusal`] with every reason at once,
//! or into the news that nothing is left to do. It is pure: same world, same plan, same name. A plan is complete: the
//! executor sends its requests byte for byte, reads by its sources, judges by its checks and has no choices left.
//!
//! The console and `vakt do` drive it alike: `Intent::parse` or a key makes the intent; `plan`; show [`text::plan`] (or
//! [`text::refusal`], or [`text::already_there`]); ask for what `Confirmation` says; hand the plan to `run::Machine`.
//!
//! Adding an action: a variant in `model::intent`, a file here, a runbook, golden texts in `tests/plans`.
//!
//! Deliberately absent: sending, reading, waiting, clocks.

pub mod expect;
pub mod failover;
pub mod guest;
mod haproxy;
pub mod hole;
pub mod limits;
pub mod lint;
pub mod node;
pub mod parts;
pub mod playbook;
pub mod refusal;
mod rejoin;
mod revert;
mod scene;
pub mod session;
mod share;
pub mod switchover;
pub mod text;
pub mod tune;
pub mod vip;

pub use parts::{Plan, PlanId};
pub use refusal::{Planned, Reason, ReasonKind, Refusal};

use crate::model::{
    intent::{Change, Intent},
    inventory::{Inventory, Policy},
    text::Clean,
    time::Now,
    world::World,
};
use scene::Scene;

/// Plans a change. `policy` stands apart from the inventory because `--read-only` overrides the file.
///
/// Every plan passes [`lint::lint`] before it leaves: an inconsistent one is refused as a fault of vakt.
pub fn plan(
    world: &World,
    inventory: &Inventory,
    intent: &Intent,
    policy: &Policy,
    now: Now,
) -> Result<Planned, Refusal> {
    let scene = Scene { world, inventory, policy, now };
    let mut planned = match &intent.change {
        Change::HaproxyDrain { .. }
        | Change::HaproxyReady { .. }
        | Change::HaproxyMaint { .. }
        | Change::HaproxyWeight { .. }
        | Change::HaproxyKillSessions { .. } => haproxy::plan(world, inventory, intent, policy, now)?,
        Change::VipMove { address, to } => vip::plan(&scene, intent, *address, to)?,
        Change::MysqlFailover { to, accept_risk } => failover::plan(&scene, intent, to.as_ref(), accept_risk.as_ref())?,
        Change::MysqlFence { node } => failover::fence_again(&scene, intent, node)?,
        Change::MysqlRejoin { node } => rejoin::plan(&scene, intent, node)?,
        Change::MysqlKill { session, part } => session::plan(&scene, intent, session, *part)?,
        Change::Tune(act) => tune::plan(&scene, intent, act)?,
        Change::MysqlSwitchover { to } => switchover::plan(&scene, intent, to)?,
        Change::Node { node, act } => node::plan(&scene, intent, node, *act)?,
        Change::Guest { guest, act } => guest::plan(&scene, intent, guest, act)?,
    };
    // A change of the network has a timer of its own, on the node.
    let has_timer = |plan: &Plan| plan.body.steps.iter().any(|step| step.hold().is_some());
    if let (Planned::Plan(plan), Some(after_ms)) = (&mut planned, intent.revert_after_ms)
        && !has_timer(plan)
    {
        revert::hold(plan, u64::from(after_ms.get()))?;
    }
    if let Planned::Plan(plan) = &planned {
        let faults = lint::lint(plan, inventory);
        if !faults.is_empty() {
            return Err(Refusal {
                intent: intent.clone(),
                title: plan.body.title.clone(),
                reasons: vec![Reason::new(
                    ReasonKind::Internal,
                    "The plan contradicts itself; this is a fault of vakt.",
                    faults.iter().map(|fault| Clean::line(&fault.to_string())).collect(),
                    "Nothing was sent. Report this with the output of vakt do … --plan --json.",
                )],
            });
        }
    }
    Ok(planned)
}
