# shellcheck shell=bash
# Bringing the lab up and taking it down.

verb_up() {
    local node
    local -a wanted=() starting=()
    for node in "$@"; do
        require_node "$node"
        wanted+=("$node")
    done
    ((${#wanted[@]})) || wanted=("${NODES[@]}")
    require_packages
    require_kernel
    load_flavour
    [[ -z $RUNNING_FLAVOUR || $RUNNING_FLAVOUR == "$FLAVOUR" ]] ||
        die "the lab runs as flavour $RUNNING_FLAVOUR" "lab down, then up again as $FLAVOUR"
    if base_is_current; then
        require_space 512
    else
        require_space "$BASE_MIN_FREE_MB"
    fi
    prepare_directories
    printf '%s\n' "$FLAVOUR" >"$RUN_DIR/flavour"
    ensure_keys
    ensure_certificate
    ensure_base
    ensure_tool figures
    write_config
    ensure_switch
    # Where the nodes' common disk is, for their figures.
    # shellcheck disable=SC2034 # read by watch_figures
    DISK_NUMBER=$(disk_below "$LAB_DIR")
    ensure_figures
    for node in "${wanted[@]}"; do
        # Asked for by name or not: "up" means powered and plugged.
        ensure_node_network "$node"
        node_runs "$node" || starting+=("$node")
    done
    if ((${#starting[@]})); then
        start_nodes "${starting[@]}"
    fi
    ((${#starting[@]})) || say "all running: ${wanted[*]}"
    settle "${wanted[@]}"
    # What was broken when these nodes died may be left on their disks.
    for node in "${starting[@]}"; do
        heal_all_faults "$node"
    done
}

start_nodes() {
    local node cold=1 other
    for other in "${NODES[@]}"; do
        if [[ ${NODE_ROLE[$other]} == database ]] && node_runs "$other"; then
            cold=0
        fi
    done
    say "starting ${*}"
    for node in "$@"; do
        clean_node "$node"
    done
    for node in "$@"; do
        start_node "$node"
    done
    wait_for_sshd "$@"
    if ((cold)); then
        restore_primary "$@"
    fi
}

# wait_until SECONDS CMD...: poll until CMD succeeds.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

database_answers() { sql "$1" 'SELECT 1'; }
database_provisioned() { [[ -e $(node_dir "$1")/disk/.lab-provisioned ]]; }

# After a stop of all databases nobody is writable, on purpose. A lab that is brought up as a whole
# gets its old primary back: the database that follows no other. A node that returns alone does not.
restore_primary() {
    local node
    for node in "$@"; do
        [[ ${NODE_ROLE[$node]} == database ]] || continue
        wait_until 20 database_answers "$node" || { warn "$node: its database does not answer"; continue; }
        wait_until 10 database_provisioned "$node" || continue
        if ! is_replica "$node"; then
            make_writable "$node"
            return 0
        fi
    done
}

make_writable() {
    sql "$1" "SET GLOBAL $(sql_word semisync_primary)_enabled = 1"
    set_writable "$1"
    say "$1 is the primary"
}

# For a primary that was killed and came back read-only: give it its job again. No failover.
verb_primary() {
    local node
    require_node "${1:-}"
    has_disk "$1" || usage_error "$1 is no database"
    wait_until 20 database_answers "$1" || die "the database on $1 does not answer" "lab up $1"
    ! is_replica "$1" ||
        die "$1 follows another database" "stop its replication first"
    for node in "${NODES[@]}"; do
        if [[ $node != "$1" ]] && has_disk "$node" && is_writable "$node"; then
            die "$node is writable" "make it read-only first"
        fi
    done
    make_writable "$1"
}

# Ready means: what a role is for works. A slow part is named, it does not fail the command.
node_ready() {
    case ${NODE_ROLE[$1]} in
        edge) in_node "$1" sh -c '[ -S /run/haproxy/admin.sock ] && ip link show priv0' ;;
        web) in_node "$1" curl -fsm1 http://127.0.0.1/health && in_node "$1" ip link show priv0 ;;
        database) database_answers "$1" && database_provisioned "$1" ;;
        hypervisor) in_node "$1" test -S /run/libvirt/libvirt-sock ;;
    esac
}

vip_answers() { curl_client http://203.0.113.100/; }

# From the visitors' side. bash speaks enough HTTP, so no client has to be installed.
curl_client() {
    local host=${1#http://}
    # shellcheck disable=SC2016 # expanded by the inner shell
    ip netns exec "$CLIENT_NS" timeout 2 bash -c '
        exec 3<>"/dev/tcp/$1/80" && printf "GET / HTTP/1.0\r\n\r\n" >&3 && head -n1 <&3 | grep -q " 200 "' _ "${host%%/*}"
}

settle() {
    local node
    for node in "$@"; do
        wait_until 20 node_ready "$node" || warn "$node is up, but its services are not (lab ssh $node systemctl --failed)"
    done
    if (($# == ${#NODES[@]})); then
        ensure_client_network
        if wait_until 20 vip_answers; then
            say "http://203.0.113.100/ answers"
        else
            warn "the public VIP does not answer yet"
        fi
    fi
    say "ready"
}

verb_down() {
    local purge=0
    case ${1:-} in
        '') ;;
        --purge) purge=1 ;;
        *) usage_error "down [--purge], not '$1'" ;;
    esac
    [[ -d $LAB_DIR ]] || { say "nothing there"; return 0; }
    say "stopping"
    heal_before_down
    load_stop_quietly
    stop_process fault-spike
    stop_all_nodes
    stop_process figures
    release_stray_loops
    local node
    for node in "${NODES[@]}"; do
        delete_node_network "$node"
    done
    delete_switch
    remove_cgroup_parents
    unmount_below "$RUN_DIR"
    rmdir "$RUN_DIR" 2>/dev/null || true
    if ((purge)); then
        rm -rf --one-file-system "${LAB_DIR:?}"/{nodes,base,ssh,tls,faults,log,load,bin,vakt.toml,lock}
        rmdir "$LAB_DIR" 2>/dev/null || true
        say "down, base and state deleted"
    else
        say "down; base and state are kept in $LAB_DIR"
    fi
}
