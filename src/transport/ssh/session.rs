//! An established session with one node: opens channels, answers requests, notices that it has died.
//!
//! Every request has a deadline, and a deadline costs its channel. Several deadlines in a row cost the session: a
//! silently cut network tells nothing else.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    gate::{Gate, Notes},
    haproxy::Haproxy,
    libvirt::Libvirt,
    libvirt_writing,
    mysql::Databases,
    operator::Operator,
    ovs_daemon::OvsDaemon,
    ovsdb::Ovsdb,
    route::Routes,
    scripts::Scripts,
    shell::Place,
    tcp::Exchange,
};
use crate::{
    model::{
        link::{LinkEvent, Route, Way},
        text::Clean,
        trouble::{Trouble, TroubleKind},
    },
    transport::Sent,
    wire::request::{Call, Reply, Request, shell_word},
};
use russh::{
    Channel, Disconnect,
    client::{Handle, Msg},
};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::AsyncReadExt,
    sync::{Semaphore, oneshot},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Session channels (shell, exec, relay) at once: OpenSSH's `MaxSessions` is 10, and the operator may want one, too.
const SESSION_CHANNELS_MAX: usize = 8;
/// Forwarded sockets and connections at once.
const FORWARDS_MAX: usize = 64;
/// Unread bytes of a connection that passes through this node.
const PASSAGE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Pauses before a refused session channel is asked for again.
const OPEN_PAUSES: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(30), Duration::from_millis(90), Duration::from_millis(270)];

/// What a channel leads to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A command line for the login shell, whose standard input stays open for us.
    Talk(String),
    /// A command line for the login shell, whose standard input is empty.
    Run(String),
    /// A unix socket on the node.
    Socket(String),
    /// A TCP port, as seen from the node.
    Tcp(String, u16),
}

impl Target {
    /// Whether it takes one of the places that `MaxSessions` limits.
    fn is_program(&self) -> bool {
        matches!(self, Self::Talk(_) | Self::Run(_))
    }
}

/// Why a channel could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum OpenFault {
    /// The server refused; it does not say why in a way that could be relied on.
    #[error("the server refused the channel ({0})")]
    Refused(String),
    /// The session is gone.
    #[error("the connection ended")]
    Lost,
}

/// One session.
pub(super) struct Session {
    name: String,
    handle: Arc<Handle<Gate>>,
    notes: Notes,
    /// Cancelled when the session has ended.
    ended: CancellationToken,
    /// Cancelling it ends the session.
    cut: CancellationToken,
    pub(super) tasks: TaskTracker,
    programs: Arc<Semaphore>,
    forwards: Arc<Semaphore>,
    pub(super) scripts: Scripts,
    pub(super) haproxy: Haproxy,
    pub(super) ovsdb: Ovsdb,
    ovs_daemon: OvsDaemon,
    pub(super) databases: Databases,
    /// The login's name on the node: whom a database server sees behind a forwarded socket.
    pub(super) user: String,
    libvirt: Libvirt,
    pub(super) routes: Arc<Routes>,
    operator: Arc<Operator>,
    missed: AtomicU32,
    missed_max: u32,
}

/// What a session is made of.
pub(super) struct Parts {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) handle: Handle<Gate>,
    pub(super) notes: Notes,
    pub(super) ended: CancellationToken,
    pub(super) cut: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) routes: Arc<Routes>,
    pub(super) operator: Arc<Operator>,
    pub(super) missed_max: u32,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.cut.cancel();
    }
}

