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

/// What goes on there. Each list is walked once: a server with a thousand sessions is asked, too.
pub(super) fn work() -> String {
    let counted = |condition: &str| format!("coalesce(sum(p.id <> connection_id() and {condition}), 0)");
    let status = |name: &str| format!("max(case when variable_name = '{name}' then variable_value end)");
    let changes: Vec<String> =
        ["alter ", "create index", "optimize ", "rename ", "truncate ", "repair ", "backup stage"]
            .map(|word| format!("p.info like '{word}%'"))
            .into();
    format!(
        "select w.*, s.*, (select count(*) from information_schema.EVENTS where status = 'ENABLED') as events, \
         is_used_lock('maxscale_mariadbmonitor') as maxscale, \
         is_used_lock('maxscale_mariadbmonitor_master') as maxscale_primary, \
         is_used_lock('MHA_Master_High_Availability_Monitor') as mha from \
         (select greatest(0, coalesce(max(case when t.trx_rows_modified > 0 and p.user <> 'system user' \
         then timestampdiff(second, t.trx_started, now()) end), 0)) as transaction_s, \
         greatest(0, coalesce(max(case when p.command in ('Query', 'Execute') and p.user <> 'system user' \
         and p.id <> connection_id() then p.time end), 0)) as statement_s, \
         {} as metadata_waits, {} as definition_changes, \
         nullif({}, 0) as orchestrator, nullif({}, 0) as replication_manager \
         from information_schema.PROCESSLIST p \
         left join information_schema.INNODB_TRX t on t.trx_mysql_thread_id = p.id) w, \
         (select {} as semi_sync_active, {} as semi_sync_clients from information_schema.GLOBAL_STATUS \
         where variable_name in ('RPL_SEMI_SYNC_MASTER_STATUS', 'RPL_SEMI_SYNC_MASTER_CLIENTS')) s",
        counted("p.state like 'Waiting for table metadata lock%'"),
        counted(&format!("({})", changes.join(" or "))),
        counted("p.user like 'orchestrator%'"),
        counted("(p.user like 'repman%' or p.user like 'replication-manager%')"),
        status("RPL_SEMI_SYNC_MASTER_STATUS"),
        status("RPL_SEMI_SYNC_MASTER_CLIENTS"),
    )
}
