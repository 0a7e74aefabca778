//! `vakt demo`: the console, or the status once, on a simulated cluster.

use super::{
    Exit, Stop,
    args::Args,
    args::DemoWanted,
    block_on, config_file,
    gather::Gather,
    needs_terminal, options, output, recording, status,
    status::Wanted,
    table::{Align, Table},
    terminal_unusable,
};
use crate::{
    app::{App, Options},
    config::Problem,
    model::{inventory::Inventory, time::Clock},
    runtime::{
        clock::SystemClock,
        console,
        demo::{Demo, Pace},
    },
    sim::{DEFAULT, Scenario},
};
use std::{path::Path, sync::Arc, time::Duration};

/// Slowest and fastest passing of the cluster's time.
const SPEED_MIN: f64 = 0.01;
const SPEED_MAX: f64 = 100.0;
/// Longest wait for a simulated cluster's first answers.
const ONCE_WAIT: Duration = Duration::from_secs(10);

pub(super) fn run(args: &Args, wanted: &DemoWanted) -> Result<Exit, Stop> {
    if wanted.list {
        output::out(&list()?)?;
        return Ok(Exit::Ok);
    }
    if !(SPEED_MIN..=SPEED_MAX).contains(&wanted.speed) {
        return Err(Stop::usage(format!("vakt demo: --speed is a number from {SPEED_MIN} to {SPEED_MAX}")));
    }
    let scenario = scenario(wanted)?;
    let mut inventory = scenario.inventory().map_err(|problems| unusable(&problems))?;
    inventory.settings.policy.read_only |= args.read_only;
    let inventory = Arc::new(inventory);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    if wanted.once {
        block_on(once(args, wanted, &scenario, inventory, clock))?
    } else {
        needs_terminal("`vakt demo --once`")?;
        let started = clock.now();
        let options = Options { simulated: true, ..options(args, &inventory) };
        let pace = Pace { speed: wanted.speed, seed: wanted.seed };
        block_on(async move {
            let demo =
                Demo::start(&scenario, &inventory, Arc::clone(&clock), pace).map_err(|error| no_folder(&error))?;
            let desk = demo.desk(&inventory);
            let recorder = recording::start(args, &inventory, &options, &desk, started)?;
            let app = App::new(Arc::clone(&inventory), options, started);
            let start = || demo.session(app, &inventory).with_runs(desk);
            Box::pin(console::run(inventory.settings.console.mouse, recorder, start))
                .await
                .map_err(|error| terminal_unusable(&error))
        })??;
        Ok(Exit::Ok)
    }
}

/// The status once.
async fn once(
    args: &Args,
    wanted: &DemoWanted,
    scenario: &Scenario,
    inventory: Arc<Inventory>,
    clock: Arc<dyn Clock>,
) -> Result<Exit, Stop> {
    let pace = Pace { speed: wanted.speed, seed: wanted.seed };
    let demo = Demo::start(scenario, &inventory, Arc::clone(&clock), pace).map_err(|error| no_folder(&error))?;
    let options = Options { simulated: true, ..options(args, &inventory) };
    let app = App::new(Arc::clone(&inventory), options, clock.now());
    let session = demo.session(app, &inventory);
    let gather = Gather::over(session, Arc::clone(&inventory));
    let shown =
        Wanted { json: wanted.json, watch: false, check: false, watched_s: 0.0, wait_s: ONCE_WAIT.as_secs_f64() };
    Box::pin(status::show(gather, &inventory, shown, ONCE_WAIT)).await
}

fn scenario(wanted: &DemoWanted) -> Result<Scenario, Stop> {
    if let Some(nodes) = wanted.nodes {
        return Ok(Scenario::large(usize::from(nodes)));
    }
    let name = wanted.scenario.as_deref().unwrap_or(DEFAULT);
    let read = if Path::new(name).extension().is_some_and(|ending| ending == "toml") {
        let path = Path::new(name);
        let (text, _) = config_file::contents(path).map_err(|error| {
            Stop::usage(format!("vakt demo: cannot read {}: {error}; name a scenario's file", path.display()))
        })?;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Scenario::read(&stem, path, &text)
    } else {
        Scenario::built_in(name).ok_or_else(|| {
            let names: Vec<&str> = Scenario::names().collect();
            Stop::usage(format!("vakt demo: no scenario is called {name}; the scenarios are {}", names.join(", ")))
        })?
    };
    read.map_err(|problems| unusable(&problems))
}

fn unusable(problems: &[Problem]) -> Stop {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    Stop::usage(lines.join("\n"))
}

fn no_folder(error: &std::io::Error) -> Stop {
    Stop::failed(format!("vakt demo: no folder for its socket can be made: {error}; set TMPDIR to one that exists"))
}

fn list() -> Result<String, Stop> {
    let mut table = Table::new(&[("SCENARIO", Align::Left), ("", Align::Left)]);
    for name in Scenario::names() {
        let scenario = Scenario::built_in(name).transpose().map_err(|problems| unusable(&problems))?;
        let about = scenario.map(|scenario| scenario.about).unwrap_or_default();
        table.row(vec![name.to_owned(), about]);
    }
    Ok(table.text())
}
