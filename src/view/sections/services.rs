//! Addresses and services: virtual addresses and keepalived, what the outside reaches, web servers, NFS mounts.

use super::{Scene, Section};
use crate::{
    app::{
        figures,
        meaning::{Line, Meaning, Span},
    },
    model::{
        address::is_public,
        certificates::CertificatesFacts,
        figure::Figure,
        memcached::{MemcachedFacts, MemcachedState},
        presence::{PresenceFacts, ProcessState, VrrpInstance, VrrpState},
        services::{DHCP_CLIENT, Listener, NfsMount, NfsState, Protocol, ServicesFacts, WebServer},
    },
};
use std::{collections::BTreeSet, net::IpAddr};

/// Instances of keepalived that are shown.
const INSTANCES_MAX: usize = 4;

/// What runs here and who reaches it; nothing while nothing of it was read.
pub(super) fn services(scene: Scene<'_>) -> Option<Section> {
    let presence = scene.node.presence.last();
    let services = scene.node.services.last();
    if presence.is_none() && services.is_none() {
        return None;
    }
    let mut lines = Vec::new();
    if let Some(presence) = presence {
        lines.extend(virtual_addresses(scene, presence));
        lines.extend(keepalived(scene, presence));
        lines.extend(presence.sample.keepalived.instances.iter().take(INSTANCES_MAX).map(|instance| {
            let mut line = vrrp(scene, presence, instance);
            line.insert(0, Span::dim("  "));
            scene.row("", line)
        }));
    }
    if let Some(services) = services {
        lines.extend(listeners(scene, services, presence));
        lines.extend(services.sample.web.iter().flat_map(|server| web(scene, server)));
        if let Figure::Known(count) = services.sample.connections {
            let words = figures::counted(count as usize, "connection", "connections");
            lines.push(scene.row("", [Span::plain(words), Span::dim(" open on this node")]));
        }
        let mounts = services.sample.nfs.iter().zip(&services.nfs);
        lines.extend(mounts.flat_map(|(mount, state)| nfs(scene, mount, state)));
    }
    lines.extend(scene.node.memcached.last().into_iter().flat_map(|facts| memcached(scene, facts)));
    lines.extend(scene.node.certificates.last().into_iter().flat_map(|facts| certificates(scene, facts)));
    for failure in [scene.node.presence.failure(), scene.node.services.failure()].into_iter().flatten() {
        lines.push(vec![Span::plain("  "), Span::new("? ", Meaning::Unknown), Span::dim(failure.reason.to_string())]);
    }
    Some(Section { title: "Services".to_owned(), lines })
}

/// The virtual addresses that the node may hold or does.
fn virtual_addresses(scene: Scene<'_>, presence: &PresenceFacts) -> Vec<Line> {
    let now = scene.seen.now.mono;
    let mut lines = Vec::new();
    for vip in &scene.seen.inventory.vips {
        let may_hold = vip.nodes.contains(&scene.node.name);
        let words = match (presence.carries(vip.address), may_hold) {
            (Figure::Known(true), _) => {
                let since = presence.since(vip.address).map_or(0, |since| now.since_ms(since.mono));
                Span::signed(&format!("held for at least {}", figures::duration_s(since / 1000)), Meaning::Ok)
            }
            (Figure::Known(false), true) => Span::signed("standby", Meaning::Standby),
            (Figure::Unknown(why), true) => Span::new(format!("? {why}"), Meaning::Unknown),
            (_, false) => continue,
        };
        lines.push(scene.row("virtual", [Span::plain(format!("{} ", vip.address)), words]));
    }
    lines
}

fn keepalived(scene: Scene<'_>, presence: &PresenceFacts) -> Option<Line> {
    let keepalived = &presence.sample.keepalived;
    let words = match keepalived.process {
        Figure::Known(ProcessState::Absent) if !keepalived.is_enabled => return None,
        Figure::Known(ProcessState::Absent) => Span::signed("does not run", Meaning::Crit),
        Figure::Known(ProcessState::Running) => Span::signed("runs", Meaning::Ok),
        Figure::Known(ProcessState::Stopped) => Span::signed("stopped by a signal", Meaning::Crit),
        Figure::Known(ProcessState::Blocked) => Span::signed("waits for a disk", Meaning::Warn),
        Figure::Unknown(why) if keepalived.is_enabled => Span::new(format!("? {why}"), Meaning::Unknown),
        Figure::Unknown(_) => return None,
    };
    Some(scene.row("keepalived", [words]))
}

