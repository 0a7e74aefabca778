//! Writes what a node answers to a probe, one file for each request, to make new captures:
//! `cargo run --example probe_answers CONFIG kvm01 guests tests/captures/libvirt/9.0.0/running.guests`.

use std::{collections::BTreeSet, fs, io, path::Path, sync::Arc};
use tokio::sync::mpsc;
use vakt::{
    cli::output,
    config::{self, FileMetadata},
    model::{
        ids::NodeName,
        link::{LinkEvent, LinkState},
    },
    runtime::clock::SystemClock,
    transport::{TransportEvent, ssh::Fleet},
    wire::probe::ProbeId,
};

#[tokio::main]
async fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, node, probe, stem] = words.as_slice() else {
        output::note("usage: probe_answers CONFIG NODE PROBE FILES");
        std::process::exit(2);
    };
    let Some(probe) = ProbeId::ALL.into_iter().find(|id| id.to_string().replace(' ', "-") == *probe) else {
        return Err(io::Error::other(format!("no probe {probe}")));
    };
    let metadata = FileMetadata { mode: Some(0o600), home: std::env::var_os("HOME").map(Into::into) };
    let loaded = config::load(Path::new(file), &fs::read_to_string(file)?, &metadata);
    let inventory = Arc::new(loaded.map_err(|_| io::Error::other("the configuration is not valid"))?.inventory);
    let name = NodeName::from(node.as_str());
    let listed = inventory.node(&name).cloned().ok_or_else(|| io::Error::other("no such node"))?;
    let (sender, mut events) = mpsc::channel(64);
    let only = BTreeSet::from([name.clone()]);
    let fleet = Fleet::start_some(Arc::clone(&inventory), Arc::new(SystemClock::start()), sender, &only);
    while let Some(event) = events.recv().await {
        match event {
            TransportEvent::Link { event: LinkEvent::State(LinkState::Up), .. } => break,
            TransportEvent::Link { event: LinkEvent::State(LinkState::Down { trouble, .. }), .. } => {
                return Err(io::Error::other(trouble.to_string()));
            }
            _ => {}
        }
    }
    for (index, request) in probe.probe().requests(&listed, 5_000).iter().enumerate() {
        let reply = fleet.call(&name, request).await.map_err(|trouble| io::Error::other(trouble.to_string()))?;
        fs::write(format!("{stem}.{index}"), reply.bytes)?;
    }
    fleet.shutdown().await;
    Ok(())
}
