//! Drives a machine: its commands become reads, writes, records and timers, what comes of them becomes its events.

use super::{
    boundary::Boundaries,
    control::{Ask, Control, QUESTIONS_MAX},
    locks::Lending,
    process::Signals,
};
use crate::{
    model::{
        ids::NodeName,
        text::Clean,
        time::{Clock, Mono},
    },
    run::{Ending, Entry, Machine, Record, RunCommand, RunEvent},
    runtime::{collector, passphrases::Passphrases, state::JournalFile},
    transport::{Answer, Permit, Sent, TransportEvent, WritingConnections},
    wire::{probe::ProbeId, request::Request},
};
use futures::future::BoxFuture;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::task::TaskTracker;

/// Outcomes that may wait to be taken; tasks wait when it is full.
const OUTCOMES_MAX: usize = 64;
/// Longest wait for the connections, before the world is judged without them.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// The same while a connection waits for an operator's answer.
const ANSWER_WAIT: Duration = Duration::from_secs(120);
/// Between two tries of a connection that is not up yet.
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// Everything a run needs.
pub(super) struct Parts {
    pub(super) machine: Machine,
    pub(super) journal: JournalFile,
    pub(super) control: Control,
    pub(super) boundaries: Boundaries,
    pub(super) connections: Arc<dyn WritingConnections>,
    pub(super) transport: mpsc::Receiver<TransportEvent>,
    pub(super) passphrases: Passphrases,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) signals: Signals,
    /// Held, or lent while it only waits for a word.
    pub(super) locks: Lending,
    /// Ends when the lock over the nodes is lost, with the reason; never when there is none.
    pub(super) lock_lost: BoxFuture<'static, Clean>,
}

/// A run being carried out.
pub(super) struct Drive {
    parts: Parts,
    tasks: TaskTracker,
    outcomes: mpsc::Receiver<Outcome>,
    outcomes_in: mpsc::Sender<Outcome>,
    /// When the machine wants a tick.
    waits: BTreeSet<Mono>,
    /// The word of the journal for each write that was announced, in order; used up by sending it. What was announced
    /// before it and not sent never will be.
    permits: VecDeque<(NodeName, Request, Permit)>,
    /// Held back until the connections are up: the time that they take is not the world's.
    held: Option<RunEvent>,
    is_connected: bool,
    /// Asks the nodes until each has answered.
    connecting: Option<JoinHandle<()>>,
    /// Since when no question has held the connections up.
    connecting_since: Instant,
    lock_is_lost: bool,
    journal_failed: bool,
    /// Told once, when the first record is durable.
    opened: Option<Box<dyn FnOnce() + Send>>,
}

enum Outcome {
    Read(RunEvent),
    Sent(RunEvent),
    Connected,
}

/// How a run ended for this process.
pub(super) struct Driven {
    pub(super) ending: Box<Ending>,
    /// Whether its first record became durable.
    pub(super) was_opened: bool,
    pub(super) parts: Parts,
}

impl Drive {
    /// `opened` is called when the first record is durable.
    pub(super) fn new(parts: Parts, opened: impl FnOnce() + Send + 'static) -> Self {
        let (outcomes_in, outcomes) = mpsc::channel(OUTCOMES_MAX);
        Self {
            parts,
            tasks: TaskTracker::new(),
            outcomes,
            outcomes_in,
            waits: BTreeSet::new(),
            permits: VecDeque::new(),
            held: None,
            is_connected: false,
            connecting: None,
            connecting_since: Instant::now(),
            lock_is_lost: false,
            journal_failed: false,
            opened: Some(Box::new(opened)),
        }
    }

