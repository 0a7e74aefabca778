//! What a poll costs the console, printed for a person:
//! `CARGO_PROFILE_DEV_OPT_LEVEL=3 cargo test --test integration cost -- --ignored --nocapture`.

use super::captures::{captures, replies};
use std::{fmt::Write as _, time::Instant};
use vakt::{
    history::{haproxy, recent::History},
    model::{ids::NodeName, time::Mono},
    wire::{
        probe::{Facts, ProbeId},
        request::Reply,
    },
};

/// The answers of a process with `count` servers in 20 backends, from the rows of a real one.
fn many_servers(count: usize) -> Vec<Reply> {
    let mut replies = replies(&captures("haproxy", "every-state.stat.txt")[0]);
    let stat = String::from_utf8(replies[1].bytes.clone()).unwrap();
    let state = String::from_utf8(replies[2].bytes.clone()).unwrap();
    let row = stat.lines().find(|line| line.starts_with("web_cluster,web01,")).unwrap();
    let own = stat.lines().find(|line| line.starts_with("web_cluster,BACKEND,")).unwrap();
    let (mut more_stat, mut more_state) = (String::new(), String::new());
    let state_row = state.lines().find(|line| line.contains(" web01 ")).unwrap();
    for index in 0..count {
        let (backend, server) = (format!("b{}", index * 20 / count), format!("server-{index:04}"));
        writeln!(more_stat, "{}", row.replacen("web_cluster,web01", &format!("{backend},{server}"), 1)).unwrap();
        writeln!(more_state, "{}", state_row.replacen("web_cluster 1 web01", &format!("{backend} 1 {server}"), 1))
            .unwrap();
    }
    for index in 0..20 {
        writeln!(more_stat, "{}", own.replacen("web_cluster", &format!("b{index}"), 1)).unwrap();
    }
    replies[1].bytes.extend(more_stat.into_bytes());
    replies[2].bytes.extend(more_state.into_bytes());
    replies
}

#[test]
#[ignore = "measures only"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn cost_of_a_thousand_servers() {
    let replies = many_servers(1000);
    let (node, mut history, mut earlier) = (NodeName::from("lb"), History::new(1000, 1000), None);
    let (mut parse, mut derive, mut push) = (Vec::new(), Vec::new(), Vec::new());
    let polls = 700_u64;
    for poll in 0..polls {
        let start = Instant::now();
        let (Some(Facts::Haproxy(sample)), _) = ProbeId::Haproxy.probe().interpret(&replies) else { panic!() };
        parse.push(start.elapsed().as_micros());
        let start = Instant::now();
        let facts = haproxy::derive(earlier.as_ref(), *sample, 1000);
        derive.push(start.elapsed().as_micros());
        let start = Instant::now();
        history.push_haproxy(&node, &facts, Mono(poll * 1000));
        push.push(start.elapsed().as_micros());
        earlier = Some(facts);
    }
    // The median: other programs run beside this one.
    let each = |mut times: Vec<u128>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let size: usize = replies.iter().map(|reply| reply.bytes.len()).sum();
    println!(
        "1000 servers, {size} bytes: interpret {} µs, derive {} µs, history {} µs",
        each(parse),
        each(derive),
        each(push)
    );

    let host = super::captures::replies(&captures("host", "lb01.txt")[0]);
    let start = Instant::now();
    for _ in 0..1000 {
        ProbeId::Host.probe().interpret(&host);
    }
    println!("host, {} bytes: interpret {} µs", host[0].bytes.len(), start.elapsed().as_micros() / 1000);
}
