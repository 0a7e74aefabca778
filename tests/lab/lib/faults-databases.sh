# shellcheck shell=bash
# Faults of replication, of locks and of the disk below.

declare_fault replica-stop database "a replica's threads are stopped" needs_replica
declare_fault replica-lag database "a replica receives but cannot apply: somebody holds the table" needs_replica
declare_fault two-writable database "a replica takes writes, too" needs_replica
declare_fault errant database "a replica has a transaction that its primary lacks" needs_replica
declare_fault semisync-none database "no replica acknowledges the primary's commits (NODE: the primary)" needs_primary
declare_fault disk-slow any "the disk takes 1 MB/s, and something writes more than that"
declare_fault row-locks database "eight sessions wait for a row that an idle one holds (NODE: the primary)" needs_primary

needs_replica() { is_replica "$1" || die "$1 is no replica" "choose one that follows another database"; }
needs_primary() { is_writable "$1" || die "$1 is not the primary" "choose $(require_primary)"; }

# Where writes go in: the database that takes them, whichever it is now.
require_primary() {
    writable_database || die "no database takes writes" "lab primary db01"
}

cause_replica_stop() {
    sql "$1" 'STOP REPLICA'
}

heal_replica_stop() { sql "$1" 'START REPLICA'; }

# Steady small commits on the primary, in a table that goes again. Each fault has its own.
start_writer() {
    local primary=$1 name=$2 table
    table=$(table_of "$name")
    sql "$primary" "CREATE TABLE IF NOT EXISTS $table (id BIGINT AUTO_INCREMENT PRIMARY KEY, text CHAR(200))"
    # shellcheck disable=SC2016 # expanded inside the node
    fault_unit "$primary" "$name-writer" sh -c 'while sleep 0.1; do
            echo "INSERT INTO $1 (text) VALUES (REPEAT(0x78, 200));"
        done | $0' "$(sql_word client)" "$table"
}

table_of() { printf 'lab.fault_%s\n' "${1//-/_}"; }

stop_writer() {
    stop_fault_unit "$1" "$2-writer"
    sql "$1" "DROP TABLE IF EXISTS $(table_of "$2")"
}

# An idle session holds the table on the replica; the applier waits, and what it has received grows old.
cause_replica_lag() {
    local primary table
    table=$(table_of replica-lag)
    primary=$(require_primary)
    remember "$1" replica-lag primary "$primary"
    start_writer "$primary" replica-lag
    wait_until 10 sql "$1" "SELECT 1 FROM $table LIMIT 1" || die "$1 has no table of the writer" "lab heal $1"
    # shellcheck disable=SC2016 # expanded inside the node
    fault_unit "$1" replica-lag sh -c '{ echo "LOCK TABLES $1 READ;"; sleep infinity; } | $0' "$(sql_word client)" "$table"
}

heal_replica_lag() {
    local primary
    primary=$(recall "$1" replica-lag primary)
    stop_fault_unit "$1" replica-lag
    [[ -n $primary ]] || return 0
    stop_writer "$primary" replica-lag
}

cause_two_writable() {
    set_writable "$1"
}

heal_two_writable() { set_read_only "$1"; }

# In a domain of its own (MariaDB) or under the replica's own identity (MySQL): replication goes on,
# and only the sets of transactions tell.
cause_errant() {
    [[ -z $(sql "$1" "SELECT 1 FROM information_schema.tables WHERE table_name = 'fault_errant'") ]] || return 0
    if is_mariadb; then
        sql "$1" 'SET SESSION gtid_domain_id = 77; CREATE TABLE lab.fault_errant (id INT PRIMARY KEY)'
    else
        sql "$1" 'SET GLOBAL super_read_only = 0; CREATE TABLE lab.fault_errant (id INT PRIMARY KEY);
            SET GLOBAL super_read_only = 1'
    fi
}

