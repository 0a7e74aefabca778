# shellcheck shell=bash
# Role files: roles/ROLE/root is copied into the node, roles/ROLE/units are switched on.
# A flavour may override both below flavours/FLAVOUR/roles/ROLE.

# The directories that make up a node, in the order they are laid over each other.
role_layers() {
    local role
    for role in all "$1"; do
        [[ ! -d $LAB_SOURCE/roles/$role ]] || printf '%s\n' "$LAB_SOURCE/roles/$role"
        [[ ! -d $FLAVOUR_DIR/roles/$role ]] || printf '%s\n' "$FLAVOUR_DIR/roles/$role"
    done
}

# Nodes are provisioned once, so that a change made on a node survives a restart;
# again only when the role files themselves changed.
role_hash() {
    local layer
    {
        printf '%s\n' "$1" "${NODE_OPTIONS[$1]}" "${NODE_LOGIN[$1]}" "${NODE_OCTET[$1]}"
        cat "$CLIENT_KEY.pub" "$SSH_DIR/hosts/$1.pub"
        [[ ${NODE_ROLE[$1]} != edge ]] || cat "$TLS_FILE"
        while read -r layer; do
            find "$layer" -type f -exec sha256sum {} + | sort
        done < <(role_layers "${NODE_ROLE[$1]}")
    } | sha256sum | cut -d' ' -f1
}

first_of_role() {
    local node
    for node in "${NODES[@]}"; do
        [[ ${NODE_ROLE[$node]} != "$1" ]] || { printf '%s\n' "$node"; return; }
    done
}

# The other node of a role with two members.
peer_of() {
    local node
    for node in "${NODES[@]}"; do
        if [[ $node != "$1" && ${NODE_ROLE[$node]} == "${NODE_ROLE[$1]}" ]]; then
            printf '%s\n' "$node"
            return
        fi
    done
}

node_variables() {
    local node=$1 peer tunnel='' bridge=no priority=100
    peer=$(peer_of "$node")
    [[ ${NODE_ROLE[$node]} != hypervisor ]] || tunnel=$(node_address "$peer" underlay)
    ! node_has_option "$node" mgmt-ovs || bridge=yes
    [[ $node != "$(first_of_role edge)" ]] || priority=150
    cat <<EOF
NODE=$node
ROLE=${NODE_ROLE[$node]}
OCTET=${NODE_OCTET[$node]}
DATABASE=$(sql_word client)
MANAGEMENT=$(node_address "$node" management)
MANAGEMENT_BRIDGE=$bridge
PRIVATE=$(node_address "$node" private)
UNDERLAY=$(node_address "$node" underlay)
PUBLIC=$(node_address "$node" public)
PRIORITY=$priority
PEER_PRIVATE=$(node_address "$peer" private)
TUNNEL_PEER=$tunnel
FIRST_PRIMARY=$(node_address "$(first_of_role database)" private)
EOF
}

# Copy a layer's files into the node, with @NAME@ replaced by the node's values.
install_layer() {
    local layer=$1 root=$2 script=$3 file target
    [[ -d $layer/root ]] || return 0
    while read -r file; do
        target=$root/$file
        mkdir -p "${target%/*}"
        rm -f "$target"
        sed -f "$script" "$layer/root/$file" >"$target"
        [[ ! -x $layer/root/$file ]] || chmod 0755 "$target"
    done < <(cd "$layer/root" && find . -type f)
}

enable_units() {
    local list=$1 root=$2 unit file target
    [[ -r $list ]] || return 0
    while read -r unit; do
        [[ -n $unit && $unit != \#* ]] || continue
        file=/lib/systemd/system/$unit
        [[ ! -e $root/etc/systemd/system/$unit ]] || file=/etc/systemd/system/$unit
        target=multi-user.target
        ! grep -qs '^WantedBy=sysinit.target' "$root$file" || target=sysinit.target
        [[ $unit != *.socket ]] || target=sockets.target
        mkdir -p "$root/etc/systemd/system/$target.wants"
        ln -sf "$file" "$root/etc/systemd/system/$target.wants/$unit"
    done <"$list"
}

write_hosts_file() {
    local node
    printf '127.0.0.1 localhost\n'
    for node in "${NODES[@]}"; do
        printf '%s %s\n' "$(node_address "$node" private)" "$node"
    done
}

provision_node() {
    local node=$1 root=$2 layer script hash
    hash=$(role_hash "$node")
    [[ $(cat "$(node_dir "$node")/provisioned" 2>/dev/null) != "$hash" ]] || return 0
    mkdir -p "$root/etc/lab"
    node_variables "$node" >"$root/etc/lab/node.env"
    script=$(mktemp)
    sed 's/^\([A-Z_]*\)=\(.*\)$/s|@\1@|\2|g/' "$root/etc/lab/node.env" >"$script"
    while read -r layer; do
        install_layer "$layer" "$root" "$script"
        enable_units "$layer/units" "$root"
    done < <(role_layers "${NODE_ROLE[$node]}")
    rm -f "$script"
    printf '%s\n' "$node" >"$root/etc/hostname"
    [[ -s $root/etc/machine-id ]] || tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
    write_hosts_file >"$root/etc/hosts"
    install_keys "$node" "$root"
    if [[ ${NODE_ROLE[$node]} == edge ]]; then
        install -D -m 0600 -o 0 -g 0 "$TLS_FILE" "$root/etc/haproxy/certs/lab.pem"
    fi
    # sshd must not wait for Open vSwitch, which sorts itself before network.target.
    sed '/^After=/d' "$root/lib/systemd/system/ssh.service" >"$root/etc/systemd/system/ssh.service"
    ln -sf /etc/systemd/system/ssh.service "$root/etc/systemd/system/multi-user.target.wants/ssh.service"
    printf '%s\n' "$hash" >"$(node_dir "$node")/provisioned"
}
