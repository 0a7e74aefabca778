//! Rules about where machines stand: what would fall together, and where data may live.

use super::{
    Severity,
    catalogue::rules,
    plugs::{Plug, Told, plugs},
    scene::Scene,
    track::Condition,
    words::listed,
};
use crate::model::{hypervisor::DomainState, ids::NodeName, inventory::Role};
use std::collections::{BTreeMap, BTreeSet};

rules! {
    FATE_HYPERVISOR = "fate.hypervisor", 91, Warning, "All machines of a role on one hypervisor" {
        meaning: "One failure of that hypervisor ends everything of this role.",
        causes: "Guests were moved together, or one was never given a host of its own.",
        action: "move one of them to another hypervisor",
    }
    FATE_SWITCH = "fate.switch", 91, Warning, "All machines of a role on one switch" {
        meaning: "Every machine of this role, two at least, hangs on the switch of one node: when that node fails, clients reach none of them.",
        causes: "Machines were moved together, or their second connection was never made.",
        action: "plug one of them into the switch of another node",
    }
    RESIDENCY = "residency.jurisdiction", 92, Warning, "Machine where its data may not be" {
        meaning: "The policy says in which jurisdictions data of this role may live, and the machine is in another or in an unknown one.",
        causes: "A guest was moved, or the node's jurisdiction was never written down.",
        action: "move it, or correct jurisdiction or [residency] in the configuration",
    }
}

/// Names machines that fall together, and machines that are where they may not be.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let machines = machines(scene);
    let plugs = plugs(&told(scene));
    for role in Role::ALL {
        // What is on one hypervisor is on its switch, too: that is said once.
        let condition = shared(scene, role, &machines).or_else(|| one_switch(scene, role, &machines, &plugs));
        conditions.extend(condition);
    }
    for policy in &scene.inventory.settings.residency {
        for machine in machines.iter().filter(|machine| machine.roles.contains(&policy.role)) {
            conditions.extend(residency(scene, policy.role, &policy.jurisdictions, machine));
        }
    }
}

/// A machine with a role.
struct Machine<'a> {
    name: &'a str,
    roles: &'a [Role],
    /// The hypervisors it is active on.
    hosts: Vec<&'a NodeName>,
    /// As the configuration says; none for a guest that is no node.
    jurisdiction: Option<&'a str>,
    is_node: bool,
}

/// Nodes, and guests that are none.
fn machines<'a>(scene: &Scene<'a>) -> Vec<Machine<'a>> {
    let hosts = |name: &str| {
        let carries = |seen: &&super::scene::Seen<'a>| {
            let domain = seen.guests.and_then(|guests| guests.value.domain(name));
            domain.is_some_and(|(domain, _)| domain.state.known().is_some_and(DomainState::is_active))
        };
        scene.nodes.iter().filter(carries).map(|seen| &seen.node.name).collect()
    };
    let nodes = scene.nodes.iter().map(|seen| Machine {
        name: seen.node.name.as_str(),
        roles: &seen.node.roles,
        hosts: hosts(seen.node.name.as_str()),
        jurisdiction: seen.node.jurisdiction.as_deref(),
        is_node: true,
    });
    let guests = scene.inventory.guests.iter().map(|guest| Machine {
        name: &guest.name,
        roles: &guest.roles,
        hosts: hosts(&guest.name),
        jurisdiction: None,
        is_node: false,
    });
    nodes.chain(guests).collect()
}

/// Every machine of a role, two at least, on one hypervisor.
fn shared(scene: &Scene<'_>, role: Role, machines: &[Machine<'_>]) -> Option<Condition> {
    let of_role: Vec<&Machine<'_>> = machines.iter().filter(|machine| machine.roles.contains(&role)).collect();
    let host = *of_role.first()?.hosts.first()?;
    if of_role.len() < 2 || !of_role.iter().all(|machine| machine.hosts == [host]) {
        return None;
    }
    let names: Vec<&str> = of_role.iter().map(|machine| machine.name).collect();
    let all = if names.len() == 2 { "Both".into() } else { format!("All {}", names.len()) };
    let text = format!("{all} machines of role {role} run on {host}: {}", names.join(", "));
    let condition = Condition::new(FATE_HYPERVISOR, Severity::Warning, role.word(), text).node(host);
    let others: Vec<&NodeName> = scene
        .nodes
        .iter()
        .filter(|seen| seen.node.libvirt_socket.is_some() && seen.node.name != *host)
        .map(|seen| &seen.node.name)
        .collect();
    let evidence = if others.is_empty() {
        "there is no other hypervisor".to_owned()
    } else {
        format!("other hypervisors: {}", listed(&others))
    };
    Some(condition.evidence([evidence]))
}

