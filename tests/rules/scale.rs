//! What an evaluation costs with a thousand servers on each of two load balancers and fifty nodes.

use super::stage::{self, Stage};
use std::path::Path;
use vakt::{
    config,
    model::{link::LinkState, world::World},
    rules::{Operators, Rules},
};

/// Fifty nodes, two of them load balancers with ten backends of a hundred servers; every `ill`-th server is down.
fn large(ill: usize) -> Stage {
    let mut stage = Stage::new();
    let mut text = String::from("[cluster]\nname = \"big\"\n");
    for node in 0..50 {
        let role = if node < 2 { "edge" } else { "web" };
        let (node, host) = (node.to_string(), (node + 1).to_string());
        text += &["[[node]]\nname = \"n", &node, "\"\nroles = [\"", role, "\"]\nmanagement = \"n", &node].concat();
        text += &["\"\nprivate = \"10.1.0.", &host, "\"\n"].concat();
    }
    stage.inventory = config::load(Path::new("x"), &text, &config::FileMetadata::default()).unwrap().inventory;
    let mut haproxy = stage.haproxies[0].clone();
    haproxy.sample.backends = (0..10)
        .map(|backend| {
            let servers = (0..100).map(|server| {
                let index = backend * 100 + server;
                let mut server = stage::server(&format!("s{index}"), &format!("10.2.{backend}.{server}:80"));
                if index % ill == ill - 1 {
                    stage::fails(60)(&mut server);
                }
                server
            });
            stage::backend(&format!("b{backend}"), servers.collect())
        })
        .collect();
    let (host, profile) = (stage.world.nodes[0].host.last().unwrap().clone(), stage.profiles[0].clone());
    let now = stage.now;
    stage.world = World::new(&stage.inventory);
    for (index, node) in stage.world.nodes.iter_mut().enumerate() {
        (node.link.state, node.link.since, node.link.up_at) = (LinkState::Up, now, Some(now));
        node.host.take(host.clone(), now);
        node.profile.take(profile.clone(), now);
        if index < 2 {
            node.haproxy.take(haproxy.clone(), now);
        }
    }
    stage.rules = Rules::default();
    stage
}

#[test]
fn a_thousand_servers_are_folded_and_counted() {
    for (ill, expected) in [(2000, 0), (100, 10), (13, 76), (2, 10), (1, 10)] {
        let mut stage = large(ill);
        let findings = stage.rules.evaluate(&stage.world, &stage.inventory, Operators::NONE, stage.now);
        assert_eq!(findings.len(), expected, "every {ill}th server is down");
    }
}

/// Prints the cost; the bound is loose because tests are not optimised. `cargo test -- --nocapture` shows it.
#[test]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn an_evaluation_of_a_thousand_servers_is_cheap() {
    for ill in [2000, 100, 2] {
        let mut stage = large(ill);
        let started = std::time::Instant::now();
        for _ in 0..20 {
            stage.rules.evaluate(&stage.world, &stage.inventory, Operators::NONE, stage.now);
        }
        let each = started.elapsed() / 20;
        println!("every {ill}th of 1000 servers down: {each:?} an evaluation");
        assert!(each.as_millis() < 250, "{each:?}");
    }
}
