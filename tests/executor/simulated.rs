//! The executor's process on a simulated cluster: every kind of plan, killed at every boundary.

use super::bench::{PATIENCE, until};
use crate::program::{now, pause};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
};
use tempfile::TempDir;
use tokio::sync::mpsc;
use vakt::{
    history,
    model::{
        haproxy::{AdminState, Server},
        ids::NodeName,
        intent::Intent,
        inventory::Inventory,
        time::Clock,
        world::World,
    },
    plan::{self, Plan, Planned},
    run::{Operator, Recovery},
    runtime::{
        clock::SystemClock,
        executor::job::{Job, What},
    },
    sim::{Cluster, Fault, Scenario, SimConnections, SimServer, Simulation},
    transport::{Connections, Permit, Sent, WritingConnections},
    wire::{
        haproxy::commands::ServerCommands,
        probe::{Facts, ProbeId},
        request::{Reply, Request},
    },
};

/// A simulated cluster behind a socket, and a state folder.
pub(super) struct Stage {
    pub(super) inventory: Arc<Inventory>,
    simulation: Arc<Simulation>,
    pub(super) connections: Arc<SimConnections>,
    pub(super) clock: Arc<dyn Clock>,
    folder: TempDir,
    _server: SimServer,
    _events: mpsc::Receiver<vakt::transport::TransportEvent>,
}

impl Stage {
    pub(super) fn new() -> Self {
        // Ten times as fast: health checks and sessions take their time otherwise.
        Self::of("seed", 10.0, |_, _| ())
    }

