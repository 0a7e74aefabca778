//! The command that leads writes, as a real program on this machine, in a switchover of a simulated cluster: what it may do
//! wrong, and what becomes of the run.

use super::simulated::Stage;
use std::{fs, path::Path};
use vakt::{
    model::{ids::NodeName, inventory::Inventory, world::World},
    run::Recovery,
    runtime::executor::job::What,
    wire::probe::{Facts, ProbeId},
};

const THERE: &str = "--from db01 --from-address 10.10.0.31 --to db02 --to-address 10.10.0.32";
const BACK: &str = "--from db02 --from-address 10.10.0.32 --to db01 --to-address 10.10.0.31";

/// Writes are led where the file `leads` says; the word in `fault` breaks it.
const SCRIPT: &str = r#"here=${0%/*}
fault=$(cat "$here/fault")
case $* in
*--check*)
    [ "$fault" = refuses ] && { echo 'the zone is locked' >&2; exit 3; }
    [ "$fault" = falls-mute ] && [ -e "$here/calls" ] && exit 0
    [ "$fault" = chatters ] && echo 'I lead to'
    cat "$here/leads"
    exit 0;;
esac
echo "$*" >>"$here/calls"
to=${*##*--to }; to=${to%% *}
[ "$fault" = fails ] && exit 3
[ "$fault" = hangs ] && sleep 60
echo "$to" >"$here/leads"
[ "$fault" = leads-elsewhere ] && echo db03 >"$here/leads"
[ "$fault" = prints-much ] && { head -c 3000000 /dev/zero | tr '\0' x; head -c 3000000 /dev/zero | tr '\0' y >&2; }
# Only the first time: the way back is clear.
[ "$fault" = falls-mute ] || echo none >"$here/fault"
[ "$fault" = fails-late ] && exit 4
[ "$fault" = hangs-late ] && sleep 60
exit 0
"#;

fn write_script(inventory: &mut Inventory, folder: &Path) {
    fs::write(folder.join("lead-writes"), SCRIPT).unwrap();
    let script = folder.join("lead-writes").to_str().unwrap().to_owned();
    let endpoint = &mut inventory.settings.write_endpoint;
    // The address of the scenario leads nothing here.
    endpoint.address = None;
    (endpoint.command, endpoint.command_ms) = (vec!["/bin/sh".into(), script], 1_000);
}

fn stage(fault: &str) -> Stage {
    let stage = Stage::of("writes-address", 1.0, write_script);
    fs::write(stage.folder().join("leads"), "db01\n").unwrap();
    fs::write(stage.folder().join("fault"), fault).unwrap();
    stage
}

/// What a switchover rests on, as a console knows it.
async fn databases(stage: &Stage, world: &mut World) {
    for node in stage.inventory.nodes.iter().filter(|node| node.database.is_some()) {
        let (probe, mut replies) = (ProbeId::Switchover.probe(), Vec::new());
        let mut requests = probe.requests(node, 1_000);
        while !requests.is_empty() {
            for request in &requests {
                replies.push(stage.answer(&node.name, request).await);
            }
            requests = probe.follow(node, 1_000, &replies);
        }
        let (Some(Facts::Switchover(sample)), _) = probe.interpret(&replies) else { panic!("{}", node.name) };
        world.node_mut(&node.name).unwrap().switchover.take(*sample, stage.clock.now());
    }
}

async fn writable(stage: &Stage) -> Vec<NodeName> {
    let mut world = World::new(&stage.inventory);
    databases(stage, &mut world).await;
    let takes_writes = |node: &&vakt::model::world::NodeFacts| {
        node.switchover.last().is_some_and(|sample| sample.state.read_only.known() == Some(false))
    };
    world.nodes.iter().filter(takes_writes).map(|node| node.name.clone()).collect()
}

fn read(stage: &Stage, name: &str) -> String {
    fs::read_to_string(stage.folder().join(name)).unwrap_or_default()
}

/// How it was called to act.
fn acts(stage: &Stage) -> Vec<String> {
    read(stage, "calls").lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_which_the_command_may_fail_ends_as_it_is_written_down() {
    let nothing: [&str; 0] = [];
    // Reached 0, needs an operator 7, rolled back 5, stopped 6.
    let cases: [(&str, i32, &str, &str, &[&str]); 10] = [
        ("none", 0, "db02", "db02", &[THERE]),
        ("prints-much", 0, "db02", "db02", &[THERE]),
        ("refuses", 6, "db01", "db01", &nothing),
        ("chatters", 6, "db01", "db01", &nothing),
        ("fails", 5, "db01", "db01", &[THERE]),
        ("fails-late", 5, "db01", "db01", &[THERE, BACK]),
        ("hangs", 5, "db01", "db01", &[THERE]),
        // What it did before it was killed is done.
        ("hangs-late", 0, "db02", "db02", &[THERE]),
        ("leads-elsewhere", 7, "db03", "", &[THERE]),
        ("falls-mute", 7, "db02", "", &[THERE]),
    ];
    for (fault, code, leads_to, primary, calls) in cases {
        let stage = stage(fault);
        let plan = stage.plan_with(databases, "mysql.switchover --to db02").await;
        let run = plan.id.clone();
        let (ended, said) = stage.execute(What::Begin { plan: Box::new(plan) }, None).end();
        let what = format!("{fault}: {ended:?} {said}");
        assert_eq!(ended, Some(code), "{what}");
        assert_eq!(read(&stage, "leads").trim(), leads_to, "{what}");
        assert_eq!(acts(&stage), calls, "{what}");
        let takes_writes: Vec<NodeName> = if primary.is_empty() { Vec::new() } else { vec![primary.into()] };
        assert_eq!(writable(&stage).await, takes_writes, "{what}");
        if fault == "falls-mute" {
            // A person has mended it: the run goes on where it was, and does not call it again.
            fs::write(stage.folder().join("fault"), "none").unwrap();
            let again = stage.execute(What::Recover { run, choice: Recovery::Resume }, None).end();
            assert_eq!(again.0, Some(0), "{again:?}");
            assert_eq!((acts(&stage), writable(&stage).await), (vec![THERE.to_owned()], vec!["db02".into()]));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_not_there_changes_nothing() {
    let stage = Stage::of("writes-address", 1.0, |inventory, folder| {
        write_script(inventory, folder);
        inventory.settings.write_endpoint.command = vec!["/nowhere/lead-writes".into()];
    });
    let plan = stage.plan_with(databases, "mysql.switchover --to db02").await;
    let journal = stage.state().join("writes/runs").join(plan.id.as_str()).join("journal.jsonl");
    let ended = stage.execute(What::Begin { plan: Box::new(plan) }, None).end();
    assert_eq!(ended.0, Some(6), "{ended:?}");
    let text = fs::read_to_string(journal).unwrap();
    assert!(text.contains("/nowhere/lead-writes cannot be started"), "{text}");
    assert_eq!(writable(&stage).await, ["db01".into()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_boundary_the_next_start_leads_writes_to_the_one_that_takes_them() {
    let first = stage("none");
    let plan = first.plan_with(databases, "mysql.switchover --to db02").await;
    let counted = first.execute(What::Begin { plan: Box::new(plan) }, Some("count")).end();
    let last: u32 = counted.1.trim().parse().unwrap();
    // Around the breath: elsewhere it is no other than without a command.
    for at in (1..=last).filter(|at| at % 3 == 0) {
        let stage = stage("none");
        let plan = stage.plan_with(databases, "mysql.switchover --to db02").await;
        let run = plan.id.clone();
        let begun = stage.execute(What::Begin { plan: Box::new(plan) }, Some(&format!("kill@{at}"))).end();
        if begun.0 == Some(0) {
            // A look more or less is a boundary more or less.
            assert!(at + 3 >= last, "it lived beyond {at} of {last}");
            continue;
        }
        assert_eq!(begun.0, None, "{begun:?}");
        let choice = if at % 2 == 0 { Recovery::Resume } else { Recovery::RollBack };
        let mut code = stage.execute(What::Recover { run: run.clone(), choice }, None).end().0.unwrap();
        if code == 7 {
            // Behind the point of no return there is only forward.
            code = stage.execute(What::Recover { run, choice: Recovery::Resume }, None).end().0.unwrap();
        }
        let expected = if code == 0 || (code == 4 && at > 3) { "db02" } else { "db01" };
        let what = format!("killed at {at} of {last}, {choice:?} ended {code}");
        assert_eq!(read(&stage, "leads").trim(), expected, "{what}");
        assert_eq!(writable(&stage).await, [expected.into()], "{what}");
    }
}