/// "edge BACKUP, priority 150; gave up 12 s ago, 3 moves seen".
fn vrrp(scene: Scene<'_>, presence: &PresenceFacts, instance: &VrrpInstance) -> Line {
    let state = presence.sample.vrrp(instance);
    let priority = instance.priority.map_or_else(|| "?".to_owned(), |priority| priority.to_string());
    let mut line = vec![Span::plain(format!("{} ", instance.name))];
    line.push(match &state {
        VrrpState::Master => Span::signed(state.word(), Meaning::Ok),
        VrrpState::Backup => Span::signed(state.word(), Meaning::Standby),
        VrrpState::Fault(why) => Span::signed(&format!("{}: {why}", state.word()), Meaning::Crit),
        VrrpState::Unknown => Span::new(state.word(), Meaning::Unknown),
    });
    line.push(Span::dim(format!("  priority {priority}")));
    if let (count, Some(last)) = presence.transitions(instance) {
        let ago = figures::duration_s(scene.seen.now.mono.since_ms(last.at.mono) / 1000);
        let did = if last.came { "took over" } else { "gave up" };
        line.push(Span::dim(format!("  {did} {ago} ago, {}", figures::counted(count, "move seen", "moves seen"))));
    }
    line
}

/// Ports by who reaches them: the outside, the private network, this machine alone.
fn listeners(scene: Scene<'_>, services: &ServicesFacts, presence: Option<&PresenceFacts>) -> Vec<Line> {
    let listeners = match &services.sample.listeners {
        Figure::Known(listeners) => listeners,
        Figure::Unknown(why) => {
            return vec![scene.row("listens", [Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))])];
        }
    };
    let carried = presence.and_then(|presence| presence.sample.addresses.as_ref().known());
    let public: Vec<IpAddr> = carried.into_iter().flatten().copied().filter(|address| is_public(*address)).collect();
    let is_outside = |listener: &&Listener| {
        if listener.address.is_unspecified() { !public.is_empty() } else { public.contains(&listener.address) }
    };
    let is_own = |listener: &&Listener| listener.address.is_loopback();
    let ports = |which: &dyn Fn(&&Listener) -> bool| -> BTreeSet<(u16, Protocol)> {
        listeners.iter().filter(which).map(|listener| (listener.port, listener.protocol)).collect()
    };
    let word = |(port, protocol): &(u16, Protocol)| match protocol {
        Protocol::Tcp => port.to_string(),
        Protocol::Udp => format!("{port}/udp"),
    };
    let allowed = &scene.seen.inventory.settings.exposure.ports;
    let own_ssh = scene.seen.inventory.node(&scene.node.name).and_then(|node| node.ssh.port);
    let outside = ports(&is_outside);
    let mut lines = Vec::new();
    if !outside.is_empty() {
        let spans = outside.iter().map(|port| {
            let is_own_ssh = *port == (own_ssh.unwrap_or_default(), Protocol::Tcp);
            let is_dhcp = port.1 == Protocol::Udp && DHCP_CLIENT.contains(&port.0);
            let is_allowed = allowed.contains(&port.0) || is_own_ssh || is_dhcp;
            Span::new(format!("{} ", word(port)), if is_allowed { Meaning::Text } else { Meaning::Crit })
        });
        lines.push(scene.row("public", spans.collect::<Vec<_>>()));
    }
    let words = |ports: BTreeSet<(u16, Protocol)>| ports.iter().map(word).collect::<Vec<_>>().join(" ");
    let inside = words(ports(&|listener| !is_outside(listener) && !is_own(listener)));
    let own = words(ports(&is_own));
    for (label, text) in [("private", inside), ("itself", own)] {
        if !text.is_empty() {
            lines.push(scene.row(label, [Span::plain(text)]));
        }
    }
    lines
}

