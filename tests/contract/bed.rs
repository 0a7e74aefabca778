//! What a behaviour runs on: one node that works, and the means to spoil it.

use super::server::{Network, Server};
use russh::keys::{
    Algorithm, PrivateKey, PublicKey,
    key::safe_rng,
    ssh_key::{LineEnding, known_hosts::HostPatterns},
};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use vakt::{
    config::{self, FileMetadata},
    model::inventory::{Inventory, Node, Role, SshConfigFile, SshOverrides, SshSettings},
    transport::ssh::{Connector, Local, TcpConnector},
};

/// The node's name on every bed.
pub(super) const NODE: &str = "node";

/// A place where one node works.
pub(super) struct Bed {
    /// One node called [`NODE`].
    pub(super) inventory: Inventory,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) local: Local,
    /// The key the node accepts.
    pub(super) key_file: PathBuf,
    /// For files of the test; gone with the bed.
    pub(super) scratch: TempDir,
    /// The in-process server, on that bed.
    pub(super) server: Option<Server>,
}

impl Bed {
    /// A node that is a server in this process, reached without a network.
    pub(super) fn in_process() -> Self {
        let network = Network::default();
        let server = Server::new(&network);
        network.add("node.test", server.clone());
        Self::on_network(&network, server)
    }

    /// A bed whose node is `server`, under the address `node.test` of `network`.
    pub(super) fn on_network(network: &Network, server: Server) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let key_file = scratch.path().join("id_ed25519");
        let key = new_key();
        write_key(&key_file, &key, None);
        server.rules(|rules| rules.accepted_keys.push(key.public_key().clone()));
        let known_hosts = scratch.path().join("known_hosts");
        fs::write(&known_hosts, known_line("node.test", &server.host_key())).unwrap();
        let ssh = SshOverrides {
            user: Some("root".into()),
            identity_files: vec![key_file.clone()],
            known_hosts_files: vec![known_hosts],
            use_agent: Some(false),
            ..SshOverrides::default()
        };
        Self {
            inventory: inventory(vec![node(NODE, "node.test", ssh)]),
            connector: Arc::new(network.clone()),
            local: local(scratch.path()),
            key_file,
            scratch,
            server: Some(server),
        }
    }

    /// A bed on a real machine.
    pub(super) fn real(address: &str, user: &str, key_file: &Path, known_hosts: &Path) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let ssh = SshOverrides {
            user: Some(user.into()),
            identity_files: vec![key_file.to_owned()],
            known_hosts_files: vec![known_hosts.to_owned()],
            use_agent: Some(false),
            ..SshOverrides::default()
        };
        Self {
            inventory: inventory(vec![node(NODE, address, ssh)]),
            connector: Arc::new(TcpConnector),
            local: local(scratch.path()),
            key_file: key_file.to_owned(),
            scratch,
            server: None,
        }
    }

    /// The inventory with its node's SSH settings changed.
    pub(super) fn with(&self, change: impl FnOnce(&mut SshOverrides)) -> Inventory {
        let mut inventory = self.inventory.clone();
        change(&mut inventory.nodes[0].ssh);
        inventory
    }

    /// The node's address as known_hosts writes it.
    pub(super) fn host(&self) -> &str {
        &self.inventory.nodes[0].management
    }

    /// The node's host key, from the known_hosts file of the bed.
    pub(super) fn host_key(&self) -> PublicKey {
        let file = &self.inventory.nodes[0].ssh.known_hosts_files[0];
        let entries = russh::keys::ssh_key::KnownHosts::read_file(file).unwrap();
        let ours = |patterns: &HostPatterns| matches!(patterns, HostPatterns::Patterns(p) if p.iter().any(|p| p == self.host()));
        let ed25519 = |key: &PublicKey| key.algorithm() == Algorithm::Ed25519;
        entries.iter().find(|e| ours(e.host_patterns()) && ed25519(e.public_key())).unwrap().public_key().clone()
    }

    /// A file in the scratch folder.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.scratch.path().join(name);
        fs::write(&file, text).unwrap();
        file
    }
}

/// A line of known_hosts.
pub(super) fn known_line(host: &str, key: &PublicKey) -> String {
    format!("{host} {} {}\n", key.algorithm(), key.to_openssh().unwrap().split(' ').nth(1).unwrap())
}

/// A fresh ed25519 key.
pub(super) fn new_key() -> PrivateKey {
    PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap()
}

/// Writes a private key as ssh wants it.
pub(super) fn write_key(file: &Path, key: &PrivateKey, passphrase: Option<&str>) {
    let key = match passphrase {
        Some(passphrase) => key.encrypt(&mut safe_rng(), passphrase).unwrap(),
        None => key.clone(),
    };
    fs::write(file, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// An operator with an empty home, so that nothing of who runs the tests shows.
pub(super) fn local(home: &Path) -> Local {
    Local { home: home.to_owned(), user: "tester".into(), agent: None, ssh_program: "ssh".into() }
}

pub(super) fn node(name: &str, address: &str, ssh: SshOverrides) -> Node {
    Node {
        name: name.into(),
        roles: vec![Role::Web],
        management: address.into(),
        private: None,
        public: None,
        site: None,
        jurisdiction: None,
        ssh,
        haproxy_socket: None,
        ovs: None,
        database: None,
        libvirt_socket: None,
        migration_uri: None,
        hosts: Vec::new(),
    }
}

/// These nodes under default settings, with short waits.
pub(super) fn inventory(nodes: Vec<Node>) -> Inventory {
    let text = "[cluster]\nname = \"test\"\n[[node]]\nname = \"any\"\nroles = [\"web\"]\nmanagement = \"any.test\"\n";
    let metadata = FileMetadata { mode: Some(0o600), ..FileMetadata::default() };
    let loaded = config::load(Path::new("test.toml"), text, &metadata).unwrap();
    let mut inventory = Inventory { nodes, ..loaded.inventory };
    inventory.settings.ssh = SshSettings {
        config_file: SshConfigFile::None,
        connect_timeout_ms: 5000,
        backoff_min_ms: 50,
        backoff_max_ms: 1000,
        ..inventory.settings.ssh
    };
    inventory
}
