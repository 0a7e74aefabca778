//! How a byte stream to an SSH server comes to be: TCP, or whatever a test injects.

use super::stream::BoxStream;
use crate::model::trouble::{Trouble, TroubleKind};
use futures::future::BoxFuture;
use std::{fmt, io, net::SocketAddr, time::Duration};
use tokio::{net::TcpStream, time::timeout};

/// An established byte stream.
pub struct Dialled {
    /// The stream.
    pub stream: BoxStream,
    /// The address it leads to, if it is a network address.
    pub address: Option<SocketAddr>,
}

impl fmt::Debug for Dialled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialled").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Makes byte streams to SSH servers.
pub trait Connector: Send + Sync + fmt::Debug {
    /// A stream to `host` and `port`, within `limit`.
    fn dial<'a>(&'a self, host: &'a str, port: u16, limit: Duration) -> BoxFuture<'a, Result<Dialled, Trouble>>;
}

/// TCP.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector;

impl Connector for TcpConnector {
    fn dial<'a>(&'a self, host: &'a str, port: u16, limit: Duration) -> BoxFuture<'a, Result<Dialled, Trouble>> {
        Box::pin(dial_tcp(host, port, limit))
    }
}

async fn dial_tcp(host: &str, port: u16, limit: Duration) -> Result<Dialled, Trouble> {
    let addresses = resolve(host, port, limit).await?;
    // Every address gets its share of the time, so that a dead first one does not hide a living second one.
    let share = limit / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut last = no_address(host);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // russh does not set it on a stream it was given; without it every small packet waits for an ACK.
                if let Err(error) = tcp.set_nodelay(true) {
                    return Err(connect_trouble(address, &error));
                }
                return Ok(Dialled { stream: Box::new(tcp), address: Some(address) });
            }
            Ok(Err(error)) => last = connect_trouble(address, &error),
            Err(_) => last = timed_out(address, share),
        }
    }
    Err(last)
}

/// Addresses of the host, at most four: more would make each one's share of the time too short.
async fn resolve(host: &str, port: u16, limit: Duration) -> Result<Vec<SocketAddr>, Trouble> {
    const ADDRESSES_MAX: usize = 4;
    let found = match timeout(limit, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => found.take(ADDRESSES_MAX).collect::<Vec<_>>(),
        Ok(Err(error)) => {
            return Err(Trouble::new(
                TroubleKind::NameDoesNotResolve,
                format!("name {host} does not resolve ({error})"),
                "correct the address in the configuration or HostName in ssh_config, or check DNS and /etc/hosts",
            ));
        }
        Err(_) => {
            return Err(Trouble::new(
                TroubleKind::NameDoesNotResolve,
                format!("name {host} did not resolve within {} ms", limit.as_millis()),
                "check the name server, or use an address in the configuration",
            ));
        }
    };
    if found.is_empty() { Err(no_address(host)) } else { Ok(found) }
}

fn no_address(host: &str) -> Trouble {
    Trouble::new(
        TroubleKind::NameDoesNotResolve,
        format!("name {host} has no address"),
        "correct the address in the configuration, or check DNS and /etc/hosts",
    )
}

fn timed_out(address: SocketAddr, after: Duration) -> Trouble {
    Trouble::new(
        TroubleKind::TimedOut,
        format!("{} port {} did not answer within {} ms", address.ip(), address.port(), after.as_millis()),
        "check that the machine is running and that the network and firewalls let TCP through",
    )
}

fn connect_trouble(address: SocketAddr, error: &io::Error) -> Trouble {
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Trouble::new(
            TroubleKind::Refused,
            format!("connection to {ip} port {port} refused"),
            "start sshd there, or check the port in the configuration",
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => {
            Trouble::new(
                TroubleKind::Unreachable,
                format!("{ip} is unreachable ({error})"),
                "check that the machine is running, its network cable and the route to it",
            )
        }
        io::ErrorKind::TimedOut => Trouble::new(
            TroubleKind::TimedOut,
            format!("{ip} port {port} did not answer ({error})"),
            "check that the machine is running and that the network and firewalls let TCP through",
        ),
        _ => Trouble::new(
            TroubleKind::Unreachable,
            format!("connection to {ip} port {port} failed ({error})"),
            "check the network between this machine and the node",
        ),
    }
}
