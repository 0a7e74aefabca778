//! The daemon's text commands, which say what the database does not.
//!
//! | command | says |
//! |---|---|
//! | `ovs-ofctl dump-ports BRIDGE` | counters now; the database's are up to 5 s old |
//! | `ovs-appctl fdb/show BRIDGE` | learned addresses |
//! | `ovs-appctl bond/show`, `lacp/show` | bonds as they run |
//! | `ovs-appctl dpif/show` | datapaths, their ports and hit rate |
//! | `ovs-appctl dpctl/show -s` | counters of every datapath's ports now, in one answer |
//! | `ovs-appctl upcall/show` | flows in each datapath and their limit |
//!
//! Before version 2.15 a member of a bond is called a slave; both words are understood.

mod addresses;
mod bonds;
mod counters;
mod datapaths;
mod lacp;
mod ports;
mod upcalls;

pub use addresses::learned_addresses;
pub use bonds::bonds;
pub use counters::{DatapathCounters, datapath_counters};
pub use datapaths::datapaths;
pub use lacp::lacp;
pub use ports::port_counters;
pub use upcalls::upcalls;

use crate::{
    model::{ovs::OFPORT_LOCAL, ovs_daemon::PortReference, text::Clean},
    wire::{complaints::Complaints, probe::Complaint},
};
use std::borrow::Cow;

/// Longest answer to a text command; 50,000 learned addresses take about 2 MiB.
pub const TEXT_CAP_BYTES: usize = 4 * 1024 * 1024;
/// Things (ports, addresses, members) kept of one answer.
pub const ROWS_MAX: usize = 100_000;

/// What was understood, `None` when the answer is something else altogether; and what is odd about it.
pub type Understood<T> = (Option<Vec<T>>, Vec<Complaint>);

/// One answer while it is read.
struct Answer<'a> {
    /// The command, for complaints.
    command: &'static str,
    text: Cow<'a, str>,
    complaints: Complaints,
}

impl<'a> Answer<'a> {
    fn new(command: &'static str, bytes: &'a [u8]) -> Self {
        let cut = &bytes[..bytes.len().min(TEXT_CAP_BYTES)];
        let mut complaints = Complaints::default();
        if cut.len() < bytes.len() {
            complaints.add(command, format!("only the first {TEXT_CAP_BYTES} bytes are looked at"));
        }
        Self { command, text: String::from_utf8_lossy(cut), complaints }
    }

    /// The answer says in prose why there is no other.
    fn not_understood<T>(mut self) -> Understood<T> {
        let prose = self.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("nothing");
        self.complaints.add(self.command, format!("not understood: {prose}"));
        (None, self.complaints.finish())
    }
}

/// `LOCAL`, a number, or a name, which is quoted when it is not a plain word.
fn port_reference(word: &str) -> PortReference {
    if word == "LOCAL" {
        return PortReference::Number(OFPORT_LOCAL);
    }
    if let Ok(number) = word.parse() {
        return PortReference::Number(number);
    }
    let unquoted = word.starts_with('"').then(|| serde_json::from_str::<String>(word).ok()).flatten();
    PortReference::Name(Clean::line(unquoted.as_deref().unwrap_or(word)))
}

/// The name in `---- name ----`.
fn section(line: &str) -> Option<&str> {
    line.strip_prefix("---- ")?.strip_suffix(" ----")
}

/// The rest of a line about a member of a bond, in either word.
fn member<'l>(line: &'l str, behind_word: &str) -> Option<&'l str> {
    ["member", "slave"].iter().find_map(|word| line.strip_prefix(word)?.strip_prefix(behind_word))
}
