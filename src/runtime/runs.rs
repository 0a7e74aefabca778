//! The console's port to runs: starts executors, follows them, and tells how the cluster's runs stand.
//!
//! None of it writes to a node, and none of it is needed for a run to go on: a console that dies leaves its executors
//! where they are.

use super::{
    executor::{
        self,
        control::{Ask, Given},
        job::{Job, What},
    },
    follow::{self, Following, News},
    passphrases::Passphrases,
    state::{Place, StateDir, StateTrouble},
};
use crate::{
    app::{
        effect::{Reply, RunEffect},
        msg::{Event, RunNews, Standing},
    },
    model::{ids::NodeName, inventory::Inventory, link::Question, text::Clean, time::Clock},
    plan::{PlanId, Reason, ReasonKind},
    rules::Acknowledgement,
    run::{
        Operator,
        ledger::Wish,
        lock::{self, LockState},
    },
    transport::Connections,
};
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::spawn_blocking,
    time::sleep,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Between two looks at the state folder.
const STANDING_PAUSE: Duration = Duration::from_millis(500);
/// The same while the folder cannot be used.
const TROUBLE_PAUSE: Duration = Duration::from_secs(5);
/// Between two questions to the nodes of the lock.
const NODES_PAUSE: Duration = Duration::from_secs(5);
/// Runs that are told about; those that are open come besides.
const RUNS_TOLD_MAX: usize = 100;
/// Runs that are followed at once.
const FOLLOWED_MAX: usize = 16;
/// Requests that may wait to be sent to one executor.
const ASKS_MAX: usize = 16;
/// Numbers of questions from here on are an executor's; those of our own connections stay far below.
const QUESTIONS_FROM: u64 = 1 << 48;

/// What a console needs to have something carried out.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The cluster, with what the command line overrides.
    pub inventory: Arc<Inventory>,
    /// The state folder, or why there is none.
    pub place: Result<Place, Clean>,
    /// Who acts.
    pub operator: Operator,
    /// The socket of a simulated cluster that takes the place of the nodes.
    pub simulation: Option<PathBuf>,
}

impl Desk {
    /// Opens the state folder.
    pub fn state(&self) -> Result<StateDir, Clean> {
        let place = self.place.as_ref().map_err(Clean::clone)?;
        StateDir::open(place, &self.inventory.cluster).map_err(|trouble| Clean::line(&trouble.to_string()))
    }

    /// A job for an executor.
    pub fn job(&self, what: What, break_glass: Option<Clean>) -> Result<Job, Vec<Reason>> {
        let place = self.place.as_ref().map_err(unusable)?;
        Ok(Job {
            inventory: self.inventory.as_ref().clone(),
            state: place.path.clone(),
            operator: self.operator.clone(),
            what,
            break_glass,
            simulation: self.simulation.clone(),
        })
    }
}

/// The state folder cannot be used: nothing can be changed.
pub fn unusable(why: &Clean) -> Vec<Reason> {
    let cure = "Mend the state folder, or name another one with --state.";
    vec![Reason::new(
        ReasonKind::StateUnusable,
        "There is no state folder to write a journal into.",
        vec![why.clone()],
        cure,
    )]
}

/// Executors and runs, as a console has them.
#[derive(Debug)]
pub struct Runs {
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Shared {
    desk: Desk,
    clock: Arc<dyn Clock>,
    connections: Arc<dyn Connections>,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    followed: BTreeMap<PlanId, Followed>,
    /// By our number: whose question it is.
    questions: BTreeMap<u64, (PlanId, NodeName, u64)>,
    next_question: u64,
    /// The lock over the nodes as they tell it; none when the configuration names no nodes for it.
    nodes: Option<LockState>,
}

#[derive(Debug)]
struct Followed {
    asks: mpsc::Sender<Ask>,
    _stop: DropGuard,
}

impl Runs {
    /// Begins to tell how things stand.
    pub fn start(
        desk: Desk,
        clock: Arc<dyn Clock>,
        connections: Arc<dyn Connections>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let stop = CancellationToken::new();
        let open = Mutex::default();
        let shared = Arc::new(Shared { desk, clock, connections, events, stop: stop.clone(), open });
        let watching = Arc::clone(&shared);
        tokio::spawn(async move {
            tokio::select! {
                () = watching.stop.cancelled() => {}
                _ = async { tokio::join!(watching.watch(), watching.watch_nodes()) } => {}
            }
        });
        Self { shared, _stop: stop.drop_guard() }
    }

