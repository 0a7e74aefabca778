//! One attempt to connect: settings, jump host, TCP, key exchange and host key, login, first command.

use super::{
    authentication::{Login, Obstacle},
    connector::Dialled,
    gate::{self, Gate, Notes},
    known_hosts::{self, KnownHosts, Verdict},
    known_hosts_file,
    peer::Peer,
    proxy_command,
    session::{OpenFault, Parts, Session},
    settings::{self, Resolved},
    stream::{BoxStream, Severable},
};
use crate::model::{
    link::{LinkSetting, LinkState},
    trouble::{Trouble, TroubleKind},
};
use russh::{
    Preferred,
    client::{Handle, connect_stream},
    keys::ssh_key::public::KeyData,
};
use std::{borrow::Cow, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};
use tokio_util::sync::CancellationToken;

/// TCP gets no more than this of the time for connecting: the kernel repeats a lost SYN after 1, 3 and 7 s, so a new
/// attempt notices a node that has come back sooner than waiting on.
const TCP_WAIT_MAX: Duration = Duration::from_secs(4);

/// Why an attempt did not end in a session.
#[derive(Debug)]
pub(super) enum Setback {
    /// It may go better next time.
    Retry(Trouble),
    /// Only the operator can change it.
    Hopeless(Trouble),
    /// The host key is unknown; the operator may accept it.
    UnknownKey(UnknownKey),
    /// A passphrase is needed.
    Passphrase(PathBuf),
}

/// An unknown host key.
#[derive(Debug)]
pub(super) struct UnknownKey {
    pub(super) key: KeyData,
    /// As known_hosts writes the host.
    pub(super) host: String,
    /// Where it would be remembered.
    pub(super) file: PathBuf,
    pub(super) hash_name: bool,
}

/// A session, and what is worth showing about it.
pub(super) type Connected = (Arc<Session>, Vec<LinkSetting>);

/// Tries once. Cancelling `cut` ends the attempt's connection, and later the session's.
pub(super) async fn connect(peer: &Arc<Peer>, cut: CancellationToken) -> Result<Connected, Setback> {
    let shared = peer.shared();
    peer.operator().stage("resolving").await;
    let ssh = &shared.inventory.settings.ssh;
    let resolved =
        settings::resolve(peer.destination(), &ssh.config_file, &shared.local).await.map_err(Setback::Retry)?;
    let via = match resolved.jump.split_last() {
        Some((nearest, before)) => Some(peer.hop(nearest, before).map_err(Setback::Hopeless)?),
        None => None,
    };
    let passage = match &via {
        Some(hop) => Some((Arc::clone(hop), hop_session(peer, hop).await.map_err(Setback::Retry)?)),
        None => None,
    };
    let mut permits = Vec::new();
    if let Some((hop, _)) = &passage {
        permits.push(hop.handshake_permit().await.map_err(Setback::Retry)?);
    }
    permits.push(shared.handshake_permit().await.map_err(Setback::Retry)?);
    let result = handshake(peer, &resolved, passage.map(|(_, session)| session), permits, cut).await;
    peer.operator().release();
    result
}

/// The session of the jump host, waiting for it while it is being established.
async fn hop_session(peer: &Peer, hop: &Peer) -> Result<Arc<Session>, Trouble> {
    let name = hop.name();
    peer.operator().stage(&format!("waiting for jump host {name}")).await;
    let mut states = hop.operator().states();
    let limit = Duration::from_millis(peer.shared().inventory.settings.ssh.connect_timeout_ms);
    let up = async {
        loop {
            if let Some(session) = hop.session() {
                return Ok(session);
            }
            if let LinkState::Down { trouble, .. } = &*states.borrow_and_update() {
                return Err(jump_host_down(name, &trouble.cause.to_string()));
            }
            if states.changed().await.is_err() {
                return Err(jump_host_down(name, "it was closed"));
            }
        }
    };
    timeout(limit, up).await.unwrap_or_else(|_| Err(jump_host_down(name, "it is not connected yet")))
}

fn jump_host_down(name: &str, why: &str) -> Trouble {
    Trouble::new(
        TroubleKind::JumpHostDown,
        format!("jump host {name} is not up: {why}"),
        format!("look at {name} first; what is behind it follows by itself"),
    )
}

