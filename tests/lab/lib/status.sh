# shellcheck shell=bash
# One line per node, as seen from outside of vakt.

node_state() {
    if ! node_runs "$1"; then
        echo down
    elif sshd_answers "$(node_address "$1" management)"; then
        echo up
    else
        echo 'no sshd'
    fi
}

# A word on what the node is for: who holds the VIP, who is primary.
node_note() {
    local node=$1
    case ${NODE_ROLE[$node]} in
        edge)
            in_node "$node" ip -o addr show to 10.10.0.100 2>/dev/null | grep -q . && echo 'holds the VIP'
            ;;
        database)
            sql "$node" "SELECT IF(@@read_only, 'read-only', 'writable'), $(sql_word position)" 2>/dev/null | tr '\t' ' '
            ;;
    esac
    true
}

replica_note() {
    replica_status "$1" 2>/dev/null |
        awk -F': ' '/(Slave|Replica)_IO_Running:/ { io = $2 } /(Slave|Replica)_SQL_Running:/ { sql = $2 }
            /Seconds_Behind_(Master|Source):/ { lag = $2 }
            END { if (io != "") printf "IO %s, SQL %s, lag %s", io, sql, lag }' || true
}

# What the base of this flavour holds: Debian sid moves on.
flavour_versions() {
    cat "$(base_root)"/usr/lib/lab/versions* 2>/dev/null | grep ' [0-9]' | paste -sd, | sed 's/,/, /g'
}

verb_status() {
    local node state note cut
    printf 'flavour %s: %s\n' "$FLAVOUR" "$(flavour_versions)"
    printf '%-7s %-11s %-12s %-9s %-8s %-6s %s\n' NODE ROLE MANAGEMENT LOGIN STATE CUT NOTE
    for node in "${NODES[@]}"; do
        state=$(node_state "$node")
        note='' cut='-'
        if [[ $state != down ]] && ((EUID == 0)); then
            note=$(node_note "$node")
            [[ ${NODE_ROLE[$node]} != database ]] || note+=" $(replica_note "$node")"
        fi
        if ((EUID == 0)) && ns_exists "$SWITCH_NS"; then
            cut=$(cut_cables "$node")
        fi
        printf '%-7s %-11s %-12s %-9s %-8s %-6s %s\n' "$node" "${NODE_ROLE[$node]}" \
            "$(node_address "$node" management)" "${NODE_LOGIN[$node]}" "$state" "${cut:--}" "$note"
    done
    for node in "${NODES[@]}"; do
        note=$(faults_of "$node" | paste -sd' ')
        [[ -z $note ]] || printf 'faults of %s: %s\n' "$node" "$note"
    done
    if running_process load-http >/dev/null || running_process load-sql >/dev/null; then
        printf 'load: running, records below %s\n' "$LAB_DIR/load"
    fi
}
