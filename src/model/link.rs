//! The connection to one node: its state, what goes wrong, and which way each service is reached.

use super::{
    text::Clean,
    time::Now,
    trouble::{Trouble, TroubleKind},
};
use serde::{Deserialize, Serialize};

/// Where the connection to a node stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum LinkState {
    /// Nothing has been tried.
    #[default]
    Idle,
    /// Being established; `stage` says how far ("resolving", "connecting", "checking host key", "authenticating").
    Connecting {
        /// The stage in plain words.
        stage: Clean,
    },
    /// Waiting for the operator to answer a question (passphrase, host key).
    Asking,
    /// Up.
    Up,
    /// Down; the next attempt comes at `retry`.
    Down {
        /// Why.
        trouble: Trouble,
        /// When the next attempt starts; `None` when there is no point in trying (changed host key).
        retry: Option<Now>,
    },
}

/// The connection and its history.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Link {
    /// Now.
    pub state: LinkState,
    /// Since when the state holds (not reset by a further failed attempt).
    pub since: Now,
    /// When the connection last went up.
    pub up_at: Option<Now>,
    /// Why the last attempt failed; stays while it is tried again, gone once the connection is up.
    pub trouble: Option<Trouble>,
    /// How each service socket is reached: "haproxy: /run/haproxy/admin.sock by sudo socat".
    pub routes: Vec<Route>,
    /// Settings of the connection worth showing: user, address, host key, cipher, where each came from.
    pub settings: Vec<LinkSetting>,
}

impl Link {
    /// Why the node cannot be reached: also while the connection is tried again, because only success changes that.
    pub fn lost(&self) -> Option<&Trouble> {
        match &self.state {
            LinkState::Down { trouble, .. } => Some(trouble),
            LinkState::Idle | LinkState::Connecting { .. } => self.trouble.as_ref(),
            LinkState::Asking | LinkState::Up => None,
        }
    }
}

/// One resolved connection setting with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkSetting {
    /// "user", "address", "identity file", "jump host".
    pub name: Clean,
    /// The value in use.
    pub value: Clean,
    /// "vakt configuration", "ssh -G", "default", "negotiated".
    pub source: Clean,
}

/// The way to one socket of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The socket's path on the node.
    pub path: Clean,
    /// How, or why not.
    pub way: Result<Way, Trouble>,
}

/// How bytes reach a unix socket on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// `direct-streamlocal@openssh.com`: nothing runs on the node.
    StreamLocal,
    /// `socat - UNIX-CONNECT:PATH` as the login user.
    Socat,
    /// `nc -U PATH` as the login user.
    Netcat,
    /// `sudo -n socat - UNIX-CONNECT:PATH`.
    SudoSocat,
    /// `sudo -n nc -U PATH`.
    SudoNetcat,
}

impl Way {
    /// In words, for the node screen and `vakt check`.
    pub fn words(self) -> &'static str {
        match self {
            Self::StreamLocal => "forwarded socket",
            Self::Socat => "socat",
            Self::Netcat => "nc -U",
            Self::SudoSocat => "sudo socat",
            Self::SudoNetcat => "sudo nc -U",
        }
    }
}

/// What the transport tells about a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEvent {
    /// The state changed.
    State(LinkState),
    /// A way to a socket was found, or none.
    Route(Route),
    /// The settings were resolved.
    Settings(Vec<LinkSetting>),
    /// libvirt tells that something happened to a guest; what, the next poll shows.
    GuestsChanged,
}

/// A question only the operator can answer. The answer travels back by `id` and is never recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names the question to the transport.
    pub id: u64,
    /// What is asked.
    pub ask: Ask,
}

/// Kinds of question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Passphrase of a private key.
    Passphrase {
        /// The key's file.
        file: Clean,
    },
    /// A keyboard-interactive or password prompt, as the server words it.
    Prompt {
        /// Server's text, sanitised.
        text: Clean,
        /// Whether typed characters may be shown.
        echo: bool,
    },
    /// An unknown host key: accept and remember, or not.
    UnknownHostKey {
        /// Address as written into known_hosts.
        host: Clean,
        /// "ssh-ed25519".
        algorithm: Clean,
        /// "SHA256:…".
        fingerprint: Clean,
        /// The file it would be written to.
        file: Clean,
    },
}

impl Ask {
    /// The question as a trouble, for commands that have nobody to ask.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Passphrase { file } => Trouble::new(
                TroubleKind::KeyEncrypted,
                format!("the key {file} needs a passphrase"),
                format!("add it to an agent (ssh-add {file}), or answer in the console"),
            ),
            Self::Prompt { text, .. } => Trouble::new(
                TroubleKind::AuthenticationRefused,
                format!("the server asks \u{201c}{text}\u{201d}"),
                "answer in the console, or log in with a key",
            ),
            Self::UnknownHostKey { host, algorithm, fingerprint, file } => Trouble::new(
                TroubleKind::HostKeyUnknown,
                format!("the host key of {host} is not known: {algorithm} {fingerprint}"),
                format!("compare the fingerprint and accept it in the console, or add the key to {file}"),
            ),
        }
    }
}
