//! What `vakt check` says about sudo: whether a login that is not root may do as root what vakt's changes do on its node.
//! Nothing is changed to find that out: sudo itself is asked what it would let through.

use super::check::{Found, missing};
use crate::{
    model::{
        inventory::{Inventory, Node},
        text::Clean,
        world::NodeFacts,
    },
    transport::Connections,
    wire::request::{Call, Request},
};
use std::{collections::BTreeMap, net::IpAddr};

/// Pairs of a file and a command: names each command that sudo refuses, but where its file may be written without it.
const SCRIPT: &str = r#"set -f; sudo -n -l >/dev/null || exit 1
while [ $# -gt 1 ]; do { [ -n "$1" ] && [ -w "$1" ]; } || sudo -n -l $2 >/dev/null 2>&1 || printf '%s\n' "$2"; shift 2; done"#;
const DEADLINE_MS: u64 = 5_000;
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A command that changes run as root, as sudo would see it.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    command: String,
    /// Root is not needed where the login may write this file.
    file: String,
    /// What it is for: "to cut off a lost primary".
    purpose: &'static str,
}

/// One entry if all is permitted, else one for each purpose.
pub(super) async fn found(
    node: &Node,
    facts: &NodeFacts,
    inventory: &Inventory,
    connections: &dyn Connections,
) -> Vec<Found> {
    let needs = needs(node, facts, inventory);
    let mut argv = ["sh", "-c", SCRIPT, "sh"].map(str::to_owned).to_vec();
    argv.extend(needs.iter().flat_map(|need| [need.file.clone(), need.command.clone()]));
    let request = Request::read(Call::Exec { argv }, DEADLINE_MS, ANSWER_BYTES_MAX);
    match connections.call(&node.name, &request).await {
        Ok(reply) if reply.exit == Some(0) => told(&needs, &String::from_utf8_lossy(&reply.bytes)),
        Ok(reply) => {
            let said = Clean::line_from_bytes(reply.stderr.trim_ascii());
            let cause = if said.is_empty() { "sudo -n -l failed".to_owned() } else { said.to_string() };
            vec![Found::No(cause, "allow this login to use sudo without a password (sudoers: NOPASSWD)".into())]
        }
        Err(trouble) => vec![missing(&trouble)],
    }
}

fn told(needs: &[Need], refused: &str) -> Vec<Found> {
    let refused: Vec<&str> = refused.lines().collect();
    let mut by_purpose: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for need in needs.iter().filter(|need| refused.contains(&need.command.as_str())) {
        by_purpose.entry(need.purpose).or_default().push(&need.command);
    }
    if by_purpose.is_empty() {
        return vec![Found::Yes("without a password, for all that vakt changes here".into())];
    }
    let row = |(purpose, commands): (&str, Vec<&str>)| {
        Found::No(
            format!("may not run as root, {purpose}: {}", commands.join(", ")),
            "allow it in sudoers with NOPASSWD; until then such a change fails at that step".into(),
        )
    };
    by_purpose.into_iter().map(row).collect()
}

/// What the changes that concern this node run as root on it.
fn needs(node: &Node, facts: &NodeFacts, inventory: &Inventory) -> Vec<Need> {
    let need = |command: String, purpose| Need { command, file: String::new(), purpose };
    let mut needs = vec![need("sh -c true".into(), "to change files, timers and kernel settings")];
    let is_other = |other: &&Node| other.database.is_some() && other.name != node.name;
    let primary = inventory.nodes.iter().filter(is_other).find_map(|other| match other.private {
        Some(IpAddr::V4(address)) => Some(address),
        _ => None,
    });
    if let Some(address) = primary.filter(|_| node.database.is_some() || node.haproxy_socket.is_some()) {
        let purpose = "to cut off a lost primary";
        needs.push(need(format!("ip route add unreachable {address}/32 proto 118 metric 1"), purpose));
        needs.push(need(format!("ip route del unreachable {address}/32 proto 118 metric 1"), purpose));
        needs.push(need(format!("ss -Ktn dst {address}"), purpose));
    }
    let unit = facts.daemon.last().and_then(|daemon| daemon.unit.as_ref().known().filter(|unit| is_plain(unit)));
    if let (Some(unit), Some(_)) = (unit, &node.database) {
        let purpose = "to end the database of a lost primary and start it again";
        for words in ["mask", "kill --signal=KILL", "stop --no-block", "unmask", "start"] {
            needs.push(need(format!("systemctl {words} {unit}"), purpose));
        }
    }
    if inventory.vips.iter().any(|vip| vip.nodes.contains(&node.name)) {
        let purpose = "to move a virtual address";
        let instances = facts.presence.last().map(|presence| presence.sample.keepalived.instances.as_slice());
        let files = instances.unwrap_or_default().iter().flat_map(|instance| &instance.files);
        let files: Vec<&Clean> = files.map(|file| &file.path).filter(|path| is_plain(path)).collect();
        if files.is_empty() {
            needs.push(need("service keepalived stop".into(), purpose));
            needs.push(need("service keepalived start".into(), purpose));
        }
        needs.extend(files.into_iter().map(|path| Need {
            command: format!("tee -- {path}"),
            file: path.to_string(),
            purpose,
        }));
    }
    needs
}

/// Whether a shell takes the name as one word.
fn is_plain(name: &Clean) -> bool {
    let name = name.as_str();
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(command: &str, purpose: &'static str) -> Need {
        Need { command: command.into(), file: String::new(), purpose }
    }

    #[test]
    fn what_sudo_refuses_is_told_by_what_it_is_for() {
        let needs = [need("ip route", "to cut"), need("ss -K", "to cut"), need("sh -c true", "to edit")];
        assert!(matches!(told(&needs, "").as_slice(), [Found::Yes(_)]));
        let found = told(&needs, "ss -K\nip route\nsomething else\n");
        let [Found::No(what, cure)] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(what, "may not run as root, to cut: ip route, ss -K");
        assert!(cure.contains("NOPASSWD"));
    }

    #[test]
    fn only_single_words_reach_the_shell() {
        assert!(is_plain(&"/etc/keepalived/priority".into()) && is_plain(&"mariadb@1.service".into()));
        for odd in ["", "a b", "$(id)", "a;b", "*"] {
            assert!(!is_plain(&odd.into()), "{odd}");
        }
    }
}
