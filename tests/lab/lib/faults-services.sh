# shellcheck shell=bash
# Faults of daemons, guests, memory, visitors and certificates.

declare_fault libvirtd-freeze hypervisor "libvirtd is stopped (SIGSTOP): it listens and never answers"
declare_fault guest-pause hypervisor "the guest is paused"
declare_fault memcached-dead web "memcached is dead and nothing starts it again"
declare_fault public-listener edge "memcached listens on the public address, port 11211"
declare_fault vrrp-fault edge "an interface that keepalived needs is down: its instance is in FAULT"
declare_fault stats-full edge "every connection that HAProxy's stats socket allows is taken"
declare_fault oom any "the kernel kills a process because the node's memory is full (once)"
declare_fault spike edge "visitors come in hundreds a second (NODE: who holds the virtual address)"
declare_fault cert-expiring edge "the certificate served on port 443 ends in three days"

# It ends by itself when nobody has asked for two minutes, and what does not run cannot be frozen.
cause_libvirtd_freeze() {
    in_node "$1" systemctl start libvirtd
    in_node "$1" systemctl kill --signal=STOP libvirtd
}

heal_libvirtd_freeze() { in_node "$1" systemctl kill --signal=CONT libvirtd; }

guest_state() { in_node "$1" timeout 5 virsh domstate "$(guest_of "$1")"; }

# The hypervisor's own guest, as roles/hypervisor names it.
guest_of() { printf 'app%02d\n' "$((NODE_OCTET[$1] - 40))"; }

cause_guest_pause() {
    wait_until 20 guest_is_there "$1" || die "the guest of $1 does not run" "lab ssh $1 journalctl -u lab-guests"
    [[ $(guest_state "$1") == paused* ]] || in_node "$1" timeout 5 virsh -q suspend "$(guest_of "$1")"
}

guest_is_there() { [[ $(guest_state "$1") =~ ^(running|paused) ]]; }

heal_guest_pause() {
    [[ $(guest_state "$1") != paused* ]] || in_node "$1" timeout 5 virsh -q resume "$(guest_of "$1")"
}

cause_memcached_dead() { kill_for_good "$1" memcached; }
heal_memcached_dead() { start_again "$1" memcached; }

cause_public_listener() {
    fault_unit "$1" public-listener memcached -u memcache -l "$(node_address "$1" public)" -p 11211 -U 0 -m 8
}

heal_public_listener() { stop_fault_unit "$1" public-listener; }

# The address on it goes with it, and comes back with it.
cause_vrrp_fault() { in_node "$1" ip link set pub0 down; }
heal_vrrp_fault() { in_node "$1" ip link set pub0 up; }

cause_stats_full() {
    install_script "$1" stats.pl
    fault_unit "$1" stats-full perl /run/lab-stats.pl /run/haproxy/admin.sock
    wait_until 10 stats_socket_is_full "$1" || die "the stats socket of $1 still answers" "lab heal $1 stats-full"
}

# socat leaves after a second without an answer: then there was no room.
stats_socket_is_full() {
    [[ -z $(in_node "$1" timeout 1 socat -t1 - UNIX-CONNECT:/run/haproxy/admin.sock <<<'show info') ]]
}

heal_stats_full() {
    stop_fault_unit "$1" stats-full
    in_node "$1" rm -f /run/lab-stats.pl
}

# More than the node may use at all. The process offers itself, so that no daemon is chosen.
cause_oom() {
    local megabytes before
    megabytes=$(($(node_memory_limit "${NODE_ROLE[$1]}") / 1048576 + 256))
    before=$(oom_kills "$1")
    fault_unit "$1" oom --property=OOMScoreAdjust=1000 perl -e 'my $x = "x"; $x x= 1048576; my @all; push @all, "$x" for 1 .. shift; sleep 3600' "$megabytes"
    wait_until 20 more_oom_kills "$1" "$before" || die "nothing was killed on $1" "lab heal $1 oom"
}

oom_kills() { in_node "$1" sed -n 's/^oom_kill //p' /proc/vmstat; }
more_oom_kills() { (($(oom_kills "$1") > $2)); }

heal_oom() { stop_fault_unit "$1" oom; }

# Beside the ordinary visitors, if "load start" sends some: this fault is the difference.
cause_spike() {
    ensure_client_network
    ! running_process fault-spike >/dev/null || return 0
    detached "$LOG_DIR/load.log" ip netns exec "$CLIENT_NS" perl "$LAB_SOURCE/load/http.pl" \
        "$PUBLIC_VIP" "$SPIKE_HTTP_RATE" 0 0 "$LOAD_SECONDS" /dev/null
    remember_process fault-spike "$DETACHED_PID"
}

heal_spike() { stop_process fault-spike; }

# One command from standard input.
ask_haproxy() { in_node "$1" socat -t5 - UNIX-CONNECT:/run/haproxy/admin.sock; }

# Swapped in the running process, so that nothing of its state is lost, and in the file.
serve_certificate() {
    in_node "$1" sh -c 'umask 077 && cat >/etc/haproxy/certs/lab.pem.new && mv /etc/haproxy/certs/lab.pem.new /etc/haproxy/certs/lab.pem' <"$2"
    {
        printf 'set ssl cert /etc/haproxy/certs/lab.pem <<\n'
        # An empty line would end the command.
        grep . "$2"
        printf '\n'
    } | ask_haproxy "$1" >/dev/null
    # In a conversation of its own: newer versions hear one command in each.
    ask_haproxy "$1" <<<'commit ssl cert /etc/haproxy/certs/lab.pem' | grep -q 'Success!' ||
        die "HAProxy on $1 does not take the certificate" "lab kill $1; lab up $1"
}

cause_cert_expiring() {
    local file
    file=$(mktemp)
    make_certificate "$file" 3
    serve_certificate "$1" "$file"
    rm -f "$file"
}

heal_cert_expiring() { serve_certificate "$1" "$TLS_FILE"; }