    /// Does what the console wants of runs. Outcomes arrive as events.
    pub fn perform(&self, effect: RunEffect, passphrases: &Passphrases) {
        let shared = Arc::clone(&self.shared);
        match effect {
            RunEffect::Begin { plan, break_glass } => {
                shared.spawn_launch(What::Begin { plan }, break_glass, passphrases.clone());
            }
            RunEffect::Recover { run, choice } => {
                shared.spawn_launch(What::Recover { run, choice }, None, passphrases.clone());
            }
            RunEffect::Resolve { run, why } => _ = tokio::spawn(async move { shared.resolve(run, why).await }),
            RunEffect::TakeBack { wishes } => _ = tokio::spawn(async move { shared.take_back(wishes).await }),
            RunEffect::Acknowledge { rule, subject, severity, reason, until } => {
                let (by, at) = (shared.desk.operator.login.clone(), shared.clock.now().wall);
                let one = Acknowledgement { rule, subject, severity, by, reason, at, until };
                shared.spawn_note(move |state| state.acknowledge(one, at));
            }
            RunEffect::Unacknowledge { rule, subject } => {
                shared.spawn_note(move |state| state.unacknowledge(&rule, &subject));
            }
            RunEffect::Attach { run } => shared.attach(run),
            RunEffect::Detach { run } => _ = shared.lock().followed.remove(&run),
            RunEffect::Stop { run } => _ = tokio::spawn(async move { shared.ask_run(run, Ask::Abort).await }),
            RunEffect::Keep { run } => {
                let operator = shared.desk.operator.clone();
                tokio::spawn(async move { shared.ask_run(run, Ask::Keep { operator }).await });
            }
        }
    }

    /// Whether that number is of an executor's question.
    pub fn has_asked(&self, question: u64) -> bool {
        question >= QUESTIONS_FROM
    }

