//! Questions of connections that only the operator can answer, one at a time.
//!
//! What is typed is held in memory that is wiped when the prompt closes, never printed by `Debug`, and leaves only as
//! an [`Effect::Answer`].

use super::{
    App, Overlay,
    effect::{Effect, Reply},
    following,
    msg::{Key, KeyCode},
};
use crate::model::{
    ids::NodeName,
    link::{Ask, Question},
};
use secrecy::zeroize::Zeroizing;
use std::fmt;

/// Longest answer, bytes. The memory is reserved at once, so that growing leaves no copies behind.
const TYPED_MAX: usize = 1024;
/// What must be typed to trust a host key: more than one stray key.
pub(crate) const TRUST_WORD: &str = "yes";

/// An open question.
pub(crate) struct Prompt {
    pub(crate) node: NodeName,
    pub(crate) question: Question,
    typed: Zeroizing<String>,
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prompt").field("node", &self.node).field("question", &self.question).finish_non_exhaustive()
    }
}

impl Prompt {
    /// Asks a question.
    pub(crate) fn new(node: NodeName, question: Question) -> Self {
        Self { node, question, typed: Zeroizing::new(String::with_capacity(TYPED_MAX)) }
    }

    /// The first question that waits, in the order of the inventory.
    pub(crate) fn first_waiting(app: &App) -> Option<Self> {
        app.world
            .nodes
            .iter()
            .find_map(|node| node.questions.first().map(|question| Self::new(node.name.clone(), question.clone())))
    }

    /// Whether what is typed must not be seen.
    pub(crate) fn is_secret(&self) -> bool {
        match &self.question.ask {
            Ask::Passphrase { .. } => true,
            Ask::Prompt { echo, .. } => !echo,
            Ask::UnknownHostKey { .. } => false,
        }
    }

    /// What to show in the field: what is typed, or as many bullets.
    pub(crate) fn shown(&self, bullet: char) -> String {
        if self.is_secret() {
            std::iter::repeat_n(bullet, self.typed.chars().count()).collect()
        } else {
            self.typed.as_str().to_owned()
        }
    }

    /// Adds text as far as it fits. Line breaks of a paste are not part of a secret.
    pub(crate) fn add(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.typed.len() + c.len_utf8() <= TYPED_MAX {
                self.typed.push(c);
            }
        }
    }

    /// The answer that Enter gives, or what is missing.
    fn answer(&self) -> Result<Reply, &'static str> {
        match &self.question.ask {
            Ask::UnknownHostKey { .. } if self.typed.trim() == TRUST_WORD => Ok(Reply::Accept),
            Ask::UnknownHostKey { .. } => Err("Type yes to trust this key, or press Esc to refuse it."),
            Ask::Passphrase { .. } | Ask::Prompt { .. } => Ok(Reply::Secret(self.typed.as_str().to_owned())),
        }
    }
}

/// A key while a question is open.
pub(crate) fn key(app: &mut App, mut prompt: Prompt, key: Key) -> Vec<Effect> {
    match (key.code, key.ctrl) {
        (KeyCode::Enter, _) => match prompt.answer() {
            Ok(answer) => return close(app, &prompt, answer),
            Err(missing) => app.notify(missing),
        },
        (KeyCode::Esc, _) => return close(app, &prompt, Reply::Refuse),
        (KeyCode::Backspace, _) => {
            prompt.typed.pop();
        }
        (KeyCode::Char('u'), true) => prompt.typed.clear(),
        (KeyCode::Char(c), false) => prompt.add(c.encode_utf8(&mut [0; 4])),
        (KeyCode::Redacted, _) => prompt.add("x"),
        _ => {}
    }
    app.overlay = Overlay::Prompt(prompt);
    Vec::new()
}

/// Sends the answer and goes on with the next question, if any.
fn close(app: &mut App, prompt: &Prompt, answer: Reply) -> Vec<Effect> {
    let id = prompt.question.id;
    if let Some(node) = app.world.node_mut(&prompt.node) {
        node.questions.retain(|question| question.id != id);
    }
    match Prompt::first_waiting(app) {
        Some(next) => app.overlay = Overlay::Prompt(next),
        None => following::show_again(app),
    }
    vec![Effect::Answer { node: prompt.node.clone(), question: id, answer }]
}

/// Opens the first waiting question unless the operator is typing something else: a question never steals keys. Over
/// the view of a run it opens too: the run may be waiting for the answer, and its view comes back.
pub(crate) fn open_if_idle(app: &mut App) {
    if matches!(app.overlay, Overlay::None | Overlay::Run)
        && let Some(prompt) = Prompt::first_waiting(app)
    {
        app.overlay = Overlay::Prompt(prompt);
    }
}
