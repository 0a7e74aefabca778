//! The locks of a run: of this bastion, and over the nodes that the configuration names.

use super::job::Job;
use crate::{
    model::{
        ids::{ClusterName, NodeName},
        link::Question,
        text::Clean,
        time::Now,
    },
    plan::{Plan, Reason, ReasonKind},
    run::lock::{self, Holder},
    runtime::{
        passphrases::Passphrases,
        state::{self, BastionLock, Held, NodeLock, NotHeld, Pace, StateDir, StateTrouble},
    },
    transport::{Answer, Connections, LockChannels, TransportEvent},
};
use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};

/// Longest wait for the connections to the nodes of the lock.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long the others are waited for once most of them are connected.
const OTHERS_WAIT: Duration = Duration::from_secs(1);
/// Between two tries of a node that is not connected yet.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);
/// How long a run that is to go back waits for the lock that it lent.
const TAKE_BACK_WAIT: Duration = Duration::from_secs(10);
/// Between two tries of that.
const TAKE_BACK_PAUSE: Duration = Duration::from_millis(250);
/// Questions that are kept until somebody can be asked.
const QUESTIONS_MAX: usize = 64;

/// What is held for the length of a run. The kernel and the nodes free it however this process ends.
#[derive(Debug, Default)]
pub(super) struct Locks {
    bastion: Option<BastionLock>,
    nodes: Option<Arc<NodeLock>>,
    /// Who holds what was not taken; the operator broke the glass.
    pub(super) held_by: Option<Clean>,
}

/// Who this run is, for those who find the cluster locked.
pub(super) fn holder(job: &Job, plan: &Plan, now: Now) -> Holder {
    let what = match &plan.body.intent.reason {
        Some(reason) => format!("{} ({reason})", plan.body.title),
        None => plan.body.title.to_string(),
    };
    Holder {
        operator: job.operator.clone(),
        bastion: state::bastion(),
        process: std::process::id(),
        run: plan.id.clone(),
        what: Clean::line(&what),
        since: now.wall,
    }
}

impl Locks {
    /// The lock of this bastion.
    pub(super) fn of_bastion(state: &StateDir, holder: &Holder, breaks_glass: bool) -> Result<Self, LockTrouble> {
        match BastionLock::take(state, holder) {
            Ok(lock) => Ok(Self { bastion: Some(lock), ..Self::default() }),
            Err(Held::Trouble(trouble)) => Err(LockTrouble::State(trouble)),
            Err(held @ Held::By { .. }) => {
                let words = Clean::line(&held.to_string());
                if !breaks_glass {
                    return Err(LockTrouble::Held(locked(vec![words])));
                }
                Ok(Self { held_by: Some(words), ..Self::default() })
            }
        }
    }

    /// The lock over the nodes, once they are connected.
    pub(super) async fn over_nodes(
        &mut self,
        job: &Job,
        holder: &Holder,
        channels: &dyn LockChannels,
    ) -> Result<(), Reason> {
        let nodes = &job.inventory.settings.lock.nodes;
        match NodeLock::take(channels, &job.inventory.cluster, nodes, holder, Pace::default()).await {
            Ok(lock) => {
                self.nodes = Some(Arc::new(lock));
                Ok(())
            }
            Err(refused) if job.break_glass.is_some() => {
                let words = self.held_by.take().map(|words| format!("{words}; ")).unwrap_or_default();
                self.held_by = Some(Clean::line(&format!("{words}{refused}")));
                Ok(())
            }
            Err(refused) => Err(not_held(&refused)),
        }
    }

    /// Ends when the lock over the nodes is lost; never when there is none.
    pub(super) fn lost(&self) -> BoxFuture<'static, Clean> {
        let Some(lock) = self.nodes.clone() else { return Box::pin(std::future::pending()) };
        Box::pin(async move {
            lock.lost().await;
            "most of the lock's nodes do not hold it any more".into()
        })
    }

    /// Frees everything; nothing stays on the nodes. Whoever waits for its loss has stopped waiting.
    pub(super) async fn release(self) {
        if let Some(lock) = self.nodes.and_then(Arc::into_inner) {
            lock.release().await;
        }
        drop(self.bastion);
    }
}

/// The locks of a run, with what it takes to lend them while the run only waits for a word.
pub(super) struct Lending {
    locks: Locks,
    state: Arc<StateDir>,
    holder: Holder,
    cluster: ClusterName,
    nodes: Vec<NodeName>,
    channels: Option<Arc<dyn LockChannels>>,
    is_lent: bool,
}

impl Lending {
    /// Locks that are held.
    pub(super) fn new(
        locks: Locks,
        job: &Job,
        state: Arc<StateDir>,
        holder: Holder,
        channels: Option<Arc<dyn LockChannels>>,
    ) -> Self {
        let nodes = job.inventory.settings.lock.nodes.clone();
        let channels = channels.filter(|_| !nodes.is_empty());
        Self { locks, state, holder, cluster: job.inventory.cluster.clone(), nodes, channels, is_lent: false }
    }

    /// Whether others may have them now.
    pub(super) fn is_lent(&self) -> bool {
        self.is_lent
    }