    /// The operator's answer to a question, if it is an executor's.
    pub fn answer(&self, question: u64, answer: Reply) -> Option<Reply> {
        if question < QUESTIONS_FROM {
            return Some(answer);
        }
        let mut open = self.shared.lock();
        let (run, node, theirs) = open.questions.remove(&question)?;
        let answer = match answer {
            Reply::Secret(text) => Given::Secret(text.into()),
            Reply::Accept => Given::Accept,
            Reply::Refuse => Given::Refuse,
        };
        if let Some(followed) = open.followed.get(&run) {
            // One that is busy with so many requests is asked again by the next question.
            let _ = followed.asks.try_send(Ask::Answer { node, question: theirs, answer });
        }
        None
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn tell(&self, event: Event) {
        // The loop is gone only at the end of the program.
        let _ = self.events.send(event).await;
    }

    async fn news(&self, run: &PlanId, news: RunNews) {
        self.tell(Event::Run { run: run.clone(), news }).await;
    }

    fn spawn_launch(self: Arc<Self>, what: What, break_glass: Option<Clean>, passphrases: Passphrases) {
        // Not stopped with the console: an executor that was started gets its job whole.
        tokio::spawn(async move {
            let run = what.run().clone();
            let launched = match self.desk.job(what, break_glass) {
                Ok(job) => executor::launch(&job, &passphrases).await.map(drop),
                Err(reasons) => Err(reasons),
            };
            match launched {
                Ok(()) => self.attach(run),
                Err(reasons) => self.news(&run, RunNews::NotStarted(reasons)).await,
            }
        });
    }

    async fn resolve(&self, run: PlanId, why: Clean) {
        let (desk, now) = (self.desk.clone(), self.clock.now());
        let name = run.clone();
        let resolved = spawn_blocking(move || {
            let state = desk.state()?;
            let settled = state.resolve(&name, desk.operator.clone(), why, now);
            settled.map(drop).map_err(|trouble| Clean::line(&trouble.to_string()))
        });
        if let Ok(Err(why)) = resolved.await {
            let what = format!("Run {run} was not marked as settled.");
            let reason = Reason::new(ReasonKind::NotRecoverable, what, vec![why], "Look at the run: vakt runs show.");
            self.news(&run, RunNews::NotStarted(vec![reason])).await;
        }
    }

    /// The next look at the state folder tells the console what is wished then; one that fails tells why.
    async fn take_back(&self, wishes: Vec<Wish>) {
        let desk = self.desk.clone();
        let taken = spawn_blocking(move || {
            let state = desk.state()?;
            state.take_back(&wishes).map_err(|trouble| Clean::line(&trouble.to_string()))
        });
        if let Ok(Err(why)) = taken.await {
            tracing::warn!("wishes were not taken back: {why}");
            self.tell(Event::NotKept(why)).await;
        }
    }

    /// The next look at the state folder tells the console; one that fails tells why.
    fn spawn_note(self: Arc<Self>, note: impl FnOnce(&StateDir) -> Result<(), StateTrouble> + Send + 'static) {
        tokio::spawn(async move {
            let desk = self.desk.clone();
            let noted =
                spawn_blocking(move || desk.state().and_then(|state| note(&state).map_err(|trouble| words(&trouble))));
            if let Ok(Err(why)) = noted.await {
                tracing::warn!("an acknowledgement was not kept: {why}");
                self.tell(Event::NotKept(why)).await;
            }
        });
    }

    async fn ask_run(&self, run: PlanId, ask: Ask) {
        let followed = self.lock().followed.get(&run).map(|followed| followed.asks.clone());
        let ask = match followed {
            None => ask,
            Some(asks) => match asks.try_send(ask) {
                Ok(()) => return,
                Err(TrySendError::Full(ask) | TrySendError::Closed(ask)) => ask,
            },
        };
        self.ask_once(&run, &ask).await;
    }

    /// Asks over a connection of its own. An operator whose word was not heard is told so.
    async fn ask_once(&self, run: &PlanId, ask: &Ask) {
        let is_heard = match self.desk.state() {
            Ok(state) => follow::ask(&state, run, ask).await,
            Err(_) => false,
        };
        if !is_heard {
            let why =
                format!("the process of run {run} did not hear it; look at the run, and say it again if it goes on");
            self.tell(Event::NotKept(Clean::line(&why))).await;
        }
    }

    fn attach(self: &Arc<Self>, run: PlanId) {
        let (asks, wanted) = mpsc::channel(ASKS_MAX);
        let stop = self.stop.child_token();
        {
            let mut open = self.lock();
            if open.followed.contains_key(&run) || open.followed.len() >= FOLLOWED_MAX {
                return;
            }
            open.followed.insert(run.clone(), Followed { asks, _stop: stop.clone().drop_guard() });
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = this.follow(&run, wanted) => drop(this.lock().followed.remove(&run)),
            }
            this.forget_questions(&run).await;
        });
    }

    async fn follow(&self, run: &PlanId, mut wanted: mpsc::Receiver<Ask>) {
        let opened = match self.desk.state() {
            Ok(state) => Following::begin(Arc::new(state), run.clone()).await.map_err(|trouble| words(&trouble)),
            Err(why) => Err(why),
        };
        let mut following = match opened {
            Ok(following) => following,
            Err(why) => return self.news(run, RunNews::Vanished(why)).await,
        };
        loop {
            let news = tokio::select! {
                news = following.next() => news,
                Some(ask) = wanted.recv() => {
                    if !following.ask(&ask).await {
                        self.ask_once(run, &ask).await;
                    }
                    continue;
                }
            };
            match news {
                Some(News::Records(records)) => self.news(run, RunNews::Records(records)).await,
                Some(News::StopWould(words)) => self.news(run, RunNews::StopWould(words)).await,
                Some(News::Seen(lines)) => self.news(run, RunNews::Seen(lines)).await,
                Some(News::Question(node, question)) => self.question(run, node, question).await,
                Some(News::QuestionGone(node, id)) => self.question_gone(run, &node, id).await,
                Some(News::Vanished(why)) => return self.news(run, RunNews::Vanished(why)).await,
                Some(News::Over) | None => return,
            }
        }
    }

