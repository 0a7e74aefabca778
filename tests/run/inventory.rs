//! The nodes of the cluster in memory, as a configuration file names them.

use std::path::Path;
use vakt::{
    config::{self, FileMetadata},
    model::inventory::Inventory,
};

pub(crate) fn inventory() -> Inventory {
    loaded(BALANCED)
}

/// The databases, and what else a file says.
pub(super) fn with_databases_and(more: &str) -> Inventory {
    loaded(&format!("{BALANCED}{DATABASES}{more}"))
}

pub(super) fn loaded(text: &str) -> Inventory {
    let metadata = FileMetadata { mode: Some(0o600), home: None };
    config::load(Path::new("vakt.toml"), text, &metadata).unwrap_or_else(|problems| panic!("{problems:?}")).inventory
}

pub(super) const BALANCED: &str = r#"
[cluster]
name = "oslo-prod"
[[node]]
name = "lb01"
roles = ["edge"]
management = "10.99.0.11"
[[node]]
name = "lb02"
roles = ["edge"]
management = "10.99.0.12"
[[node]]
name = "web03"
roles = ["web"]
management = "10.99.0.23"
"#;

pub(super) const GUESTS: &str = r#"
[[node]]
name = "kvm01"
roles = ["hypervisor"]
management = "10.99.0.41"
private = "10.10.0.41"
migration_uri = "qemu+tls://10.88.0.41/system"
[[node]]
name = "kvm02"
roles = ["hypervisor"]
management = "10.99.0.42"
private = "10.10.0.42"
migration_uri = "qemu+tls://10.88.0.42/system"
[[guest]]
name = "app01"
roles = ["app"]
[[guest]]
name = "app02"
roles = ["app"]
"#;

const DATABASES: &str = r#"
[[node]]
name = "db01"
roles = ["database"]
management = "10.99.0.31"
private = "10.10.0.31"
jurisdiction = "NO"
[[node]]
name = "db02"
roles = ["database"]
management = "10.99.0.32"
private = "10.10.0.32"
jurisdiction = "NO"
[[node]]
name = "db03"
roles = ["database"]
management = "10.99.0.33"
private = "10.10.0.33"
jurisdiction = "SE"
[mysql]
replication_user = "replica"
replication_password_env = "VAKT_REPLICATION_PASSWORD"
"#;
