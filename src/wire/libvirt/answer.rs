//! The answers as the transport writes them down, and as they are read again.
//!
//! Values are kept as JSON values until they are understood one by one: a field of another type than expected costs
//! that field, not the answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The answer to [`super::Question::Statistics`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// All domains.
    pub domains: Vec<DomainStatistics>,
}

/// One domain's record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DomainStatistics {
    /// Its name.
    pub name: Value,
    /// Its identity.
    pub uuid: Value,
    /// As `virsh domstats` has them: "vcpu.0.time": 3510000000.
    pub stats: Map<String, Value>,
    /// As `virsh domjobinfo --rawstats` has them: "memory_total"; empty: no job.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub job: Map<String, Value>,
}

/// The answer to [`super::Question::Definitions`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Definitions {
    /// libvirt's version, packed.
    pub libvirt: Value,
    /// QEMU's version, packed.
    pub qemu: Value,
    /// CPUs of the host.
    pub cpus: Value,
    /// Memory of the host, KiB.
    pub memory_kib: Value,
    /// All domains.
    pub domains: Vec<DomainRecord>,
    /// Storage pools; none where they were not asked for, or could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<PoolRecord>>,
}

/// One storage pool.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PoolRecord {
    /// Whether it can be used.
    pub active: Value,
    /// As `virsh pool-dumpxml` has it.
    pub xml: String,
}

/// One domain's definition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DomainRecord {
    /// Its name.
    pub name: Value,
    /// Its identity.
    pub uuid: Value,
    /// Whether it starts with the host.
    pub autostart: Value,
    /// Whether it is defined beyond its run.
    pub persistent: Value,
    /// How many snapshots it has.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub snapshots: Value,
    /// As `virsh dumpxml` has it, without secrets.
    pub xml: String,
}

/// The JSON of an answer.
///
/// # Errors
/// Never for these types; the caller has one way for all faults.
pub fn bytes<T: Serialize>(answer: &T) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(answer)
}
