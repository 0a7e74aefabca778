//! The way to a database server and into it.
//!
//! Without a configured account vakt is whoever the server sees behind the socket: the SSH login, and where that has no
//! account, root by `sudo -n`. With one, the account logs in over whichever way opens the socket.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    mysql::Conversation,
    mysql_bridge::Bridge,
    mysql_frames::FrameFault,
    route::{self, Failed, Look},
    session::{OpenFault, Session, Target},
    shell::Place,
};
use crate::model::{
    inventory::{DatabaseLogin, PasswordSource},
    link::Way,
    text::Clean,
    trouble::{Trouble, TroubleKind},
};
use mysql_async::{Conn, Error as LibraryError, OptsBuilder, prelude::Queryable};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap, fs, os::unix::fs::PermissionsExt, path::Path, sync::atomic::AtomicBool, time::Duration,
};
use tokio::{io::AsyncReadExt, time::timeout};
use tokio_util::task::AbortOnDropHandle;

/// A server that has accepted the connection and says nothing for so long is frozen.
const GREETING_WAIT_MAX: Duration = Duration::from_secs(1);
/// Pause after a refused login: each leaves a line in the server's log.
const REFUSED_REST: Duration = Duration::from_secs(10);
/// Pause after a silent one: each attempt waits in the server's queue.
const SILENT_REST: Duration = Duration::from_secs(2);
/// Why a server is not there is looked at again after so long; whether it is, at every question.
const EXPLAINED_FOR: Duration = Duration::from_secs(3);
/// A greeting is shorter.
const GREETING_BYTES_MAX: usize = 2048;
/// The look at the node answers a few words.
const LOOK_BYTES_MAX: usize = 4096;
/// Longest packet, either way.
const PACKET_BYTES_MAX: usize = 4 * 1024 * 1024 + 64 * 1024;
/// Longest password file that is read, bytes.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// What makes a session harmless; what a server does not know is left out. Nothing can be changed in it, it waits for
/// no lock, no statement of it runs long, no transaction stays open, and the server ends it if vakt vanishes.
const SETTINGS: [&str; 7] = [
    "set session transaction read only",
    "set session autocommit = 1",
    "set session lock_wait_timeout = 1",
    "set session innodb_lock_wait_timeout = 1",
    "set session max_statement_time = 2",
    "set session max_execution_time = 2000",
    "set session wait_timeout = 300",
];

/// The same for a session that changes something: what it must not do without an end is bounded.
const WRITING_SETTINGS: [&str; 4] = [
    "set session autocommit = 1",
    "set session lock_wait_timeout = 1",
    "set session innodb_lock_wait_timeout = 1",
    "set session wait_timeout = 60",
];

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It can only look.
    Reading,
    /// It changes something.
    Writing,
}

/// Why one way did not lead to a conversation.
enum WayFault {
    /// This way does not work; another may.
    Closed(Failed),
    /// The server does not let this account in; by another way it may be another account.
    Refused(Trouble),
    /// No way would.
    Trouble(Trouble),
}

/// Opens a conversation by the way that worked last, or by looking for one.
pub(super) async fn open(
    session: &Session,
    socket: &str,
    login: &DatabaseLogin,
    limit: Duration,
    purpose: Purpose,
) -> Result<Conversation, Trouble> {
    if let Some(trouble) = session.routes.resting(socket) {
        return Err(trouble);
    }
    let password = password(login.password.as_ref())?;
    let seeker = Seeker { session, socket, login, password, limit: limit.min(GREETING_WAIT_MAX), purpose };
    let result = seeker.find().await;
    let way = result.as_ref().map(|(way, _)| *way).map_err(Clone::clone);
    if let Err(trouble) = &way {
        match trouble.kind {
            TroubleKind::LoginRefused | TroubleKind::SocketNotPermitted | TroubleKind::SudoNeedsPassword => {
                session.routes.rest(socket, trouble, REFUSED_REST);
            }
            TroubleKind::DatabaseSilent => session.routes.rest(socket, trouble, SILENT_REST),
            _ => {}
        }
    }
    if !session.is_ended() {
        session.tell_route(socket, &way).await;
    }
    result.map(|(_, conversation)| conversation)
}

