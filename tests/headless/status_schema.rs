//! Every key of `vakt status --json` is described in docs/status-json.md, and every described key exists.

use serde_json::Value;
use std::{collections::BTreeSet, fs};
use vakt::{
    cli::status_document::document,
    model::{
        certificates::{Certificate, CertificatesFacts},
        figure::{Figure, Unknown},
        haproxy::{Backend, Check, Frontend, HaproxyFacts, OperationalState, Server, Traffic},
        host::{DiskRates, Filesystem, HostFacts, HostProfile, InterfaceRates, Virtualisation},
        hypervisor::{
            DomainDisk, DomainDiskRates, DomainInterface, DomainInterfaceRates, DomainJob, DomainRates, DomainSample,
            HypervisorFacts, HypervisorSample,
        },
        intent::ServerPath,
        inventory::Inventory,
        link::LinkState,
        memcached::MemcachedFacts,
        mysql::{Channel, MysqlFacts},
        ovs::{Bridge, Interface as OvsInterface, OvsFacts, Port},
        private_network::{Path, PrivateNetworkFacts, Round},
        services::{Listener, NfsMount, NfsState, Protocol, ServicesFacts, ServicesSample, WebServer},
        text::Clean,
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
        world::World,
    },
    plan::PlanId,
    rules::{Acknowledgement, Finding, Follows, Severity},
    run::ledger::{Ledger, Wanted, Wish},
};

pub(super) const AT: Now = Now { mono: Mono(5_000), wall: Wall(1_780_000_000_000) };

#[test]
fn the_document_and_its_description_have_the_same_keys() {
    let (inventory, world) = sample();
    let document = document(&world, &inventory, &ledger(), &[finding()], AT);
    let mut keys = BTreeSet::new();
    walk("", &serde_json::to_value(&document).unwrap(), &mut keys);
    let described = described();
    let undescribed: Vec<_> = keys.difference(&described).collect();
    let missing: Vec<_> = described.difference(&keys).collect();
    assert!(undescribed.is_empty() && missing.is_empty(), "not described: {undescribed:?}; not there: {missing:?}");
}

#[test]
fn invariant_3_an_unknown_figure_is_null_with_its_reason_never_zero() {
    let (inventory, world) = sample();
    let document = serde_json::to_value(document(&world, &inventory, &Ledger::default(), &[], AT)).unwrap();
    let host = &document["nodes"][0]["host"];
    assert_eq!(host["pressure_io_full_percent"], Value::Null);
    assert_eq!(host["unknown"]["pressure"], "not offered by this kernel or daemon");
    assert_eq!(host["cpu_iowait_percent"], Value::Null);
    assert_eq!(host["unknown"]["cpu"], "needs a second sample");
    // A node that never answered has no host at all.
    assert_eq!(document["nodes"][1]["host"], Value::Null);
    assert_eq!(document["nodes"][1]["age_ms"], Value::Null);
}

#[test]
fn a_lag_that_nobody_knows_is_null_with_its_reason() {
    let (inventory, world) = sample();
    let document = serde_json::to_value(document(&world, &inventory, &Ledger::default(), &[], AT)).unwrap();
    let database = document["mysql"].as_array().unwrap().iter().find(|row| row["node"] == "db01").unwrap();
    assert_eq!(database["channels"][0]["applied_lag_ms"], Value::Null);
    assert_eq!(database["unknown"]["applied_lag_ms"], "not read yet");
    assert_eq!((&database["role"], &database["questions_per_s"]), (&Value::from("replica"), &Value::Null));
}

/// Paths of all keys; elements of lists are `[]`; the reasons in `unknown` are figure names, not keys.
fn walk(prefix: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !prefix.ends_with(".unknown") && !prefix.ends_with("virtualisation") => {
            for (key, value) in map {
                let path = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                if !matches!(value, Value::Array(items) if items.iter().any(Value::is_object))
                    && key != "haproxy"
                    && key != "ovs"
                {
                    keys.insert(path.clone());
                }
                walk(&path, value, keys);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            keys.insert(format!("{prefix}[]"));
            for item in items {
                walk(&format!("{prefix}[]"), item, keys);
            }
        }
        _ => {}
    }
}

fn described() -> BTreeSet<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/status-json.md");
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned)).collect()
}

pub(super) fn sample() -> (Inventory, World) {
    let metadata = vakt::config::FileMetadata { mode: Some(0o600), home: Some("/home/operator".into()) };
    let loaded = vakt::config::load("example.toml".as_ref(), vakt::config::EXAMPLE, &metadata).unwrap().inventory;
    let mut world = World::new(&loaded);
    let known = |text: &str| Figure::Known(Clean::line(text));
    let edge = &mut world.nodes[0];
    edge.host.take(
        HostFacts {
            cpu: Figure::Unknown(Unknown::NeedsTwoSamples),
            sample: vakt::model::host::HostSample {
                pressure: Figure::Unknown(Unknown::NotOffered),
                ..Default::default()
            },
            disks: vec![DiskRates::default()],
            interfaces: vec![InterfaceRates::default()],
            ..HostFacts::default()
        },
        AT,
    );
    edge.profile.take(
        HostProfile {
            virtualisation: Figure::Known(Virtualisation::Container("lxc".into())),
            filesystems: vec![Filesystem {
                mount: "/".into(),
                device: "/dev/vda1".into(),
                kind: "ext4".into(),
                total_bytes: 10,
                used_bytes: 5,
                available_bytes: 5,
            }],
            kernel: known("6.1.0"),
            ..HostProfile::default()
        },
        AT,
    );
    edge.haproxy.take(haproxy(), AT);
    edge.ovs.take(switch(), AT);
    edge.services.take(services(), AT);
    edge.memcached.take(MemcachedFacts::default(), AT);
    let certificate = Certificate { ends: Figure::Known(AT.wall), ..Certificate::default() };
    edge.certificates.take(CertificatesFacts { certificates: vec![certificate], unread: Vec::new() }, AT);
    let path = Path { to: "10.10.0.12".parse().unwrap(), rounds: [Round::default()].into() };
    edge.private_network.take(PrivateNetworkFacts { paths: vec![path] }, AT);
    for database in world.nodes.iter_mut().filter(|node| node.name.as_str().starts_with("db")) {
        let mut facts = MysqlFacts::default();
        facts.sample.replication.channels = Figure::Known(vec![Channel::default()]);
        database.mysql.take(facts, AT);
    }
    let hypervisor = world.nodes.iter_mut().find(|node| node.name.as_str() == "kvm01").unwrap();
    hypervisor.hypervisor.take(hypervisor_facts(), AT);
    world.nodes[1].link.state = LinkState::Down {
        trouble: Trouble::new(TroubleKind::Refused, "connection refused", "start sshd"),
        retry: None,
    };
    (loaded, world)
}

