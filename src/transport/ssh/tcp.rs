//! One exchange with a TCP port of the node: connect, say something, read until the answer has ended.
//!
//! That nobody listens, or that nobody answers, is an answer: the exchange tells it by its exit status, and only what
//! lies between vakt and the node is a trouble.

use super::session::{OpenFault, Session, Target, micros};
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::request::{Reply, TCP_REFUSED, TCP_SILENT},
};
use std::{sync::atomic::AtomicBool, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout},
};

/// What is said to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exchange<'a> {
    /// Addresses as the node sees them, tried one after another until one listens.
    pub(super) hosts: &'a [String],
    pub(super) port: u16,
    pub(super) send: &'a str,
    /// The last bytes of an answer.
    pub(super) end: &'a str,
}

/// How the exchange with one address went.
enum Outcome {
    Answered(Vec<u8>),
    Refused(String),
    Silent(Vec<u8>),
    TooLong,
}

impl Session {
    /// Exchanges words with the first address that listens. `limit` is the request's; silence is told before it ends.
    pub(super) async fn tcp(
        &self,
        exchange: Exchange<'_>,
        cap: usize,
        limit: Duration,
        sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        let started = Instant::now();
        let patience = limit.saturating_mul(3) / 4;
        let mut why = String::from("no address to ask");
        for host in exchange.hosts {
            let left = patience.saturating_sub(started.elapsed());
            match timeout(left, self.exchange(exchange, host, cap, sent)).await {
                Ok(Ok(Outcome::Answered(bytes))) => return Ok(reply(bytes, "", 0, started)),
                Ok(Ok(Outcome::Silent(bytes))) => {
                    return Ok(reply(bytes, "the connection ended within the answer", TCP_SILENT, started));
                }
                Ok(Ok(Outcome::TooLong)) => return Err(self.too_long(cap, exchange.send.trim_end())),
                Ok(Ok(Outcome::Refused(reason))) => why = reason,
                Ok(Err(trouble)) => return Err(trouble),
                Err(_) => {
                    let words = format!("no answer within {} ms", patience.as_millis());
                    return Ok(reply(Vec::new(), &words, TCP_SILENT, started));
                }
            }
        }
        Ok(reply(Vec::new(), &why, TCP_REFUSED, started))
    }

    async fn exchange(
        &self,
        exchange: Exchange<'_>,
        host: &str,
        cap: usize,
        sent: &AtomicBool,
    ) -> Result<Outcome, Trouble> {
        let target = Target::Tcp(host.to_owned(), exchange.port);
        let mut channel = match self.open(target, cap.saturating_add(64 * 1024), sent).await {
            Ok(channel) => channel,
            Err(OpenFault::Lost) => return Err(self.end()),
            // sshd says so when its configuration forbids forwarding; anything else is the port's own refusal.
            Err(OpenFault::Refused(why)) if why.contains("Prohibited") => return Err(self.forbidden()),
            Err(OpenFault::Refused(why)) => return Ok(Outcome::Refused(why)),
        };
        let said = async {
            channel.write_all(exchange.send.as_bytes()).await?;
            channel.flush().await
        };
        if said.await.is_err() {
            return Ok(Outcome::Silent(Vec::new()));
        }
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 16 * 1024];
        loop {
            let count = channel.read(&mut chunk).await.unwrap_or(0);
            bytes.extend_from_slice(&chunk[..count]);
            if bytes.len() > cap {
                return Ok(Outcome::TooLong);
            }
            if bytes.ends_with(exchange.end.as_bytes()) {
                return Ok(Outcome::Answered(bytes));
            }
            if count == 0 {
                return Ok(Outcome::Silent(bytes));
            }
        }
    }

    fn forbidden(&self) -> Trouble {
        Trouble::new(
            TroubleKind::ForwardingForbidden,
            format!("sshd on {} forbids TCP forwarding", self.name()),
            "allow it for this login: AllowTcpForwarding local in its sshd_config",
        )
    }
}

fn reply(bytes: Vec<u8>, said: &str, exit: u32, started: Instant) -> Reply {
    Reply { bytes, stderr: said.as_bytes().to_vec(), exit: Some(exit), elapsed_us: micros(started) }
}