    /// To the end.
    pub(super) async fn run(mut self) -> Driven {
        self.connecting = Some(self.connect());
        let mut events = VecDeque::from([RunEvent::Started]);
        loop {
            while let Some(event) = events.pop_front() {
                let now = self.parts.clock.now();
                let mut commands = self.parts.machine.on(now, event).into_iter().peekable();
                self.take_locks_back().await;
                while let Some(command) = commands.next() {
                    match command {
                        RunCommand::Journal(record) => {
                            // What follows in a row becomes durable at once.
                            let mut records = vec![*record];
                            while let Some(RunCommand::Journal(more)) =
                                commands.next_if(|next| matches!(next, RunCommand::Journal(_)))
                            {
                                records.push(*more);
                            }
                            events.extend(self.write_down(records));
                        }
                        RunCommand::Read { ticket, node, probe, requests } => self.read(ticket, node, probe, requests),
                        RunCommand::Send { ticket, node, request } => events.extend(self.send(ticket, node, request)),
                        RunCommand::Wait { until } => _ = self.waits.insert(until),
                        RunCommand::End(ending) => {
                            self.parts.boundaries.pass();
                            return Driven { ending, was_opened: self.opened.is_none(), parts: self.parts };
                        }
                    }
                }
                let machine = &self.parts.machine;
                self.parts.control.tell(|told| {
                    told.stop_would = machine.if_stopped_now();
                    told.seen = machine.seen_while_waiting().to_vec();
                });
            }
            self.lend_locks().await;
            let came = self.next().await;
            let is_end_of_wait = matches!(came, Some(RunEvent::AbortAsked | RunEvent::LockLost { .. }));
            events.extend(came);
            if is_end_of_wait {
                // Nothing was sent: who wants it to stop does not wait for connections.
                events.extend(self.connected());
            }
        }
    }

    /// Others may change something else while this run only waits for a word.
    async fn lend_locks(&mut self) {
        if self.parts.machine.lends_its_lock() && !self.parts.locks.is_lent() {
            self.parts.lock_lost = Box::pin(std::future::pending());
            self.parts.locks.lend().await;
        }
    }

    /// Before anything is undone.
    async fn take_locks_back(&mut self) {
        if self.parts.machine.goes_back() && self.parts.locks.is_lent() {
            self.parts.locks.take_back().await;
            self.parts.lock_lost = self.parts.locks.lost();
        }
    }

