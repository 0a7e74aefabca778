//! Addresses, sockets, caches and certificates of the lab, against what the nodes' own tools say of them.

use super::lab::{Lab, answer};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a shell of a node says.
fn on(node: &str, script: &str) -> String {
    answer(&["exec", node, "sh", "-c", script])
}

fn rows<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document[name].as_array().map_or(&[], Vec::as_slice)
}

#[test]
fn who_holds_an_address_agrees_with_ip_addr() {
    let Some(lab) = Lab::take() else { return };
    let document = lab.status();
    let vips = rows(&document, "vips");
    assert_eq!(vips.len(), 2, "{document:#}");
    for vip in vips {
        let address = vip["address"].as_str().unwrap();
        assert_eq!(vip["state"], "held", "{vip:#}");
        for side in rows(vip, "nodes") {
            let node = side["node"].as_str().unwrap();
            let held = !on(node, &format!("ip -o addr show to {address}")).trim().is_empty();
            assert_eq!(side["holds"], held, "{address} on {node}: {vip:#}");
            assert_eq!(side["keepalived"], "running", "{vip:#}");
        }
    }
}

#[test]
fn listening_sockets_agree_with_ss_on_every_node() {
    let Some(lab) = Lab::take() else { return };
    let document = lab.status();
    let services = rows(&document, "services");
    assert_eq!(services.len(), 10, "every node was asked: {services:#?}");
    for row in services {
        let node = row["node"].as_str().unwrap();
        let told: BTreeSet<String> = rows(row, "listeners")
            .iter()
            .map(|socket| format!("{} {}", socket["address"].as_str().unwrap(), socket["port"]))
            .collect();
        let shown = on(node, "ss -Hltn");
        let listed: BTreeSet<String> = shown
            .lines()
            .filter_map(|line| line.split_whitespace().nth(3)?.rsplit_once(':'))
            .map(|(address, port)| {
                let address = address.split('%').next().unwrap().trim_matches(['[', ']']);
                format!("{} {port}", if address == "*" { "::" } else { address })
            })
            .collect();
        assert_eq!(told, listed, "{node}");
        let is_edge = node.starts_with("lb");
        let reached = rows(row, "listeners").iter().filter(|socket| socket["is_public"] == true);
        let reached: BTreeSet<u64> = reached.map(|socket| socket["port"].as_u64().unwrap()).collect();
        let expected: &[u64] = if is_edge { &[22, 80, 443] } else { &[] };
        assert_eq!(reached, expected.iter().copied().collect(), "{node} is reached from outside");
    }
}

#[test]
fn memcached_agrees_with_its_own_stats() {
    let Some(lab) = Lab::take() else { return };
    let document = lab.status();
    for (node, address) in [("web01", "10.10.0.21"), ("web02", "10.10.0.22"), ("web03", "10.10.0.23")] {
        let row = rows(&document, "services").iter().find(|row| row["node"] == node).unwrap();
        let told = &row["memcached"];
        let stats = on(node, &format!("printf 'stats\\r\\nquit\\r\\n' | nc -q1 {address} 11211"));
        let stat = |name: &str| {
            let prefix = format!("STAT {name} ");
            stats.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap().trim().to_owned()
        };
        assert_eq!(told["state"], "answers", "{told:#}");
        assert_eq!(told["version"], stat("version"), "{told:#}");
        assert_eq!(told["bytes_max"].to_string(), stat("limit_maxbytes"));
        assert_eq!(told["connections_max"].to_string(), stat("max_connections"));
        assert_eq!(told["items"].to_string(), stat("curr_items"));
        assert_eq!(told["evictions"].to_string(), stat("evictions"));
    }
}

#[test]
fn certificates_agree_with_openssl_and_workers_with_ps() {
    let Some(lab) = Lab::take() else { return };
    let document = lab.status();
    for node in ["lb01", "lb02"] {
        let served = rows(&document, "certificates").iter().find(|row| row["node"] == node && row["is_served"] == true);
        let served = served.unwrap_or_else(|| panic!("{node}: {:#?}", rows(&document, "certificates")));
        let script = "openssl s_client -connect 127.0.0.1:443 </dev/null 2>/dev/null | openssl x509 -noout -enddate \
                      | cut -d= -f2 | xargs -0 date -u +%Y-%m-%dT%H:%M:%S -d";
        let ends = on(node, script);
        assert!(served["ends"].as_str().unwrap().starts_with(ends.trim()), "{served:#}: openssl says {ends}");
    }
    for node in ["web01", "web02", "web03"] {
        let row = rows(&document, "services").iter().find(|row| row["node"] == node).unwrap();
        let nginx = rows(row, "web").iter().find(|server| server["server"] == "nginx").unwrap();
        let workers = on(node, "ps -o pid= --ppid $(cat /run/nginx.pid) | wc -l");
        assert_eq!(nginx["workers"].to_string(), workers.trim(), "{node}");
    }
}
