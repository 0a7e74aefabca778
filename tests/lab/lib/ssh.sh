# shellcheck shell=bash
# One client key, one pre-made host key per node and a known_hosts file of the lab's own.

CLIENT_KEY=$SSH_DIR/id_ed25519
REPLICATION_PASSWORD=$SSH_DIR/replication-password
KNOWN_HOSTS=$SSH_DIR/known_hosts

ensure_keys() {
    local node key
    [[ -s $CLIENT_KEY && -s $CLIENT_KEY.pub ]] || {
        rm -f "$CLIENT_KEY" "$CLIENT_KEY.pub"
        ssh-keygen -q -t ed25519 -N '' -C vakt-lab -f "$CLIENT_KEY"
    }
    mkdir -p "$SSH_DIR/hosts"
    for node in "${NODES[@]}"; do
        key=$SSH_DIR/hosts/$node
        [[ -s $key && -s $key.pub ]] || {
            rm -f "$key" "$key.pub"
            ssh-keygen -q -t ed25519 -N '' -C "$node" -f "$key"
        }
        printf '%s,%s %s\n' "$node" "$(node_address "$node" management)" "$(cut -d' ' -f1,2 "$key.pub")"
    done >"$KNOWN_HOSTS.new"
    mv "$KNOWN_HOSTS.new" "$KNOWN_HOSTS"
    chown -R "$(owner_of_secrets)" "$SSH_DIR"
    # Host keys stay root's.
    chown -R 0:0 "$SSH_DIR/hosts"
    chmod 0700 "$SSH_DIR/hosts"
}

# The node's side, written into its root.
install_keys() {
    local node=$1 root=$2 user
    install -d -m 0755 "$root/etc/ssh/authorized_keys.d" "$root/etc/ssh/sshd_config.d"
    install -m 0600 -o 0 -g 0 "$SSH_DIR/hosts/$node" "$root/etc/ssh/ssh_host_ed25519_key"
    install -m 0644 -o 0 -g 0 "$SSH_DIR/hosts/$node.pub" "$root/etc/ssh/ssh_host_ed25519_key.pub"
    for user in operator "${NODE_LOGIN[$node]}"; do
        install -m 0644 -o 0 -g 0 "$CLIENT_KEY.pub" "$root/etc/ssh/authorized_keys.d/$user"
    done
    rm -f "$root/etc/ssh/sshd_config.d/lab-node.conf"
    if node_has_option "$node" no-streams; then
        echo 'AllowStreamLocalForwarding no' >"$root/etc/ssh/sshd_config.d/lab-node.conf"
    fi
}

ssh_options() {
    printf '%s\n' -F none -i "$CLIENT_KEY" -o IdentitiesOnly=yes -o IdentityAgent=none \
        -o UserKnownHostsFile="$KNOWN_HOSTS" -o GlobalKnownHostsFile=none \
        -o StrictHostKeyChecking=yes -o LogLevel=ERROR
}

# Answers with the first bytes of sshd's greeting, or not at all.
sshd_answers() {
    local banner=''
    # The inner shell's redirection opens the connection; the timeout bounds a silent peer.
    # shellcheck disable=SC2016
    banner=$(timeout 1 bash -c 'exec 3<>"/dev/tcp/$1/22" && head -c 4 <&3' _ "$1" 2>/dev/null) || true
    [[ $banner == SSH- ]]
}

verb_ssh() {
    local node=${1:-}
    local -a options
    require_node "$node"
    shift
    [[ -r $CLIENT_KEY ]] || die "no readable key at $CLIENT_KEY" "'lab up' makes it; as another user: sudo $0 ssh $node"
    mapfile -t options < <(ssh_options)
    exec ssh "${options[@]}" "${NODE_LOGIN[$node]}@$(node_address "$node" management)" "$@"
}
