//! What a frame and a message cost. The bars: a frame of the traffic screen at 200x60 with 1,000 servers at most 1 ms,
//! `update` for one report at most 0.2 ms.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark of broken input has nothing to say")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ratatui::{Terminal, backend::TestBackend};
use std::hint::black_box;
use vakt::{
    app::{
        App, Options,
        msg::{Event, Key, Msg, Report},
        update,
    },
    model::{
        haproxy::HaproxySample,
        ids::NodeName,
        time::{Mono, Now},
    },
    wire::probe::{Facts, ProbeId},
};

#[expect(dead_code, clippy::wildcard_imports, reason = "the tests' world has more than a benchmark needs")]
#[path = "../tests/console/world.rs"]
mod world;

const SERVERS: usize = 1_000;

/// Two load balancers that both know a thousand servers, and the traffic screen open.
fn thousand() -> App {
    let mut app = App::new(world::inventory(), Options::default(), world::at(0));
    let healthy = world::healthy();
    for facts in &mut app.world.nodes {
        *facts = healthy.world.node(&facts.name).cloned().unwrap_or_else(|| facts.clone());
        if let Some(proxy) = facts.haproxy.last().cloned() {
            facts.haproxy.take(world::with_servers(proxy, SERVERS), world::at(0));
        }
    }
    app.now = world::at(400);
    world::resize(&mut app, 200, 60);
    world::press(&mut app, "2");
    app
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame 200x60");
    // What ratatui itself costs: comparing two screens of which nothing differs.
    let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("a terminal in memory");
    group.bench_function("nothing drawn", |bencher| {
        bencher.iter(|| {
            terminal
                .draw(|frame| {
                    black_box(frame.area());
                })
                .expect("drawing into memory");
        });
    });
    let places = [
        ("traffic, 1000 servers", "2"),
        ("traffic, 1000 servers, in the middle", "2 pagedown pagedown pagedown pagedown pagedown"),
        ("traffic, 1000 servers, sorted by rate", "2 s s s"),
        ("traffic, 1000 servers, filtered", "2 / app5 enter"),
        ("overview", "1"),
        ("node", "6 enter"),
    ];
    for (name, keys) in places {
        let mut app = thousand();
        world::press(&mut app, keys);
        let mut terminal = Terminal::new(TestBackend::new(200, 60)).expect("a terminal in memory");
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                terminal.draw(|frame| vakt::view::draw(frame, black_box(&app))).expect("drawing into memory");
            });
        });
    }
    group.finish();
}

fn report(probe: ProbeId, node: &str, facts: Facts) -> Event {
    Event::Report(Report {
        node: NodeName::from(node),
        probe,
        outcome: Ok(facts),
        complaints: Vec::new(),
        round_trip_ms: 3,
    })
}

/// Each message comes a second after the one before, as polls do.
fn updates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("update");
    let sample = |servers: usize| -> HaproxySample {
        let facts = world::haproxy(1.0);
        if servers == 0 { facts.sample } else { world::with_servers(facts, servers).sample }
    };
    let host = world::host(11.0, 0.1, 0.4, 38.0, 88e6).sample;
    let reports = [
        ("host report", report(ProbeId::Host, "lb01", Facts::Host(Box::new(host)))),
        ("haproxy report of the lab", report(ProbeId::Haproxy, "lb01", Facts::Haproxy(Box::new(sample(0))))),
        ("haproxy report of 1000 servers", report(ProbeId::Haproxy, "lb01", Facts::Haproxy(Box::new(sample(SERVERS))))),
    ];
    for (name, event) in reports {
        let mut app = thousand();
        let mut now = app.now.mono.0;
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || event.clone(),
                |event| {
                    now += 1000;
                    update(&mut app, Msg { at: Now { mono: Mono(now), ..world::at(0) }, event })
                },
                BatchSize::SmallInput,
            );
        });
    }
    let mut app = thousand();
    let key = Event::Key(Key::parse("j").expect("a key"));
    group.bench_function("a key in a list of 1000 servers", |bencher| {
        bencher.iter(|| update(&mut app, Msg { at: world::at(500), event: key.clone() }));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = frames, updates
}
criterion_main!(benches);
