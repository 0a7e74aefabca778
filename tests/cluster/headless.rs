//! Headless commands on the whole lab.

use super::lab::{self, Lab};

#[test]
fn status_json_lists_ten_nodes_up_and_every_server_of_both_load_balancers() {
    let Some(lab) = Lab::take() else { return };
    let document = lab.status();
    let nodes = document["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 10);
    for node in nodes {
        assert_eq!(node["state"], "up", "{node:#}");
        assert!(node["host"]["cpu_iowait_percent"].is_number(), "{node:#}");
        assert!(node["host"]["kernel"].is_string(), "{node:#}");
    }
    let servers = document["haproxy"]["servers"].as_array().unwrap();
    for lb in ["lb01", "lb02"] {
        for (backend, server) in [
            ("web_cluster", "web01"),
            ("web_cluster", "web02"),
            ("web_cluster", "web03"),
            ("mysql_rw", "db01"),
            ("mysql_rw", "db02"),
            ("mysql_rw", "db03"),
        ] {
            let row = servers
                .iter()
                .find(|row| row["lb"] == lb && row["backend"] == backend && row["server"] == server)
                .unwrap_or_else(|| panic!("{lb} {backend}/{server} is missing"));
            assert!(row["admin_state"].is_string() && row["config_state"].is_string(), "{row:#}");
            assert!(row["operational_state"].is_string() && row["weight"].is_number(), "{row:#}");
        }
    }
}

#[test]
fn standard_output_is_clean_and_the_table_names_every_node() {
    let Some(lab) = Lab::take() else { return };
    let output = lab.vakt(&["status"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["lb01", "lb02", "web01", "web02", "web03", "db01", "db02", "db03", "kvm01", "kvm02"] {
        assert!(text.contains(name), "{text}");
    }
    assert!(!text.contains('\u{1b}'), "no escape sequence in a pipe");
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn check_finds_what_it_needs_and_says_which_way_each_socket_is_reached() {
    let Some(lab) = Lab::take() else { return };
    let output = lab.vakt(&["check"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    let way = |node: &str| {
        text.lines().find(|line| line.starts_with(node) && line.contains("HAProxy")).unwrap_or_else(|| panic!("{text}"))
    };
    let bastion = |what: &str| text.lines().any(|line| line.starts_with("(bastion)") && line.contains(what));
    assert!(bastion("lab-state, private") && bastion("this bastion only"), "{text}");
    // lb01 is entered as root; on lb02 the login is not in HAProxy's group.
    assert!(way("lb01").contains("forwarded socket"), "{text}");
    assert!(way("lb02").contains("sudo"), "{text}");
}

/// What sudo allows the login of lb02.
const SUDOERS: &str = "/etc/sudoers.d/operator";

struct Restricted;

impl Restricted {
    fn to(programs: &str) -> Self {
        allow(programs);
        Self
    }
}

impl Drop for Restricted {
    fn drop(&mut self) {
        lab::put_back(|| allow("ALL"));
    }
}

/// The login of lb02 may run these as root. The file is replaced whole: a half-written one shuts sudo off.
fn allow(programs: &str) {
    let line = format!("operator ALL=(ALL) NOPASSWD: {programs}");
    // A name with a dot is not read.
    let write = format!("umask 337; rm -f {SUDOERS}.new; echo '{line}' >{SUDOERS}.new && mv {SUDOERS}.new {SUDOERS}");
    lab::run(&["exec", "lb02", "sh", "-c", &write]);
}

#[test]
fn check_names_what_sudo_would_refuse_to_a_change_and_what_for() {
    let Some(lab) = Lab::take() else { return };
    let _restricted = Restricted::to("/usr/bin/socat, /usr/bin/sh, /usr/sbin/ip, /usr/bin/tee");
    let output = lab.vakt(&["check", "lb02"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let rows: Vec<&str> = text.lines().filter(|line| line.split_whitespace().nth(1) == Some("sudo")).collect();
    let [row] = rows.as_slice() else { panic!("{text}") };
    assert!(row.contains("may not run as root, to cut off a lost primary: ss -Ktn dst 10.10.0.31"), "{row}");
    assert!(row.contains("sudoers") && !row.contains("ip route"), "{row}");
}

#[test]
fn check_of_an_unknown_node_is_a_usage_error() {
    let Some(lab) = Lab::take() else { return };
    let output = lab.vakt(&["check", "nosuch"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}
