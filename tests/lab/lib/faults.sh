# shellcheck shell=bash
# Named faults: `lab fault NAME NODE`, `lab heal NODE [NAME]`. Each is declared beside its code
# (faults-*.sh): cause_NAME and heal_NAME, with "_" for "-". Both may be called again and again.
#
# A fault that was caused is on record below $LAB_DIR/faults until it is healed, with whatever its
# healing has to know. The record outlives a kill of the node: `up` heals what is left of it.

FAULT_DIR=$LAB_DIR/faults
declare -a FAULTS=()
declare -A FAULT_ROLES=() FAULT_TEXT=() FAULT_NEEDS=()

# declare_fault NAME ROLE[,ROLE...]|any TEXT [CHECK]: CHECK NODE refuses before anything is done.
declare_fault() {
    FAULTS+=("$1")
    FAULT_ROLES[$1]=$2
    FAULT_TEXT[$1]=$3
    FAULT_NEEDS[$1]=${4:-true}
}

fault_record() { printf '%s/%s/%s\n' "$FAULT_DIR" "$1" "$2"; }

is_faulty() { [[ -e $(fault_record "$1" "$2") ]]; }

# Names of the faults on record for a node, those caused last first.
faults_of() { ls -t "$FAULT_DIR/$1" 2>/dev/null || true; }

# remember NODE FAULT KEY VALUE: only the first value counts, which is the one before the fault.
remember() {
    local record
    record=$(fault_record "$1" "$2")
    grep -q "^$3=" "$record" || printf '%s=%s\n' "$3" "$4" >>"$record"
}

recall() { sed -n "s/^$3=//p" "$(fault_record "$1" "$2")"; }

verb_fault() {
    local name=${1:-} node=${2:-}
    case $name in
        '') usage_error "which fault? See 'lab fault list'" ;;
        list) list_faults ;;
        *)
            [[ -n ${FAULT_ROLES[$name]:-} ]] || usage_error "no fault '$name'. There are: ${FAULTS[*]}"
            require_node "$node"
            [[ ${FAULT_ROLES[$name]} == any || ,${FAULT_ROLES[$name]}, == *,${NODE_ROLE[$node]},* ]] ||
                usage_error "$name is a fault of ${FAULT_ROLES[$name]}, and $node is ${NODE_ROLE[$node]}"
            node_runs "$node" || die "$node does not run" "lab up $node"
            "${FAULT_NEEDS[$name]}" "$node"
            mkdir -p "$FAULT_DIR/$node"
            touch "$(fault_record "$node" "$name")"
            "cause_${name//-/_}" "$node"
            say "$node: $name (heal it: lab heal $node $name)"
            ;;
    esac
}

list_faults() {
    local name node
    for name in "${FAULTS[@]}"; do
        printf '%-16s %-11s %s\n' "$name" "${FAULT_ROLES[$name]}" "${FAULT_TEXT[$name]}"
    done
    for node in "${NODES[@]}"; do
        for name in $(faults_of "$node"); do
            printf 'now: %s %s\n' "$name" "$node"
        done
    done
}

verb_heal() {
    local node=${1:-} name=${2:-}
    require_node "$node"
    if [[ -n $name ]]; then
        [[ -n ${FAULT_ROLES[$name]:-} ]] || usage_error "no fault '$name'. There are: ${FAULTS[*]}"
        heal_fault "$node" "$name"
        return
    fi
    set_cables "$node" up m f p
    say "$node: cables plugged"
    heal_all_faults "$node"
}

# A node that does not run keeps its record: `up` heals it.
heal_fault() {
    is_faulty "$1" "$2" || { say "$1: no $2 to heal"; return 0; }
    node_runs "$1" || { say "$1 does not run: $2 is healed when it is up again"; return 0; }
    "heal_${2//-/_}" "$1"
    rm -f "$(fault_record "$1" "$2")"
    say "$1: $2 healed"
}

heal_all_faults() {
    local name
    for name in $(faults_of "$1"); do
        heal_fault "$1" "$name"
    done
}

# Before everything stops: what a fault changed on a node's disk must not be there the next time.
heal_before_down() {
    local node
    for node in "${NODES[@]}"; do
        [[ -n $(faults_of "$node") ]] || continue
        # In a shell of its own: a node that cannot be healed any more must not keep the lab up.
        (heal_all_faults "$node") || warn "$node: not everything could be healed; 'lab up' tries again"
    done
}

# fault_unit NODE FAULT CMD...: CMD runs inside the node until the fault is healed or the node dies.
fault_unit() {
    local node=$1 fault=$2
    shift 2
    ! fault_unit_runs "$node" "$fault" || return 0
    in_node "$node" systemd-run --quiet --collect --unit="lab-fault-$fault" \
        --property=TimeoutStopSec=2 --property=SendSIGHUP=yes "$@"
}

fault_unit_runs() { in_node "$1" systemctl --quiet is-active "lab-fault-$2"; }

stop_fault_unit() { in_node "$1" systemctl --quiet stop "lab-fault-$2" 2>/dev/null || true; }

# A script of tests/lab/load, put where the node's units find it.
install_script() {
    in_node "$1" sh -c "cat >/run/lab-$2" <"$LAB_SOURCE/load/$2"
}

# kill_for_good NODE UNIT: like a daemon that crashed and that nothing starts again.
kill_for_good() {
    in_node "$1" sh -euc '
        mkdir -p "/run/systemd/system/$0.service.d"
        printf "[Service]\nRestart=no\n" >"/run/systemd/system/$0.service.d/lab-fault.conf"
        systemctl daemon-reload
        systemctl kill --signal=KILL "$0"' "$2"
}

start_again() {
    in_node "$1" sh -euc '
        rm -f "/run/systemd/system/$0.service.d/lab-fault.conf"
        rmdir "/run/systemd/system/$0.service.d" 2>/dev/null || true
        systemctl daemon-reload
        systemctl reset-failed "$0" 2>/dev/null || true
        systemctl start "$0"' "$2"
}

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

verb_throttle() {
    require_node "${1:-}"
    [[ ${2:-} == off || ${2:-} =~ ^[1-9][0-9]*$ ]] || usage_error "throttle NODE BYTES_PER_S|off"
    throttle "$1" "$2"
    say "$1: disk limit $2"
}
