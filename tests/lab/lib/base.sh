# shellcheck shell=bash
# The base image of a flavour: made once by mmdebstrap, shared read-only by all nodes.

# shellcheck disable=SC2034 # read by verb_up
BASE_MIN_FREE_MB=4096

base_root() { printf '%s\n' "$BASE_DIR/root"; }

# What decides the content of the base. Anything else can change without a rebuild.
base_wanted_hash() {
    # shellcheck disable=SC2046 # one path a word
    cat "$FLAVOUR_DIR"/{flavour.conf,packages} $(customize_scripts) | sha256sum | cut -d' ' -f1
}

# What runs inside the new base, in this order.
customize_scripts() {
    local like
    like=$(sed -n 's/^FLAVOUR_LIKE=//p' "$FLAVOUR_DIR/flavour.conf")
    printf '%s\n' "$FLAVOUR_DIR/customize"
    [[ -z $like ]] || printf '%s\n' "$LAB_SOURCE/flavours/$like/customize"
}

base_is_current() {
    [[ -r $BASE_DIR/hash && $(<"$BASE_DIR/hash") == "$(base_wanted_hash)" ]]
}

load_flavour() {
    [[ -r $FLAVOUR_DIR/flavour.conf ]] ||
        die "no flavour '$FLAVOUR'" "flavours: $(cd "$LAB_SOURCE/flavours" && echo *)"
    # shellcheck source=/dev/null
    source "$FLAVOUR_DIR/flavour.conf"
}

# sources.list lines for the flavour from the mirrors this machine itself uses, so that a private
# mirror or a snapshot is honoured and no host name is written down here.
base_sources() {
    local label uri pocket keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    declare -A mirror=()
    # apt, not the shell, fills in the fields of the format.
    # shellcheck disable=SC2016
    while IFS='|' read -r label uri; do
        [[ -n ${mirror[$label]:-} ]] || mirror[$label]=$uri
    done < <(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages')
    [[ -n ${mirror[Debian]:-} ]] ||
        die "apt knows no Debian mirror" "set one up in /etc/apt and run apt-get update"
    printf 'deb [signed-by=%s] %s %s %s\n' "$keyring" "${mirror[Debian]}" "$FLAVOUR_SUITE" "$FLAVOUR_COMPONENTS"
    for pocket in $FLAVOUR_POCKETS; do
        uri=${mirror[Debian]}
        [[ $pocket != security ]] || uri=${mirror[Debian-Security]:-}
        [[ -z $uri ]] ||
            printf 'deb [signed-by=%s] %s %s-%s %s\n' "$keyring" "$uri" "$FLAVOUR_SUITE" "$pocket" "$FLAVOUR_COMPONENTS"
    done
}

# Options of the machine's own apt that an old or private mirror needs.
base_apt_options() {
    local valid='' date=''
    eval "$(apt-config shell valid Acquire::Check-Valid-Until date Acquire::Check-Date)"
    [[ $valid != false ]] || printf '%s\n' '--aptopt=Acquire::Check-Valid-Until "false"'
    [[ $date != false ]] || printf '%s\n' '--aptopt=Acquire::Check-Date "false"'
}

require_space() {
    local free
    free=$(df --output=avail -BM "$LAB_DIR" | tail -n1 | tr -dc '0-9')
    ((free >= $1)) || die "only $free MB free below $LAB_DIR, $1 MB are needed" \
        "free some space or set VAKT_LAB_DIR to a larger disk"
}

build_base() {
    local packages sources script kernel=${FLAVOUR_GUEST_KERNEL:-} log=$LOG_DIR/base-$FLAVOUR.log
    local -a options hooks=()
    say "building the $FLAVOUR base (about a minute; log: $log)"
    unmount_below "$NODES_DIR"
    rm -rf --one-file-system "$BASE_DIR"
    mkdir -p "$BASE_DIR"
    packages=$(grep -v '^#' "$FLAVOUR_DIR/packages" | paste -sd,)
    sources=$(base_sources)
    mapfile -t options < <(base_apt_options)
    while read -r script; do
        # Expanded by mmdebstrap's own shell: $1 is the new root.
        # shellcheck disable=SC2016
        hooks+=(--customize-hook="copy-in '$script' /"
            --customize-hook='chroot "$1" /customize '"'$kernel'"
            --customize-hook='rm "$1/customize"')
        # The first script makes the guest; the one after it finds nothing to do.
        kernel=
    done < <(customize_scripts)
    mmdebstrap --variant=minbase --include="$packages" "${options[@]}" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        "${hooks[@]}" \
        "$FLAVOUR_SUITE" "$BASE_DIR/root.new" - <<<"$sources" >"$log" 2>&1 || {
        tail -n 15 "$log" >&2
        rm -rf --one-file-system "$BASE_DIR/root.new"
        die "the base could not be built" "read $log; is a Debian mirror reachable (apt-get update)?"
    }
    mv "$BASE_DIR/root.new" "$BASE_DIR/root"
    build_disk_template
    base_wanted_hash >"$BASE_DIR/hash"
    say "base ready: $(du -sm "$BASE_DIR" | cut -f1) MB"
}

# The file system every database disk starts as, filled with the seed of the data directory.
build_disk_template() {
    local seed=$BASE_DIR/root/var/lib/mysql.seed
    [[ -d $seed ]] || return 0
    truncate -s 768M "$BASE_DIR/disk.img"
    mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 -J size=16 -d "$seed" "$BASE_DIR/disk.img"
    rm -rf "$seed"
}

# Nodes keep their upper layer across base rebuilds only if the lower layer is the same one:
# an overlay whose lower layer changed is undefined, so the nodes' state goes with the old base.
ensure_base() {
    base_is_current && return 0
    if [[ -e $BASE_DIR/hash ]]; then
        say "the package list of flavour $FLAVOUR changed: base and node state are made anew"
    fi
    stop_all_nodes
    rm -rf --one-file-system "$NODES_DIR"
    mkdir -p "$NODES_DIR"
    build_base
}
