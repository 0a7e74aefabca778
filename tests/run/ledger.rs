//! The ledger: what is wished after any sequence of runs, faults and crashes is what vakt left behind, and no more.

use super::{
    cluster::{Cluster, START},
    harness::{FAULTS, Fault, Harness, Script},
};
use proptest::prelude::*;
use vakt::{
    model::{
        haproxy::{AdminState, HaproxyFacts},
        ids::NodeName,
        intent::{Intent, ServerPath},
        text::Clean,
        time::{Mono, Now, Wall},
    },
    plan::{Plan, PlanId, Planned, plan},
    run::{
        EndingKind, Entry, Record, Recovery,
        ledger::{FOLDED_MAX, Held, Ledger, WISHES_MAX, Wanted, Wish},
    },
    wire::probe::{Facts, ProbeId},
};

fn path(server: &str) -> ServerPath {
    ServerPath { backend: "web_cluster".into(), server: server.into() }
}

/// The plan for these words, made `number` ms after the start so that every plan has a name of its own.
fn planned(cluster: &Cluster, line: &str, number: u64) -> Option<Plan> {
    let (world, inventory) = cluster.world();
    let now = Now { mono: Mono(START.mono.0 + number), wall: Wall(START.wall.0 + number.cast_signed()) };
    let intent = Intent::parse(&line.split(' ').collect::<Vec<_>>()).unwrap();
    match plan(&world, &inventory, &intent, &inventory.settings.policy, now) {
        Ok(Planned::Plan(plan)) => Some(*plan),
        Ok(Planned::AlreadyThere(_)) | Err(_) => None,
    }
}

fn run_on(cluster: &mut Cluster, line: &str, number: u64, script: Script) -> (Vec<Record>, EndingKind) {
    let plan = planned(cluster, line, number).unwrap_or_else(|| panic!("{line}: no plan"));
    let mut harness = Harness::new(cluster.clone(), plan, script);
    let kind = harness.run().unwrap().kind;
    *cluster = harness.cluster;
    (harness.records, kind)
}

/// `drain by eva: kernel`, one line a wish.
fn words(ledger: &Ledger) -> Vec<String> {
    let reason = |wish: &Wish| wish.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    ledger
        .wishes
        .iter()
        .map(|wish| format!("{} {:?} by {}{}", wish.server, wish.wanted, wish.by, reason(wish)))
        .collect()
}

fn folded(lines: &[&str]) -> (Ledger, Cluster) {
    let mut cluster = Cluster::healthy();
    let mut ledger = Ledger::default();
    for (number, line) in lines.iter().enumerate() {
        let (records, _) = run_on(&mut cluster, line, number as u64, Script::default());
        ledger.fold(&records);
    }
    (ledger, cluster)
}

