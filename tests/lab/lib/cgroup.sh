# shellcheck shell=bash
# One control group per node in every hierarchy, for accounting, throttling and a sure kill.
# Machines differ: a unified (v2) hierarchy only, or v1 controllers beside an empty unified one.

CGROUP_NAME=vakt-lab$FLAVOUR_SUFFIX

unified_root() {
    if [[ $(stat -fc %T /sys/fs/cgroup) == cgroup2fs ]]; then
        echo /sys/fs/cgroup
    elif [[ -d /sys/fs/cgroup/unified ]]; then
        echo /sys/fs/cgroup/unified
    else
        die "no unified control group hierarchy below /sys/fs/cgroup" "mount -t cgroup2 none /sys/fs/cgroup/unified"
    fi
}

# v1_dir CONTROLLER NODE: the node's group in a v1 hierarchy; fails where there is none.
# The memory controller may be delegated only below the group this process sits in, and a group
# made by an earlier run may lie below another caller's: look for it first, once per run.
declare -A V1_PARENT=()
v1_dir() {
    local own='' found
    [[ -e /sys/fs/cgroup/$1/cgroup.procs && ! -e /sys/fs/cgroup/cgroup.controllers ]] || return 1
    if [[ -z ${V1_PARENT[$1]:-} ]]; then
        [[ $1 != memory ]] || own=$(sed -n 's/^[0-9]*:memory:\(.*\)$/\1/p' /proc/self/cgroup)
        found=$(find "/sys/fs/cgroup/$1" -maxdepth 4 -type d -name "$CGROUP_NAME" -print -quit)
        V1_PARENT[$1]=${found:-/sys/fs/cgroup/$1${own%/}/$CGROUP_NAME}
    fi
    V1_DIR=${V1_PARENT[$1]}/$2
}

unified_dir() { printf '%s/%s/%s\n' "$(unified_root)" "$CGROUP_NAME" "$1"; }

V1_CONTROLLERS=(cpuacct cpu memory blkio pids)

node_memory_limit() {
    case $1 in
        database) echo $((1024 << 20)) ;;
        hypervisor) echo $((2048 << 20)) ;;
        *) echo $((512 << 20)) ;;
    esac
}

ensure_cgroups() {
    local node=$1 dir controller limit root
    limit=$(node_memory_limit "${NODE_ROLE[$node]}")
    root=$(unified_root)
    dir=$(unified_dir "$node")
    mkdir -p "$dir"
    for controller in cpu io memory pids; do
        grep -qw "$controller" "$root/cgroup.controllers" || continue
        echo "+$controller" >"$root/cgroup.subtree_control" 2>/dev/null || true
        echo "+$controller" >"$root/$CGROUP_NAME/cgroup.subtree_control" 2>/dev/null || true
    done
    [[ ! -w $dir/memory.max ]] || echo "$limit" >"$dir/memory.max"
    for controller in "${V1_CONTROLLERS[@]}"; do
        v1_dir "$controller" "$node" || continue
        dir=$V1_DIR
        mkdir -p "$dir"
        # A memory group counts its children only if told so before it has any.
        if [[ $controller == memory ]]; then
            echo 1 >"${dir%/*}/memory.use_hierarchy" 2>/dev/null || true
            echo "$limit" >"$dir/memory.limit_in_bytes"
        fi
    done
}

# All groups of a node, one per line.
node_groups() {
    local controller
    unified_dir "$1"
    for controller in "${V1_CONTROLLERS[@]}"; do
        ! v1_dir "$controller" "$1" || printf '%s\n' "$V1_DIR"
    done
}

node_has_processes() {
    local dir
    dir=$(unified_dir "$1")
    [[ -d $dir ]] && grep -q '^populated 1' "$dir/cgroup.events" 2>/dev/null
}

# SIGKILL for whatever is left in a node's group, and nothing else.
kill_cgroup() {
    local dir i
    dir=$(unified_dir "$1")
    [[ -d $dir ]] || return 0
    for ((i = 0; i < 100; i++)); do
        node_has_processes "$1" || return 0
        if [[ -w $dir/cgroup.kill ]]; then
            echo 1 >"$dir/cgroup.kill"
        else
            # shellcheck disable=SC2046 # process ids, one word each
            kill -9 $(find "$dir" -name cgroup.procs -exec cat {} +) 2>/dev/null || true
        fi
        sleep 0.05
    done
    die "processes of $1 survive SIGKILL" "see them: cat $dir/cgroup.procs; a stuck disk or mount may hold them"
}

remove_group_tree() {
    [[ -d $1 ]] || return 0
    find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true
}

remove_cgroups() {
    local controller
    remove_group_tree "$(unified_dir "$1")"
    for controller in "${V1_CONTROLLERS[@]}"; do
        v1_dir "$controller" "$1" || continue
        remove_group_tree "$V1_DIR"
    done
    # systemd in the node keeps a tree of its own in the named hierarchy, where there is one.
    remove_group_tree "/sys/fs/cgroup/systemd/$CGROUP_NAME/$1"
}

remove_cgroup_parents() {
    local dir
    while read -r dir; do
        remove_group_tree "$dir"
    done < <(find /sys/fs/cgroup -maxdepth 5 -type d -name "$CGROUP_NAME" 2>/dev/null)
}
