//! Asking `ssh -G`, and reading what it says.

use super::settings::{Destination, Local};
use crate::model::{
    inventory::SshConfigFile,
    trouble::{Trouble, TroubleKind},
};
use std::{ffi::OsString, io, path::PathBuf, process::Stdio, time::Duration};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

/// `Match exec` runs commands, so `ssh -G` may take its time.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// `ssh -G` says a few kilobytes.
const OUTPUT_BYTES_MAX: u64 = 256 * 1024;

/// The settings as `key value` lines, keys in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SshConfig {
    lines: Vec<(String, String)>,
}

impl SshConfig {
    /// Reads `key value` lines; others are passed over.
    pub(super) fn parse(text: &str) -> Self {
        let line = |line: &str| {
            let (key, value) = line.trim().split_once(char::is_whitespace)?;
            Some((key.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Self { lines: text.lines().filter_map(line).collect() }
    }

    /// What OpenSSH would do without any configuration file.
    pub(super) fn defaults(destination: &Destination, local: &Local) -> Self {
        let keys = ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"];
        let mut text = format!("hostname {}\nuser {}\nport 22\nhashknownhosts no\n", destination.address, local.user);
        for key in keys {
            text.push_str("identityfile ~/.ssh/");
            text.push_str(key);
            text.push('\n');
        }
        text.push_str("userknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\n");
        text.push_str("globalknownhostsfile /etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2\n");
        Self::parse(&text)
    }

    /// All values of a key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.lines
            .iter()
            .filter(move |(k, _)| k == key)
            .map(|(_, value)| value.as_str())
            .filter(|value| *value != "none")
    }

    /// The first value of a key, "none" included.
    pub(super) fn first(&self, key: &str) -> Option<&str> {
        self.lines.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The first value of a key; "none" is no value.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.first(key).filter(|value| !value.is_empty() && *value != "none")
    }

    /// A list of files on one line; a name with blanks stands in quotes.
    pub(super) fn paths(&self, key: &str) -> Vec<String> {
        let Some(line) = self.value(key) else { return Vec::new() };
        let mut paths = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() {
            let (path, tail) = match rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
                Some(found) => found,
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            paths.push(path.to_owned());
            rest = tail.trim_start();
        }
        paths
    }
}

/// Runs `ssh -G`. `None` when there is no ssh program.
pub(super) async fn ask(
    destination: &Destination,
    config_file: &SshConfigFile,
    local: &Local,
) -> Result<Option<SshConfig>, Trouble> {
    let mut command = Command::new(&local.ssh_program);
    command
        .args(arguments(destination, config_file))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(destination, &format!("ssh -G cannot be run ({error})"))),
    };
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(unusable(destination, "ssh -G has no output"));
    };
    let read = async {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = (stdout.take(OUTPUT_BYTES_MAX), stderr.take(OUTPUT_BYTES_MAX));
        tokio::try_join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err))?;
        Ok::<_, io::Error>((child.wait().await?, out, err))
    };
    let (status, out, err) = match timeout(WAIT_MAX, read).await {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => return Err(unusable(destination, &format!("ssh -G cannot be read ({error})"))),
        Err(_) => return Err(unusable(destination, "ssh -G did not end within 5 s")),
    };
    if !status.success() {
        let said = String::from_utf8_lossy(&err);
        return Err(unusable(
            destination,
            &format!("ssh -G failed: {}", said.trim().lines().next().unwrap_or("no message")),
        ));
    }
    Ok(Some(SshConfig::parse(&String::from_utf8_lossy(&out))))
}

/// The user and port of the inventory go in, so that `Match user` and tokens see them.
fn arguments(destination: &Destination, config_file: &SshConfigFile) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-G".into()];
    match config_file {
        SshConfigFile::Default => {}
        SshConfigFile::None => arguments.extend(["-F".into(), "none".into()]),
        SshConfigFile::File(file) => arguments.extend(["-F".into(), file.clone().into()]),
    }
    if let Some(user) = &destination.user {
        arguments.extend(["-l".into(), user.into()]);
    }
    if let Some(port) = destination.port {
        arguments.extend(["-p".into(), port.to_string().into()]);
    }
    arguments.extend(["--".into(), destination.address.clone().into()]);
    arguments
}

fn unusable(destination: &Destination, what: &str) -> Trouble {
    Trouble::new(
        TroubleKind::SettingsUnusable,
        format!("the SSH settings of {} are unknown: {what}", destination.name),
        format!("run: ssh -G -- {}", destination.address),
    )
}

