//! A cluster with figures such as the lab gives, to build screens from.

use ratatui::{Terminal, backend::TestBackend};
use vakt::{
    app::{
        App, Options,
        effect::Effect,
        msg::{Event, Key, Msg},
        update,
    },
    model::{
        figure::{Figure, Unknown},
        haproxy::*,
        host::*,
        hypervisor::{DomainJob, DomainState},
        ids::NodeName,
        inventory::*,
        link::{LinkState, Route, Way},
        text::Clean,
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
        tuning::TuningSample,
        world::NodeFacts,
    },
    rules::{Finding, Severity},
    wire::{
        probe::{Facts, ProbeId},
        request::Reply,
    },
};

#[path = "world_guests.rs"]
mod guests;
#[path = "world_inventory.rs"]
mod inventory;

use inventory::node;

pub(crate) use guests::guests;
pub(crate) use inventory::inventory;

use Figure::Known;

/// 2026-11-23 14:03:22 UTC.
const STARTED_WALL: i64 = 1_795_442_602_000;

/// `ms` after the start of every story.
pub(crate) fn at(ms: u64) -> Now {
    Now { mono: Mono(1_000_000 + ms), wall: Wall(STARTED_WALL + i64::try_from(ms).unwrap()) }
}

pub(crate) fn clean(text: &str) -> Clean {
    Clean::line(text)
}

/// A host of modest load; `busy` and `iowait` in percent.
pub(crate) fn host(busy: f64, iowait: f64, load: f64, memory_percent: f64, net_bits: f64) -> HostFacts {
    let total = 2 * 1024 * 1024 * 1024_u64;
    let available = (total as f64 * (1.0 - memory_percent / 100.0)) as u64;
    let disk = |name: &str, writes: f64, wait: f64| DiskRates {
        name: clean(name),
        reads_per_s: Known(writes / 10.0),
        writes_per_s: Known(writes),
        read_bytes_per_s: Known(writes * 1600.0),
        write_bytes_per_s: Known(writes * 16_384.0),
        read_await_ms: if writes > 20.0 { Known(wait / 4.0) } else { Figure::Unknown(Unknown::NothingHappened) },
        write_await_ms: Known(wait),
        queue: Known(writes * wait / 1000.0),
        busy_percent: Known((iowait * 2.2).min(100.0)),
    };
    HostFacts {
        sample: HostSample {
            clock_ms: Known(STARTED_WALL),
            uptime_ms: Known(273_600_000),
            cpus: Known(2),
            blocked_tasks: Known(if iowait > 20.0 { 3 } else { 0 }),
            blocked_commands: if iowait > 20.0 { vec![clean("mariadbd"), clean("jbd2/sda1-8")] } else { Vec::new() },
            load: Known(Load { one_minute: load, five_minutes: load * 0.8, fifteen_minutes: load * 0.5 }),
            memory: Known(Memory {
                total_bytes: total,
                available_bytes: available,
                dirty_bytes: 12 << 20,
                writeback_bytes: 0,
                swap_total_bytes: 1 << 30,
                swap_free_bytes: 1 << 30,
            }),
            oom_kills: Known(0),
            interfaces: vec![InterfaceCounters {
                name: clean("eth0"),
                state: Known(clean("up")),
                ..Default::default()
            }],
            ..HostSample::default()
        },
        window_ms: Known(1000),
        clock_offset_ms: Known(4),
        cpu: Known(CpuShares {
            user: busy * 0.7,
            nice: 0.0,
            system: busy * 0.25,
            idle: 100.0 - busy - iowait,
            iowait,
            irq: 0.0,
            softirq: busy * 0.05,
            steal: 0.0,
        }),
        memory_used_percent: Known(memory_percent),
        swap_in_per_s: Known(0.0),
        swap_out_per_s: Known(0.0),
        oom_kills_new: Known(0),
        cpu_some_percent: Known(busy / 8.0),
        memory_some_percent: Known(0.0),
        io_some_percent: Known(iowait * 0.8),
        io_full_percent: Known(iowait * 0.7),
        disks: vec![disk("sda", 4.0 + iowait * 8.0, 0.8 + iowait * 1.8), disk("loop0", iowait * 2.0, 0.4)],
        interfaces: vec![InterfaceRates {
            name: clean("eth0"),
            rx_bits_per_s: Known(net_bits * 0.3),
            tx_bits_per_s: Known(net_bits * 0.7),
            rx_packets_per_s: Known(net_bits / 9000.0),
            tx_packets_per_s: Known(net_bits / 8000.0),
            drops_per_s: Known(0.0),
            errors_per_s: Known(0.0),
        }],
    }
}

