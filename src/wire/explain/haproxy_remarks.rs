//! What we would change in a `haproxy.cfg`: mostly what is missing.

use super::{
    Remark,
    haproxy::Section,
    haproxy_lines::{checks, option},
};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const PUBLIC_PORTS: [&str; 2] = ["80", "443"];

/// Everything that is to be said, section by section.
pub(super) fn all(sections: &[Section]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    match sections.iter().find(|section| section.keyword == "global") {
        Some(global) => self::global(global, &mut remarks),
        None => remarks.push(Remark::new(1, NO_SOCKET, Some(SOCKET))),
    }
    for section in sections {
        let (takes, serves) = match section.keyword.as_str() {
            "frontend" => (true, false),
            "backend" => (false, true),
            "listen" => (true, true),
            _ => continue,
        };
        if takes {
            frontend(section, &mut remarks);
        }
        if serves && section.all("server").next().is_some() {
            backend(section, &mut remarks);
        }
    }
    remarks
}

const NO_SOCKET: &str = "There is no control socket: nobody sees the state of servers or takes one out without a reload, and vakt shows \
                         nothing of this HAProxy.";
const SOCKET: &str = "stats socket /run/haproxy/admin.sock mode 660 level admin";

fn global(section: &Section, remarks: &mut Vec<Remark>) {
    let sockets: Vec<&[String]> = section
        .all("stats")
        .map(|(_, line)| line)
        .filter(|line| line.get(1).is_some_and(|word| word == "socket"))
        .collect();
    if sockets.is_empty() {
        remarks.push(Remark::new(section.number, NO_SOCKET, Some(SOCKET)));
    } else if !sockets.iter().any(|line| line.windows(2).any(|pair| pair[0] == "level" && pair[1] == "admin")) {
        let what = "No control socket has the level admin: servers can be watched, and not drained or taken out.";
        remarks.push(Remark::new(section.number, what, Some(SOCKET)));
    }
    if !section.has(&["maxconn"]) {
        let what = "There is no limit of connections: HAProxy takes what the number of open files allows, and memory may end first.";
        remarks.push(Remark::new(section.number, what, Some("maxconn 4096")));
    }
    for (number, line) in section.all("log") {
        let Some(host) = line.get(1) else { continue };
        let address = host.split(':').next().unwrap_or_default();
        if address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()) {
            let what = "Logs leave as UDP packets: unless a syslog daemon listens on port 514 of this address, they are lost \
                        without a word.";
            remarks.push(Remark::new(number, what, Some("log /dev/log local0")));
        }
    }
}

fn frontend(section: &Section, remarks: &mut Vec<Remark>) {
    let title = section.title();
    if section.is_http() && !section.has(&["timeout", "http-request"]) {
        let what = format!(
            "{title}: a client may take as long as it likes to send its request, a byte now and then: a few hundred of them fill \
             all connections."
        );
        remarks.push(Remark::new(section.number, what, Some("timeout http-request 10s")));
    }
    missing_timeout(section, "client", remarks);
    for (number, line) in section.all("bind") {
        let Some((host, port)) = line.get(1).and_then(|address| address.rsplit_once(':')) else { continue };
        let is_everywhere = ["", "*", "0.0.0.0", "::", "[::]"].contains(&host);
        if is_everywhere && !PUBLIC_PORTS.contains(&port) {
            let what = format!(
                "{title}: port {port} is open on every address, also a public one. Only 80, 443 and 22 belong there: name the \
                 private address."
            );
            remarks.push(Remark::new(number, what, None));
        }
    }
}

