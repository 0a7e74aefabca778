//! Runs in a story: the real machine, driven in virtual time, with a state folder and a lock in memory.

use super::stage::{Asker, Happening, Inquiry, Stage};
use std::collections::VecDeque;
use vakt::{
    app::{
        effect::RunEffect,
        msg::{Event, RunNews, Standing},
    },
    model::{ids::NodeName, text::Clean},
    plan::{Plan, PlanId, Reason, ReasonKind, lint},
    rules::{Acknowledgement, Acknowledgements},
    run::{
        Entry, Machine, Operator, Record, RunCommand, RunEvent, RunState, RunSummary, holds_until,
        ledger::Ledger,
        lock::{Holder, LockState},
    },
    sim::{Contact, Outcome},
    wire::request::{Reply, Request},
};

/// From the console's wish to an executor that runs.
const SPAWN_MS: u64 = 30;
/// Until a record is durable.
const FSYNC_MS: u64 = 1;
/// The state folder is looked at so long after it changed.
const LOOK_MS: u64 = 100;

/// What the state folder and the lock hold.
#[derive(Debug, Default)]
pub(super) struct Bureau {
    /// Journals, the oldest first.
    runs: Vec<Journal>,
    ledger: Ledger,
    pub(super) acknowledged: Acknowledgements,
    /// Somebody else's lock.
    pub(super) other: Option<Holder>,
    /// Those that live, the newest last: one acts, others only wait for a word.
    executors: Vec<Executor>,
    /// Executors so far: what is under way for an earlier one is dropped.
    lives: u64,
    /// The run the present console follows.
    pub(super) followed: Option<PlanId>,
    /// What the present console was told last.
    pub(super) told: Option<Standing>,
}

/// A run on disk.
#[derive(Debug)]
struct Journal {
    plan: Plan,
    operator: Operator,
    records: Vec<Record>,
}

/// The process that carries out a run.
#[derive(Debug)]
struct Executor {
    life: u64,
    run: PlanId,
    machine: Machine,
    would: Clean,
    seen: Vec<Clean>,
}

fn operator() -> Operator {
    Operator { login: "eva".into(), ssh_client: Some("10.99.0.2".into()), sudo_user: None }
}

impl Bureau {
    fn journal(&self, run: &PlanId) -> Option<&Journal> {
        self.runs.iter().find(|journal| journal.plan.id == *run)
    }

    /// The ledger as the state folder has it.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The word for the state of the newest run.
    pub(super) fn newest(&self) -> Option<RunSummary> {
        self.runs.last().map(|journal| self.summary(journal))
    }

    fn summary(&self, journal: &Journal) -> RunSummary {
        let is_running = self.executors.iter().any(|executor| executor.run == journal.plan.id);
        let state = match journal.records.last().map(|record| &record.entry) {
            _ if is_running => RunState::Running,
            Some(Entry::Ended(ending)) => RunState::Ended { kind: ending.kind, why: ending.why.clone() },
            Some(Entry::Resolved { operator, why }) => {
                RunState::Resolved { by: operator.login.clone(), why: why.clone() }
            }
            _ => RunState::Interrupted,
        };
        let at = |record: Option<&Record>| record.map(|record| record.at.wall).unwrap_or_default();
        RunSummary {
            id: journal.plan.id.clone(),
            intent: journal.plan.body.intent.clone(),
            title: journal.plan.body.title.clone(),
            operator: journal.operator.clone(),
            opened_at: at(journal.records.first()),
            last_at: at(journal.records.last()),
            records: journal.records.len() as u64,
            state,
            holds_until: holds_until(&journal.records),
            former: journal.plan.body.subject.former().cloned(),
            former_value: journal.plan.body.subject.former_value().cloned(),
        }
    }

    fn standing(&self, since: vakt::model::time::Wall) -> Standing {
        let own = self.executors.iter().find(|executor| !executor.machine.lends_its_lock()).and_then(|executor| {
            let journal = self.journal(&executor.run)?;
            Some(Holder {
                operator: journal.operator.clone(),
                bastion: "bastion1".into(),
                process: 4242,
                run: executor.run.clone(),
                what: journal.plan.body.title.clone(),
                since: journal.records.first().map_or(since, |record| record.at.wall),
            })
        });
        let holder = own.or_else(|| self.other.clone());
        Standing {
            runs: self.runs.iter().rev().map(|journal| self.summary(journal)).collect(),
            lock: holder.map_or(LockState::Free, |holder| LockState::Held(Box::new(holder))),
            ledger: self.ledger.clone(),
            acknowledged: self.acknowledged.clone(),
            trouble: None,
        }
    }
}

impl Stage {
    /// Somebody on another bastion takes the lock, or lets it go.
    pub(super) fn hold_lock(&mut self, holder: Option<(&str, &str, &str)>) {
        self.bureau.other = holder.map(|(by, bastion, what)| Holder {
            operator: Operator { login: by.into(), ssh_client: None, sudo_user: None },
            bastion: bastion.into(),
            process: 77,
            run: PlanId::from("20261123T140000Z-0000beef".to_owned()),
            what: what.into(),
            since: self.now().wall,
        });
        self.state_changed();
    }

