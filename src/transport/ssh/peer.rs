//! One machine we keep a connection to: a node, or a jump host. Its actor connects, watches, and connects again.

use super::{
    attempt::{self, Setback, UnknownKey},
    backoff::Backoff,
    gate,
    haproxy::IDLE_MAX,
    known_hosts_file,
    operator::Operator,
    registry::{Shared, closed},
    route::Routes,
    session::Session,
    settings::Destination,
};
use crate::{
    model::{
        link::{Ask, LinkEvent, LinkSetting, LinkState},
        time::{Now, Wall},
        trouble::{Trouble, TroubleKind},
    },
    transport::Answer,
};
use russh::{Preferred, SshId, client::Config};
use std::{
    borrow::Cow,
    future::pending,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// How often unused conversations are looked for.
const IDLE_CHECK: Duration = Duration::from_secs(30);
/// Time for a goodbye.
const GOODBYE_WAIT: Duration = Duration::from_millis(500);
/// Machines one behind the other.
const HOPS_IN_A_ROW_MAX: usize = 8;

/// One machine.
#[derive(Debug)]
pub(super) struct Peer {
    destination: Destination,
    shared: Arc<Shared>,
    operator: Arc<Operator>,
    routes: Arc<Routes>,
    session: Mutex<Option<Arc<Session>>>,
    /// The machine it is reached through, as of the last attempt.
    via: Mutex<Weak<Peer>>,
    /// The operator wants an attempt now.
    now: Notify,
    /// Handshakes that go through this machine.
    handshakes: Arc<Semaphore>,
}

/// How it goes on after a setback.
enum Next {
    AtOnce,
    Wait(Trouble),
    /// Not before the operator says so.
    Stop(Trouble),
}

impl Peer {
    pub(super) fn new(destination: Destination, shared: &Arc<Shared>, operator: Operator) -> Self {
        let permits = shared.inventory.settings.ssh.handshakes_per_jump_max.max(1) as usize;
        Self {
            destination,
            shared: Arc::clone(shared),
            operator: Arc::new(operator),
            routes: Arc::default(),
            session: Mutex::default(),
            via: Mutex::default(),
            now: Notify::new(),
            handshakes: Arc::new(Semaphore::new(permits)),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.destination.name
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn operator(&self) -> &Arc<Operator> {
        &self.operator
    }

    pub(super) fn routes(&self) -> &Arc<Routes> {
        &self.routes
    }

    /// The session, while there is one.
    pub(super) fn session(&self) -> Option<Arc<Session>> {
        lock(&self.session).clone()
    }

    /// One handshake more through this machine.
    pub(super) async fn handshake_permit(&self) -> Result<OwnedSemaphorePermit, Trouble> {
        Arc::clone(&self.handshakes).acquire_owned().await.map_err(|_| closed())
    }

    /// The machine this one is reached through.
    pub(super) fn hop(self: &Arc<Self>, nearest: &str, before: &[String]) -> Result<Arc<Self>, Trouble> {
        let hop = self.shared.hop(nearest, before, self.operator.node())?;
        *lock(&self.via) = Arc::downgrade(&hop);
        let mut next = Some(Arc::clone(&hop));
        for _ in 0..HOPS_IN_A_ROW_MAX {
            match next {
                None => return Ok(hop),
                Some(peer) if Arc::ptr_eq(&peer, self) => break,
                Some(peer) => next = lock(&peer.via).upgrade(),
            }
        }
        *lock(&self.via) = Weak::new();
        Err(Trouble::new(
            TroubleKind::SettingsUnusable,
            format!("the way to {} through {nearest} comes back to itself, or is too long", self.name()),
            "correct jump in the configuration, or ProxyJump in ssh_config (exclude the jump host: Host * !NAME)",
        ))
    }

    /// An attempt now, if it is down; and of the machines that lead to it, which have no other way to be asked for.
    pub(super) fn reconnect(self: &Arc<Self>) {
        self.shared.keyring.forget_refusals();
        let mut next = Some(Arc::clone(self));
        for _ in 0..HOPS_IN_A_ROW_MAX {
            let Some(peer) = next else { break };
            if matches!(peer.operator.state(), LinkState::Down { .. }) {
                peer.now.notify_one();
            }
            next = lock(&peer.via).upgrade();
        }
    }

    /// Ends when the machine it is reached through has come up; never, if there is none.
    async fn until_hop_is_up(&self) {
        let hop = lock(&self.via).upgrade();
        let Some(hop) = hop else { return pending().await };
        let mut states = hop.operator.states();
        states.mark_unchanged();
        while states.changed().await.is_ok() {
            if *states.borrow_and_update() == LinkState::Up {
                return;
            }
        }
        pending::<()>().await;
    }

    /// Keeps the connection until everything ends.
    pub(super) async fn run(self: Arc<Self>) {
        let stop = self.shared.stop.clone();
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.keep_connected() => {}
        }
        let session = lock(&self.session).take();
        if let Some(session) = session {
            session.leave(GOODBYE_WAIT).await;
        }
    }

    async fn keep_connected(self: &Arc<Self>) {
        let ssh = &self.shared.inventory.settings.ssh;
        let mut backoff = Backoff::new(ssh.backoff_min_ms, ssh.backoff_max_ms);
        let steady = Duration::from_millis(ssh.backoff_max_ms);
        loop {
            let started = Instant::now();
            // Cancelled when the attempt is given up at any point, so that no half-made connection stays.
            let cut = CancellationToken::new();
            let given_up = cut.clone().drop_guard();
            let next = match attempt::connect(self, cut).await {
                Ok((session, listed)) => {
                    given_up.disarm();
                    let trouble = self.watch(&session, listed).await;
                    if started.elapsed() > steady {
                        backoff.reset();
                    }
                    self.down(trouble, Some(backoff.wait(Duration::ZERO))).await;
                    continue;
                }
                Err(setback) => {
                    drop(given_up);
                    self.overcome(setback).await
                }
            };
            match next {
                Next::AtOnce => {}
                Next::Wait(trouble) => self.down(trouble, Some(backoff.wait(started.elapsed()))).await,
                Next::Stop(trouble) => self.down(trouble, None).await,
            }
        }
    }

    /// Up, until it is not: says why.
    async fn watch(&self, session: &Arc<Session>, listed: Vec<LinkSetting>) -> Trouble {
        *lock(&self.session) = Some(Arc::clone(session));
        self.operator.tell(LinkEvent::Settings(listed)).await;
        self.operator.become_(LinkState::Up).await;
        loop {
            tokio::select! {
                () = session.until_ended() => break,
                () = sleep(IDLE_CHECK) => {
                    session.haproxy.release_idle(IDLE_MAX);
                    session.ovsdb.release_idle();
                    session.databases.release_idle(IDLE_MAX);
                }
            }
        }
        *lock(&self.session) = None;
        session.end()
    }

    /// Down, until it is time to try again.
    async fn down(&self, trouble: Trouble, wait: Option<Duration>) {
        let retry = wait.map(|wait| later(self.shared.clock.now(), wait));
        self.operator.become_(LinkState::Down { trouble, retry }).await;
        let asked_for = if let Some(wait) = wait {
            tokio::select! {
                () = sleep(wait) => false,
                () = self.until_hop_is_up() => false,
                () = self.now.notified() => true,
            }
        } else {
            self.now.notified().await;
            true
        };
        if asked_for {
            self.operator.become_(LinkState::Connecting { stage: "resolving".into() }).await;
        }
    }

    /// What a setback calls for.
    async fn overcome(&self, setback: Setback) -> Next {
        // These questions belong to no connection: none is held open while the operator thinks.
        self.operator.begin(CancellationToken::new(), Vec::new());
        match setback {
            Setback::Retry(trouble) => Next::Wait(trouble),
            Setback::Hopeless(trouble) => Next::Stop(trouble),
            Setback::Passphrase(file) => {
                self.unlock(&file).await;
                Next::AtOnce
            }
            Setback::UnknownKey(unknown) => self.introduce(unknown).await,
        }
    }

    async fn unlock(&self, file: &Path) {
        self.operator.stage(&format!("waiting for the passphrase of {}", file.display())).await;
        let ask = |ask| async { self.operator.ask(ask).await.unwrap_or(Answer::Refuse) };
        self.shared.keyring.unlock(file, ask).await;
    }

    /// Asks whether an unknown host key is to be trusted, and remembers a yes. The next attempt reads it from the
    /// file, and refuses any other key.
    async fn introduce(&self, unknown: UnknownKey) -> Next {
        let UnknownKey { key, host, file, hash_name } = unknown;
        let ask = Ask::UnknownHostKey {
            host: host.as_str().into(),
            algorithm: key.algorithm().as_str().into(),
            fingerprint: super::known_hosts::fingerprint(&key).as_str().into(),
            file: file.to_string_lossy().as_ref().into(),
        };
        if !matches!(self.operator.ask(ask).await, Some(Answer::Accept)) {
            return Next::Stop(attempt::unknown(self.name(), &host, &gate::key_words(&key)));
        }
        let learn = move || known_hosts_file::learn(&file, &host, &key, hash_name);
        match tokio::task::spawn_blocking(learn).await {
            Ok(Ok(())) => Next::AtOnce,
            Ok(Err(trouble)) => Next::Stop(trouble),
            Err(_) => Next::Wait(Trouble::new(
                TroubleKind::Internal,
                "writing known_hosts failed",
                "report this as a bug of vakt",
            )),
        }
    }

    /// The library's settings for this connection.
    pub(super) fn config(&self, preferred: Preferred) -> Config {
        let ssh = &self.shared.inventory.settings.ssh;
        Config {
            client_id: SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-vakt_", env!("CARGO_PKG_VERSION")))),
            keepalive_interval: Some(Duration::from_millis(ssh.keepalive_interval_ms.max(1))),
            keepalive_max: ssh.keepalive_misses_max.max(1) as usize,
            preferred,
            nodelay: true,
            ..Config::default()
        }
    }
}

fn later(now: Now, wait: Duration) -> Now {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let wall = now.wall.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX));
    Now { mono: now.mono.plus_ms(ms), wall: Wall(wall) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