# The table goes without a trace, then the transaction out of the replica's history.
heal_errant() {
    local set
    if is_mariadb; then
        sql_unlogged "$1" 'DROP TABLE IF EXISTS lab.fault_errant'
        sql "$1" 'FLUSH BINARY LOGS'
        # A log that the engine may still need for its recovery is purged only a moment later.
        wait_until 10 forget_errant "$1" ||
            die "$1 still has binary logs with the errant transaction" "lab heal $1 errant, once nobody reads them"
        return 0
    fi
    set=$(sql "$1" 'SELECT GTID_SUBTRACT(@@gtid_executed, CONCAT(@@server_uuid, ":1-999999999"))' | tr -d '\n')
    sql "$1" "SET SESSION sql_log_bin = 0; SET GLOBAL super_read_only = 0;
        DROP TABLE IF EXISTS lab.fault_errant; SET GLOBAL super_read_only = 1;
        STOP REPLICA; RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${set//\\n/}'; START REPLICA"
}

forget_errant() {
    sql "$1" "PURGE BINARY LOGS TO '$(sql "$1" 'SHOW MASTER STATUS' | cut -f1)'"
    sql "$1" 'FLUSH BINARY LOGS DELETE_DOMAIN_ID = (77)'
}

# Replicas go on following, but nobody of them promises anything any more.
set_acknowledgers() {
    local primary=$1 value=$2 node variable
    variable=$(sql_word semisync_replica)_enabled
    for node in "${NODES[@]}"; do
        if [[ $node == "$primary" ]] || ! has_disk "$node" || ! node_runs "$node" || ! is_replica "$node"; then
            continue
        fi
        [[ $(sql "$node" "SELECT @@$variable") != "$value" ]] || continue
        # The threads read the variable when they start.
        sql "$node" "SET GLOBAL $variable = $value; STOP REPLICA IO_THREAD; START REPLICA IO_THREAD"
    done
}

cause_semisync_none() {
    set_acknowledgers "$1" 0
    # The commit that finds nobody: the primary gives up waiting after two seconds.
    sql "$1" 'CREATE TABLE IF NOT EXISTS lab.fault_commit (id INT PRIMARY KEY); DROP TABLE lab.fault_commit'
}

# Back in force only once an acknowledgement has arrived, which takes a commit.
heal_semisync_none() {
    set_acknowledgers "$1" 1
    wait_until 10 acknowledged_again "$1" || die "nobody acknowledges the commits of $1" "lab heal $1 semisync-none"
}

acknowledged_again() {
    semisync_is_on "$1" && return 0
    sql "$1" 'CREATE TABLE IF NOT EXISTS lab.fault_commit (id INT PRIMARY KEY); DROP TABLE lab.fault_commit'
    semisync_is_on "$1"
}

semisync_is_on() { [[ $(sql "$1" "SHOW GLOBAL STATUS LIKE '$(sql_word semisync_primary)_status'") == *ON ]]; }

# throttle NODE BYTES_PER_S|off: limits what the node may write to and read from the disk below.
# For a database that is the device behind its own loop device, so its waiting times rise for real.
throttle() {
    local node=$1 rate=$2 number dir
    number=$(disk_below "$LAB_DIR")
    [[ -d $(unified_dir "$node") ]] || die "$node does not run" "lab up $node"
    if v1_dir blkio "$node"; then
        dir=$V1_DIR
        [[ $rate != off ]] || rate=0
        echo "$number $rate" >"$dir/blkio.throttle.write_bps_device"
        echo "$number $rate" >"$dir/blkio.throttle.read_bps_device"
    else
        [[ $rate != off ]] || rate=max
        echo "$number wbps=$rate rbps=$rate" >"$(unified_dir "$node")/io.max"
    fi
}

cause_disk_slow() {
    local primary file=/var/tmp/lab-fault
    ! has_disk "$1" || file=/var/lib/mysql/.lab-fault
    throttle "$1" 1048576
    # shellcheck disable=SC2016 # expanded inside the node
    fault_unit "$1" disk-slow sh -c 'for n in 1 2 3 4; do
            while :; do dd if=/dev/zero of="$0.$n" bs=128k count=8 oflag=direct conv=notrunc status=none; done &
        done; wait' "$file"
    remember "$1" disk-slow file "$file"
    if has_disk "$1"; then
        primary=$(require_primary)
        remember "$1" disk-slow primary "$primary"
        start_writer "$primary" disk-slow
    fi
}

heal_disk_slow() {
    local primary file
    throttle "$1" off
    stop_fault_unit "$1" disk-slow
    file=$(recall "$1" disk-slow file)
    [[ -z $file ]] || in_node "$1" sh -c 'rm -f "$0".[1-4]' "$file"
    primary=$(recall "$1" disk-slow primary)
    [[ -n $primary ]] || return 0
    stop_writer "$primary" disk-slow
}

cause_row_locks() {
    # A second time nothing may touch the row: it would wait, too.
    ! fault_unit_runs "$1" row-locks || return 0
    sql "$1" 'CREATE TABLE IF NOT EXISTS lab.fault_rows (id INT PRIMARY KEY, n INT) ENGINE=InnoDB;
        INSERT IGNORE INTO lab.fault_rows VALUES (1, 0)'
    # shellcheck disable=SC2016 # expanded inside the node
    fault_unit "$1" row-locks sh -c '{ echo "BEGIN; UPDATE lab.fault_rows SET n = n + 1 WHERE id = 1;"; sleep infinity; } | $0 &
        sleep 0.3
        for n in 1 2 3 4 5 6 7 8; do
            $0 -e "SET SESSION innodb_lock_wait_timeout = 3600; UPDATE lab.fault_rows SET n = n + 1 WHERE id = 1" &
        done; wait' "$(sql_word client)"
    wait_until 10 waiting_for_rows "$1" || die "nobody waits for a row on $1" "lab heal $1 row-locks"
}

waiting_for_rows() {
    (($(sql "$1" "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'") >= 8))
}

heal_row_locks() {
    local session
    stop_fault_unit "$1" row-locks
    # Sessions whose clients are gone still wait, and would hold up the DROP.
    for session in $(sql "$1" "SELECT id FROM information_schema.processlist WHERE info LIKE 'UPDATE lab.fault_rows%'"); do
        sql "$1" "KILL $session" 2>/dev/null || true
    done
    sql "$1" 'DROP TABLE IF EXISTS lab.fault_rows'
}