fn told<'a>(scene: &Scene<'a>) -> Vec<Told<'a>> {
    let of = |seen: &super::scene::Seen<'a>| Told {
        node: &seen.node.name,
        presence: seen.presence.map(|facts| &facts.value.sample),
        guests: seen.guest_profile.map(|facts| facts.value),
        switch: seen.ovs.map(|facts| &facts.value.sample),
        detail: seen.ovs_detail.map(|facts| facts.value),
    };
    scene.nodes.iter().map(of).collect()
}

/// Every machine of a role, two at least, on the switch of one other node.
fn one_switch(
    scene: &Scene<'_>,
    role: Role,
    machines: &[Machine<'_>],
    plugs: &BTreeMap<&str, BTreeSet<Plug<'_>>>,
) -> Option<Condition> {
    let of_role: Vec<&Machine<'_>> = machines.iter().filter(|machine| machine.roles.contains(&role)).collect();
    let hung: Option<Vec<(&str, &BTreeSet<Plug<'_>>)>> =
        of_role.iter().map(|machine| Some((machine.name, plugs.get(machine.name)?))).collect();
    let hung = hung.filter(|hung| hung.len() >= 2)?;
    let switch = hung.first()?.1.first()?.switch;
    let is_shared = hung.iter().all(|(_, plugs)| plugs.iter().all(|plug| plug.switch == switch));
    if !is_shared || hung.iter().any(|(machine, _)| *machine == switch.as_str()) {
        return None;
    }
    let names: Vec<&str> = hung.iter().map(|(machine, _)| *machine).collect();
    let all = if names.len() == 2 { "Both".into() } else { format!("All {}", names.len()) };
    let text = format!("{all} machines of role {role} hang on the switch of {switch}: {}", names.join(", "));
    let evidence = hung.iter().map(|(machine, plugs)| {
        let ports: Vec<&str> = plugs.iter().map(|plug| plug.port.as_str()).collect();
        format!("{machine}: {} of {switch}, and no other switch that vakt sees", ports.join(", "))
    });
    let sample = scene.nodes.iter().find(|seen| seen.node.name == *switch).and_then(|seen| seen.ovs);
    let condition = Condition::new(FATE_SWITCH, Severity::Warning, role.word(), text).node(switch).evidence(evidence);
    Some(Condition { sample: sample.map(|facts| facts.at), ..condition })
}

fn residency(scene: &Scene<'_>, role: Role, allowed: &[String], machine: &Machine<'_>) -> Option<Condition> {
    let of_host = |host: &&NodeName| {
        let seen = scene.nodes.iter().find(|seen| seen.node.name == **host)?;
        Some((seen.node.jurisdiction.as_deref(), format!("its host {host}")))
    };
    let own = machine.is_node.then(|| (machine.jurisdiction, "it".to_owned()));
    let places: Vec<(Option<&str>, String)> = own.into_iter().chain(machine.hosts.iter().filter_map(of_host)).collect();
    let (found, who) =
        places.iter().find(|(found, _)| found.is_none_or(|found| allowed.iter().all(|one| one != found)))?;
    let allowed = allowed.join(", ");
    let text = match found {
        Some(found) => format!("Data of role {role} may live in {allowed}, and {who} is in {found}"),
        None => format!("Data of role {role} may live in {allowed}, and where {who} is was never written down"),
    };
    let condition = Condition::new(RESIDENCY, Severity::Warning, &format!("{} {role}", machine.name), text);
    let node = scene.nodes.iter().find(|seen| seen.node.name.as_str() == machine.name).map(|seen| &seen.node.name);
    match node.or_else(|| machine.hosts.first().copied()) {
        Some(node) => Some(condition.node(node)),
        None => Some(condition),
    }
}
