//! What can be changed: one entry an action. The plan overlay shows its runbook, the palette its words, and the page
//! `docs/actions.md` comes from it.

use super::command::Danger;
use crate::model::intent::{ACTIONS, Change};
use std::fmt::Write as _;

/// An action, as operators read about it.
#[derive(Debug)]
pub struct Action {
    /// Its id: `haproxy.drain`.
    pub id: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// How it is written behind `vakt do` and in the palette.
    pub usage: &'static str,
    /// How much it touches.
    pub danger: Danger,
    /// What starts it, and when something else does.
    pub confirmation: &'static str,
    /// When it is refused, beyond what refuses every action.
    pub refused: &'static [&'static str],
    /// What takes it back.
    pub back: &'static str,
    /// The page about it.
    pub runbook: &'static str,
}

/// Refuses every action.
const REFUSED_ALWAYS: [&str; 7] = [
    "the console is read-only",
    "the state folder cannot be used",
    "somebody else holds the lock (a phrase and a reason break it)",
    "a name is not made of `A-Z a-z 0-9 _ . : -`",
    "no load balancer has the backend, or not every one that has it knows the server",
    "facts are older than the limit, or a figure that the plan needs is unknown",
    "the load balancers that would be changed say different things",
];

/// Every action, in the order of [`ACTIONS`].
pub const ALL: [Action; ACTIONS.len()] = [
    Action {
        id: "haproxy.drain",
        title: "Take a server out of traffic without losing a request",
        usage: "haproxy.drain BACKEND/SERVER [--deadline 60s] [--on-deadline keep|maint|maint+close] [--reason TEXT]",
        danger: Danger::Server,
        confirmation: "Enter; the server's name where one server would stay alone, or where sessions may be closed",
        refused: &["it is the last usable server of the backend", "less than `capacity_floor_percent` would remain"],
        back: "haproxy.ready",
        runbook: include_str!("../../assets/runbooks/haproxy.drain.md"),
    },
    Action {
        id: "haproxy.ready",
        title: "Return a server to traffic, once its check passes",
        usage: "haproxy.ready BACKEND/SERVER [--deadline 60s] [--weight N] [--reason TEXT]",
        danger: Danger::Server,
        confirmation: "Enter; the cluster's name where the file has the server disabled",
        refused: &["another server, or name resolution, decides its state"],
        back: "haproxy.drain",
        runbook: include_str!("../../assets/runbooks/haproxy.ready.md"),
    },
    Action {
        id: "haproxy.maint",
        title: "Take a server out of traffic at once, without checks",
        usage: "haproxy.maint BACKEND/SERVER [--revert-after TIME] [--reason TEXT]",
        danger: Danger::Server,
        confirmation: "the server's name",
        refused: &["it is the last usable server of the backend", "less than `capacity_floor_percent` would remain"],
        back: "haproxy.ready",
        runbook: include_str!("../../assets/runbooks/haproxy.maint.md"),
    },
    Action {
        id: "haproxy.weight",
        title: "Give a server another share of new sessions",
        usage: "haproxy.weight BACKEND/SERVER --weight N [--revert-after TIME] [--reason TEXT]",
        danger: Danger::Server,
        confirmation: "Enter; the server's name where one server would stay alone",
        refused: &["weight 0 would take the last usable server out of traffic"],
        back: "haproxy.weight with the former weight",
        runbook: include_str!("../../assets/runbooks/haproxy.weight.md"),
    },
    Action {
        id: "haproxy.kill-sessions",
        title: "End the sessions of a server that gets no new ones",
        usage: "haproxy.kill-sessions BACKEND/SERVER [--reason TEXT]",
        danger: Danger::Irreversible,
        confirmation: "the server's name",
        refused: &["the server still gets new sessions"],
        back: "nothing: closed sessions do not come back",
        runbook: include_str!("../../assets/runbooks/haproxy.kill-sessions.md"),
    },
    Action {
        id: "vip.move",
        title: "Let another node hold a virtual address",
        usage: "vip.move ADDRESS --to NODE [--reason TEXT]",
        danger: Danger::Address,
        confirmation: "the name of the node that shall hold it",
        refused: &[
            "the node is not among those that may hold the address",
            "nobody holds it, several nodes do, or a foreign one does",
            "keepalived does not run on both nodes, or has no instance with the address",
            "HAProxy on the node does not answer, or has no usable server where the holder has some",
            "it is the address by which writes come in, and the node is not the primary of the databases",
            "no file that keepalived tracks can put the node first, and after a restart of keepalived the holder would take \
             the address back",
        ],
        back: "vip.move to the former holder",
        runbook: include_str!("../../assets/runbooks/vip.move.md"),
    },
    Action {
        id: "mysql.switchover",
        title: "Make another database the primary, planned",
        usage: "mysql.switchover --to NODE [--reason TEXT]",
        danger: Danger::Primary,
        confirmation: "the name of the node that shall be the primary",
        refused: &[
            "not exactly one database takes writes",
            "a database cannot be read: what was never read is no pass",
            "the node does not replicate from the primary by GTID, both threads running, within the lag that is accepted",
            "a replica has a transaction that the primary lacks",
            "the node lacks `log_bin` or `log_slave_updates`, has filters, a delay, another `binlog_format` or              `gtid_domain_id`, or an older version",
            "commits wait for an acknowledgement, and nobody gives one, or nobody would be left to",
            "a transaction or statement runs for more than 5 s, a table's definition changes, or events are switched on",
            "a session may write past `read_only` (`READ_ONLY ADMIN`)",
            "another program switches over by itself (MaxScale, MHA, orchestrator, replication-manager)",
            "no login for the former primary to replicate with is configured, or the node does not admit it",
            "no load balancer sends writes to the primary, and the configuration names nothing else that does \
             (`[write_endpoint]`), or a load balancer has no server for the node",
            "the address by which writes come in is not held by the primary alone, or keepalived cannot move it to the node \
             (`vip.move` says why)",
            "data may not be in the node's jurisdiction",
            "Galera or group replication decides by itself, or MariaDB and MySQL are mixed",
        ],
        back: "mysql.switchover to the former primary",
        runbook: include_str!("../../assets/runbooks/mysql.switchover.md"),
    },
    Action {
        id: "mysql.failover",
        title: "Make another database the primary, because the present one does not serve",
        usage: "mysql.failover [--to NODE] [--accept-risk PHRASE] [--reason TEXT]",
        danger: Danger::Primary,
        confirmation: "the name of the node that shall be the primary",
        refused: &[
            "the primary is alive and takes writes: that is a switchover",
            "another database takes writes already",
            "nobody can prove that the old primary does not write any more: its machine does not answer, is not run by \
             systemd, or hides its processes, and its address cannot be cut off on every replica and load balancer; \
             `--accept-risk` takes the risk in the words of the refusal",
            "its machine does not answer, and HAProxy still reaches it",
            "a replica cannot be read: it may have what no other has",
            "replicas follow several servers, or none tells whom it follows",
            "no replica is fit: it does not apply, is not read-only, lacks `log_bin` or `log_slave_updates`, has \
             filters, a delay, or transactions of its own",
            "another program fails over by itself (MaxScale, MHA, orchestrator, replication-manager)",
            "no load balancer sends writes to the primary, and the configuration names nothing else that does \
             (`[write_endpoint]`), or a load balancer has no server for the node",
            "the address by which writes come in is held by no node that answers, or keepalived cannot move it to the node",
            "data may not be in the node's jurisdiction",
            "Galera or group replication decides by itself, or MariaDB and MySQL are mixed",
        ],
        back: "once the old primary is a replica again: mysql.switchover to it",
        runbook: include_str!("../../assets/runbooks/mysql.failover.md"),
    },
    Action {
        id: "mysql.fence",
        title: "Make a former primary that runs again harmless",
        usage: "mysql.fence NODE [--reason TEXT]",
        danger: Danger::Replica,
        confirmation: "the name of the node",
        refused: &[
            "no other database takes writes, or several do",
            "a load balancer sends writes to it",
            "its machine does not answer, is not run by systemd, or hides its processes",
        ],
        back: "mysql.rejoin of the node",
        runbook: include_str!("../../assets/runbooks/mysql.fence.md"),
    },
    Action {
        id: "mysql.rejoin",
        title: "Let a database that fell out replicate from the primary again",
        usage: "mysql.rejoin NODE [--reason TEXT]",
        danger: Danger::Replica,
        confirmation: "the name of the node",
        refused: &[
            "it has transactions that the primary lacks (diverged): they are named",
            "no database takes writes, or several do, or it is the primary itself",
            "it replicates from somebody else",
            "its machine does not answer; or its database does not, and is not fenced",
            "no login to replicate with is configured, or the primary does not admit it",
            "Galera or group replication decides by itself, or MariaDB and MySQL are mixed",
        ],
        back: "nothing has to be taken back; by hand `stop slave; reset slave all` on it",
        runbook: include_str!("../../assets/runbooks/mysql.rejoin.md"),
    },
    Action {
        id: "mysql.kill",
        title: "End a session of a database, or only its statement",
        usage: "mysql.kill NODE/NUMBER [--only session|statement] [--reason TEXT]",
        danger: Danger::Irreversible,
        confirmation: "the number of the session",
        refused: &[
            "the session belongs to replication or to the server itself",
            "it is being rolled back already",
            "only a statement is to end, and it runs for less than a second",
        ],
        back: "nothing: an ended session does not come back",
        runbook: include_str!("../../assets/runbooks/mysql.kill.md"),
    },
    Action {
        id: "vm.suspend",
        title: "Let a guest stand still, with its memory kept",
        usage: "vm.suspend GUEST [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "the guest's name",
        refused: &GUEST_STOPS,
        back: "vm.resume",
        runbook: include_str!("../../assets/runbooks/vm.suspend.md"),
    },
    Action {
        id: "vm.resume",
        title: "Let a guest go on that stands still",
        usage: "vm.resume GUEST [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "Enter",
        refused: &[
            "no hypervisor has the guest, or several have",
            "the guest is off, or stands still for something that goes on",
        ],
        back: "vm.suspend",
        runbook: include_str!("../../assets/runbooks/vm.resume.md"),
    },
    Action {
        id: "vm.start",
        title: "Switch a guest on where it is defined",
        usage: "vm.start GUEST [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "the guest's name",
        refused: &[
            "no hypervisor has the guest, or several have",
            "a hypervisor cannot be asked whether it runs there",
            "it stands still instead of being off",
            "its hypervisor has not the memory for it",
        ],
        back: "vm.shutdown",
        runbook: include_str!("../../assets/runbooks/vm.start.md"),
    },
    Action {
        id: "vm.shutdown",
        title: "Ask a guest to shut down, and see whether it did",
        usage: "vm.shutdown GUEST [--deadline 60s] [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "the guest's name",
        refused: &GUEST_STOPS,
        back: "vm.start",
        runbook: include_str!("../../assets/runbooks/vm.shutdown.md"),
    },
    Action {
        id: "vm.reset",
        title: "Reset a guest that does not listen any more",
        usage: "vm.reset GUEST [--deadline 60s] [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "the guest's name",
        refused: &GUEST_STOPS,
        back: "nothing: what was only in its memory is lost",
        runbook: include_str!("../../assets/runbooks/vm.reset.md"),
    },
    Action {
        id: "vm.migrate",
        title: "Move a guest to another hypervisor while it runs",
        usage: "vm.migrate GUEST --to NODE [--deadline 10m] [--reason TEXT]",
        danger: Danger::Guest,
        confirmation: "the guest's name",
        refused: &[
            "no hypervisor has the guest, or several have, or one cannot be asked whether it runs there",
            "the guest does not run, its QEMU process does not answer, or something goes on with it",
            "the node is no hypervisor that can be asked, or has no `migration_uri`",
            "a guest with its UUID is there already",
            "it may not run there (`hosts`, `[residency]`), or every machine of its role would be there",
            "it is the primary of the databases, or that is not known",
            "QEMU there is older, or its processor is that of its host as it is",
            "it has snapshots, or devices that stay with their host",
            "the memory is not there",
            "there is no bridge of that name, or no port of it carries the VLAN",
            "there is no storage pool where its disks lie, another guest's disk is in the place, or a shared disk is cached",
        ],
        back: "vm.migrate to the former hypervisor",
        runbook: include_str!("../../assets/runbooks/vm.migrate.md"),
    },
    Action {
        id: "node.drain",
        title: "Take a node out of service, over every layer",
        usage: "node.drain NODE [--deadline 60s] [--on-deadline wait|force|abort] [--reason TEXT]",
        danger: Danger::Node,
        confirmation: "the node's name",
        refused: &[
            "`nodes_out_max` nodes are drained or out of reach already",
            "a server on it is the last usable one of a backend, or less than `capacity_floor_percent` would remain",
            "it is the last node of its role in service",
            "it may hold a virtual address, and no other node in service is fit to (`vip.move` says why)",
            "its database is the last replica in service, or the only one that acknowledges commits",
            "its database is the primary, and no switchover is possible, or no replica would stay besides the new primary",
            "a guest runs on it that cannot move to another hypervisor in service (`vm.migrate` says why)",
        ],
        back: "node.undrain",
        runbook: include_str!("../../assets/runbooks/node.drain.md"),
    },
    Action {
        id: "node.undrain",
        title: "Return a node to service, once it is fit",
        usage: "node.undrain NODE [--deadline 60s] [--reason TEXT]",
        danger: Danger::Node,
        confirmation: "Enter",
        refused: &[
            "vakt cannot reach the node",
            "its database does not replicate from the primary",
            "its keepalived does not run, or its libvirtd does not answer",
        ],
        back: "node.drain",
        runbook: include_str!("../../assets/runbooks/node.undrain.md"),
    },
    Action {
        id: "tune.set",
        title: "Let a setting of databases, of HAProxy, of the kernel or of a port of Open vSwitch have another value",
        usage: "tune.set NODE|ROLE|NODE/PORT SETTING[@PART] VALUE [--persist|--put-back] [--revert-after TIME] [--reason TEXT]",
        danger: Danger::Setting,
        confirmation: "Enter; the target's name where it reaches several servers, or a port, where HAProxy is reloaded, and where it \
                       cannot be undone; the cluster's name where a crash would lose more than before",
        refused: &[
            "vakt does not know the setting; a setting of the kernel where the node has none of the roles that it is for, or a value that \
             would stop a machine from serving",
            "the server does not have it, or needs a restart for it (without `--persist`)",
            "the value is outside of the range, or none of the words, that the server itself states",
            "`innodb_buffer_pool_size`: more than nine tenths of the machine's memory",
            "`max_connections`: no more than are connected",
            "`innodb_io_capacity`, `innodb_io_capacity_max`: they would cross",
            "settings of appliers, on a server that replicates",
            "`haproxy.frontend.maxconn`: clients wait for the frontend, on a HAProxy before 3.1; 0",
            "settings that HAProxy takes from its file only, without `--persist`; with it, when a reload would forget what \
             operators told HAProxy, or limits that were set while it ran",
            "`--persist`: what files say is not known; the file is a symbolic link, or its line no plain text, or one between \
             `.if` and `.endif`; the command line of the server says it",
            "`ovs.…`: the node has no such port or no switch, or vakt has not read it lately; the value is none of the setting; \
             `ovs.link` of a cable to another bridge, or of a tunnel",
            "`ovs.…`, before anything is sent: systemd does not run on the node, or a timer of another change runs there",
            "`--put-back`: no earlier version of the file is kept, or the newest is of another change",
        ],
        back: "tune.set with the former value, and with `--put-back` where a file was changed; a port by itself, on the node, unless \
               somebody says that it stays",
        runbook: include_str!("../../assets/runbooks/tune.set.md"),
    },
];