async fn handshake(
    peer: &Arc<Peer>,
    resolved: &Resolved,
    passage: Option<Arc<Session>>,
    permits: Vec<OwnedSemaphorePermit>,
    cut: CancellationToken,
) -> Result<Connected, Setback> {
    let shared = peer.shared();
    let step = Duration::from_millis(shared.inventory.settings.ssh.connect_timeout_ms);
    let ended = CancellationToken::new();
    peer.operator().begin(ended.clone(), permits);
    peer.operator().stage("connecting").await;
    let dialled = dial(peer, resolved, passage, step).await.map_err(Setback::Retry)?;
    let known = read_known_hosts(resolved).await.map_err(Setback::Retry)?;
    peer.operator().stage("checking host key").await;
    let notes = Notes::default();
    let now_s = u64::try_from(shared.clock.now().wall.0 / 1000).unwrap_or(0);
    let (host, port) = &resolved.known_as;
    let config = Arc::new(peer.config(preferred(&known, host, *port)));
    let gate = Gate::new(known, host, *port, now_s, notes.clone(), ended.clone().drop_guard());
    let stream = Severable::new(dialled.stream, cut.clone());
    let exchanged = timeout(step, connect_stream(config, stream, gate)).await;
    let mut handle = match exchanged {
        Ok(Ok(handle)) => handle,
        Ok(Err(error)) => return Err(judged(resolved, &notes, &error)),
        Err(_) => return Err(Setback::Retry(silent(resolved, step))),
    };
    peer.operator().stage("authenticating").await;
    let by = log_in(peer, resolved, &mut handle, step).await?;
    let listed = listed(resolved, dialled.address, &notes, &by);
    let session = Arc::new(Session::new(Parts {
        name: resolved.name.clone(),
        user: resolved.user.clone(),
        handle,
        notes,
        ended,
        cut,
        tasks: shared.tasks.clone(),
        routes: Arc::clone(peer.routes()),
        operator: Arc::clone(peer.operator()),
        missed_max: shared.inventory.settings.ssh.missed_deadlines_max,
    }));
    session.warm_up(step).await;
    if session.is_ended() {
        return Err(Setback::Retry(session.end()));
    }
    Ok((session, listed))
}

async fn log_in(
    peer: &Peer,
    resolved: &Resolved,
    handle: &mut Handle<Gate>,
    step: Duration,
) -> Result<String, Setback> {
    let (keyring, operator) = (&peer.shared().keyring, peer.operator());
    let login = Login { handle, resolved, keyring, operator, step, tried: Vec::new(), skipped: Vec::new() };
    login.run().await.map_err(|obstacle| match obstacle {
        Obstacle::Passphrase(file) => Setback::Passphrase(file),
        Obstacle::Trouble { trouble, hopeless: true } => Setback::Hopeless(trouble),
        Obstacle::Trouble { trouble, hopeless: false } => Setback::Retry(trouble),
    })
}

async fn dial(
    peer: &Peer,
    resolved: &Resolved,
    passage: Option<Arc<Session>>,
    step: Duration,
) -> Result<Dialled, Trouble> {
    let limit = step.min(TCP_WAIT_MAX);
    let Resolved { host, port, .. } = resolved;
    if let Some(hop) = passage {
        return match timeout(limit, hop.passage(host, *port)).await {
            Ok(Ok(stream)) => Ok(Dialled { stream: Box::new(stream) as BoxStream, address: None }),
            Ok(Err(OpenFault::Lost)) => Err(jump_host_down(hop.name(), "its connection ended")),
            Ok(Err(OpenFault::Refused(why))) => Err(Trouble::new(
                TroubleKind::Refused,
                format!("{} could not connect to {host} port {port} for us ({why})", hop.name()),
                format!("start sshd on {}, or allow TCP forwarding on {}", resolved.name, hop.name()),
            )),
            Err(_) => Err(Trouble::new(
                TroubleKind::TimedOut,
                format!("{host} port {port} did not answer {} within {} ms", hop.name(), limit.as_millis()),
                "check that the machine is running and that it can be reached from the jump host",
            )),
        };
    }
    if let Some(command) = &resolved.proxy_command {
        return proxy_command::dial(command);
    }
    peer.shared().connector.dial(host, *port, limit).await
}

async fn read_known_hosts(resolved: &Resolved) -> Result<KnownHosts, Trouble> {
    let files = known_hosts::files(&resolved.user_known_hosts, &resolved.global_known_hosts);
    let revoked = resolved.revoked_host_keys.clone();
    let work = move || known_hosts_file::read(&files, revoked.as_deref());
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        Err(Trouble::new(TroubleKind::Internal, "reading known_hosts failed", "report this as a bug of vakt"))
    })
}

/// Known key types first; certificates only where an authority is known.
fn preferred(known: &KnownHosts, host: &str, port: u16) -> Preferred {
    let certificates = if known.has_authority(host, port) { known_hosts::algorithms() } else { Vec::new() };
    Preferred {
        key: Cow::Owned(known.preferred_algorithms(host, port)),
        host_key_certificates: Cow::Owned(certificates),
        ..Preferred::DEFAULT
    }
}

