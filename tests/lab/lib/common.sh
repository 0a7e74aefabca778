# shellcheck shell=bash
# Paths, messages and small helpers shared by all parts of the lab.
# Most names are read by the other parts.
# shellcheck disable=SC2034

# Each flavour has a state directory, namespaces and a management network of its own, so that several
# may run at once. Somebody who names a directory finds the flavour that runs there.
LAB_DIR=${VAKT_LAB_DIR:-/var/lib/vakt-lab}
if [[ -z ${VAKT_LAB_DIR:-} && ${VAKT_LAB_FLAVOUR:-classic} != classic ]]; then
    LAB_DIR+=-$VAKT_LAB_FLAVOUR
fi
RUN_DIR=$LAB_DIR/run            # tmpfs: process ids and generated /proc files, gone after a reboot
# A running lab says itself which flavour it has.
RUNNING_FLAVOUR=$(cat "$RUN_DIR/flavour" 2>/dev/null || true)
FLAVOUR=${VAKT_LAB_FLAVOUR:-${RUNNING_FLAVOUR:-classic}}
# What the names of this flavour's namespaces, links and control groups end in.
FLAVOUR_SUFFIX=
[[ $FLAVOUR == classic ]] || FLAVOUR_SUFFIX=-$FLAVOUR
# Per flavour: an upper layer belongs to the base it was made over.
NODES_DIR=$LAB_DIR/nodes/$FLAVOUR
LOG_DIR=$LAB_DIR/log
SSH_DIR=$LAB_DIR/ssh
BASE_DIR=$LAB_DIR/base/$FLAVOUR
FLAVOUR_DIR=$LAB_SOURCE/flavours/$FLAVOUR
CONFIG_FILE=$LAB_DIR/vakt.toml

LAB_STARTED=$EPOCHREALTIME

say() {
    local now=$EPOCHREALTIME
    printf '[%6.1f s] %s\n' "$(((${now/./} - ${LAB_STARTED/./}) / 100000))e-1" "$*" >&2
}

warn() { printf 'lab: warning: %s\n' "$*" >&2; }

# die MESSAGE [CURE]: every refusal says what is wrong and what helps.
die() {
    printf 'lab: %s\n' "$1" >&2
    [[ -z ${2:-} ]] || printf 'lab: cure: %s\n' "$2" >&2
    exit "${DIE_CODE:-1}"
}

usage_error() {
    DIE_CODE=2 die "$1" "see 'lab -h'"
}

# Root is needed for nearly everything. Where sudo asks nothing, it is used without a word, so that
# tests and scripts of an ordinary user can call the lab.
require_root() {
    ((EUID != 0)) || return 0
    if sudo -n true 2>/dev/null; then
        exec sudo -n env VAKT_LAB_DIR="$LAB_DIR" ${VAKT_LAB_FLAVOUR:+VAKT_LAB_FLAVOUR="$VAKT_LAB_FLAVOUR"} \
            "$LAB_SOURCE/lab" "$@"
    fi
    die "'$1' needs root: it makes namespaces, mounts and control groups" "sudo $0 $*"
}

# One lab run at a time. The descriptor must not leak into what the lab starts (see detached).
take_lock() {
    mkdir -p "$LAB_DIR"
    exec {LOCK_FD}>"$LAB_DIR/lock"
    if ! flock -n "$LOCK_FD"; then
        say "another lab command is running, waiting for it"
        flock -w 300 "$LOCK_FD" || die "another lab command has held the lock for 5 minutes" "look for it: fuser -v $LAB_DIR/lock"
    fi
}

# detached LOG CMD...: run CMD in the background in its own session, cut off from the terminal, from
# our lock and from every other descriptor: a lock of whoever called us must not live as long as a node.
# Its process id is in DETACHED_PID.
detached() {
    local log=$1
    shift
    (
        close_inherited
        exec setsid "$@" </dev/null >>"$log" 2>&1
    ) &
    DETACHED_PID=$!
}

close_inherited() {
    local descriptor
    for descriptor in "/proc/$BASHPID/fd/"*; do
        descriptor=${descriptor##*/}
        ((descriptor <= 2)) || eval "exec $descriptor>&-"
    done
}

# A process id alone may have been reused: remember the start time as well.
process_start() {
    local stat
    local -a fields
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # Field 22, counted after the command name, which may hold blanks.
    read -ra fields <<<"${stat##*) }"
    printf '%s\n' "${fields[19]}"
}

remember_process() {
    printf '%s %s\n' "$2" "$(process_start "$2")" >"$RUN_DIR/$1.pid"
}

# Prints the process id behind a remembered name if that very process still runs.
running_process() {
    local pid start
    [[ -r $RUN_DIR/$1.pid ]] || return 1
    read -r pid start <"$RUN_DIR/$1.pid" || return 1
    [[ -n $start && $(process_start "$pid" || true) == "$start" ]] || return 1
    printf '%s\n' "$pid"
}

# stop_process NAME: end a remembered process, politely first.
stop_process() {
    local pid i
    if pid=$(running_process "$1"); then
        kill "$pid" 2>/dev/null || true
        for ((i = 0; i < 40; i++)); do
            running_process "$1" >/dev/null || break
            sleep 0.05
        done
        if pid=$(running_process "$1"); then
            kill -9 "$pid" 2>/dev/null || true
        fi
    fi
    rm -f "$RUN_DIR/$1.pid"
}

is_mounted() { mountpoint -q "$1"; }

# Unmount everything at or below a directory, deepest first, also what a killed lab left stacked.
unmount_below() {
    local target
    while read -r target; do
        umount -l "$target" 2>/dev/null || true
    done < <(awk -v dir="$1" '$5 == dir || index($5, dir "/") == 1 { print length($5), $5 }' \
        /proc/self/mountinfo | sort -rn | cut -d' ' -f2-)
}

# What the console has to read (key, configuration) belongs to the user who called sudo;
# a later call by root itself changes nothing about that.
owner_of_secrets() {
    if [[ -n ${SUDO_UID:-} ]]; then
        printf '%s:%s\n' "$SUDO_UID" "${SUDO_GID:-0}"
    else
        stat -c %u:%g "$SSH_DIR"
    fi
}

prepare_directories() {
    install -d -m 0755 "$LAB_DIR" "$RUN_DIR" "$LOG_DIR" "$NODES_DIR" "$LAB_DIR/base" "$LAB_DIR/bin"
    [[ -d $SSH_DIR ]] || install -d -m 0700 "$SSH_DIR"
    is_mounted "$RUN_DIR" || mount -t tmpfs -o mode=0755,size=16m vakt-lab "$RUN_DIR"
    install -d -m 0755 "$RUN_DIR/proc" "$RUN_DIR/figures"
}
