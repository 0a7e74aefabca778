# shellcheck shell=bash
# The vakt configuration that describes this lab.

write_config() {
    local node user public
    {
        cat <<EOF
# Written by the lab. It is made anew by 'lab up' and 'lab config'.
[cluster]
name = "lab$FLAVOUR_SUFFIX"

[ssh]
identity_files = ["$CLIENT_KEY"]
known_hosts_files = ["$KNOWN_HOSTS"]
use_agent = false
ssh_config_file = "none"
EOF
        for node in "${NODES[@]}"; do
            public=$(node_address "$node" public)
            user=${NODE_LOGIN[$node]}
            cat <<EOF

[[node]]
name = "$node"
roles = ["${NODE_ROLE[$node]}"]
management = "$(node_address "$node" management)"
private = "$(node_address "$node" private)"
${public:+public = \"$public\"
}site = "${NODE_SITE[$node]}"
jurisdiction = "${NODE_JURISDICTION[$node]}"
user = "$user"
EOF
            [[ ${NODE_ROLE[$node]} != hypervisor ]] ||
                printf 'migration_uri = "qemu+tcp://%s/system"\n' "$(node_address "$node" underlay)"
        done
        cat <<EOF

[poll]
certificates_ms = 10000
private_network_ms = 15000

# All nodes share one machine, and their packets pass switches that are programs: it is busy, not far.
# Their file systems are that machine's too, and how full it is says nothing of the lab; nor does it what the neighbours
# of that machine take of its processors.
[thresholds]
filesystem_percent = 97.0
steal_percent = 90.0
private_site_ms = 20.0
private_town_ms = 20.0
private_far_ms = 40.0

[haproxy]
socket = "/run/haproxy/admin.sock"

# With what a former primary logs in to replicate; the account is made with the databases.
[mysql]
replication_user = "replica"
replication_password_file = "$REPLICATION_PASSWORD"

[[vip]]
address = "203.0.113.100"
nodes = ["lb01", "lb02"]

[[vip]]
address = "10.10.0.100"
nodes = ["lb01", "lb02"]
EOF
    } | sed 's/\\"/"/g' >"$CONFIG_FILE.new"
    (umask 077 && printf 'lab-replica\n' >"$REPLICATION_PASSWORD")
    chown "$(owner_of_secrets)" "$REPLICATION_PASSWORD"
    chmod 0600 "$CONFIG_FILE.new"
    chown "$(owner_of_secrets)" "$CONFIG_FILE.new"
    mv "$CONFIG_FILE.new" "$CONFIG_FILE"
}

# Only the path goes to stdout: this stands inside "$(...)".
verb_config() {
    if ((EUID == 0)); then
        prepare_directories
        ensure_keys
        write_config
    elif [[ ! -r $CONFIG_FILE ]]; then
        require_root config
    fi
    printf '%s\n' "$CONFIG_FILE"
}