pub(crate) fn profile(name: &str, last_octet: u8, vip: bool) -> HostProfile {
    let address = |text: String| InterfaceAddress { interface: clean("priv0"), address: clean(&text) };
    let mut addresses = vec![address(format!("10.10.0.{last_octet}/24"))];
    if vip {
        addresses.push(address("10.10.0.100/32".to_owned()));
    }
    HostProfile {
        hostname: Known(clean(name)),
        kernel: Known(clean("6.1.0-38-amd64")),
        system: Known(clean("Debian GNU/Linux 12 (bookworm)")),
        virtualisation: Known(Virtualisation::Container(clean("systemd-nspawn"))),
        filesystems: vec![
            Filesystem {
                mount: clean("/"),
                device: clean("overlay"),
                kind: clean("overlay"),
                total_bytes: 40 << 30,
                used_bytes: 13 << 30,
                available_bytes: 27 << 30,
            },
            Filesystem {
                mount: clean("/var/lib/mysql"),
                device: clean("/dev/loop0"),
                kind: clean("ext4"),
                total_bytes: 2 << 30,
                used_bytes: 1_100 << 20,
                available_bytes: 948 << 20,
            },
        ],
        units: vec![
            UnitMemory { unit: clean("ovs-vswitchd.service"), bytes: 67 << 20 },
            UnitMemory { unit: clean("systemd-journald.service"), bytes: 12 << 20 },
            UnitMemory { unit: clean("ssh.service"), bytes: 9 << 20 },
        ],
        units_unknown: None,
        addresses,
        block_devices: Vec::new(),
    }
}

pub(crate) fn server(name: &str, last_octet: u8, http: bool, sessions: u64) -> Server {
    Server {
        name: name.into(),
        address: Known(clean(&format!("10.10.0.{last_octet}:{}", if http { 80 } else { 3306 }))),
        operational: OperationalState::Up,
        admin: Known(AdminState::Ready),
        configured: Known(ConfiguredState::Ready),
        backup: Known(false),
        weight: Known(100),
        weight_configured: Known(100),
        last_change_s: Known(7440),
        downtime_s: Known(12),
        checks_failed_total: Known(6),
        downs_total: Known(2),
        check: Check {
            status: Known(clean(if http { "L7OK" } else { "L4OK" })),
            in_progress: false,
            code: if http { Known(200) } else { Figure::Unknown(Unknown::NotOffered) },
            duration_ms: Known(1),
            text: Known(clean("Layer7 check passed")),
            answer: Known(clean("OK")),
            rise: Known(2),
            fall: Known(3),
            health: Known(4),
        },
        traffic: Traffic {
            sessions_current: Known(sessions),
            sessions_max_seen: Known(sessions * 3 + 4),
            sessions_limit: Known(100),
            sessions_total: Known(1_204_331),
            queue_current: Known(0),
            queue_max_seen: Known(3),
            rate_per_s: Known(301),
            in_bytes: Known(3_400_000_000),
            out_bytes: Known(88_000_000_000),
            answers: Known(Answers {
                success: 1_200_000,
                redirection: 3_000,
                client_error: 1_200,
                server_error: 131,
                ..Answers::default()
            }),
            connect_errors_total: Known(2),
            response_errors_total: Known(1),
            retries_total: Known(4),
            redispatches_total: Known(0),
            queue_time_ms: Known(0),
            connect_time_ms: Known(1),
            response_time_ms: if http { Known(11) } else { Figure::Unknown(Unknown::NotOffered) },
            total_time_ms: Known(14),
            last_session_s: Known(0),
            ..Traffic::default()
        },
    }
}

pub(crate) fn rates(http: bool, per_s: f64) -> TrafficRates {
    TrafficRates {
        sessions_per_s: Known(per_s),
        requests_per_s: if http { Known(per_s) } else { Figure::Unknown(Unknown::NotOffered) },
        in_bits_per_s: Known(per_s * 3_200.0),
        out_bits_per_s: Known(per_s * 73_000.0),
        server_errors_percent: if !http {
            Figure::Unknown(Unknown::NotOffered)
        } else if per_s > 0.0 {
            Known(0.1)
        } else {
            Figure::Unknown(Unknown::NothingHappened)
        },
        client_errors_percent: if http { Known(0.4) } else { Figure::Unknown(Unknown::NotOffered) },
        failures_per_s: Known(0.0),
    }
}

