//! An executor in memory: it drives a machine against a [`Cluster`], injects faults, and checks at every write what must
//! always hold: its record was durable before, and it is not sent twice.

use super::{
    balancer_limits::CONFIG,
    cluster::{Cluster, START},
};
use std::collections::{BTreeSet, VecDeque};
use vakt::{
    model::{
        haproxy::AdminState,
        mysql::DaemonState,
        time::{Mono, Now, Wall},
    },
    plan::Plan,
    run::{
        Direction, Ending, EndingKind, Entry, Machine, Operator, Outcome, Record, Recovery, RunCommand, RunEvent,
        journal::{self, Writer},
    },
    wire::{
        libvirt::operation::Operation,
        request::{Call, Reply, Request},
    },
};

/// What goes wrong with one write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It never leaves.
    NotSent,
    /// HAProxy objects and does nothing.
    Objection,
    /// HAProxy objects although it did it.
    ObjectionAfterEffect,
    /// It is answered well, without effect.
    NoEffect,
    /// It is answered well, but the server ends up in another state.
    WrongState,
    /// The answer is lost; the effect happened.
    LostAfterEffect,
    /// The answer is lost; there was no effect.
    LostBeforeEffect,
    /// No answer and no word about it; the effect happened.
    Silence,
    /// The node vanishes after the effect.
    Gone,
}

pub(crate) const FAULTS: [Fault; 9] = [
    Fault::NotSent,
    Fault::Objection,
    Fault::ObjectionAfterEffect,
    Fault::NoEffect,
    Fault::WrongState,
    Fault::LostAfterEffect,
    Fault::LostBeforeEffect,
    Fault::Silence,
    Fault::Gone,
];

/// Something that somebody else does to the cluster.
pub(crate) type Meddling = fn(&mut Cluster);

/// What happens to a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Faults by the number of the write, from 0.
    pub(crate) faults: Vec<(usize, Fault)>,
    /// The operator stops it after so many events.
    pub(crate) abort_after: Option<usize>,
    /// The lock over the nodes is lost after so many events.
    pub(crate) lock_lost_after: Option<usize>,
    /// An operator says that what was done stays, as soon as it waits for that word.
    pub(crate) keeps: bool,
    /// An operator says so as soon as this process began.
    pub(crate) keeps_at_once: bool,
    /// The process dies at that boundary.
    pub(crate) kill_at: Option<usize>,
    /// The journal's disk is full from that record on.
    pub(crate) journal_full_at: Option<u64>,
    /// Somebody else acts after so many events.
    pub(crate) meanwhile: Option<(usize, Meddling)>,
    /// Reads with these numbers, from 0, are answered slowly.
    pub(crate) slow_reads: std::ops::Range<usize>,
}

/// From the death of a process to the next one.
pub(crate) const AWAY_MS: u64 = 60_000;
/// Longer than any premise may be old, shorter than a look waits.
const SLOW_MS: u64 = 2_700;

pub(crate) struct Harness {
    pub(crate) cluster: Cluster,
    machine: Machine,
    script: Script,
    now: Now,
    writer: Writer,
    pub(crate) journal: Vec<u8>,
    pub(crate) records: Vec<Record>,
    /// Numbers of `StepBegun` records whose request was sent.
    announced_and_sent: BTreeSet<u64>,
    pub(crate) sent: Vec<String>,
    pub(crate) events: usize,
    pub(crate) boundaries: usize,
    reads: usize,
    kill_when: Option<fn(&Entry) -> bool>,
    /// What was durable at the last boundary: bytes of the journal, writes.
    durable: Option<(usize, usize)>,
}

/// The process died.
#[derive(Debug)]
pub(crate) struct Killed;

impl Harness {
    pub(crate) fn new(cluster: Cluster, plan: Plan, script: Script) -> Self {
        let operator = Operator { login: "eva".into(), ssh_client: None, sudo_user: None };
        Self::with(cluster, Machine::new(plan, operator, None), script, START, Writer::default())
    }

    fn with(cluster: Cluster, machine: Machine, script: Script, now: Now, writer: Writer) -> Self {
        Self {
            cluster,
            machine,
            script,
            now,
            writer,
            journal: Vec::new(),
            records: Vec::new(),
            announced_and_sent: BTreeSet::new(),
            sent: Vec::new(),
            events: 0,
            boundaries: 0,
            reads: 0,
            kill_when: None,
            durable: None,
        }
    }

