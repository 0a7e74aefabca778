//! State and counters of domains from libvirt's bulk statistics.

use super::{
    super::complaints::Complaints,
    ANSWERED, DEVICES_MAX, DOMAINS_MAX,
    answer::{DomainStatistics, Statistics},
};
use crate::model::{
    figure::{Figure, Unknown},
    hypervisor::{DomainDisk, DomainInterface, DomainJob, DomainMemory, DomainSample, DomainState, HypervisorSample},
    text::Clean,
};
use serde_json::{Map, Value};

/// Virtual CPUs that are summed up.
const VCPUS_MAX: u64 = 4096;

/// `None` when the answer is not the JSON that the transport writes.
pub(super) fn interpret(bytes: &[u8], complaints: &mut Complaints) -> Option<HypervisorSample> {
    let answer: Statistics = match serde_json::from_slice(bytes) {
        Ok(answer) => answer,
        Err(error) => {
            complaints.add("statistics of guests", format!("not understood: {error}"));
            return None;
        }
    };
    if answer.domains.len() > DOMAINS_MAX {
        complaints.add("statistics of guests", format!("only the first {DOMAINS_MAX} guests are shown"));
    }
    let mut domains: Vec<DomainSample> =
        answer.domains.iter().take(DOMAINS_MAX).map(|record| domain(record, complaints)).collect();
    domains.sort_by(|a, b| a.name.cmp(&b.name));
    Some(HypervisorSample { domains })
}

fn domain(record: &DomainStatistics, complaints: &mut Complaints) -> DomainSample {
    let name = text(&record.name);
    let mut fields = Fields { of: name.as_str(), map: &record.stats, complaints };
    let state = fields.integer("state.state").and_then(|number| {
        let known = DomainState::from_number(number);
        if known.is_none() {
            fields.complaints.add(format!("{name}: state.state"), format!("no state of a domain: {number}"));
        }
        Figure::from_option(known, Unknown::Malformed)
    });
    let reason = fields.integer("state.reason");
    let is_answering = match state.known() {
        Some(state) if state.is_active() => Figure::Known(ANSWERED.iter().any(|key| record.stats.contains_key(*key))),
        Some(_) => Figure::Unknown(Unknown::NotRunning),
        None => Figure::Unknown(Unknown::Missing),
    };
    let vcpus = fields.count("vcpu.current");
    let sample = DomainSample {
        state,
        reason,
        is_answering,
        vcpus,
        cpu_time_ns: fields.count("cpu.time"),
        vcpu_time_ns: fields.over_vcpus("time"),
        vcpu_delay_ns: fields.over_vcpus("delay"),
        memory: DomainMemory {
            current_kib: fields.count("balloon.current"),
            maximum_kib: fields.count("balloon.maximum"),
            available_kib: fields.count("balloon.available"),
            usable_kib: fields.count("balloon.usable"),
            resident_kib: fields.count("balloon.rss"),
            page_faults: fields.count("balloon.minor_fault"),
        },
        disks: fields.list("block").map(|prefix| disk(&mut fields, &prefix)).collect(),
        interfaces: fields.list("net").map(|prefix| interface(&mut fields, &prefix)).collect(),
        job: job(&record.job, name.as_str(), complaints),
        uuid: text(&record.uuid),
        name,
    };
    if sample.name.is_empty() {
        complaints.add("statistics of guests", "a guest without a name");
    }
    sample
}

fn disk(fields: &mut Fields<'_>, prefix: &str) -> DomainDisk {
    DomainDisk {
        name: fields.text(prefix, "name"),
        path: fields.text(prefix, "path"),
        reads: fields.count_of(prefix, "rd.reqs"),
        read_bytes: fields.count_of(prefix, "rd.bytes"),
        read_ns: fields.count_of(prefix, "rd.times"),
        writes: fields.count_of(prefix, "wr.reqs"),
        write_bytes: fields.count_of(prefix, "wr.bytes"),
        write_ns: fields.count_of(prefix, "wr.times"),
        capacity_bytes: fields.count_of(prefix, "capacity"),
        allocation_bytes: fields.count_of(prefix, "allocation"),
    }
}

