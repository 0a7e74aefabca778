# shellcheck shell=bash
# The daemon that gives every node its own /proc figures (see src/figures.c).

ensure_tool() {
    local source=$LAB_SOURCE/src/$1.c binary=$LAB_DIR/bin/$1
    [[ -x $binary && $binary -nt $source ]] && return 0
    # A new file name: the old one may be running.
    gcc -O2 -Wall -o "$binary.new" "$source" -lm || die "cannot compile $source" "install gcc and libc6-dev"
    mv "$binary.new" "$binary"
}

ensure_figures() {
    local pid
    if pid=$(running_process figures); then
        [[ "$(readlink "/proc/$pid/exe")" == "$LAB_DIR/bin/figures" ]] && return 0
        stop_process figures
    fi
    detached "$LOG_DIR/figures.log" "$LAB_DIR/bin/figures" "$RUN_DIR/figures" "$RUN_DIR/proc"
    remember_process figures "$DETACHED_PID"
}

# Fresh files at each start of a node: its counters and its uptime begin anew, as after a boot.
watch_figures() {
    local node=$1 controller device
    rm -rf "$RUN_DIR/proc/$node"
    mkdir -p "$RUN_DIR/proc/$node/pressure"
    {
        printf 'unified %s\n' "$(unified_dir "$node")"
        for controller in "${V1_CONTROLLERS[@]}"; do
            ! v1_dir "$controller" "$node" || printf '%s %s\n' "$controller" "$V1_DIR"
        done
        printf 'disk %s\n' "$DISK_NUMBER"
        if has_disk "$node"; then
            for device in $(loop_devices_of "$(node_dir "$node")/disk.img"); do
                printf 'own %s\n' "${device##*/}"
            done
        fi
    } >"$RUN_DIR/figures.$node.new"
    mv "$RUN_DIR/figures.$node.new" "$RUN_DIR/figures/$node"
}
