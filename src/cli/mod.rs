//! The command line: what each subcommand does, what it prints where, and its exit code.
//!
//! Standard output carries only the answer, so that it can be piped; everything else goes to standard error.

mod act;
mod args;
mod check;
mod check_ovs;
mod check_sudo;
pub mod config_file;
mod demo;
mod exit;
mod explain;
mod gather;
pub mod output;
mod playbook;
mod recording;
pub mod replay;
mod run_words;
mod runs;
mod runs_changed;
pub mod runs_document;
mod status;
pub mod status_check;
pub mod status_document;
mod status_mysql;
pub mod status_ovs;
pub mod status_services;
pub mod status_vms;
mod table;
mod tune;
pub mod tune_document;

pub use exit::Exit;

use crate::{
    app::{App, Options},
    config::{Loaded, Secrets},
    model::{
        inventory::{ConsoleSettings, Glyphs, Inventory, ThemeName},
        text::Clean,
        time::{Clock, Wall},
    },
    runtime::{
        self,
        clock::SystemClock,
        executor::{self, Executed},
        runs::Desk,
        session::Session,
        state,
    },
};
use args::{Args, Command, ConfigCommand, RunsWanted, Theme};
use clap::Parser;
use std::{
    io::{IsTerminal, Write as _},
    sync::Arc,
};

/// Runs the program, and ends it with its exit code.
pub fn main() -> ! {
    let exit = ended();
    // What is printed here is flushed as it is written; this is for whoever forgets.
    let _ = std::io::stdout().flush();
    // Without the exit handlers of C libraries: libvirt's threads may still be in a call that cannot be cancelled, and
    // handlers that free what they use ended one of a hundred runs with a broken heap, after its last word.
    signal_hook::low_level::exit(exit.code().into())
}

fn ended() -> Exit {
    let args = Args::parse();
    if let Err(report) = runtime::terminal::install_panic_hook() {
        output::note(&format!("vakt: no panic reports: {report}"));
    }
    if matches!(args.command, Some(Command::Execute)) {
        return execute();
    }
    match run(&args) {
        Ok(exit) => exit,
        Err(Stop { exit, text }) => {
            if !text.is_empty() {
                output::note(&text);
            }
            exit
        }
    }
}

/// A command that ends before its answer.
#[derive(Debug)]
struct Stop {
    exit: Exit,
    text: String,
}

impl Stop {
    fn usage(text: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, text: text.into() }
    }

    fn failed(text: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, text: text.into() }
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        if output::reader_gone(&error) {
            Self { exit: Exit::Ok, text: String::new() }
        } else {
            Self::failed(format!("vakt: {error}"))
        }
    }
}

fn show_playbook(args: &Args, about: Option<String>, json: bool) -> Result<Exit, Stop> {
    let cluster = cluster(args)?;
    let options = options(args, &cluster.inventory);
    block_on(playbook::run(cluster, options, about, json))?
}

fn run(args: &Args) -> Result<Exit, Stop> {
    if let Some(file) = &args.log {
        start_log(file)?;
    }
    match &args.command {
        Some(Command::Config(ConfigCommand::Example)) => {
            output::out(crate::config::EXAMPLE)?;
            Ok(Exit::Ok)
        }
        Some(Command::Config(ConfigCommand::Path)) => {
            output::out(&format!("{}\n", load(args)?.path.display()))?;
            Ok(Exit::Ok)
        }
        Some(Command::Config(ConfigCommand::Check)) => {
            let (loaded, inventory) = load(args).map(|loaded| (loaded.path.display().to_string(), loaded.inventory))?;
            output::out(&format!("{loaded}: valid; cluster {}, {} nodes\n", inventory.cluster, inventory.nodes.len()))?;
            Ok(Exit::Ok)
        }
        Some(Command::Replay { path, at, last_screen, as_seen, svg, until, size }) => {
            let wanted = replay::Wanted {
                path: path.clone(),
                at: at.clone(),
                last_screen: *last_screen,
                as_seen: *as_seen,
                svg: svg.clone(),
                until: *until,
                size: *size,
            };
            let look = ConsoleSettings { theme: ThemeName::Dark, glyphs: Glyphs::Auto, mouse: true };
            replay::run(&wanted, look_of(args, false, &look))
        }
        Some(Command::Status { json, watch, check, watched, wait }) => {
            let (json, watch, check) = (*json, *watch, *check);
            status(args, status::Wanted { json, watch, check, watched_s: *watched, wait_s: *wait })
        }
        Some(Command::Check { nodes }) => {
            let state = args.state.clone();
            block_on(check::run(cluster(args)?, nodes.clone(), state))?
        }
        Some(Command::Tune { nodes, json }) => {
            let cluster = cluster(args)?;
            let options = options(args, &cluster.inventory);
            block_on(tune::run(cluster, options, nodes.clone(), *json))?
        }
        Some(Command::Playbook { about, json }) => show_playbook(args, about.clone(), *json),
        Some(Command::Explain { files, memory, json }) => explain::run(files, memory.as_deref(), *json),
        Some(Command::Do(wanted)) => {
            let cluster = cluster(args)?;
            let options = options(args, &cluster.inventory);
            let desk = desk(args, &cluster.inventory);
            block_on(act::run(cluster, options, desk, wanted.clone()))?
        }
        Some(Command::Runs { command: None }) => runs::run(&cluster(args)?, args.state.as_deref(), None),
        Some(Command::Runs { command: Some(RunsWanted::Look(command)) }) => {
            runs::run(&cluster(args)?, args.state.as_deref(), Some(command))
        }
        Some(Command::Runs { command: Some(RunsWanted::Act(command)) }) => {
            let cluster = cluster(args)?;
            let desk = desk(args, &cluster.inventory);
            block_on(act::on_run(cluster, desk, command.clone()))?
        }
        // `main` does it before anything else.
        Some(Command::Execute) => Ok(execute()),
        Some(Command::Demo(wanted)) => demo::run(args, wanted),
        None => console(args),
    }
}

