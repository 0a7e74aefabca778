//! What runs on a node's kept programs: scripts of the shell, and what a Perl does as well for less where there is one.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    frame::{Answer, ProgramFault},
    reader::{self, Reader},
    session::{OpenFault, Session, Target, micros},
    shell::{self, Place, Shell},
};
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::request::Reply,
};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{MutexGuard, Semaphore},
    time::{Instant, timeout},
};

/// Kept shells: a second one, so that one slow script does not hold up the others.
const SHELLS_MAX: usize = 2;
/// How long a program waits for the first reader before it takes the second: two of them cost a node more than one that is
/// asked twice in a row.
const TURN: Duration = Duration::from_millis(100);

/// How old a session is before it starts a reader: it pays for whoever watches, and a run or a single look is over by then.
const READER_AFTER: Duration = Duration::from_secs(20);

/// A session's kept programs.
#[derive(Debug)]
pub(super) struct Scripts {
    since: Instant,
    shells: Semaphore,
    idle_shells: Mutex<Vec<Shell<Drained>>>,
    /// The second is there for when the first is slow.
    readers: [tokio::sync::Mutex<Option<Reader<Drained>>>; 2],
    /// That the node has no Perl, no place for one, or that a program failed in it.
    is_perl_useless: AtomicBool,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            shells: Semaphore::new(SHELLS_MAX),
            idle_shells: Mutex::default(),
            readers: Default::default(),
            is_perl_useless: AtomicBool::new(false),
        }
    }
}

impl Session {
    /// A script that a probe sends again and again, or the same in Perl.
    pub(super) async fn look(&self, script: &str, perl: &str, cap: usize, sent: &AtomicBool) -> Result<Reply, Trouble> {
        let is_worth_it = !perl.is_empty() && self.scripts.since.elapsed() >= READER_AFTER;
        if is_worth_it && !self.scripts.is_perl_useless.load(Ordering::Relaxed) {
            let started = Instant::now();
            if let Some(answer) = self.read(perl, cap, sent).await? {
                return Ok(reply(answer, started));
            }
        }
        self.shell(script, Place::Within, cap, sent).await
    }

    /// What a program of Perl says; nothing where that cannot be had.
    async fn read(&self, program: &str, cap: usize, sent: &AtomicBool) -> Result<Option<Answer>, Trouble> {
        let mut place = self.reader().await;
        sent.store(true, Ordering::Relaxed);
        // Unasked bytes, or the end: not the reader it was.
        let kept = place.take().filter(|kept| kept.stream().unread() == 0 && !kept.stream().is_ended());
        let is_new = kept.is_none();
        let mut reader = if let Some(kept) = kept {
            kept
        } else {
            match self.open(Target::Talk(reader::command()), UNREAD_BYTES_MAX, sent).await {
                Ok(stream) => Reader::new(stream),
                Err(OpenFault::Lost) => return Err(self.end()),
                // sshd allows fewer programs than vakt would start: the shell is there already.
                Err(OpenFault::Refused(_)) => return Ok(self.without_perl()),
            }
        };
        // If this future is dropped at the deadline, the reader goes with it: its next answer would be this one's.
        match reader.run(program, cap).await {
            Ok(answer) => {
                *place = Some(reader);
                if answer.exit == 0 {
                    return Ok(Some(answer));
                }
            }
            Err(_) if self.is_ended() => return Err(self.end()),
            Err(ProgramFault::TooLong { cap }) => return Err(self.too_long(cap, "what the node is read for")),
            // The connection lives, and what was just started said nothing.
            Err(ProgramFault::Ended) if is_new => {}
            Err(fault) => return Err(self.program_trouble(&fault, "", reader.stream())),
        }
        Ok(self.without_perl())
    }

    /// From now on the shell does it.
    fn without_perl<T>(&self) -> Option<T> {
        self.scripts.is_perl_useless.store(true, Ordering::Relaxed);
        None
    }

    async fn reader(&self) -> MutexGuard<'_, Option<Reader<Drained>>> {
        let [first, second] = &self.scripts.readers;
        match timeout(TURN, first.lock()).await {
            Ok(place) => place,
            Err(_) => second.lock().await,
        }
    }

    /// One script on a kept shell.
    pub(super) async fn shell(
        &self,
        script: &str,
        place: Place,
        cap: usize,
        sent: &AtomicBool,
    ) -> Result<Reply, Trouble> {
        let idle = || self.scripts.idle_shells.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = self.scripts.shells.acquire().await.map_err(|_| self.end())?;
        let started = Instant::now();
        sent.store(true, Ordering::Relaxed);
        let kept = idle().pop();
        // Unasked bytes, or the end: not the shell it was.
        let kept = kept.filter(|shell| shell.stream().unread() == 0 && !shell.stream().is_ended());
        let mut shell = if let Some(shell) = kept {
            shell
        } else {
            let opened = self.open(Target::Talk(shell::COMMAND.into()), UNREAD_BYTES_MAX, sent).await;
            Shell::new(opened.map_err(|fault| self.open_trouble(&fault))?)
        };
        // If this future is dropped at the deadline, the shell goes with it: its next answer would be this one's.
        match shell.run(script, place, cap).await {
            Ok(answer) => {
                idle().push(shell);
                Ok(reply(answer, started))
            }
            Err(fault) => Err(self.program_trouble(&fault, script, shell.stream())),
        }
    }

    fn program_trouble(&self, fault: &ProgramFault, script: &str, channel: &Drained) -> Trouble {
        match fault {
            _ if self.is_ended() => self.end(),
            ProgramFault::TooLong { cap } => self.too_long(*cap, script),
            ProgramFault::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                self.too_long(UNREAD_BYTES_MAX, script)
            }
            ProgramFault::Ended | ProgramFault::Io(_) => {
                let said = String::from_utf8_lossy(&channel.stderr()).trim().to_owned();
                let said = if said.is_empty() { String::new() } else { format!(": {said}") };
                Trouble::new(
                    TroubleKind::ProgramMissing,
                    format!("no shell on {}{said}", self.name()),
                    "give the login a shell (chsh), and no forced command or internal-sftp",
                )
            }
            ProgramFault::NotUnderstood => Trouble::new(
                TroubleKind::AnswerNotUnderstood,
                format!("the shell on {} answered something else than it was asked", self.name()),
                "check the login's shell and its start files (.profile, .bashrc)",
            ),
            ProgramFault::NoRandom => Trouble::new(
                TroubleKind::Internal,
                "the operating system gave no random numbers",
                "check /dev/urandom on this machine",
            ),
        }
    }
}

fn reply(answer: Answer, started: Instant) -> Reply {
    Reply { bytes: answer.bytes, stderr: Vec::new(), exit: Some(answer.exit), elapsed_us: micros(started) }
}
