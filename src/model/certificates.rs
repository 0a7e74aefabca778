//! Facts about the certificates of a load balancer.

use super::{figure::Figure, text::Clean, time::Wall};
use serde::{Deserialize, Serialize};

/// One look at the certificates of a node.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CertificatesFacts {
    /// What visitors get, then what the configuration names.
    pub certificates: Vec<Certificate>,
    /// Files that the configuration names and that could not be read, with the reason.
    pub unread: Vec<Clean>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Certificate {
    /// Where it was found.
    pub place: Place,
    /// Its common name, or its whole subject where it has none.
    pub name: Clean,
    /// Names that it is valid for.
    pub names: Vec<Clean>,
    /// Who issued it.
    pub issuer: Clean,
    /// Its number, as the issuer gave it.
    pub serial: Clean,
    /// When it ends.
    pub ends: Figure<Wall>,
}

/// Where a certificate was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Served to who connects to this address and names nobody.
    Served(Clean),
    /// In a file.
    File(Clean),
    /// Not said.
    #[default]
    Unknown,
}

impl Certificate {
    /// Whole days until it ends; negative when it has ended.
    pub fn days_left(&self, now: Wall) -> Figure<i64> {
        self.ends.map(|ends| ends.0.saturating_sub(now.0).div_euclid(86_400_000))
    }
}