/// Refuses what makes a guest stop serving.
const GUEST_STOPS: [&str; 8] = [
    "no hypervisor has the guest, or several have",
    "the guest does not run, its QEMU process does not answer, or something goes on with it",
    "it is the last usable server of a backend, or less than `capacity_floor_percent` would remain",
    "it is the last machine of its role that is up",
    "it is the primary of the databases, or that is not known",
    "it holds a virtual address, or may",
    "`vm.shutdown`: it is not defined beyond its run",
    "`vm.reset`: it does not tell the page faults of its kernel, which show that it began anew",
];

/// The action of that id.
pub(crate) fn find(id: &str) -> Option<&'static Action> {
    ALL.iter().find(|action| action.id == id)
}

/// The page about a change.
pub(crate) fn runbook(change: &Change) -> &'static str {
    find(change.id()).map_or("", |action| action.runbook)
}

/// `docs/actions.md`.
pub fn reference() -> String {
    let mut page = String::from(
        "# Actions\n\nEverything that vakt changes, in the console by a key that opens its plan, headless as `vakt do \
         …`. Nothing is sent before the plan is confirmed.\n\nThis page is generated from the registry of actions; a \
         test compares it.\n\nWhere the confirmation is Enter, `confirm = \"always-typed\"` under `[policy]` asks for the \
         server's name instead.\n\nEvery action is refused when:\n\n",
    );
    // Writing into a string cannot fail.
    for reason in REFUSED_ALWAYS {
        let _ = writeln!(page, "- {reason};");
    }
    for action in &ALL {
        let _ = write!(
            page,
            "\n## `{}`\n\n{}.\n\n- Words: `vakt do {}`\n- Reach: {}\n- Confirmation: {}.\n- Refused besides: {}.\n- Back: \
             {}.\n- Runbook: `assets/runbooks/{}.md`\n",
            action.id,
            action.title,
            action.usage,
            action.danger.words(),
            action.confirmation,
            action.refused.join("; "),
            action.back,
            action.id,
        );
    }
    page
}
