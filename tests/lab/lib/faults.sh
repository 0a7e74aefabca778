# shellcheck shell=bash
# Sudden death, power loss, pulled cables, slow disks.

verb_kill() {
    require_node "${1:-}"
    kill_node "$1"
    say "$1 killed; its network stays, so peers get an answer (refused)"
}

# The cables first: nobody hears the last word of a machine without power.
verb_poweroff() {
    require_node "${1:-}"
    set_cables "$1" down m f p
    kill_node "$1"
    say "$1 lost its power, silently"
}

verb_cut() {
    require_node "${1:-}"
    case ${2:-} in
        '') set_cables "$1" down f p && say "$1: data cables pulled" ;;
        all) set_cables "$1" down f p m && say "$1: all cables pulled, management too" ;;
        *) usage_error "cut NODE [all], not '$2'" ;;
    esac
}

verb_heal() {
    require_node "${1:-}"
    set_cables "$1" up m f p
    say "$1: cables plugged"
}

# throttle NODE BYTES_PER_S|off: limits what the node may write to and read from the disk below.
# For a database that is the device behind its own loop device, so its waiting times rise for real.
verb_throttle() {
    local node=${1:-} rate=${2:-} number dir
    require_node "$node"
    [[ $rate == off || $rate =~ ^[1-9][0-9]*$ ]] || usage_error "throttle NODE BYTES_PER_S|off"
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
    say "$node: disk limit $2"
}
