//! The SSH settings of one destination: what `ssh -G` says, under what the inventory says.
//!
//! `ssh -G` is the only reader of ssh_config that gets `Match` and `Include` right. It expands `HostName`, but leaves
//! `~` and most tokens to us.

use super::ssh_config::{self, SshConfig};
use crate::model::{
    inventory::{SshConfigFile, SshOverrides},
    link::LinkSetting,
    trouble::{Trouble, TroubleKind},
};
use std::path::PathBuf;

/// Where a connection leads and how the inventory wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Destination {
    /// What it is called on screen: the node's or jump host's name, or the text of the jump.
    pub(super) name: String,
    /// What `ssh` would be given.
    pub(super) address: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) jump: Option<Vec<String>>,
    pub(super) known_hosts_files: Vec<PathBuf>,
    pub(super) use_agent: Option<bool>,
}

impl Destination {
    /// From the inventory.
    pub(super) fn new(name: &str, address: &str, ssh: &SshOverrides) -> Self {
        Self {
            name: name.to_owned(),
            address: address.to_owned(),
            user: ssh.user.clone(),
            port: ssh.port,
            identity_files: ssh.identity_files.clone(),
            jump: ssh.jump.clone(),
            known_hosts_files: ssh.known_hosts_files.clone(),
            use_agent: ssh.use_agent,
        }
    }

    /// From `[user@]host[:port]`, also `[user@][v6]:port` and `ssh://`, as `ProxyJump` has it.
    pub(super) fn parse(text: &str) -> Self {
        let bare = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
        let (user, rest) = match bare.rsplit_once('@') {
            Some((user, rest)) => (Some(user.to_owned()), rest),
            None => (None, bare),
        };
        let (host, port) = if let Some((host, tail)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            (host, tail.strip_prefix(':').and_then(|port| port.parse().ok()))
        } else {
            match rest.split_once(':') {
                // More than one colon: an IPv6 address without brackets has no port.
                Some((host, port)) if !port.contains(':') => (host, port.parse().ok()),
                _ => (rest, None),
            }
        };
        let mut destination = Self::new(text, host, &SshOverrides::default());
        destination.user = user;
        destination.port = port;
        destination
    }

    /// Refuses what a command line could take for an option, and what no host name is made of.
    fn check(&self) -> Result<(), Trouble> {
        let odd = |text: &str| {
            text.is_empty() || text.starts_with('-') || text.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if odd(&self.address) {
            return Err(Trouble::new(
                TroubleKind::SettingsUnusable,
                format!("\"{}\" is not a host name", self.address),
                format!("correct the address of {} in the configuration", self.name),
            ));
        }
        if self.user.as_deref().is_some_and(odd) {
            return Err(Trouble::new(
                TroubleKind::SettingsUnusable,
                format!("\"{}\" is not a login name", self.user.as_deref().unwrap_or_default()),
                format!("correct the user of {} in the configuration", self.name),
            ));
        }
        Ok(())
    }
}

/// An authentication method we can speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    PublicKey,
    KeyboardInteractive,
    Password,
}

/// Everything that is needed to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// What it is called on screen.
    pub(super) name: String,
    /// Where TCP goes.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    /// The name under which known_hosts knows it, with the port that belongs to that name.
    pub(super) known_as: (String, u16),
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) certificate_files: Vec<PathBuf>,
    pub(super) identities_only: bool,
    pub(super) agent: Option<PathBuf>,
    pub(super) user_known_hosts: Vec<PathBuf>,
    pub(super) global_known_hosts: Vec<PathBuf>,
    pub(super) revoked_host_keys: Option<PathBuf>,
    pub(super) hash_known_hosts: bool,
    /// `StrictHostKeyChecking yes`: an unknown key is not even asked about.
    pub(super) unknown_keys_refused: bool,
    pub(super) jump: Vec<String>,
    pub(super) proxy_command: Option<String>,
    pub(super) methods: Vec<Method>,
    /// The same for people, each with its source.
    pub(super) listed: Vec<LinkSetting>,
}

/// What of this machine goes into the settings. A value, so that tests do not depend on who runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The operator's home folder: `~` and `%d`.
    pub home: PathBuf,
    /// The operator's login name: `%u`, and the default user.
    pub user: String,
    /// The agent's socket (`SSH_AUTH_SOCK`).
    pub agent: Option<PathBuf>,
    /// The program that resolves settings.
    pub ssh_program: PathBuf,
}

impl Local {
    /// Of this process.
    pub fn of_this_process() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            home: variable("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from),
            user: variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "root".into()),
            agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
            ssh_program: PathBuf::from("ssh"),
        }
    }
}

/// Resolves the settings of a destination.
pub(super) async fn resolve(
    destination: &Destination,
    config_file: &SshConfigFile,
    local: &Local,
) -> Result<Resolved, Trouble> {
    destination.check()?;
    let said = ssh_config::ask(destination, config_file, local).await?;
    let known = said.is_some();
    Ok(combine(destination, &said.unwrap_or_else(|| SshConfig::defaults(destination, local)), known, local))
}

