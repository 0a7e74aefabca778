//! Facts about one MySQL or MariaDB server: what one read of its status says, and what two reads say together.
//!
//! What a server is and offers is probed: which variables and views exist decides, never the version's text, which is
//! only shown. What this flavour does not have is [`crate::model::figure::Unknown::NotOffered`].

mod daemon;
pub mod gtid;
mod innodb;
mod rates;
mod replication;
mod server;
mod sessions;
mod switchover;

pub use daemon::{BinlogSample, DaemonProcess, DaemonSample, DaemonState};
pub use innodb::{BufferPool, CheckpointSource, InnodbIo, InnodbSample, InnodbSettings, Redo, RowLocks};
pub use rates::{
    ConnectionRates, EngineRates, HitRatio, LockRates, MemoryBudget, MysqlFacts, MysqlRates, RedoRates, StatementRates,
    Unheard, WorkRates,
};
pub use replication::{
    Channel, Coordinates, GtidState, Lags, Replication, SemiSync, SemiSyncReplica, SemiSyncSource, ThreadError,
    ThreadState, Worker, Workers,
};
pub use server::{Capabilities, Dialect, Identity, MemorySettings, ServerSample, StatementCounters, WorkCounters};
pub use sessions::{Deadlock, DeadlockParty, LockWait, Process, Transaction, root_blockers};
pub use switchover::{
    AccountSessions, LEASE, Replicator, SwitchoverSample, SwitchoverSettings, SwitchoverState, SwitchoverWork,
};

use super::figure::Figure;
use serde::{Deserialize, Serialize};

/// One read of a server: counters, gauges and settings as the server gave them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MysqlSample {
    /// Who answers.
    pub identity: Identity,
    /// What it offers.
    pub capabilities: Capabilities,
    /// The server apart from its storage engine.
    pub server: ServerSample,
    /// The storage engine.
    pub innodb: InnodbSample,
    /// What it replicates, and what it confirms.
    pub replication: Replication,
    /// Open transactions, oldest first.
    pub transactions: Figure<Vec<Transaction>>,
    /// Who waits for whom.
    pub lock_waits: Figure<Vec<LockWait>>,
    /// Client and system threads, longest running first.
    pub processes: Figure<Vec<Process>>,
    /// The last deadlock that the engine resolved; `None` when there was none since its start.
    pub deadlock: Figure<Option<Deadlock>>,
}
