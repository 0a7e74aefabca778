//! `vakt do` and the commands that follow runs or take them up: plan, show, ask, have it carried out, tell.
//!
//! The same path as the console's from the intent on; what is printed is what the console shows.

use super::{
    Cluster, Exit, Stop,
    args::{DoWanted, RunAct, RunWanted},
    gather::Gather,
    output, run_words,
    runs::named,
};
use crate::{
    app::Options,
    config::Secrets,
    model::{ids::NodeName, intent::Intent, text::Clean, world::World},
    plan::{self, Plan, PlanId, Planned, Reason, Refusal, parts::ConfirmBy, text as plan_text},
    run::{Ending, Entry, Record, Recovery, RunState, RunSummary, journal::Tail},
    runtime::{
        clock::SystemClock,
        executor::{self, control::Ask, job::What},
        follow::{self, Following, News},
        passphrases::Passphrases,
        runs::{Desk, unusable},
        state::StateDir,
    },
};
use serde::Serialize;
use std::{
    io::{self, BufRead, IsTerminal},
    sync::Arc,
    time::Duration,
};
use tokio::signal::unix::{SignalKind, signal};

/// Longest wait for the facts that a plan needs.
const FACTS_WAIT: Duration = Duration::from_secs(10);
/// Width of text that goes into a pipe.
const WIDTH_PIPED: usize = 100;

