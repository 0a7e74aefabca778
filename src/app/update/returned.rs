//! A primary that a failover could only cut off runs again: it is made harmless at once. Whoever confirmed that failover
//! asked for it; it is a run of its own, and is tried once.

use crate::{
    app::{
        App, changes,
        effect::{Effect, RunEffect},
    },
    model::{
        figure::Figure,
        ids::NodeName,
        intent::{Change, Intent},
        mysql::DaemonState,
        text::Clean,
    },
    plan::{self, PlanId, Planned},
    run::{EndingKind, RunState, RunSummary},
};
use std::net::IpAddr;

/// The run that makes that node harmless, when it has to be.
pub(super) fn make_harmless(app: &mut App, name: &NodeName) -> Vec<Effect> {
    let Some(failover) = given_up_by(app, name) else { return Vec::new() };
    if app.made_harmless.contains(&failover) || changes::is_read_only(app) || app.standing.trouble.is_some() {
        return Vec::new();
    }
    let reason = Clean::line(&format!("it came back after the failover {failover}"));
    let intent = Intent::new(Change::MysqlFence { node: name.clone() }, Some(reason));
    let policy = app.inventory.settings.policy.clone();
    // Until everything that it rests on was read there is no plan; the next look tries again.
    let Ok(Planned::Plan(plan)) = plan::plan(&app.world, &app.inventory, &intent, &policy, app.now) else {
        return Vec::new();
    };
    app.made_harmless.insert(failover);
    app.notify(format!("{name} runs again after a failover: it is masked and killed now."));
    vec![Effect::Run(RunEffect::Begin { plan, break_glass: None })]
}

/// The failover that gave that node up, while its address is cut off, it lives, and nothing that came later settled it.
fn given_up_by(app: &App, name: &NodeName) -> Option<PlanId> {
    let facts = app.world.node(name)?;
    let daemon = facts.daemon.last().filter(|_| facts.daemon.failure().is_none())?;
    if daemon.is_masked != Figure::Known(false) || daemon.state() == Figure::Known(DaemonState::Dead) {
        return None;
    }
    let Some(IpAddr::V4(address)) = app.inventory.node(name)?.private else { return None };
    let has_cut = |facts: &crate::model::world::NodeFacts| {
        let route = facts.cut.last().and_then(|sample| sample.route(address).known().flatten());
        route.is_some_and(|route| route.is_ours())
    };
    if !app.world.nodes.iter().any(has_cut) {
        return None;
    }
    let is_reached = |run: &&RunSummary| matches!(run.state, RunState::Ended { kind: EndingKind::Reached, .. });
    // The newest first.
    let about = app.standing.runs.iter().filter(is_reached).find(|run| match &run.intent.change {
        Change::MysqlFailover { .. } => run.former.as_ref() == Some(name),
        Change::MysqlRejoin { node } | Change::MysqlSwitchover { to: node } => node == name,
        _ => false,
    })?;
    matches!(about.intent.change, Change::MysqlFailover { .. }).then(|| about.id.clone())
}
