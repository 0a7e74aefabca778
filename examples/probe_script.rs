//! Prints the scripts that the host probes run on a node, to make new captures or to measure what they cost there:
//! `cargo run --example probe_script | ssh web01 sh > tests/captures/host/…`.

use std::io::Write;
use vakt::{
    cli::output,
    config::{self, FileMetadata},
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
        Some(other) => {
            output::note(&format!("probe_script: no probe `{other}`; say host or profile"));
            std::process::exit(2);
        }
    };
    for request in wanted.probe().requests(&loaded.inventory.nodes[0], 2_000) {
        let script = match &request.call {
            Call::Shell { script } => script.to_string(),
            Call::Exec { argv } => argv.last().cloned().unwrap_or_default(),
            Call::Haproxy { command, .. } => command.clone(),
        };
        writeln!(std::io::stdout(), "{script}")?;
    }
    Ok(())
}
