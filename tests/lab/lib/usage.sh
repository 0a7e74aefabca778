# shellcheck shell=bash
# What a node costs: processor time of everything in its control group.

# Microseconds since the node started.
node_usage() {
    if v1_dir cpuacct "$1"; then
        printf '%s\n' "$(($(<"$V1_DIR/cpuacct.usage") / 1000))"
    else
        sed -n 's/^usage_usec //p' "$(unified_dir "$1")/cpu.stat"
    fi
}

verb_usage() {
    local node
    for node in "${NODES[@]}"; do
        ! node_runs "$node" || printf '%s %s\n' "$node" "$(node_usage "$node")"
    done
}