    async fn question(&self, run: &PlanId, node: NodeName, question: Question) {
        let ours = {
            let mut open = self.lock();
            open.next_question += 1;
            let ours = QUESTIONS_FROM + open.next_question;
            open.questions.insert(ours, (run.clone(), node.clone(), question.id));
            ours
        };
        self.tell(Event::Question { node, question: Question { id: ours, ask: question.ask } }).await;
    }

    async fn question_gone(&self, run: &PlanId, node: &NodeName, theirs: u64) {
        let gone = {
            let mut open = self.lock();
            let of = (run.clone(), node.clone(), theirs);
            let ours = open.questions.iter().find(|(_, question)| **question == of).map(|(ours, _)| *ours);
            ours.inspect(|ours| _ = open.questions.remove(ours))
        };
        if let Some(id) = gone {
            self.tell(Event::QuestionGone { node: node.clone(), id }).await;
        }
    }

    async fn forget_questions(&self, run: &PlanId) {
        let gone: Vec<(PlanId, NodeName, u64)> =
            self.lock().questions.values().filter(|(of, ..)| of == run).cloned().collect();
        for (run, node, theirs) in gone {
            self.question_gone(&run, &node, theirs).await;
        }
    }

    /// Tells how things stand whenever that changes.
    async fn watch(&self) {
        let mut told = Standing::default();
        loop {
            let desk = self.desk.clone();
            let opened = spawn_blocking(move || desk.state()).await;
            let state = match opened {
                Ok(Ok(state)) => Arc::new(state),
                Ok(Err(why)) => {
                    let standing = Standing { trouble: Some(why), ..Standing::default() };
                    self.tell_standing(&mut told, standing).await;
                    sleep(TROUBLE_PAUSE).await;
                    continue;
                }
                Err(_) => return,
            };
            while state.run_ids().is_ok() {
                let looked = Arc::clone(&state);
                let Ok(mut standing) = spawn_blocking(move || standing(&looked)).await else { return };
                // What is held on this bastion is known at first hand.
                if standing.lock == LockState::Free
                    && let Some(nodes) = self.lock().nodes.clone()
                {
                    standing.lock = nodes;
                }
                self.tell_standing(&mut told, standing).await;
                sleep(STANDING_PAUSE).await;
            }
        }
    }

    /// Asks the nodes of the lock who holds it, now and then.
    async fn watch_nodes(&self) {
        let inventory = &self.desk.inventory;
        let nodes = &inventory.settings.lock.nodes;
        if nodes.is_empty() || self.desk.simulation.is_some() {
            return;
        }
        let request = lock::read_request(&inventory.cluster);
        loop {
            let asked = nodes.iter().map(|node| async {
                let state = match self.connections.call(node, &request).await {
                    Ok(reply) => lock::interpret(&reply),
                    Err(trouble) => LockState::Unknown(trouble.cause),
                };
                (node.clone(), state)
            });
            let states = join_all(asked).await;
            self.lock().nodes = Some(lock::of_nodes(&states));
            sleep(NODES_PAUSE).await;
        }
    }

    async fn tell_standing(&self, told: &mut Standing, standing: Standing) {
        if *told != standing {
            told.clone_from(&standing);
            self.tell(Event::Standing(Box::new(standing))).await;
        }
    }
}

fn standing(state: &StateDir) -> Standing {
    Standing {
        runs: state.runs(RUNS_TOLD_MAX),
        lock: state.lock_state(),
        ledger: state.ledger(),
        acknowledged: state.acknowledged(),
        trouble: None,
    }
}

fn words(trouble: &StateTrouble) -> Clean {
    Clean::line(&trouble.to_string())
}
