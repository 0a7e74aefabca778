//! Plans and refusals of moving a virtual address: on what two load balancers and a web server of the lab answered.

use super::{golden, intent};
use crate::run::cluster::{Cluster, START};
use std::{fs, path::Path};
use vakt::{
    config::{self, FileMetadata},
    model::{
        haproxy::HaproxyFacts,
        ids::NodeName,
        inventory::{Inventory, Policy},
        presence::{PresenceFacts, PresenceSample},
        time::{Mono, Now, Wall},
        world::World,
    },
    plan::{self, Plan, Planned, ReasonKind, Refusal, lint::lint},
    wire::{
        probe::{Facts, ProbeId},
        request::Reply,
    },
};

/// Lines of the answers of both load balancers and of web02, and whether each HAProxy answers.
struct Lab {
    answers: [(&'static str, String); 3],
    balancers: Cluster,
    silent: Vec<&'static str>,
}

impl Lab {
    /// lb01 holds both addresses with priority 150, lb02 has 100.
    fn healthy() -> Self {
        let capture = |name: &str| {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures/presence/debian-12-lab");
            fs::read_to_string(format!("{folder}/{name}.txt")).unwrap()
        };
        Self {
            answers: [("lb01", capture("lb01")), ("lb02", capture("lb02")), ("web02", capture("web02"))],
            balancers: Cluster::healthy(),
            silent: Vec::new(),
        }
    }

    /// The same with another text in the answer of a node.
    fn with(mut self, node: &str, from: &str, to: &str) -> Self {
        let answer = &mut self.answers.iter_mut().find(|(name, _)| *name == node).unwrap().1;
        assert!(answer.contains(from), "{node} says nothing of {from:?}");
        *answer = answer.replace(from, to);
        self
    }

    fn on_both(self, from: &str, to: &str) -> Self {
        self.with("lb01", from, to).with("lb02", from, to)
    }

    /// lb02 holds them, because lb01 was put one below it.
    fn moved(self) -> Self {
        self.with("lb01", "/etc/keepalived/priority:0", "/etc/keepalived/priority:-51")
            .without("lb01", &["10.10.0.100", "203.0.113.100"])
            .holding("lb02", &["10.10.0.100", "203.0.113.100"])
    }

    fn holding(mut self, node: &str, addresses: &[&str]) -> Self {
        let answer = &mut self.answers.iter_mut().find(|(name, _)| *name == node).unwrap().1;
        for address in addresses {
            let leaf = format!("/proc/net/fib_trie:     |-- {address}\n/proc/net/fib_trie:        /32 host LOCAL\n");
            answer.push_str(&leaf);
        }
        self
    }

    /// An address that the kernel takes no packets for any more.
    fn without(mut self, node: &str, addresses: &[&str]) -> Self {
        let answer = &mut self.answers.iter_mut().find(|(name, _)| *name == node).unwrap().1;
        for address in addresses {
            *answer = answer
                .lines()
                .filter(|line| !line.ends_with(&format!("|-- {address}")))
                .fold(String::new(), |text, line| text + line + "\n");
        }
        self
    }

    /// Its processes are in another state, or there are none.
    fn keepalived(mut self, node: &str, state: Option<&str>) -> Self {
        let answer = &mut self.answers.iter_mut().find(|(name, _)| *name == node).unwrap().1;
        let keeps = |line: &&str| state.is_some() || !line.contains("(keepalived)");
        let lines = answer.lines().filter(keeps).map(|line| match state {
            Some(state) => line.replace("(keepalived) S ", &format!("(keepalived) {state} ")),
            None => line.to_owned(),
        });
        *answer = lines.fold(String::new(), |text, line| text + &line + "\n");
        self
    }

    /// No web server passes its check there.
    fn dark(mut self, balancer: &str) -> Self {
        let servers = &mut self.balancers.on(balancer).servers;
        for server in servers.iter_mut().filter(|server| server.backend == "web_cluster") {
            (server.healthy, server.failed, server.passed) = (false, true, false);
        }
        self
    }

    fn sample(answer: &str) -> PresenceSample {
        let reply = Reply { bytes: answer.as_bytes().to_vec(), ..Reply::default() };
        match ProbeId::Presence.probe().interpret(&[reply]) {
            (Some(Facts::Presence(sample)), complaints) if complaints.is_empty() => *sample,
            (_, complaints) => panic!("{complaints:?}"),
        }
    }

    fn world(&self) -> (World, Inventory) {
        let inventory = inventory();
        let mut world = World::new(&inventory);
        let at = Now { mono: Mono(START.mono.0 - 300), wall: Wall(START.wall.0 - 300) };
        for (name, answer) in &self.answers {
            let sample = Self::sample(answer);
            let since = sample.addresses.as_ref().known().map_or(0, Vec::len);
            let facts = PresenceFacts { sample, since: vec![at; since], moves: Vec::new(), waits_for_disk: false };
            world.node_mut(&NodeName::from(*name)).unwrap().presence.take(facts, at);
        }
        let (balanced, _) = self.balancers.world();
        for name in ["lb01", "lb02"] {
            let name = NodeName::from(name);
            let facts: HaproxyFacts = balanced.node(&name).unwrap().haproxy.last().unwrap().clone();
            if !self.silent.contains(&name.as_str()) {
                world.node_mut(&name).unwrap().haproxy.take(facts, at);
            }
        }
        (world, inventory)
    }

    fn plan(&self, line: &str) -> Result<Planned, Refusal> {
        self.plan_beside(&[], line)
    }

    /// The same while these nodes are drained.
    fn plan_beside(&self, drained: &[&str], line: &str) -> Result<Planned, Refusal> {
        let (mut world, inventory) = self.world();
        world.drained = drained.iter().map(|name| NodeName::from(*name)).collect();
        plan::plan(&world, &inventory, &intent(line), &inventory.settings.policy, START)
    }
}

fn inventory() -> Inventory {
    let text = r#"
[cluster]
name = "oslo-prod"
[[vip]]
address = "10.10.0.100"
nodes = ["lb01", "lb02"]
[[vip]]
address = "203.0.113.100"
nodes = ["lb01", "lb02"]
[[node]]
name = "lb01"
roles = ["edge"]
management = "10.99.0.11"
private = "10.10.0.11"
[[node]]
name = "lb02"
roles = ["edge"]
management = "10.99.0.12"
private = "10.10.0.12"
[[node]]
name = "web02"
roles = ["web"]
management = "10.99.0.22"
private = "10.10.0.22"
"#;
    let metadata = FileMetadata { mode: Some(0o600), home: None };
    config::load(Path::new("vakt.toml"), text, &metadata).unwrap_or_else(|problems| panic!("{problems:?}")).inventory
}

const MOVE: &str = "vip.move 203.0.113.100 --to lb02";

fn cases() -> Vec<(&'static str, Lab, &'static str)> {
    let untracked = |lab: Lab, node: &str| lab.with(node, "operator_priority weight 1", "");
    vec![
        ("vip_move", Lab::healthy(), MOVE),
        ("vip_move_back", Lab::healthy().moved(), "vip.move 203.0.113.100 --to lb01 --reason back"),
        // Nobody takes an address from a living holder, and nobody takes it back.
        ("vip_move_restarts", Lab::healthy().on_both("    preempt_delay 3", "    nopreempt"), MOVE),
        ("vip_move_raises", untracked(Lab::healthy(), "lb01"), MOVE),
        ("node_drain_balancer", Lab::healthy(), "node.drain lb01"),
        ("node_drain_standby", Lab::healthy(), "node.drain lb02"),
    ]
}

fn plan_of(lab: &Lab, line: &str) -> Plan {
    match lab.plan(line) {
        Ok(Planned::Plan(plan)) => *plan,
        other => panic!("{line}: {}", super::render(&other, 120)),
    }
}

#[test]
fn every_move_reads_as_it_should_and_is_sound() {
    for (name, lab, line) in cases() {
        let plan = plan_of(&lab, line);
        assert_eq!(lint(&plan, &inventory()), [], "{name}");
        golden(name, &Ok(Planned::Plan(Box::new(plan))));
    }
}

#[test]
fn the_last_load_balancer_in_service_is_not_drained_and_a_dark_one_is_no_other() {
    use ReasonKind as Kind;
    type Case = (&'static str, Lab, &'static [&'static str], &'static str, &'static [Kind]);
    let cases: [Case; 4] = [
        ("refused_node_last_balancer", Lab::healthy().moved(), &["lb01"], "node.drain lb02", &[Kind::LastServer; 2]),
        ("refused_node_other_balancer_dark", Lab::healthy().dark("lb02"), &[], "node.drain lb01", &[Kind::LessService]),
        (
            "refused_node_other_holds_nothing",
            Lab::healthy().without("lb01", &["10.10.0.100", "203.0.113.100"]),
            &[],
            "node.drain lb02",
            &[Kind::SplitBrain; 2],
        ),
        (
            "refused_node_returns_without_keepalived",
            Lab::healthy().moved().keepalived("lb01", None),
            &["lb01"],
            "node.undrain lb01",
            &[Kind::NoService; 2],
        ),
    ];
    for (name, lab, drained, line, expected) in cases {
        let refused = lab.plan_beside(drained, line);
        golden(name, &refused);
        let found: Vec<Kind> = refused.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_load_balancer_comes_back_without_its_addresses() {
    let planned = Lab::healthy().moved().plan_beside(&["lb01"], "node.undrain lb01");
    golden("node_undrain_balancer", &planned);
    let Ok(Planned::Plan(plan)) = planned else { panic!("{planned:?}") };
    assert!(plan.body.steps.iter().all(|step| step.write().is_none()));
}

#[test]
fn what_is_written_is_one_number_and_its_undo_is_the_number_before() {
    for (lab, line, node, number, before) in [
        (Lab::healthy(), MOVE, "lb01", "-51", "0"),
        (Lab::healthy().moved(), "vip.move 10.10.0.100 --to lb01", "lb01", "0", "-51"),
        // A weight of -2 counts the other way and twice: 150 - 2 * 26 = 98.
        (
            Lab::healthy().with("lb01", "operator_priority weight 1", "operator_priority weight -2"),
            MOVE,
            "lb01",
            "26",
            "0",
        ),
        (Lab::healthy().with("lb01", "operator_priority weight 1", ""), MOVE, "lb02", "51", "0"),
    ] {
        let plan = plan_of(&lab, line);
        let writes: Vec<_> = plan.body.steps.iter().filter_map(|step| step.write()).collect();
        let [write] = writes.as_slice() else { panic!("{line}: {} writes", writes.len()) };
        let sent = write.request.to_string();
        assert!(write.node.as_str() == node && sent.ends_with(&format!("/etc/keepalived/priority {number}")), "{sent}");
        let vakt::plan::parts::Undo::Send { request, .. } = &write.undo else { panic!("no undo") };
        assert!(request.to_string().ends_with(&format!("/etc/keepalived/priority {before}")), "{request}");
    }
}

#[test]
fn every_refusal_of_a_move_reads_as_it_should() {
    let healthy = Lab::healthy;
    let mut silent = healthy();
    silent.silent.push("lb02");
    let both = ["10.10.0.100", "203.0.113.100"];
    let cases: Vec<(&str, Lab, &str, &[ReasonKind])> = vec![
        ("refused_vip_unknown", healthy(), "vip.move 203.0.113.99 --to lb02", &[ReasonKind::UnknownTarget]),
        ("refused_vip_no_peer", healthy(), "vip.move 203.0.113.100 --to web02", &[ReasonKind::UnknownTarget]),
        ("refused_vip_split", healthy().holding("lb02", &both), MOVE, &[ReasonKind::SplitBrain]),
        ("refused_vip_unheld", healthy().without("lb01", &both), MOVE, &[ReasonKind::SplitBrain]),
        ("refused_vip_no_keepalived", healthy().keepalived("lb02", None), MOVE, &[ReasonKind::NoService]),
        ("refused_vip_frozen_holder", healthy().keepalived("lb01", Some("T")), MOVE, &[ReasonKind::NoService]),
        (
            "refused_vip_no_instance",
            healthy().with("lb02", "203.0.113.100/24", "203.0.113.7/24"),
            MOVE,
            &[ReasonKind::UnknownTarget],
        ),
        (
            "refused_vip_other_router",
            healthy().with("lb02", "virtual_router_id 10", "virtual_router_id 11"),
            MOVE,
            &[ReasonKind::UnknownTarget],
        ),
        ("refused_vip_haproxy_silent", silent, MOVE, &[ReasonKind::NoService]),
        ("refused_vip_less_service", healthy().dark("lb02"), MOVE, &[ReasonKind::LessService]),
        (
            "refused_vip_nopreempt",
            healthy().with("lb02", "    preempt_delay 3", "    nopreempt"),
            MOVE,
            &[ReasonKind::NoWay],
        ),
        ("refused_vip_untracked", healthy().on_both("operator_priority weight 1", ""), MOVE, &[ReasonKind::NoWay]),
        (
            "refused_vip_unsafe_file",
            healthy().on_both("file /etc/keepalived/priority", "file /proc/sysrq-trigger"),
            MOVE,
            &[ReasonKind::UnknownFact],
        ),
        (
            "refused_vip_empty_file",
            healthy().with("lb01", "/etc/keepalived/priority:0", "/etc/keepalived/priority:"),
            MOVE,
            &[ReasonKind::UnknownFact],
        ),
        (
            "refused_vip_first_already",
            healthy().with("lb02", "    priority 100", "    priority 200"),
            MOVE,
            &[ReasonKind::NoWay],
        ),
    ];
    for (name, lab, line, kinds) in cases {
        let planned = lab.plan(line);
        golden(name, &planned);
        let found: Vec<ReasonKind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
        assert_eq!(found, kinds, "{name}");
    }
}

#[test]
fn what_is_not_known_well_enough_is_refused_with_its_age() {
    let (mut world, inventory) = Lab::healthy().world();
    let policy = Policy { read_only: true, ..inventory.settings.policy.clone() };
    let later = Now { mono: Mono(START.mono.0 + 20_000), wall: START.wall };
    world.node_mut(&NodeName::from("lb02")).unwrap().presence.fail("connection refused".into(), START);
    let planned = plan::plan(&world, &inventory, &intent(MOVE), &policy, later);
    golden("refused_vip_stale", &planned);
    let kinds: Vec<ReasonKind> = planned.unwrap_err().reasons.iter().map(|reason| reason.kind).collect();
    assert_eq!(kinds, [ReasonKind::ReadOnly, ReasonKind::StaleFacts, ReasonKind::StaleFacts]);
}

#[test]
fn an_address_that_is_there_already_needs_nothing() {
    let planned = Lab::healthy().moved().plan(MOVE);
    assert!(matches!(planned, Ok(Planned::AlreadyThere(_))));
    golden("already_vip", &planned);
}