fn web(scene: Scene<'_>, server: &WebServer) -> Vec<Line> {
    let total = scene.host.and_then(|host| host.sample.memory.known()).map(|memory| memory.total_bytes);
    let mut first = vec![Span::plain(figures::counted(server.workers as usize, "worker", "workers"))];
    if let Figure::Known(max) = server.workers_max {
        first.push(Span::dim(format!(" of {max}")));
    }
    first.push(Span::dim("  "));
    first.push(Span::figure(server.memory_bytes, figures::bytes));
    first.push(Span::dim(" in all"));
    let mut lines = vec![scene.row(server.kind.word(), first)];
    if server.workers_max.known().is_some_and(|max| max > server.workers) {
        let full = server.full_bytes();
        let share = full.known().zip(total).map(|(full, total)| full as f64 * 100.0 / total.max(1) as f64);
        let limit = scene.seen.inventory.settings.thresholds.web_memory_percent;
        let meaning = if share.is_some_and(|share| share > limit) { Meaning::Warn } else { Meaning::Text };
        let mut spans = vec![Span::dim("all workers would need "), Span::figure(full, figures::bytes).meaning(meaning)];
        spans.extend(share.map(|share| Span::new(format!(" ({})", figures::percent(share)), meaning)));
        lines.push(scene.row("", spans));
    }
    lines
}

fn nfs(scene: Scene<'_>, mount: &NfsMount, state: &NfsState) -> Vec<Line> {
    let standing = if state.silent_ms > 0 {
        Span::signed(&format!("silent for {}", figures::age(state.silent_ms)), Meaning::Crit)
    } else {
        Span::figure(state.latency_ms, figures::latency)
    };
    let first = scene.row("NFS", [Span::plain(format!("{} ", mount.mount)), standing]);
    let second = scene
        .row("", [Span::dim(format!("from {}  ", mount.device)), Span::figure(state.operations_per_s, figures::rate)]);
    vec![first, second]
}

fn memcached(scene: Scene<'_>, facts: &MemcachedFacts) -> Vec<Line> {
    let sample = &facts.sample;
    match sample.state {
        // Where nothing was there before, nothing is missing.
        MemcachedState::Refuses if !facts.has_answered => return Vec::new(),
        MemcachedState::Refuses => {
            return vec![scene.row("memcached", [Span::signed("nothing listens on its port", Meaning::Crit)])];
        }
        MemcachedState::Silent => {
            return vec![scene.row("memcached", [Span::signed("takes connections and says nothing", Meaning::Crit)])];
        }
        MemcachedState::Answers => {}
    }
    let limit = scene.seen.inventory.settings.thresholds.memcached_evictions_per_s;
    let first = [
        Span::dim("hits "),
        Span::figure(facts.hit_percent, figures::percent),
        Span::dim("  lookups "),
        Span::figure(facts.gets_per_s, figures::rate),
        Span::dim("  evictions "),
        Span::limited(facts.evictions_per_s, limit, figures::rate),
    ];
    let second = [
        Span::figure(sample.bytes, figures::bytes),
        Span::dim(" of "),
        Span::figure(sample.bytes_max, figures::bytes),
        Span::dim("  connections "),
        Span::figure(sample.connections, figures::count),
        Span::dim(" of "),
        Span::figure(sample.connections_max, figures::count),
    ];
    vec![scene.row("memcached", first), scene.row("", second)]
}

/// One line a certificate; where the one that is served stands in a file too, once.
fn certificates(scene: Scene<'_>, facts: &CertificatesFacts) -> Vec<Line> {
    let limits = &scene.seen.inventory.settings.thresholds;
    let mut lines = Vec::new();
    let mut told: Vec<(&str, &str)> = Vec::new();
    for certificate in &facts.certificates {
        let key = (certificate.name.as_str(), certificate.serial.as_str());
        if told.contains(&key) {
            continue;
        }
        told.push(key);
        let days = certificate.days_left(scene.seen.now.wall);
        let within = |max: u64| days.known().is_some_and(|days| i64::try_from(max).is_ok_and(|max| days < max));
        let meaning = match () {
            () if within(limits.certificate_critical_days) => Meaning::Crit,
            () if within(limits.certificate_days) => Meaning::Warn,
            () => Meaning::Text,
        };
        let words =
            Span::figure(days, |days| if days < 0 { "has ended".to_owned() } else { format!("ends in {days} d") });
        lines.push(scene.row("certificate", [Span::plain(format!("{} ", certificate.name)), words.meaning(meaning)]));
    }
    lines.extend(
        facts.unread.iter().map(|why| scene.row("", [Span::new("? ", Meaning::Unknown), Span::dim(why.to_string())])),
    );
    lines
}