/// One load balancer's facts; `share` is its part of the traffic.
pub(crate) fn haproxy(share: f64) -> HaproxyFacts {
    let web: Vec<Server> = (1..=3).map(|n| server(&format!("web0{n}"), 20 + n, true, (12.0 * share) as u64)).collect();
    let db: Vec<Server> =
        (1..=3).map(|n| server(&format!("db0{n}"), 30 + n, false, if n == 1 { 7 } else { 0 })).collect();
    let backend = |name: &str, mode: &str, algorithm: &str, servers: Vec<Server>| Backend {
        name: name.into(),
        mode: Known(clean(mode)),
        algorithm: Known(clean(algorithm)),
        status: clean("UP"),
        active_servers: Known(servers.len() as u64),
        backup_servers: Known(0),
        traffic: Traffic {
            sessions_current: Known((36.0 * share) as u64),
            queue_current: Known(0),
            ..Traffic::default()
        },
        servers,
    };
    let frontend = |name: &str, mode: &str, sessions: u64| Frontend {
        name: name.into(),
        mode: Known(clean(mode)),
        status: clean("OPEN"),
        traffic: Traffic {
            sessions_current: Known(sessions),
            sessions_limit: Known(2000),
            sessions_max_seen: Known(188),
            queue_current: Figure::Unknown(Unknown::NotOffered),
            ..Traffic::default()
        },
    };
    HaproxyFacts {
        sample: HaproxySample {
            info: ProcessInfo {
                version: Known(clean("2.6.12-1+deb12u2")),
                pid: Known(412),
                uptime_s: Known(7440),
                ..ProcessInfo::default()
            },
            frontends: vec![
                frontend("web_in", "http", (24.0 * share) as u64),
                frontend("mysql_in", "tcp", (14.0 * share) as u64),
            ],
            backends: vec![backend("web_cluster", "http", "roundrobin", web), backend("mysql_rw", "tcp", "first", db)],
        },
        restarts_seen: 0,
        frontend_rates: vec![rates(true, 1204.0 * share), rates(false, 0.4 * share)],
        backend_rates: vec![rates(true, 1204.0 * share), rates(false, 0.4 * share)],
        server_rates: vec![
            vec![rates(true, 402.0 * share), rates(true, 400.0 * share), rates(true, 402.0 * share)],
            vec![rates(false, 0.4 * share), rates(false, 0.0), rates(false, 0.0)],
        ],
    }
}

/// The settings of a node without a database, as a Debian 12 told them.
fn settings() -> TuningSample {
    let bytes = include_bytes!("../captures/tuning/debian-12-lab/edge.files.txt").to_vec();
    match ProbeId::Tuning.probe().interpret(&[Reply { bytes, ..Reply::default() }]) {
        (Some(Facts::Tuning(sample)), _) => *sample,
        // The screens would show that nothing was read.
        _ => TuningSample::default(),
    }
}

/// A console on a healthy cluster whose newest figures are 0.4 s old.
pub(crate) fn healthy() -> App {
    let mut app = connecting();
    let seen = at(0);
    for listed in inventory().nodes {
        let name = listed.name.as_str();
        let (busy, iowait, load, memory, net) = match name {
            "lb01" => (11.0, 0.1, 0.42, 38.0, 88_400_000.0),
            "lb02" => (1.0, 0.0, 0.05, 31.0, 120_000.0),
            "web01" => (14.0, 0.2, 0.61, 22.0, 29_800_000.0),
            "web02" => (15.0, 0.1, 0.58, 22.0, 29_100_000.0),
            "web03" => (13.0, 0.3, 0.55, 23.0, 28_900_000.0),
            "db01" => (31.0, 4.0, 1.10, 71.0, 12_100_000.0),
            "db02" => (9.0, 2.0, 0.31, 64.0, 4_400_000.0),
            "db03" => (8.0, 2.0, 0.29, 64.0, 4_300_000.0),
            "kvm01" => (22.0, 1.0, 0.90, 58.0, 2_100_000.0),
            _ => (19.0, 1.0, 0.85, 55.0, 1_900_000.0),
        };
        let octet = listed.management.rsplit('.').next().unwrap().parse().unwrap();
        let facts = app.world.node_mut(&listed.name).unwrap();
        facts.link.state = LinkState::Up;
        facts.link.since = seen;
        facts.link.up_at = Some(seen);
        for step in 0..120_u16 {
            // A wave, so that charts have a shape; two missed polls, so that they have a gap.
            let wave = 0.6 + f64::from((step * 7) % 40) / 50.0;
            let at = Mono(seen.mono.0 - 1000 * u64::from(120 - step));
            if (90..98).contains(&step) {
                app.history.push_host_gap(&listed.name, at);
            } else {
                let figures = host(busy * wave, iowait * wave, load * wave, memory, net * wave);
                app.history.push_host(&listed.name, &figures, at);
            }
        }
        facts.host.take(host(busy, iowait, load, memory, net), seen);
        facts.profile.take(profile(name, octet, name == "lb01"), seen);
        facts.tuning.take(settings(), seen);
        if listed.libvirt_socket.is_some() {
            let (guests, profile) = guests(name);
            facts.hypervisor.take(guests, seen);
            facts.hypervisor_profile.take(profile, seen);
        }
        if listed.haproxy_socket.is_some() {
            let share = if name == "lb01" { 1.0 } else { 0.0 };
            for step in 0..120_u16 {
                let wave = 1.0 + f64::from(step % 20) / 40.0;
                app.history.push_haproxy(
                    &listed.name,
                    &haproxy(share * wave),
                    Mono(seen.mono.0 - 1000 * u64::from(120 - step)),
                );
            }
            facts.haproxy.take(haproxy(share), seen);
            let path = clean("/run/haproxy/admin.sock");
            facts.link.routes = vec![Route { path, way: Ok(Way::StreamLocal) }];
        }
    }
    app.now = at(400);
    app
}

