//! From a job to a run and its end: what must hold before anything is opened, the locks, the machine, the last words.

use super::{
    boundary::Boundaries,
    control::Control,
    drive::{Drive, Parts},
    job::{Job, Reply, What},
    locks::{self, Lending, LockTrouble, Locks},
    process::Signals,
};
use crate::{
    model::{ids::NodeName, intent::Change, text::Clean, time::Clock},
    plan::{Plan, PlanId, Reason, ReasonKind, lint},
    run::{BrokeGlass, EndingKind, Entry, Machine, Record, RunState},
    runtime::{
        clock::SystemClock,
        passphrases::Passphrases,
        state::{Found, JournalFile, Keep, Place, StateDir, StateTrouble},
    },
    sim::SimClient,
    transport::{
        LockChannels, TransportEvent, WritingConnections,
        hook::WithHook,
        ssh::{Fleet, WritingFleet},
    },
};
use std::{collections::BTreeSet, io::Write, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// Connection events that may wait.
const TRANSPORT_EVENTS_MAX: usize = 1024;
/// Time for the connections to take leave.
const LEAVE_WAIT: Duration = Duration::from_secs(2);

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The run ended.
    Run(EndingKind),
    /// It was not begun.
    NotStarted,
}

/// Carries the job out.
pub(super) async fn carry_out(job: Job, passphrases: Passphrases) -> End {
    let clock = Arc::new(SystemClock::start());
    match prepare(&job, passphrases, clock).await {
        Ok(prepared) => prepared.run().await,
        Err(reasons) => {
            reply(&Reply::NotStarted { reasons });
            End::NotStarted
        }
    }
}

/// One line on standard output; whoever started this may be gone.
pub(super) fn reply(reply: &Reply) {
    if let Ok(mut line) = serde_json::to_vec(reply) {
        line.push(b'\n');
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(&line).and_then(|()| stdout.flush());
    }
}

/// A run that only has to be driven.
struct Prepared {
    state: Arc<StateDir>,
    run: PlanId,
    parts: Parts,
    keep: Keep,
}

/// Everything that can be refused is refused here; nothing was sent, and no record exists.
async fn prepare(job: &Job, mut passphrases: Passphrases, clock: Arc<dyn Clock>) -> Result<Prepared, Vec<Reason>> {
    let signals = Signals::listen().map_err(|error| internal(&format!("signals cannot be listened to: {error}")))?;
    let boundaries = Boundaries::from_environment();
    let place = Place { path: job.state.clone(), found: Found::Flag };
    let state = StateDir::open(&place, &job.inventory.cluster).map_err(|trouble| no_state(&trouble))?;
    let state = Arc::new(state);
    let earlier = match &job.what {
        What::Begin { .. } => None,
        What::Recover { run, .. } => Some(recorded(&state, run)?),
    };
    let plan = match (&job.what, &earlier) {
        (What::Begin { plan }, _) => plan.as_ref().clone(),
        (What::Recover { .. }, Some(records)) => plan_of(records)?,
        (What::Recover { .. }, None) => return Err(internal("nothing was recorded")),
    };
    check(job, &plan)?;
    let holder = locks::holder(job, &plan, clock.now());
    let mut locks = Locks::of_bastion(&state, &holder, job.break_glass.is_some()).map_err(|trouble| match trouble {
        LockTrouble::Held(reason) => vec![reason],
        LockTrouble::State(trouble) => no_state(&trouble),
    })?;
    if let Some(reason) = waits_about_the_same(&state, job.what.run(), &plan) {
        return Err(vec![reason]);
    }
    let (events, mut transport) = mpsc::channel(TRANSPORT_EVENTS_MAX);
    let Ways { connections, channels } = connections(job, &plan, Arc::clone(&clock), events).await?;
    let mut asked = Vec::new();
    if let Some(channels) = channels.as_ref().filter(|_| !job.inventory.settings.lock.nodes.is_empty()) {
        asked = locks::connected(job, connections.as_ref(), &mut transport, &mut passphrases).await;
        locks.over_nodes(job, &holder, channels.as_ref()).await.map_err(|reason| vec![reason])?;
    }
    let (journal, mut machine) = open(job, plan, &state)?;
    if let (Some(why), Some(held_by)) = (&job.break_glass, locks.held_by.clone()) {
        machine = machine.breaking_glass(BrokeGlass { why: why.clone(), held_by });
    }
    let run = job.what.run().clone();
    let control = Control::listen(&state.run_folder(&run), state.sharing())
        .map_err(|error| internal(&format!("the control socket cannot be made: {error}")))?;
    control.tell(|told| told.questions = asked);
    let lock_lost = locks.lost();
    let locks = Lending::new(locks, job, Arc::clone(&state), holder, channels);
    let parts = Parts {
        machine,
        journal,
        control,
        boundaries,
        connections,
        transport,
        passphrases,
        clock,
        signals,
        locks,
        lock_lost,
    };
    Ok(Prepared { state, run, parts, keep: Keep::from(&job.inventory.settings.state) })
}