    fn state_changed(&mut self) {
        self.later(LOOK_MS, Happening::Standing);
    }

    /// The console hears of runs, lock and ledger when they changed.
    pub(super) fn look_at_state(&mut self) {
        let standing = self.bureau.standing(self.now().wall);
        if self.bureau.told.as_ref() != Some(&standing) {
            self.bureau.told = Some(standing.clone());
            self.send(Event::Standing(Box::new(standing)));
        }
    }

    /// What the console wants of runs.
    pub(super) fn run_effect(&mut self, effect: RunEffect) {
        match effect {
            RunEffect::Begin { plan, break_glass } => {
                self.bureau.followed = Some(plan.id.clone());
                if let Some(reason) = self.obstacle(&plan, break_glass.is_some()) {
                    return self.news(&plan.id, RunNews::NotStarted(vec![reason]));
                }
                let machine = Machine::new((*plan).clone(), operator(), None);
                self.bureau.runs.push(Journal { plan: *plan.clone(), operator: operator(), records: Vec::new() });
                self.start(plan.id, machine);
            }
            RunEffect::Recover { run, choice } => {
                self.bureau.followed = Some(run.clone());
                let Some(journal) = self.bureau.journal(&run) else { return };
                let (plan, records) = (journal.plan.clone(), journal.records.clone());
                if let Some(reason) = self.obstacle(&plan, false) {
                    return self.news(&run, RunNews::NotStarted(vec![reason]));
                }
                match Machine::recover(&records, choice, operator()) {
                    Ok(machine) => {
                        self.news(&run, RunNews::Records(records));
                        self.start(run, machine);
                    }
                    Err(why) => {
                        let reason =
                            Reason::new(ReasonKind::Internal, why.to_string(), Vec::new(), "Look at its journal.");
                        self.news(&run, RunNews::NotStarted(vec![reason]));
                    }
                }
            }
            RunEffect::Resolve { run, why } => self.resolve(&run, why),
            RunEffect::TakeBack { wishes } => {
                self.bureau.ledger.take_back(&wishes);
                self.state_changed();
            }
            RunEffect::Acknowledge { rule, subject, severity, reason, until } => {
                let (by, at) = (operator().login, self.now().wall);
                let one = Acknowledgement { rule, subject, severity, by, reason, at, until };
                self.bureau.acknowledged.add(one, at);
                self.state_changed();
            }
            RunEffect::Unacknowledge { rule, subject } => {
                self.bureau.acknowledged.take_back(&rule, &subject);
                self.state_changed();
            }
            RunEffect::Attach { run } => {
                self.bureau.followed = Some(run.clone());
                let records = self.bureau.journal(&run).map(|journal| journal.records.clone());
                self.news(&run, RunNews::Records(records.unwrap_or_default()));
                if let Some(executor) = self.bureau.executors.iter().find(|executor| executor.run == run) {
                    let would = executor.would.clone();
                    self.news(&run, RunNews::StopWould(would));
                }
            }
            RunEffect::Detach { run } => {
                if self.bureau.followed.as_ref() == Some(&run) {
                    self.bureau.followed = None;
                }
            }
            RunEffect::Keep { run } => self.tell_executor(&run, RunEvent::KeepAsked { operator: operator() }),
            RunEffect::Stop { run } => self.tell_executor(&run, RunEvent::AbortAsked),
        }
    }

    /// Tells the executor of a run, if it lives.
    fn tell_executor(&mut self, run: &PlanId, event: RunEvent) {
        let life = self.bureau.executors.iter().find(|executor| executor.run == *run);
        if let Some(life) = life.map(|executor| executor.life) {
            self.later(2, Happening::Run { life, event: Box::new(event) });
        }
    }

    /// Why an executor would refuse to start.
    fn obstacle(&self, plan: &Plan, breaks_glass: bool) -> Option<Reason> {
        assert_eq!(lint::lint(plan, &self.inventory), [], "the console began an inconsistent plan");
        let standing = self.bureau.standing(self.now().wall);
        let LockState::Held(holder) = standing.lock else { return None };
        if breaks_glass && self.bureau.executors.is_empty() {
            return None;
        }
        let what = format!("{} on {} acts on this cluster: {}.", holder.operator.login, holder.bastion, holder.what);
        Some(Reason::new(ReasonKind::Locked, what, Vec::new(), "Wait until it is free."))
    }

    fn start(&mut self, run: PlanId, machine: Machine) {
        self.bureau.lives += 1;
        let life = self.bureau.lives;
        self.bureau.executors.push(Executor { life, run, machine, would: Clean::default(), seen: Vec::new() });
        self.later(SPAWN_MS, Happening::Run { life, event: Box::new(RunEvent::Started) });
        self.state_changed();
    }