    /// The next process, after a crash of this one. `None` when there is nothing to take up.
    pub(crate) fn recover(mut self, choice: Recovery, script: Script) -> Option<Self> {
        let read = journal::read(&self.journal);
        assert!(!matches!(read.tail, journal::Tail::Damaged(_)), "a crash leaves no damage: {:?}", read.tail);
        self.journal.truncate(read.whole_bytes);
        self.cluster.process_died();
        let operator = Operator { login: "ola".into(), ssh_client: None, sudo_user: None };
        let machine = Machine::recover(&read.records, choice, operator).ok()?;
        self.pass_ms(AWAY_MS);
        let later = self.now;
        let writer = Writer::after(&read);
        let mut next = Self::with(self.cluster, machine, script, later, writer);
        next.journal = self.journal;
        next.records = read.records;
        Some(next)
    }

    /// The process dies once such a record is written.
    pub(crate) fn kill_when(&mut self, is: fn(&Entry) -> bool) {
        self.kill_when = Some(is);
    }

    fn pass_ms(&mut self, ms: u64) {
        self.cluster.timer.pass_ms(ms);
        self.now = Now { mono: self.now.mono.plus_ms(ms), wall: Wall(self.now.wall.0.saturating_add_unsigned(ms)) };
    }

    fn is_holding(&self) -> bool {
        self.records.iter().any(|record| matches!(record.entry, Entry::Holding { .. }))
    }

    /// Runs to the end, or to the moment the process dies.
    pub(crate) fn run(&mut self) -> Result<Ending, Killed> {
        let mut commands = VecDeque::new();
        let mut events = VecDeque::from([RunEvent::Started]);
        let mut waits = BTreeSet::new();
        for _ in 0..50_000 {
            if let Some(command) = commands.pop_front() {
                self.boundary()?;
                if let RunCommand::End(ending) = command {
                    assert!(commands.is_empty() && self.machine.is_over(), "something follows the end");
                    return Ok(*ending);
                }
                let event = self.obey(command, &mut waits)?;
                self.boundary()?;
                events.extend(event);
                continue;
            }
            let event = if self.script.abort_after == Some(self.events) {
                self.script.abort_after = None;
                RunEvent::AbortAsked
            } else if self.script.lock_lost_after == Some(self.events) {
                self.script.lock_lost_after = None;
                RunEvent::LockLost { why: "lb01 and lb02 do not hold it any more".into() }
            } else if self.script.keeps_at_once && self.events == 1 {
                self.script.keeps_at_once = false;
                RunEvent::KeepAsked { operator: Operator { login: "kim".into(), ..Operator::default() } }
            } else if let Some(event) = events.pop_front() {
                event
            } else if self.script.keeps && self.is_holding() {
                self.script.keeps = false;
                RunEvent::KeepAsked { operator: Operator { login: "kim".into(), ..Operator::default() } }
            } else {
                let next = waits.pop_first().unwrap_or_else(|| panic!("the machine waits for nothing"));
                self.pass_ms(next.since_ms(self.now.mono));
                self.cluster.pass();
                RunEvent::Tick
            };
            self.events += 1;
            if let Some((after, change)) = self.script.meanwhile
                && after == self.events
            {
                change(&mut self.cluster);
            }
            let is_look = matches!(event, RunEvent::Read { .. } | RunEvent::Tick);
            commands.extend(self.machine.on(self.now, event));
            assert!(is_look || !self.machine.if_stopped_now().is_empty());
        }
        panic!("the run does not end: {:?}", self.machine);
    }

    /// A moment at which the process may die. Looking and waiting leave nothing behind: dying there is the same as
    /// dying when what is durable last changed.
    fn boundary(&mut self) -> Result<(), Killed> {
        let durable = (self.journal.len(), self.sent.len());
        if self.durable == Some(durable) {
            return Ok(());
        }
        self.durable = Some(durable);
        self.boundaries += 1;
        if self.script.kill_at == Some(self.boundaries) { Err(Killed) } else { Ok(()) }
    }

