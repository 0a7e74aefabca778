//! Settings of HAProxy on real load balancers: limits while it runs, its file, reloads that forget nothing, and restarts.

use super::lab::{Lab, Watch, answer, until};
use serde_json::Value;
use std::time::Duration;

/// It does not hold the virtual address, and its login is no root.
const NODE: &str = "lb02";
const CONFIG: &str = "/etc/haproxy/haproxy.cfg";

fn on(node: &str, script: &str) -> String {
    answer(&["exec", node, "sh", "-c", script]).trim().to_owned()
}

fn asked(node: &str, command: &str) -> String {
    on(node, &format!("echo '{command}' | socat -t 5 - UNIX-CONNECT:/run/haproxy/admin.sock"))
}

/// Everything below the folder of the file with checksum, mode, owner and time, and what is left of a reload.
fn files() -> String {
    let script = "cd /etc/haproxy && find . -type f | sort | while read -r f; do sha256sum $f; stat -c '%a %U %G %Y' $f; done; ls \
                  /run/haproxy";
    ["lb01", "lb02"].map(|node| on(node, script)).join("\n")
}

fn set(lab: &Lab, target: &str, words: &[&str]) -> (Option<i32>, String) {
    let all = [&["do", "tune.set", target], words, &["--yes", "--reason", "test"]].concat();
    let done = lab.vakt(&all);
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

fn reached(lab: &Lab, target: &str, words: &[&str]) -> String {
    let (code, said) = set(lab, target, words);
    assert_eq!(code, Some(0), "{words:?}: {said}");
    said
}

/// A column of a row of `show stat`, by HAProxy itself.
fn stat(node: &str, row: &str, column: &str) -> String {
    let table = asked(node, "show stat");
    let columns: Vec<&str> = table.lines().next().unwrap().trim_start_matches("# ").split(',').collect();
    let place = columns.iter().position(|name| *name == column).unwrap();
    let line = table.lines().find(|line| line.starts_with(&format!("{row},"))).unwrap();
    line.split(',').nth(place).unwrap().to_owned()
}

fn info(node: &str, name: &str) -> String {
    let table = asked(node, "show info");
    let line = table.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

fn served(watch: &mut Watch, node: &str) {
    watch.until("HAProxy serves again", Duration::from_secs(30), |_| {
        stat(node, "web_cluster,BACKEND", "status") == "UP"
    });
}

fn told(lab: &Lab, key: &str) -> Vec<Value> {
    let shown = lab.vakt(&["tune", NODE, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    shown["settings"].as_array().unwrap().iter().filter(|row| row["key"] == key).cloned().collect()
}

#[test]
fn limits_are_set_on_every_load_balancer_and_set_back() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let before = files();
    let pids = ["lb01", "lb02"].map(|node| info(node, "Pid"));
    let runs = |key: &str| match key {
        "haproxy.maxconn" => ["lb01", "lb02"].map(|node| info(node, "Maxconn")),
        "haproxy.connection_rate" => ["lb01", "lb02"].map(|node| info(node, "ConnRateLimit")),
        "haproxy.session_rate" => ["lb01", "lb02"].map(|node| info(node, "SessRateLimit")),
        "haproxy.frontend.maxconn@http_front" => ["lb01", "lb02"].map(|node| stat(node, "http_front,FRONTEND", "slim")),
        _ => ["lb01", "lb02"].map(|node| stat(node, "web_cluster,web02", "slim")),
    };
    for (key, value) in [
        ("haproxy.maxconn", "1500"),
        ("haproxy.connection_rate", "900"),
        ("haproxy.session_rate", "900"),
        ("haproxy.frontend.maxconn@http_front", "1200"),
        ("haproxy.server.maxconn@web_cluster/web02", "130"),
        ("haproxy.server.maxconn@web_cluster", "140"),
    ] {
        let [former, other] = runs(key);
        assert_eq!(former, other, "{key}");
        reached(&lab, "edge", &[key, value]);
        assert_eq!(runs(key), [value, value], "{key}");
        reached(&lab, "edge", &[key, &former]);
        assert_eq!(runs(key), [former.clone(), former], "{key}");
    }
    // Without the word it goes back by itself.
    let (code, said) = set(&lab, "edge", &["haproxy.connection_rate", "800", "--revert-after", "10s"]);
    assert_eq!(code, Some(5), "{said}");
    assert_eq!(runs("haproxy.connection_rate"), ["0", "0"]);
    assert_eq!(["lb01", "lb02"].map(|node| info(node, "Pid")), pids, "nothing was reloaded");
    assert_eq!(files(), before);
}

/// Another limit for a frontend that is full stops HAProxy 2.6 dead: it is not sent.
#[test]
fn a_full_frontend_is_left_alone() {
    let Some(lab) = Lab::take_unhurried() else { return };
    if !info(NODE, "Version").starts_with("2.") {
        return;
    }
    let pid = info(NODE, "Pid");
    let sessions = || stat(NODE, "mysql_front,FRONTEND", "scur").parse::<u64>().unwrap();
    // Sessions of an earlier test may end a while after it.
    let limit = sessions() + 2;
    reached(&lab, NODE, &["haproxy.frontend.maxconn@mysql_front", &limit.to_string()]);
    let mut watch = lab.watch();
    watch.until("the console sees the lab", Duration::from_secs(30), |_| true);
    // Clients that are logged in: a database closes those that say nothing.
    let open = format!(
        "for i in $(seq {}); do setsid $(command -v mariadb || command -v mysql) -h 10.10.0.12 -u writer -e 'select sleep(40)' \
         </dev/null >/dev/null 2>&1 & done",
        limit + 1
    );
    on("db03", &open);
    watch.until("the frontend is full", Duration::from_secs(30), |_| sessions() >= limit);
    let (code, said) = set(&lab, NODE, &["haproxy.frontend.maxconn@mysql_front", "500"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains(&format!("{limit} of {limit} are open")) && said.contains("haproxy#2726"), "{said}");
    watch.until("the clients have gone", Duration::from_secs(120), |_| sessions() < limit);
    reached(&lab, NODE, &["haproxy.frontend.maxconn@mysql_front", "500"]);
    assert_eq!(info(NODE, "Pid"), pid, "it is the same process");
}

#[test]
fn what_is_persisted_outlives_a_restart_and_goes_without_a_trace() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let before = files();
    let restart = || {
        answer(&["exec", NODE, "systemctl", "restart", "haproxy"]);
        served(&mut lab.watch(), NODE);
    };
    for (key, value, former, row) in [
        ("haproxy.server.maxconn@web_cluster", "140", "100", "web_cluster,web02"),
        ("haproxy.server.maxconn@web_cluster/web03", "150", "100", "web_cluster,web03"),
        ("haproxy.frontend.maxconn@http_front", "1200", "1000", "http_front,FRONTEND"),
    ] {
        reached(&lab, "edge", &[key, value, "--persist"]);
        assert_ne!(files(), before);
        assert_eq!(stat(NODE, row, "slim"), value, "{key}");
        restart();
        assert_eq!(stat(NODE, row, "slim"), value, "{key}: after a restart");
        let marks: Vec<String> =
            told(&lab, key.split('@').next().unwrap()).iter().map(|row| row["marks"].to_string()).collect();
        assert!(marks.iter().all(|marks| !marks.contains("not_as_in_file")), "{marks:?}");
        reached(&lab, "edge", &[key, former, "--put-back"]);
        assert_eq!(files(), before, "{key}");
        assert_eq!(stat(NODE, row, "slim"), former, "{key}");
    }
    for (key, value, former, name) in [
        ("haproxy.maxconn", "1500", "2000", "Maxconn"),
        ("haproxy.connection_rate", "900", "0", "ConnRateLimit"),
        ("haproxy.session_rate", "800", "0", "SessRateLimit"),
    ] {
        reached(&lab, NODE, &[key, value, "--persist"]);
        restart();
        assert_eq!(info(NODE, name), value, "{key}: after a restart");
        // A process that began with a smaller limit takes no larger one while it runs.
        if key == "haproxy.maxconn" {
            let (code, said) = set(&lab, NODE, &[key, former, "--put-back"]);
            assert_eq!(code, Some(4), "{said}");
            assert!(said.contains("from 1 to 1500") && said.contains("restart of HAProxy"), "{said}");
            on(NODE, &format!("cd /etc/haproxy && mv $(ls -d {CONFIG}.vakt-2*) {CONFIG}"));
            restart();
            assert_eq!(files(), before);
            continue;
        }
        reached(&lab, NODE, &[key, former, "--put-back"]);
        assert_eq!(files(), before, "{key}");
        assert_eq!(info(NODE, name), former, "{key}");
    }
}

/// Timeouts and checks are taken from the file only. A reload forgets what operators told HAProxy: here it does not.
#[test]
fn a_reload_keeps_what_operators_told_haproxy() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let before = files();
    asked(NODE, "set server web_cluster/web03 state drain");
    asked(NODE, "set server mysql_rw/db02 state ready");
    asked(NODE, "set server mysql_rw/db01 state maint");
    let states = || {
        let table = asked(NODE, "show servers state");
        let row = |line: &str| line.split(' ').take(7).skip(1).map(str::to_owned).collect::<Vec<_>>();
        table
            .lines()
            .filter(|line| line.contains("web_cluster") || line.contains("mysql_rw"))
            .map(row)
            .collect::<Vec<_>>()
    };
    let (told, mut outcome) = (states(), Vec::new());
    for (key, value, former) in [
        ("haproxy.timeout.connect@defaults", "1500ms", "1000"),
        ("haproxy.timeout.queue@web_cluster", "5s", "5s"),
        ("haproxy.timeout.client@mysql_front", "30m", "3600000"),
        ("haproxy.server.fall@web_cluster", "3", "2"),
        ("haproxy.server.inter@web_cluster/web02", "700ms", "500"),
        ("haproxy.timeout.http-request@http_front", "8s", "8s"),
    ] {
        let pid = info(NODE, "Pid");
        let (code, said) = set(&lab, NODE, &[key, value, "--persist"]);
        let (reloaded, fall) = (info(NODE, "Pid") != pid, stat(NODE, "web_cluster,web01", "check_fall"));
        outcome.push((key, "persist", code, reloaded, states() == told, said));
        if key.contains("fall") {
            assert_eq!(fall, value);
        }
        let (code, said) = set(&lab, NODE, &[key, former, "--put-back"]);
        outcome.push((key, "put back", code, files() == before, states() == told, said));
    }
    for command in ["mysql_rw/db01 state ready", "mysql_rw/db02 state maint", "web_cluster/web03 state ready"] {
        asked(NODE, &format!("set server {command}"));
    }
    served(&mut lab.watch(), NODE);
    for (key, what, code, is_good, is_kept, said) in outcome {
        assert_eq!((code, is_good, is_kept), (Some(0), true, true), "{key} {what}: {said}");
    }
}

#[test]
fn an_edit_by_somebody_else_and_a_file_that_haproxy_refuses_are_left_as_they_are() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let before = files();
    on(NODE, &format!("cp -p {CONFIG} /root/haproxy.cfg.test"));
    // Somebody types all the time: the plan was made of another file.
    let typing = format!(
        "setsid sh -c 'i=0; while [ $i -lt 800 ] && [ ! -e /root/typed ]; do echo \"# $i\" >>{CONFIG}; i=$((i+1)); sleep 0.01; done' </dev/null >/dev/null 2>&1 &"
    );
    on(NODE, &typing);
    let (code, said) = set(&lab, NODE, &["haproxy.timeout.connect@defaults", "2s", "--persist"]);
    on(NODE, "touch /root/typed");
    let after = on(
        NODE,
        &format!(
            "sleep 0.1; rm /root/typed; grep -c 'connect 1s' {CONFIG}; grep -v '^# [0-9]*$' {CONFIG} | cmp - /root/haproxy.cfg.test && echo same"
        ),
    );
    // A line that HAProxy does not know stands in the file already.
    on(
        NODE,
        &format!("cat /root/haproxy.cfg.test >{CONFIG}; sed -i 's/^    maxconn 2000/    maxcon 2000\\n&/' {CONFIG}"),
    );
    let bad = files();
    let (refused, why) = set(&lab, NODE, &["haproxy.server.maxconn@web_cluster", "120", "--persist"]);
    let (reload_refused, reload_why) = set(&lab, NODE, &["haproxy.timeout.connect@defaults", "2s", "--persist"]);
    let left = files();
    let limit = stat(NODE, "web_cluster,web01", "slim");
    on(NODE, &format!("mv /root/haproxy.cfg.test {CONFIG}"));
    assert_ne!(code, Some(0), "{said}");
    assert!(said.contains("haproxy.cfg") && after.ends_with("same"), "{after}: {said}");
    assert_ne!(refused, Some(0), "{why}");
    assert_ne!(reload_refused, Some(0), "{reload_why}");
    assert!(why.contains("not accepted") && why.contains("maxcon"), "{why}");
    assert!(reload_why.contains("not accepted"), "{reload_why}");
    assert_eq!((left, limit.as_str()), (bad, "100"));
    assert_eq!(files(), before);
}

/// A page that servers are asked for, and the weight of one: both are taken from the file only.
#[test]
fn a_page_and_a_weight_are_written_into_the_file_and_a_page_that_nobody_answers_is_not() {
    let Some(lab) = Lab::take_unhurried() else { return };
    let page = "haproxy.option.httpchk@web_cluster";
    let before = files();
    let up = || ["web01", "web02", "web03"].map(|name| stat(NODE, &format!("web_cluster,{name}"), "status"));
    // Somebody forgot the page.
    on(
        NODE,
        &format!(
            "cp -p {CONFIG} /root/haproxy.cfg.test; sed -i '/option httpchk/d' {CONFIG}; systemctl reload haproxy"
        ),
    );
    served(&mut lab.watch(), NODE);
    let without = files();
    let shown = told(&lab, "haproxy.option.httpchk");
    let bad = set(&lab, NODE, &[page, "/nonsense", "--persist"]);
    let bad_files = files();
    // The process that has the page no longer counts to two before it sends visitors there again.
    until("every server is up again", Duration::from_secs(15), || up().iter().all(|status| status == "UP"));
    let good = set(&lab, NODE, &[page, "/health", "--persist"]);
    let asked_for =
        on(NODE, &format!("sed -n '/^backend web_cluster/,/^$/p' {CONFIG} | grep -c 'option httpchk GET /health'"));
    let status = stat(NODE, "web_cluster,web01", "check_status");
    let back = set(&lab, NODE, &[page, "/health", "--put-back"]);
    let back_files = files();
    on(NODE, &format!("mv /root/haproxy.cfg.test {CONFIG}; systemctl reload haproxy"));
    served(&mut lab.watch(), NODE);
    assert!(shown.iter().any(|row| row["marks"].to_string().contains("not_as_advised")), "{shown:#?}");
    assert_eq!(bad.0, Some(5), "{}", bad.1);
    assert_eq!(bad_files, without, "{}", bad.1);
    assert_eq!(good.0, Some(0), "{}", good.1);
    assert_eq!((asked_for.as_str(), status.as_str()), ("1", "L7OK"), "{}", good.1);
    assert_eq!((back.0, back_files), (Some(0), without), "{}", back.1);
    assert_eq!(files(), before);

    let weight = "haproxy.server.weight@web_cluster/web03";
    let runs = || stat(NODE, "web_cluster,web03", "weight");
    reached(&lab, NODE, &[weight, "50", "--persist"]);
    assert_eq!(runs(), "50");
    answer(&["exec", NODE, "systemctl", "restart", "haproxy"]);
    served(&mut lab.watch(), NODE);
    assert_eq!(runs(), "50", "after a restart");
    reached(&lab, NODE, &[weight, "50", "--put-back"]);
    assert_eq!((files(), runs().as_str()), (before, "1"));
}
