//! The stage of a story: the console's real `update` over a simulated cluster, in virtual time.
//!
//! Everything that will happen stands in an agenda; the earliest comes next, and nothing waits for real time. What the
//! console asks for is done here as the runtime does it: probes are asked and answered with the way's latency, runs are
//! driven by the real machine (`executor`), connections come and go (`links`).

use super::{executor::Bureau, links::Link, links::connection_lost};
use ratatui::{Terminal, backend::TestBackend};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use vakt::{
    app::{
        App, Options,
        effect::{Effect, LogAsk},
        msg::{Event, Key, Msg, Report},
        update,
    },
    model::{
        ids::NodeName,
        inventory::Inventory,
        time::{Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
    },
    run::RunEvent,
    sim::{Cluster, Contact, Fault, Outcome, Scenario},
    wire::{
        logs,
        probe::{Facts, ProbeId},
        request::{Call, Reply, Request},
    },
};

/// When every story begins: 2026-11-23 14:03:22 UTC.
const START: Now = Now { mono: Mono(1_000_000), wall: Wall(1_795_442_602_000) };
/// The loop of the console rests at least and at most so long between two ticks.
const TICK_MS: (u64, u64) = (2, 500);
/// Happenings that a failing story prints.
const LOG_LINES_MAX: usize = 40;
/// The seed of every story's traffic.
const SEED: u64 = 1;

/// Something that will happen.
#[derive(Debug)]
pub(super) enum Happening {
    /// News for the console that was started so many consoles ago.
    News { console: u64, event: Box<Event> },
    /// A request reaches a machine.
    Ask(Box<Inquiry>),
    /// A series of requests is over.
    Answered(Box<Inquiry>, Result<(), Trouble>),
    /// An attempt to connect is over.
    Attempted { node: NodeName, attempt: u64 },
    /// The back-off is over.
    Retry(NodeName),
    /// A connection turns out to be gone.
    Lost(NodeName, &'static str),
    /// Something for the executor of that life.
    Run { life: u64, event: Box<RunEvent> },
    /// A write of the executor of that life reaches a machine.
    Write { life: u64, ticket: u64, node: NodeName, request: Box<Request> },
    /// The state folder is looked at.
    Standing,
}

/// A series of requests to one machine, for the console or for a run.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) node: NodeName,
    pub(super) probe: ProbeId,
    pub(super) requests: VecDeque<Request>,
    pub(super) replies: Vec<Reply>,
    pub(super) began: Mono,
    pub(super) asker: Asker,
}

/// Who asked.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asker {
    /// A console.
    Console(u64),
    /// A run.
    Run { life: u64, ticket: u64 },
}

/// Everything there is in a story.
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) inventory: Arc<Inventory>,
    pub(super) cluster: Cluster,
    pub(super) links: BTreeMap<NodeName, Link>,
    pub(super) bureau: Bureau,
    /// How many consoles there have been.
    pub(super) console: u64,
    options: Options,
    now: Now,
    ticked: Mono,
    agenda: BTreeMap<(Mono, u64), Happening>,
    entries: u64,
    log: VecDeque<String>,
}

impl Stage {
    /// The scenario's cluster, and a console that has just been started.
    pub(super) fn new(scenario: &str, read_only: bool) -> Result<Self, String> {
        let known = || format!("no scenario is called {scenario}");
        let scenario = Scenario::built_in(scenario).ok_or_else(known)?.map_err(|problems| format!("{problems:?}"))?;
        let inventory = Arc::new(scenario.inventory().map_err(|problems| format!("{problems:?}"))?);
        let options = Options { read_only, ..Options::default() };
        let cluster = Cluster::new(&scenario, SEED, START);
        let links = inventory.nodes.iter().map(|node| (node.name.clone(), Link::new(Contact::Answers))).collect();
        let mut stage = Self {
            app: App::new(Arc::clone(&inventory), options.clone(), START),
            inventory,
            cluster,
            links,
            bureau: Bureau::default(),
            console: 0,
            options,
            now: START,
            ticked: START.mono,
            agenda: BTreeMap::new(),
            entries: 0,
            log: VecDeque::new(),
        };
        stage.open_console(80, 24);
        Ok(stage)
    }

