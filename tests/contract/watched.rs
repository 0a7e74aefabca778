//! A fleet whose events can be waited for. Every wait is on a condition and bounded.

use super::bed::{Bed, NODE};
use secrecy::SecretString;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use vakt::{
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::{Ask, LinkEvent, LinkState, Question, Route},
        time::{Clock, Mono, Now, Wall},
        trouble::{Trouble, TroubleKind},
    },
    transport::{
        Answer, TransportEvent,
        ssh::{Fleet, Local},
    },
    wire::request::{Call, Reply, Request},
};

/// Longest wait for anything that should happen.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug)]
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Now {
        let mono = Mono(u64::try_from(self.0.elapsed().as_millis()).unwrap());
        Now { mono, wall: Wall(jiff::Timestamp::now().as_millisecond()) }
    }
}

pub(super) struct Watched {
    pub(super) fleet: Fleet,
    events: mpsc::Receiver<TransportEvent>,
    seen: Vec<TransportEvent>,
}

impl Watched {
    /// Starts the bed's inventory.
    pub(super) fn start(bed: &Bed) -> Self {
        Self::start_as(bed, bed.inventory.clone())
    }

    /// Starts another inventory on the bed.
    pub(super) fn start_as(bed: &Bed, inventory: Inventory) -> Self {
        Self::start_for(bed, inventory, bed.local.clone())
    }

    /// Starts another inventory on the bed, for another operator.
    pub(super) fn start_for(bed: &Bed, inventory: Inventory, local: Local) -> Self {
        let (sender, events) = mpsc::channel(256);
        let clock = Arc::new(TestClock(Instant::now()));
        let connector = Arc::clone(&bed.connector);
        let fleet = Fleet::start_with(Arc::new(inventory), clock, sender, connector, local);
        Self { fleet, events, seen: Vec::new() }
    }

    /// Starts the bed's inventory and waits until its node is up.
    pub(super) async fn up(bed: &Bed) -> Self {
        let mut watched = Self::start(bed);
        watched.until_up(NODE).await;
        watched
    }

    /// Waits for an event that `find` takes.
    pub(super) async fn until<T>(&mut self, what: &str, mut find: impl FnMut(&TransportEvent) -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(started.elapsed());
            let Ok(Some(event)) = timeout(left, self.events.recv()).await else {
                panic!("never happened: {what}; seen: {:#?}", self.seen);
            };
            let found = find(&event);
            self.seen.push(event);
            if let Some(found) = found {
                return found;
            }
        }
    }

    pub(super) async fn until_state<T>(&mut self, name: &str, what: &str, find: impl Fn(&LinkState) -> Option<T>) -> T {
        self.until(what, |event| match event {
            TransportEvent::Link { node, event: LinkEvent::State(state) } if node.as_str() == name => find(state),
            _ => None,
        })
        .await
    }

    pub(super) async fn until_up(&mut self, name: &str) {
        self.until_state(name, &format!("{name} is up"), |state| (*state == LinkState::Up).then_some(())).await;
    }

    /// Waits until all these nodes have come up, in any order.
    pub(super) async fn until_up_all(&mut self, names: &[&str]) {
        let mut missing: Vec<&str> = names.to_vec();
        self.until("all are up", |event| {
            if let TransportEvent::Link { node, event: LinkEvent::State(LinkState::Up) } = event {
                missing.retain(|name| *name != node.as_str());
            }
            missing.is_empty().then_some(())
        })
        .await;
    }

    /// Waits until the node is down; the trouble, and whether it will be tried again.
    pub(super) async fn until_down(&mut self, name: &str) -> (Trouble, bool) {
        let down = |state: &LinkState| match state {
            LinkState::Down { trouble, retry } => Some((trouble.clone(), retry.is_some())),
            _ => None,
        };
        self.until_state(name, &format!("{name} is down"), down).await
    }

    pub(super) async fn until_asked(&mut self) -> (NodeName, Question) {
        self.until("a question", |event| match event {
            TransportEvent::Question { node, question } => Some((node.clone(), question.clone())),
            _ => None,
        })
        .await
    }

    pub(super) async fn until_routed(&mut self) -> Route {
        self.until("a route", |event| match event {
            TransportEvent::Link { event: LinkEvent::Route(route), .. } => Some(route.clone()),
            _ => None,
        })
        .await
    }

    /// Answers the next question.
    pub(super) async fn answer(&mut self, answer: Answer) -> Ask {
        let (node, question) = self.until_asked().await;
        self.fleet.answer(&node, question.id, answer);
        question.ask
    }

    /// Ends the fleet; every task that could still tell something has ended then.
    pub(super) async fn shut_down(self) {
        let Self { fleet, mut events, .. } = self;
        timeout(PATIENCE, fleet.shutdown()).await.expect("an end");
        assert_eq!(
            kind(fleet.call(&NODE.into(), &Request::read(shell("true"), 100, 100)).await),
            TroubleKind::ConnectionLost
        );
        drop(fleet);
        while timeout(PATIENCE, events.recv()).await.expect("no more events").is_some() {}
    }

    /// Questions asked so far, of all nodes.
    pub(super) fn questions(&self) -> usize {
        self.seen.iter().filter(|event| matches!(event, TransportEvent::Question { .. })).count()
    }

    pub(super) async fn call(&self, node: &str, call: Call, deadline_ms: u64, cap: usize) -> Result<Reply, Trouble> {
        self.fleet.call(&node.into(), &Request::read(call, deadline_ms, cap)).await
    }

    /// Reads that belong together.
    pub(super) async fn call_all(&self, node: &str, calls: Vec<Call>, deadline_ms: u64) -> Result<Vec<Reply>, Trouble> {
        let requests: Vec<Request> = calls.into_iter().map(|call| Request::read(call, deadline_ms, 1 << 20)).collect();
        self.fleet.call_all(&node.into(), &requests).await
    }

    pub(super) async fn shell(&self, script: &str) -> Result<Reply, Trouble> {
        self.call(NODE, shell(script), 10_000, 1 << 20).await
    }

    pub(super) async fn exec(&self, words: &[&str]) -> Result<Reply, Trouble> {
        self.call(NODE, exec(words), 10_000, 1 << 20).await
    }

    pub(super) async fn haproxy(&self, socket: &str, command: &str) -> Result<Reply, Trouble> {
        self.call(NODE, haproxy(socket, command), 5000, 1 << 20).await
    }
}

pub(super) fn shell(script: &str) -> Call {
    Call::Shell { script: script.to_owned().into() }
}

pub(super) fn exec(words: &[&str]) -> Call {
    Call::Exec { argv: words.iter().map(|&word| word.to_owned()).collect() }
}

pub(super) fn haproxy(socket: &str, command: &str) -> Call {
    Call::Haproxy { socket: socket.into(), command: command.into() }
}

pub(super) fn secret(text: &str) -> Answer {
    Answer::Secret(SecretString::from(text.to_owned()))
}

/// The kind of trouble of a call that must fail.
pub(super) fn kind(result: Result<Reply, Trouble>) -> TroubleKind {
    result.expect_err("an error").kind
}