struct Seeker<'a> {
    session: &'a Session,
    socket: &'a str,
    login: &'a DatabaseLogin,
    password: Option<SecretString>,
    /// For each step.
    limit: Duration,
    purpose: Purpose,
}

impl Seeker<'_> {
    async fn find(&self) -> Result<(Way, Conversation), Trouble> {
        let mut failed: Vec<Failed> = Vec::new();
        let mut refused = None;
        let first = self.session.routes.remembered(self.socket).unwrap_or(Way::StreamLocal);
        for way in [first, Way::StreamLocal] {
            if failed.iter().any(|failed| failed.way == way) || (refused.is_some() && !is_root(way)) {
                continue;
            }
            match self.attempt(way).await {
                Ok(conversation) => return Ok((way, conversation)),
                Err(WayFault::Closed(fault)) => failed.push(fault),
                Err(WayFault::Refused(trouble)) => refused = Some(self.bearable(trouble)?),
                Err(WayFault::Trouble(trouble)) => return Err(trouble),
            }
        }
        // A server that is not there is asked for all the time; a look and its relays cost the node ten processes.
        if refused.is_none()
            && let Some(trouble) = self.session.routes.explained(self.socket)
        {
            return Err(trouble);
        }
        let looked =
            self.session.shell(&route::look(self.socket), Place::Apart, LOOK_BYTES_MAX, &AtomicBool::default()).await?;
        let look = Look::parse(&looked.bytes);
        for way in relays(&look, refused.is_some()) {
            if failed.iter().any(|failed| failed.way == way) {
                continue;
            }
            match self.attempt(way).await {
                Ok(conversation) => return Ok((way, conversation)),
                Err(WayFault::Closed(fault)) => failed.push(fault),
                Err(WayFault::Refused(trouble)) => refused = Some(self.bearable(trouble)?),
                Err(WayFault::Trouble(trouble)) => return Err(trouble),
            }
        }
        let trouble = refused.unwrap_or_else(|| route::explain(self.session.name(), self.socket, &look, &failed));
        if matches!(trouble.kind, TroubleKind::DaemonNotRunning | TroubleKind::SocketMissing) {
            self.session.routes.explain_for(self.socket, &trouble, EXPLAINED_FOR);
        }
        Err(trouble)
    }

    /// A configured account is the same by every way: its refusal is final.
    fn bearable(&self, trouble: Trouble) -> Result<Trouble, Trouble> {
        if self.login.user.is_some() || self.session.user == "root" { Err(trouble) } else { Ok(trouble) }
    }

    async fn attempt(&self, way: Way) -> Result<Conversation, WayFault> {
        let target = match route::relay(way, self.socket) {
            Some(command) => Target::Talk(command),
            None => Target::Socket(self.socket.to_owned()),
        };
        let mut stream = match self.session.open(target, UNREAD_BYTES_MAX, &AtomicBool::default()).await {
            Ok(stream) => stream,
            Err(OpenFault::Refused(_)) if way == Way::StreamLocal => {
                return Err(WayFault::Closed(Failed { way, said: String::new() }));
            }
            Err(fault) => return Err(WayFault::Trouble(self.session.open_trouble(&fault))),
        };
        match timeout(self.limit, greeting(&mut stream)).await {
            Ok(Ok(greeting)) => self.log_in(way, stream, greeting).await,
            Ok(Err(_)) if self.session.is_ended() => Err(WayFault::Trouble(self.session.end())),
            Ok(Err(_)) if stream.is_ended() => {
                // The relay's last words may come after the end of its data.
                let _ = timeout(self.limit, stream.exit()).await;
                let said = String::from_utf8_lossy(&stream.stderr()).into_owned();
                Err(WayFault::Closed(Failed { way, said }))
            }
            Ok(Err(_)) => Err(WayFault::Trouble(self.not_mysql(&FrameFault::NotMysql))),
            Err(_) => Err(WayFault::Trouble(self.silent())),
        }
    }

    async fn log_in(&self, way: Way, stream: Drained, greeting: Vec<u8>) -> Result<Conversation, WayFault> {
        let user = match &self.login.user {
            Some(user) => user.clone(),
            None if is_root(way) => "root".to_owned(),
            None => self.session.user.clone(),
        };
        let opened = Bridge::open(stream, greeting, &self.session.tasks);
        let (bridge, path) = opened.map_err(|error| {
            WayFault::Trouble(Trouble::new(
                TroubleKind::Internal,
                format!("no socket can be made for the database of {}: {error}", self.session.name()),
                "give vakt a folder for sockets: XDG_RUNTIME_DIR, or /tmp",
            ))
        })?;
        let opts = OptsBuilder::default()
            .socket(Some(path.to_string_lossy()))
            // On a server's word the library would connect to a socket of this machine.
            .prefer_socket(Some(false))
            .user(Some(user.as_str()))
            .pass(self.password.as_ref().map(|password| password.expose_secret().to_owned()))
            .max_allowed_packet(Some(PACKET_BYTES_MAX))
            .wait_timeout(Some(300))
            .stmt_cache_size(Some(0));
        let settings: &[&str] = match self.purpose {
            Purpose::Reading => &SETTINGS,
            Purpose::Writing => &WRITING_SETTINGS,
        };
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let mut conn = Conn::new(opts).await?;
            for setting in settings {
                match conn.query_drop(*setting).await {
                    Ok(()) | Err(LibraryError::Server(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(conn)
        }));
        match timeout(self.limit.saturating_mul(2), task).await {
            Ok(Ok(Ok(conn))) => Ok(Conversation { conn, bridge, asked: HashMap::new() }),
            Ok(Ok(Err(LibraryError::Server(refusal)))) if !bridge.is_logged_in() => {
                Err(self.refused(way, &user, refusal.code, &refusal.message))
            }
            Ok(_) if self.session.is_ended() => Err(WayFault::Trouble(self.session.end())),
            Ok(ended) => Err(match (bridge.fault(), ended) {
                // MySQL hides which accounts exist: one that does not is asked for a login by some method or other.
                (Some(FrameFault::Method(method)), _) => WayFault::Refused(self.unknown_method(&user, &method)),
                (Some(fault), _) => WayFault::Trouble(self.not_mysql(&fault)),
                (None, Ok(Err(error))) => WayFault::Trouble(self.ended(&error.to_string())),
                (None, _) => WayFault::Trouble(self.ended("its answer could not be read")),
            }),
            Err(_) => Err(WayFault::Trouble(self.silent())),
        }
    }

    fn refused(&self, way: Way, user: &str, code: u16, message: &str) -> WayFault {
        let (name, root) = (self.session.name(), is_root(way));
        let cause = format!("the database on {name} refuses {user} ({code}): {message}");
        if matches!(code, 1040 | 1203) {
            let cure = "find out who uses up its connections, then raise max_connections if its memory allows";
            return WayFault::Trouble(Trouble::new(TroubleKind::LoginRefused, cause, cure));
        }
        let cure = match (&self.login.user, root) {
            (Some(_), _) => "correct user and password under [mysql], or the account on the server".to_owned(),
            (None, true) => "let root@localhost log in by unix_socket (auth_socket), or set user under [mysql]".into(),
            (None, false) => format!(
                "create user {user}@localhost identified via unix_socket (MySQL: with auth_socket) and grant process, \
                 replication client on *.*; or let {user} use sudo -n socat; or set user under [mysql]"
            ),
        };
        WayFault::Refused(Trouble::new(TroubleKind::LoginRefused, cause, cure))
    }

    fn silent(&self) -> Trouble {
        Trouble::new(
            TroubleKind::DatabaseSilent,
            format!(
                "the database on {} accepted a connection to {} and says nothing",
                self.session.name(),
                self.socket
            ),
            "it is frozen, overloaded, or waits for a disk: look at its process and its disk",
        )
    }

    fn unknown_method(&self, user: &str, method: &Clean) -> Trouble {
        let name = self.session.name();
        Trouble::new(
            TroubleKind::LoginRefused,
            format!(
                "the database on {name} has no account {user}, or wants its login by {method}, which vakt does not know"
            ),
            "give vakt an account by unix_socket, auth_socket, caching_sha2_password, ed25519 or native password",
        )
    }

    fn not_mysql(&self, fault: &FrameFault) -> Trouble {
        let (name, socket) = (self.session.name(), self.socket);
        let cause = match fault {
            FrameFault::Method(method) => format!("the database on {name} wants a login by {method}"),
            FrameFault::NotMysql | FrameFault::TooLong => {
                format!("what listens behind {socket} on {name} does not talk like MySQL or MariaDB")
            }
        };
        Trouble::new(TroubleKind::AnswerNotUnderstood, cause, "correct mysql_socket in the configuration")
    }

    fn ended(&self, why: &str) -> Trouble {
        Trouble::new(
            TroubleKind::ConnectionLost,
            format!("the database on {} ended the conversation during the login ({why})", self.session.name()),
            "look at the database on the node: it is being stopped or started",
        )
    }
}