    /// Waits for what happens next.
    async fn next(&mut self) -> Option<RunEvent> {
        let now = self.parts.clock.now().mono;
        let tick = self.waits.first().map(|until| Duration::from_millis(until.since_ms(now)));
        let tick = async {
            match tick {
                Some(wait) => sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let is_asking = self.parts.control.is_asking();
        let give_up_at = self.connecting_since + if is_asking { ANSWER_WAIT } else { CONNECT_WAIT };
        let parts = &mut self.parts;
        // In no order: neither a busy follower nor a busy node may keep the others from being heard.
        tokio::select! {
            Some(outcome) = self.outcomes.recv() => self.came(outcome),
            () = sleep_until(give_up_at), if self.held.is_some() => self.connected(),
            Some(event) = parts.transport.recv() => {
                self.transport(event);
                None
            }
            ask = parts.control.next() => self.asked(ask),
            () = parts.signals.terminated() => Some(RunEvent::AbortAsked),
            why = &mut parts.lock_lost, if !self.lock_is_lost => {
                self.lock_is_lost = true;
                Some(RunEvent::LockLost { why })
            }
            () = tick => self.tick(),
        }
    }

    fn tick(&mut self) -> Option<RunEvent> {
        let now = self.parts.clock.now().mono;
        let due = self.waits.first().is_some_and(|until| *until <= now);
        self.waits.retain(|until| *until > now);
        due.then_some(RunEvent::Tick)
    }

    fn came(&mut self, outcome: Outcome) -> Option<RunEvent> {
        match outcome {
            Outcome::Read(event) => Some(event),
            Outcome::Sent(event) => {
                self.parts.boundaries.pass();
                Some(event)
            }
            Outcome::Connected => self.connected(),
        }
    }

    /// The wait for the connections is over.
    fn connected(&mut self) -> Option<RunEvent> {
        if let Some(connecting) = self.connecting.take() {
            connecting.abort();
        }
        self.is_connected = true;
        self.held.take()
    }

    fn write_down(&mut self, records: Vec<Record>) -> Option<RunEvent> {
        if self.journal_failed {
            return None;
        }
        let last = records.last()?.seq;
        self.parts.boundaries.pass();
        let permits = match self.parts.journal.append_all(&records) {
            Ok(permits) => permits,
            Err(trouble) => {
                self.journal_failed = true;
                return Some(RunEvent::JournalFailed { why: Clean::line(&trouble.to_string()) });
            }
        };
        self.parts.boundaries.pass();
        for (record, permit) in records.into_iter().zip(permits) {
            if let Entry::StepBegun { node, request, .. } = record.entry {
                self.permits.push_back((node, request, permit));
            }
        }
        self.parts.control.tell(|told| told.records = last + 1);
        let event = RunEvent::Journalled { seq: last };
        if let Some(opened) = self.opened.take() {
            opened();
            if !self.is_connected {
                self.held = Some(event);
                return None;
            }
        }
        Some(event)
    }

    fn read(&self, ticket: u64, node: NodeName, probe: ProbeId, requests: Vec<Request>) {
        let (connections, outcomes) = (Arc::clone(&self.parts.connections), self.outcomes_in.clone());
        self.tasks.spawn(async move {
            let mut replies = Ok(Vec::with_capacity(requests.len()));
            for request in &requests {
                match (connections.call(&node, request).await, &mut replies) {
                    (Ok(reply), Ok(replies)) => replies.push(reply),
                    (Err(trouble), _) => {
                        replies = Err(trouble);
                        break;
                    }
                    (Ok(_), Err(_)) => break,
                }
            }
            let outcome = replies.and_then(|replies| collector::understood(probe, &replies).0);
            let outcome = outcome.map_err(|trouble| trouble.cause);
            let _ = outcomes.send(Outcome::Read(RunEvent::Read { ticket, node, probe, outcome })).await;
        });
    }

    fn send(&mut self, ticket: u64, node: NodeName, request: Request) -> Option<RunEvent> {
        self.parts.boundaries.pass();
        let announced = self.permits.iter().position(|(on, what, _)| *on == node && *what == request);
        let announced = announced.and_then(|place| self.permits.drain(..=place).next_back());
        let Some((_, _, permit)) = announced else {
            // The machine announces every write; this is the second look at that promise.
            return Some(RunEvent::NotSent { ticket, why: "no record announced it; this is a fault of vakt".into() });
        };
        let (connections, outcomes) = (Arc::clone(&self.parts.connections), self.outcomes_in.clone());
        self.tasks.spawn(async move {
            let event = match connections.send(&node, &request, permit).await {
                Sent::Replied(reply) => RunEvent::Replied { ticket, reply },
                Sent::Lost(why) => RunEvent::ReplyLost { ticket, why },
                Sent::NotSent(why) => RunEvent::NotSent { ticket, why },
            };
            let _ = outcomes.send(Outcome::Sent(event)).await;
        });
        None
    }

    /// Tells when every node of the plan answers.
    fn connect(&self) -> JoinHandle<()> {
        let plan = self.parts.machine.plan();
        let first = plan.body.sources.iter().filter_map(|source| {
            let request = source.requests.first()?;
            Some((source.node.clone(), request.clone()))
        });
        let nodes: Vec<(NodeName, Request)> = first.collect();
        // What is sent in one breath may not wait for anything.
        let breath = plan.body.steps.iter().filter(|step| step.at_once).filter_map(|step| step.write());
        let breath: Vec<(NodeName, Request)> =
            breath.map(|write| (write.node.clone(), write.request.clone())).collect();
        let (connections, outcomes) = (Arc::clone(&self.parts.connections), self.outcomes_in.clone());
        self.tasks.spawn(async move {
            let answers = futures::future::join_all(nodes.iter().map(|(node, request)| {
                let connections = &connections;
                async move {
                    while connections.call(node, request).await.is_err() {
                        sleep(CONNECT_PAUSE).await;
                    }
                }
            }));
            answers.await;
            for (node, request) in &breath {
                connections.stand_ready(node, request).await;
            }
            let _ = outcomes.send(Outcome::Connected).await;
        })
    }

    fn transport(&mut self, event: TransportEvent) {
        match event {
            TransportEvent::Link { .. } => {}
            TransportEvent::Question { node, question } => {
                if let Some(passphrase) = self.parts.passphrases.answer(&node, &question) {
                    self.parts.connections.answer(&node, question.id, Answer::Secret(passphrase));
                    return;
                }
                self.parts.control.tell(|told| {
                    if told.questions.len() < QUESTIONS_MAX {
                        told.questions.push((node, question));
                    }
                });
            }
            TransportEvent::QuestionGone { node, id } => self.question_gone(&node, id),
        }
    }

    fn question_gone(&mut self, node: &NodeName, id: u64) {
        self.connecting_since = Instant::now();
        self.parts.control.tell(|told| told.questions.retain(|(of, question)| of != node || question.id != id));
    }

    fn asked(&mut self, ask: Ask) -> Option<RunEvent> {
        match ask {
            Ask::Abort => Some(RunEvent::AbortAsked),
            Ask::Keep { operator } => Some(RunEvent::KeepAsked { operator }),
            Ask::Answer { node, question, answer } => {
                self.question_gone(&node, question);
                self.parts.connections.answer(&node, question, answer.into());
                None
            }
        }
    }
}
