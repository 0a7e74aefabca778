//! An SSH server in this process: runs commands with the local `sh`, forwards to local sockets and to other servers
//! of its network, and misbehaves on request.

use futures::future::BoxFuture;
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelOpenFailure, MethodKind, MethodSet,
    keys::{Certificate, PrivateKey, PublicKey},
    server::{
        Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey, run_stream,
    },
};
use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    future::Future,
    io,
    pin::Pin,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, copy, copy_bidirectional, duplex},
    net::{TcpStream, UnixStream},
    process::Command,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use vakt::{
    model::trouble::{Trouble, TroubleKind},
    transport::ssh::{BoxStream, Connector, Dialled},
};

/// Servers by host name.
#[derive(Clone, Default)]
pub(super) struct Network(Arc<Mutex<HashMap<String, Server>>>);

impl Network {
    pub(super) fn add(&self, host: &str, server: Server) {
        self.0.lock().unwrap().insert(host.to_owned(), server);
    }

    fn open(&self, host: &str) -> Option<BoxStream> {
        let server = self.0.lock().unwrap().get(host).cloned()?;
        server.open()
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}

impl Connector for Network {
    fn dial<'a>(&'a self, host: &'a str, port: u16, _limit: Duration) -> BoxFuture<'a, Result<Dialled, Trouble>> {
        let refused =
            move || Trouble::new(TroubleKind::Refused, format!("connection to {host} port {port} refused"), "-");
        Box::pin(async move {
            let stream = self.open(host).ok_or_else(refused)?;
            Ok(Dialled { stream, address: None })
        })
    }
}

/// What the server does.
pub(super) struct Rules {
    pub(super) accepted_keys: Vec<PublicKey>,
    /// Authorities whose user certificates are accepted.
    pub(super) accepted_authorities: Vec<PublicKey>,
    pub(super) password: Option<String>,
    /// Prompts of keyboard-interactive and the right answers.
    pub(super) interactive: Vec<(String, String)>,
    pub(super) forwards_sockets: bool,
    pub(super) sessions_max: usize,
    /// New connections are refused.
    pub(super) dead: bool,
    pub(super) certificates: Vec<Certificate>,
    /// Told before the login.
    pub(super) banner: Option<String>,
    /// What a command is put into, to stand for another login: `%` is the command.
    pub(super) wrapper: Option<String>,
}

#[derive(Clone)]
pub(super) struct Server(Arc<Inner>);

struct Inner {
    host_key: Mutex<PrivateKey>,
    rules: Mutex<Rules>,
    network: Network,
    connections: AtomicUsize,
    logins: AtomicUsize,
    closed_first: AtomicUsize,
    live: Mutex<Vec<Line>>,
}

/// One connection, as the test holds it.
#[derive(Clone, Default)]
struct Line {
    cut: CancellationToken,
    frozen: CancellationToken,
}

impl Server {
    pub(super) fn new(network: &Network) -> Self {
        let rules = Rules {
            accepted_keys: Vec::new(),
            accepted_authorities: Vec::new(),
            password: None,
            interactive: Vec::new(),
            forwards_sockets: true,
            sessions_max: 10,
            dead: false,
            certificates: Vec::new(),
            banner: None,
            wrapper: None,
        };
        Self(Arc::new(Inner {
            host_key: Mutex::new(super::bed::new_key()),
            rules: Mutex::new(rules),
            network: network.clone(),
            connections: AtomicUsize::new(0),
            logins: AtomicUsize::new(0),
            closed_first: AtomicUsize::new(0),
            live: Mutex::default(),
        }))
    }

    pub(super) fn host_key(&self) -> PublicKey {
        self.0.host_key.lock().unwrap().public_key().clone()
    }

    pub(super) fn set_host_key(&self, key: PrivateKey) {
        *self.0.host_key.lock().unwrap() = key;
    }

    pub(super) fn rules(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.0.rules.lock().unwrap());
    }