fn switch() -> OvsFacts {
    let port = Port { interfaces: vec![OvsInterface::default()], ..Port::default() };
    let mut facts = OvsFacts::default();
    facts.sample.bridges = vec![Bridge { ports: vec![port], ..Bridge::default() }];
    facts
}

fn hypervisor_facts() -> HypervisorFacts {
    let domain = DomainSample {
        name: "app02".into(),
        disks: vec![DomainDisk::default()],
        interfaces: vec![DomainInterface::default()],
        job: Some(DomainJob::default()),
        ..DomainSample::default()
    };
    let rates = DomainRates {
        disks: vec![DomainDiskRates::default()],
        interfaces: vec![DomainInterfaceRates::default()],
        ..DomainRates::default()
    };
    HypervisorFacts { sample: HypervisorSample { domains: vec![domain] }, rates: vec![rates] }
}

fn services() -> ServicesFacts {
    let listener = Listener { port: 80, protocol: Protocol::Tcp, address: "0.0.0.0".parse().unwrap() };
    ServicesFacts {
        sample: ServicesSample {
            listeners: Figure::Known(vec![listener]),
            web: vec![WebServer::default()],
            nfs: vec![NfsMount::default()],
            ..ServicesSample::default()
        },
        nfs: vec![NfsState::default()],
    }
}

fn haproxy() -> HaproxyFacts {
    let mut facts = HaproxyFacts::default();
    facts.sample.frontends.push(Frontend {
        name: "http_front".into(),
        mode: Figure::Known("http".into()),
        status: "OPEN".into(),
        traffic: Traffic::default(),
    });
    facts.sample.backends.push(Backend {
        name: "web_cluster".into(),
        mode: Figure::Known("http".into()),
        algorithm: Figure::default(),
        status: "UP".into(),
        active_servers: Figure::Known(1),
        backup_servers: Figure::Known(0),
        traffic: Traffic::default(),
        servers: vec![Server {
            name: "web01".into(),
            address: Figure::default(),
            operational: OperationalState::Up,
            admin: Figure::default(),
            configured: Figure::default(),
            backup: Figure::default(),
            weight: Figure::Known(1),
            weight_configured: Figure::Known(1),
            last_change_s: Figure::default(),
            downtime_s: Figure::default(),
            checks_failed_total: Figure::default(),
            downs_total: Figure::default(),
            check: Check::default(),
            traffic: Traffic::default(),
        }],
    });
    facts
}

/// The server that is in the sample, another that is gone from its backend, and one of a backend nobody has.
fn ledger() -> Ledger {
    let wish = |backend: &str, server: &str, wanted| Wish {
        server: ServerPath { backend: backend.into(), server: server.into() },
        wanted,
        since: Wall(AT.wall.0 - 60_000),
        by: "eva".into(),
        reason: Some("kernel update".into()),
        run: PlanId::from("20261123T140322Z-5f3a09c1".to_owned()),
    };
    let wishes = vec![
        wish("web_cluster", "web01", Wanted::Weight(10)),
        wish("web_cluster", "web09", Wanted::Drain),
        wish("gone", "web01", Wanted::Maint),
    ];
    Ledger { wishes, ..Ledger::default() }
}

#[test]
fn a_wish_tells_whether_it_holds_and_what_cannot_be_said() {
    let (inventory, world) = sample();
    let document = serde_json::to_value(document(&world, &inventory, &ledger(), &[], AT)).unwrap();
    let side = |wish: usize| &document["wishes"][wish]["load_balancers"][0];
    assert_eq!(side(0)["holds"], false);
    assert_eq!(side(0)["says"], "weight 1");
    assert_eq!(side(1)["holds"], Value::Null);
    assert_eq!(side(1)["says"], "backend web_cluster has no server web09 now");
    // The load balancer that was read has no such backend; only those that were not read yet are told of.
    for side in document["wishes"][2]["load_balancers"].as_array().unwrap() {
        assert_eq!(side["says"], "not read yet");
    }
}

pub(super) fn finding() -> Finding {
    Finding {
        rule: "node.unreachable".into(),
        severity: Severity::Critical,
        node: None,
        nodes: vec!["web03".into()],
        subject: "web03".into(),
        sentence: "Not reachable".into(),
        evidence: Vec::new(),
        hint: "Start it".into(),
        since: AT,
        follows_from: Some(Follows { rule: "site.dark".into(), title: "Site dark".into(), subject: "oslo".into() }),
        acknowledged: Some(Acknowledgement {
            rule: "node.unreachable".into(),
            subject: "web03".into(),
            severity: Severity::Critical,
            by: "eva".into(),
            reason: "new disk".into(),
            at: AT.wall,
            until: None,
        }),
    }
}
