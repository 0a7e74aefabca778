//! What watching a fleet costs: the whole session (schedule, collectors, parsers, rates, history, rules, frames at
//! 120x40) over a simulated cluster, in real time, every node polled once a second. The bars at 1,000 nodes: less than
//! one core, at most 300 MiB.
//!
//! Each size runs in a process of its own. Processor time is that of the process; what the simulation's answers cost is
//! measured apart, by asking the same questions without vakt, and subtracted. Memory is the process's peak, simulation
//! included. `VAKT_FLEET_S` says for how many seconds it watches (default 15; history is full after 600).

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking and prints a table")]

use ratatui::{Terminal, backend::TestBackend};
use std::{env, fs, process::Command, sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};
use vakt::{
    app::{App, Options, msg::Event},
    config::Secrets,
    model::{
        inventory::Inventory,
        link::LinkState,
        time::{Clock, Mono, Now, Wall},
    },
    runtime::{clock::SystemClock, inbox::inbox, session::Session},
    sim::{Cluster, Scenario, SimConnections, Simulation},
    view,
    wire::probe::ProbeId,
};

const SIZES: [usize; 3] = [10, 100, 1_000];
const SECONDS: u64 = 15;
/// Until every node has answered once, and the first rush is over.
const SETTLE: Duration = Duration::from_secs(5);
/// A node that needs longer to come up is a failure.
const UP_LIMIT: Duration = Duration::from_secs(120);

fn main() {
    // `cargo test --benches` runs every benchmark with this: there is nothing to check in a measurement.
    if env::args().any(|arg| arg == "--test") {
        return;
    }
    let seconds = env::var("VAKT_FLEET_S").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    if let Some(nodes) = env::var("VAKT_FLEET_NODES").ok().and_then(|text| text.parse().ok()) {
        measure(nodes, seconds);
        return;
    }
    println!("load average {}", fs::read_to_string("/proc/loadavg").unwrap().trim());
    println!("{seconds} s each; processor time in percent of one core, and per node and second");
    println!(
        "{:>6} {:>9} {:>9} {:>9} {:>14} {:>10} {:>12} {:>9} {:>8}",
        "nodes", "process", "sim", "vakt", "vakt/node-s", "peak", "per node", "reports/s", "frames/s"
    );
    for nodes in SIZES {
        let me = env::current_exe().unwrap();
        let status = Command::new(me).env("VAKT_FLEET_NODES", nodes.to_string()).status().unwrap();
        assert!(status.success());
    }
}

fn measure(nodes: usize, seconds: u64) {
    let scenario = Scenario::large(nodes);
    let inventory = Arc::new(scenario.inventory().unwrap());
    let empty_kib = memory_kib("VmRSS");
    let sim_ms = simulation_alone(&scenario, &inventory, seconds);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Watched { cpu_ms, reports, frames, elapsed_s } = runtime.block_on(watch(&scenario, &inventory, seconds));
    let peak_kib = memory_kib("VmHWM");
    let percent = |ms: f64| ms / 10.0 / elapsed_s;
    let sim_ms = sim_ms * elapsed_s / seconds as f64;
    let vakt_ms = (cpu_ms - sim_ms).max(0.0);
    println!(
        "{nodes:>6} {:>7.1} % {:>7.1} % {:>7.1} % {:>11.1} µs {:>6.1} MiB {:>8.1} KiB {:>9.0} {:>8.1}",
        percent(cpu_ms),
        percent(sim_ms),
        percent(vakt_ms),
        vakt_ms * 1000.0 / elapsed_s / nodes as f64,
        peak_kib as f64 / 1024.0,
        peak_kib.saturating_sub(empty_kib) as f64 / nodes as f64,
        reports as f64 / elapsed_s,
        frames as f64 / elapsed_s,
    );
}

/// The cluster's own time and answers: every question of `seconds` seconds, without anything of vakt around it.
fn simulation_alone(scenario: &Scenario, inventory: &Inventory, seconds: u64) -> f64 {
    let start = Now { mono: Mono(0), wall: Wall(1_795_442_602_000) };
    let mut cluster = Cluster::new(scenario, 1, start);
    let before = cpu_ms();
    for second in 1..=seconds {
        for node in &inventory.nodes {
            let probes = ProbeId::ALL.into_iter().filter(|probe| probe.applies_to(node));
            for probe in probes.filter(|probe| *probe != ProbeId::HostProfile || second % 30 == 1) {
                for request in probe.probe().requests(node, 1_000) {
                    std::hint::black_box(cluster.answer(&node.name, &request));
                }
            }
        }
        cluster.advance(Now { mono: Mono(second * 1000), wall: start.wall });
    }
    cpu_ms() - before
}

struct Watched {
    cpu_ms: f64,
    reports: u64,
    frames: u64,
    elapsed_s: f64,
}

async fn watch(scenario: &Scenario, inventory: &Arc<Inventory>, seconds: u64) -> Watched {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let simulation = Simulation::start(Cluster::new(scenario, 1, clock.now()), Arc::clone(&clock), 1.0);
    let (senders, inbox) = inbox();
    let connections = SimConnections::start(simulation, inventory, senders.transport.clone());
    let app = App::new(Arc::clone(inventory), Options::default(), clock.now());
    let secrets = Secrets::default();
    let mut session = Session::over(Arc::new(connections), app, inventory, &secrets, clock, (senders, inbox));
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    session.handle(Event::Resize { width: 120, height: 40 });
    let limit = Instant::now() + UP_LIMIT;
    let is_up = |session: &Session| {
        let up =
            |facts: &vakt::model::world::NodeFacts| facts.link.state == LinkState::Up && facts.host.last().is_some();
        session.app.world.nodes.iter().all(up)
    };
    while !is_up(&session) {
        assert!(Instant::now() < limit, "not every node came up within {UP_LIMIT:?}");
        run(&mut session, &mut terminal, Instant::now() + Duration::from_millis(200)).await;
    }
    run(&mut session, &mut terminal, Instant::now() + SETTLE).await;
    let (started, before) = (Instant::now(), cpu_ms());
    let (reports, frames) = run(&mut session, &mut terminal, started + Duration::from_secs(seconds)).await;
    let watched = Watched { cpu_ms: cpu_ms() - before, reports, frames, elapsed_s: started.elapsed().as_secs_f64() };
    session.end().await;
    watched
}

/// The console's loop without keys, until `end`: reports and frames.
async fn run(session: &mut Session, terminal: &mut Terminal<TestBackend>, end: Instant) -> (u64, u64) {
    let (mut reports, mut frames) = (0, 0);
    while let Ok(arrival) = timeout_at(end, session.next()).await {
        let mut next = Some(arrival);
        while let Some(arrival) = next {
            reports += u64::from(matches!(arrival.event, Event::Report(_)));
            session.handle(arrival);
            next = if Instant::now() < end { session.ready() } else { None };
        }
        if session.app.frame_due() {
            let app = &session.app;
            terminal.draw(|frame| view::draw(frame, app)).unwrap();
            session.app.frame_drawn();
            frames += 1;
        }
    }
    (reports, frames)
}

/// Processor time of this process, milliseconds; the kernel counts in steps of ten.
fn cpu_ms() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = text.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    ticks as f64 * 10.0
}

fn memory_kib(field: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
