//! Verbs about virtual addresses. None of them acts: each makes an intent and opens its plan.

use super::VERBS;
use crate::{
    app::{
        App, changes,
        command::{Command, Danger, Here},
        planning,
        rows::RowId,
    },
    model::{
        ids::NodeName,
        intent::{Change, Intent},
        inventory::Vip,
    },
};

pub(in crate::app) const COMMANDS: &[Command] = &[Command {
    id: "change.move_address",
    title: "Move a virtual address to this node, or away from it",
    hint: "",
    doc: "Opens the plan that moves a virtual address: to this node, or to the other one where this node holds it.",
    scope: VERBS,
    danger: Danger::Address,
    available: |here| {
        changes::not_now(here.app)?;
        meant(here).map(|_| ())
    },
    act: |app| {
        match meant(&Here::of(app)) {
            Ok(intent) => planning::open(app, intent),
            Err(reason) => app.notify(reason),
        }
        Vec::new()
    },
}];

/// The move that the row means: where it is a node, the address goes there; where the node holds it, away from there.
fn meant(here: &Here<'_>) -> Result<Intent, String> {
    let (app, vips) = (here.app, &here.app.inventory.vips);
    let (vip, node) = match &here.row {
        Some(RowId::Node(name)) => {
            let of_node = || vips.iter().filter(|vip| vip.nodes.contains(name));
            // One that is elsewhere comes first: it can come here.
            let vip = of_node().find(|vip| !holds(app, vip, name)).or_else(|| of_node().next());
            let vip = vip.ok_or_else(|| format!("{name} holds no virtual address, and may hold none."))?;
            (vip, (!holds(app, vip, name)).then(|| name.clone()))
        }
        Some(RowId::Finding(_, subject)) => {
            let vip = vips.iter().find(|vip| vip.address.to_string() == subject.as_str());
            (vip.ok_or("This finding is not about a virtual address.")?, None)
        }
        _ => return Err("No node that holds or may hold a virtual address is chosen here.".to_owned()),
    };
    let to = match node {
        Some(node) => node,
        None => elsewhere(app, vip)?,
    };
    Ok(Intent::new(Change::VipMove { address: vip.address, to }, None))
}

/// The one node that does not hold it.
fn elsewhere(app: &App, vip: &Vip) -> Result<NodeName, String> {
    let mut others = vip.nodes.iter().filter(|name| !holds(app, vip, name));
    match (others.next(), others.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(format!("No other node may hold {}.", vip.address)),
        (Some(_), Some(_)) => {
            Err(format!("Several nodes may hold {}: choose the row of the one that shall.", vip.address))
        }
    }
}

fn holds(app: &App, vip: &Vip, name: &NodeName) -> bool {
    let presence = app.world.node(name).and_then(|node| node.presence.last());
    presence.is_some_and(|presence| presence.carries(vip.address).known() == Some(true))
}