    /// Ends when the lock over the nodes is lost; never when there is none, and none while it is lent.
    pub(super) fn lost(&self) -> BoxFuture<'static, Clean> {
        self.locks.lost()
    }

    /// Frees them until they are taken back. Whoever waits for their loss has stopped waiting.
    pub(super) async fn lend(&mut self) {
        self.is_lent = true;
        std::mem::take(&mut self.locks).release().await;
    }

    /// Takes them again, before anything is sent. Whoever has them is waited for a while; then it goes back without them,
    /// because what was promised to go back in time matters more, and each step back looks first whether anybody was there.
    pub(super) async fn take_back(&mut self) {
        let deadline = Instant::now() + TAKE_BACK_WAIT;
        self.is_lent = false;
        while let Err(why) = self.take().await {
            if Instant::now() >= deadline {
                tracing::warn!("what was done goes back although the lock could not be taken: {why}");
                return;
            }
            sleep(TAKE_BACK_PAUSE).await;
        }
    }

    async fn take(&mut self) -> Result<(), Clean> {
        let bastion = BastionLock::take(&self.state, &self.holder).map_err(|held| Clean::line(&held.to_string()))?;
        let nodes = match &self.channels {
            Some(channels) => {
                let taken =
                    NodeLock::take(channels.as_ref(), &self.cluster, &self.nodes, &self.holder, Pace::default()).await;
                Some(Arc::new(taken.map_err(|refused| Clean::line(&refused.to_string()))?))
            }
            None => None,
        };
        self.locks = Locks { bastion: Some(bastion), nodes, held_by: None };
        Ok(())
    }

    /// Frees everything.
    pub(super) async fn release(self) {
        self.locks.release().await;
    }
}

/// Why the lock of the bastion was not taken.
pub(super) enum LockTrouble {
    /// Somebody holds it.
    Held(Reason),
    /// The state folder cannot be used.
    State(StateTrouble),
}

/// Somebody else acts.
fn locked(holders: Vec<Clean>) -> Reason {
    Reason::new(
        ReasonKind::Locked,
        "Somebody else changes this cluster at this moment.",
        holders,
        "Wait until that run has ended, or use --break-glass WHY; the reason is written into the journal.",
    )
}

fn not_held(refused: &NotHeld) -> Reason {
    let busy = refused.busy.iter().map(|(node, holder)| match holder {
        Some(holder) => Clean::line(&format!("{node}: {holder}")),
        None => Clean::line(&format!("{node}: held by somebody who has not said who it is")),
    });
    let unreachable = refused.unreachable.iter().map(|(node, why)| Clean::line(&format!("{node}: {why}")));
    let evidence = busy.chain(unreachable).collect();
    if !refused.busy.is_empty() {
        return locked(evidence);
    }
    Reason::new(
        ReasonKind::Locked,
        format!("The lock needs {} of its nodes and could be held on {}.", refused.needed, refused.got),
        evidence,
        "Bring these nodes back, or use --break-glass WHY; the reason is written into the journal.",
    )
}

/// Waits until the nodes of the lock are connected, or it is no use to wait longer. Questions that nobody can be asked
/// yet are returned.
pub(super) async fn connected(
    job: &Job,
    connections: &dyn Connections,
    transport: &mut mpsc::Receiver<TransportEvent>,
    passphrases: &mut Passphrases,
) -> Vec<(NodeName, Question)> {
    let (nodes, request) = (&job.inventory.settings.lock.nodes, lock::read_request(&job.inventory.cluster));
    let request = &request;
    let mut answers: FuturesUnordered<_> = nodes
        .iter()
        .map(|node| async move {
            while connections.call(node, request).await.is_err() {
                sleep(CONNECT_PAUSE).await;
            }
        })
        .collect();
    let mut deadline = Instant::now() + CONNECT_WAIT;
    let mut asked = Vec::new();
    let mut up = 0;
    while up < nodes.len() {
        let step = async {
            tokio::select! {
                Some(()) = answers.next() => None,
                Some(event) = transport.recv() => Some(event),
            }
        };
        match timeout_at(deadline, step).await {
            Err(_) => break,
            Ok(Some(event)) => question(event, connections, passphrases, &mut asked),
            Ok(None) => {
                up += 1;
                if up == nodes.len() / 2 + 1 {
                    deadline = deadline.min(Instant::now() + OTHERS_WAIT);
                }
            }
        }
    }
    asked
}

fn question(
    event: TransportEvent,
    connections: &dyn Connections,
    passphrases: &mut Passphrases,
    asked: &mut Vec<(NodeName, Question)>,
) {
    match event {
        TransportEvent::Link { .. } => {}
        TransportEvent::Question { node, question } => match passphrases.answer(&node, &question) {
            Some(passphrase) => connections.answer(&node, question.id, Answer::Secret(passphrase)),
            None if asked.len() < QUESTIONS_MAX => asked.push((node, question)),
            None => {}
        },
        TransportEvent::QuestionGone { node, id } => asked.retain(|(of, question)| of != &node || question.id != id),
    }
}
