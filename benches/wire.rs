//! What an answer costs the console: bytes to facts, facts to rates, rates to history. The input is a real capture, its
//! server row repeated a thousand times.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark of broken input has nothing to say")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use std::{fmt::Write, fs, hint::black_box};
use vakt::{
    history::{
        haproxy,
        recent::{History, SeriesKey, TrafficFigure},
    },
    model::{haproxy::HaproxySample, ids::NodeName, time::Mono},
    wire::{
        probe::{Facts, ProbeId},
        request::Reply,
    },
};

const SERVERS: usize = 1_000;
const BACKENDS: usize = 20;

fn capture(path: &str) -> String {
    fs::read_to_string(format!("{}/tests/captures/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The three answers of a process with a thousand servers.
fn answers() -> Vec<Reply> {
    let [info, mut stat, mut state] =
        ["info", "stat", "state"].map(|part| capture(&format!("haproxy/2.6.12/every-state.{part}.txt")));
    let server = stat.lines().find(|line| line.starts_with("web_cluster,web01,")).unwrap().to_owned();
    let backend = stat.lines().find(|line| line.starts_with("web_cluster,BACKEND,")).unwrap().to_owned();
    let server_state = state.lines().find(|line| line.contains(" web01 ")).unwrap().to_owned();
    for index in 0..SERVERS {
        let (pool, name) = (format!("b{}", index * BACKENDS / SERVERS), format!("server-{index:04}"));
        writeln!(stat, "{}", server.replacen("web_cluster,web01", &format!("{pool},{name}"), 1)).unwrap();
        writeln!(state, "{}", server_state.replacen("web_cluster 1 web01", &format!("{pool} 1 {name}"), 1)).unwrap();
    }
    for index in 0..BACKENDS {
        writeln!(stat, "{}", backend.replacen("web_cluster", &format!("b{index}"), 1)).unwrap();
    }
    [info, stat, state].into_iter().map(|text| Reply { bytes: text.into_bytes(), ..Reply::default() }).collect()
}

fn sample(answers: &[Reply]) -> HaproxySample {
    match ProbeId::Haproxy.probe().interpret(answers) {
        (Some(Facts::Haproxy(sample)), _) => *sample,
        other => panic!("{other:?}"),
    }
}

fn haproxy_answers(criterion: &mut Criterion) {
    let answers = answers();
    let mut group = criterion.benchmark_group("haproxy, 1000 servers");
    group.bench_function("interpret", |bencher| bencher.iter(|| black_box(sample(&answers))));
    let earlier = haproxy::derive(None, sample(&answers), 1000);
    group.bench_function("derive", |bencher| {
        bencher.iter_batched(
            || sample(&answers),
            |newer| black_box(haproxy::derive(Some(&earlier), newer, 1000)),
            BatchSize::LargeInput,
        );
    });
    let (node, mut history, mut at) = (NodeName::from("lb01"), History::new(1000, 1000), 0);
    group.bench_function("history", |bencher| {
        bencher.iter(|| {
            at += 1000;
            history.push_haproxy(&node, &earlier, Mono(at));
        });
    });
    // Hours of it: what a chart of two hundred columns reads.
    let key = SeriesKey::Backend { node: node.clone(), backend: "b0".into(), figure: TrafficFigure::Sessions };
    group.bench_function("chart of four hours", |bencher| {
        bencher.iter(|| {
            let column = |index: u64| {
                let from = Mono(at.saturating_sub((200 - index) * 72_000));
                history.largest(&key, from, Mono(from.0 + 72_000))
            };
            black_box((0..200).filter_map(column).count())
        });
    });
    group.finish();
}

fn host_answer(criterion: &mut Criterion) {
    let answer = [Reply { bytes: capture("host/debian-12-lab/lb01.txt").into_bytes(), ..Reply::default() }];
    criterion.bench_function("host, interpret", |bencher| {
        bencher.iter(|| black_box(ProbeId::Host.probe().interpret(&answer)));
    });
}

criterion_group!(wire, haproxy_answers, host_answer);
criterion_main!(wire);