    /// Channels that the client closed before the server did: the client's library remembers each of them.
    pub(super) fn closed_first(&self) -> usize {
        self.0.closed_first.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.0.connections.load(Ordering::SeqCst)
    }

    /// Login requests so far, of any method.
    pub(super) fn logins(&self) -> usize {
        self.0.logins.load(Ordering::SeqCst)
    }

    /// Ends every connection.
    pub(super) fn hang_up(&self) {
        for line in self.0.live.lock().unwrap().drain(..) {
            line.cut.cancel();
        }
    }

    /// From now on every present connection is silent, as after a pulled cable.
    pub(super) fn freeze(&self) {
        for line in self.0.live.lock().unwrap().iter() {
            line.frozen.cancel();
        }
    }

    /// A new connection to this server.
    pub(super) fn open(&self) -> Option<BoxStream> {
        if self.0.rules.lock().unwrap().dead {
            return None;
        }
        let (ours, theirs) = duplex(256 * 1024);
        self.serve(theirs);
        Some(Box::new(ours))
    }

    /// Serves one stream.
    pub(super) fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        self.0.connections.fetch_add(1, Ordering::SeqCst);
        let line = Line::default();
        self.0.live.lock().unwrap().push(line.clone());
        let (server, config) = (self.clone(), Arc::new(self.config()));
        let stream = Unreliable {
            inner: Box::new(stream),
            cut: Box::pin(line.cut.clone().cancelled_owned()),
            line: line.clone(),
        };
        tokio::spawn(async move {
            let run = async {
                if let Ok(session) = run_stream(
                    config,
                    stream,
                    Connection { server, waiting: HashMap::new(), places: None, answered: 0 },
                )
                .await
                {
                    let _ = session.await;
                }
            };
            tokio::select! {
                () = run => {}
                () = line.cut.cancelled() => {}
            }
        });
    }

    fn config(&self) -> Config {
        let rules = self.0.rules.lock().unwrap();
        let mut methods = vec![MethodKind::PublicKey];
        methods.extend(rules.password.as_ref().map(|_| MethodKind::Password));
        if !rules.interactive.is_empty() {
            methods.push(MethodKind::KeyboardInteractive);
        }
        Config {
            methods: MethodSet::from(methods.as_slice()),
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![self.0.host_key.lock().unwrap().clone()],
            certificates: rules.certificates.clone(),
            ..Config::default()
        }
    }

    fn accepts(&self, key: &PublicKey) -> Auth {
        self.0.logins.fetch_add(1, Ordering::SeqCst);
        let accepted =
            self.0.rules.lock().unwrap().accepted_keys.iter().any(|known| known.key_data() == key.key_data());
        if accepted { Auth::Accept } else { Auth::reject() }
    }
}

