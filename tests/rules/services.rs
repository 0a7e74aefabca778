//! Caches, workers, NFS mounts, certificates, the private network.

use super::{lines, stage::Stage};
use std::net::IpAddr;
use vakt::{
    history,
    model::{
        certificates::{Certificate, CertificatesFacts, Place},
        figure::Figure,
        memcached::{MemcachedSample, MemcachedState},
        private_network::{PrivateNetworkSample, Round},
        services::{Conversations, NfsMount, ServicesSample, WebKind, WebServer},
        text::Clean,
        time::Wall,
    },
};

use Figure::Known;

/// One illness each, of what this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[
    |stage| {
        stage.each_second.push(|stage| {
            serve(stage, "web01", ServicesSample { enabled: vec!["memcached".into()], ..ServicesSample::default() });
            cache(stage, "web01", MemcachedSample { state: MemcachedState::Refuses, ..MemcachedSample::default() });
        });
    },
    |stage| stage.each_second.push(|stage| evicting(stage, 50)),
    |stage| {
        stage.each_second.push(|stage| {
            let sample = MemcachedSample {
                connections: Known(1000),
                connections_max: Known(1024),
                ..MemcachedSample::default()
            };
            cache(stage, "web01", sample);
        });
    },
    |stage| stage.each_second.push(|stage| serve(stage, "web01", apache(40, 150))),
    |stage| stage.each_second.push(|stage| talked_to(stage, 10, None)),
    |stage| stage.each_second.push(|stage| mounted(stage, 100, 99)),
    |stage| stage.each_second.push(|stage| certified(stage, 3)),
    |stage| stage.each_second.push(|stage| walk(stage, &[(2, 2.0), (3, 0.3)], 2)),
    |stage| stage.each_second.push(|stage| walk(stage, &[(2, 0.3), (3, 0.3)], 1)),
];

fn serve(stage: &mut Stage, node: &str, sample: ServicesSample) {
    let now = stage.now;
    let facts = stage.facts(node);
    let derived = history::services::derive(facts.services.last(), sample, 1000);
    facts.services.take(derived, now);
}

fn cache(stage: &mut Stage, node: &str, sample: MemcachedSample) {
    let now = stage.now;
    let facts = stage.facts(node);
    let derived = history::memcached::derive(facts.memcached.last(), sample, 1000);
    facts.memcached.take(derived, now);
}

fn evicting(stage: &mut Stage, per_second: u64) {
    let seconds = stage.now.mono.0 / 1000;
    let sample = MemcachedSample {
        uptime_s: Known(seconds),
        evictions: Known(seconds * per_second),
        bytes: Known(31 << 20),
        bytes_max: Known(32 << 20),
        ..MemcachedSample::default()
    };
    cache(stage, "web01", sample);
}

fn talked_to(stage: &mut Stage, count: u64, conversations_max: Option<u64>) {
    let conversations = vec![Conversations { path: "/run/haproxy/admin.sock".into(), count }];
    serve(stage, "lb01", ServicesSample { conversations, conversations_max, ..ServicesSample::default() });
}

fn apache(workers: u64, workers_max: u64) -> ServicesSample {
    let server = WebServer {
        kind: WebKind::Apache,
        master: 100,
        workers,
        workers_max: Known(workers_max),
        memory_bytes: Known(workers * (60 << 20)),
        largest_bytes: Known(90 << 20),
    };
    ServicesSample { web: vec![server], ..ServicesSample::default() }
}

fn mounted(stage: &mut Stage, sent: u64, received: u64) {
    let mount = NfsMount {
        device: Clean::line("10.10.0.25:/srv"),
        mount: Clean::line("/srv"),
        // The first look sees nothing on its way; from then on a request waits.
        sent: Known(if stage.facts("web01").services.last().is_some() { sent } else { sent - 1 }),
        received: Known(received),
        ..NfsMount::default()
    };
    serve(stage, "web01", ServicesSample { nfs: vec![mount], ..ServicesSample::default() });
}

fn certificate(stage: &Stage, days: i64, place: Place) -> Certificate {
    Certificate {
        place,
        name: "www.example".into(),
        serial: Clean::line(&format!("{days}")),
        issuer: "Some Authority".into(),
        ends: Known(Wall(stage.now.wall.0 / 86_400_000 * 86_400_000 + (days + 1) * 86_400_000)),
        ..Certificate::default()
    }
}

fn certified(stage: &mut Stage, days: i64) {
    let now = stage.now;
    for lb in ["lb01", "lb02"] {
        let certificates = vec![certificate(stage, days, Place::Served("127.0.0.1:443".into()))];
        stage.facts(lb).certificates.take(CertificatesFacts { certificates, unread: Vec::new() }, now);
    }
}

/// web01 (10.10.0.3) measures others: last octet and latency.
pub(super) fn walk(stage: &mut Stage, peers: &[(u8, f64)], received: u32) {
    let now = stage.now;
    let rounds = peers.iter().map(|(octet, best_ms)| {
        let round = Round { sent: 2, received, best_ms: Known(*best_ms), ..Round::default() };
        (format!("10.10.0.{octet}").parse::<IpAddr>().unwrap(), round)
    });
    let sample = PrivateNetworkSample { rounds: rounds.collect() };
    let facts = stage.facts("web01");
    let derived = history::private_network::derive(facts.private_network.last(), sample);
    facts.private_network.take(derived, now);
}

