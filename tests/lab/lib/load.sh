# shellcheck shell=bash
# shellcheck disable=SC2153 # LAB_DIR and LOG_DIR are no misspellings of LOAD_DIR
# Visitors and an application: bounded load from a namespace of its own, every request recorded.

LOAD_DIR=$LAB_DIR/load
LOAD_SECONDS=3600
# Quick pages and pages of about two seconds per second, and connections that stay open.
LOAD_HTTP_RATE=50
LOAD_SLOW_RATE=2
LOAD_KEPT=4
LOAD_SQL_RATE=10
# What the fault "spike" adds to that.
SPIKE_HTTP_RATE=400
PUBLIC_VIP=203.0.113.100
PRIVATE_VIP=10.10.0.100
LOAD_PARTS=(load-http load-sql load-port)

verb_load() {
    case ${1:-} in
        start) load_start ;;
        stop) load_stop ;;
        *) usage_error "load start|stop" ;;
    esac
}

in_client() { ip netns exec "$CLIENT_NS" "$@"; }

# The client's access port into VLAN 10 lives as long as the load does.
load_port() {
    ensure_tool vlanport
    detached "$LOG_DIR/load.log" ip netns exec "$CLIENT_NS" "$LAB_DIR/bin/vlanport" eth1 priv0 10
    remember_process load-port "$DETACHED_PID"
    local i
    for ((i = 0; i < 50; i++)); do
        ! link_exists "$CLIENT_NS" priv0 || break
        sleep 0.05
    done
    ip -n "$CLIENT_NS" addr replace "10.10.0.$CLIENT_OCTET/24" dev priv0
    ip -n "$CLIENT_NS" link set priv0 up
}

load_start() {
    ! running_process load-http >/dev/null || die "the load runs already" "lab load stop"
    node_runs lb01 || node_runs lb02 || die "no load balancer runs" "lab up"
    load_stop_quietly
    ensure_client_network
    load_port
    rm -rf "$LOAD_DIR"
    mkdir -p "$LOAD_DIR"
    detached "$LOG_DIR/load.log" ip netns exec "$CLIENT_NS" perl "$LAB_SOURCE/load/http.pl" \
        "$PUBLIC_VIP" "$LOAD_HTTP_RATE" "$LOAD_SLOW_RATE" "$LOAD_KEPT" "$LOAD_SECONDS" "$LOAD_DIR/http.tsv"
    remember_process load-http "$DETACHED_PID"
    detached "$LOG_DIR/load.log" ip netns exec "$CLIENT_NS" perl "$LAB_SOURCE/load/sql.pl" \
        "$PRIVATE_VIP" "$LOAD_SQL_RATE" "$LOAD_SECONDS" "$LOAD_DIR/sql.tsv"
    remember_process load-sql "$DETACHED_PID"
    say "load runs for at most $LOAD_SECONDS s; records: $LOAD_DIR/http.tsv, $LOAD_DIR/sql.tsv"
}

load_stop_quietly() {
    local part
    for part in "${LOAD_PARTS[@]}"; do
        stop_process "$part"
    done
}

load_stop() {
    load_stop_quietly
    [[ -s $LOAD_DIR/http.tsv || -s $LOAD_DIR/sql.tsv ]] || { say "no load was recorded"; return 0; }
    load_summary "$LOAD_DIR/http.tsv" 2 200 HTTP 3
    load_summary "$LOAD_DIR/sql.tsv" 3 ok SQL 4
    compare_writes
}

# load_summary FILE RESULT_COLUMN GOOD NAME LATENCY_COLUMN. The gap is the longest time without a
# good answer, as the clients saw it.
load_summary() {
    [[ -s $1 ]] || return 0
    local gap
    # By the moment of each answer: a slow page that was asked for early may be answered late.
    gap=$(awk -F'\t' -v col="$2" -v good="$3" -v lat="$5" '$col == good { printf "%.1f\n", $1 + $lat }' "$1" | sort -n |
        awk 'NR > 1 && $1 - before > gap { gap = $1 - before } { before = $1 } END { printf "%.0f", gap }')
    sort -n "$1" | awk -F'\t' -v col="$2" -v good="$3" -v name="$4" -v gap="$gap" '
        { n++; count[$col]++; if (!first) first = $1 }
        $col == good { ok++ }
        END {
            printf "%s: %d requests in %.0f s, %d good", name, n, ($1 - first) / 1000, ok
            for (c in count) if (c != good) printf ", %d %s", count[c], c
            printf "; longest gap %s ms\n", gap
        }'
    awk -F'\t' -v col="$2" -v good="$3" -v lat="$5" '$col == good { print $lat }' "$1" | sort -n |
        awk -v name="$4" '{ v[NR] = $1 } END {
            if (NR) printf "%s latency ms: p50 %.1f, p99 %.1f, max %.1f\n", name, v[int((NR + 1) / 2)], v[int(NR * 0.99 + 0.99)], v[NR]
        }'
}

# Is every acknowledged write on the database that is writable now?
compare_writes() {
    local node first
    [[ -s $LOAD_DIR/sql.tsv ]] || return 0
    awk -F'\t' '$3 == "ok" { print $2 }' "$LOAD_DIR/sql.tsv" | sort >"$LOAD_DIR/acknowledged"
    first=$(head -n1 "$LOAD_DIR/sql.tsv" | cut -f2)
    for node in "${NODES[@]}"; do
        [[ ${NODE_ROLE[$node]} == database ]] || continue
        node_runs "$node" || continue
        is_writable "$node" || continue
        sql "$node" "SELECT id FROM lab.writes WHERE id >= $first" | sort >"$LOAD_DIR/stored"
        printf 'writes: %d acknowledged, %d of them missing on %s\n' "$(wc -l <"$LOAD_DIR/acknowledged")" \
            "$(comm -23 "$LOAD_DIR/acknowledged" "$LOAD_DIR/stored" | wc -l)" "$node"
    done
}