/// One line of `--json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Told<'a> {
    /// What would be done, or will be.
    Plan(&'a Plan),
    /// Nothing was sent, and why.
    Refusal(&'a Refusal),
    /// Nothing is left to do.
    AlreadyThere(&'a plan::refusal::AlreadyThere),
    /// The run is open.
    Opened {
        /// Its name.
        run: &'a PlanId,
    },
    /// One record of the journal.
    Record(&'a Record),
    /// The executor is gone and left no ending.
    Vanished {
        /// Which run.
        run: &'a PlanId,
        /// What is known about it.
        why: &'a Clean,
    },
    /// The last line: how it ended.
    Ending(&'a Ending),
}

/// Where answers go.
#[derive(Debug, Clone, Copy)]
struct Voice {
    json: bool,
    width: usize,
}

impl Voice {
    fn new(json: bool) -> Self {
        let width = if io::stdout().is_terminal() { terminal_width().unwrap_or(WIDTH_PIPED) } else { WIDTH_PIPED };
        Self { json, width }
    }

    /// The text, or its line of JSON.
    fn say(self, told: &Told<'_>, text: impl FnOnce(usize) -> String) -> Result<(), Stop> {
        if !self.json {
            output::out(&text(self.width))?;
            return Ok(());
        }
        let line = serde_json::to_string(told).map_err(|error| Stop::failed(format!("vakt: {error}")))?;
        output::out(&(line + "\n"))?;
        Ok(())
    }

    fn refuse(self, refusal: &Refusal) -> Result<Exit, Stop> {
        self.say(&Told::Refusal(refusal), |width| plan_text::refusal(refusal, width))?;
        Ok(Exit::Refused)
    }
}

fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// `vakt do`.
pub(super) async fn run(cluster: Cluster, options: Options, desk: Desk, wanted: DoWanted) -> Result<Exit, Stop> {
    let intent = Intent::parse(&wanted.intent_words()).map_err(|error| Stop::usage(format!("vakt do: {error}")))?;
    let voice = Voice::new(wanted.json);
    let secrets = cluster.secrets.clone();
    let drained = drained(&desk);
    let plan = match Box::pin(planned(cluster, options, &intent, drained)).await {
        Ok((Planned::Plan(plan), _)) => plan,
        Ok((Planned::AlreadyThere(already), world)) => {
            voice.say(&Told::AlreadyThere(&already), |width| plan_text::already_there(&already, width))?;
            if !wanted.plan {
                take_back(&desk, &intent, &world)?;
            }
            return Ok(Exit::Ok);
        }
        Err(refusal) => return voice.refuse(&refusal),
    };
    voice.say(&Told::Plan(&plan), |width| plan_text::plan(&plan, width))?;
    if wanted.plan {
        return Ok(Exit::Ok);
    }
    if !wanted.yes && !is_confirmed(&plan.body.confirmation.by, voice)? {
        output::note("Not confirmed. Nothing was sent.");
        return Ok(Exit::Refused);
    }
    let act = Act { voice, desk, intent, title: plan.body.title.clone() };
    let what = What::Begin { plan };
    act.carry_out(what, wanted.break_glass.as_deref(), &secrets, wanted.detach).await
}

/// The plan, made on facts that were just read from every node that it looks at.
async fn planned(
    cluster: Cluster,
    options: Options,
    intent: &Intent,
    drained: Vec<NodeName>,
) -> Result<(Planned, World), Refusal> {
    let inventory = Arc::clone(&cluster.inventory);
    let mut gather = Gather::of_change(cluster, options, &intent.change, Arc::new(SystemClock::start()));
    gather.until_plannable(FACTS_WAIT).await;
    let mut app = gather.end().await;
    app.world.drained = drained;
    let planned = plan::plan(&app.world, &inventory, intent, &inventory.settings.policy, app.now)?;
    Ok((planned, app.world))
}

/// The nodes that are out of service, as far as there is a state folder that says so.
fn drained(desk: &Desk) -> Vec<NodeName> {
    let has_folder = desk.place.as_ref().is_ok_and(|place| place.path.is_dir());
    let state = has_folder.then(|| desk.state().ok()).flatten();
    state.map(|state| state.ledger().drained_nodes()).unwrap_or_default()
}

/// Who asks for what is so already gives up what was wished otherwise: no run will tell of it. Where there is no state
/// folder nothing is wished.
fn take_back(desk: &Desk, intent: &Intent, world: &World) -> Result<(), Stop> {
    if !desk.place.as_ref().is_ok_and(|place| place.path.is_dir()) || desk.inventory.settings.policy.read_only {
        return Ok(());
    }
    let failed = |why: &dyn std::fmt::Display| Stop::failed(format!("vakt do: what was wished stands: {why}"));
    let state = desk.state().map_err(|why| failed(&why))?;
    let wishes = state.ledger().settled_by(intent, world);
    if wishes.is_empty() {
        return Ok(());
    }
    state.take_back(&wishes).map_err(|trouble| failed(&trouble))?;
    for wish in &wishes {
        output::note(&format!("Taken back: {} of {}, wanted by {}.", wish.wanted.word(), wish.server, wish.by));
    }
    Ok(())
}

/// Asks on the terminal what the confirmation says. Without a terminal nobody can be asked.
fn is_confirmed(by: &ConfirmBy, voice: Voice) -> Result<bool, Stop> {
    if voice.json || !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Stop::usage(
            "vakt: nobody can be asked here; --yes does what was printed without asking. Nothing was sent.",
        ));
    }
    let (prompt, word) = match by {
        ConfirmBy::Enter => ("Enter to start, Ctrl-C to leave: ".to_owned(), ""),
        ConfirmBy::Target(name) | ConfirmBy::Cluster(name) => (format!("Type {name} to start: "), name.as_str()),
    };
    output::out(&prompt)?;
    let mut line = String::new();
    let count = io::stdin().lock().read_line(&mut line)?;
    Ok(count > 0 && line.trim() == word)
}

/// `vakt runs attach`, `keep`, `resume` and `rollback`.
pub(super) async fn on_run(cluster: Cluster, desk: Desk, command: RunAct) -> Result<Exit, Stop> {
    let (wanted, choice) = match command {
        RunAct::Keep(wanted) => return keep(cluster, desk, wanted).await,
        RunAct::Attach(wanted) => (wanted, None),
        RunAct::Resume(wanted) => (wanted, Some(Recovery::Resume)),
        RunAct::Rollback(wanted) => (wanted, Some(Recovery::RollBack)),
    };
    let state = desk.state().map_err(|why| Stop::usage(format!("vakt runs: {why}")))?;
    let run = named(&state, &wanted.run)?;
    let act = of_run(desk, &state, &run, wanted.json)?;
    let Some(choice) = choice else { return act.follow(Arc::new(state), run).await };
    if !wanted.yes && !act.is_recovery_confirmed(&run, choice)? {
        output::note("Not confirmed. Nothing was sent.");
        return Ok(Exit::Refused);
    }
    drop(state);
    act.carry_out(What::Recover { run, choice }, wanted.break_glass.as_deref(), &cluster.secrets, false).await
}

/// Says that what a run did stays. One whose process is gone is taken up again first.
async fn keep(cluster: Cluster, desk: Desk, wanted: RunWanted) -> Result<Exit, Stop> {
    let state = desk.state().map_err(|why| Stop::usage(format!("vakt runs: {why}")))?;
    let run = named(&state, &wanted.run)?;
    let journal = state.read_run(&run)?;
    let lives = state.follow(&run)?.lives();
    let operator = desk.operator.clone();
    let act = of_run(desk, &state, &run, wanted.json)?;
    let known = RunSummary::of(&journal, lives);
    let waits = known.as_ref().filter(|known| known.holds_until.is_some()).map(|known| &known.state);
    match waits {
        Some(RunState::Running) => {}
        Some(RunState::Interrupted) => {
            let what = What::Recover { run: run.clone(), choice: Recovery::Resume };
            if let Err(reasons) = act.launch(what, wanted.break_glass.as_deref(), &cluster.secrets).await {
                return act.refuse(reasons);
            }
        }
        _ => {
            let word = known.map_or("damaged", |known| known.state.word());
            let text = format!("vakt runs: run {run} waits for nobody's word: it is {word}. Nothing was sent.");
            return Err(Stop { exit: Exit::Refused, text });
        }
    }
    if !follow::ask(&state, &run, &Ask::Keep { operator }).await {
        output::note(&format!("vakt runs: the process of run {run} was not reached; it may go back"));
    }
    act.follow(Arc::new(state), run).await
}

fn of_run(desk: Desk, state: &StateDir, run: &PlanId, json: bool) -> Result<Act, Stop> {
    let journal = state.read_run(run).map_err(|trouble| Stop::usage(format!("vakt runs: {trouble}")))?;
    let Some(Record { entry: Entry::Opened(opening), .. }) = journal.records.first() else {
        if let Tail::Damaged(damage) = journal.tail {
            let text = format!("vakt runs: the journal of run {run} is damaged: {damage}. Nothing was sent.");
            return Err(Stop { exit: Exit::Refused, text });
        }
        return Err(Stop::usage(format!("vakt runs: run {run} wrote nothing down, so it sent nothing")));
    };
    let body = &opening.plan.body;
    Ok(Act { voice: Voice::new(json), desk, intent: body.intent.clone(), title: body.title.clone() })
}

/// Something that is carried out, or followed.
struct Act {
    voice: Voice,
    desk: Desk,
    intent: Intent,
    title: Clean,
}

impl Act {
    fn is_recovery_confirmed(&self, run: &PlanId, choice: Recovery) -> Result<bool, Stop> {
        let what = match choice {
            Recovery::Resume => "Goes on with",
            Recovery::RollBack => "Undoes what was done of",
        };
        if !self.voice.json {
            output::out(&format!("{what} run {run}: {}.\n", self.title))?;
        }
        is_confirmed(&ConfirmBy::Enter, self.voice)
    }

    /// Starts an executor and follows it to the end.
    async fn carry_out(
        self,
        what: What,
        break_glass: Option<&str>,
        secrets: &Secrets,
        detach: bool,
    ) -> Result<Exit, Stop> {
        let state = match self.desk.state() {
            Ok(state) => Arc::new(state),
            Err(why) => return self.refuse(unusable(&why)),
        };
        match self.launch(what, break_glass, secrets).await {
            Ok(run) if detach => {
                self.voice.say(&Told::Opened { run: &run }, |_| {
                    format!("Run {run} goes on by itself. vakt runs attach {run} follows it.\n")
                })?;
                Ok(Exit::Ok)
            }
            Ok(run) => self.follow(state, run).await,
            Err(reasons) => self.refuse(reasons),
        }
    }

    /// Starts an executor.
    async fn launch(&self, what: What, break_glass: Option<&str>, secrets: &Secrets) -> Result<PlanId, Vec<Reason>> {
        let job = self.desk.job(what, break_glass.map(Clean::line))?;
        let passphrases = Passphrases::configured(secrets, &self.desk.inventory);
        executor::launch(&job, &passphrases).await.map(|launched| launched.run)
    }

    fn refuse(&self, reasons: Vec<Reason>) -> Result<Exit, Stop> {
        self.voice.refuse(&Refusal { intent: self.intent.clone(), title: self.title.clone(), reasons })
    }

    /// Tells what happens until it is over. Ctrl-C asks the run to stop; a second one leaves it alone.
    async fn follow(&self, state: Arc<StateDir>, run: PlanId) -> Result<Exit, Stop> {
        self.voice.say(&Told::Opened { run: &run }, |_| format!("\nRun {run}\n"))?;
        let mut following = Following::begin(state, run.clone())
            .await
            .map_err(|trouble| Stop::failed(format!("vakt: the run cannot be followed: {trouble}")))?;
        let mut teller = Teller { voice: self.voice, plan: None, ending: None };
        let mut stop_would = Clean::default();
        let mut asked = false;
        // One for all rounds: a key pressed between two rounds is not lost.
        let mut interrupts = signal(SignalKind::interrupt())?;
        loop {
            let news = tokio::select! {
                news = following.next() => news,
                _ = interrupts.recv() => {
                    if asked {
                        output::note(&format!("Left alone: it goes on. vakt runs attach {run} follows it."));
                        return Ok(Exit::NotWell);
                    }
                    asked = true;
                    output::note(&format!("Asked to stop. {stop_would} Ctrl-C once more leaves it alone."));
                    following.ask(&Ask::Abort).await;
                    continue;
                }
            };
            match news {
                Some(News::Records(records)) => teller.records(&records)?,
                Some(News::StopWould(words)) => stop_would = words,
                Some(News::Question(node, question)) => {
                    output::note(&format!("{node}: {}", question.ask.trouble()));
                }
                // What moves with every look is for screens, not for lines that stay.
                Some(News::QuestionGone(..) | News::Seen(_)) => {}
                Some(News::Vanished(why)) => return self.vanished(&run, &why),
                Some(News::Over) | None => break,
            }
        }
        match teller.ending {
            Some(ending) => {
                self.voice.say(&Told::Ending(&ending), |_| run_words::ending(&ending))?;
                Ok(ending.kind.into())
            }
            // Settled by an operator, or taken up by another process in this moment.
            None => Ok(Exit::Ok),
        }
    }

    fn vanished(&self, run: &PlanId, why: &Clean) -> Result<Exit, Stop> {
        self.voice.say(&Told::Vanished { run, why }, |_| {
            format!(
                "\nInterrupted: {why}\n\nType one of\n  vakt runs resume {run}\n  vakt runs rollback {run}\n  \
                 vakt runs show {run}\n"
            )
        })?;
        Ok(Exit::NeedsOperator)
    }
}

/// Tells records in the words of the plan.
struct Teller {
    voice: Voice,
    plan: Option<Box<Plan>>,
    ending: Option<Ending>,
}

impl Teller {
    fn records(&mut self, records: &[Record]) -> Result<(), Stop> {
        for record in records {
            self.ending = None;
            match &record.entry {
                Entry::Opened(opening) => self.plan = Some(Box::new(opening.plan.clone())),
                Entry::Ended(ending) => self.ending = Some(ending.as_ref().clone()),
                _ => {}
            }
            let line = self.plan.as_ref().and_then(|plan| run_words::line(plan, record));
            if self.voice.json || line.is_some() {
                let text = line.map(|line| format!("  {line}\n")).unwrap_or_default();
                self.voice.say(&Told::Record(record), |_| text)?;
            }
        }
        Ok(())
    }
}