/// A console that has just been started.
pub(crate) fn connecting() -> App {
    let mut app = App::new(inventory(), Options::default(), at(0));
    for listed in inventory().nodes {
        app.world.node_mut(&listed.name).unwrap().link.state = LinkState::Connecting { stage: clean("authenticating") };
    }
    app
}

pub(crate) fn finding(severity: Severity, node: &str, subject: &str, sentence: &str, since_ms: u64) -> Finding {
    Finding {
        rule: clean("story.rule"),
        severity,
        node: Some(node.into()),
        nodes: vec![node.into()],
        subject: clean(subject),
        sentence: clean(sentence),
        evidence: vec![
            clean("lb01: L7TOUT after 500 ms, 3 of 3 failed"),
            clean("lb02: L7TOUT after 500 ms, 3 of 3 failed"),
        ],
        hint: clean("look at the web server on web03: is nginx running, does /health answer"),
        since: at(since_ms),
        follows_from: None,
        acknowledged: None,
    }
}

/// web03 down, db01 slow because of its disk, db03 cut off, the load balancers at odds about web02.
pub(crate) fn failing() -> App {
    let mut app = healthy();
    let now = at(60_000);
    for facts in &mut app.world.nodes {
        let name = facts.name.as_str().to_owned();
        if name == "db03" {
            facts.link.state = LinkState::Down {
                trouble: Trouble::new(
                    TroubleKind::TimedOut,
                    "no answer from 10.99.0.33 port 22 within 5 s",
                    "check that db03 runs and that 10.99.0.33 can be reached from here",
                ),
                retry: Some(at(62_000)),
            };
            facts.link.since = at(19_000);
            continue;
        }
        let taken = at(59_600);
        if let Some(old) = facts.host.last().cloned() {
            let new = if name == "db01" { host(31.0, 44.0, 6.1, 71.0, 12_100_000.0) } else { old };
            facts.host.take(new, taken);
        }
        if let Some(mut proxy) = facts.haproxy.last().cloned() {
            proxy.sample.backends[0].active_servers = Known(if name == "lb02" { 1 } else { 2 });
            let web03 = &mut proxy.sample.backends[0].servers[2];
            web03.operational = OperationalState::Down;
            web03.last_change_s = Known(12);
            web03.check.status = Known(clean("L7TOUT"));
            web03.check.code = Figure::Unknown(Unknown::NotOffered);
            web03.check.duration_ms = Known(500);
            web03.check.text = Known(clean("Layer7 timeout"));
            web03.check.answer = Known(clean(""));
            web03.check.health = Known(0);
            web03.traffic.sessions_current = Known(0);
            proxy.server_rates[0][2] = rates(true, 0.0);
            if name == "lb02" {
                proxy.sample.backends[0].servers[1].admin = Known(AdminState::Drain);
                proxy.sample.backends[0].servers[1].operational = OperationalState::Draining;
            }
            facts.haproxy.take(proxy, taken);
        }
        fail_guests(facts, taken);
    }
    app.findings = vec![
        finding(
            Severity::Critical,
            "db03",
            "db03",
            "Unreachable: no answer from 10.99.0.33 port 22 within 5 s",
            19_000,
        ),
        finding(
            Severity::Critical,
            "web03",
            "web_cluster/web03",
            "Down on both load balancers: the check times out after 500 ms",
            48_000,
        ),
        finding(Severity::Warning, "db01", "db01", "44 % iowait: sda answers writes in 80 ms and is 97 % busy", 31_000),
        finding(Severity::Warning, "web02", "web_cluster/web02", "lb01 says ready, lb02 says drain", 22_000),
    ];
    app.now = now;
    app
}

