//! `vakt check`: the doctor. Per node and capability: found, or missing and what to do.

use super::{
    Cluster, Exit, Stop, check_ovs, check_sudo,
    gather::Gather,
    output, runs,
    table::{Align, Table},
};
use crate::{
    app::{Options, figures::counted},
    model::{
        figure::Unknown,
        host::Virtualisation,
        ids::NodeName,
        inventory::{Inventory, Node},
        link::{LinkState, Route},
        mysql::Dialect,
        trouble::{Trouble, TroubleKind},
        world::NodeFacts,
    },
    runtime::{clock::SystemClock, state::Sharing},
    transport::Connections,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Longest wait for all nodes together.
const WAIT: Duration = Duration::from_secs(10);

/// What was found of one capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// It is there; how.
    Yes(String),
    /// It is there with a limit that costs figures but no function.
    Partly(String),
    /// It is missing; what is, and what to do.
    No(String, String),
}

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) node: String,
    pub(super) capability: &'static str,
    pub(super) found: Found,
}

/// Looks at every node, or at those named.
pub(super) async fn run(cluster: Cluster, wanted: Vec<String>, state: Option<PathBuf>) -> Result<Exit, Stop> {
    let mut rows = bastion(&cluster.inventory, state.as_deref());
    let whole = Arc::clone(&cluster.inventory);
    let inventory = Arc::new(narrowed(&whole, &wanted)?);
    let cluster = Cluster { inventory: Arc::clone(&inventory), secrets: cluster.secrets };
    let mut gather = Gather::start(cluster, Options::default(), Arc::new(SystemClock::start()));
    gather.until_complete(WAIT).await;
    for node in &inventory.nodes {
        if let Some(facts) = gather.app().world.node(&node.name) {
            examine(node, facts, &whole, gather.connections(), &mut rows).await;
        }
    }
    gather.end().await;
    let missing = rows.iter().filter(|row| matches!(row.found, Found::No(..))).count();
    output::out(&text(&rows))?;
    output::note(&match missing {
        0 if inventory.nodes.len() == 1 => "1 node has everything vakt needs".to_owned(),
        0 => format!("{} nodes have everything vakt needs", inventory.nodes.len()),
        count => format!("{count} missing; the last column says what to do"),
    });
    Ok(if missing == 0 { Exit::Ok } else { Exit::NotWell })
}

/// What is needed on this machine: a place for journals, and a lock that excludes other operators.
fn bastion(inventory: &Inventory, state: Option<&Path>) -> Vec<Row> {
    let row = |capability, found| Row { node: "(bastion)".into(), capability, found };
    let folder = match runs::open(state, inventory) {
        Ok(state) => {
            let path = state.place().path.display();
            match state.sharing() {
                Sharing::Group => Found::Yes(format!("{path}, shared by its group")),
                Sharing::Private => {
                    Found::Partly(format!("{path}, private: other operators here do not see your runs"))
                }
            }
        }
        Err(trouble) => {
            let words = trouble.to_string();
            let (what, cure) = words.split_once("; ").unwrap_or((words.as_str(), "look at that folder"));
            Found::No(format!("{what}; nothing can be changed"), cure.to_owned())
        }
    };
    let nodes: Vec<&str> = inventory.settings.lock.nodes.iter().map(NodeName::as_str).collect();
    let lock = if nodes.is_empty() {
        Found::Partly("this bastion only; name nodes under [lock] if there is another bastion".into())
    } else {
        Found::Yes(format!("this bastion, and most of {}", nodes.join(", ")))
    };
    vec![row("state folder", folder), row("lock", lock)]
}

/// The inventory with only the wanted nodes, and the jump hosts they go through as plain jump hosts.
fn narrowed(inventory: &Inventory, wanted: &[String]) -> Result<Inventory, Stop> {
    if wanted.is_empty() {
        return Ok(inventory.clone());
    }
    let unknown: Vec<&str> =
        wanted.iter().map(String::as_str).filter(|name| inventory.node(&NodeName::from(*name)).is_none()).collect();
    if !unknown.is_empty() {
        return Err(Stop::usage(format!("vakt check: not in the configuration: {}", unknown.join(", "))));
    }
    let mut narrowed = inventory.clone();
    let through: Vec<String> = narrowed.nodes.iter().filter_map(|node| node.ssh.jump.clone()).flatten().collect();
    narrowed.nodes.retain(|node| {
        let name = node.name.as_str();
        wanted.iter().any(|wanted| wanted == name) || through.iter().any(|jump| jump == name)
    });
    Ok(narrowed)
}