    fn open_console(&mut self, width: u16, height: u16) {
        self.bureau.followed = None;
        self.send(Event::Resize { width, height });
        self.connect_all();
        self.bureau.told = None;
        self.later(1, Happening::Standing);
    }

    /// The console ends, and another one is started in the same terminal.
    pub(super) fn restart_console(&mut self) {
        self.console += 1;
        let size = self.app.size;
        self.app = App::new(Arc::clone(&self.inventory), self.options.clone(), self.now);
        self.open_console(size.width, size.height);
    }

    /// The moment so many milliseconds from now.
    pub(super) fn at(&self, ms: u64) -> Now {
        Now { mono: self.now.mono.plus_ms(ms), wall: Wall(self.now.wall.0.saturating_add_unsigned(ms)) }
    }

    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// Enters something into the agenda.
    pub(super) fn later(&mut self, ms: u64, what: Happening) {
        self.entries += 1;
        self.agenda.insert((self.now.mono.plus_ms(ms), self.entries), what);
    }

    /// News for the present console, a moment from now: the loop takes it from its inbox.
    pub(super) fn tell(&mut self, event: Event) {
        self.later(1, Happening::News { console: self.console, event: Box::new(event) });
    }

    /// Notes what happened, for a story that fails.
    pub(super) fn note(&mut self, text: impl AsRef<str>) {
        if self.log.len() == LOG_LINES_MAX {
            self.log.pop_front();
        }
        let ms = self.now.mono.since_ms(START.mono);
        let text: String = text.as_ref().chars().take(200).collect();
        self.log.push_back(format!("{:>6}.{:03}  {text}", ms / 1000, ms % 1000));
    }

    /// The last things that happened.
    pub(super) fn last_happenings(&self) -> String {
        self.log.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// Time passes.
    pub(super) fn advance(&mut self, ms: u64) {
        let until = self.now.mono.plus_ms(ms);
        loop {
            let wake = self.app.wake_at();
            let tick = wake.clamp(self.ticked.plus_ms(TICK_MS.0), self.ticked.plus_ms(TICK_MS.1));
            let first = self.agenda.first_key_value().map(|((at, _), _)| *at);
            let next = first.map_or(tick, |first| first.min(tick));
            if next > until {
                self.pass(until);
                return;
            }
            self.pass(next);
            if first.is_some_and(|first| first <= next) {
                if let Some((_, what)) = self.agenda.pop_first() {
                    self.happen(what);
                }
            } else {
                self.ticked = self.now.mono;
                self.send(Event::Tick);
            }
        }
    }

    fn pass(&mut self, until: Mono) {
        let ms = until.since_ms(self.now.mono);
        self.now = self.at(ms);
        self.cluster.advance(self.now);
        self.look_at_contacts();
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::News { console, event } if console == self.console => self.send(*event),
            Happening::News { .. } => {}
            Happening::Ask(inquiry) => self.ask(inquiry),
            Happening::Answered(inquiry, outcome) => self.conclude(*inquiry, outcome),
            Happening::Attempted { node, attempt } => self.attempted(&node, attempt),
            Happening::Retry(node) => self.retry(&node),
            Happening::Lost(node, why) => self.lost(&node, why),
            Happening::Run { life, event } => self.run_event(life, *event),
            Happening::Write { life, ticket, node, request } => self.write(life, ticket, &node, &request),
            Happening::Standing => self.look_at_state(),
        }
    }

    /// One message for the console, and what it asks for in return.
    pub(super) fn send(&mut self, event: Event) {
        if !matches!(event, Event::Tick | Event::Report(_)) {
            self.note(format!("{event:?}"));
        }
        let effects = update(&mut self.app, Msg { at: self.now, event });
        for effect in effects {
            self.perform(effect);
        }
        if self.app.frame_due() {
            self.app.frame_drawn();
        }
    }

