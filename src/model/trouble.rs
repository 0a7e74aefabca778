//! What stands between vakt and a fact, in words an operator can act on: the cause and the cure.

use super::text::Clean;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A problem with a node or one of its services. `cause` says what is, `cure` what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// The kind, for code and tests.
    pub kind: TroubleKind,
    /// What is: a lower-case fragment, subject first ("connection to 10.99.0.11 port 22 refused").
    pub cause: Clean,
    /// What to do: an imperative fragment ("start sshd on web03, or check the port in the configuration").
    pub cure: Clean,
}

impl Trouble {
    /// A trouble from text of our own making (still sanitised: it may quote a node).
    pub fn new(kind: TroubleKind, cause: impl AsRef<str>, cure: impl AsRef<str>) -> Self {
        Self { kind, cause: Clean::line(cause.as_ref()), cure: Clean::line(cure.as_ref()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.cure)
    }
}

/// Every kind of trouble vakt can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// The host name has no address.
    NameDoesNotResolve,
    /// The host answers, nothing listens.
    Refused,
    /// No route to the host or network.
    Unreachable,
    /// No answer in time (connect, banner, key exchange or authentication).
    TimedOut,
    /// The peer is not an SSH server, or no common algorithm.
    ProtocolMismatch,
    /// The host key is in no known_hosts file; an operator may accept it.
    HostKeyUnknown,
    /// The host key differs from the known one. There is no "yes".
    HostKeyChanged,
    /// The host key or its authority is revoked. There is no "yes".
    HostKeyRevoked,
    /// The host certificate is not valid (time, principal, authority).
    HostCertificateInvalid,
    /// Every authentication method was refused.
    AuthenticationRefused,
    /// The private key needs a passphrase and nobody could be asked.
    KeyEncrypted,
    /// The private key cannot be read or parsed.
    KeyUnusable,
    /// The agent cannot be reached or vanished.
    AgentUnavailable,
    /// A jump host on the way is not up.
    JumpHostDown,
    /// The SSH settings could not be resolved (`ssh -G` failed or said something impossible).
    SettingsUnusable,
    /// The server forbids stream-local forwarding and no relay program was found.
    ForwardingForbidden,
    /// `sudo` wants a password.
    SudoNeedsPassword,
    /// A program that is needed on the node is not installed there.
    ProgramMissing,
    /// The socket does not exist.
    SocketMissing,
    /// The socket exists, the login may not open it.
    SocketNotPermitted,
    /// The socket exists, nothing listens behind it.
    DaemonNotRunning,
    /// HAProxy accepted the connection and does not answer: all its stats connections are in use.
    StatsSocketFull,
    /// The database does not let the account in.
    LoginRefused,
    /// The database accepted the connection, or a statement, and does not answer.
    DatabaseSilent,
    /// libvirtd took the connection and does not answer, while the node does.
    LibvirtSilent,
    /// The service refused what was asked, in its own words.
    ServiceRefused,
    /// This vakt was built without the part that would ask.
    NotBuiltIn,
    /// One request got no answer before its deadline.
    DeadlineMissed,
    /// An answer was longer than its cap.
    AnswerTooLong,
    /// An answer was not understood.
    AnswerNotUnderstood,
    /// The connection ended.
    ConnectionLost,
    /// The console is read-only and the request would write.
    ReadOnly,
    /// vakt itself is at fault.
    Internal,
}

impl TroubleKind {
    /// Whether a later answer would have been one: who asks again may hear it.
    pub fn is_about_time(self) -> bool {
        matches!(self, Self::DeadlineMissed | Self::StatsSocketFull | Self::DatabaseSilent | Self::LibvirtSilent)
    }
}
