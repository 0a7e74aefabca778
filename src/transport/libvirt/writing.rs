//! One operation on one guest: a conversation and a thread of its own, both gone afterwards.

use super::{Fault, Place, address_of, ended, native};
use crate::wire::libvirt::operation::{GuestIdentity, Operation};
use std::{
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};
use tokio::sync::oneshot;

/// Between two looks whether a long operation is under way.
const LOOK_PAUSE: Duration = Duration::from_millis(20);

/// A guest that was found, on a conversation that may write: nothing has been done to it yet.
#[derive(Debug)]
pub(crate) struct Prepared {
    go: SyncSender<()>,
    outcome: oneshot::Receiver<Result<(), Fault>>,
    over: oneshot::Receiver<()>,
}

/// Ends when the call has ended, which may be long after its answer: a guest that moves is on its way.
pub(crate) type Over = oneshot::Receiver<()>;

impl Prepared {
    /// Connects and finds the guest. `socket` is an end on this machine.
    pub(crate) async fn new(socket: &Path, guest: &GuestIdentity, operation: &Operation) -> Result<Self, Fault> {
        let place = Place::take().ok_or(Fault::TooMany)?;
        native::start_events().map_err(|error| Fault::Lost(error.to_string()))?;
        let (address, guest, operation) = (address_of(socket), guest.clone(), operation.clone());
        let (go, gone) = sync_channel(1);
        let (found_in, found) = oneshot::channel();
        let (outcome_in, outcome) = oneshot::channel();
        let (over_in, over) = oneshot::channel();
        let run = move || {
            let _place = place;
            let _over: oneshot::Sender<()> = over_in;
            work(&address, &guest, &operation, found_in, &gone, outcome_in);
        };
        thread::Builder::new()
            .name("libvirt write".into())
            .spawn(run)
            .map_err(|error| Fault::Lost(error.to_string()))?;
        found.await.unwrap_or_else(|_| Err(ended()))?;
        Ok(Self { go, outcome, over })
    }

    /// Does it, once.
    pub(crate) async fn carry_out(self) -> Result<Over, Fault> {
        self.go.try_send(()).map_err(|_| ended())?;
        self.outcome.await.unwrap_or_else(|_| Err(ended()))?;
        Ok(self.over)
    }
}

/// The thread. It waits between the two steps: whoever gave up meanwhile has dropped the sender, and nothing is done.
fn work(
    address: &str,
    guest: &GuestIdentity,
    operation: &Operation,
    found: oneshot::Sender<Result<(), Fault>>,
    go: &Receiver<()>,
    outcome: oneshot::Sender<Result<(), Fault>>,
) {
    let (_connection, domain) = match find(address, guest) {
        Ok(both) => both,
        Err(fault) => {
            // Whoever asked may have given up.
            let _ = found.send(Err(fault));
            return;
        }
    };
    if found.send(Ok(())).is_err() || go.recv().is_err() {
        return;
    }
    if matches!(operation, Operation::Migrate(_)) {
        begin(&domain, operation, outcome);
    } else {
        let _ = outcome.send(native::operate(&domain, operation));
    }
}

/// A long operation is answered once it is under way, or when it ended before.
fn begin(domain: &native::Domain, operation: &Operation, outcome: oneshot::Sender<Result<(), Fault>>) {
    let outcome = Mutex::new(Some(outcome));
    let answer = |result| {
        let taken = outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever asked may have given up.
        let _ = taken.map(|outcome| outcome.send(result));
    };
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !is_over.load(Ordering::Acquire) {
                if native::is_under_way(domain) {
                    return answer(Ok(()));
                }
                thread::park_timeout(LOOK_PAUSE);
            }
        });
        let result = native::operate(domain, operation);
        is_over.store(true, Ordering::Release);
        watcher.thread().unpark();
        answer(result);
    });
}

fn find(address: &str, guest: &GuestIdentity) -> Result<(native::WritingConnection, native::Domain), Fault> {
    let connection = native::WritingConnection::open(address)?;
    let domain = connection.domain(&guest.name)?;
    match native::uuid_of(&domain) {
        Some(uuid) if uuid == guest.uuid => Ok((connection, domain)),
        Some(other) => Err(Fault::Refused(format!("{} is another guest now: its UUID is {other}", guest.name))),
        None => Err(Fault::Refused(format!("the UUID of {} cannot be read", guest.name))),
    }
}
