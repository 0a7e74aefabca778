//! Every rule there is, as a table for people: what it means, what usually causes it, what to do.

use super::Severity;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// A rule's row.
#[derive(Debug)]
pub struct Rule {
    /// For code.
    pub id: RuleId,
    /// "haproxy.server.down".
    pub name: &'static str,
    /// A few words.
    pub title: &'static str,
    /// How bad it is at worst.
    pub severity: Severity,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it.
    pub causes: &'static str,
    /// What to do.
    pub action: &'static str,
}

macro_rules! rules {
    ($($id:ident = $name:literal, $severity:ident, $title:literal, $meaning:literal, $causes:literal, $action:literal;)*) => {
        /// Every rule. The order decides between findings that are equally bad and equally old.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum RuleId {
            $(
                #[doc = $title]
                #[serde(rename = $name)]
                $id,
            )*
        }

        const CATALOGUE: &[Rule] = &[$(Rule {
            id: RuleId::$id,
            name: $name,
            title: $title,
            severity: Severity::$severity,
            meaning: $meaning,
            causes: $causes,
            action: $action,
        },)*];
    };
}

rules! {
    HostKey = "node.host_key", Critical, "Host key refused",
        "The node's host key is unknown, changed or revoked, or its certificate is not valid. Nothing was sent to it.",
        "The node was installed again, its address now belongs to another machine, or someone stands in between.",
        "compare the fingerprint with the node's console; only then change known_hosts";
    Unreachable = "node.unreachable", Critical, "Node unreachable",
        "There is no SSH connection to the node. Whether its services work is seen only from elsewhere.",
        "The node or its sshd is down, the network is cut, or the login is refused.",
        "look at the node from its hypervisor, or from a neighbour on the private network";
    BackendDown = "haproxy.backend.down", Critical, "Backend without usable server",
        "No server of the backend takes traffic: every request to it fails.",
        "All servers fail their check at once (a shared dependency, a broken deployment), or the last healthy one was taken out.",
        "look at the checks of its servers; put one back that was taken out on purpose";
    ServerDown = "haproxy.server.down", Critical, "Server down",
        "HAProxy's health check fails and the server gets no traffic.",
        "The service or its node is down, or the check times out under load.",
        "look at the failing check and the log of the service on that node";
    IntentLost = "haproxy.intent.lost", Critical, "What an operator set was lost",
        "A server that somebody drained, put into maintenance or gave another weight through vakt is not so any more on a load balancer. \
         It may take traffic while somebody works on it.",
        "HAProxy was reloaded or restarted without a server-state file, or somebody changed it outside vakt.",
        "apply it again, or accept what is: both commands are in the finding";
    OomKill = "host.oom_kill", Critical, "Out of memory",
        "The kernel ended processes because memory ran out.",
        "A process or cgroup limit too small for its load, or a leak.",
        "see which unit uses most, lower its limits or caches, or add memory";
    Filesystem = "host.filesystem", Critical, "File system nearly full",
        "A file system has little room left; writes fail when it is full.",
        "Logs, binary logs, backups or temporary files that nobody removes.",
        "remove or move what is not needed, or enlarge it; for a database purge binary logs, never delete them";
    HaproxyUnreadable = "haproxy.unreadable", Warning, "HAProxy cannot be read",
        "The node answers, its HAProxy does not: what it does with traffic is unknown.",
        "HAProxy is down, its stats socket is missing, busy, or not permitted for this login.",
        "run vakt check; see whether haproxy runs and what its configuration says of `stats socket`";
    Disagree = "haproxy.disagree", Warning, "Load balancers disagree",
        "The load balancers do not treat a server alike: traffic depends on which of them a client reaches.",
        "A drain or maintenance on one of them only, a check that fails from one side, or different configuration files.",
        "make the states alike, or find out why the check fails from one side";
    Queue = "haproxy.queue", Warning, "Requests wait in the queue",
        "All servers of the backend are at their limit; requests wait for a free one.",
        "More traffic than usual, slow answers, or too few servers.",
        "see which server is slow; put servers back, or raise their limits if they bear it";
    Sessions = "haproxy.sessions", Warning, "Sessions near their limit",
        "When the limit is reached, new connections wait or are refused.",
        "More traffic than usual, or answers so slow that sessions pile up.",
        "find what is slow; raise maxconn if memory and servers bear it";
    Errors = "haproxy.errors", Warning, "Many 5xx answers",
        "Clients get server errors.",
        "A broken deployment, a failing dependency, or servers that are overloaded.",
        "see which server answers with 5xx, and drain it if it is one of them";
    Stale = "node.stale", Warning, "Node stale",
        "The connection seems to stand and no answer comes: what is shown is old.",
        "The network was cut without a word, the node is frozen or overloaded, or a disk under it hangs.",
        "wait for the keepalive to decide, or look at the node from its hypervisor";
    Iowait = "host.iowait", Warning, "Waiting for disks",
        "CPUs are idle because tasks wait for disks.",
        "A slow or shared disk, a backup, a query that reads too much, or a cache too small.",
        "see which disk is slow and who uses it";
    IoPressure = "host.io_pressure", Warning, "Everything waits for disks",
        "For part of the time no task made progress because all waited for disks.",
        "A slow or shared disk, a backup, or memory so short that the disk serves as memory.",
        "see which disk is slow and who uses it";
    BlockedTasks = "host.blocked_tasks", Warning, "Tasks blocked",
        "Tasks sleep in the kernel and cannot be ended.",
        "A disk or NFS server that does not answer.",
        "see what they wait for; an NFS mount or a disk is the usual one";
    Steal = "host.steal", Warning, "CPU time stolen",
        "The hypervisor gives CPU time of this guest to others.",
        "A noisy neighbour, or more virtual CPUs on the host than it has.",
        "look at the other machines of its hypervisor; move one of them";
    Memory = "host.memory", Warning, "Memory short",
        "Little memory is left for caches and for growth.",
        "A leak, caches that are set too large, or more processes than planned.",
        "see which unit uses most; lower its caches or add memory";
    SwapIn = "host.swap_in", Warning, "Reading from swap",
        "Memory in use was moved to disk and is needed again.",
        "Memory is too small for what runs.",
        "see which unit uses most; lower its caches or add memory";
    Clock = "host.clock", Warning, "Clock wrong",
        "The node's clock and this bastion's differ: logs, certificates and replication lag mislead.",
        "No time daemon, or one that cannot reach its servers.",
        "see chronyc tracking or timedatectl on the node, then here";
    OpenVz = "host.openvz", Warning, "OpenVZ container",
        "The node shares its host's kernel: no modules of its own, no bridge of its own, resources that others oversell.",
        "It was rented or built as a container.",
        "move it to KVM; use it for nothing that needs Open vSwitch or steady disks";
}

/// The table of all rules.
pub fn catalogue() -> &'static [Rule] {
    CATALOGUE
}

impl RuleId {
    /// Its row.
    pub fn rule(self) -> &'static Rule {
        // The macro makes both in the same order.
        &CATALOGUE[self as usize]
    }
}

/// The table as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery rule, with what its finding means, what usually causes it, and what to do. \
         The limits are in `[thresholds]` of the configuration.\n\nThis page is generated from the rules; a test compares it.\n",
    );
    for rule in CATALOGUE {
        let severity = match rule.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        let _ = write!(
            page,
            "\n## `{}`: {} ({severity})\n\n{}\n\n- Usual causes: {}\n- What to do: {}.\n",
            rule.name, rule.title, rule.meaning, rule.causes, rule.action
        );
    }
    page
}
