//! Every named fault of the lab, what proves it, and what vakt must say about it.

use std::time::Duration;

/// A fault of `lab fault`.
pub(super) struct Row {
    /// Its name there.
    pub(super) fault: &'static str,
    /// The node that has it.
    pub(super) node: &'static str,
    /// Asked with the daemon's own tool: a node, and a script for its shell. The answers are put one after the other.
    pub(super) ask: &'static [(&'static str, &'static str)],
    /// Whether the answer shows the fault.
    pub(super) there: fn(&str) -> bool,
    /// What must be found.
    pub(super) finding: Expected,
}

/// A finding.
pub(super) struct Expected {
    /// It is first on the list, and its rule is one of these: which one depends on what is seen first.
    pub(super) rules: &'static [&'static str],
    /// Part of its subject.
    pub(super) subject: &'static str,
    /// Rules that may have findings below it although nobody says that they follow from it: they are true as well.
    pub(super) symptoms: &'static [&'static str],
    /// From the moment the fault is there.
    pub(super) seen_within: Duration,
    /// From the moment it is healed until nothing is found any more.
    pub(super) gone_within: Duration,
}

impl Expected {
    const fn new(rules: &'static [&'static str], subject: &'static str) -> Self {
        Self {
            rules,
            subject,
            symptoms: &[],
            seen_within: Duration::from_secs(5),
            gone_within: Duration::from_secs(30),
        }
    }
}

/// The fault that happens and is over: the kernel's counter stays, and so does the finding, for ten minutes. So it is
/// the last one.
pub(super) const ONCE: &str = "oom";

/// Round trips are measured every so often (private_network_ms), and two whole rounds end a cut, five end other loss.
const LOSS_FORGOTTEN: Duration = Duration::from_secs(90);
/// One look at sockets (services_ms) and a moment.
const LISTENERS: Duration = Duration::from_secs(7);
/// One look at certificates (certificates_ms of the lab's configuration) and a moment.
const CERTIFICATES: Duration = Duration::from_secs(13);

/// The client of whichever database a flavour has.
macro_rules! sql {
    ($statement:literal) => {
        concat!("$(command -v mariadb || command -v mysql) -NBe \"", $statement, "\"")
    };
}