impl Prepared {
    async fn run(self) -> End {
        let Self { state, run, parts, keep } = self;
        let driven = Drive::new(parts, || reply(&Reply::Opened)).run().await;
        let Parts { journal, control, boundaries, connections, clock, locks, lock_lost, .. } = driven.parts;
        drop(lock_lost);
        let kind = driven.ending.kind;
        if driven.was_opened {
            // What cannot be told here is told by the next process that looks at the folder.
            let announced = state.announce(&run, journal.head(), &driven.ending);
            if let Err(trouble) = announced {
                tracing::error!("the ending was not announced: {trouble}");
            }
            drop(journal);
            // Folds what ended into the ledger, and removes what is kept no longer.
            if let Err(trouble) = state.prune(clock.now().wall, keep) {
                tracing::error!("the ledger was not brought up to date: {trouble}");
            }
        } else {
            let why = driven.ending.why.as_str();
            let cure = "Mend the state folder; vakt check looks at it.";
            let reasons = vec![Reason::new(ReasonKind::StateUnusable, why, Vec::new(), cure)];
            reply(&Reply::NotStarted { reasons });
        }
        boundaries.told();
        // Whoever hears that it is over may begin the next run at once.
        locks.release().await;
        control.end().await;
        let _ = timeout(LEAVE_WAIT, connections.shutdown()).await;
        if driven.was_opened { End::Run(kind) } else { End::NotStarted }
    }
}

/// A run of this bastion that waits for a word about the same: it would find its change gone, and nobody could say whose value
/// is to stay.
fn waits_about_the_same(state: &StateDir, own: &PlanId, plan: &Plan) -> Option<Reason> {
    let key = |change: &Change| match change {
        Change::Tune(act) => act.key.to_string(),
        _ => String::new(),
    };
    let wanted = &plan.body.intent.change;
    let is_same = |change: &Change| change.target() == wanted.target() && key(change) == key(wanted);
    let runs = state.runs(usize::MAX);
    let run =
        runs.iter().find(|run| run.state == RunState::Running && run.id != *own && is_same(&run.intent.change))?;
    Some(Reason::new(
        ReasonKind::Locked,
        "A change of the same waits for a word, and goes back by itself.",
        vec![Clean::line(&format!("run {}: {}", run.id, run.title))],
        format!("Wait until it is back, or say that it stays: vakt runs keep {}.", run.id),
    ))
}

/// The records of a run that is to be taken up; also checks that nobody else carries it out.
fn recorded(state: &StateDir, run: &PlanId) -> Result<Vec<Record>, Vec<Reason>> {
    let journal = state.read_run(run).map_err(|trouble| no_state(&trouble))?;
    match RunState::of(&journal, false) {
        RunState::Damaged(why) => Err(vec![Reason::new(
            ReasonKind::StateUnusable,
            format!("The journal of run {run} is damaged; what was done cannot be told from it."),
            vec![why],
            format!("Look at the cluster, bring it to where it should be, then vakt runs verify {run}."),
        )]),
        _ => Ok(journal.records),
    }
}

fn plan_of(records: &[Record]) -> Result<Plan, Vec<Reason>> {
    match records.first().map(|record| &record.entry) {
        Some(Entry::Opened(opening)) => Ok(opening.plan.clone()),
        _ => Err(vec![Reason::new(
            ReasonKind::StateUnusable,
            "The journal does not begin with a plan.",
            Vec::new(),
            "Nothing was sent by this run; make a new plan.",
        )]),
    }
}

