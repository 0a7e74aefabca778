# shellcheck shell=bash
# A node's life: start, stop, kill, and what a killed lab left behind.

# The node's init: process 1 of its own process namespace, below nspawn. It puts itself into
# init.scope, so that is where it is looked for first.
node_leader() {
    local pid ids group
    group=$(unified_dir "$1")
    while read -r pid; do
        ids=$(grep '^NSpid:' "/proc/$pid/status" 2>/dev/null) || continue
        [[ $ids =~ ^NSpid:[[:space:]]+[0-9]+.*[[:space:]]1$ ]] || continue
        printf '%s\n' "$pid"
        return 0
    done < <(cat "$group/payload/init.scope/cgroup.procs" 2>/dev/null ||
        find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null)
    return 1
}

node_runs() { running_process "node-$1" >/dev/null; }

# Run a command inside a node without its sshd.
in_node() {
    local node=$1 leader
    shift
    leader=$(node_leader "$node") || return 1
    nsenter --target "$leader" --mount --uts --ipc --net --pid --root --wd "$@"
}

verb_exec() {
    local node=${1:-}
    require_node "$node"
    shift
    (($#)) || usage_error "exec NODE CMD..."
    node_runs "$node" || die "$node does not run" "lab up $node"
    in_node "$node" "$@" || exit $?
}

# Whatever is left of a node that no longer runs: processes, mounts, groups, loop devices.
clean_node() {
    kill_cgroup "$1"
    rm -f "$RUN_DIR/node-$1.pid" "$RUN_DIR/figures/$1"
    unmount_node "$1"
    remove_cgroups "$1"
}

start_node() {
    local node=$1 root log=$LOG_DIR/$1.console
    local -a binds=(--bind=/dev/net/tun "--bind-ro=$RUN_DIR/proc/$1:/run/lab-figures")
    root=$(node_root "$node")
    mount_root "$node"
    mount_disk "$node"
    provision_node "$node" "$root"
    ensure_cgroups "$node"
    watch_figures "$node"
    ! has_disk "$node" || binds+=("--bind=$(node_dir "$node")/disk:/var/lib/mysql")
    : >"$log"
    start_container "$node" "$root" "$log" "${binds[@]}"
    remember_process "node-$node" "$DETACHED_PID"
}

start_container() {
    local node=$1 root=$2 log=$3
    local -a groups
    shift 3
    mapfile -t groups < <(node_groups "$node")
    # The inner shell expands these; it joins the node's groups, then becomes the container.
    # UNIFIED_CGROUP_HIERARCHY: one hierarchy for the node's systemd, whatever this machine uses.
    # SYSTEMD_NSPAWN_API_VFS_WRITABLE: what the kernel keeps for the node's network alone may be set there.
    # shellcheck disable=SC2016
    detached "$log" env UNIFIED_CGROUP_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network bash -c \
        'while [[ $1 != -- ]]; do echo "$BASHPID" >"$1/cgroup.procs"; shift; done; shift; exec "$@"' \
        lab-node "${groups[@]}" -- \
        systemd-nspawn --quiet --register=no --keep-unit --directory="$root" --machine="$node" \
        --hostname="$node" --network-namespace-path="/run/netns/$(node_ns "$node")" \
        --capability=all --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
        "$@" --boot
}

# wait_for_sshd NODE...: until all answer; names the ones that do not.
wait_for_sshd() {
    local deadline=$((SECONDS + 30)) node
    local -a waiting=("$@") still
    while ((${#waiting[@]})); do
        still=()
        for node in "${waiting[@]}"; do
            if sshd_answers "$(node_address "$node" management)"; then
                say "$node: sshd answers"
            elif ! node_runs "$node"; then
                die "$node ended while starting" "read $LOG_DIR/$node.console"
            else
                still+=("$node")
            fi
        done
        waiting=("${still[@]}")
        ((${#waiting[@]})) || return 0
        ((SECONDS < deadline)) || die "no sshd after 30 s on: ${waiting[*]}" "read $LOG_DIR/${waiting[0]}.console"
        sleep 0.1
    done
}

# Polite stop of several nodes at once: databases flush, then whatever remains is killed.
stop_nodes() {
    local node leader i alive
    for node in "$@"; do
        leader=$(node_leader "$node") || continue
        # SIGRTMIN+4 asks systemd to power off.
        kill -s RTMIN+4 "$leader" 2>/dev/null || true
    done
    for ((i = 0; i < 120; i++)); do
        alive=0
        for node in "$@"; do
            ! node_has_processes "$node" || alive=1
        done
        ((alive)) || break
        sleep 0.05
    done
    for node in "$@"; do
        clean_node "$node"
    done
}

stop_all_nodes() { stop_nodes "${NODES[@]}"; }

# Sudden death: the node's init and everything below it, at once.
kill_node() {
    local leader
    if leader=$(node_leader "$1"); then
        kill -9 "$leader" 2>/dev/null || true
    fi
    clean_node "$1"
}
