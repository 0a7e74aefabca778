//! Conversations that are kept between questions: one per socket of a node, one question at a time, let go when idle.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Mutex as TurnMutex, time::Instant};

/// Sockets per node and technology.
pub(super) const SOCKETS_MAX: usize = 16;

/// What is kept for one socket. Its default is no conversation.
pub(super) trait Kept: Default {
    /// When it was used last; `None` while it never was.
    fn used(&self) -> Option<Instant>;
}

/// The conversations, by socket.
#[derive(Debug)]
pub(super) struct Conversations<K>(Mutex<HashMap<String, Arc<TurnMutex<K>>>>);

impl<K> Default for Conversations<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Kept> Conversations<K> {
    /// The place of a socket's conversation; `None` when there are too many sockets.
    pub(super) fn slot(&self, socket: &str) -> Option<Arc<TurnMutex<K>>> {
        let mut sockets = self.lock();
        if sockets.len() >= SOCKETS_MAX && !sockets.contains_key(socket) {
            return None;
        }
        Some(Arc::clone(sockets.entry(socket.to_owned()).or_default()))
    }

    /// Ends the conversations that nobody has used for `idle_max`.
    pub(super) fn release_idle(&self, idle_max: Duration) {
        for slot in self.lock().values() {
            // One that is in use is not idle.
            if let Ok(mut kept) = slot.try_lock()
                && kept.used().is_some_and(|used| used.elapsed() >= idle_max)
            {
                *kept = K::default();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<TurnMutex<K>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