async fn examine(
    node: &Node,
    facts: &NodeFacts,
    inventory: &Inventory,
    connections: &dyn Connections,
    rows: &mut Vec<Row>,
) {
    let mut add = |capability, found| rows.push(Row { node: node.name.to_string(), capability, found });
    let connection = connection(facts);
    let connected = matches!(connection, Found::Yes(_));
    add("connection", connection);
    if !connected {
        return;
    }
    add("host figures", host_figures(facts));
    add("virtualisation", virtualisation(facts));
    // Root needs no sudo.
    if setting(facts, "user").is_none_or(|user| user != "root") {
        for found in check_sudo::found(node, facts, inventory, connections).await {
            add("sudo", found);
        }
    }
    if let Some(socket) = &node.haproxy_socket {
        add("HAProxy", haproxy(facts, socket));
    }
    if let Some(database) = &node.database {
        for found in self::database(facts, &database.socket) {
            add("database", found);
        }
    }
    if let Some(socket) = &node.libvirt_socket {
        add("libvirt", libvirt(facts, socket));
    }
    if let Some(socket) = &node.ovs {
        rows.extend(check_ovs::rows(node, facts, socket));
    }
}

fn libvirt(facts: &NodeFacts, socket: &str) -> Found {
    let way = facts.link.routes.iter().find(|route| route.path.as_str() == socket);
    if let Some(Route { way: Err(trouble), .. }) = way {
        return missing(trouble);
    }
    if let Some(failure) = facts.hypervisor.failure() {
        let cure = match failure.kind {
            Some(TroubleKind::NotBuiltIn) => "build vakt with its default features (needs libvirt-dev)".to_owned(),
            _ => format!("check that libvirtd runs and {socket} answers"),
        };
        return Found::No(failure.reason.to_string(), cure);
    }
    let Some(hypervisor) = facts.hypervisor.last() else {
        return Found::No("no answer arrived".into(), format!("check that libvirtd runs and {socket} answers"));
    };
    let profile = facts.hypervisor_profile.last();
    let version = profile.and_then(|profile| profile.libvirt_version.known());
    let version = version.map_or_else(|| "version unknown".to_owned(), |version| version.to_string());
    let by = match way {
        Some(Route { way: Ok(way), .. }) => way.words(),
        _ => "unknown way",
    };
    let guests = counted(hypervisor.sample.domains.len(), "guest", "guests");
    Found::Yes(format!("{version} through {socket} by {by}, {guests}"))
}

fn connection(facts: &NodeFacts) -> Found {
    match &facts.link.state {
        LinkState::Up => Found::Yes(setting(facts, "address").map_or_else(
            || "connected".to_owned(),
            |address| match setting(facts, "user") {
                Some(user) => format!("{user}@{address}"),
                None => address,
            },
        )),
        LinkState::Down { trouble, .. } => missing(trouble),
        LinkState::Asking => facts.questions.first().map_or_else(
            || Found::No("the connection asks a question".into(), "open the console and answer it".into()),
            |question| missing(&question.ask.trouble()),
        ),
        LinkState::Connecting { stage } => Found::No(
            format!("no connection after {} s; it is still {stage}", WAIT.as_secs()),
            "check the address and the firewall".into(),
        ),
        LinkState::Idle => Found::No("no connection was tried".into(), "report this as a bug".into()),
    }
}

fn setting(facts: &NodeFacts, name: &str) -> Option<String> {
    facts.link.settings.iter().find(|setting| setting.name.as_str() == name).map(|setting| setting.value.to_string())
}

fn host_figures(facts: &NodeFacts) -> Found {
    if let Some(failure) = facts.host.failure() {
        return Found::No(failure.reason.to_string(), "run the probe by hand on the node; see --log".into());
    }
    let Some(host) = facts.host.last() else {
        return Found::No("no figures arrived".into(), "check that /proc is mounted and sh exists".into());
    };
    let mut absent = Vec::new();
    let figures = [
        ("CPU", host.cpu.why()),
        ("memory", host.sample.memory.why()),
        ("load", host.sample.load.why()),
        ("pressure (PSI)", host.sample.pressure.why()),
        ("OOM kills", host.sample.oom_kills.why()),
    ];
    for (name, why) in figures {
        match why {
            Some(Unknown::NeedsTwoSamples) | None => {}
            Some(why) => absent.push(format!("{name}: {why}")),
        }
    }
    if absent.is_empty() {
        let disks = counted(host.disks.len(), "disk", "disks");
        Found::Yes(format!("{disks}, {}", counted(host.interfaces.len(), "interface", "interfaces")))
    } else {
        Found::Partly(absent.join("; "))
    }
}