/// In the order of the issue, as far as can be.
pub(super) const TABLE: &[Row] = &[
    Row {
        fault: "replica-stop",
        node: "db02",
        ask: &[("db02", "$(command -v mariadb || command -v mysql) -Ee 'SHOW REPLICA STATUS'")],
        there: |answer| answer.contains("IO_Running: No") && answer.contains("SQL_Running: No"),
        finding: Expected::new(&["mysql.replication.stopped"], "db02"),
    },
    Row {
        fault: "replica-lag",
        node: "db03",
        ask: &[("db03", "$(command -v mariadb || command -v mysql) -Ee 'SHOW REPLICA STATUS' | grep Seconds_Behind")],
        there: |answer| number_after(answer, ": ") >= 2.0,
        finding: Expected::new(&["mysql.replication.lag"], "db03"),
    },
    Row {
        fault: "two-writable",
        node: "db02",
        ask: &[("db01", sql!("SELECT @@read_only")), ("db02", sql!("SELECT @@read_only"))],
        there: |answer| answer.lines().eq(["0", "0"]),
        finding: Expected::new(&["mysql.two_writable"], "databases"),
    },
    Row {
        fault: "errant",
        node: "db02",
        ask: &[
            ("db02", sql!("SHOW GLOBAL VARIABLES LIKE 'server_uuid'")),
            ("db02", sql!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('gtid_binlog_pos', 'gtid_executed')")),
        ],
        there: has_a_transaction_of_its_own,
        finding: Expected::new(&["mysql.errant"], "db02"),
    },
    Row {
        fault: "semisync-none",
        node: "db01",
        ask: &[("db01", sql!("SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%_clients'"))],
        there: |answer| number_after(answer, "clients\t") == 0.0,
        finding: Expected::new(&["mysql.semi_sync"], "db01"),
    },
    Row {
        fault: "disk-slow",
        node: "db03",
        ask: &[(
            "db03",
            // As a unit of the node: what is only entered from outside is not held back.
            "systemd-run --quiet --wait --pipe sh -c 'cd /var/lib/mysql && \
             LC_ALL=C dd if=/dev/zero of=.lab-probe bs=4k count=1 oflag=direct 2>&1; rm .lab-probe'",
        )],
        there: |answer| number_after(answer, "copied, ") > 0.1,
        finding: Expected {
            symptoms: &["host.iowait", "host.io_pressure", "host.blocked_tasks", "mysql.replication.lag", "mysql.redo"],
            ..Expected::new(&["mysql.disk"], "db03")
        },
    },
    Row {
        fault: "row-locks",
        node: "db01",
        ask: &[("db01", sql!("SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"))],
        there: |answer| answer.trim() == "8",
        finding: Expected::new(&["mysql.row_locks"], "db01"),
    },
    Row {
        fault: "vip-twice",
        node: "lb02",
        ask: &[("lb01", "ip -o addr show to 10.10.0.100"), ("lb02", "ip -o addr show to 10.10.0.100")],
        there: |answer| answer.lines().count() == 2,
        finding: Expected::new(&["vip.duplicate"], "100"),
    },
    Row {
        fault: "port-down",
        node: "kvm01",
        ask: &[("kvm01", "ovs-vsctl get interface $(ovs-vsctl list-ports br-int | grep vnet) admin_state")],
        there: |answer| answer.trim() == "down",
        finding: Expected::new(&["ovs.port.down"], "kvm01 br-int/vnet"),
    },
    Row {
        fault: "port-drops",
        node: "kvm02",
        ask: &[("kvm02", "for n in 1 2; do ovs-ofctl dump-ports br-int priv0 | grep 'rx pkts'; sleep 1; done")],
        there: |answer| {
            let drops: Vec<f64> = answer.lines().map(|line| number_after(line, "drop=")).collect();
            drops[1] > drops[0]
        },
        finding: Expected {
            symptoms: &["private_network.loss"],
            gone_within: LOSS_FORGOTTEN,
            ..Expected::new(&["ovs.drops"], "kvm02 br-int/priv0")
        },
    },
    Row {
        fault: "tag-mismatch",
        node: "kvm02",
        ask: &[("kvm02", "ovs-vsctl get port priv0 tag")],
        there: |answer| answer.trim() == "11",
        finding: Expected {
            symptoms: &["private_network.loss"],
            gone_within: LOSS_FORGOTTEN,
            ..Expected::new(&["ovs.vlan_mismatch"], "kvm02 br-int/priv0")
        },
    },
    Row {
        fault: "vswitchd-kill",
        node: "kvm01",
        ask: &[("kvm01", "systemctl is-active ovs-vswitchd; ovs-vsctl list-br")],
        there: |answer| answer.starts_with("failed") && answer.contains("br-int"),
        finding: Expected {
            symptoms: &["private_network.loss"],
            gone_within: LOSS_FORGOTTEN,
            ..Expected::new(&["ovs.daemon.dead"], "kvm01")
        },
    },
    Row {
        fault: "libvirtd-freeze",
        node: "kvm02",
        ask: &[("kvm02", "timeout 2 virsh list || echo \"code $?\"")],
        there: |answer| answer.contains("code 124"),
        finding: Expected::new(&["libvirt.silent"], "kvm02"),
    },
    Row {
        fault: "guest-pause",
        node: "kvm01",
        ask: &[("kvm01", "virsh domstate app01")],
        there: |answer| answer.starts_with("paused"),
        finding: Expected::new(&["vm.paused"], "app01"),
    },
    Row {
        fault: "memcached-dead",
        node: "web01",
        ask: &[("web01", "systemctl is-active memcached; ss -Hltn 'sport = :11211'")],
        there: |answer| answer.trim() == "failed",
        finding: Expected::new(&["memcached.down"], "web01"),
    },
    Row {
        fault: "public-listener",
        node: "lb02",
        ask: &[("lb02", "ss -Hltn 'sport = :11211'")],
        there: |answer| answer.contains("203.0.113.12:11211"),
        finding: Expected { seen_within: LISTENERS, ..Expected::new(&["exposure.public_listener"], "lb02 port 11211") },
    },
    Row {
        fault: "vrrp-fault",
        node: "lb02",
        ask: &[("lb02", "cat /sys/class/net/pub0/operstate; journalctl -qu keepalived -n 20 -o cat | grep Entering")],
        there: |answer| answer.starts_with("down") && answer.contains("FAULT"),
        finding: Expected::new(&["vip.fault"], "lb02 edge"),
    },
    Row {
        fault: "stats-full",
        node: "lb02",
        ask: &[("lb02", "echo 'show info' | timeout 1 socat -t1 - UNIX-CONNECT:/run/haproxy/admin.sock")],
        there: |answer| answer.is_empty(),
        finding: Expected {
            seen_within: LISTENERS,
            symptoms: &["haproxy.unreadable"],
            ..Expected::new(&["haproxy.stats_full"], "lb02")
        },
    },
    Row {
        fault: "spike",
        node: "lb01",
        ask: &[("lb01", "echo 'show info' | socat - UNIX-CONNECT:/run/haproxy/admin.sock | grep ^SessRate:")],
        there: |answer| number_after(answer, "SessRate: ") >= 100.0,
        finding: Expected::new(&["traffic.spike"], ""),
    },
    Row {
        fault: "cert-expiring",
        node: "lb01",
        ask: &[(
            "lb01",
            "openssl s_client -connect 127.0.0.1:443 </dev/null 2>/dev/null | openssl x509 -noout -checkend 604800",
        )],
        there: |answer| answer.contains("will expire"),
        finding: Expected { seen_within: CERTIFICATES, ..Expected::new(&["certificate.expiring"], "www.lab.example") },
    },
    Row {
        fault: ONCE,
        node: "web02",
        ask: &[("web02", "grep oom_kill /proc/vmstat")],
        there: |answer| number_after(answer, "oom_kill ") >= 1.0,
        finding: Expected::new(&["host.oom_kill"], "web02"),
    },
];

/// The number behind the first `mark`; not a number where there is none.
fn number_after(text: &str, mark: &str) -> f64 {
    let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().unwrap_or(f64::NAN)
}

/// MariaDB: in a domain that nobody else has. MySQL: under the server's own identity, though it is a replica.
fn has_a_transaction_of_its_own(answer: &str) -> bool {
    let value = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or_default();
    let own = value("server_uuid\t");
    value("gtid_binlog_pos\t").contains("77-") || (!own.is_empty() && value("gtid_executed\t").contains(own))
}