    /// A key, and the moment until the next one.
    pub(super) fn press(&mut self, key: Key) {
        self.send(Event::Key(key));
        self.advance(20);
    }

    /// Something breaks.
    pub(super) fn fault(&mut self, words: &str) -> Result<(), String> {
        self.note(format!("fault {words}"));
        let fault = Fault::parse(words).map_err(|error| error.to_string())?;
        self.cluster.fault(&fault).map_err(|error| error.to_string())?;
        self.look_at_contacts();
        Ok(())
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Poll { node, probe } => self.poll(node, probe),
            Effect::Reconnect { node } => self.retry(&node),
            Effect::Log(ask) => self.read_log(&ask),
            Effect::Run(effect) => {
                self.note(format!("{effect:?}"));
                self.run_effect(effect);
            }
            // What a terminal would do; no story looks at it.
            Effect::Answer { .. }
            | Effect::Copy(_)
            | Effect::Redraw
            | Effect::Replay(_)
            | Effect::Suspend
            | Effect::Quit => {}
        }
    }

    /// A log is one request; its answer comes back as an event.
    fn read_log(&mut self, ask: &LogAsk) {
        let is_up = self.links.get(&ask.node).is_some_and(|link| link.is_up);
        let node = self.inventory.node(&ask.node);
        let Some(request) = node.and_then(|node| logs::ask(node, ask.log, ask.window)) else { return };
        let outcome = match self.cluster.answer(&ask.node, &request) {
            Outcome::Reply { reply, .. } if is_up => Ok(logs::answer(ask.log, &reply, ask.window)),
            _ => Err(connection_lost(&ask.node, "it is not connected")),
        };
        let event = Box::new(Event::Log { number: ask.number, outcome });
        self.later(self.cluster.latency_ms().max(1), Happening::News { console: self.console, event });
    }

    fn poll(&mut self, node: NodeName, probe: ProbeId) {
        let Some(listed) = self.inventory.node(&node) else { return };
        let requests = probe.probe().requests(listed, self.inventory.settings.poll.deadline_ms).into();
        let is_up = self.links.get(&node).is_some_and(|link| link.is_up);
        let asker = Asker::Console(self.console);
        let lost = connection_lost(&node, "it is not connected yet");
        let inquiry = Inquiry { node, probe, requests, replies: Vec::new(), began: self.now.mono, asker };
        self.inquire(inquiry, if is_up { Ok(()) } else { Err(lost) });
    }

    /// Sends the first request of a series, or fails it at once.
    pub(super) fn inquire(&mut self, inquiry: Inquiry, way: Result<(), Trouble>) {
        let inquiry = Box::new(inquiry);
        match way {
            Ok(()) => self.later(0, Happening::Ask(inquiry)),
            Err(trouble) => self.later(1, Happening::Answered(inquiry, Err(trouble))),
        }
    }

    fn ask(&mut self, mut inquiry: Box<Inquiry>) {
        if inquiry.requests.is_empty()
            && let Some(listed) = self.inventory.node(&inquiry.node)
        {
            let deadline_ms = self.inventory.settings.poll.deadline_ms;
            inquiry.requests = inquiry.probe.probe().follow(listed, deadline_ms, &inquiry.replies).into();
        }
        let Some(request) = inquiry.requests.pop_front() else {
            return self.later(0, Happening::Answered(inquiry, Ok(())));
        };
        let node = inquiry.node.clone();
        let contact = self.cluster.contact(&node);
        let outcome = self.cluster.answer(&node, &request);
        let latency_ms = self.cluster.latency_ms();
        let late = || {
            Trouble::new(
                TroubleKind::DeadlineMissed,
                format!("{node} gave no answer within {} ms", request.deadline_ms),
                "look at the node's load and network; the request will be repeated",
            )
        };
        let (wait_ms, failure) = match outcome {
            Outcome::Reply { reply, delay_ms } if latency_ms + delay_ms <= request.deadline_ms => {
                inquiry.replies.push(reply);
                return self.later(latency_ms + delay_ms, Happening::Ask(inquiry));
            }
            Outcome::Unreachable if contact == Contact::Refuses => {
                (latency_ms, connection_lost(&node, "the server closed it"))
            }
            Outcome::Reply { .. } | Outcome::Lost | Outcome::Unreachable => (request.deadline_ms, late()),
            Outcome::Silent if matches!(request.call, Call::Sql { .. }) => {
                let cause = format!("the database on {node} accepted a connection and says nothing");
                (request.deadline_ms, Trouble::new(TroubleKind::DatabaseSilent, cause, "look at its process"))
            }
            Outcome::Silent => {
                let waited_ms = request.deadline_ms * 9 / 10;
                let cause = format!("libvirtd on {node} took the question and said nothing for {waited_ms} ms");
                (waited_ms, Trouble::new(TroubleKind::LibvirtSilent, cause, "look at its log"))
            }
            Outcome::NoSocket if matches!(request.call, Call::Libvirt { .. }) => {
                let cause = format!("nothing listens behind libvirt's socket on {node}");
                (latency_ms, Trouble::new(TroubleKind::DaemonNotRunning, cause, "start the daemon"))
            }
            Outcome::NoSocket if matches!(request.call, Call::Sql { .. }) => {
                let cause = format!("{node} has no socket of a database");
                (latency_ms, Trouble::new(TroubleKind::SocketMissing, cause, "start the daemon there"))
            }
            Outcome::NoSocket => {
                let cause = "HAProxy's socket is not there";
                (
                    latency_ms,
                    Trouble::new(TroubleKind::SocketMissing, cause, "start HAProxy, or check its configuration"),
                )
            }
        };
        self.later(wait_ms, Happening::Answered(inquiry, Err(failure)));
    }

    /// A series is over: facts, or why there are none.
    fn conclude(&mut self, inquiry: Inquiry, outcome: Result<(), Trouble>) {
        let Inquiry { node, probe, replies, began, asker, .. } = inquiry;
        let (outcome, complaints) = match outcome {
            Ok(()) => {
                let (facts, complaints) = probe.probe().interpret(&replies);
                (facts.ok_or_else(|| not_understood(probe)), complaints)
            }
            Err(trouble) => (Err(trouble), Vec::new()),
        };
        match asker {
            Asker::Console(console) if console == self.console => {
                let is_late = outcome.as_ref().is_err_and(|trouble| trouble.kind == TroubleKind::DeadlineMissed);
                self.answered(&node, !is_late);
                let round_trip_ms = self.now.mono.since_ms(began);
                self.send(Event::Report(Report { node, probe, outcome, complaints, round_trip_ms }));
            }
            Asker::Console(_) => {}
            Asker::Run { life, ticket } => {
                let outcome: Result<Facts, _> = outcome.map_err(|trouble| trouble.cause);
                self.run_event(life, RunEvent::Read { ticket, node, probe, outcome });
            }
        }
    }

    /// The screen as text, without trailing spaces.
    pub(super) fn screen(&self) -> String {
        let mut terminal = Terminal::new(TestBackend::new(self.app.size.width, self.app.size.height)).unwrap();
        terminal.draw(|frame| vakt::view::draw(frame, &self.app)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y: u16| (0..buffer.area.width).map(move |x| buffer[(x, y)].symbol());
        (0..buffer.area.height).map(|y| line(y).collect::<String>().trim_end().to_owned() + "\n").collect()
    }

    /// The screen as it would be at that size; the console never notices.
    pub(super) fn screen_at(&mut self, width: u16, height: u16) -> String {
        let size = self.app.size;
        self.send(Event::Resize { width, height });
        let screen = self.screen();
        self.send(Event::Resize { width: size.width, height: size.height });
        screen
    }
}

fn not_understood(probe: ProbeId) -> Trouble {
    Trouble::new(
        TroubleKind::AnswerNotUnderstood,
        format!("answer to the {probe} probe not understood"),
        "see the node's complaints",
    )
}