fn interface(fields: &mut Fields<'_>, prefix: &str) -> DomainInterface {
    let sum = |a: Figure<u64>, b: Figure<u64>| a.and_then(|a| b.map(|b| a.saturating_add(b)));
    let rx_lost = sum(fields.count_of(prefix, "rx.errs"), fields.count_of(prefix, "rx.drop"));
    let tx_lost = sum(fields.count_of(prefix, "tx.errs"), fields.count_of(prefix, "tx.drop"));
    DomainInterface {
        name: fields.text(prefix, "name"),
        rx_bytes: fields.count_of(prefix, "rx.bytes"),
        rx_packets: fields.count_of(prefix, "rx.pkts"),
        rx_lost,
        tx_bytes: fields.count_of(prefix, "tx.bytes"),
        tx_packets: fields.count_of(prefix, "tx.pkts"),
        tx_lost,
    }
}

/// The operations of `virDomainJobOperation`.
const OPERATIONS: [&str; 11] = [
    "a job",
    "start",
    "save",
    "restore",
    "migration in",
    "migration out",
    "snapshot",
    "going back to a snapshot",
    "dump",
    "backup",
    "deletion of a snapshot",
];

fn job(map: &Map<String, Value>, of: &str, complaints: &mut Complaints) -> Option<DomainJob> {
    if map.is_empty() {
        return None;
    }
    let mut fields = Fields { of, map, complaints };
    let operation = fields.integer("operation").known().and_then(|number| usize::try_from(number).ok());
    let words = operation.and_then(|number| OPERATIONS.get(number)).copied().unwrap_or("a job");
    Some(DomainJob {
        operation: words.into(),
        elapsed_ms: fields.count("time_elapsed"),
        total_bytes: fields.count("data_total"),
        remaining_bytes: fields.count("data_remaining"),
        dirty_pages_per_s: fields.count("memory_dirty_rate"),
    })
}

/// A JSON text, sanitised; anything else is empty.
pub(super) fn text(value: &Value) -> Clean {
    Clean::line(value.as_str().unwrap_or_default())
}

/// One record's fields, read by name.
struct Fields<'a> {
    of: &'a str,
    map: &'a Map<String, Value>,
    complaints: &'a mut Complaints,
}

impl Fields<'_> {
    fn integer(&mut self, key: &str) -> Figure<i64> {
        self.read(key, Value::as_i64)
    }

    fn count(&mut self, key: &str) -> Figure<u64> {
        self.read(key, Value::as_u64)
    }

    fn count_of(&mut self, prefix: &str, key: &str) -> Figure<u64> {
        self.count(&format!("{prefix}.{key}"))
    }

    fn text(&self, prefix: &str, key: &str) -> Clean {
        self.map.get(&format!("{prefix}.{key}")).map(text).unwrap_or_default()
    }

    fn read<T>(&mut self, key: &str, as_it: impl Fn(&Value) -> Option<T>) -> Figure<T> {
        let Some(value) = self.map.get(key) else { return Figure::Unknown(Unknown::Missing) };
        let read = as_it(value);
        if read.is_none() {
            let shown: String = value.to_string().chars().take(40).collect();
            self.complaints.add(format!("{}: {key}", self.of), format!("not a number in range: {shown}"));
        }
        Figure::from_option(read, Unknown::Malformed)
    }

    /// A counter summed over the virtual CPUs, which need not be numbered without gaps; unknown when no one tells it.
    fn over_vcpus(&mut self, key: &str) -> Figure<u64> {
        let most = self.map.get("vcpu.maximum").and_then(Value::as_u64).unwrap_or(0).min(VCPUS_MAX);
        let mut sum: Figure<u64> = Figure::Unknown(if most == 0 { Unknown::Missing } else { Unknown::NotOffered });
        for index in 0..most {
            let name = format!("vcpu.{index}.{key}");
            if !self.map.contains_key(&name) {
                continue;
            }
            let Figure::Known(value) = self.count(&name) else { return Figure::Unknown(Unknown::Malformed) };
            sum = Figure::Known(sum.known().unwrap_or(0).saturating_add(value));
        }
        sum
    }

    /// The prefixes `block.0`, `block.1` of a list whose length is told by `block.count`.
    fn list(&mut self, what: &str) -> impl Iterator<Item = String> + use<> {
        let told = self.map.get(&format!("{what}.count")).and_then(Value::as_u64).unwrap_or(0);
        let count = told.min(DEVICES_MAX as u64);
        if told > count {
            self.complaints.add(format!("{}: {what}.count", self.of), format!("only {count} of {told} are shown"));
        }
        let what = what.to_owned();
        (0..count).map(move |index| format!("{what}.{index}"))
    }
}