    fn obey(&mut self, command: RunCommand, waits: &mut BTreeSet<Mono>) -> Result<Option<RunEvent>, Killed> {
        Ok(match command {
            RunCommand::Journal(record) => Some(self.write_down(*record)?),
            RunCommand::Read { ticket, node, probe, requests } => {
                assert!(!requests.is_empty());
                if self.script.slow_reads.contains(&self.reads) {
                    self.pass_ms(SLOW_MS);
                }
                self.reads += 1;
                let outcome = self.cluster.facts(&node, probe).ok_or_else(|| "connection refused".into());
                Some(RunEvent::Read { ticket, node, probe, outcome })
            }
            RunCommand::Send { ticket, node, request } => {
                self.must_be_announced(&request);
                let number = self.sent.len();
                self.sent.push(format!("{node}: {request}"));
                let fault = self.script.faults.iter().find(|(at, _)| *at == number).map(|(_, fault)| *fault);
                self.deliver(ticket, &node, &request, fault)
            }
            RunCommand::Wait { until } => {
                waits.insert(until);
                None
            }
            RunCommand::End(_) => None,
        })
    }

    fn write_down(&mut self, record: Record) -> Result<RunEvent, Killed> {
        let seq = record.seq;
        if self.script.journal_full_at.is_some_and(|at| seq >= at) {
            return Ok(RunEvent::JournalFailed { why: "no space left on device".into() });
        }
        let line = self.writer.append(&record).unwrap();
        // A crash in the middle of writing leaves a part of the line.
        self.boundaries += 1;
        if self.script.kill_at == Some(self.boundaries) {
            self.journal.extend(&line[..line.len() / 2]);
            return Err(Killed);
        }
        self.journal.extend(line);
        let dies = self.kill_when.is_some_and(|is| is(&record.entry));
        self.records.push(record);
        if dies {
            return Err(Killed);
        }
        Ok(RunEvent::Journalled { seq })
    }

    /// Invariant 5: a write leaves only for the step that was journalled last, and once.
    fn must_be_announced(&mut self, request: &Request) {
        let begun = self.records.iter().rev().take_while(|record| !matches!(record.entry, Entry::StepEnded { .. }));
        let open = begun.filter_map(|record| match &record.entry {
            Entry::StepBegun { request, .. } if !self.announced_and_sent.contains(&record.seq) => {
                Some((record.seq, request))
            }
            _ => None,
        });
        // Those of one breath leave in the order in which they were announced.
        let Some((seq, announced)) = open.last() else {
            panic!("{request} was sent without a record, or twice for one")
        };
        assert_eq!(announced, request, "something else was announced");
        self.announced_and_sent.insert(seq);
    }

    fn deliver(
        &mut self,
        ticket: u64,
        node: &vakt::model::ids::NodeName,
        request: &Request,
        fault: Option<Fault>,
    ) -> Option<RunEvent> {
        let lost = |why: &str| Some(RunEvent::ReplyLost { ticket, why: why.into() });
        if let Call::Hook { .. } = &request.call {
            return self.cluster.endpoint.deliver(ticket, &request.call, fault);
        }
        if let Call::LibvirtWrite { .. } | Call::Countdown { .. } = &request.call {
            return self.deliver_operation(ticket, node, request, fault);
        }
        if matches!(request.call, Call::SqlWrite { .. } | Call::Exec { .. } | Call::FileEdit { .. }) {
            // An answer that must say something does not come without its effect.
            let is_seen_through = matches!(&request.call, Call::SqlWrite { statements, .. }
                if statements.iter().any(|statement| statement.answer.is_some()));
            let fault = if fault == Some(Fault::NoEffect) && is_seen_through { Some(Fault::Objection) } else { fault };
            return self.deliver_statements(ticket, node, request, fault);
        }
        let replied =
            |text: &str| Some(RunEvent::Replied { ticket, reply: Reply { bytes: text.into(), ..Reply::default() } });
        match fault {
            Some(Fault::NotSent) => return Some(RunEvent::NotSent { ticket, why: "no connection".into() }),
            Some(Fault::Objection) => return replied("Permission denied\n"),
            Some(Fault::NoEffect) => return replied("\n"),
            Some(Fault::LostBeforeEffect) => return lost("connection reset"),
            _ => {}
        }
        let Some(answer) = self.cluster.send(node, request) else { return lost("connection refused") };
        match fault {
            Some(Fault::ObjectionAfterEffect) => replied("Something is odd.\n"),
            Some(Fault::LostAfterEffect) => lost("connection reset"),
            Some(Fault::Silence) => None,
            Some(Fault::Gone) => {
                self.cluster.vanish(node.as_str());
                lost("connection reset")
            }
            Some(Fault::WrongState) if request.to_string().contains("maxconn") => {
                let Call::Haproxy { command, .. } = &request.call else { return lost("connection reset") };
                let other = command.rsplit_once(' ').map(|(words, _)| format!("{words} 77")).unwrap_or_default();
                self.cluster.on(node.as_str()).command(&other);
                replied("\n")
            }
            Some(Fault::WrongState) if request.to_string().contains("rate-limit") => {
                self.cluster.on(node.as_str()).limits.connection_rate = 77;
                self.cluster.on(node.as_str()).limits.session_rate = 77;
                replied("\n")
            }
            Some(Fault::WrongState) => {
                let words = request.to_string();
                for name in ["web03", "db01", "db02"].into_iter().filter(|name| words.contains(name)) {
                    let server = self.cluster.on(node.as_str()).server(name);
                    if words.contains("set weight") {
                        server.weight = 7;
                    } else if words.contains("shutdown") {
                        (server.sessions, server.pooled) = (1, 1);
                    } else {
                        server.told = AdminState::MaintInherited;
                    }
                }
                replied("\n")
            }
            _ => Some(RunEvent::Replied { ticket, reply: answer }),
        }
    }