    fn resolve(&mut self, run: &PlanId, why: Clean) {
        let at = self.now();
        let Some(journal) = self.bureau.runs.iter_mut().find(|journal| journal.plan.id == *run) else { return };
        let record =
            Record { seq: journal.records.len() as u64, at, entry: Entry::Resolved { operator: operator(), why } };
        journal.records.push(record);
        self.state_changed();
    }

    /// The executor is killed: what it was about to do is not done, what it wrote down stays.
    pub(super) fn kill_executor(&mut self) -> Result<(), String> {
        let executor = self.bureau.executors.pop().ok_or("no executor runs")?;
        self.note("the executor is killed");
        self.news(&executor.run, RunNews::Vanished("its process is gone".into()));
        self.state_changed();
        Ok(())
    }

    fn news(&mut self, run: &PlanId, news: RunNews) {
        if self.bureau.followed.as_ref() == Some(run) {
            self.tell(Event::Run { run: run.clone(), news });
        }
    }

    /// One event for the machine, and what it wants done.
    pub(super) fn run_event(&mut self, life: u64, event: RunEvent) {
        let now = self.now();
        let Some(executor) = self.bureau.executors.iter_mut().find(|executor| executor.life == life) else { return };
        let commands = executor.machine.on(now, event);
        let (run, would) = (executor.run.clone(), executor.machine.if_stopped_now());
        let seen = executor.machine.seen_while_waiting().to_vec();
        let has_looked = executor.seen != seen;
        executor.seen.clone_from(&seen);
        let has_moved = executor.would != would;
        executor.would.clone_from(&would);
        for command in commands {
            self.obey(life, &run, command);
        }
        let lives = self.bureau.executors.iter().any(|executor| executor.life == life);
        if has_moved && lives {
            self.news(&run, RunNews::StopWould(would));
        }
        if has_looked && lives {
            self.news(&run, RunNews::Seen(seen));
        }
    }

    fn obey(&mut self, life: u64, run: &PlanId, command: RunCommand) {
        match command {
            RunCommand::Journal(record) => self.write_down(life, run, *record),
            RunCommand::Read { ticket, node, probe, requests } => {
                let (began, asker) = (self.now().mono, Asker::Run { life, ticket });
                let requests = VecDeque::from(requests);
                self.inquire(Inquiry { node, probe, requests, replies: Vec::new(), began, asker }, Ok(()));
            }
            RunCommand::Send { ticket, node, request } => {
                self.note(format!("send to {node}: {request}"));
                self.later(1, Happening::Write { life, ticket, node, request: Box::new(request) });
            }
            RunCommand::Wait { until } => {
                let ms = until.since_ms(self.now().mono);
                self.later(ms, Happening::Run { life, event: Box::new(RunEvent::Tick) });
            }
            RunCommand::End(ending) => {
                self.note(format!("the run ended {}: {}", ending.kind, ending.why));
                self.bureau.executors.retain(|executor| executor.life != life);
                if let Some(journal) = self.bureau.runs.iter().find(|journal| journal.plan.id == *run) {
                    self.bureau.ledger.fold(&journal.records);
                }
                self.state_changed();
            }
        }
    }

    fn write_down(&mut self, life: u64, run: &PlanId, record: Record) {
        let seq = record.seq;
        let Some(journal) = self.bureau.runs.iter_mut().find(|journal| journal.plan.id == *run) else { return };
        assert_eq!(seq, journal.records.len() as u64, "a record is missing");
        journal.records.push(record.clone());
        self.news(run, RunNews::Records(vec![record]));
        self.later(FSYNC_MS, Happening::Run { life, event: Box::new(RunEvent::Journalled { seq }) });
        self.state_changed();
    }

    /// A write reaches its machine, if anything does. The kernel sends what an executor that was killed had handed to
    /// it.
    pub(super) fn write(&mut self, life: u64, ticket: u64, node: &NodeName, request: &Request) {
        let (contact, latency_ms) = (self.cluster.contact(node), self.cluster.latency_ms());
        let (wait_ms, event) = match self.cluster.answer(node, request) {
            Outcome::Reply { reply, delay_ms } if latency_ms + delay_ms <= request.deadline_ms => {
                (latency_ms + delay_ms, RunEvent::Replied { ticket, reply: Reply { ..reply } })
            }
            Outcome::Unreachable if contact == Contact::Refuses => {
                (latency_ms, RunEvent::NotSent { ticket, why: "connection refused".into() })
            }
            Outcome::NoSocket => {
                (latency_ms, RunEvent::NotSent { ticket, why: "HAProxy's socket is not there".into() })
            }
            Outcome::Reply { .. } | Outcome::Lost | Outcome::Silent | Outcome::Unreachable => {
                (request.deadline_ms, RunEvent::ReplyLost { ticket, why: "no answer in time".into() })
            }
        };
        self.later(wait_ms, Happening::Run { life, event: Box::new(event) });
    }
}
