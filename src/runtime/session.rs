//! A watch over the cluster: connections, collectors, inbox and the application, without a terminal. The console adds
//! drawing and keys; headless commands just wait until enough is known.

use super::{
    collector::Collector,
    inbox::{Arrival, Inbox, Senders, inbox},
    passphrases::Passphrases,
    recorder::{FINISH_WAIT, Recorder},
    runs::{Desk, Runs},
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
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// The loop has something to do at least this often: ages move.
const TICK_MS_MAX: u64 = 500;
/// The loop rests at least this long between two ticks.
const TICK_MS_MIN: u64 = 2;

/// Questions about key files that are remembered until they are answered.
const ASKED_MAX: usize = 256;

/// Connections, collectors and the application.
#[derive(Debug)]
pub struct Session {
    /// The state of everything.
    pub app: App,
    clock: Arc<dyn Clock>,
    connections: Arc<dyn Connections>,
    collector: Collector,
    inbox: Inbox,
    passphrases: Passphrases,
    /// The key files that open questions ask about: what the operator types for one is known from then on.
    asked: BTreeMap<u64, Clean>,
    /// Where changes are carried out; a session that only looks has none.
    runs: Option<Runs>,
    senders: Senders,
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
    pub fn start(app: App, inventory: &Arc<Inventory>, secrets: &Secrets, clock: Arc<dyn Clock>) -> Self {
        let (senders, inbox) = inbox();
        let fleet = Fleet::start(Arc::clone(inventory), Arc::clone(&clock), senders.transport.clone());
        Self::over(Arc::new(fleet), app, inventory, secrets, clock, (senders, inbox))
    }

    /// A session over connections that report to the inbox.
    pub fn over(
        connections: Arc<dyn Connections>,
        app: App,
        inventory: &Arc<Inventory>,
        secrets: &Secrets,
        clock: Arc<dyn Clock>,
        (senders, inbox): (Senders, Inbox),
    ) -> Self {
        let collector = Collector::new(
            Arc::clone(&connections),
            Arc::clone(inventory),
            Arc::clone(&clock),
            senders.reports.clone(),
        );
        let passphrases = Passphrases::configured(secrets, inventory);
        let asked = BTreeMap::new();
        Self { app, clock, connections, collector, inbox, passphrases, asked, runs: None, senders, recorder: None }
    }

    /// The same session, which may also have changes carried out and hears how runs stand.
    #[must_use]
    pub fn with_runs(mut self, desk: Desk) -> Self {
        let (clock, connections) = (Arc::clone(&self.clock), Arc::clone(&self.connections));
        self.runs = Some(Runs::start(desk, clock, connections, self.senders.runs.clone()));
        self
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
        match &msg.event {
            Event::Question { node, question } if self.is_answered(node, question) => return Vec::new(),
            Event::QuestionGone { id, .. } => _ = self.asked.remove(id),
            _ => {}
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.record(&self.app, &msg, replies.as_ref());
        }
        let effects = update(&mut self.app, msg);
        effects.into_iter().filter_map(|effect| self.perform(effect)).collect()
    }

    /// Whether a passphrase that is known answers it. An executor's question was answered by it already, if at all.
    fn is_answered(&mut self, node: &NodeName, question: &Question) -> bool {
        if let Ask::Passphrase { file } = &question.ask
            && self.asked.len() < ASKED_MAX
        {
            self.asked.insert(question.id, file.clone());
        }
        if self.runs.as_ref().is_some_and(|runs| runs.has_asked(question.id)) {
            return false;
        }
        let Some(passphrase) = self.passphrases.answer(node, question) else { return false };
        self.connections.answer(node, question.id, Answer::Secret(passphrase));
        true
    }

    fn answer(&mut self, node: &NodeName, question: u64, answer: Reply) {
        if let (Some(file), Reply::Secret(text)) = (self.asked.remove(&question), &answer) {
            self.passphrases.remember(file, text.as_str().into());
        }
        let ours = match &self.runs {
            Some(runs) => runs.answer(question, answer),
            None => Some(answer),
        };
        if let Some(answer) = ours {
            self.connections.answer(node, question, transport_answer(answer));
        }
    }

    fn perform(&mut self, effect: Effect) -> Option<Left> {
        match effect {
            Effect::Poll { node, probe } => self.collector.poll(node, probe),
            Effect::Log(ask) => self.collector.log(ask),
            Effect::Answer { node, question, answer } => self.answer(&node, question, answer),
            Effect::Reconnect { node } => self.connections.reconnect(&node),
            Effect::Run(effect) => {
                if let Some(runs) = &self.runs {
                    runs.perform(effect, &self.passphrases);
                }
            }
            // There is no moving in the present.
            Effect::Replay(_) => {}
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