/// A monitoring system gets its line whatever happens.
fn status(args: &Args, wanted: status::Wanted) -> Result<Exit, Stop> {
    let answer = || {
        let cluster = cluster(args)?;
        let options = options(args, &cluster.inventory);
        let desk = desk(args, &cluster.inventory);
        block_on(status::run(cluster, options, desk, wanted))?
    };
    match answer() {
        Err(stop) if wanted.check => {
            let (state, line) = status_check::no_answer(&stop.text);
            output::out(&line)?;
            Ok(Exit::Check(state))
        }
        answer => answer,
    }
}

fn console(args: &Args) -> Result<Exit, Stop> {
    let cluster = cluster(args)?;
    let desk = desk(args, &cluster.inventory);
    let Cluster { inventory, secrets } = cluster;
    needs_terminal("`vakt status`")?;
    let clock = Arc::new(SystemClock::start());
    let started = clock.now();
    let options = options(args, &inventory);
    let recorder = recording::start(args, &inventory, &options, &desk, started)?;
    let app = App::new(Arc::clone(&inventory), options, started);
    let mouse = inventory.settings.console.mouse;
    let start = || Session::start(app, &inventory, &secrets, clock).with_runs(desk);
    block_on(async move { Box::pin(runtime::console::run(mouse, recorder, start)).await })?
        .map_err(|error| terminal_unusable(&error))?;
    Ok(Exit::Ok)
}

fn needs_terminal(for_pipes: &str) -> Result<(), Stop> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    let what = "vakt: the console needs a terminal on standard input and output";
    Err(Stop::usage(format!("{what}; for pipes use {for_pipes}")))
}

fn terminal_unusable(error: &std::io::Error) -> Stop {
    Stop::failed(format!("vakt: the terminal cannot be used: {error}"))
}

/// The process of a run.
fn execute() -> Exit {
    match executor::main() {
        Executed::Ended(kind) => kind.into(),
        Executed::NotStarted => Exit::Refused,
        Executed::Failed => Exit::Failed,
    }
}

fn load(args: &Args) -> Result<Loaded, Stop> {
    config_file::read(args.config.as_deref()).map_err(|failure| Stop::usage(failure.to_string()))
}

/// The configuration as commands use it.
#[derive(Debug, Clone)]
struct Cluster {
    inventory: Arc<Inventory>,
    secrets: Secrets,
}

/// The configuration with what the command line overrides.
fn cluster(args: &Args) -> Result<Cluster, Stop> {
    let Loaded { mut inventory, secrets, .. } = load(args)?;
    inventory.settings.policy.read_only |= args.read_only;
    runtime::limits::raise_open_files();
    Ok(Cluster { inventory: Arc::new(inventory), secrets })
}

/// What it takes to have something carried out.
fn desk(args: &Args, inventory: &Arc<Inventory>) -> Desk {
    let place = runs::place(args.state.as_deref(), inventory);
    Desk {
        inventory: Arc::clone(inventory),
        place: place.map_err(|trouble| Clean::line(&trouble.to_string())),
        operator: state::operator(),
        simulation: None,
    }
}

fn options(args: &Args, inventory: &Inventory) -> Options {
    look_of(args, inventory.settings.policy.read_only, &inventory.settings.console)
}

/// How the application looks, from the command line, the configuration and the environment, in that order.
fn look_of(args: &Args, read_only: bool, console: &ConsoleSettings) -> Options {
    let theme = match args.theme {
        Some(Theme::Dark) => ThemeName::Dark,
        Some(Theme::Light) => ThemeName::Light,
        Some(Theme::Mono) => ThemeName::Mono,
        None if environment("NO_COLOR").is_some_and(|value| !value.is_empty()) => ThemeName::Mono,
        None => console.theme,
    };
    let unicode = match (args.ascii, console.glyphs) {
        (true, _) | (false, Glyphs::Ascii) => false,
        (false, Glyphs::Unicode) => true,
        (false, Glyphs::Auto) => locale_is_utf8(),
    };
    Options { read_only, theme, unicode, simulated: false, zone: jiff::tz::TimeZone::system(), replay: None }
}

fn locale_is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| environment(name).filter(|value| !value.is_empty()))
        .unwrap_or_default()
        .to_ascii_lowercase();
    // The Linux console shows few symbols whatever the locale says.
    let console = environment("TERM").is_some_and(|term| term == "linux");
    !console && (locale.contains("utf-8") || locale.contains("utf8"))
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A moment as people read it, in the bastion's time zone.
fn wall_text(wall: Wall) -> String {
    jiff::Timestamp::from_millisecond(wall.0).map_or_else(
        |_| "?".into(),
        |stamp| stamp.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
    )
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Stop::failed(format!("vakt: cannot start: {error}")))?;
    let value = runtime.block_on(future);
    // Everything worth waiting for has been awaited. A blocked thread (a terminal that vanished, a name server that
    // hangs) must not hold the end up.
    runtime.shutdown_background();
    Ok(value)
}

fn start_log(file: &std::path::Path) -> Result<(), Stop> {
    use std::os::unix::fs::OpenOptionsExt;
    let open = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(file);
    let file = open.map_err(|error| Stop::usage(format!("vakt: cannot write the log {}: {error}", file.display())))?;
    tracing_subscriber::fmt().with_writer(std::sync::Mutex::new(file)).with_ansi(false).init();
    Ok(())
}
