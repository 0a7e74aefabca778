//! Prints the scripts that the host probes run on a node, to make new captures or to measure what they cost there:
//! `cargo run --example probe_script | ssh web01 sh > tests/captures/host/…`.

use std::io::Write;
use vakt::{
    cli::output,
    config::{self, FileMetadata},
    model::inventory::Node,
    wire::{probe::ProbeId, request::Call},
};

fn main() -> std::io::Result<()> {
    let metadata = FileMetadata { mode: Some(0o600), home: Some("/root".into()) };
    let Ok(loaded) = config::load("config.example.toml".as_ref(), config::EXAMPLE, &metadata) else {
        return Err(std::io::Error::other("the embedded example is not valid"));
    };
    let wanted = match std::env::args().nth(1).as_deref() {
        None | Some("host") => ProbeId::Host,
        Some("profile") => ProbeId::HostProfile,
        Some("presence") => ProbeId::Presence,
        Some("services") => ProbeId::Services,
        Some("settings" | "balancer-settings") => ProbeId::Tuning,
        Some(other) => {
            output::note(&format!(
                "probe_script: no probe `{other}`; say host, profile, presence, services, settings or balancer-settings"
            ));
            std::process::exit(2);
        }
    };
    // Where there is a database, or HAProxy, more files hold settings.
    let nodes = &loaded.inventory.nodes;
    let is_balancers = std::env::args().nth(1).is_some_and(|word| word == "balancer-settings");
    let has = |node: &&Node| if is_balancers { node.haproxy_socket.is_some() } else { node.database.is_some() };
    let database = nodes.iter().find(|node| wanted == ProbeId::Tuning && has(node));
    for request in wanted.probe().requests(database.unwrap_or(&nodes[0]), 2_000) {
        let script = match &request.call {
            Call::Shell { script } | Call::ShellWithin { script, .. } => script.to_string(),
            Call::Exec { argv } => argv.last().cloned().unwrap_or_default(),
            Call::Haproxy { command, .. } => command.clone(),
            // Conversations, not scripts.
            other @ (Call::Ovsdb { .. }
            | Call::OvsDaemon { .. }
            | Call::SqlWrite { .. }
            | Call::FileEdit { .. }
            | Call::Countdown { .. }
            | Call::Hook { .. }
            | Call::LibvirtWrite { .. }) => format!("{other:?}"),
            Call::Tcp { send, .. } => send.to_string(),
            Call::Sql { sql, .. } => sql.to_string(),
            Call::Libvirt { question, .. } => question.words().to_owned(),
        };
        writeln!(std::io::stdout(), "{script}")?;
    }
    Ok(())
}
