//! Opens a conversation with a daemon behind a unix socket: by the way that worked last, or by looking for one.
//!
//! A way works when the daemon answers on it: a relay that starts proves nothing, it may end with a reason.

use super::{
    channel::Drained,
    haproxy_cli::{CliFault, HaproxyCli},
    ovs_daemon,
    route::{self, Failed, Look},
    session::{OpenFault, Session, Target},
    shell::Place,
};
use crate::model::{
    link::Way,
    trouble::{Trouble, TroubleKind},
};
use std::{sync::atomic::AtomicBool, time::Duration};
use tokio::{io::AsyncWriteExt, time::timeout};

/// Pause after sudo did not help, before it is asked again.
const SUDO_REST: Duration = Duration::from_secs(5);
/// Pause after a socket was not there: many a node has no such daemon at all.
const MISSING_REST: Duration = Duration::from_secs(5);
/// The look at the node answers a few words.
const LOOK_BYTES_MAX: usize = 4096;

/// How a daemon is greeted, so that it shows that it serves us.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hello<'a> {
    /// HAProxy's prompt.
    Prompt,
    /// These bytes; whatever comes back is an answer, and is left for the caller to read.
    Bytes {
        /// The question.
        question: &'a [u8],
        /// Who should answer: "the database of Open vSwitch".
        who: &'static str,
    },
}

/// Why one way did not lead to a conversation.
enum WayFault {
    /// This way does not work; another may.
    Closed(Failed),
    /// No way would.
    Trouble(Trouble),
}

/// Opens a conversation; who it is with has answered.
pub(super) async fn open(
    session: &Session,
    socket: &str,
    hello: Hello<'_>,
    unread_max: usize,
    wait: Duration,
) -> Result<Drained, Trouble> {
    let result = find(session, socket, hello, unread_max, wait).await;
    let way = result.as_ref().map(|(way, _)| *way).map_err(Clone::clone);
    // A control socket has the number of its process in its name: a new one with every start is nobody's business.
    if matches!(hello, Hello::Bytes { who: ovs_daemon::DAEMON, .. }) {
        session.routes.remember(socket, &way);
    } else if !session.is_ended() {
        session.tell_route(socket, &way).await;
    }
    result.map(|(_, stream)| stream)
}

async fn find(
    session: &Session,
    socket: &str,
    hello: Hello<'_>,
    unread_max: usize,
    wait: Duration,
) -> Result<(Way, Drained), Trouble> {
    if let Some(trouble) = session.routes.resting(socket) {
        return Err(trouble);
    }
    let mut failed = Vec::new();
    let first = session.routes.remembered(socket).unwrap_or(Way::StreamLocal);
    for way in [first, Way::StreamLocal] {
        if failed.iter().any(|failed: &Failed| failed.way == way) {
            continue;
        }
        match attempt(session, socket, way, hello, unread_max, wait).await {
            Ok(stream) => return Ok((way, stream)),
            Err(WayFault::Closed(fault)) => failed.push(fault),
            Err(WayFault::Trouble(trouble)) => return Err(trouble),
        }
    }
    let looked = session.shell(&route::look(socket), Place::Apart, LOOK_BYTES_MAX, &AtomicBool::default()).await?;
    let look = Look::parse(&looked.bytes);
    for way in look.relays() {
        if failed.iter().any(|failed| failed.way == way) {
            continue;
        }
        match attempt(session, socket, way, hello, unread_max, wait).await {
            Ok(stream) => return Ok((way, stream)),
            Err(WayFault::Closed(fault)) => failed.push(fault),
            Err(WayFault::Trouble(trouble)) => return Err(trouble),
        }
    }
    let trouble = route::explain(session.name(), socket, &look, &failed);
    if look.sudo && !look.root && !look.permitted {
        // Every try leaves a line in the node's auth log.
        session.routes.rest(socket, &trouble, SUDO_REST);
    } else if trouble.kind == TroubleKind::SocketMissing && matches!(hello, Hello::Bytes { .. }) {
        session.routes.rest(socket, &trouble, MISSING_REST);
    }
    Err(trouble)
}

/// Tries one way, up to the daemon's greeting.
async fn attempt(
    session: &Session,
    socket: &str,
    way: Way,
    hello: Hello<'_>,
    unread_max: usize,
    wait: Duration,
) -> Result<Drained, WayFault> {
    let target = match route::relay(way, socket) {
        Some(command) => Target::Talk(command),
        None => Target::Socket(socket.to_owned()),
    };
    let mut stream = match session.open(target, unread_max, &AtomicBool::default()).await {
        Ok(stream) => stream,
        Err(OpenFault::Refused(_)) if way == Way::StreamLocal => {
            return Err(WayFault::Closed(Failed { way, said: String::new() }));
        }
        Err(fault) => return Err(WayFault::Trouble(session.open_trouble(&fault))),
    };
    match timeout(wait, greet(&mut stream, hello)).await {
        Ok(Ok(())) => Ok(stream),
        Ok(Err(_)) if session.is_ended() => Err(WayFault::Trouble(session.end())),
        Ok(Err(CliFault::Ended | CliFault::Io(_))) => {
            // The relay's last words may come after the end of its data.
            let _ = timeout(wait, stream.exit()).await;
            let said = String::from_utf8_lossy(&stream.stderr()).into_owned();
            Err(WayFault::Closed(Failed { way, said }))
        }
        Ok(Err(_)) => Err(WayFault::Trouble(not_haproxy(session, socket))),
        Err(_) => Err(WayFault::Trouble(silent(session, socket, hello, wait))),
    }
}

async fn greet(stream: &mut Drained, hello: Hello<'_>) -> Result<(), CliFault> {
    match hello {
        Hello::Prompt => HaproxyCli::greet(stream).await,
        Hello::Bytes { question, .. } => {
            stream.write_all(question).await.map_err(CliFault::Io)?;
            stream.flush().await.map_err(CliFault::Io)?;
            if stream.has_something().await { Ok(()) } else { Err(CliFault::Ended) }
        }
    }
}

fn silent(session: &Session, socket: &str, hello: Hello<'_>, waited: Duration) -> Trouble {
    let (name, waited_ms) = (session.name(), waited.as_millis());
    match hello {
        Hello::Prompt => Trouble::new(
            TroubleKind::StatsSocketFull,
            format!("HAProxy on {name} accepted a connection to {socket} and said nothing for {waited_ms} ms"),
            "its stats connections are all in use, or it is frozen: close other consoles, or raise stats maxconn",
        ),
        Hello::Bytes { who, .. } => Trouble::new(
            TroubleKind::DeadlineMissed,
            format!("{who} on {name} accepted a connection to {socket} and said nothing for {waited_ms} ms"),
            "it is frozen or overloaded: look at the daemon on the node",
        ),
    }
}

fn not_haproxy(session: &Session, socket: &str) -> Trouble {
    Trouble::new(
        TroubleKind::AnswerNotUnderstood,
        format!("what listens behind {socket} on {} does not talk like HAProxy's stats socket", session.name()),
        "correct haproxy_socket in the configuration",
    )
}