    /// The same for what is done to a guest.
    fn deliver_operation(
        &mut self,
        ticket: u64,
        node: &vakt::model::ids::NodeName,
        request: &Request,
        fault: Option<Fault>,
    ) -> Option<RunEvent> {
        let lost = Some(RunEvent::ReplyLost { ticket, why: "connection reset".into() });
        let said = |exit: u32| {
            let reply = Reply { exit: Some(exit), stderr: "internal error".into(), ..Reply::default() };
            Some(RunEvent::Replied { ticket, reply })
        };
        let has_effect =
            !matches!(fault, Some(Fault::NotSent | Fault::Objection | Fault::NoEffect | Fault::LostBeforeEffect));
        let answer = if has_effect { self.cluster.send(node, request) } else { None };
        match fault {
            None => answer.map_or(lost, |reply| Some(RunEvent::Replied { ticket, reply })),
            Some(Fault::NotSent) => Some(RunEvent::NotSent { ticket, why: "no connection".into() }),
            Some(Fault::Objection | Fault::ObjectionAfterEffect) => said(1),
            Some(Fault::NoEffect) => said(0),
            Some(Fault::LostBeforeEffect | Fault::LostAfterEffect) => lost,
            Some(Fault::Silence) => None,
            Some(Fault::Gone) => {
                self.cluster.vanish(node.as_str());
                lost
            }
            Some(Fault::WrongState) => {
                let Call::LibvirtWrite { guest, operation, .. } = &request.call else {
                    self.cluster.timer.meddle();
                    return said(0);
                };
                // Whoever is asked to shut down, or is reset, has no other state to end up in that could be told.
                if !matches!(operation, Operation::Shutdown | Operation::Reset) {
                    let guest = self.cluster.guest(&guest.name);
                    (guest.state, guest.reason) = (vakt::model::hypervisor::DomainState::Off, 3);
                }
                said(0)
            }
        }
    }

