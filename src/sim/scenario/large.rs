//! A cluster of any size, for `vakt demo --nodes` and benchmarks.

use super::{BackendFile, NODES_MAX, Scenario};
use crate::{
    model::{ids::NodeName, inventory::Role},
    sim::cluster::{HostFile, TrafficMix},
};

/// Nodes that one pair of load balancers serves, itself included.
const GROUP: usize = 100;
/// Nodes behind one pair at least, so that the pair has something to balance.
const NODES_MIN: usize = 3;

/// Groups of a hundred nodes: two load balancers, and web servers behind them. Clients come to both.
pub(super) fn scenario(count: usize) -> Scenario {
    let count = count.clamp(NODES_MIN, NODES_MAX);
    let groups = count.div_ceil(GROUP);
    let mut scenario = Scenario {
        name: format!("{count} nodes"),
        about: format!("{count} nodes, two load balancers for every {GROUP}"),
        cluster: "large".into(),
        latency_ms: 1,
        is_one_holder: false,
        keeps_state: false,
        has_mysql: false,
        vips: Vec::new(),
        writes: None,
        nodes: Vec::new(),
        sites: Vec::new(),
        switches: Vec::new(),
        backends: Vec::new(),
        script: Vec::new(),
    };
    for group in 0..groups {
        let size = (count - group * GROUP).min(GROUP);
        let first = scenario.nodes.len();
        for place in 0..size {
            let number = first + place;
            let (name, role) = if place < 2 && size > 2 {
                (format!("lb{:02}", group * 2 + place + 1), Role::Edge)
            } else {
                (format!("web{:04}", number + 1), Role::Web)
            };
            let (third, fourth) = (number / 200, number % 200 + 11);
            scenario.nodes.push(HostFile {
                name: NodeName::from(name.as_str()),
                role,
                management: format!("10.99.{third}.{fourth}"),
                private: format!("10.10.{third}.{fourth}"),
                public: None,
                on: None,
            });
            scenario.sites.push(Some(format!("room{:02}", group + 1)));
            scenario.switches.push(false);
        }
        if size <= 2 {
            continue;
        }
        scenario.backends.push(BackendFile {
            name: format!("web_{:02}", group + 1),
            frontend: format!("http_{:02}", group + 1),
            mode: "http",
            algorithm: "roundrobin",
            port: 80,
            servers: (first + 2..first + size).collect(),
            disabled: Vec::new(),
            balancers: vec![first, first + 1],
            weight: 1,
            rise: 2,
            fall: 3,
            check_ms: 2_000,
            server_sessions_max: 100,
            sessions_max: 5_000,
            mix: TrafficMix { rate: 50.0, ..TrafficMix::default() },
        });
    }
    scenario
}
