//! What values of the file may be, in words and with an example of each.

use crate::model::inventory::Role;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A name of a node, jump host or cluster.
    Name,
    /// A list of such names; a single one may stand alone.
    Names,
    /// A list of names, or "none" for an empty one.
    NamesOrNone,
    /// Roles.
    Roles,
    /// A short label for people.
    Label,
    /// A list of labels; a single one may stand alone.
    Labels,
    /// A login name.
    Login,
    /// A host name or address.
    Host,
    /// An address on the private backplane.
    PrivateAddress,
    /// An address outside the private ranges.
    PublicAddress,
    /// Any address.
    Address,
    /// A TCP port.
    Port,
    /// A list of TCP ports.
    Ports,
    /// A list of files on the bastion; a single one may stand alone.
    Files,
    /// A program on the bastion and its arguments.
    Command,
    /// A file on the bastion, or "none".
    FileOrNone,
    /// A file on the bastion.
    File,
    /// A folder on the bastion.
    Folder,
    /// An absolute path on a node, or "none".
    RemotePathOrNone,
    /// An absolute path on a node.
    RemotePath,
    /// A whole number within the bounds of `assets/defaults.toml`.
    Integer,
    /// A number within the bounds of `assets/defaults.toml`.
    Decimal,
    /// true or false.
    Switch,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Text that must not be shown, and that others must not be able to read.
    Secret,
}

impl Kind {
    /// The kind in words, for messages and the reference page.
    pub fn words(self) -> String {
        match self {
            Self::Name => "a name".into(),
            Self::Names => "a list of names".into(),
            Self::NamesOrNone => "a list of names or \"none\"".into(),
            Self::Roles => format!("a list of roles ({})", Role::ALL.map(Role::word).join(", ")),
            Self::Label | Self::Login | Self::Secret => "text".into(),
            Self::Labels => "a list of texts".into(),
            Self::Host => "a host name or address".into(),
            Self::PrivateAddress => "a private address".into(),
            Self::PublicAddress => "a public address".into(),
            Self::Address => "an address".into(),
            Self::Port => "a port (1 to 65535)".into(),
            Self::Ports => "a list of ports".into(),
            Self::Files => "a list of files".into(),
            Self::Command => "a list of a program and its arguments".into(),
            Self::FileOrNone => "a file or \"none\"".into(),
            Self::File => "a file".into(),
            Self::Folder => "a folder".into(),
            Self::RemotePath => "an absolute path on the node".into(),
            Self::RemotePathOrNone => "an absolute path on the node or \"none\"".into(),
            Self::Integer => "a whole number".into(),
            Self::Decimal => "a number".into(),
            Self::Switch => "true or false".into(),
            Self::Choice(words) => format!("one of {}", quoted(words)),
        }
    }
}

impl Kind {
    /// A value of this kind as it is written in the file.
    pub fn example(self) -> &'static str {
        match self {
            Self::Name => "\"web01\"",
            Self::Names | Self::NamesOrNone => "[\"lb01\", \"lb02\"]",
            Self::Roles => "[\"web\"]",
            Self::Label => "\"oslo-1\"",
            Self::Labels => "[\"NO\"]",
            Self::Login => "\"vakt\"",
            Self::Host | Self::PrivateAddress | Self::Address => "\"10.10.0.11\"",
            Self::PublicAddress => "\"203.0.113.11\"",
            Self::Port => "22",
            Self::Ports => "[80, 443, 22]",
            Self::Files => "[\"~/.ssh/id_ed25519\"]",
            Self::Command => "[\"/usr/local/sbin/lead-writes\"]",
            Self::FileOrNone => "\"~/.ssh/config\"",
            Self::File => "\"~/.config/vakt/password\"",
            Self::Folder => "\"/var/lib/vakt\"",
            Self::RemotePath | Self::RemotePathOrNone => "\"/run/haproxy/admin.sock\"",
            Self::Integer => "1000",
            Self::Decimal => "25.0",
            Self::Switch => "true",
            Self::Choice(words) => words.first().copied().unwrap_or_default(),
            Self::Secret => "\"…\"",
        }
    }
}

/// `"a", "b"`.
pub fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    words.iter().map(|word| format!("\"{}\"", word.as_ref())).collect::<Vec<_>>().join(", ")
}
