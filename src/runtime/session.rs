//! A watch over the cluster: connections, collectors, inbox and the application, without a terminal. The console adds
//! drawing and keys; headless commands just wait until enough is known.

use super::{
    collector::Collector,
    inbox::{Arrival, Inbox, Senders, inbox},
    recorder::{FINISH_WAIT, Recorder},
};
use crate::{
    app::{
        App,
        effect::{Effect, Reply},
        msg::{Event, Msg},
        update,
    },
    config::Secrets,
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::{Ask, Question},
        text::Clean,
        time::{Clock, Now},
    },
    transport::{Answer, Connections, ssh::Fleet},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// The loop has something to do at least this often: ages move.
const TICK_MS_MAX: u64 = 500;
/// The loop rests at least this long between two ticks.
const TICK_MS_MIN: u64 = 2;

/// Connections, collectors and the application.
#[derive(Debug)]
pub struct Session {
    /// The state of everything.
    pub app: App,
    clock: Arc<dyn Clock>,
    connections: Arc<dyn Connections>,
    collector: Collector,
    inbox: Inbox,
    secrets: Secrets,
    /// Keys whose passphrase from the configuration was tried; a second question is the operator's.
    tried: BTreeSet<(NodeName, Clean)>,
    recorder: Option<Recorder>,
}

/// What the session leaves to its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Put this on the clipboard.
    Copy(String),
    /// Forget what is on the screen and draw everything.
    Redraw,
    /// Stop the process until the shell continues it.
    Suspend,
    /// End.
    Quit,
}

impl Session {
    /// Starts connecting to every node over SSH.
    pub fn start(app: App, inventory: &Arc<Inventory>, secrets: Secrets, clock: Arc<dyn Clock>) -> Self {
        let (senders, inbox) = inbox();
        let fleet = Fleet::start(Arc::clone(inventory), Arc::clone(&clock), senders.transport.clone());
        Self::over(Arc::new(fleet), app, inventory, secrets, clock, (senders, inbox))
    }

    /// A session over connections that report to the inbox.
    pub fn over(
        connections: Arc<dyn Connections>,
        app: App,
        inventory: &Arc<Inventory>,
        secrets: Secrets,
        clock: Arc<dyn Clock>,
        (senders, inbox): (Senders, Inbox),
    ) -> Self {
        let collector =
            Collector::new(Arc::clone(&connections), Arc::clone(inventory), Arc::clone(&clock), senders.reports);
        Self { app, clock, connections, collector, inbox, secrets, tried: BTreeSet::new(), recorder: None }
    }

    /// Records from now on.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(recorder);
    }

    /// Ends the recording; what is still on its way to the disk is waited for, not for long.
    pub fn end_recording(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            recorder.finish(FINISH_WAIT);
        }
    }

    /// Now.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// Waits for news of the cluster or for the moment at which something is due.
    pub async fn next(&mut self) -> Arrival {
        let now = self.clock.now().mono;
        let due_ms = self.app.wake_at().since_ms(now);
        let wait = Duration::from_millis(due_ms.clamp(TICK_MS_MIN, TICK_MS_MAX));
        tokio::select! {
            event = self.inbox.next() => event,
            () = tokio::time::sleep(wait) => Event::Tick.into(),
        }
    }

    /// News that is already there.
    pub fn ready(&mut self) -> Option<Arrival> {
        self.inbox.ready()
    }

    /// Takes what has arrived through `update`, onto the recording first, and does what it asks; what only the owner
    /// can do is returned.
    pub fn handle(&mut self, arrival: impl Into<Arrival>) -> Vec<Left> {
        let at = self.clock.now();
        let mut left = self.take(at, arrival.into());
        if let Some(news) = self.recorder.as_mut().and_then(|recorder| recorder.news(at.mono)) {
            left.extend(self.take(at, Event::Recorder(news).into()));
        }
        left
    }

    fn take(&mut self, at: Now, Arrival { event, replies }: Arrival) -> Vec<Left> {
        let msg = Msg { at, event };
        if let Event::Question { node, question } = &msg.event
            && self.answered_by_configuration(node, question)
        {
            return Vec::new();
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.record(&self.app, &msg, replies.as_ref());
        }
        let effects = update(&mut self.app, msg);
        effects.into_iter().filter_map(|effect| self.perform(effect)).collect()
    }

    /// Whether the configuration holds the passphrase asked for, and it has not been tried yet.
    fn answered_by_configuration(&mut self, node: &NodeName, question: &Question) -> bool {
        let Ask::Passphrase { file } = &question.ask else { return false };
        let Some(passphrase) = self.secrets.passphrase(node.as_str()) else { return false };
        let first = self.tried.insert((node.clone(), file.clone()));
        if first {
            self.connections.answer(node, question.id, Answer::Secret(passphrase.clone()));
        }
        first
    }

    fn perform(&mut self, effect: Effect) -> Option<Left> {
        match effect {
            Effect::Poll { node, probe } => self.collector.poll(node, probe),
            Effect::Answer { node, question, answer } => {
                self.connections.answer(&node, question, transport_answer(answer));
            }
            Effect::Reconnect { node } => self.connections.reconnect(&node),
            // Nothing asks for it yet: no screen makes a plan.
            // And there is no moving in the present.
            Effect::Run(_) | Effect::Replay(_) => {}
            Effect::Copy(text) => return Some(Left::Copy(text)),
            Effect::Redraw => return Some(Left::Redraw),
            Effect::Suspend => return Some(Left::Suspend),
            Effect::Quit => return Some(Left::Quit),
        }
        None
    }

    /// The connections, for commands that ask nodes directly.
    pub fn connections(&self) -> &dyn Connections {
        &*self.connections
    }

    /// Closes every connection.
    pub async fn end(self) -> App {
        self.connections.shutdown().await;
        self.app
    }
}

fn transport_answer(answer: Reply) -> Answer {
    match answer {
        Reply::Secret(text) => Answer::Secret(text.into()),
        Reply::Accept => Answer::Accept,
        Reply::Refuse => Answer::Refuse,
    }
}