    /// Another cluster, at another speed, with settings of its own, which may name files of a folder.
    pub(super) fn of(scenario: &str, speed: f64, change: impl Fn(&mut Inventory, &Path)) -> Self {
        let scenario = Scenario::built_in(scenario).unwrap().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut inventory = scenario.inventory().unwrap();
        change(&mut inventory, folder.path());
        let inventory = Arc::new(inventory);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let simulation = Simulation::start(Cluster::new(&scenario, 1, clock.now()), Arc::clone(&clock), speed);
        let server =
            SimServer::start(Arc::clone(&simulation), Arc::clone(&inventory), &folder.path().join("sim.sock")).unwrap();
        let (sender, events) = mpsc::channel(1024);
        let connections = Arc::new(SimConnections::start(Arc::clone(&simulation), &inventory, sender));
        Self { inventory, simulation, connections, clock, folder, _server: server, _events: events }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The answer of a node, once it is connected.
    pub(super) async fn answer(&self, node: &NodeName, request: &Request) -> Reply {
        loop {
            match self.connections.call(node, request).await {
                Ok(reply) => break reply,
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    /// The world as both load balancers show it now.
    async fn world(&self) -> World {
        let mut world = World::new(&self.inventory);
        for node in self.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some()) {
            let mut replies = Vec::new();
            for request in ProbeId::Haproxy.probe().requests(node, 1000) {
                replies.push(self.answer(&node.name, &request).await);
            }
            let (Some(Facts::Haproxy(sample)), _) = ProbeId::Haproxy.probe().interpret(&replies) else { panic!() };
            let facts = history::haproxy::derive(None, *sample, 0);
            world.node_mut(&node.name).unwrap().haproxy.take(facts, self.clock.now());
        }
        world
    }

    pub(super) async fn plan(&self, line: &str) -> Plan {
        self.plan_in(&self.world().await, line)
    }

    /// A plan for what is known of the load balancers, and for what `more` has learned.
    pub(super) async fn plan_with(&self, more: impl AsyncFn(&Self, &mut World), line: &str) -> Plan {
        let mut world = self.world().await;
        more(self, &mut world).await;
        self.plan_in(&world, line)
    }

    fn plan_in(&self, world: &World, line: &str) -> Plan {
        let intent = Intent::parse(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let policy = &self.inventory.settings.policy;
        match plan::plan(world, &self.inventory, &intent, policy, self.clock.now()) {
            Ok(Planned::Plan(plan)) => *plan,
            other => panic!("{line}: {other:#?}"),
        }
    }

    /// web03 as it was in the beginning, past vakt.
    async fn restore(&self) {
        // Answered: the connections are up.
        self.servers().await;
        let (backend, server) = ("web_cluster".into(), "web03".into());
        for balancer in ["lb01", "lb02"] {
            let commands = ServerCommands::new("/run/haproxy/admin.sock", &backend, &server).unwrap();
            for request in [commands.set_state(AdminState::Ready).unwrap(), commands.set_weight(1)] {
                let sent = self.connections.send(&balancer.into(), &request, Permit { record: 0 }).await;
                assert!(matches!(sent, Sent::Replied(_)), "{sent:?}");
            }
        }
        let start = now();
        while !self.servers().await.iter().all(|server| server.operational.takes_traffic()) {
            assert!(start.elapsed() < PATIENCE, "web03 does not come back");
            pause();
        }
    }

    /// What web03 is told on both load balancers.
    async fn told(&self) -> Vec<AdminState> {
        self.servers().await.iter().map(|server| server.admin.known().unwrap()).collect()
    }

    /// The same with its weights.
    async fn settings(&self) -> Vec<(AdminState, Option<u64>)> {
        self.servers().await.iter().map(|server| (server.admin.known().unwrap(), server.weight.known())).collect()
    }

    async fn servers(&self) -> Vec<Server> {
        let world = self.world().await;
        let server = |name: &str| {
            let facts = world.node(&NodeName::from(name)).unwrap().haproxy.last().unwrap();
            let backend = facts.sample.backends.iter().find(|backend| backend.name.as_str() == "web_cluster").unwrap();
            backend.servers.iter().find(|server| server.name.as_str() == "web03").unwrap().clone()
        };
        vec![server("lb01"), server("lb02")]
    }

    fn job(&self, what: What) -> Job {
        Job {
            inventory: self.inventory.as_ref().clone(),
            state: self.state(),
            operator: Operator { login: "eva".into(), ..Operator::default() },
            what,
            break_glass: None,
            simulation: Some(self.folder.path().join("sim.sock")),
        }
    }

    pub(super) fn execute(&self, what: What, fault: Option<&str>) -> Executor {
        Executor::start(&serde_json::to_value(self.job(what)).unwrap(), fault)
    }

    fn fault(&self, words: &str) {
        self.simulation.fault(&Fault::parse(words).unwrap()).unwrap();
    }
}

/// An executor's process.
pub(super) struct Executor {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Executor {
    fn start(job: &Value, fault: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.arg("execute").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("VAKT_FAULT").envs(fault.map(|fault| ("VAKT_FAULT", fault)));
        let mut child = command.spawn().unwrap();
        let line = json!({ "job": job, "passphrases": [] }).to_string() + "\n";
        child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdout }
    }

    /// Its one line; empty when it was killed before.
    pub(super) fn said(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Its exit code; none when it was killed.
    pub(super) fn end(mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        assert!(status.code().is_some() || status.signal() == Some(9), "{status:?}");
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        (status.code(), stderr)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invariant_7_every_kind_of_plan_killed_at_every_boundary_converges() {
    let stage = Stage::new();
    let mut endings = std::collections::BTreeSet::new();
    // Those that wait for nothing: the drain is killed on the lab.
    for line in ["haproxy.maint web_cluster/web03", "haproxy.weight web_cluster/web03 --weight 7"] {
        stage.restore().await;
        let before = stage.settings().await;
        let counted = stage.execute(What::Begin { plan: Box::new(stage.plan(line).await) }, Some("count")).end();
        assert_eq!(counted.0, Some(0), "{line}");
        let last: u32 = counted.1.trim().parse().unwrap();
        assert!((12..100).contains(&last), "{line}: {last} boundaries");
        let after = stage.settings().await;
        assert_ne!(before, after);
        stage.restore().await;
        for at in 1..=last {
            let plan = stage.plan(line).await;
            let run = plan.id.clone();
            let begun = stage.execute(What::Begin { plan: Box::new(plan) }, Some(&format!("kill@{at}")));
            assert_eq!(begun.end().0, None, "{line}: it lived beyond {at}");
            let choice = if at % 2 == 0 { Recovery::Resume } else { Recovery::RollBack };
            let mut again = stage.execute(What::Recover { run, choice }, None);
            let said = again.said();
            let code = again.end().0.unwrap();
            let told = stage.settings().await;
            let what = format!("{line} killed at {at}, {choice:?} ended {code}: {said}");
            match code {
                0 => assert_eq!(told, after, "{what}"),
                5 | 6 => assert_eq!(told, before, "{what}"),
                // Nothing was written down, or it had ended.
                4 if at <= 1 => assert_eq!(told, before, "{what}"),
                4 => assert!(at + 1 >= last && told == after, "{what}"),
                _ => panic!("{what}"),
            }
            endings.insert(code);
            stage.restore().await;
        }
    }
    assert_eq!(endings.into_iter().collect::<Vec<_>>(), [0, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_carried_out_is_refused_and_leaves_nothing_behind() {
    let stage = Stage::new();
    let plan = stage.plan("haproxy.drain web_cluster/web03").await;
    let good = stage.job(What::Begin { plan: Box::new(plan.clone()) });
    let with = |change: &dyn Fn(&mut Job)| {
        let mut job = good.clone();
        change(&mut job);
        serde_json::to_value(job).unwrap()
    };
    let jobs = [
        (json!({ "nonsense": 1 }), "the job is not understood"),
        (with(&|job| job.inventory.settings.policy.read_only = true), "read-only"),
        (
            with(&|job| job.inventory.nodes.retain(|node| node.name.as_str() != "lb02")),
            "target is not in the inventory",
        ),
        (with(&|job| job.inventory.cluster = "other".into()), "The plan is for the cluster"),
        (with(&|job| job.simulation = Some("/nowhere".into())), "does not answer"),
        (with(&|job| job.state = Path::new("/dev/null").into()), "is no folder"),
        (
            with(&|job| {
                if let What::Begin { plan } = &mut job.what {
                    plan.body.title = "Something else".into();
                }
            }),
            "name does not belong to the content",
        ),
        (with(&|job| job.what = What::Recover { run: plan.id.clone(), choice: Recovery::Resume }), "No run is called"),
    ];
    for (job, says) in jobs {
        let mut executor = Executor::start(&job, None);
        let said = executor.said();
        assert!(said.starts_with("{\"not_started\"") && said.contains(says), "{says}: {said}");
        assert_eq!(executor.end().0, Some(4));
    }
    let runs = stage.state().join("seed/runs");
    assert_eq!(std::fs::read_dir(&runs).map_or(0, Iterator::count), 0, "{}", runs.display());
    assert_eq!(stage.told().await, [AdminState::Ready, AdminState::Ready]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_that_is_lost_is_settled_by_reading_the_world() {
    let stage = Stage::new();
    let plan = stage.plan("haproxy.maint web_cluster/web03").await;
    stage.fault("lose-reply lb01");
    let code = stage.execute(What::Begin { plan: Box::new(plan) }, None).end().0;
    assert_eq!(code, Some(0));
    assert_eq!(stage.told().await, [AdminState::Maint, AdminState::Maint]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_and_an_interrupt_do_not_end_it_and_a_request_to_terminate_undoes_it() {
    let stage = Stage::new();
    let plan = stage.plan("haproxy.drain web_cluster/web03").await;
    let journal = stage.state().join("seed/runs").join(plan.id.as_str()).join("journal.jsonl");
    let mut executor = stage.execute(What::Begin { plan: Box::new(plan) }, None);
    assert_eq!(executor.said(), "\"opened\"\n");
    let pid = Pid::from_raw(executor.child.id().try_into().unwrap()).unwrap();
    for signal in [Signal::HUP, Signal::INT, Signal::PIPE] {
        kill_process(pid, signal).unwrap();
    }
    until("both steps are done", || {
        std::fs::read_to_string(&journal).is_ok_and(|text| text.matches("\"step_ended\"").count() == 2)
    });
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(executor.end().0, Some(5));
    assert_eq!(stage.told().await, [AdminState::Ready, AdminState::Ready]);
}
