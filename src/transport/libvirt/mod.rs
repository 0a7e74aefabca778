//! libvirt's client library: one thread for each conversation, because its calls block.
//!
//! The answers leave as bytes (`wire::libvirt::answer`), so that what is recorded is what the parser reads. Events only
//! tell that something changed: the next question says what.
//!
//! The kept connection is read-only, whatever socket it uses; `writing` opens one of its own for each change.

mod native;
pub(crate) mod writing;

use crate::wire::libvirt::{
    Question,
    answer::{self, Definitions, DomainRecord, Statistics},
};
use native::Connection;
use std::{
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};
use tokio::sync::{Notify, oneshot};

/// Threads at once, one for each hypervisor that is watched. One that waits in a call lives until its bridge is closed.
const THREADS_MAX: usize = 256;
/// Domains whose definitions are asked for, one call each.
const DOMAINS_MAX: usize = crate::wire::libvirt::DOMAINS_MAX;

static THREADS: AtomicUsize = AtomicUsize::new(0);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The conversation ended.
    #[error("{0}")]
    Lost(String),
    /// libvirt said no, in these words; the conversation goes on.
    #[error("{0}")]
    Refused(String),
    /// No room for another conversation.
    #[error("too many conversations")]
    TooMany,
}

/// One conversation. Dropping it ends its thread, at the latest when its bridge is closed.
#[derive(Debug)]
pub(crate) struct Client {
    jobs: Option<SyncSender<Job>>,
}

#[derive(Debug)]
struct Job {
    question: Question,
    answer: oneshot::Sender<Result<Vec<u8>, Fault>>,
}

impl Client {
    /// Starts the thread, which connects to `socket` with its first question. `changed` is notified of events.
    pub(crate) fn start(socket: &Path, changed: Arc<Notify>) -> io::Result<Self> {
        let Some(place) = Place::take() else { return Ok(Self { jobs: None }) };
        native::start_events()?;
        let address = address_of(socket);
        let (jobs, wanted) = sync_channel(1);
        thread::Builder::new().name("libvirt".into()).spawn(move || {
            let _place = place;
            serve(&address, &changed, &wanted);
        })?;
        Ok(Self { jobs: Some(jobs) })
    }

    /// Asks one question.
    pub(crate) async fn ask(&self, question: Question) -> Result<Vec<u8>, Fault> {
        let Some(jobs) = &self.jobs else { return Err(Fault::TooMany) };
        let (answer, answered) = oneshot::channel();
        match jobs.try_send(Job { question, answer }) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(ended())),
            Err(TrySendError::Full(_)) => Err(Fault::Refused("it is busy with another question".into())),
            Err(TrySendError::Disconnected(_)) => Err(ended()),
        }
    }
}

/// qemu+unix never leaves this machine: the bridge does.
fn address_of(socket: &Path) -> String {
    format!("qemu+unix:///system?socket={}", socket.display())
}

fn ended() -> Fault {
    Fault::Lost("the connection was closed".into())
}

/// The thread: one question after another, until nobody asks or the conversation is lost.
fn serve(address: &str, changed: &Arc<Notify>, wanted: &Receiver<Job>) {
    let mut connection = None;
    while let Ok(Job { question, answer }) = wanted.recv() {
        let result = connected(&mut connection, address, changed).and_then(|connection| run(connection, question));
        let is_lost = matches!(result, Err(Fault::Lost(_)));
        // Whoever asked may have given up.
        let _ = answer.send(result);
        if is_lost {
            break;
        }
    }
}

fn connected<'a>(
    connection: &'a mut Option<Connection>,
    address: &str,
    changed: &Arc<Notify>,
) -> Result<&'a Connection, Fault> {
    if connection.is_none() {
        let mut opened = Connection::open(address)?;
        // Without events a change is seen at the next poll.
        opened.watch(changed);
        *connection = Some(opened);
    }
    connection.as_ref().ok_or_else(ended)
}

fn run(connection: &Connection, question: Question) -> Result<Vec<u8>, Fault> {
    let written = match question {
        Question::Statistics => answer::bytes(&Statistics { domains: connection.statistics()? }),
        Question::Definitions => answer::bytes(&definitions(connection)?),
    };
    written.map_err(|error| Fault::Refused(error.to_string()))
}

fn definitions(connection: &Connection) -> Result<Definitions, Fault> {
    let host = connection.host()?;
    let mut domains = Vec::new();
    for domain in connection.domains()?.iter().take(DOMAINS_MAX) {
        match connection.definition(domain) {
            Ok(record) => domains.push(record),
            Err(Fault::Lost(words)) => return Err(Fault::Lost(words)),
            // It was removed meanwhile.
            Err(_) => domains.push(DomainRecord { name: native::name(domain).into(), ..DomainRecord::default() }),
        }
    }
    Ok(Definitions {
        libvirt: host.libvirt.into(),
        qemu: host.qemu.into(),
        cpus: host.cpus.into(),
        memory_kib: host.memory_kib.into(),
        domains,
        pools: connection.pools(),
    })
}

/// One of the threads there may be.
struct Place;

impl Place {
    fn take() -> Option<Self> {
        let taken = THREADS
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| (count < THREADS_MAX).then_some(count + 1));
        taken.ok().map(|_| Self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        THREADS.fetch_sub(1, Ordering::AcqRel);
    }
}