/// The plan against this executor's own inventory and policy.
fn check(job: &Job, plan: &Plan) -> Result<(), Vec<Reason>> {
    let mut reasons = Vec::new();
    if job.inventory.settings.policy.read_only {
        reasons.push(Reason::read_only());
    }
    if plan.body.cluster != job.inventory.cluster {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("The plan is for the cluster {}, this is {}.", plan.body.cluster, job.inventory.cluster),
            Vec::new(),
            "Use the configuration of that cluster.",
        ));
    }
    let faults = lint::lint(plan, &job.inventory);
    if !faults.is_empty() {
        reasons.push(Reason::new(
            ReasonKind::Internal,
            "The plan does not fit this cluster, or contradicts itself.",
            faults.iter().map(|fault| Clean::line(&fault.to_string())).collect(),
            "Make a new plan; if that one is refused too, report it with the output of vakt do … --plan --json.",
        ));
    }
    if reasons.is_empty() { Ok(()) } else { Err(reasons) }
}

/// The way to the nodes.
struct Ways {
    connections: Arc<dyn WritingConnections>,
    /// Where the lock over the nodes is held; a simulated cluster has no other operators.
    channels: Option<Arc<dyn LockChannels>>,
}

/// Connections to the nodes that the plan and the lock name, and to no other.
async fn connections(
    job: &Job,
    plan: &Plan,
    clock: Arc<dyn Clock>,
    events: mpsc::Sender<TransportEvent>,
) -> Result<Ways, Vec<Reason>> {
    if let Some(socket) = &job.simulation {
        let client = SimClient::connect(socket, events).await.map_err(|error| {
            internal(&format!("the simulated cluster behind {} does not answer: {error}", socket.display()))
        })?;
        let read_only = job.inventory.settings.policy.read_only;
        return Ok(Ways { connections: WithHook::over(Arc::new(client), read_only), channels: None });
    }
    let looked_at = plan.body.sources.iter().map(|source| &source.node);
    let written_to = plan.body.steps.iter().flat_map(|step| step.nodes());
    let locked = &job.inventory.settings.lock.nodes;
    let nodes: BTreeSet<NodeName> = looked_at.chain(written_to).chain(locked).cloned().collect();
    let read_only = job.inventory.settings.policy.read_only;
    let fleet = Fleet::start_some(Arc::new(job.inventory.clone()), clock, events, &nodes);
    let fleet = Arc::new(WritingFleet::new(fleet, read_only));
    let connections = WithHook::over(Arc::clone(&fleet) as Arc<dyn WritingConnections>, read_only);
    Ok(Ways { connections, channels: Some(fleet) })
}

/// The journal and the machine, new or taken up.
fn open(job: &Job, plan: Plan, state: &StateDir) -> Result<(JournalFile, Machine), Vec<Reason>> {
    match &job.what {
        What::Begin { .. } => {
            let previous = state.previous_head().map_err(|trouble| no_state(&trouble))?;
            let journal = state.begin_run(&plan.id).map_err(|trouble| no_state(&trouble))?;
            Ok((journal, Machine::new(plan, job.operator.clone(), previous)))
        }
        What::Recover { run, choice } => {
            let (journal, records) = state.reopen_run(run).map_err(|trouble| no_state(&trouble))?;
            let machine = Machine::recover(&records, *choice, job.operator.clone()).map_err(|error| {
                let what = format!("Run {run} cannot be taken up: {error}.");
                vec![Reason::new(ReasonKind::NotRecoverable, what, Vec::new(), "Make a new plan for what is left.")]
            })?;
            Ok((journal, machine))
        }
    }
}

fn no_state(trouble: &StateTrouble) -> Vec<Reason> {
    let kind = match trouble {
        StateTrouble::Running(_) => ReasonKind::Locked,
        StateTrouble::NoRun(_) | StateTrouble::Begun(_) => ReasonKind::NotRecoverable,
        _ => ReasonKind::StateUnusable,
    };
    let text = trouble.to_string();
    let (what, cure) = text.rsplit_once("; ").unwrap_or((&text, "mend it; vakt check looks at it"));
    vec![Reason::new(kind, sentence(what), Vec::new(), sentence(cure))]
}

/// A fragment as a sentence.
fn sentence(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

/// vakt itself is at fault, or this machine is.
pub(super) fn internal(what: &str) -> Vec<Reason> {
    vec![Reason::new(
        ReasonKind::Internal,
        format!("The run could not be started: {what}."),
        Vec::new(),
        "Nothing was sent. Report this as a fault of vakt if this machine is well.",
    )]
}
