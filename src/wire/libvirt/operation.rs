//! What is done to a guest through libvirt: each is one call of its client library.

use serde::{Deserialize, Serialize};

/// One call that changes a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Its virtual CPUs stand still; its memory is kept.
    Suspend,
    /// They go on.
    Resume,
    /// It is switched on.
    Start,
    /// Its kernel is asked to shut down, as by the power button. The answer comes at once, the effect later or never.
    Shutdown,
    /// As by the reset button: its kernel is not asked.
    Reset,
    /// It moves, running, to another hypervisor. The answer comes once its memory is on the way; libvirtd carries it on by
    /// itself from then on, whoever asked for it.
    Migrate(Box<Migration>),
    /// What goes on with it is given up: a migration leaves it where it is.
    AbortJob,
}

/// Where a guest moves, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// How the libvirtd of the source reaches that of the destination.
    pub destination: String,
    /// Where memory and disks go.
    pub data: String,
    /// How long QEMU may expect it to stand still at the end, ms: it goes on copying until no more is left.
    pub downtime_ms_max: u64,
    /// The disks that are copied, as the guest calls them; none: both hosts see all.
    pub copied_disks: Vec<String>,
}

impl Migration {
    /// What an operator would type after `virsh migrate`.
    fn options(&self) -> String {
        let mut options = "--live --p2p --persistent --undefinesource --change-protection --abort-on-error".to_owned();
        if !self.copied_disks.is_empty() {
            options.push_str(" --copy-storage-all --migrate-disks ");
            options.push_str(&self.copied_disks.join(","));
        }
        options
    }
}

impl Operation {
    /// What an operator would type after `virsh`.
    pub fn words(&self, guest: &str) -> String {
        let verb = match self {
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Start => "start",
            Self::Shutdown => "shutdown --mode acpi",
            Self::Reset => "reset",
            Self::Migrate(migration) => {
                let (options, to, data) = (migration.options(), &migration.destination, &migration.data);
                let downtime_ms = migration.downtime_ms_max;
                let migrate = format!("migrate {options} {guest} {to} --migrateuri {data}");
                return format!("'migrate-setmaxdowntime {guest} {downtime_ms}; {migrate}'");
            }
            Self::AbortJob => "domjobabort",
        };
        match verb.split_once(' ') {
            Some((verb, options)) => format!("{verb} {guest} {options}"),
            None => format!("{verb} {guest}"),
        }
    }
}

/// A guest as a write names it. Both must fit, or nothing is done: a name may have been given to another guest since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestIdentity {
    /// Its name on its hypervisor.
    pub name: String,
    /// Its UUID, as libvirt writes it.
    pub uuid: String,
}
