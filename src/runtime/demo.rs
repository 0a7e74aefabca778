//! A running demo: the simulation, the folder of its socket and state, and sessions on it.

use super::{
    inbox::inbox,
    runs::Desk,
    session::Session,
    state::{self, Found, Place},
};
use crate::{
    app::App,
    config::Secrets,
    model::{inventory::Inventory, time::Clock},
    sim::{Cluster, Scenario, SimConnections, SimServer, Simulation},
};
use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The cluster has been running for so long when it is first seen; a large one for less, because it costs time.
const WARM_UP_MS: u64 = 20_000;
const WARM_UP_LARGE_MS: u64 = 3_000;
const LARGE_NODES: usize = 250;
/// Names that are tried for the folder.
const NAMES_TRIED_MAX: usize = 16;

/// How a simulated cluster runs.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Its time passes so many times as fast as the clock's.
    pub speed: f64,
    /// Decides when clients come and how long they stay.
    pub seed: u64,
}

/// A simulated cluster that runs until this value is dropped.
#[derive(Debug)]
pub struct Demo {
    simulation: Arc<Simulation>,
    clock: Arc<dyn Clock>,
    _server: SimServer,
    folder: Folder,
}

impl Demo {
    /// Starts the cluster, and serves it on a socket in a folder of its own.
    ///
    /// # Errors
    /// When that folder or socket cannot be made.
    pub fn start(
        scenario: &Scenario,
        inventory: &Arc<Inventory>,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> io::Result<Self> {
        let folder = Folder::make()?;
        let mut cluster = Cluster::new(scenario, pace.seed, clock.now());
        let is_large = inventory.nodes.len() > LARGE_NODES;
        cluster.warm_up(if is_large { WARM_UP_LARGE_MS } else { WARM_UP_MS });
        let simulation = Simulation::start(cluster, Arc::clone(&clock), pace.speed);
        let socket = folder.path.join(SOCKET);
        let server = SimServer::start(Arc::clone(&simulation), Arc::clone(inventory), &socket)?;
        Ok(Self { simulation, clock, _server: server, folder })
    }

    /// A session on the cluster.
    pub fn session(&self, app: App, inventory: &Arc<Inventory>) -> Session {
        let (senders, inbox) = inbox();
        let connections = SimConnections::start(Arc::clone(&self.simulation), inventory, senders.transport.clone());
        Session::over(
            Arc::new(connections),
            app,
            inventory,
            &Secrets::default(),
            Arc::clone(&self.clock),
            (senders, inbox),
        )
    }

    /// What a console needs to change this cluster: executors find it at its socket, and write into the demo's own state
    /// folder, which is gone with the demo.
    pub fn desk(&self, inventory: &Arc<Inventory>) -> Desk {
        Desk {
            inventory: Arc::clone(inventory),
            place: Ok(Place { path: self.folder.path.join("state"), found: Found::Demo }),
            operator: state::operator(),
            simulation: Some(self.folder.path.join(SOCKET)),
        }
    }
}

const SOCKET: &str = "simulation.sock";

/// A folder that only this user may enter; removed at the end.
#[derive(Debug)]
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        let mut last = io::Error::other("no name is free");
        for _ in 0..NAMES_TRIED_MAX {
            let path = parent.join(format!("vakt-demo-{:08x}", fastrand::u32(..)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_dir_all(path) {
        tracing::warn!("the demo's folder {} stays: {error}", path.display());
    }
}