/// Whether root stands behind this way.
fn is_root(way: Way) -> bool {
    matches!(way, Way::SudoSocat | Way::SudoNetcat)
}

/// The relays worth trying, in order. A login that the server refused is the same by every way but sudo.
fn relays(look: &Look, is_refused: bool) -> Vec<Way> {
    let mut ways = Vec::new();
    if look.permitted && !is_refused {
        ways.extend(look.socat.then_some(Way::Socat));
        ways.extend(look.netcat.then_some(Way::Netcat));
    }
    if look.sudo && !look.root && (is_refused || !look.permitted) {
        ways.extend([Way::SudoSocat, Way::SudoNetcat]);
    }
    ways
}

/// The first frame, whole: a greeting or a refusal.
async fn greeting(stream: &mut Drained) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    stream.read_exact(&mut bytes).await?;
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize;
    if length == 0 || length > GREETING_BYTES_MAX {
        return Err(std::io::Error::other("no greeting"));
    }
    bytes.resize(4 + length, 0);
    stream.read_exact(&mut bytes[4..]).await?;
    Ok(bytes)
}

/// The password of a configured account, read when it is needed.
pub(super) fn password(source: Option<&PasswordSource>) -> Result<Option<SecretString>, Trouble> {
    let unusable = |cause: String, cure: &str| Trouble::new(TroubleKind::LoginRefused, cause, cure);
    match source {
        None => Ok(None),
        Some(PasswordSource::Variable(name)) => std::env::var(name).map(|value| Some(value.into())).map_err(|_| {
            unusable(format!("the variable {name} of password_env is not set"), "set it before vakt is started")
        }),
        Some(PasswordSource::File(path)) => from_file(path).map(Some).map_err(|(cause, cure)| unusable(cause, &cure)),
    }
}