/// On kvm01 one guest lost its disk and another moves away; libvirtd of kvm02 says nothing.
fn fail_guests(facts: &mut NodeFacts, taken: Now) {
    if facts.name.as_str() == "kvm01"
        && let Some(mut guests) = facts.hypervisor.last().cloned()
    {
        guests.sample.domains[0].state = Known(DomainState::Paused);
        guests.sample.domains[0].reason = Known(5);
        guests.rates[1].steal_percent = Known(31.0);
        guests.sample.domains[1].job = Some(DomainJob {
            operation: clean("migration out"),
            elapsed_ms: Known(4_000),
            total_bytes: Known(2 << 30),
            remaining_bytes: Known(1 << 30),
            dirty_pages_per_s: Known(300),
        });
        facts.hypervisor.take(guests, taken);
    } else if facts.name.as_str() == "kvm02" {
        let cause = "libvirtd on kvm02 took the question and said nothing for 1800 ms";
        let silent = Trouble::new(TroubleKind::LibvirtSilent, cause, "look at its log");
        facts.hypervisor.fail_with(&silent, at(53_000));
    }
}

/// Nothing has answered for twelve seconds.
pub(crate) fn stale() -> App {
    let mut app = healthy();
    for facts in &mut app.world.nodes {
        facts.host.fail(clean("no answer within 2 s"), at(2400));
        facts.haproxy.fail(clean("no answer within 2 s"), at(2400));
        facts.hypervisor.fail(clean("no answer within 2 s"), at(2400));
    }
    app.now = at(12_400);
    app
}

/// Over two hundred nodes and as many servers.
pub(crate) fn large() -> App {
    let mut inventory = inventory();
    for index in 0..210_u16 {
        let mut extra = node(&format!("app{index:03}"), Role::App, 50, "oslo");
        extra.management = format!("10.99.{}.{}", 1 + index / 250, index % 250);
        inventory.nodes.push(extra);
    }
    let healthy = healthy();
    let mut app = App::new(inventory, Options::default(), at(0));
    for facts in &mut app.world.nodes {
        if let Some(known) = healthy.world.node(&facts.name) {
            *facts = known.clone();
        } else {
            facts.link.state = LinkState::Up;
            facts.host.take(host(5.0, 0.0, 0.1, 20.0, 1_000_000.0), at(0));
        }
        if let Some(proxy) = facts.haproxy.last().cloned() {
            facts.haproxy.take(with_servers(proxy, 210), at(0));
        }
    }
    app.now = at(400);
    app
}

/// The same facts with one more backend of `count` servers.
pub(crate) fn with_servers(mut proxy: HaproxyFacts, count: usize) -> HaproxyFacts {
    let mut pool = proxy.sample.backends[0].clone();
    pool.name = "app_pool".into();
    pool.servers = (0..count).map(|index| server(&format!("app{index:03}"), 50, true, 3)).collect();
    proxy.server_rates.push(vec![rates(true, 42.0); count]);
    proxy.backend_rates.push(rates(true, 42.0 * count as f64));
    proxy.sample.backends.push(pool);
    proxy
}

/// Sends one message.
pub(crate) fn send(app: &mut App, event: Event) -> Vec<Effect> {
    let at = app.now;
    update(app, Msg { at, event })
}

/// Sets the terminal's size.
pub(crate) fn resize(app: &mut App, width: u16, height: u16) {
    send(app, Event::Resize { width, height });
}

/// Presses keys: words of the key notation by that notation, everything else letter by letter.
pub(crate) fn press(app: &mut App, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for word in keys.split_whitespace() {
        match Key::parse(word) {
            Some(key) => effects.extend(send(app, Event::Key(key))),
            None => {
                for letter in word.chars() {
                    let key = Key::parse(&letter.to_string()).unwrap();
                    effects.extend(send(app, Event::Key(key)));
                }
            }
        }
    }
    effects
}

/// Draws the console at its size.
pub(crate) fn drawn(app: &App) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(app.size.width, app.size.height)).unwrap();
    terminal.draw(|frame| vakt::view::draw(frame, app)).unwrap();
    terminal
}

/// The screen as text, without trailing spaces.
pub(crate) fn text(app: &App) -> String {
    let terminal = drawn(app);
    let buffer = terminal.backend().buffer();
    let area = buffer.area;
    let mut text = String::new();
    for y in 0..area.height {
        let line: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A name that nobody will see.
pub(crate) fn name(name: &str) -> NodeName {
    name.into()
}