#[test]
fn what_each_action_leaves_wished() {
    let cases: &[(&[&str], &[&str])] = &[
        (&["haproxy.drain web_cluster/web03 --reason kernel"], &["web_cluster/web03 Drain by eva: kernel"]),
        (&["haproxy.maint web_cluster/web03"], &["web_cluster/web03 Maint by eva"]),
        (&["haproxy.drain web_cluster/web03", "haproxy.maint web_cluster/web03"], &["web_cluster/web03 Maint by eva"]),
        (&["haproxy.drain web_cluster/web03", "haproxy.ready web_cluster/web03"], &[]),
        (&["haproxy.weight web_cluster/web03 --weight 10"], &["web_cluster/web03 Weight(10) by eva"]),
        // The file says 100: nothing that a restart would lose.
        (&["haproxy.weight web_cluster/web03 --weight 10", "haproxy.weight web_cluster/web03 --weight 100"], &[]),
        (
            &["haproxy.weight web_cluster/web03 --weight 10", "haproxy.drain web_cluster/web03"],
            &["web_cluster/web03 Drain by eva", "web_cluster/web03 Weight(10) by eva"],
        ),
        // It returns with the weight it had, or with another.
        (
            &[
                "haproxy.weight web_cluster/web03 --weight 10",
                "haproxy.drain web_cluster/web03",
                "haproxy.ready web_cluster/web03",
            ],
            &["web_cluster/web03 Weight(10) by eva"],
        ),
        (
            &[
                "haproxy.weight web_cluster/web03 --weight 10",
                "haproxy.drain web_cluster/web03",
                "haproxy.ready web_cluster/web03 --weight 100",
            ],
            &[],
        ),
        (
            &["haproxy.drain web_cluster/web03", "haproxy.ready web_cluster/web03 --weight 20"],
            &["web_cluster/web03 Weight(20) by eva"],
        ),
        (&["haproxy.weight web_cluster/web03 --weight 0", "haproxy.ready web_cluster/web03"], &[]),
        (&["node.drain web03 --reason kernel"], &["web_cluster/web03 Maint by eva: kernel"]),
        (&["node.drain web03", "node.undrain web03"], &[]),
        (&["haproxy.drain web_cluster/web03", "node.undrain web03"], &[]),
        // It comes back by the other way, too.
        (&["node.drain web03", "haproxy.ready web_cluster/web03"], &[]),
        (
            &["haproxy.drain web_cluster/web03", "haproxy.weight web_cluster/web01 --weight 50"],
            &["web_cluster/web01 Weight(50) by eva", "web_cluster/web03 Drain by eva"],
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(words(&folded(lines).0), *expected, "{lines:?}");
    }
}

#[test]
fn a_node_counts_as_drained_until_it_is_returned() {
    let (ledger, mut cluster) = folded(&["node.drain web03 --reason kernel"]);
    let [drained] = ledger.drained.as_slice() else { panic!("{:?}", ledger.drained) };
    assert_eq!((drained.node.as_str(), drained.by.as_str()), ("web03", "eva"));
    assert_eq!(drained.reason.as_ref().map(Clean::as_str), Some("kernel"));
    // A ledger is a file between two runs.
    let mut ledger: Ledger = serde_json::from_str(&serde_json::to_string(&ledger).unwrap()).unwrap();
    let (records, _) = run_on(&mut cluster, "node.undrain web03", 1, Script::default());
    ledger.fold(&records);
    assert_eq!(ledger.drained, []);
}

#[test]
fn a_node_whose_sessions_do_not_end_counts_as_drained_unless_it_was_put_back() {
    for (policy, kind, wished) in [
        ("wait", EndingKind::Stopped, Some("Drain")),
        ("force", EndingKind::Reached, Some("Maint")),
        ("abort", EndingKind::RolledBack, None),
    ] {
        let mut cluster = Cluster::healthy().with("web03", |server| (server.sessions, server.pooled) = (4, 4));
        let line = format!("node.drain web03 --deadline 2s --on-deadline {policy}");
        let (records, ended) = run_on(&mut cluster, &line, 0, Script::default());
        assert_eq!(ended, kind, "{policy}");
        let mut ledger = Ledger::default();
        ledger.fold(&records);
        let expected: Vec<String> = wished.iter().map(|wanted| format!("web_cluster/web03 {wanted} by eva")).collect();
        assert_eq!(words(&ledger), expected, "{policy}");
        assert_eq!(ledger.drained.len(), expected.len(), "{policy}");
    }
}

#[test]
fn a_ledger_of_an_earlier_version_names_one_server_for_each_run() {
    let text = r#"{"wishes":[],"folded":[{"run":"20261123T140322Z-5f3a09c1","ending":7,
        "server":{"backend":"web_cluster","server":"web03"},"before":null}]}"#;
    let ledger: Ledger = serde_json::from_str(text).unwrap();
    assert_eq!(ledger.folded[0].servers, [path("web03")]);
}