/// The inventory over `ssh -G` over defaults.
fn combine(destination: &Destination, said: &SshConfig, known: bool, local: &Local) -> Resolved {
    let mut listing =
        Listing { rest: if known { "ssh -G" } else { "default (no ssh program here)" }, listed: Vec::new() };
    let host = said.first("hostname").unwrap_or(&destination.address).to_owned();
    let user = destination
        .user
        .clone()
        .or_else(|| said.first("user").map(str::to_owned))
        .unwrap_or_else(|| local.user.clone());
    let port = destination.port.or_else(|| said.first("port").and_then(|port| port.parse().ok())).unwrap_or(22);
    let expand = ssh_config::Tokens { host: &host, user: &user, original: &destination.address, port, local };
    let path = |text: &str| expand.path(text);
    let paths = |key: &str| said.paths(key).iter().map(|text| expand.path(text)).collect::<Vec<_>>();

    let identity_files = or(&destination.identity_files, || said.all("identityfile").map(path).collect());
    let user_known_hosts = or(&destination.known_hosts_files, || paths("userknownhostsfile"));
    let agent = match destination.use_agent {
        Some(false) => None,
        _ => match said.first("identityagent") {
            Some("none") if destination.use_agent.is_none() => None,
            None | Some("SSH_AUTH_SOCK" | "none") => local.agent.clone(),
            Some(named) => Some(path(named)),
        },
    };
    let jump = destination.jump.clone().unwrap_or_else(|| {
        said.value("proxyjump")
            .map(|chain| chain.split(',').map(|hop| hop.trim().to_owned()).collect())
            .unwrap_or_default()
    });
    let proxy_command =
        said.value("proxycommand").filter(|_| destination.jump.is_none()).map(|command| expand.text(command));
    let alias = said.value("hostkeyalias").map(|alias| expand.text(alias));

    listing.add("address", format!("{host} port {port}"), destination.port.is_some());
    listing.add("user", &user, destination.user.is_some());
    listing.add("identity files", join(&identity_files), !destination.identity_files.is_empty());
    listing.add("known hosts files", join(&user_known_hosts), !destination.known_hosts_files.is_empty());
    listing.add(
        "agent",
        agent.as_deref().map_or("none".into(), |agent| agent.display().to_string()),
        destination.use_agent.is_some(),
    );
    listing.add(
        "jump hosts",
        if jump.is_empty() { "none".into() } else { jump.join(", ") },
        destination.jump.is_some(),
    );
    if let Some(command) = &proxy_command {
        listing.add("proxy command", command, false);
    }
    Resolved {
        name: destination.name.clone(),
        known_as: alias.map_or((host.clone(), port), |alias| (alias, 22)),
        identity_files,
        certificate_files: said.all("certificatefile").map(path).collect(),
        identities_only: said.first("identitiesonly") == Some("yes"),
        agent,
        user_known_hosts,
        global_known_hosts: paths("globalknownhostsfile"),
        revoked_host_keys: said.value("revokedhostkeys").map(path),
        hash_known_hosts: said.first("hashknownhosts") == Some("yes"),
        unknown_keys_refused: matches!(said.first("stricthostkeychecking"), Some("yes" | "true")),
        jump,
        proxy_command,
        methods: methods(said),
        listed: listing.listed,
        host,
        port,
        user,
    }
}

fn or(own: &[PathBuf], otherwise: impl FnOnce() -> Vec<PathBuf>) -> Vec<PathBuf> {
    if own.is_empty() { otherwise() } else { own.to_vec() }
}