    /// The same for statements: any doubt ends their session, here as in the transport.
    fn deliver_statements(
        &mut self,
        ticket: u64,
        node: &vakt::model::ids::NodeName,
        request: &Request,
        fault: Option<Fault>,
    ) -> Option<RunEvent> {
        let lost = Some(RunEvent::ReplyLost { ticket, why: "connection reset".into() });
        let refused = || {
            let reply = Reply { exit: Some(1), stderr: "statement 1 was refused".into(), ..Reply::default() };
            Some(RunEvent::Replied { ticket, reply })
        };
        let good = || Some(RunEvent::Replied { ticket, reply: Reply { exit: Some(0), ..Reply::default() } });
        let has_effect =
            !matches!(fault, Some(Fault::NotSent | Fault::Objection | Fault::NoEffect | Fault::LostBeforeEffect));
        let answer = if has_effect { Some(self.cluster.send(node, request)) } else { None };
        let is_database = self.cluster.databases.iter().any(|database| database.name == node.as_str());
        match fault {
            None | Some(Fault::NotSent | Fault::NoEffect | Fault::WrongState) => {}
            Some(_) if is_database => self.cluster.database(node.as_str()).session_ends(),
            Some(_) => {}
        }
        match fault {
            None => match answer.flatten() {
                Some(reply) => Some(RunEvent::Replied { ticket, reply }),
                None => lost,
            },
            Some(Fault::NotSent) => Some(RunEvent::NotSent { ticket, why: "no connection".into() }),
            Some(Fault::Objection | Fault::ObjectionAfterEffect) => refused(),
            Some(Fault::NoEffect) => good(),
            Some(Fault::LostBeforeEffect | Fault::LostAfterEffect) => lost,
            Some(Fault::Silence) => None,
            Some(Fault::Gone) => {
                self.cluster.vanish(node.as_str());
                lost
            }
            Some(Fault::WrongState) if vakt::wire::cut::told(&request.call).is_some() => {
                self.cluster.cuts.meddle(node.as_str());
                good()
            }
            Some(Fault::WrongState) if !is_database => {
                self.cluster.on(node.as_str()).limits.files.write(CONFIG, b"global\n    maxconn 7\n");
                good()
            }
            Some(Fault::WrongState) => {
                let (words, database) = (request.to_string(), self.cluster.database(node.as_str()));
                if words.contains("change master") {
                    (database.source, database.receives, database.applies) = (Some("10.10.0.99"), false, false);
                } else if words.contains("start slave") {
                    (database.receives, database.applies) = (true, false);
                } else if words.contains("max_connections") {
                    *database.variable("max_connections") = "777".into();
                } else if words.contains("systemctl mask") {
                    database.daemon = DaemonState::Frozen;
                }
                good()
            }
        }
    }
}

/// The journal tells why the run ended as it did: what it says was done and undone adds up to the ending.
pub(crate) fn explain(records: &[Record], ending: &Ending) {
    let Entry::Opened(opening) = &records[0].entry else { panic!("no opening") };
    let Some(Record { entry: Entry::Ended(written), .. }) = records.last() else { panic!("no ending") };
    assert_eq!(**written, *ending);
    assert!(records.iter().enumerate().all(|(at, record)| record.seq == at as u64));
    let mut done = BTreeSet::new();
    let mut open = None;
    let mut unwinds = false;
    for record in records {
        match &record.entry {
            Entry::StepBegun { step, direction, .. } => open = Some((*step, *direction)),
            Entry::StepEnded { step, direction, outcome, how, .. } => {
                assert!(!how.is_empty());
                if open == Some((*step, *direction)) {
                    open = None;
                }
                match (direction, outcome) {
                    (Direction::Forward, Outcome::Done) => _ = done.insert(*step),
                    (Direction::Back, Outcome::Done) => _ = done.remove(step),
                    _ => {}
                }
            }
            Entry::Forgotten { steps, why } => {
                assert!(!steps.is_empty() && !why.is_empty());
                open = None;
                done.retain(|step| !steps.contains(step));
            }
            Entry::StepFound { step, direction: Direction::Back, .. } => _ = done.remove(step),
            Entry::Unwinding { .. } => unwinds = true,
            Entry::Recovered { .. } => (open, unwinds) = (None, true),
            _ => {}
        }
    }
    let recovered = records.iter().any(|record| matches!(record.entry, Entry::Recovered { .. }));
    assert!(open.is_none() || ending.kind == EndingKind::NeedsOperator || recovered, "a step is open: {open:?}");
    match ending.kind {
        EndingKind::RolledBack => assert!(unwinds && (done.is_empty() || recovered), "still done: {done:?}"),
        EndingKind::Reached => assert!(opening.plan.body.steps.iter().any(|step| step.write().is_none())),
        EndingKind::Stopped => {}
        EndingKind::NeedsOperator => {
            assert!(!ending.type_next.is_empty() && !ending.why.is_empty());
            assert!(ending.type_next.iter().any(|line| line.as_str().contains("vakt runs resume")));
        }
    }
    assert_eq!(ending.now_true.len(), opening.plan.body.sources.len());
}
