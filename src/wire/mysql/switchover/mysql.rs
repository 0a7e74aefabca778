//! What a switchover asks of MySQL, in its words (8.0.22 and later).
//!
//! Sessions are read from the performance schema: the table of the information schema that MariaDB has is on its way out,
//! and takes a lock that holds sessions up. Where the performance schema is off its tables are empty, and everything that
//! would be read from them is NULL, which is unknown: an empty table must not mean that nobody is there.

use crate::model::mysql::LEASE;

/// What it replicates from.
pub(super) const CHANNELS: &str = "show replica status";

/// With `super_read_only` nobody writes, administrators included.
pub(super) const ACCOUNTS: &str = "select t.processlist_user as user, count(*) as sessions, \
    t.processlist_user = substring_index(current_user(), '@', 1) as own, 0 as passes from performance_schema.threads t \
    where t.type = 'FOREGROUND' and t.name not like 'thread/sql/replica%' and t.name not like 'thread/sql/slave%' \
    and t.processlist_id <> connection_id() and t.processlist_user not in ('system user', 'event_scheduler', 'unauthenticated user') \
    and t.processlist_command not like 'Binlog Dump%' group by t.processlist_user \
    union all select null, null, null, null from dual where @@performance_schema = 0 limit 200";

/// Accounts that may replicate from it.
pub(super) const REPLICATORS: &str = "select trim(both '''' from substring_index(grantee, '@', 1)) as user, \
    trim(both '''' from substring_index(grantee, '@', -1)) as host from information_schema.USER_PRIVILEGES \
    where privilege_type = 'REPLICATION SLAVE' and (select count(*) from mysql.user) > 0 limit 500";

/// Threads of replication bear the name of whoever started it: only what they are called tells them from clients.
const NOT_REPLICATION: &str = "name not like 'thread/sql/replica%' and name not like 'thread/sql/slave%'";

/// Where it stands.
pub(super) fn state() -> String {
    format!(
        "select @@global.read_only as read_only, @@global.super_read_only as super_read_only, \
         @@global.gtid_executed as gtid_executed, @@global.gtid_purged as gtid_purged, is_used_lock('{LEASE}') as lease"
    )
}

/// What goes on there. A transaction that began after the statement did, on a busy machine, would have a negative age. Its
/// replication filters, which are no variables here, are read with it.
pub(super) fn work() -> String {
    let counted = |condition: &str| {
        format!(
            "(select count(*) from performance_schema.threads where type = 'FOREGROUND' and {NOT_REPLICATION} \
             and processlist_id <> connection_id() and {condition})"
        )
    };
    let seen = |what: &str| format!("if(@@performance_schema, {what}, null)");
    let status = |name: &str| {
        format!(
            "(select variable_value from performance_schema.global_status where variable_name in \
             ('Rpl_semi_sync_source_{name}', 'Rpl_semi_sync_master_{name}') limit 1)"
        )
    };
    let changes: Vec<String> =
        ["alter ", "create index", "optimize ", "rename ", "truncate ", "repair ", "clone ", "lock instance"]
            .map(|word| format!("processlist_info like '{word}%'"))
            .into();
    format!(
        "select (select greatest(0, coalesce(max(timestampdiff(second, trx_started, now())), 0)) \
         from information_schema.INNODB_TRX t \
         left join performance_schema.threads p on p.processlist_id = t.trx_mysql_thread_id \
         where trx_rows_modified > 0 and (p.name is null or {NOT_REPLICATION})) as transaction_s, \
         {} as statement_s, {} as metadata_waits, {} as definition_changes, \
         (select count(*) from information_schema.EVENTS where status = 'ENABLED') as events, \
         {} as semi_sync_active, {} as semi_sync_clients, \
         coalesce((select group_concat(filter_name, '=', filter_rule separator ' ') from \
         (select filter_name, filter_rule from performance_schema.replication_applier_filters \
         union select filter_name, filter_rule from performance_schema.replication_applier_global_filters) f), '') \
         as filters, \
         is_used_lock('MHA_Master_High_Availability_Monitor') as mha, \
         (select 1 from information_schema.SCHEMATA where schema_name = 'mysql_innodb_cluster_metadata') as shell, \
         nullif({}, 0) as orchestrator, nullif({}, 0) as replication_manager",
        seen(&format!(
            "(select greatest(0, coalesce(max(processlist_time), 0)) from performance_schema.threads where type = 'FOREGROUND' \
             and {NOT_REPLICATION} and processlist_command in ('Query', 'Execute') and processlist_id <> connection_id())"
        )),
        seen(&counted("processlist_state like 'Waiting for table metadata lock%'")),
        seen(&counted(&format!("({})", changes.join(" or ")))),
        status("status"),
        status("clients"),
        counted("processlist_user like 'orchestrator%'"),
        counted("(processlist_user like 'repman%' or processlist_user like 'replication-manager%')"),
    )
}
