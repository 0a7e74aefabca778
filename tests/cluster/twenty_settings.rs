//! Twenty settings of four technologies, all changed at once: they last when their daemons start anew, and going back leaves
//! every file as it was, byte for byte.

use super::{
    lab::{Lab, answer, until},
    ports::{IDLE as PORT, IdlePort, NODE as SWITCH},
};
use crate::program::now;
use std::time::Duration;

const DATABASE: &str = "db03";
const BALANCER: &str = "lb02";
const WEB: &str = "web01";

/// One setting: where, which, and the value that it is given.
struct Row {
    target: &'static str,
    key: &'static str,
    value: &'static str,
    /// How the daemon itself, or its file, says what it is.
    asks: fn(&Row) -> String,
}

impl Row {
    const fn new(target: &'static str, key: &'static str, value: &'static str, asks: fn(&Self) -> String) -> Self {
        Self { target, key, value, asks }
    }

    fn name(&self) -> &str {
        self.key.rsplit('.').next().unwrap()
    }

    fn is_port(&self) -> bool {
        self.key.starts_with("ovs.")
    }
}

fn on(node: &str, script: &str) -> String {
    answer(&["exec", node, "sh", "-c", script]).trim().to_owned()
}

fn variable(row: &Row) -> String {
    let said = on(row.target, &format!("$(command -v mariadb || command -v mysql) -NBe 'select @@global.{}'", row.key));
    // `90.000000`
    said.trim_end_matches('0').strip_suffix('.').map_or(said.clone(), str::to_owned)
}

fn sysctl(row: &Row) -> String {
    on(row.target, &format!("sysctl -n {}", row.key))
}

fn port(row: &Row) -> String {
    let table = if row.name() == "tag" { "port" } else { "interface" };
    on(SWITCH, &format!("ovs-vsctl get {table} {PORT} {}", row.name())).replace("[]", "none")
}

fn socket(command: &str) -> String {
    on(BALANCER, &format!("echo '{command}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"))
}

fn info(row: &Row) -> String {
    let name = if row.key.contains("session") { "SessRateLimit: " } else { "ConnRateLimit: " };
    socket("show info").lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
}

/// A limit in `show stat`: of `http_front`, or of `web_cluster/web03`.
fn limit(row: &Row) -> String {
    let table = socket("show stat");
    let columns: Vec<&str> = table.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
    let column = if row.key.contains("fall") { "check_fall" } else { "slim" };
    let place = columns.iter().position(|name| *name == column).unwrap();
    let wanted = if row.key.contains("frontend") { "http_front,FRONTEND," } else { "web_cluster,web03," };
    table.lines().find(|line| line.starts_with(wanted)).unwrap().split(',').nth(place).unwrap().to_owned()
}

/// What HAProxy takes from its file only: the word that follows there, of the process that runs with it.
fn line(row: &Row) -> String {
    let of = |line: &str| format!("sed -n 's/^ *{line} *\\([0-9a-z]*\\).*/\\1/p'");
    let script = if row.key.contains("inter") {
        // Where the server has none of its own, that of its backend counts, which stands above.
        format!(
            "sed -n '/^backend web_cluster/,/server web02/p' /etc/haproxy/haproxy.cfg | {} | tail -n 1",
            of("[a-z-]*server .* inter")
        )
    } else {
        format!("{} /etc/haproxy/haproxy.cfg | head -n 1", of("timeout connect"))
    };
    on(BALANCER, &script)
}

const ROWS: [Row; 20] = [
    Row::new(DATABASE, "max_connections", "220", variable),
    Row::new(DATABASE, "innodb_lru_scan_depth", "2048", variable),
    Row::new(DATABASE, "innodb_io_capacity_max", "22000", variable),
    Row::new(DATABASE, "innodb_io_capacity", "11000", variable),
    Row::new(DATABASE, "innodb_max_dirty_pages_pct", "85", variable),
    Row::new(BALANCER, "haproxy.server.maxconn@web_cluster/web03", "150", limit),
    Row::new(BALANCER, "haproxy.frontend.maxconn@http_front", "1200", limit),
    Row::new(BALANCER, "haproxy.connection_rate", "900", info),
    Row::new(BALANCER, "haproxy.session_rate", "800", info),
    Row::new(BALANCER, "haproxy.server.fall@web_cluster", "3", limit),
    Row::new(BALANCER, "haproxy.timeout.connect@defaults", "1500ms", line),
    Row::new(BALANCER, "haproxy.server.inter@web_cluster/web02", "700ms", line),
    Row::new(WEB, "net.core.somaxconn", "8192", sysctl),
    Row::new(WEB, "net.ipv4.tcp_max_syn_backlog", "4096", sysctl),
    Row::new(BALANCER, "net.ipv4.ip_nonlocal_bind", "1", sysctl),
    Row::new(BALANCER, "net.ipv4.tcp_tw_reuse", "1", sysctl),
    Row::new("kvm02/lab-idle", "ovs.tag", "77", port),
    Row::new("kvm02/lab-idle", "ovs.mtu_request", "1400", port),
    Row::new("kvm02/lab-idle", "ovs.ingress_policing_rate", "10000", port),
    Row::new("kvm02/lab-idle", "ovs.ingress_policing_burst", "1000", port),
];

