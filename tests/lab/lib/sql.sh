# shellcheck shell=bash
# Statements for the databases of the lab. A flavour brings MariaDB or MySQL: which one is found out
# by looking, and what they call differently is a word of this table.

declare -A SQL_WORDS=()

load_sql_words() {
    ((${#SQL_WORDS[@]} == 0)) || return 0
    if [[ -e $(base_root)/usr/sbin/mariadbd ]]; then
        SQL_WORDS=(
            [client]=mariadb [read_only]=read_only [semisync_primary]=rpl_semi_sync_master
            [semisync_replica]=rpl_semi_sync_slave [position]=@@gtid_binlog_pos [source]=Master
        )
    else
        SQL_WORDS=(
            [client]=mysql [read_only]=super_read_only [semisync_primary]=rpl_semi_sync_source
            [semisync_replica]=rpl_semi_sync_replica [position]=@@gtid_executed [source]=Source
        )
    fi
}

sql_word() {
    load_sql_words
    printf '%s\n' "${SQL_WORDS[$1]}"
}

is_mariadb() { [[ $(sql_word client) == mariadb ]]; }

# sql NODE STATEMENTS: rows without a header. A server that hangs costs ten seconds.
sql() { in_node "$1" timeout 10 "$(sql_word client)" -NBe "$2"; }

# Without the binary log: only this server is changed.
sql_unlogged() { sql "$1" "SET SESSION sql_log_bin = 0; $2"; }

# Both dialects have known this name of the statement for years. `-E` prints a line a column.
replica_status() { in_node "$1" timeout 5 "$(sql_word client)" -Ee 'SHOW REPLICA STATUS'; }

is_replica() { [[ -n $(replica_status "$1") ]]; }

# Neither read_only nor super_read_only: somebody may write.
is_writable() { [[ $(sql "$1" 'SELECT @@read_only' 2>/dev/null || true) == 0 ]]; }

# The first database that takes writes; fails where none does.
writable_database() {
    local node
    for node in "${NODES[@]}"; do
        if has_disk "$node" && node_runs "$node" && is_writable "$node"; then
            printf '%s\n' "$node"
            return 0
        fi
    done
    return 1
}

set_read_only() { sql "$1" "SET GLOBAL $(sql_word read_only) = 1"; }

# super_read_only, where there is one, goes with read_only.
set_writable() { sql "$1" 'SET GLOBAL read_only = 0'; }
