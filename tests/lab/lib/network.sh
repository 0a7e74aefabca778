# shellcheck shell=bash
# Cables and switches. The namespace lab-sw holds three Linux bridges:
#   mgmt  10.99.0.0/24   eth0 of every node; this machine joins it as "labmgmt" (10.99.0.1); the
#                        flavour "modern" uses 10.99.1.0/24 and names that end in -modern
#   fab   the fabric     eth1 of every node, carries the underlay and VLANs; Open vSwitch rides on it
#   pub   203.0.113.0/24 pub0 of the load balancers and of the load clients
# Nothing of this leaves the machine: labmgmt is the only way in.

SWITCH_NS=lab$FLAVOUR_SUFFIX-sw
CLIENT_NS=lab$FLAVOUR_SUFFIX-client
HOST_LINK=labmgmt$FLAVOUR_SUFFIX
declare -A FLAVOUR_NETWORK=([classic]=10.99.0 [modern]=10.99.1)
MANAGEMENT_NETWORK=${FLAVOUR_NETWORK[$FLAVOUR]:-10.99.9}
HOST_ADDRESS=$MANAGEMENT_NETWORK.1
CLIENT_OCTET=200

node_ns() { printf 'lab%s-%s\n' "$FLAVOUR_SUFFIX" "$1"; }

ns_exists() { [[ -e /run/netns/$1 ]] && nsenter --net="/run/netns/$1" true 2>/dev/null; }

ensure_ns() {
    ns_exists "$1" && return 0
    # A name without a namespace behind it is what a killed lab leaves.
    ip netns delete "$1" 2>/dev/null || rm -f "/run/netns/$1"
    ip netns add "$1"
    ip -n "$1" link set lo up
}

delete_ns() {
    [[ -e /run/netns/$1 ]] || return 0
    ip netns delete "$1" 2>/dev/null || { umount -l "/run/netns/$1" 2>/dev/null || true; rm -f "/run/netns/$1"; }
}

link_exists() { ip -n "$1" link show "$2" >/dev/null 2>&1; }

# Userspace switches read raw frames: a checksum left to "hardware" would never be filled in.
no_offload() { ip netns exec "$1" ethtool -K "$2" tx off gso off tso off >/dev/null 2>&1 || true; }

# There is one lab of a flavour per machine: its namespaces and addresses have fixed names. The link to it
# carries the directory of its state, so that another directory's lab is not mistaken for ours.
require_own_lab() {
    local owner
    owner=$(ip -o link show "$HOST_LINK" 2>/dev/null | sed -n 's/.*alias \(.*\)$/\1/p') || true
    [[ -z $owner || $owner == "$LAB_DIR" ]] ||
        die "a lab with its state in $owner runs on this machine" "VAKT_LAB_DIR=$owner $0 down"
}

ensure_switch() {
    local bridge
    ensure_ns "$SWITCH_NS"
    for bridge in mgmt fab pub; do
        link_exists "$SWITCH_NS" "$bridge" && continue
        ip -n "$SWITCH_NS" link add "$bridge" type bridge stp_state 0 forward_delay 0 mcast_snooping 0
        ip -n "$SWITCH_NS" link set "$bridge" mtu 1600 up
    done
    if ! ip link show "$HOST_LINK" >/dev/null 2>&1 || ! link_exists "$SWITCH_NS" host; then
        ip link delete "$HOST_LINK" 2>/dev/null || true
        ip link add "$HOST_LINK" type veth peer name host netns "$SWITCH_NS"
        ethtool -K "$HOST_LINK" tx off gso off tso off >/dev/null 2>&1 || true
    fi
    ip link set "$HOST_LINK" alias "$LAB_DIR"
    ip -n "$SWITCH_NS" link set host master mgmt up
    ip addr replace "$HOST_ADDRESS/24" dev "$HOST_LINK"
    ip link set "$HOST_LINK" up
}

# ensure_cable NS IFACE PORT BRIDGE: a cable from IFACE in namespace NS to PORT of a bridge.
ensure_cable() {
    local ns=$1 iface=$2 port=$3 bridge=$4
    if ! link_exists "$ns" "$iface" || ! link_exists "$SWITCH_NS" "$port"; then
        ip -n "$SWITCH_NS" link delete "$port" 2>/dev/null || true
        ip -n "$ns" link delete "$iface" 2>/dev/null || true
        ip -n "$SWITCH_NS" link add "$port" type veth peer name "$iface" netns "$ns"
        no_offload "$ns" "$iface"
    fi
    ip -n "$SWITCH_NS" link set "$port" mtu 1600 master "$bridge" up
    ip -n "$ns" link set "$iface" up
}

ensure_node_network() {
    local node=$1 ns
    ns=$(node_ns "$node")
    ensure_ns "$ns"
    ensure_cable "$ns" eth0 "m-$node" mgmt
    ensure_cable "$ns" eth1 "f-$node" fab
    ip -n "$ns" link set eth1 mtu 1600
    # sshd answers before anything inside the node has run, except where OVS carries the address.
    if ! node_has_option "$node" mgmt-ovs; then
        ip -n "$ns" addr replace "$(node_address "$node" management)/24" dev eth0
    fi
    if [[ ${NODE_ROLE[$node]} == edge ]]; then
        ensure_cable "$ns" pub0 "p-$node" pub
        ip -n "$ns" addr replace "$(node_address "$node" public)/24" dev pub0
    fi
}

# The load clients' own namespace: public like a visitor, private like an application.
ensure_client_network() {
    ensure_switch
    ensure_ns "$CLIENT_NS"
    ensure_cable "$CLIENT_NS" pub0 p-client pub
    ensure_cable "$CLIENT_NS" eth1 f-client fab
    ip -n "$CLIENT_NS" addr replace "203.0.113.$CLIENT_OCTET/24" dev pub0
}

# Address of a node on one of the networks; empty where it has none.
node_address() {
    local octet=${NODE_OCTET[$1]}
    case $2 in
        management) printf '%s.%s\n' "$MANAGEMENT_NETWORK" "$octet" ;;
        private) printf '10.10.0.%s\n' "$octet" ;;
        underlay) printf '10.88.0.%s\n' "$octet" ;;
        public) [[ ${NODE_ROLE[$1]} != edge ]] || printf '203.0.113.%s\n' "$octet" ;;
    esac
}

# set_cables NODE up|down PREFIX...: pull or plug the cables on the switch's side, so that the
# node sees a lost carrier and everybody else sees silence.
set_cables() {
    local node=$1 state=$2 prefix
    shift 2
    for prefix in "$@"; do
        ! link_exists "$SWITCH_NS" "$prefix-$node" ||
            ip -n "$SWITCH_NS" link set "$prefix-$node" "$state"
    done
}

# Which cables of a node are unplugged, as a list of m, f and p.
cut_cables() {
    local prefix out=()
    for prefix in m f p; do
        link_exists "$SWITCH_NS" "$prefix-$1" || continue
        ip -n "$SWITCH_NS" -o link show "$prefix-$1" | grep -q '[<,]UP[,>]' || out+=("$prefix")
    done
    printf '%s\n' "${out[*]}"
}

delete_node_network() { delete_ns "$(node_ns "$1")"; }

delete_switch() {
    ip link delete "$HOST_LINK" 2>/dev/null || true
    delete_ns "$CLIENT_NS"
    delete_ns "$SWITCH_NS"
}