#[test]
fn the_deadline_s_policy_decides() {
    for (policy, kind, expected) in [
        ("keep", EndingKind::Stopped, "Drain"),
        ("maint", EndingKind::Reached, "Maint"),
        ("maint+close", EndingKind::Reached, "Maint"),
    ] {
        let mut cluster = Cluster::healthy().with("web03", |server| (server.sessions, server.pooled) = (4, 4));
        let line = format!("haproxy.drain web_cluster/web03 --deadline 2s --on-deadline {policy}");
        let (records, ended) = run_on(&mut cluster, &line, 0, Script::default());
        assert_eq!(ended, kind, "{policy}");
        let mut ledger = Ledger::default();
        ledger.fold(&records);
        assert_eq!(words(&ledger), [format!("web_cluster/web03 {expected} by eva")], "{policy}");
    }
}

#[test]
fn who_only_waits_for_a_drained_server_takes_no_wish_over() {
    let (mut ledger, mut cluster) = folded(&["haproxy.maint web_cluster/web03 --reason disk"]);
    // Sessions that maintenance left open: draining waits for them and sends nothing.
    for balancer in &mut cluster.balancers {
        balancer.server("web03").sessions = 2;
    }
    let (records, kind) = run_on(&mut cluster, "haproxy.drain web_cluster/web03 --reason later", 7, Script::default());
    assert_eq!(kind, EndingKind::Reached);
    ledger.fold(&records);
    assert_eq!(words(&ledger), ["web_cluster/web03 Maint by eva: disk"]);
}

#[test]
fn a_run_that_needs_an_operator_counts_for_what_it_proved_and_again_when_it_is_taken_up() {
    let (mut ledger, mut cluster) = folded(&["haproxy.weight web_cluster/web02 --weight 90"]);
    let before = ledger.clone();
    let drain = planned(&cluster, "haproxy.drain web_cluster/web03", 9).unwrap();
    let script = Script { faults: vec![(1, Fault::Gone)], ..Script::default() };
    let mut harness = Harness::new(cluster.clone(), drain, script);
    assert_eq!(harness.run().unwrap().kind, EndingKind::NeedsOperator);
    ledger.fold(&harness.records);
    let told = |cluster: &mut Cluster| cluster.on("lb01").server("web03").told;
    assert_eq!(told(&mut harness.cluster), AdminState::Drain);
    assert_eq!(words(&ledger).last().unwrap(), "web_cluster/web03 Drain by eva");
    // The load balancer returns, and the operator rolls it back.
    for balancer in &mut harness.cluster.balancers {
        balancer.reachable = true;
    }
    let mut again = harness.recover(Recovery::RollBack, Script::default()).unwrap();
    assert_eq!(again.run().unwrap().kind, EndingKind::RolledBack);
    ledger.fold(&again.records);
    assert_eq!(words(&ledger), words(&before));
    cluster = again.cluster;
    assert_eq!(told(&mut cluster), AdminState::Ready);
}

#[test]
fn what_is_no_ended_run_changes_nothing() {
    let mut cluster = Cluster::healthy();
    let (records, _) = run_on(&mut cluster, "haproxy.drain web_cluster/web03", 0, Script::default());
    let mut ledger = Ledger::default();
    ledger.fold(&[]);
    for length in 0..records.len() {
        ledger.fold(&records[..length]);
        ledger.fold(&records[length..length]);
    }
    ledger.fold(&records[1..]);
    assert_eq!(ledger, Ledger::default());
}

