//! Who acts, as this machine knows it.

use crate::{model::text::Clean, run::Operator};
use nix::unistd::{Uid, User};
use rustix::{process::getuid, system::uname};

/// The person behind this process: the login behind its user id, and what sshd and sudo said. These are for the record;
/// nothing is permitted because of them.
pub fn operator() -> Operator {
    let uid = getuid().as_raw();
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let client = variable("SSH_CONNECTION").or_else(|| variable("SSH_CLIENT"));
    let address = client.and_then(|client| client.split_ascii_whitespace().next().map(Clean::line));
    Operator {
        login: Clean::line(&name.unwrap_or_else(|| format!("uid {uid}"))),
        ssh_client: address,
        sudo_user: variable("SUDO_USER").as_deref().map(Clean::line),
    }
}

/// This machine's name.
pub fn bastion() -> Clean {
    Clean::line_from_bytes(uname().nodename().to_bytes())
}