#[test]
fn a_cache_that_was_never_there_is_not_missed_and_one_that_was_is() {
    let mut stage = Stage::new();
    let absent = MemcachedSample { state: MemcachedState::Refuses, ..MemcachedSample::default() };
    cache(&mut stage, "web01", absent.clone());
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    cache(&mut stage, "web01", MemcachedSample::default());
    stage.second();
    cache(&mut stage, "web01", absent);
    stage.second();
    assert_eq!(lines(&stage.findings()), ["✗ web01: memcached is down: nothing listens on port 11211"]);
    cache(&mut stage, "web01", MemcachedSample { state: MemcachedState::Silent, ..MemcachedSample::default() });
    stage.second();
    assert_eq!(lines(&stage.findings()), ["✗ web01: memcached hangs: it takes connections and does not answer"]);
    cache(&mut stage, "web01", MemcachedSample::default());
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn evictions_are_told_once_they_last() {
    let mut stage = Stage::new();
    for _ in 0..3 {
        stage.second();
        evicting(&mut stage, 50);
    }
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    for _ in 0..10 {
        stage.second();
        evicting(&mut stage, 50);
    }
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ web01: memcached throws 50 items a second away for lack of room"]);
    assert_eq!(findings[0].evidence[1].as_str(), "31.0 MiB of 32.0 MiB in use");
}

#[test]
fn workers_that_would_not_fit_are_told_before_they_come() {
    let mut stage = Stage::new();
    for _ in 0..15 {
        stage.second();
        serve(&mut stage, "web01", apache(4, 150));
    }
    let findings = stage.findings();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].rule.as_str(), "web.memory");
    assert!(findings[0].sentence.as_str().starts_with("150 workers of Apache would need 8.8 GiB, the node has "));
    assert_eq!(findings[0].evidence[0].as_str(), "4 workers now, 60.0 MiB each on average");
    for _ in 0..15 {
        stage.second();
        serve(&mut stage, "web01", apache(4, 10));
    }
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn a_full_stats_socket_is_told_before_anybody_waits_for_it() {
    let mut stage = Stage::new();
    talked_to(&mut stage, 9, None);
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    talked_to(&mut stage, 10, None);
    stage.second();
    let told = "▲ lb01: All 10 conversations of HAProxy's stats socket are in use: who comes next waits";
    assert_eq!(lines(&stage.findings()), [told]);
    talked_to(&mut stage, 10, Some(20));
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
}

#[test]
fn an_nfs_server_that_is_silent_is_told_with_who_hangs() {
    let mut stage = Stage::new();
    for _ in 0..9 {
        stage.second();
        mounted(&mut stage, 100, 99);
    }
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    for _ in 0..5 {
        stage.second();
        mounted(&mut stage, 100, 99);
    }
    let findings = stage.findings();
    assert_eq!(findings[0].rule.as_str(), "nfs.stuck");
    assert_eq!(
        lines(&findings),
        ["✗ web01 /srv: 10.10.0.25:/srv does not answer for 12 s: tasks that touch /srv hang"]
    );
}

#[test]
fn a_certificate_is_one_finding_wherever_it_is() {
    let mut stage = Stage::new();
    for (days, expected) in [
        (60, None),
        (20, Some("▲ www.example: The certificate ends in 20 days on lb01 and lb02")),
        (3, Some("✗ www.example: The certificate ends in 3 days on lb01 and lb02")),
        (0, Some("✗ www.example: The certificate ends within a day on lb01 and lb02")),
    ] {
        certified(&mut stage, days);
        stage.second();
        assert_eq!(lines(&stage.findings()), expected.into_iter().collect::<Vec<_>>(), "{days}");
    }
}

#[test]
fn a_renewed_file_that_nobody_loaded_is_said() {
    let mut stage = Stage::new();
    let served = certificate(&stage, 2, Place::Served("127.0.0.1:443".into()));
    let file = certificate(&stage, 90, Place::File("/etc/haproxy/certs/www.pem".into()));
    let now = stage.now;
    let facts = CertificatesFacts { certificates: vec![served, file], unread: Vec::new() };
    stage.facts("lb01").certificates.take(facts, now);
    stage.second();
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["✗ www.example: The certificate ends in 2 days on lb01"]);
    assert_eq!(findings[0].hint.as_str(), "reload HAProxy: it still serves the old certificate, the file is renewed");
}

#[test]
fn a_slow_pair_is_told_only_when_even_its_best_packets_are_slow() {
    let mut stage = Stage::new();
    for turn in 0..12 {
        stage.second();
        walk(&mut stage, &[(2, if turn % 4 == 0 { 0.4 } else { 9.0 }), (4, 0.3)], 2);
    }
    stage.second();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new(), "a busy node answers late now and then");
    for _ in 0..8 {
        stage.second();
        walk(&mut stage, &[(2, 2.4), (4, 0.3)], 2);
    }
    stage.second();
    let findings = stage.findings();
    assert_eq!(lines(&findings), ["▲ web01 lb02: 2.4 ms (limit 1.0 ms) between web01 and lb02"]);
    assert_eq!(findings[0].rule.as_str(), "private_network.latency");
}

#[test]
fn a_node_with_many_bad_paths_is_the_subject() {
    let mut stage = Stage::new();
    for _ in 0..4 {
        stage.second();
        walk(&mut stage, &[(1, 0.3), (2, 0.3), (4, 0.3), (6, 0.3)], 0);
    }
    stage.second();
    let findings = stage.findings();
    assert_eq!(
        lines(&findings),
        ["✗ web01: Packets get lost on the private network between web01 and lb01, lb02, web02 and db01"]
    );
    stage.down("db01", vakt::model::trouble::TroubleKind::Refused, "refused", "start sshd");
    stage.second();
    let told = lines(&stage.findings());
    assert!(told.iter().any(|line| line.ends_with("web01 and lb01, lb02 and web02")), "{told:?}");
}
