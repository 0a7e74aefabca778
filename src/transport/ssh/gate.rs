//! What a session does with what its server says: judges the host key, turns down every channel the server opens,
//! and remembers why the session ended.

use super::known_hosts::{self, KnownHosts, Verdict};
use russh::{
    Channel, ChannelOpenFailure, Error, Names,
    client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session},
    keys::{PublicKeyOrCertificate, ssh_key::public::KeyData},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::DropGuard;

/// The handler of one session. Its end, for whatever reason, is the end of the session.
#[derive(Debug)]
pub(super) struct Gate {
    known: KnownHosts,
    host: String,
    port: u16,
    /// Seconds since 1970, for the validity of certificates.
    now_s: u64,
    notes: Notes,
    _ended: DropGuard,
}

/// What the gate saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The key the server showed, and what the files say about it.
    pub(super) judged: Option<(KeyData, Verdict)>,
    /// "chacha20-poly1305@openssh.com".
    pub(super) cipher: Option<String>,
    /// Why the session ended.
    pub(super) end: Option<String>,
}

impl Notes {
    pub(super) fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gate {
    /// A gate for `host` and `port` as known_hosts writes them; `ended` is cancelled when the session ends.
    pub(super) fn new(known: KnownHosts, host: &str, port: u16, now_s: u64, notes: Notes, ended: DropGuard) -> Self {
        Self { known, host: host.to_owned(), port, now_s, notes, _ended: ended }
    }
}

/// A reason in words.
fn words(reason: &DisconnectReason<Error>) -> String {
    match reason {
        DisconnectReason::ReceivedDisconnect(info) => format!("the server ended it: {}", info.message),
        DisconnectReason::Error(Error::KeepaliveTimeout) => "keepalives were not answered".into(),
        DisconnectReason::Error(Error::HUP | Error::Disconnect) => "the server closed it".into(),
        DisconnectReason::Error(Error::IO(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server closed it".into()
        }
        DisconnectReason::Error(error) => error.to_string(),
    }
}

impl Handler for Gate {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Error> {
        let (key, verdict) = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                (key.key_data().clone(), self.known.check(&self.host, self.port, key.key_data()))
            }
            PublicKeyOrCertificate::Certificate(certificate) => (
                certificate.public_key().clone(),
                self.known.check_certificate(&self.host, self.port, certificate, self.now_s),
            ),
        };
        let trusted = matches!(verdict, Verdict::Trusted(_));
        self.notes.lock().judged = Some((key, verdict));
        Ok(trusted)
    }

    async fn kex_done(&mut self, _secret: Option<&[u8]>, names: &Names, _session: &mut Session) -> Result<(), Error> {
        self.notes.lock().cipher = Some(names.cipher.as_ref().to_owned());
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Error>) -> Result<(), Error> {
        // The first reason is the true one; a cut of our own comes with ours.
        self.notes.lock().end.get_or_insert_with(|| words(&reason));
        Ok(())
    }

    // Channels that a server opens are refused: nothing was forwarded to us.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _address: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host: &str,
        _port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), Error> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}

/// How the key appears to people: "ssh-ed25519 SHA256:…".
pub(super) fn key_words(key: &KeyData) -> String {
    format!("{} {}", key.algorithm().as_str(), known_hosts::fingerprint(key))
}