/// What tokens stand for.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    pub(super) host: &'a str,
    pub(super) user: &'a str,
    /// The host as it was asked for.
    pub(super) original: &'a str,
    pub(super) port: u16,
    pub(super) local: &'a Local,
}

impl Tokens<'_> {
    /// Expands `%h %r %n %p %u %d %%`; other tokens stay as they are.
    pub(super) fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('%') {
            out.push_str(before);
            let mut chars = after.chars();
            match chars.next() {
                Some('h') => out.push_str(self.host),
                Some('r') => out.push_str(self.user),
                Some('n') => out.push_str(self.original),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('u') => out.push_str(&self.local.user),
                Some('d') => out.push_str(&self.local.home.to_string_lossy()),
                Some('%') | None => out.push('%'),
                Some(other) => {
                    out.push('%');
                    out.push(other);
                }
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        out
    }

    /// A path: tokens, and `~` for the home folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        let text = self.text(text);
        match text.strip_prefix("~/") {
            Some(rest) => self.local.home.join(rest),
            None if text == "~" => self.local.home.clone(),
            None => PathBuf::from(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::SshOverrides;

    fn local() -> Local {
        Local { home: "/home/ada".into(), user: "ada".into(), agent: None, ssh_program: "ssh".into() }
    }

    #[test]
    fn lines_are_keys_and_values() {
        let config = SshConfig::parse("Port 22\nidentityfile ~/a\nidentityfile ~/b c\nproxyjump none\nbroken\n\n");
        assert_eq!(config.first("port"), Some("22"));
        assert_eq!(config.all("identityfile").collect::<Vec<_>>(), ["~/a", "~/b c"]);
        assert_eq!((config.first("proxyjump"), config.value("proxyjump")), (Some("none"), None));
        assert_eq!(config.value("broken"), None);
    }

    #[test]
    fn lists_of_files_may_have_quoted_names() {
        let config = SshConfig::parse("userknownhostsfile /a \"/b c\" /d");
        assert_eq!(config.paths("userknownhostsfile"), ["/a", "/b c", "/d"]);
        assert!(config.paths("globalknownhostsfile").is_empty());
    }

    #[test]
    fn tokens_are_expanded_once() {
        let local = local();
        let tokens = Tokens { host: "web.test", user: "%h", original: "web", port: 2200, local: &local };
        assert_eq!(tokens.text("%h %r %n %p %u %d %% %x %"), "web.test %h web 2200 ada /home/ada % %x %");
        assert_eq!(tokens.path("~/.ssh/%n"), PathBuf::from("/home/ada/.ssh/web"));
        assert_eq!(tokens.path("/~/x"), PathBuf::from("/~/x"));
    }

    #[test]
    fn the_host_never_stands_where_an_option_could() {
        let mut destination = Destination::new("n", "host", &SshOverrides::default());
        destination.user = Some("ada".into());
        destination.port = Some(2200);
        let arguments = arguments(&destination, &SshConfigFile::File("/c".into()));
        assert_eq!(arguments, ["-G", "-F", "/c", "-l", "ada", "-p", "2200", "--", "host"]);
    }

    #[tokio::test]
    async fn match_and_include_are_ssh_s_own_business() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let included = folder.path().join("included");
        std::fs::write(&included, "Host node-1\n  User included\n").unwrap();
        let text = format!(
            "Include {}\nHost node-*\n  HostName %h.test\n  Port 2200\nMatch user other\n  Port 77\n",
            included.display()
        );
        std::fs::write(&file, text).unwrap();
        let destination = Destination::new("n", "node-1", &SshOverrides::default());
        let said = ask(&destination, &SshConfigFile::File(file), &local()).await.unwrap().unwrap();
        assert_eq!((said.first("hostname"), said.first("port")), (Some("node-1.test"), Some("2200")));
        assert_eq!(said.first("user"), Some("included"));
    }

    #[tokio::test]
    async fn a_broken_configuration_is_told_and_a_missing_program_is_not_an_error() {
        let destination = Destination::new("n", "node-1", &SshOverrides::default());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, "NoSuchKeyword yes\n").unwrap();
        let trouble = ask(&destination, &SshConfigFile::File(file), &local()).await.unwrap_err();
        assert_eq!(trouble.kind, TroubleKind::SettingsUnusable);
        assert!(trouble.cause.as_str().contains("Bad configuration option"), "{trouble}");
        let without = Local { ssh_program: "/does/not/exist".into(), ..local() };
        assert_eq!(ask(&destination, &SshConfigFile::None, &without).await.unwrap(), None);
    }
}