/// Every file that may be changed, with checksum, mode, owner and time, and every setting of the port.
fn files() -> String {
    let script = "cd /etc && find mysql haproxy sysctl.d sysctl.conf -type f 2>/dev/null | sort | while read -r f; do sha256sum $f; \
                  stat -c '%a %U %G %Y' $f; done";
    let port = format!(
        "ovs-vsctl --columns=tag,trunks list port {PORT}; ovs-vsctl --columns=mtu_request,ingress_policing_rate,ingress_policing_burst \
         list interface {PORT}; ls -d /var/lib/vakt-countdown /etc/systemd/system/vakt* 2>/dev/null; true"
    );
    let nodes = [DATABASE, BALANCER, WEB].map(|node| on(node, script));
    [&nodes[..], &[on(SWITCH, &port)]].concat().join("\n")
}

/// Sets a value and, where it would go back by itself, says the word that keeps it.
fn set(lab: &Lab, row: &Row, value: &str, more: &[&str]) {
    let words = ["do", "tune.set", row.target, row.key, value, "--yes", "--reason", "test"];
    let timer = ["--revert-after", "60s", "--detach"];
    let done = lab.vakt(&[&words[..], if row.is_port() { &timer } else { more }].concat());
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert_eq!(done.status.code(), Some(0), "{} {value}: {said}", row.key);
    if row.is_port() {
        let newest = || {
            let listed = lab.vakt(&["runs", "list", "--json"]);
            let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
            listed["runs"][0].clone()
        };
        until("the change waits for a word", Duration::from_secs(30), || newest()["goes_back_at"].is_string());
        let kept = lab.vakt(&["runs", "keep", newest()["id"].as_str().unwrap()]);
        assert_eq!(kept.status.code(), Some(0), "{}: {}", row.key, String::from_utf8_lossy(&kept.stderr));
    }
}

#[test]
#[ignore = "takes minutes: ./dev soak settings"]
fn twenty_settings_last_and_go_without_a_trace() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let _port = IdlePort::add();
    let said = |row: &Row| (row.asks)(row);
    let (before, start) = (files(), now());
    let formers: Vec<String> = ROWS.iter().map(said).collect();
    for row in &ROWS {
        set(&lab, row, row.value, &["--persist"]);
        assert_eq!(said(row), row.value, "{}", row.key);
    }
    for (node, script) in [
        (DATABASE, "systemctl restart mariadb 2>/dev/null || systemctl restart mysql"),
        (
            BALANCER,
            "systemctl restart haproxy; sysctl -qw net.ipv4.ip_nonlocal_bind=0; systemctl restart systemd-sysctl",
        ),
        (WEB, "sysctl -qw net.core.somaxconn=128; systemctl restart systemd-sysctl"),
        (SWITCH, "systemctl restart ovs-vswitchd"),
    ] {
        on(node, script);
    }
    let mut watch = lab.watch();
    for row in &ROWS {
        let what = format!("{} is still {}", row.key, row.value);
        watch.until(&what, Duration::from_secs(60), |_| said(row) == row.value);
    }
    println!("{} settings changed, kept and there after a restart: {:.0?}", ROWS.len(), start.elapsed());
    watch.until("HAProxy serves and the replica applies", Duration::from_secs(60), |document| {
        let serves =
            socket("show stat").lines().any(|line| line.starts_with("web_cluster,BACKEND") && line.contains(",UP,"));
        let replicas = document["mysql"].as_array().unwrap();
        let replica = replicas.iter().find(|row| row["node"] == DATABASE).unwrap();
        serves && replica["channels"][0]["receiver"] == "running"
    });
    // A file's newest former version is that of its last change.
    for (row, former) in ROWS.iter().zip(&formers).rev() {
        set(&lab, row, former, &["--put-back"]);
        assert_eq!(&said(row), former, "{}", row.key);
    }
    assert_eq!(files(), before);
    println!("and gone without a trace: {:.0?}", start.elapsed());
}
