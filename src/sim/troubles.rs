//! What the connections of a simulation object to: the same kinds, in the same words, as over SSH.

use crate::{
    model::{
        ids::NodeName,
        link::LinkState,
        trouble::{Trouble, TroubleKind},
    },
    wire::request::{Call, Request},
};

const FOREVER: &str = "check that the machine is running and that the network and firewalls let TCP through";

pub(super) fn writes_refused(node: &NodeName, request: &Request) -> Trouble {
    Trouble::new(
        TroubleKind::ReadOnly,
        format!("this connection only reads; not sent to {node}: {request}"),
        "changes go through a plan: vakt do",
    )
}

pub(super) fn no_node(node: &NodeName) -> Trouble {
    Trouble::new(TroubleKind::Internal, format!("no node is called {node}"), "report this as a bug of vakt")
}

/// Why a request cannot be sent now.
pub(super) fn not_connected(node: &NodeName, state: &LinkState) -> Trouble {
    let why = match state {
        LinkState::Down { trouble, .. } => return trouble.clone(),
        LinkState::Connecting { stage } => stage.to_string(),
        LinkState::Asking | LinkState::Idle | LinkState::Up => "just begun".into(),
    };
    Trouble::new(TroubleKind::ConnectionLost, format!("{node} is not connected yet ({why})"), "wait for it")
}

pub(super) fn lost(node: &NodeName, why: &str) -> Trouble {
    Trouble::new(
        TroubleKind::ConnectionLost,
        format!("connection to {node} lost: {why}"),
        "vakt reconnects by itself; check the node and the network if it does not come back",
    )
}

pub(super) fn refused(address: &str) -> Trouble {
    Trouble::new(
        TroubleKind::Refused,
        format!("connection to {address} port 22 refused"),
        "start sshd there, or check the port in the configuration",
    )
}

pub(super) fn no_answer(address: &str, waited_ms: u64) -> Trouble {
    Trouble::new(TroubleKind::TimedOut, format!("{address} port 22 did not answer within {waited_ms} ms"), FOREVER)
}

pub(super) fn said_nothing(node: &NodeName, address: &str, waited_ms: u64) -> Trouble {
    Trouble::new(
        TroubleKind::TimedOut,
        format!("{node} ({address} port 22) accepted the connection and said nothing for {waited_ms} ms"),
        "its sshd is frozen, overloaded or not an SSH server: look at the node's console",
    )
}

pub(super) fn deadline_missed(node: &NodeName, request: &Request) -> Trouble {
    let asked = match &request.call {
        Call::Shell { .. } | Call::ShellWithin { .. } => String::new(),
        Call::Exec { argv } => format!(" to {}", argv.first().map_or("a program", String::as_str)),
        Call::Haproxy { command, .. } => format!(" to HAProxy's {command}"),
        Call::Ovsdb { .. } => " of the switch's database".to_owned(),
        Call::OvsDaemon { .. } => " of the switch's daemon".to_owned(),
        Call::FileEdit { edit, .. } => format!(" to the change of {}", edit.path),
        Call::Countdown { countdown, .. } => format!(" to the change of {}", countdown.row),
        Call::Tcp { port, .. } => format!(" on port {port}"),
        Call::Sql { statement, .. } => format!(" to the database's {}", statement.words()),
        Call::SqlWrite { .. } => " to statements for the database".to_owned(),
        Call::Hook { .. } => " of the command".to_owned(),
        Call::Libvirt { .. } | Call::LibvirtWrite { .. } => " of libvirt".to_owned(),
    };
    Trouble::new(
        TroubleKind::DeadlineMissed,
        format!("{node} gave no answer{asked} within {} ms", request.deadline_ms),
        "look at the node's load and network; the request will be repeated",
    )
}

pub(super) fn too_long(node: &NodeName, request: &Request) -> Trouble {
    Trouble::new(
        TroubleKind::AnswerTooLong,
        format!("the answer of {node} is longer than {} bytes: {request}", request.cap_bytes),
        "look at the command's output on the node; more than this is not read",
    )
}

pub(super) fn no_socket(node: &NodeName, socket: &str) -> Trouble {
    Trouble::new(
        TroubleKind::SocketMissing,
        format!("{node} has no socket {socket}"),
        "start the daemon there, or correct the socket's path in the configuration",
    )
}

pub(super) fn database_silent(node: &NodeName) -> Trouble {
    Trouble::new(
        TroubleKind::DatabaseSilent,
        format!("the database on {node} accepted a connection and says nothing"),
        "it is frozen, overloaded, or waits for a disk: look at its process and its disk",
    )
}

pub(super) fn libvirt_silent(node: &NodeName, waited_ms: u64) -> Trouble {
    Trouble::new(
        TroubleKind::LibvirtSilent,
        format!("libvirtd on {node} took the question and said nothing for {waited_ms} ms"),
        "it is frozen or waits for a guest's QEMU or a storage pool: look at its log (journalctl -u libvirtd)",
    )
}

pub(super) fn libvirt_dead(node: &NodeName) -> Trouble {
    Trouble::new(
        TroubleKind::DaemonNotRunning,
        format!("nothing listens behind libvirt's socket on {node}"),
        "start the daemon; the socket is left over from its last run",
    )
}

/// The process that runs the simulation is gone.
pub(super) fn simulation_gone() -> Trouble {
    Trouble::new(TroubleKind::ConnectionLost, "the simulation has ended", "start vakt demo again")
}
