//! What a simulated machine says of its addresses, neighbours, keepalived and sockets.

use super::{Text, host::Host};
use crate::{
    model::{inventory::Role, time::Now},
    sim::fault::Service,
    wire::request::{Call, TCP_REFUSED},
};
use std::{fmt::Write, net::IpAddr};

const PRESENCE_EDGE: &str = include_str!("../../../tests/captures/presence/debian-12-lab/lb01.txt");
const MEMCACHED: &str = include_str!("../../../tests/captures/memcached/1.6.18/web02.txt");
/// Lookups of a simulated memcached per second, hits of a hundred of them, items stored per second.
const MEMCACHED_GETS_PER_S: u64 = 180;
const MEMCACHED_HITS_PERCENT: u64 = 94;
const MEMCACHED_SETS_PER_S: u64 = 12;

const SERVICES_EDGE: &str = include_str!("../../../tests/captures/services/debian-12-lab/lb01.txt");
const SERVICES_WEB: &str = include_str!("../../../tests/captures/services/debian-12-lab/web02.txt");
const SERVICES_DATABASE: &str = include_str!("../../../tests/captures/services/debian-12-lab/db01.txt");
const SERVICES_HYPERVISOR: &str = include_str!("../../../tests/captures/services/debian-12-lab/kvm02.txt");

const CERTIFICATES: &str = include_str!("../../../tests/captures/certificates/debian-12-lab/lb01.txt");
const PRIORITY_FILE: &str = "/etc/keepalived/priority:";
const DAY_MS: i64 = 86_400_000;

/// The answer to the certificates probe of a load balancer whose certificates end in `days` and twelve hours.
pub(super) fn certificates(now: Now, days: u32) -> String {
    let ends = now.wall.0.saturating_add(i64::from(days) * DAY_MS + DAY_MS / 2);
    let ends = jiff::Timestamp::from_millisecond(ends).unwrap_or_default();
    let mut text = String::with_capacity(CERTIFICATES.len());
    for line in CERTIFICATES.lines() {
        // Writing to a string cannot fail.
        let _ = match line.strip_prefix("cert:notAfter=") {
            Some(_) => writeln!(text, "cert:notAfter={}", ends.strftime("%b %e %H:%M:%S %Y GMT")),
            None => writeln!(text, "{line}"),
        };
    }
    text
}

/// What the file gives the load balancer at that place: the first ones come first.
pub(super) fn priority(place: usize) -> i64 {
    match place {
        0 => 150,
        1 => 100,
        _ => 50,
    }
}

/// The number that a write puts into the file that keepalived tracks.
pub(super) fn number_written(call: &Call) -> Option<i64> {
    let Call::Exec { argv } = call else { return None };
    let [.., path, number] = argv.as_slice() else { return None };
    (Some(path.as_str()) == PRIORITY_FILE.strip_suffix(':')).then(|| number.parse().ok()).flatten()
}

/// Whether a write starts keepalived, or stops it.
pub(super) fn keepalived_told(call: &Call) -> Option<bool> {
    let Call::Exec { argv } = call else { return None };
    match argv.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [.., "service", "keepalived", "start"] => Some(true),
        [.., "service", "keepalived", "stop"] => Some(false),
        _ => None,
    }
}

/// What `ping -q` says of one peer.
pub(super) fn round(peer: IpAddr, is_near: bool, is_lossy: bool) -> String {
    let received = if !is_near {
        0
    } else if is_lossy {
        1
    } else {
        2
    };
    let loss = (2 - received) * 50;
    // A few hundredths of a millisecond apart, by their addresses.
    let apart = peer.to_string().bytes().fold(0_u32, |sum, byte| sum.wrapping_add(u32::from(byte))) % 40;
    let best = 0.24 + f64::from(apart) / 100.0;
    let trips = if received == 0 {
        String::new()
    } else {
        format!("rtt min/avg/max/mdev = {best:.3}/{:.3}/{:.3}/0.041 ms\n", best + 0.041, best + 0.082)
    };
    format!(
        "PING {peer} ({peer}) 56(84) bytes of data.\n\n--- {peer} ping statistics ---\n2 packets transmitted, \
         {received} received, {loss}% packet loss, time 201ms\n{trips}\n"
    )
}

impl Host {
    /// The hardware address of its private interface.
    pub(super) fn hardware_address(&self) -> String {
        let mut octets = self.file.private.split('.').map(|octet| octet.parse::<u8>().unwrap_or_default());
        let mut next = || octets.next().unwrap_or_default();
        format!("52:54:{:02x}:{:02x}:{:02x}:{:02x}", next(), next(), next(), next())
    }

