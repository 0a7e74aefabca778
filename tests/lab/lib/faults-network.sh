# shellcheck shell=bash
# Faults of switches, ports and addresses.

declare_fault vip-twice edge "both load balancers hold the virtual addresses: NODE hears no VRRP"
declare_fault port-down any "a port of br-int is down: a hypervisor's guest, elsewhere the private address"
declare_fault port-drops any "the port of the private address drops packets"
declare_fault tag-mismatch any "the port of the private address is in VLAN 11 instead of 10"
declare_fault vswitchd-kill any "ovs-vswitchd is dead while its database answers"

FAULT_COOKIE=0x1ab

# A genuine split brain: adverts are dropped both ways, so the peer's absence is all that either sees.
cause_vip_twice() {
    in_node "$1" ovs-ofctl add-flow br-int "cookie=$FAULT_COOKIE,priority=60000,ip,nw_proto=112,actions=drop"
    wait_until 10 both_hold_the_vip || die "the virtual address is not on both load balancers" "lab heal $1 vip-twice"
}

both_hold_the_vip() {
    local node
    for node in "${NODES[@]}"; do
        [[ ${NODE_ROLE[$node]} != edge ]] || holds_the_vip "$node" || return 1
    done
}

holds_the_vip() { in_node "$1" ip -o addr show to "$PRIVATE_VIP" | grep -q .; }

heal_vip_twice() {
    in_node "$1" ovs-ofctl del-flows br-int "cookie=$FAULT_COOKIE/-1"
}

# The guest's port where there is a guest: nothing else of the cluster stands on that one.
port_to_pull() {
    local guest=''
    [[ ${NODE_ROLE[$1]} != hypervisor ]] || guest=$(in_node "$1" ovs-vsctl list-ports br-int | grep -m1 '^vnet' || true)
    printf '%s\n' "${guest:-priv0}"
}

cause_port_down() {
    remember "$1" port-down port "$(port_to_pull "$1")"
    in_node "$1" ip link set "$(recall "$1" port-down port)" down
}

heal_port_down() {
    local port
    port=$(recall "$1" port-down port)
    [[ -z $port ]] || in_node "$1" ip link set "$port" up
}

# A queue of one packet and bursts of twenty: the switch cannot fetch them as fast as they come.
cause_port_drops() {
    local peer
    peer=$(node_address "$(peer_of "$1")" private)
    remember "$1" port-drops length "$(in_node "$1" cat /sys/class/net/priv0/tx_queue_len)"
    in_node "$1" ip link set priv0 txqueuelen 1
    # shellcheck disable=SC2016 # expanded inside the node
    fault_unit "$1" port-drops sh -c 'while sleep 0.1; do timeout 0.3 ping -q -n -c 20 -l 20 -W 1 "$0"; done >/dev/null 2>&1' "$peer"
}

heal_port_drops() {
    local length
    stop_fault_unit "$1" port-drops
    length=$(recall "$1" port-drops length)
    [[ -z $length ]] || in_node "$1" ip link set priv0 txqueuelen "$length"
}

cause_tag_mismatch() {
    remember "$1" tag-mismatch tag "$(in_node "$1" ovs-vsctl get port priv0 tag)"
    in_node "$1" ovs-vsctl set port priv0 tag=11
}

heal_tag_mismatch() {
    local tag
    tag=$(recall "$1" tag-mismatch tag)
    [[ -z $tag ]] || in_node "$1" ovs-vsctl set port priv0 "tag=$tag"
}

cause_vswitchd_kill() { kill_for_good "$1" ovs-vswitchd; }

# The userspace switch took its ports with it: they come back, and get their addresses again.
heal_vswitchd_kill() {
    start_again "$1" ovs-vswitchd
    in_node "$1" /usr/local/lib/lab/net
}