fn backend(section: &Section, remarks: &mut Vec<Remark>) {
    let title = section.title();
    let servers: Vec<(usize, &[String])> = section.all("server").filter(|(_, line)| line.len() > 2).collect();
    let is_checked = |line: &[String]| checks(section, line).is_asked;
    let has_conversation = section.has(&["option", "httpchk"])
        || section.has(&["option", "mysql-check"])
        || section.has(&["option", "tcp-check"]);
    if !has_conversation && servers.iter().any(|(_, line)| is_checked(line)) {
        let (what, instead) = if section.is_http() {
            (
                format!(
                    "{title}: a server counts as up when its port opens. One whose application is stuck, on a locked database for \
                     instance, keeps its share and answers nobody. Ask for a page that does what visitors need."
                ),
                Some("option httpchk GET /health.php"),
            )
        } else {
            (format!("{title}: a server counts as up when its port opens, whatever is behind it."), None)
        };
        remarks.push(Remark::new(section.number, what, instead));
    }
    for (number, line) in &servers {
        if !is_checked(line) {
            let what = format!(
                "{title}: {} is never asked whether it is there, and keeps its share when it is dead.",
                line[1]
            );
            remarks.push(Remark::new(*number, what, Some(&format!("{} check", line.join(" ")))));
        }
        far(&title, *number, line, remarks);
    }
    limits(section, &title, &servers, remarks);
    if section.has(&["retries"]) && !section.has(&["option", "redispatch"]) && servers.len() > 1 {
        let what = format!("{title}: tries again and again reach the same dead server, until it is marked down.");
        remarks.push(Remark::new(section.number, what, Some("option redispatch")));
    }
    if section.is_http() && !section.has(&["option", "forwardfor"]) {
        let what = format!(
            "{title}: servers see HAProxy's address as every visitor's; their logs and limits by client are blind."
        );
        remarks.push(Remark::new(section.number, what, Some("option forwardfor")));
    }
    missing_timeout(section, "connect", remarks);
    missing_timeout(section, "server", remarks);
}

/// What happens in a spike.
fn limits(section: &Section, title: &str, servers: &[(usize, &[String])], remarks: &mut Vec<Remark>) {
    let unlimited: Vec<&(usize, &[String])> =
        servers.iter().filter(|(_, line)| option(section, line, "maxconn").is_none()).collect();
    if let Some((number, line)) = unlimited.first() {
        let names: Vec<&str> = unlimited.iter().map(|(_, line)| line[1].as_str()).collect();
        let what = format!(
            "{title}: nothing limits what {} {} at once. In a spike all of it becomes workers there, until memory ends and the kernel \
             kills one. With a limit, requests wait in HAProxy instead. Use as many as the server has workers.",
            names.join(", "),
            if names.len() == 1 { "gets" } else { "get" },
        );
        remarks.push(Remark::new(*number, what, Some(&format!("{} maxconn 100", line.join(" ")))));
    } else if !section.has(&["timeout", "queue"]) {
        let what =
            format!("{title}: how long a request waits for a free server is not said; HAProxy takes timeout connect.");
        remarks.push(Remark::new(section.number, what, Some("timeout queue 10s")));
    }
}

fn missing_timeout(section: &Section, name: &str, remarks: &mut Vec<Remark>) {
    if !section.has(&["timeout", name]) {
        let what =
            format!("{}: timeout {name} is missing: a connection that says nothing stays for ever.", section.title());
        remarks.push(Remark::new(section.number, what, Some(&format!("timeout {name} 50s"))));
    }
}

/// Traffic to servers belongs on the private network.
fn far(title: &str, number: usize, line: &[String], remarks: &mut Vec<Remark>) {
    let address = line[2].parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| line[2].parse::<IpAddr>());
    let Ok(IpAddr::V4(address)) = address else { return };
    let is_inside = |address: Ipv4Addr| address.is_private() || address.is_loopback() || address.is_link_local();
    if !is_inside(address) {
        let what = format!(
            "{title}: {} has a public address ({address}): what it is sent leaves the private network.",
            line[1]
        );
        remarks.push(Remark::new(number, what, None));
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain;

    fn remarks(text: &str) -> Vec<String> {
        explain(text.as_bytes(), None).unwrap().remarks.into_iter().map(|remark| remark.what.to_string()).collect()
    }

    #[test]
    fn what_the_defaults_or_default_server_say_is_not_missing() {
        let text = "global\n stats socket /s level admin\n maxconn 10\ndefaults\n mode http\n option httpchk\n option forwardfor\n \
                    timeout connect 1s\n timeout client 1s\n timeout server 1s\n timeout queue 1s\n timeout http-request 1s\n \
                    default-server check maxconn 20\nfrontend f\n bind *:80\nbackend b\n server a 10.0.0.1:80\n";
        assert_eq!(remarks(text), Vec::<String>::new());
    }

    #[test]
    fn open_ports_and_far_servers_are_said_with_their_line() {
        let text =
            "global\n maxconn 1\nlisten f\n mode tcp\n bind :3306\n server a 198.51.100.7:3306 check maxconn 5\n";
        let all = explain(text.as_bytes(), None).unwrap().remarks;
        let at = |words: &str| all.iter().find(|one| one.what.as_str().contains(words)).map(|one| one.number);
        assert_eq!((at("port 3306 is open on every address"), at("public address (198.51.100.7)")), (Some(5), Some(6)));
        assert_eq!(at("There is no control socket"), Some(1));
    }
}
