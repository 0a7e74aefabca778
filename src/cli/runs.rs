//! `vakt runs`: what was done, by whom, how it ended; whether it is still as it was written; and declaring a run settled.

use super::{
    Cluster, Exit, Stop, output, runs_changed, runs_document,
    table::{Align, Table},
};
use crate::{
    model::{
        inventory::Inventory,
        text::Clean,
        time::{Clock, Wall},
    },
    plan::PlanId,
    run::{RunState, RunSummary, story},
    runtime::{
        clock::SystemClock,
        state::{self, Heads, Place, Sought, StateDir, StateTrouble, Verdict},
    },
};
use clap::Subcommand;
use jiff::tz::TimeZone;
use std::path::{Path, PathBuf};

/// Runs that are listed without `--all`.
const LISTED: usize = 20;
/// Width of prose where the terminal does not say.
const WIDTH: usize = 100;

/// What to do with runs.
#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List the newest runs, and every older one that a person has to decide about
    List {
        /// Print JSON (documented in docs/runs-json.md)
        #[arg(long)]
        json: bool,
        /// List every run that is kept
        #[arg(long)]
        all: bool,
    },
    /// List what is left changed: what goes back by itself, what is wished, settings that no file says
    Changed {
        /// Print JSON (documented in docs/runs-json.md)
        #[arg(long)]
        json: bool,
    },
    /// Tell everything about a run: who, why, each step, how it ended, what to type
    Show {
        /// The run's name, or as much of its beginning as is unique
        run: String,
        /// Print JSON (documented in docs/runs-json.md)
        #[arg(long)]
        json: bool,
    },
    /// Check that journals are what was written: changed, dropped, moved, cut, missing
    Verify {
        /// Only this run
        run: Option<String>,
        /// Compare with the heads in FILE, such as lines from the system's log, instead of the state folder's own
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
    },
    /// Declare a run settled that was interrupted or needs an operator; nothing is sent
    Resolve {
        /// The run's name, or as much of its beginning as is unique
        run: String,
        /// Why it is settled; kept in the journal
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// The place of the state folder, from the command line, the environment and the configuration.
pub(super) fn place(flag: Option<&Path>, inventory: &Inventory) -> Result<Place, StateTrouble> {
    Sought::by_this_process(flag, inventory.settings.state.directory.as_deref()).place()
}

/// Opens the state folder of the cluster.
pub(super) fn open(flag: Option<&Path>, inventory: &Inventory) -> Result<StateDir, StateTrouble> {
    StateDir::open(&place(flag, inventory)?, &inventory.cluster)
}

impl From<StateTrouble> for Stop {
    fn from(trouble: StateTrouble) -> Self {
        let exit = match &trouble {
            StateTrouble::NotResolvable { .. } | StateTrouble::Running(_) | StateTrouble::Damaged { .. } => {
                Exit::Refused
            }
            _ => Exit::Usage,
        };
        Self { exit, text: format!("vakt: {trouble}") }
    }
}

/// Runs one of the commands; `None` lists.
pub(super) fn run(cluster: &Cluster, flag: Option<&Path>, command: Option<&RunsCommand>) -> Result<Exit, Stop> {
    let state = open(flag, &cluster.inventory)?;
    match command {
        None => list(&state, false, false),
        Some(RunsCommand::List { json, all }) => list(&state, *json, *all),
        Some(RunsCommand::Changed { json }) => runs_changed::run(&state, *json),
        Some(RunsCommand::Show { run, json }) => show(&state, run, *json),
        Some(RunsCommand::Verify { run, heads }) => verify(&state, run.as_deref(), heads.as_deref()),
        Some(RunsCommand::Resolve { run, reason }) => resolve(&state, run, reason),
    }
}

/// The run whose name begins so.
pub(super) fn named(state: &StateDir, beginning: &str) -> Result<PlanId, Stop> {
    let ids = state.run_ids()?;
    if let Some(id) = ids.iter().find(|id| id.as_str() == beginning) {
        return Ok(id.clone());
    }
    let mut fitting = ids.iter().filter(|id| !beginning.is_empty() && id.as_str().starts_with(beginning));
    match (fitting.next(), fitting.next()) {
        (Some(id), None) => Ok(id.clone()),
        (Some(a), Some(b)) => Err(Stop::usage(format!(
            "vakt: more than one run begins with {}, such as {a} and {b}; give more of the name",
            Clean::line(beginning)
        ))),
        (None, _) => Err(Stop::usage(format!(
            "vakt: no run begins with {}; `vakt runs list --all` shows those there are",
            Clean::line(beginning)
        ))),
    }
}

fn list(state: &StateDir, json: bool, all: bool) -> Result<Exit, Stop> {
    let runs = state.runs(if all { usize::MAX } else { LISTED });
    let unreadable = state.unreadable();
    let decide = |run: &RunSummary| run.state.is_open() && run.state != RunState::Running;
    let exit = if runs.iter().any(decide) || !unreadable.is_empty() { Exit::NotWell } else { Exit::Ok };
    if json {
        let document = runs_document::list(state.cluster().as_str(), &runs, unreadable);
        output::out(&json_text(&document)?)?;
        return Ok(exit);
    }
    if runs.is_empty() && unreadable.is_empty() {
        output::note(&format!("no run of {} is written down in {}", state.cluster(), state.place().path.display()));
        return Ok(exit);
    }
    let mut table = Table::new(&[
        ("RUN", Align::Left),
        ("STATE", Align::Left),
        ("BEGUN", Align::Left),
        ("BY", Align::Left),
        ("WHAT", Align::Left),
    ]);
    for run in &runs {
        table.row(vec![
            run.id.to_string(),
            run.word().to_owned(),
            moment(run.opened_at),
            run.operator.login.to_string(),
            run.title.to_string(),
        ]);
    }
    for bad in &unreadable {
        table.row(vec![bad.run.to_string(), "damaged".into(), String::new(), String::new(), bad.why.to_string()]);
    }
    output::out(&table.text())?;
    let hidden = if all { 0 } else { state.runs(usize::MAX).len() - runs.len() };
    if hidden > 0 {
        output::note(&format!("{hidden} older runs are not shown; --all shows them"));
    }
    Ok(exit)
}

pub(super) fn moment(wall: Wall) -> String {
    jiff::Timestamp::from_millisecond(wall.0).map_or_else(
        |_| "?".into(),
        |stamp| stamp.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}

fn show(state: &StateDir, beginning: &str, json: bool) -> Result<Exit, Stop> {
    let id = named(state, beginning)?;
    let follower = state.follow(&id)?;
    let journal = state.read_run(&id)?;
    let lives = follower.lives();
    let mut summary = RunSummary::of(&journal, lives);
    if let Some(run) = &mut summary
        && run.id != id
    {
        run.state = RunState::Damaged(Clean::line(&format!("the journal is that of run {}", run.id)));
        run.id = id.clone();
    }
    let is_damaged = summary.as_ref().is_none_or(|run| matches!(run.state, RunState::Damaged(_)));
    match (json, summary) {
        (true, Some(run)) => {
            output::out(&json_text(&runs_document::story(state.cluster().as_str(), &run, journal))?)?;
        }
        (true, None) => return Err(Stop::failed(format!("vakt: the journal of run {id} does not begin with a plan"))),
        (false, _) => output::out(&story::story(&journal, lives, &TimeZone::system(), WIDTH))?,
    }
    Ok(if is_damaged { Exit::NotWell } else { Exit::Ok })
}

pub(super) fn json_text(document: &impl serde::Serialize) -> Result<String, Stop> {
    let text = serde_json::to_string_pretty(document);
    text.map(|text| text + "\n").map_err(|error| Stop::failed(format!("vakt: cannot write JSON: {error}")))
}

fn verify(state: &StateDir, beginning: Option<&str>, heads: Option<&Path>) -> Result<Exit, Stop> {
    let only = beginning.map(|beginning| named(state, beginning)).transpose()?;
    let other = heads.map(|file| Heads::read(file, state.cluster())).transpose()?;
    let verdict = state.verify(only.as_ref(), other.as_ref())?;
    output::out(&verdict_text(&verdict))?;
    Ok(if verdict.findings.is_empty() { Exit::Ok } else { Exit::NotWell })
}

fn verdict_text(verdict: &Verdict) -> String {
    let mut lines: Vec<String> =
        verdict.findings.iter().map(|finding| format!("✗ {}: {}", finding.run, finding.what)).collect();
    lines.extend(verdict.notes.iter().map(|note| format!("· {note}")));
    let Verdict { runs, records, heads, .. } = verdict;
    let plural = |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    let counted = [plural(*runs, "journal"), plural(*records, "record"), plural(*heads, "announced head")].join(", ");
    lines.push(match verdict.findings.len() {
        0 => format!("{counted}: everything is as it was written."),
        1 => format!("{counted}: 1 thing is not as it was written. Keep the state folder as it is and find out who could write there."),
        count => format!("{counted}: {count} things are not as they were written. Keep the state folder as it is and find out who could write there."),
    });
    lines.join("\n") + "\n"
}

fn resolve(state: &StateDir, beginning: &str, reason: &str) -> Result<Exit, Stop> {
    let id = named(state, beginning)?;
    let why = Clean::line(reason.trim());
    if why.is_empty() {
        return Err(Stop::usage("vakt: say why the run is settled: --reason 'web03 was set by hand'"));
    }
    let announced = state.resolve(&id, state::operator(), why, SystemClock::start().now())?;
    state.fold()?;
    if let Some(trouble) = announced.not_logged {
        output::note(&format!("vakt: {trouble}"));
    }
    output::out(&format!("Run {id} is resolved.\n"))?;
    Ok(Exit::Ok)
}