#[test]
fn an_intent_that_found_nothing_to_do_settles_what_contradicts_it() {
    let (drained, mut cluster) =
        folded(&["haproxy.weight web_cluster/web03 --weight 10", "haproxy.drain web_cluster/web03"]);
    let settled = |cluster: &Cluster, line: &str| {
        let mut ledger = drained.clone();
        let intent = Intent::parse(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let gone = ledger.settled_by(&intent, &cluster.world().0);
        assert_eq!(ledger.take_back(&gone), gone.len());
        assert_eq!(ledger.take_back(&gone), 0, "once");
        assert_eq!(gone.len() + ledger.wishes.len(), drained.wishes.len());
        gone.into_iter().map(|wish| wish.wanted).collect::<Vec<_>>()
    };
    // A reload lost the drain and kept nothing of the weight.
    for balancer in &mut cluster.balancers {
        let server = balancer.server("web03");
        (server.told, server.weight) = (AdminState::Ready, 100);
    }
    assert_eq!(settled(&cluster, "haproxy.ready web_cluster/web03"), [Wanted::Drain, Wanted::Weight(10)]);
    assert_eq!(settled(&cluster, "haproxy.weight web_cluster/web03 --weight 100"), [Wanted::Weight(10)]);
    assert_eq!(settled(&cluster, "haproxy.drain web_cluster/web03"), []);
    assert_eq!(settled(&cluster, "haproxy.ready web_cluster/web02"), []);
    // Somebody made it ready by hand and left the weight.
    for balancer in &mut cluster.balancers {
        balancer.server("web03").weight = 10;
    }
    assert_eq!(settled(&cluster, "haproxy.ready web_cluster/web03"), [Wanted::Drain]);
    assert_eq!(settled(&cluster, "haproxy.weight web_cluster/web03 --weight 10"), []);
    let mut ledger = drained.clone();
    assert_eq!(ledger.forget(&path("web03")).len(), 2);
    assert_eq!(ledger.forget(&path("web03")), []);
}

#[test]
fn a_wish_reads_back_as_the_intent_that_brings_it_about() {
    let (ledger, _) =
        folded(&["haproxy.weight web_cluster/web03 --weight 10", "haproxy.drain web_cluster/web03 --reason kernel"]);
    let lines: Vec<String> = ledger.of(&path("web03")).map(|wish| wish.intent().words().join(" ")).collect();
    assert_eq!(
        lines,
        [
            "haproxy.drain web_cluster/web03 --deadline 60s --reason kernel",
            "haproxy.weight web_cluster/web03 --weight 10",
        ]
    );
    let text = serde_json::to_string(&ledger).unwrap();
    assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
}

/// One run's records about another server, under another name, at another time.
fn renamed(records: &[Record], number: usize) -> Vec<Record> {
    let mut records = records.to_vec();
    for record in &mut records {
        record.at.wall.0 += i64::try_from(number).unwrap();
        if let Entry::Opened(opening) = &mut record.entry {
            opening.plan.id = PlanId::from(format!("20261123T140322Z-{number:08x}"));
            let text = serde_json::to_string(&opening.plan.body.intent).unwrap();
            opening.plan.body.intent = serde_json::from_str(&text.replace("web03", &format!("s{number}"))).unwrap();
        }
    }
    records
}

#[test]
fn a_ledger_is_bounded_and_counts_what_it_gave_up() {
    let mut cluster = Cluster::healthy();
    let (records, _) = run_on(&mut cluster, "haproxy.drain web_cluster/web03", 0, Script::default());
    let mut ledger = Ledger::default();
    for number in 0..WISHES_MAX + 3 {
        ledger.fold(&renamed(&records, number));
    }
    assert_eq!((ledger.wishes.len(), ledger.folded.len(), ledger.dropped), (WISHES_MAX, FOLDED_MAX, 3));
    for (number, is_kept) in [(0, false), (2, false), (3, true), (WISHES_MAX + 2, true)] {
        assert_eq!(ledger.of(&path(&format!("s{number}"))).count() == 1, is_kept, "{number}");
    }
    assert!(ledger.wishes.is_sorted_by_key(|wish| wish.server.clone()));
}

/// One thing an operator does, and what goes wrong meanwhile.
#[derive(Debug, Clone)]
struct Act {
    line: String,
    script: Script,
    choice: Recovery,
}

fn act() -> impl Strategy<Value = Act> {
    let line = prop_oneof![
        Just("haproxy.drain web_cluster/web03 --deadline 2s".to_owned()),
        Just("haproxy.drain web_cluster/web03 --deadline 2s --on-deadline maint+close".to_owned()),
        Just("haproxy.ready web_cluster/web03".to_owned()),
        (0_u64..3).prop_map(|weight| format!("haproxy.ready web_cluster/web03 --weight {}", weight * 50)),
        Just("haproxy.maint web_cluster/web03".to_owned()),
        (0_u64..3).prop_map(|weight| format!("haproxy.weight web_cluster/web03 --weight {}", weight * 50)),
        Just("haproxy.kill-sessions web_cluster/web03".to_owned()),
    ];
    let fault = proptest::option::of((0_usize..4, proptest::sample::select(&FAULTS[..])));
    let script = (fault, proptest::option::of(0_usize..60), proptest::option::of(1_usize..30)).prop_map(
        |(fault, abort_after, kill_at)| Script {
            faults: fault.into_iter().collect(),
            abort_after,
            kill_at,
            ..Script::default()
        },
    );
    let choice = prop_oneof![Just(Recovery::Resume), Just(Recovery::RollBack)];
    (line, script, any::<bool>(), choice).prop_map(|(line, script, is_calm, choice)| Act {
        line,
        script: if is_calm { Script::default() } else { script },
        choice,
    })
}

/// Carries out one act to an ending, taking it up again after a crash or a call for help, without further faults.
/// `None`: there was no plan, or the operator is still needed.
fn carry_out(cluster: &mut Cluster, ledger: &mut Ledger, act: &Act, number: u64) -> Option<()> {
    let plan = planned(cluster, &act.line, number)?;
    let mut harness = Harness::new(cluster.clone(), plan, act.script.clone());
    let mut kind = harness.run().map(|ending| ending.kind).ok();
    for _ in 0..2 {
        if kind.is_some_and(|kind| kind != EndingKind::NeedsOperator) {
            break;
        }
        ledger.fold(&harness.records);
        for balancer in &mut harness.cluster.balancers {
            balancer.reachable = true;
        }
        let left = harness.cluster.clone();
        let Some(next) = harness.recover(act.choice, Script::default()) else {
            // Killed before its first record was whole, or behind its last: it never began, or it is over.
            *cluster = left;
            return Some(());
        };
        harness = next;
        kind = harness.run().map(|ending| ending.kind).ok();
    }
    *cluster = harness.cluster;
    let once = ledger.clone();
    ledger.fold(&harness.records);
    let after = ledger.clone();
    ledger.fold(&harness.records);
    assert_eq!(*ledger, after, "folding is idempotent");
    assert!(after.folded.len() >= once.folded.len());
    (kind != Some(EndingKind::NeedsOperator)).then_some(())
}

/// Nobody but vakt acts here: what differs from the file is wished, and what is wished holds.
fn assert_agreement(cluster: &Cluster, ledger: &Ledger) {
    let path = path("web03");
    for wish in &ledger.wishes {
        for balancer in &cluster.balancers {
            let Some(Facts::Haproxy(sample)) = cluster.facts(&NodeName::from(balancer.name), ProbeId::Haproxy) else {
                continue;
            };
            let held =
                wish.wanted.held(&wish.server, &HaproxyFacts { sample: *sample, ..HaproxyFacts::default() }.sample);
            assert!(matches!(held, Some(Held::Yes(_))), "{wish:?} on {}: {held:?}", balancer.name);
        }
    }
    let settings = cluster.settings();
    let of_server = || settings.iter().filter(|(_, name, ..)| *name == "web03");
    let is_out = of_server().any(|(.., told, _)| *told != AdminState::Ready);
    let is_light = of_server().any(|(.., weight)| *weight != 100);
    let wished = |is_weight| ledger.of(&path).any(|wish| wish.wanted.is_weight() == is_weight);
    assert_eq!((is_out, is_light), (wished(false), wished(true)), "{settings:?}\n{:?}", words(ledger));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn after_any_runs_the_ledger_is_what_they_left_behind(acts in proptest::collection::vec(act(), 1..8)) {
        let mut cluster = Cluster::healthy();
        let mut ledger = Ledger::default();
        for (number, act) in acts.iter().enumerate() {
            if planned(&cluster, &act.line, number as u64).is_none() {
                continue;
            }
            if carry_out(&mut cluster, &mut ledger, act, number as u64).is_none() {
                break; // a person has to look first
            }
            assert_agreement(&cluster, &ledger);
        }
    }
}