fn virtualisation(facts: &NodeFacts) -> Found {
    let kind = facts.profile.last().and_then(|profile| profile.virtualisation.as_ref().known());
    match kind {
        Some(Virtualisation::BareMetal) => Found::Yes("bare metal".into()),
        Some(Virtualisation::Kvm) => Found::Yes("KVM guest".into()),
        Some(Virtualisation::Machine(name)) => Found::Yes(format!("{name} guest")),
        Some(Virtualisation::Container(name)) => Found::Yes(format!("container ({name})")),
        Some(Virtualisation::OpenVz) => {
            Found::Partly("OpenVZ container: no kernel of its own, no bridges, shared disks".into())
        }
        None => Found::Partly("not known".into()),
    }
}

fn haproxy(facts: &NodeFacts, socket: &str) -> Found {
    let way = facts.link.routes.iter().find(|route| route.path.as_str() == socket);
    if let Some(Route { way: Err(trouble), .. }) = way {
        return missing(trouble);
    }
    if let Some(failure) = facts.haproxy.failure() {
        return Found::No(failure.reason.to_string(), format!("check that HAProxy runs and {socket} answers"));
    }
    let Some(haproxy) = facts.haproxy.last() else {
        return Found::No("no answer arrived".into(), format!("check that HAProxy runs and {socket} answers"));
    };
    let version = haproxy.sample.info.version.as_ref().known().map_or("version unknown", |version| version.as_str());
    let by = match way {
        Some(Route { way: Ok(way), .. }) => way.words(),
        _ => "unknown way",
    };
    Found::Yes(format!("{version} through {socket} by {by}"))
}

/// Whether the server answers, by which way, and what the account may not see.
fn database(facts: &NodeFacts, socket: &str) -> Vec<Found> {
    let way = facts.link.routes.iter().find(|route| route.path.as_str() == socket);
    if let Some(Route { way: Err(trouble), .. }) = way {
        return vec![missing(trouble)];
    }
    let cure = || format!("check that the database runs and {socket} answers");
    if let Some(failure) = facts.mysql.failure() {
        return vec![Found::No(failure.reason.to_string(), cure())];
    }
    let Some(mysql) = facts.mysql.last() else { return vec![Found::No("no answer arrived".into(), cure())] };
    let sample = &mysql.sample;
    let version = sample.identity.version.as_ref().known().map_or("version unknown", |version| version.as_str());
    let by = match way {
        Some(Route { way: Ok(way), .. }) => way.words(),
        _ => "unknown way",
    };
    let mut found = vec![Found::Yes(format!("{version} through {socket} by {by}"))];
    let monitor = if sample.capabilities.dialect == Dialect::Mariadb { "slave monitor" } else { "replication client" };
    let forbidden = [
        ("sessions", sample.processes.why(), "process"),
        ("transactions", sample.transactions.why(), "process"),
        ("replication", sample.replication.channels.why(), monitor),
        ("the engine's status", sample.deadlock.why(), "process"),
    ];
    for (what, why, privilege) in forbidden {
        if why == Some(Unknown::NotPermitted) {
            let cure = format!("grant {privilege} on *.* to vakt's account");
            found.push(Found::No(format!("the account may not read {what}"), cure));
        }
    }
    found
}

pub(super) fn missing(trouble: &Trouble) -> Found {
    let cure = if trouble.kind == TroubleKind::Internal { "report this as a bug" } else { trouble.cure.as_str() };
    Found::No(trouble.cause.to_string(), cure.to_owned())
}

fn text(rows: &[Row]) -> String {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("CAPABILITY", Align::Left),
        ("STATE", Align::Left),
        ("WHAT IS", Align::Left),
        ("WHAT TO DO", Align::Left),
    ]);
    for row in rows {
        let (state, what, cure) = match &row.found {
            Found::Yes(what) => ("found", what.clone(), String::new()),
            Found::Partly(what) => ("partly", what.clone(), String::new()),
            Found::No(what, cure) => ("missing", what.clone(), cure.clone()),
        };
        table.row(vec![row.node.clone(), row.capability.to_owned(), state.to_owned(), what, cure]);
    }
    table.text()
}