fn from_file(path: &Path) -> Result<SecretString, (String, String)> {
    let shown = path.display();
    let failed = |error: std::io::Error| (format!("password_file {shown}: {error}"), "correct the path".to_owned());
    let metadata = fs::metadata(path).map_err(failed)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err((format!("others may read password_file {shown}"), format!("run chmod 600 {shown}")));
    }
    if !metadata.is_file() || metadata.len() > PASSWORD_BYTES_MAX {
        return Err((format!("password_file {shown} is no file of one line"), "put only the password into it".into()));
    }
    let text = SecretString::from(fs::read_to_string(path).map_err(failed)?);
    Ok(text.expose_secret().lines().next().unwrap_or_default().to_owned().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_tried_again_as_root_only() {
        let look = |words: &str| Look::parse(words.replace(' ', "\n").as_bytes());
        let sudo = [Way::SudoSocat, Way::SudoNetcat];
        assert_eq!(relays(&look("exists socket permitted socat netcat sudo"), false), [Way::Socat, Way::Netcat]);
        assert_eq!(relays(&look("exists socket permitted socat netcat sudo"), true), sudo);
        assert_eq!(relays(&look("exists socket socat sudo"), false), sudo);
        assert_eq!(relays(&look("exists socket permitted socat root sudo"), true), []);
        assert_eq!(relays(&look("exists socket permitted socat"), true), []);
    }

    #[test]
    fn a_password_file_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "s3cr3t\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let login = DatabaseLogin { user: Some("vakt".into()), password: Some(PasswordSource::File(path.clone())) };
        let trouble = password(login.password.as_ref()).unwrap_err();
        assert!(trouble.to_string().contains("others may read") && !trouble.to_string().contains("s3cr3t"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(password(login.password.as_ref()).unwrap().unwrap().expose_secret(), "s3cr3t");
        let absent = DatabaseLogin { password: Some(PasswordSource::File(folder.path().join("no"))), ..login };
        assert_eq!(password(absent.password.as_ref()).unwrap_err().kind, TroubleKind::LoginRefused);
    }
}