fn join(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// `PreferredAuthentications`, without what is switched off.
fn methods(said: &SshConfig) -> Vec<Method> {
    let order = said.value("preferredauthentications").unwrap_or("publickey,keyboard-interactive,password");
    let off = |key: &str| matches!(said.first(key), Some("no" | "false"));
    order
        .split(',')
        .filter_map(|name| match name.trim() {
            "publickey" if !off("pubkeyauthentication") => Some(Method::PublicKey),
            "keyboard-interactive" if !off("kbdinteractiveauthentication") => Some(Method::KeyboardInteractive),
            "password" if !off("passwordauthentication") => Some(Method::Password),
            _ => None,
        })
        .collect()
}

/// The settings for people.
struct Listing {
    /// Source of what the inventory does not say.
    rest: &'static str,
    listed: Vec<LinkSetting>,
}

impl Listing {
    fn add(&mut self, name: &str, value: impl AsRef<str>, from_inventory: bool) {
        let source = if from_inventory { "vakt configuration" } else { self.rest };
        self.listed.push(LinkSetting { name: name.into(), value: value.as_ref().into(), source: source.into() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local() -> Local {
        Local {
            home: "/home/ada".into(),
            user: "ada".into(),
            agent: Some("/run/agent".into()),
            ssh_program: "ssh".into(),
        }
    }

    fn combined(overrides: &SshOverrides, said: &str) -> Resolved {
        let destination = Destination::new("web", "web.test", overrides);
        combine(&destination, &SshConfig::parse(said), true, &local())
    }

    #[test]
    fn the_inventory_wins_over_ssh_config() {
        let said = "hostname 10.0.0.1\nuser bob\nport 2200\nidentityfile ~/.ssh/id\nproxyjump a,b\n\
                    userknownhostsfile /kh\nglobalknownhostsfile /gkh /gkh2\n";
        let plain = combined(&SshOverrides::default(), said);
        assert_eq!((plain.host.as_str(), plain.port, plain.user.as_str()), ("10.0.0.1", 2200, "bob"));
        assert_eq!(plain.identity_files, [PathBuf::from("/home/ada/.ssh/id")]);
        assert_eq!(plain.jump, ["a", "b"]);
        assert_eq!(plain.agent, Some("/run/agent".into()));
        let overrides = SshOverrides {
            user: Some("root".into()),
            port: Some(22),
            identity_files: vec!["/key".into()],
            jump: Some(vec![]),
            known_hosts_files: vec!["/own".into()],
            use_agent: Some(false),
        };
        let own = combined(&overrides, said);
        assert_eq!((own.host.as_str(), own.port, own.user.as_str()), ("10.0.0.1", 22, "root"));
        assert_eq!((own.identity_files, own.user_known_hosts), (vec!["/key".into()], vec!["/own".into()]));
        assert_eq!(own.global_known_hosts.len(), 2);
        assert!(own.jump.is_empty() && own.agent.is_none());
        let source =
            |resolved: &Resolved| resolved.listed.iter().find(|l| l.name.as_str() == "user").unwrap().source.clone();
        assert_eq!(source(&combined(&overrides, said)).as_str(), "vakt configuration");
        assert_eq!(source(&combined(&SshOverrides::default(), said)).as_str(), "ssh -G");
    }

    #[test]
    fn the_agent_is_the_one_that_ssh_would_use() {
        let agent = |overrides: &SshOverrides, said: &str| combined(overrides, said).agent;
        let plain = SshOverrides::default();
        assert_eq!(agent(&plain, "identityagent none"), None);
        assert_eq!(agent(&plain, "identityagent SSH_AUTH_SOCK"), Some("/run/agent".into()));
        assert_eq!(agent(&plain, "identityagent ~/agent"), Some("/home/ada/agent".into()));
        let wanted = SshOverrides { use_agent: Some(true), ..SshOverrides::default() };
        assert_eq!(agent(&wanted, "identityagent none"), Some("/run/agent".into()));
    }

    #[test]
    fn an_alias_stands_for_host_and_port() {
        let resolved = combined(&SshOverrides::default(), "hostname h\nport 2200\nhostkeyalias node-%n");
        assert_eq!(resolved.known_as, ("node-web.test".to_owned(), 22));
        assert_eq!((resolved.host.as_str(), resolved.port), ("h", 2200));
    }

    #[test]
    fn methods_come_in_the_order_that_is_preferred() {
        let methods = |said: &str| combined(&SshOverrides::default(), said).methods;
        assert_eq!(methods(""), [Method::PublicKey, Method::KeyboardInteractive, Method::Password]);
        assert_eq!(methods("preferredauthentications password,publickey"), [Method::Password, Method::PublicKey]);
        assert_eq!(methods("passwordauthentication no\nkbdinteractiveauthentication no"), [Method::PublicKey]);
    }

    #[test]
    fn jump_texts_are_read_as_ssh_reads_them() {
        for (text, user, host, port) in [
            ("gate", None, "gate", None),
            ("ada@gate:2200", Some("ada"), "gate", Some(2200)),
            ("ssh://ada@gate:2200/", Some("ada"), "gate", Some(2200)),
            ("[2001:db8::1]:2200", None, "2001:db8::1", Some(2200)),
            ("ada@2001:db8::1", Some("ada"), "2001:db8::1", None),
        ] {
            let parsed = Destination::parse(text);
            assert_eq!((parsed.user.as_deref(), parsed.address.as_str(), parsed.port), (user, host, port), "{text}");
        }
    }

    #[test]
    fn what_could_be_an_option_is_no_host() {
        for address in ["-oProxyCommand=x", "", "a b", "a\nb"] {
            let destination = Destination::new("n", address, &SshOverrides::default());
            assert_eq!(destination.check().unwrap_err().kind, TroubleKind::SettingsUnusable, "{address:?}");
        }
        let user = SshOverrides { user: Some("-l".into()), ..SshOverrides::default() };
        assert!(Destination::new("n", "host", &user).check().is_err());
        assert!(Destination::new("n", "2001:db8::1%eth0", &SshOverrides::default()).check().is_ok());
    }

    #[tokio::test]
    async fn without_an_ssh_program_defaults_hold_and_say_so() {
        let local = Local { ssh_program: "/does/not/exist".into(), ..local() };
        let destination = Destination::new("web", "web.test", &SshOverrides::default());
        let resolved = resolve(&destination, &SshConfigFile::Default, &local).await.unwrap();
        assert_eq!((resolved.user.as_str(), resolved.port), ("ada", 22));
        assert!(resolved.identity_files.contains(&"/home/ada/.ssh/id_ed25519".into()));
        assert!(resolved.listed.iter().any(|l| l.source.as_str() == "default (no ssh program here)"));
    }
}
