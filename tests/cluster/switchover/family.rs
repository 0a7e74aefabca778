//! The lab's databases in the words of either family, past vakt: who follows whom, how far each is, and how one is set.

use super::scene::{is_mariadb, sql};
use crate::cluster::lab;
use vakt::model::mysql::gtid::MysqlGtids;

/// A place of the database's own in a node.
pub(in crate::cluster) fn unit() -> &'static str {
    if is_mariadb() { "mariadb.service" } else { "mysql.service" }
}

/// The name of its process.
pub(in crate::cluster) fn process() -> &'static str {
    if is_mariadb() { "mariadbd" } else { "mysqld" }
}

/// A file that is read last, and the setting in it that would make a server writable.
pub(in crate::cluster) fn file_that_makes_writable() -> (&'static str, &'static str) {
    if is_mariadb() {
        ("/etc/mysql/mariadb.conf.d/99-writable.cnf", "read_only = 0")
    } else {
        ("/etc/mysql/mysql.conf.d/zzz-writable.cnf", "super_read_only = 0")
    }
}

/// The statement in that family's words.
fn either(of_mariadb: &'static str, of_mysql: &'static str) -> &'static str {
    if is_mariadb() { of_mariadb } else { of_mysql }
}

/// Whether a server replicates from that host, both threads running.
pub(in crate::cluster) fn follows(node: &str, host: &str) -> bool {
    let script = "$(command -v mariadb || command -v mysql) -Ee \"$0\"";
    let status = lab::answer(&["exec", node, "sh", "-c", script, show()]);
    let says = |line: String| status.lines().any(|said| said.trim() == line);
    let (source, side) = if is_mariadb() { ("Master", "Slave") } else { ("Source", "Replica") };
    says(format!("{source}_Host: {host}"))
        && says(format!("{side}_IO_Running: Yes"))
        && says(format!("{side}_SQL_Running: Yes"))
}

pub(super) fn show() -> &'static str {
    either("show slave status", "show replica status")
}

/// No writes, and commits wait for nobody.
pub(super) fn at_rest() -> &'static str {
    either(
        "set global read_only=1; set global rpl_semi_sync_master_enabled=0",
        "set global super_read_only=1; set global rpl_semi_sync_source_enabled=0",
    )
}

/// Takes writes, and waits for acknowledgements.
pub(super) fn in_service() -> &'static str {
    either(
        "set global rpl_semi_sync_master_enabled=1; set global read_only=0",
        "set global rpl_semi_sync_source_enabled=1; set global read_only=0",
    )
}

/// Replicates from nobody any more.
pub(in crate::cluster) fn forget() -> &'static str {
    either("stop slave; reset slave all", "stop replica; reset replica all")
}

/// Where a server stands, whether it was the primary or a replica last.
const OWN: &str = "if(@@gtid_slave_pos = @@gtid_current_pos, @@gtid_slave_pos, @@gtid_binlog_pos)";

/// Replicates from that host.
pub(super) fn follow(node: &str, host: &str) {
    if is_mariadb() {
        let change = format!(
            "change master to master_host='{host}', master_port=3306, master_user='replica', \
             master_password='lab-replica', master_use_gtid=slave_pos, master_connect_retry=1, master_heartbeat_period=1"
        );
        sql(node, &format!("stop slave; set global gtid_slave_pos={OWN}; {change}; start slave"));
    } else {
        let change = format!(
            "change replication source to source_host='{host}', source_port=3306, source_user='replica', \
             source_password='lab-replica', source_auto_position=1, get_source_public_key=1, source_connect_retry=1, \
             source_heartbeat_period=1"
        );
        sql(node, &format!("stop replica; {change}; start replica"));
    }
}

/// Every transaction that a MySQL server has.
fn executed(node: &str) -> MysqlGtids {
    // The client prints a line break as two characters.
    sql(node, "select @@global.gtid_executed").replace("\\n", "").parse().unwrap()
}

/// How far a server is, to find the furthest.
pub(super) fn last(node: &str) -> u64 {
    if !is_mariadb() {
        return executed(node).count();
    }
    let position = sql(node, "select @@gtid_current_pos");
    position.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Waits until a server has all that the other one has now.
pub(in crate::cluster) fn wait_for_all_of(node: &str, other: &str) {
    let waited = if is_mariadb() {
        let position = sql(other, "select @@gtid_current_pos");
        sql(node, &format!("select master_gtid_wait('{position}', 30)"))
    } else {
        sql(node, &format!("select wait_for_executed_gtid_set('{}', 30)", executed(other)))
    };
    assert_eq!(waited, "0", "{node} does not get what {other} has: {}", sql(node, show()));
}

/// The last transaction that a server wrote, as another one knows it.
fn written_by(writer: &str, on: &str) -> u64 {
    let id = sql(writer, "select @@server_id");
    let state = sql(on, "select @@gtid_binlog_state");
    let own = state.split(',').filter_map(|one| one.strip_prefix(&format!("0-{id}-")));
    own.filter_map(|number| number.parse().ok()).max().unwrap_or(0)
}

/// A primary that was killed may have written what nobody else has and no client was told of: it goes, or the server
/// could not follow.
pub(super) fn take_back(node: &str, furthest: &str) {
    if is_mariadb() {
        let known = written_by(node, furthest);
        // Whoever was rebuilt knows only the newest transaction of the others.
        if known != 0 && written_by(node, node) > known {
            take_rows_back(node, furthest, "");
            let id = sql(node, "select @@server_id");
            sql(
                node,
                &format!("stop slave; reset slave all; reset master; set global gtid_slave_pos='0-{id}-{known}'"),
            );
        }
        return;
    }
    let (own, other) = (executed(node), executed(furthest));
    let surplus = own.subtract(&other);
    if !surplus.is_empty() {
        take_rows_back(node, furthest, "set global super_read_only=0; ");
        let known = own.subtract(&surplus);
        sql(
            node,
            &format!(
                "stop replica; reset replica all; reset binary logs and gtids; set global gtid_purged='{known}'; \
                 set global super_read_only=1"
            ),
        );
    }
}

fn take_rows_back(node: &str, furthest: &str, first: &str) {
    let recent = "select id from lab.writes order by id desc limit 20000";
    let kept: Vec<String> = sql(furthest, recent).lines().map(str::to_owned).collect();
    let own = sql(node, recent);
    let surplus = own.lines().filter(|id| !kept.iter().any(|other| other == id)).filter(|id| !id.is_empty());
    let since = kept.iter().min().cloned().unwrap_or_default();
    let surplus: Vec<&str> = surplus.filter(|id| *id >= since.as_str()).collect();
    if !surplus.is_empty() {
        sql(node, &format!("{first}set sql_log_bin=0; delete from lab.writes where id in ({})", surplus.join(",")));
    }
}
