//! The state folder: journals of runs, the ledger of wishes, the lock of this bastion, and the heads that were announced.
//!
//! ```text
//! DIR/<cluster>/lock            held by flock for the length of a run; `lock.holder` beside it says by whom
//! DIR/<cluster>/index.lock      held for moments, while one of the next three files is rewritten
//! DIR/<cluster>/heads           what was opened, and where each chain stood at each ending; see [`heads`]
//! DIR/<cluster>/ledger.json     what operators want, and which runs it was folded from
//! DIR/<cluster>/acknowledged.json   which findings operators have seen, until when
//! DIR/<cluster>/runs/<plan>/journal.jsonl    held by flock while its executor lives
//! ```
//!
//! [`StateDir`] is all the rest of vakt sees. Where the folder is setgid and group-writable its group shares it: every
//! operator of one bastion sees the same runs. Otherwise it is private. Locks are the kernel's: they end with the process
//! that holds them, and a text that says who held one is believed only while it is held.
//!
//! Deliberately absent: choices about runs, and anything that is not needed to explain or take up a run.

mod acknowledged;
mod directory;
mod folder;
mod heads;
mod journal_file;
mod ledger;
mod lock;
mod node_lock;
mod operator;
mod place;
mod prune;
mod runs;
mod trouble;
mod verify;

pub use directory::{Announced, StateDir};
pub use folder::Sharing;
pub use heads::{Announcement, Heads, log_failure};
pub use journal_file::JournalFile;
pub use lock::{BastionLock, Held};
pub use node_lock::{NodeLock, NotHeld, Pace};
pub use operator::{bastion, operator};
pub use place::{Found, Place, Sought};
pub use prune::{Keep, Pruned};
pub use runs::{Follower, Unreadable};
pub use trouble::{AppendTrouble, StateTrouble};
pub use verify::{Finding, Verdict};
