//! What `vakt check` says about Open vSwitch on a node, in plain words.

use super::check::{Found, Row};
use crate::model::{
    inventory::{Node, OvsSocket},
    link::Route,
    ovs_daemon::DaemonProcessState,
    text::Clean,
    trouble::TroubleKind,
    world::NodeFacts,
};

/// One row about the database, one about the daemon. A node without Open vSwitch where none is expected has one row.
pub(super) fn rows(node: &Node, facts: &NodeFacts, socket: &OvsSocket) -> Vec<Row> {
    let row = |capability, found| Row { node: node.name.to_string(), capability, found };
    let database = database(facts, socket);
    let has_database = matches!(database, Found::Yes(_));
    let mut rows = vec![row("Open vSwitch", database)];
    if has_database {
        rows.push(row("switch daemon", daemon(facts)));
    }
    rows
}

fn database(facts: &NodeFacts, socket: &OvsSocket) -> Found {
    let path = &socket.path;
    let way = facts.link.routes.iter().find(|route| route.path.as_str() == path);
    if let Some(Route { way: Err(trouble), .. }) = way {
        if trouble.kind == TroubleKind::SocketMissing && !socket.is_expected {
            return Found::Partly(format!("none here: {path} does not exist"));
        }
        return Found::No(trouble.cause.to_string(), trouble.cure.to_string());
    }
    if let Some(failure) = facts.ovs.failure() {
        return Found::No(failure.reason.to_string(), format!("check that ovsdb-server runs and {path} answers"));
    }
    let Some(ovs) = facts.ovs.last() else {
        return Found::No("no answer arrived".into(), format!("check that ovsdb-server runs and {path} answers"));
    };
    let version = ovs.sample.switch.version.as_ref().known().map_or("version unknown", Clean::as_str);
    let by = match way {
        Some(Route { way: Ok(way), .. }) => way.words(),
        _ => "unknown way",
    };
    let bridges = ovs.sample.bridges.len();
    Found::Yes(format!("{version} with {bridges} bridges through {path} by {by}"))
}

fn daemon(facts: &NodeFacts) -> Found {
    let Some(live) = facts.ovs_live.last() else {
        let why = facts.ovs_live.failure().map_or("no answer arrived".into(), |failure| failure.reason.to_string());
        return Found::No(why, "check that ovs-vswitchd runs".into());
    };
    let silence = live.silence.as_ref().map(|why| format!("its control socket does not answer: {}", why.cause));
    match (live.process, silence) {
        (DaemonProcessState::Running { pid }, None) => {
            Found::Yes(format!("ovs-vswitchd runs as {pid}, {} ports counted live", live.counters.ports.len()))
        }
        (DaemonProcessState::Running { pid }, Some(why)) => {
            Found::Partly(format!("ovs-vswitchd runs as {pid}; {why}; counters are up to 5 s old"))
        }
        (DaemonProcessState::Hidden { .. }, why) => Found::Partly(format!(
            "this login may not see processes of others, so a dead daemon is noticed late{}",
            why.map_or(String::new(), |why| format!("; {why}"))
        )),
        (DaemonProcessState::Halted { pid }, _) => {
            Found::No(format!("ovs-vswitchd ({pid}) is halted"), "continue it: kill -CONT".into())
        }
        (DaemonProcessState::Gone { .. } | DaemonProcessState::NotStarted, _) => {
            Found::No("ovs-vswitchd does not run".into(), "start the service openvswitch-switch".into())
        }
    }
}
