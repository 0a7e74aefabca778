//! What a switchover asks of MariaDB, in its words.

use crate::model::mysql::LEASE;

/// What it replicates from.
pub(super) const CHANNELS: &str = "show all slaves status";

/// Who may write although a server is read-only stands in tables that not every login may read: without them there is no
/// answer at all, because an empty one would mean "nobody".
pub(super) const ACCOUNTS: &str = "select p.user as user, count(*) as sessions, \
    p.user = substring_index(current_user(), '@', 1) as own, \
    exists (select 1 from information_schema.USER_PRIVILEGES g where g.privilege_type in ('READ_ONLY ADMIN', 'READ ONLY ADMIN') \
    and g.grantee like concat('''', p.user, '''@%')) as passes \
    from information_schema.PROCESSLIST p where p.user not in ('system user', 'event_scheduler', 'unauthenticated user') \
    and p.command not like 'Binlog Dump%' and p.id <> connection_id() \
    and (select count(*) from mysql.global_priv) > 0 group by p.user limit 200";

/// Accounts that may replicate from it.
pub(super) const REPLICATORS: &str = "select trim(both '''' from substring_index(grantee, '@', 1)) as user, \
    trim(both '''' from substring_index(grantee, '@', -1)) as host from information_schema.USER_PRIVILEGES \
    where privilege_type = 'REPLICATION SLAVE' and (select count(*) from mysql.global_priv) > 0 limit 500";

/// Where it stands.
pub(super) fn state() -> String {
    format!(
        "select @@global.read_only as read_only, @@global.gtid_binlog_state as gtid_binlog_state, \
         @@global.gtid_current_pos as gtid_current_pos, is_used_lock('{LEASE}') as lease"
    )
}

/// What goes on there.
pub(super) fn work() -> String {
    let sessions = |condition: &str| {
        format!("(select count(*) from information_schema.PROCESSLIST where id <> connection_id() and {condition})")
    };
    let status = |name: &str| {
        format!("(select variable_value from information_schema.GLOBAL_STATUS where variable_name = '{name}')")
    };
    let changes: Vec<String> =
        ["alter ", "create index", "optimize ", "rename ", "truncate ", "repair ", "backup stage"]
            .map(|word| format!("info like '{word}%'"))
            .into();
    format!(
        "select (select greatest(0, coalesce(max(timestampdiff(second, trx_started, now())), 0)) \
         from information_schema.INNODB_TRX t \
         join information_schema.PROCESSLIST p on p.id = t.trx_mysql_thread_id \
         where trx_rows_modified > 0 and p.user <> 'system user') as transaction_s, \
         (select greatest(0, coalesce(max(time), 0)) from information_schema.PROCESSLIST where command in ('Query', 'Execute') \
         and user <> 'system user' and id <> connection_id()) as statement_s, \
         {} as metadata_waits, {} as definition_changes, \
         (select count(*) from information_schema.EVENTS where status = 'ENABLED') as events, \
         {} as semi_sync_active, {} as semi_sync_clients, \
         is_used_lock('maxscale_mariadbmonitor') as maxscale, \
         is_used_lock('maxscale_mariadbmonitor_master') as maxscale_primary, \
         is_used_lock('MHA_Master_High_Availability_Monitor') as mha, \
         nullif({}, 0) as orchestrator, nullif({}, 0) as replication_manager",
        sessions("state like 'Waiting for table metadata lock%'"),
        sessions(&format!("({})", changes.join(" or "))),
        status("RPL_SEMI_SYNC_MASTER_STATUS"),
        status("RPL_SEMI_SYNC_MASTER_CLIENTS"),
        sessions("user like 'orchestrator%'"),
        sessions("(user like 'repman%' or user like 'replication-manager%')"),
    )
}