/// A stream that can be cut or silenced from outside.
struct Unreliable {
    inner: BoxStream,
    line: Line,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Unreliable {
    fn check(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.line.cut.is_cancelled() || self.cut.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        // No waker: a silent line stays silent.
        if self.line.frozen.is_cancelled() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }
}

impl AsyncRead for Unreliable {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.check(cx))?;
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Unreliable {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.check(cx))?;
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.check(cx))?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// One connection, as the server sees it.
struct Connection {
    server: Server,
    /// Session channels that have not been told what to run.
    waiting: HashMap<ChannelId, (Channel<Msg>, OwnedSemaphorePermit)>,
    /// As many as `MaxSessions`.
    places: Option<Arc<Semaphore>>,
    answered: usize,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        self.server.0.logins.fetch_add(1, Ordering::SeqCst);
        Ok(Auth::reject())
    }

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        // An offer does not tell a certificate from the key in it: whoever trusts authorities waits for the proof.
        if !self.server.0.rules.lock().unwrap().accepted_authorities.is_empty() {
            return Ok(Auth::Accept);
        }
        Ok(self.server.accepts(offer.public_key))
    }

    async fn auth_publickey(&mut self, _user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.server.accepts(key.public_key))
    }

    async fn auth_openssh_certificate(&mut self, _user: &str, shown: &Certificate) -> Result<Auth, Self::Error> {
        let rules = self.server.0.rules.lock().unwrap();
        let known = rules.accepted_authorities.iter().any(|ca| ca.key_data() == shown.signature_key());
        Ok(if known { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        let right = self.server.0.rules.lock().unwrap().password.as_deref() == Some(password);
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let interactive = self.server.0.rules.lock().unwrap().interactive.clone();
        if let Some(mut response) = response {
            let said = response.next().unwrap_or_default();
            if interactive.get(self.answered).is_none_or(|(_, right)| right.as_bytes() != &said[..]) {
                return Ok(Auth::reject());
            }
            self.answered += 1;
        }
        Ok(match interactive.get(self.answered) {
            None => Auth::Accept,
            Some((prompt, _)) => Auth::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Owned(vec![(Cow::Owned(prompt.clone()), false)]),
            },
        })
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.server.0.rules.lock().unwrap().banner.clone())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let place = self
            .places
            .get_or_insert_with(|| Arc::new(Semaphore::new(self.server.0.rules.lock().unwrap().sessions_max)));
        let Ok(place) = Arc::clone(place).try_acquire_owned() else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        self.waiting.insert(channel.id(), (channel, place));
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let Some((channel, place)) = self.waiting.remove(&id) else { return session.channel_failure(id) };
        session.channel_success(id)?;
        let command = String::from_utf8_lossy(command).into_owned();
        let wrapper = self.server.0.rules.lock().unwrap().wrapper.clone();
        let command = wrapper.map_or(command.clone(), |wrapper| wrapper.replace('%', &command));
        tokio::spawn(async move {
            run(channel, command).await;
            drop(place);
        });
        Ok(())
    }

    async fn channel_close(&mut self, _id: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.server.0.closed_first.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let allowed = self.server.0.rules.lock().unwrap().forwards_sockets;
        let socket = if allowed { UnixStream::connect(path).await.ok() } else { None };
        relay(channel, reply, socket).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if host == "127.0.0.1" {
            let port = u16::try_from(port).unwrap();
            relay(channel, reply, TcpStream::connect((host, port)).await.ok()).await;
        } else {
            relay(channel, reply, self.server.0.network.open(host)).await;
        }
        Ok(())
    }
}

/// OpenSSH says "connect failed" for everything that goes wrong with a forwarding.
async fn relay(
    channel: Channel<Msg>,
    reply: ChannelOpenHandle,
    other: Option<impl AsyncRead + AsyncWrite + Unpin + Send + 'static>,
) {
    let Some(mut other) = other else { return reply.reject(ChannelOpenFailure::ConnectFailed).await };
    reply.accept().await;
    tokio::spawn(async move {
        let _ = copy_bidirectional(&mut channel.into_stream(), &mut other).await;
    });
}

/// Runs a command as sshd does; its end closes the channel, and the channel's end kills it.
async fn run(channel: Channel<Msg>, command: String) {
    let mut child = Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let (mut read, write) = channel.split();
    let mut stdin = child.stdin.take();
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (mut out, mut err) = (write.make_writer(), write.make_writer_ext(Some(1)));
    let input = async {
        while let Some(message) = read.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if let Some(pipe) = &mut stdin {
                        let _ = pipe.write_all(&data).await;
                    }
                }
                ChannelMsg::Eof => stdin = None,
                ChannelMsg::Close => break,
                _ => {}
            }
        }
    };
    let output = async {
        let _ = tokio::join!(copy(&mut stdout, &mut out), copy(&mut stderr, &mut err));
        child.wait().await
    };
    tokio::select! {
        () = input => {}
        status = output => {
            let status = status.ok().and_then(|status| status.code()).and_then(|code| u32::try_from(code).ok());
            let _ = write.exit_status(status.unwrap_or(255)).await;
            let _ = write.eof().await;
            let _ = write.close().await;
        }
    }
}