impl Session {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            name: parts.name,
            handle: Arc::new(parts.handle),
            notes: parts.notes,
            ended: parts.ended,
            cut: parts.cut,
            tasks: parts.tasks,
            programs: Arc::new(Semaphore::new(SESSION_CHANNELS_MAX)),
            forwards: Arc::new(Semaphore::new(FORWARDS_MAX)),
            scripts: Scripts::default(),
            haproxy: Haproxy::default(),
            ovsdb: Ovsdb::default(),
            ovs_daemon: OvsDaemon::default(),
            databases: Databases::default(),
            user: parts.user,
            libvirt: Libvirt::default(),
            routes: parts.routes,
            operator: parts.operator,
            missed: AtomicU32::new(0),
            missed_max: parts.missed_max,
        }
    }

    /// Runs one command before anything else. sshd switches Nagle's algorithm off only when a session channel starts;
    /// on a connection that only forwards sockets, every larger answer would stall for 40 ms.
    pub(super) async fn warm_up(&self, limit: Duration) {
        // A login that cannot run commands may still forward sockets: each request will tell its own trouble.
        let _ = timeout(limit, self.shell(":", Place::Apart, 0, &AtomicBool::default())).await;
    }

    /// Ends when the session has ended.
    pub(super) async fn until_ended(&self) {
        self.ended.cancelled().await;
    }

    /// The same for whoever does not keep the session.
    #[cfg(feature = "libvirt")]
    pub(super) fn until_ended_alone(&self) -> impl Future<Output = ()> + Send + use<> {
        self.ended.clone().cancelled_owned()
    }

    /// Why it ended.
    pub(super) fn end(&self) -> Trouble {
        let why = self.notes.lock().end.clone().unwrap_or_else(|| "the server closed it".into());
        Trouble::new(
            TroubleKind::ConnectionLost,
            format!("connection to {} lost: {why}", self.name),
            "vakt reconnects by itself; check the node and the network if it does not come back",
        )
    }

    /// Ends the session for a reason of ours.
    pub(super) fn close(&self, why: &str) {
        self.notes.lock().end.get_or_insert_with(|| why.to_owned());
        self.cut.cancel();
    }

    /// Says goodbye and ends the session.
    pub(super) async fn leave(&self, limit: Duration) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        // On a dead network nobody hears it.
        if timeout(limit, goodbye).await.is_ok() {
            let _ = timeout(limit, self.until_ended()).await;
        }
        self.close("vakt closed it");
    }

    /// Answers one request within its deadline.
    pub(super) async fn call(&self, request: &Request) -> Result<Reply, Trouble> {
        let sent = AtomicBool::new(false);
        self.within_deadline(request, &sent, self.perform(request, &sent)).await
    }

    /// Answers requests that belong together. Statements for one database, and commands for one HAProxy, leave together and
    /// have the deadline of the first; all others one after the other.
    pub(super) async fn call_all(&self, requests: &[Request]) -> Result<Vec<Reply>, Trouble> {
        if let [first, _, ..] = requests
            && is_series(requests)
        {
            let sent = AtomicBool::new(false);
            return self.within_deadline(first, &sent, self.perform_all(requests, &sent)).await;
        }
        let mut replies = Vec::with_capacity(requests.len());
        for request in requests {
            replies.push(self.call(request).await?);
        }
        Ok(replies)
    }

    async fn within_deadline<T>(
        &self,
        request: &Request,
        sent: &AtomicBool,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        match timeout(Duration::from_millis(request.deadline_ms), work).await {
            Ok(result) => {
                if result.is_ok() {
                    self.missed.store(0, Ordering::Relaxed);
                }
                result
            }
            Err(_) => Err(self.deadline_missed(request, sent.load(Ordering::Relaxed))),
        }
    }

    /// What [`is_series`] says may leave together, or one.
    async fn perform_all(&self, requests: &[Request], sent: &AtomicBool) -> Result<Vec<Reply>, Trouble> {
        match requests.first().map(|first| (&first.call, first.deadline_ms)) {
            Some((Call::Haproxy { socket, .. }, deadline_ms)) => {
                let commands: Vec<(&str, usize)> = requests
                    .iter()
                    .filter_map(|request| match &request.call {
                        Call::Haproxy { command, .. } => Some((command.as_str(), request.cap_bytes)),
                        _ => None,
                    })
                    .collect();
                self.haproxy.ask(self, socket, &commands, Duration::from_millis(deadline_ms), sent).await
            }
            _ => self.databases.ask(self, requests, sent).await,
        }
    }

    /// `sent` becomes true when the request is on its way: waiting for a turn says nothing about the node.
    async fn perform(&self, request: &Request, sent: &AtomicBool) -> Result<Reply, Trouble> {
        let cap = request.cap_bytes;
        match &request.call {
            Call::Shell { script } => self.shell(script, Place::Apart, cap, sent).await,
            Call::ShellWithin { script, perl } => self.look(script, perl, cap, sent).await,
            Call::Exec { argv } => {
                let words: Vec<_> = argv.iter().map(|word| shell_word(word)).collect();
                self.exec(&words.join(" "), cap, sent).await
            }
            Call::Tcp { hosts, port, send, end } => {
                let limit = Duration::from_millis(request.deadline_ms);
                self.tcp(Exchange { hosts, port: *port, send, end }, cap, limit, sent).await
            }
            Call::Haproxy { .. } | Call::Sql { .. } => {
                let replies = self.perform_all(std::slice::from_ref(request), sent).await?;
                let none = || Trouble::new(TroubleKind::Internal, "no answer", "report this as a bug of vakt");
                replies.into_iter().next().ok_or_else(none)
            }
            Call::Ovsdb { socket, hold_ms } => {
                self.ovsdb.ask(self, socket, Duration::from_millis(*hold_ms), cap, sent).await
            }
            Call::OvsDaemon { folder, talk } => {
                let limit = Duration::from_millis(request.deadline_ms);
                self.ovs_daemon.ask(self, folder, *talk, limit, sent).await
            }
            Call::Countdown { countdown, task } => {
                let words: Vec<_> = countdown.argv(*task).iter().map(|word| shell_word(word).into_owned()).collect();
                self.exec(&words.join(" "), cap, sent).await
            }
            // The fleet that looks refuses every write before it comes here.
            Call::SqlWrite { .. } | Call::LibvirtWrite { .. } | Call::FileEdit { .. } => Err(Trouble::new(
                TroubleKind::Internal,
                "what changes something is no question",
                "report this as a bug of vakt",
            )),
            // It is no matter of a node: whoever carries out a run starts it (`transport::hook`).
            Call::Hook { .. } => Err(Trouble::new(
                TroubleKind::Internal,
                "only a run asks the command that leads writes",
                "report this as a bug of vakt",
            )),
            Call::Libvirt { socket, question } => {
                let limit = Duration::from_millis(request.deadline_ms);
                self.libvirt.ask(self, socket, *question, cap, limit, sent).await
            }
        }
    }

    /// Sends one write, once, within its deadline. What is certain of its outcome is said; the world tells the rest.
    pub(super) async fn send(&self, request: &Request) -> Sent {
        let limit = Duration::from_millis(request.deadline_ms);
        let left = AtomicBool::new(false);
        let outcome = match &request.call {
            Call::Haproxy { socket, command } => {
                timeout(limit, self.haproxy.send(self, socket, command, request.cap_bytes, limit, &left)).await
            }
            // Once its channel has its turn it may run, whatever is heard of it afterwards.
            Call::Exec { .. } | Call::Countdown { .. } => timeout(limit, self.perform(request, &left)).await,
            Call::FileEdit { edit, way } => {
                let argv = edit.argv(*way);
                let words: Vec<_> = argv.iter().map(|word| shell_word(word)).collect();
                timeout(limit, self.exec(&words.join(" "), request.cap_bytes, &left)).await
            }
            Call::SqlWrite { .. } => timeout(limit, self.databases.writing.send(self, request, limit, &left)).await,
            Call::LibvirtWrite { socket, guest, operation } => {
                timeout(limit, libvirt_writing::send(self, socket, guest, operation, &left)).await
            }
            _ => return Sent::NotSent(Clean::line(&format!("this transport has no way to send it: {request}"))),
        };
        let why = match outcome {
            Ok(Ok(reply)) => return Sent::Replied(reply),
            Ok(Err(trouble)) => trouble.cause,
            Err(_) => Clean::line(&format!("{} gave no answer within {} ms", self.name, request.deadline_ms)),
        };
        if left.load(Ordering::Relaxed) { Sent::Lost(why) } else { Sent::NotSent(why) }
    }

    /// Opens what `request` would have to open first, so that it does not wait for it later. Nothing is written.
    pub(super) async fn stand_ready(&self, request: &Request) -> Result<(), Trouble> {
        let limit = Duration::from_millis(request.deadline_ms);
        match &request.call {
            Call::Haproxy { socket, .. } => {
                let opened = timeout(limit, self.haproxy.stand_ready(self, socket, limit)).await;
                opened.unwrap_or_else(|_| Err(self.deadline_missed(request, false)))
            }
            _ => Ok(()),
        }
    }

    fn deadline_missed(&self, request: &Request, sent: bool) -> Trouble {
        if !sent {
            return Trouble::new(
                TroubleKind::DeadlineMissed,
                format!("{} was busy with other requests for {} ms", self.name, request.deadline_ms),
                "look at the node's load; the request will be repeated",
            );
        }
        let missed = self.missed.fetch_add(1, Ordering::Relaxed) + 1;
        if missed >= self.missed_max.max(1) {
            self.close(&format!("{missed} answers in a row missed their deadline"));
        }
        // The scripts of probes are long and say nothing to an operator.
        let asked = match &request.call {
            Call::Shell { .. } | Call::ShellWithin { .. } => String::new(),
            Call::Exec { argv } => format!(" to {}", argv.first().map_or("a program", String::as_str)),
            Call::Haproxy { command, .. } => format!(" to HAProxy's {command}"),
            Call::Ovsdb { .. } => " of the switch's database".to_owned(),
            Call::OvsDaemon { .. } => " of the switch's daemon".to_owned(),
            Call::FileEdit { edit, .. } => format!(" to the change of {}", edit.path),
            Call::Countdown { countdown, .. } => format!(" to the change of {}", countdown.row),
            Call::Tcp { port, .. } => format!(" on port {port}"),
            Call::Sql { statement, .. } => format!(" to the database's {}", statement.words()),
            Call::SqlWrite { .. } => " to statements for the database".to_owned(),
            Call::Hook { .. } => " of the command".to_owned(),
            Call::Libvirt { .. } | Call::LibvirtWrite { .. } => " of libvirt".to_owned(),
        };
        Trouble::new(
            TroubleKind::DeadlineMissed,
            format!("{} gave no answer{asked} within {} ms", self.name, request.deadline_ms),
            "look at the node's load and network; the request will be repeated",
        )
    }

    /// Opens a channel. Whoever stops waiting leaves nothing open: a channel that comes too late is closed at once.
    /// `sent` becomes true when it is this channel's turn.
    pub(super) async fn open(
        &self,
        target: Target,
        unread_max: usize,
        sent: &AtomicBool,
    ) -> Result<Drained, OpenFault> {
        let permits = if target.is_program() { &self.programs } else { &self.forwards };
        let permit = Arc::clone(permits).acquire_owned().await.map_err(|_| OpenFault::Lost)?;
        sent.store(true, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let (handle, tasks) = (Arc::clone(&self.handle), self.tasks.clone());
        self.tasks.spawn(async move {
            let result = match open_patiently(&handle, &target).await {
                Ok(channel) => Ok(Drained::new(channel, unread_max, Some(permit), &tasks)),
                Err(russh::Error::ChannelOpenFailure(reason)) => Err(OpenFault::Refused(format!("{reason:?}"))),
                Err(_) => Err(OpenFault::Lost),
            };
            // A value that nobody takes is dropped, and the channel closes with it.
            let _ = sender.send(result);
        });
        tokio::select! {
            opened = receiver => opened.unwrap_or(Err(OpenFault::Lost)),
            () = self.ended.cancelled() => Err(OpenFault::Lost),
        }
    }

    /// A connection through this node.
    pub(super) async fn passage(&self, host: &str, port: u16) -> Result<Drained, OpenFault> {
        self.open(Target::Tcp(host.to_owned(), port), PASSAGE_BYTES_MAX, &AtomicBool::default()).await
    }

    /// One process in a channel of its own.
    pub(super) async fn exec(&self, command: &str, cap: usize, sent: &AtomicBool) -> Result<Reply, Trouble> {
        let unread_max = cap.saturating_add(64 * 1024).max(UNREAD_BYTES_MAX);
        let started = Instant::now();
        let opened = self.open(Target::Run(command.to_owned()), unread_max, sent).await;
        let channel = opened.map_err(|fault| self.open_trouble(&fault))?;
        let mut bytes = Vec::new();
        let mut limited = channel.take(cap as u64 + 1);
        let read = limited.read_to_end(&mut bytes).await;
        if bytes.len() > cap || read.is_err() {
            return Err(self.too_long(cap, command));
        }
        let channel = limited.into_inner();
        let exit = channel.exit().await;
        if exit.is_none() && self.ended.is_cancelled() {
            return Err(self.end());
        }
        Ok(Reply { bytes, stderr: channel.stderr(), exit, elapsed_us: micros(started) })
    }

    pub(super) fn too_long(&self, cap: usize, what: &str) -> Trouble {
        Trouble::new(
            TroubleKind::AnswerTooLong,
            format!("the answer of {} is longer than {cap} bytes: {what}", self.name),
            "look at the command's output on the node; more than this is not read",
        )
    }

    pub(super) fn open_trouble(&self, fault: &OpenFault) -> Trouble {
        match fault {
            OpenFault::Lost => self.end(),
            OpenFault::Refused(why) => Trouble::new(
                TroubleKind::ProtocolMismatch,
                format!("{} refused another session channel ({why})", self.name),
                "raise MaxSessions in its sshd_config to 10 or more, or close other sessions of this connection",
            ),
        }
    }

    /// Remembers how a socket is reached, or why not, and tells it when it is news.
    pub(super) async fn tell_route(&self, path: &str, way: &Result<Way, Trouble>) {
        if self.routes.remember(path, way) {
            self.operator.tell(LinkEvent::Route(Route { path: path.into(), way: way.clone() })).await;
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.ended.is_cancelled()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    #[cfg(feature = "libvirt")]
    pub(super) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    #[cfg(feature = "libvirt")]
    pub(super) fn operator(&self) -> &Arc<Operator> {
        &self.operator
    }
}

/// Opens a channel, and tries again when the server is just clearing away the one before: OpenSSH frees a session's
/// place a moment after the session's channel is closed.
async fn open_patiently(handle: &Handle<Gate>, target: &Target) -> Result<Channel<Msg>, russh::Error> {
    for pause in OPEN_PAUSES {
        match open_once(handle, target).await {
            Err(russh::Error::ChannelOpenFailure(_)) if target.is_program() => sleep(pause).await,
            opened => return opened,
        }
    }
    open_once(handle, target).await
}

async fn open_once(handle: &Handle<Gate>, target: &Target) -> Result<Channel<Msg>, russh::Error> {
    match target {
        Target::Talk(command) | Target::Run(command) => {
            let channel = handle.channel_open_session().await?;
            channel.exec(true, command.as_bytes()).await?;
            if matches!(target, Target::Run(_)) {
                channel.eof().await?;
            }
            Ok(channel)
        }
        Target::Socket(path) => handle.channel_open_direct_streamlocal(path.as_str()).await,
        Target::Tcp(host, port) => {
            handle.channel_open_direct_tcpip(host.as_str(), u32::from(*port), "127.0.0.1", 0).await
        }
    }
}

pub(super) fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}
/// Whether these are statements for one login of one database, or commands for one socket of HAProxy.
fn is_series(requests: &[Request]) -> bool {
    requests.windows(2).all(|pair| match (&pair[0].call, &pair[1].call) {
        (Call::Haproxy { socket, .. }, Call::Haproxy { socket: next, .. }) => socket == next,
        (Call::Sql { socket, login, .. }, Call::Sql { socket: next, login: next_login, .. }) => {
            (socket, login) == (next, next_login)
        }
        _ => false,
    })
}