/// What a failed key exchange means, in the light of what the gate saw.
fn judged(resolved: &Resolved, notes: &Notes, error: &russh::Error) -> Setback {
    let Some((key, verdict)) = notes.lock().judged.take() else {
        return Setback::Retry(no_session(resolved, error));
    };
    let Resolved { name, .. } = resolved;
    let (known_as, port) = &resolved.known_as;
    let host = known_hosts::written(known_as, *port);
    let shown = gate::key_words(&key);
    match verdict {
        Verdict::Trusted(_) => Setback::Retry(no_session(resolved, error)),
        Verdict::Unknown => match resolved.user_known_hosts.first() {
            Some(file) if !resolved.unknown_keys_refused => {
                let (file, hash_name) = (file.clone(), resolved.hash_known_hosts);
                Setback::UnknownKey(UnknownKey { key, host, file, hash_name })
            }
            _ => Setback::Hopeless(unknown(name, &host, &shown)),
        },
        Verdict::Changed(known) => {
            let known: Vec<String> =
                known.iter().map(|known| format!("{} {} ({})", known.algorithm, known.fingerprint, known.at)).collect();
            Setback::Hopeless(Trouble::new(
                TroubleKind::HostKeyChanged,
                format!("{name} shows host key {shown}, but {host} is known by {}", known.join(", ")),
                "find out why; if the node was reinstalled, remove that line and compare the new key on its console",
            ))
        }
        Verdict::Revoked(at) => Setback::Hopeless(Trouble::new(
            TroubleKind::HostKeyRevoked,
            format!("{name} shows host key {shown}, which {at} revokes"),
            "do not use this machine before its keys are replaced",
        )),
        Verdict::CertificateInvalid(why) => Setback::Hopeless(Trouble::new(
            TroubleKind::HostCertificateInvalid,
            format!("{name} shows a host certificate for key {shown} that is not valid: {why}"),
            "sign the host key again for this name, or check the clocks",
        )),
    }
}

/// An unknown key that nobody accepted.
pub(super) fn unknown(name: &str, host: &str, shown: &str) -> Trouble {
    Trouble::new(
        TroubleKind::HostKeyUnknown,
        format!("{name} shows host key {shown}, and no known_hosts file knows {host}"),
        "compare the fingerprint on the node (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then accept it here",
    )
}

/// The stream worked, the SSH protocol did not.
fn no_session(resolved: &Resolved, error: &russh::Error) -> Trouble {
    let Resolved { name, host, port, .. } = resolved;
    match error {
        russh::Error::Version | russh::Error::NoCommonAlgo { .. } | russh::Error::KexInit | russh::Error::Kex => {
            Trouble::new(
                TroubleKind::ProtocolMismatch,
                format!("{name} ({host} port {port}) does not speak SSH as vakt does ({error})"),
                "check the port; an sshd older than OpenSSH 6.5 lacks the algorithms",
            )
        }
        _ => Trouble::new(
            TroubleKind::ConnectionLost,
            format!("{name} ({host} port {port}) ended the connection before the login ({error})"),
            "look into its auth log: MaxStartups, PerSourcePenalties, a firewall, or no SSH server on that port",
        ),
    }
}

fn silent(resolved: &Resolved, waited: Duration) -> Trouble {
    let Resolved { name, host, port, .. } = resolved;
    Trouble::new(
        TroubleKind::TimedOut,
        format!("{name} ({host} port {port}) accepted the connection and said nothing for {} ms", waited.as_millis()),
        "its sshd is frozen, overloaded or not an SSH server: look at the node's console",
    )
}

/// The settings for people, with what was negotiated.
fn listed(resolved: &Resolved, address: Option<SocketAddr>, notes: &Notes, by: &str) -> Vec<LinkSetting> {
    let mut listed = resolved.listed.clone();
    let seen = notes.lock();
    let mut add = |name: &str, value: String, source: &str| {
        listed.push(LinkSetting { name: name.into(), value: value.as_str().into(), source: source.into() });
    };
    if let Some(address) = address {
        add("connected to", address.to_string(), "resolved");
    }
    if let Some((key, Verdict::Trusted(at))) = &seen.judged {
        add("host key", gate::key_words(key), &at.to_string());
    }
    if let Some(cipher) = &seen.cipher {
        add("cipher", cipher.clone(), "negotiated");
    }
    add("login by", by.to_owned(), "negotiated");
    listed
}
