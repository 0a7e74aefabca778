//! What a frame and a message cost. The bars: a frame of the traffic screen at 200x60 with 1,000 servers at most 1 ms,
//! `update` for one report at most 0.2 ms, and handing it to the flight recorder at most 2 µs.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark of broken input has nothing to say"
)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ratatui::{Terminal, backend::TestBackend};
use std::hint::black_box;
use vakt::{
    app::{
        App, Options,
        msg::{Event, Key, Msg, Report},
        snapshot::Snapshot,
        update,
    },
    model::{
        haproxy::HaproxySample,
        ids::NodeName,
        time::{Mono, Now},
    },
    runtime::{
        collector::understood,
        recorder::{Recorder, Replies, Settings, Target},
    },
    wire::{
        probe::{Facts, ProbeId},
        request::Reply,
    },
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

/// The answers of one node of the lab, as the collector hands them over.
fn lab_report(node: &str, probe: ProbeId, files: &[&str]) -> (Msg, Replies) {
    let captures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let reply = |file: &&str| Reply { bytes: std::fs::read(captures.join(file)).expect(file), ..Reply::default() };
    let replies: Replies = files.iter().map(reply).collect();
    let (outcome, complaints) = understood(probe, &replies);
    let report = Report { node: NodeName::from(node), probe, outcome, complaints, round_trip_ms: 3 };
    (Msg { at: world::at(0), event: Event::Report(report) }, replies)
}

/// What a second of the lab is: ten hosts, two load balancers, two ticks.
fn lab_second() -> Vec<(Msg, Option<Replies>)> {
    let hosts = ["db01", "kvm02", "lb01", "lb02"].map(|name| format!("host/debian-12-lab/{name}.txt"));
    let mut second: Vec<(Msg, Option<Replies>)> = (0..10)
        .map(|index| {
            let (msg, replies) = lab_report("lb01", ProbeId::Host, &[hosts[index % hosts.len()].as_str()]);
            (msg, Some(replies))
        })
        .collect();
    for _ in 0..2 {
        let files = ["info", "stat", "state"].map(|part| format!("haproxy/2.6.12/lab.{part}.txt"));
        let (msg, replies) = lab_report("lb01", ProbeId::Haproxy, &files.each_ref().map(String::as_str));
        second.push((msg, Some(replies)));
        second.push((Msg { at: world::at(0), event: Event::Tick }, None));
    }
    second
}

fn recorder(target: Target) -> Recorder {
    let settings = Settings { target, name: "bench".to_owned(), mask_key: Some([7; 16]), chapter_ms: 300_000 };
    Recorder::start(settings, &world::inventory().into(), &Options::default()).expect("a thread")
}

/// What the flight recorder costs the loop: handing over one report, and one snapshot in each chapter. Then what it
/// costs its own thread: whole minutes of the lab, masked, compressed and written.
fn recording(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("recorder");
    let folder = tempfile::tempdir().expect("a folder");
    let app = world::healthy();
    let (msg, replies) = lab_report("lb01", ProbeId::Haproxy, &["haproxy/2.6.12/lab.stat.txt"]);
    let null = || std::fs::OpenOptions::new().write(true).open("/dev/null").expect("/dev/null");
    group.bench_function("one report, for the loop", |bencher| {
        bencher.iter_custom(|count| {
            // Waits for the thread between batches that fit into the queue: a full queue would be measured otherwise.
            let mut spent = std::time::Duration::ZERO;
            let mut left = count;
            while left > 0 {
                let batch = left.min(1_000);
                let mut recorder = recorder(Target::File(Some(null())));
                recorder.record(&app, &msg, Some(&replies));
                let start = started();
                for _ in 0..batch {
                    recorder.record(black_box(&app), black_box(&msg), Some(black_box(&replies)));
                }
                spent += start.elapsed();
                assert!(recorder.news(msg.at.mono).is_none(), "something was lost");
                assert!(recorder.finish(std::time::Duration::from_secs(60)));
                left -= batch;
            }
            spent
        });
    });
    let full = thousand();
    group.bench_function("a snapshot, for the loop", |bencher| bencher.iter(|| Snapshot::of(black_box(&app))));
    group.bench_function("a snapshot of 1000 servers, for the loop", |bencher| {
        bencher.iter(|| Snapshot::of(black_box(&full)));
    });
    let second = lab_second();
    group.sample_size(10);
    let mut bytes = 0;
    group.bench_function("a minute of the lab, for its thread", |bencher| {
        bencher.iter(|| {
            let path = folder.path().join("minute.vakt.gz");
            let _ = std::fs::remove_file(&path);
            let mut recorder = recorder(Target::file(&path).expect("a new file"));
            for step in 0..60_u64 {
                for (msg, replies) in &second {
                    let at = Now { mono: Mono(world::at(0).mono.0 + step * 1000), ..msg.at };
                    recorder.record(&app, &Msg { at, event: msg.event.clone() }, replies.as_ref());
                }
            }
            assert!(recorder.news(Mono(u64::MAX)).is_none(), "something was lost");
            assert!(recorder.finish(std::time::Duration::from_secs(60)));
            bytes = std::fs::metadata(&path).expect("the file").len();
        });
    });
    let raw: usize = second
        .iter()
        .flat_map(|(_, replies)| replies.iter().flat_map(|replies| replies.iter()))
        .map(|reply| reply.bytes.len())
        .sum();
    println!("recorder: {raw} bytes a second from the nodes, {} bytes a second on the disk", bytes / 60);
    group.finish();
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn started() -> std::time::Instant {
    std::time::Instant::now()
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30).measurement_time(std::time::Duration::from_secs(2)).warm_up_time(std::time::Duration::from_millis(500));
    targets = frames, updates, recording
}
criterion_main!(benches);