    /// The answer to the presence probe. `vips`: the virtual addresses of the cluster; `answering`: those that are held,
    /// and the hardware address that answers for each.
    pub(super) fn presence(&self, vips: &[String], answering: &[(String, String)], is_nopreempt: bool) -> String {
        let mut text = String::new();
        let keeps_some = match self.file.role {
            Role::Edge => true,
            Role::Database => !vips.is_empty(),
            _ => false,
        };
        let runs = !self.stopped.contains(&Service::Keepalived);
        for line in PRESENCE_EDGE.lines().filter(|_| keeps_some) {
            let is_process = line.starts_with("/proc/1") && runs;
            // Writing to a string cannot fail.
            let _ = match line {
                _ if line.starts_with(PRIORITY_FILE) => writeln!(text, "{PRIORITY_FILE}{}", self.priority_file),
                _ if line.ends_with(" priority 150") => {
                    writeln!(text, "{}", line.replace("priority 150", &format!("priority {}", self.priority)))
                }
                _ if is_nopreempt && line.contains("preempt_delay") => {
                    writeln!(text, "/etc/keepalived/keepalived.conf:    nopreempt")
                }
                _ if line.ends_with(" dev priv0") => vips
                    .iter()
                    .try_for_each(|vip| writeln!(text, "/etc/keepalived/keepalived.conf:        {vip}/24 dev priv0")),
                _ if line.ends_with(" dev pub0") => Ok(()),
                _ if line.starts_with("enabled:") || line.starts_with("/etc/keepalived/") || is_process => {
                    writeln!(text, "{line}")
                }
                _ => Ok(()),
            };
        }
        let own = [Some(&self.file.management), Some(&self.file.private), self.file.public.as_ref()];
        for address in own.into_iter().flatten().chain(&self.vips) {
            let _ = writeln!(
                text,
                "/proc/net/fib_trie:           |-- {address}\n/proc/net/fib_trie:              /32 host LOCAL"
            );
        }
        let _ = writeln!(text, "/sys/class/net/priv0/address:{}", self.hardware_address());
        for (address, hardware) in answering.iter().filter(|(address, _)| !self.vips.contains(address)) {
            let is_near = address.starts_with("10.") || self.file.public.is_some();
            let interface = if address.starts_with("10.") { "priv0" } else { "pub0" };
            if is_near {
                let _ = writeln!(
                    text,
                    "/proc/net/arp:{address:<16} 0x1         0x2         {hardware}     *        {interface}"
                );
            }
        }
        text
    }

    /// The answer of its memcached, or that there is none.
    pub(super) fn memcached(&self, now_us: u64) -> Text {
        let has_one = matches!(self.file.role, Role::Web | Role::App | Role::Cache);
        if !has_one || self.stopped.contains(&Service::Memcached) {
            return Text { bytes: String::new(), exit: Some(TCP_REFUSED) };
        }
        let up_s = now_us.saturating_sub(self.booted_us) / 1_000_000;
        let mut bytes = String::with_capacity(MEMCACHED.len());
        for line in MEMCACHED.lines() {
            let name = line.split(' ').nth(1).unwrap_or_default();
            let value = match name {
                "uptime" => Some(up_s),
                "cmd_get" => Some(up_s * MEMCACHED_GETS_PER_S),
                "get_hits" => Some(up_s * MEMCACHED_GETS_PER_S * MEMCACHED_HITS_PERCENT / 100),
                "cmd_set" => Some(up_s * MEMCACHED_SETS_PER_S),
                _ => None,
            };
            let _ = match value {
                Some(value) => write!(bytes, "STAT {name} {value}\r\n"),
                None => write!(bytes, "{line}\r\n"),
            };
        }
        Text { bytes, exit: Some(0) }
    }

    /// The answer to the services probe.
    pub(super) fn services(&self) -> String {
        let (mould, whose) = match self.file.role {
            Role::Edge => (SERVICES_EDGE, "10.10.0.11:"),
            Role::Web | Role::App | Role::Cache => (SERVICES_WEB, "10.10.0.22:"),
            Role::Hypervisor => (SERVICES_HYPERVISOR, "10.10.0.42:"),
            Role::Database | Role::Storage => (SERVICES_DATABASE, "10.10.0.31:"),
        };
        let mut text = String::with_capacity(mould.len() + 128);
        for line in mould.lines() {
            let is_stopped = line.contains(":11211 ") && self.stopped.contains(&Service::Memcached);
            if !is_stopped {
                let _ = writeln!(text, "{}", line.replace(whose, &format!("{}:", self.file.private)));
            }
        }
        for port in &self.exposed {
            let _ = writeln!(text, "LISTEN 0      128          0.0.0.0:{port}         0.0.0.0:*");
        }
        text
    }
}
