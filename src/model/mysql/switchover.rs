//! What a planned switchover rests on: facts that are asked less often than counters, and read once more by a run.

use super::{
    Channel, Dialect,
    gtid::{Gtids, MariadbGtids, MysqlGtids, SourceId},
};
use crate::model::{
    figure::{Figure, Unknown},
    text::Clean,
};
use serde::{Deserialize, Serialize};

/// One read of a server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SwitchoverSample {
    /// Its family: what is asked below is asked in its words.
    pub dialect: Figure<Dialect>,
    /// What stands in its configuration, or was set since.
    pub settings: SwitchoverSettings,
    /// Whether it takes writes, and how far it is.
    pub state: SwitchoverState,
    /// What it replicates from; known and empty on a server that is nobody's replica.
    pub channels: Figure<Vec<Channel>>,
    /// What is going on that a short standstill would hurt, or that would hold it up.
    pub work: Figure<SwitchoverWork>,
    /// Logins with sessions, replication and vakt's own session left out.
    pub accounts: Figure<Vec<AccountSessions>>,
    /// Accounts that may replicate from it.
    pub replicators: Figure<Vec<Replicator>>,
}

/// Settings that decide whether a server can be the primary.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SwitchoverSettings {
    /// `version`: compared by its numbers, because a primary may not be newer than its replicas.
    pub version: Figure<Clean>,
    /// `server_id`.
    pub server_id: Figure<u32>,
    /// `port`.
    pub port: Figure<u16>,
    /// `log_bin`.
    pub binary_log: Figure<bool>,
    /// `log_slave_updates`, `log_replica_updates`: what it applies is in its own binary log.
    pub logs_applied: Figure<bool>,
    /// `binlog_format`.
    pub binlog_format: Figure<Clean>,
    /// `gtid_strict_mode`.
    pub gtid_strict: Figure<bool>,
    /// `gtid_domain_id`.
    pub gtid_domain: Figure<u32>,
    /// `gtid_slave_pos`: what it received as a replica, or with the copy that it was made from; it does not move while it
    /// is the primary.
    #[serde(default)]
    pub slave_pos: Figure<MariadbGtids>,
    /// Every `replicate_…` filter as one text, empty without any.
    pub filters: Figure<Clean>,
    /// `server_uuid`: who wrote, in a MySQL set of transactions.
    #[serde(default)]
    pub server_uuid: Figure<Clean>,
    /// `gtid_mode`.
    #[serde(default)]
    pub gtid_mode: Figure<Clean>,
    /// `rpl_semi_sync_master_enabled`, `rpl_semi_sync_source_enabled`: commits wait for a replica.
    pub semi_sync_source: Figure<bool>,
    /// By which word the server calls the side that waits, `master` or `source`; not offered where the plug-in is missing.
    #[serde(default)]
    pub semi_sync_word: Figure<Clean>,
    /// `rpl_semi_sync_slave_enabled`, `rpl_semi_sync_replica_enabled`: it acknowledges.
    pub semi_sync_replica: Figure<bool>,
    /// `event_scheduler`.
    pub event_scheduler: Figure<bool>,
    /// `wsrep_on`: a node of Galera.
    pub galera: Figure<bool>,
    /// `group_replication_group_name` is set: a member of group replication.
    pub group_replication: Figure<bool>,
    /// `sql_mode`.
    pub sql_mode: Figure<Clean>,
    /// `max_connections`.
    pub connections_max: Figure<u64>,
    /// `innodb_buffer_pool_size`, bytes.
    pub buffer_pool_bytes: Figure<u64>,
}

/// Where a server stands; one row, so that its parts belong together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SwitchoverState {
    /// `read_only`.
    pub read_only: Figure<bool>,
    /// `super_read_only` of MySQL: administrators cannot write either. MariaDB has no such setting.
    #[serde(default)]
    pub super_read_only: Figure<bool>,
    /// `gtid_executed` of MySQL: every transaction that it has.
    #[serde(default)]
    pub executed: Figure<MysqlGtids>,
    /// `gtid_purged` of MySQL: those that are in no binary log of it any more.
    #[serde(default)]
    pub purged: Figure<MysqlGtids>,
    /// `gtid_binlog_state`: for each domain and server the last one in the binary log.
    pub binlog_state: Figure<MariadbGtids>,
    /// `gtid_current_pos`: the last one applied or written here.
    pub current_pos: Figure<MariadbGtids>,
    /// The session that holds [`LEASE`]; `None` while nobody does.
    pub lease: Figure<Option<u64>>,
}

/// The name of the lock that a session of vakt holds on a server while it is frozen, or being promoted.
pub const LEASE: &str = "vakt.switchover";

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SwitchoverWork {
    /// Age of the oldest open transaction of a session that has changed rows, seconds; 0 without one.
    pub transaction_s: u64,
    /// Age of the longest running statement of a client, seconds.
    pub statement_s: u64,
    /// Sessions that wait for a table's definition.
    pub metadata_waits: u64,
    /// Sessions that change a table's definition, or copy the server.
    pub definition_changes: u64,
    /// Events that are switched on.
    pub events: u64,
    /// `Rpl_semi_sync_master_status`: commits wait for an acknowledgement now.
    pub semi_sync_active: Option<bool>,
    /// `Rpl_semi_sync_master_clients`: replicas that acknowledge.
    pub semi_sync_clients: Option<u64>,
    /// Signs of programs that switch the primary over by themselves: "MaxScale holds a lock".
    pub automation: Vec<Clean>,
}

/// The sessions of one login.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AccountSessions {
    /// The login.
    pub user: Clean,
    /// How many sessions.
    pub sessions: u64,
    /// It is the one that vakt uses.
    pub is_own: bool,
    /// It may write although the server is read-only (`READ_ONLY ADMIN`).
    pub passes_read_only: bool,
}

/// An account with `REPLICATION SLAVE`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replicator {
    /// Its name.
    pub user: Clean,
    /// From where it may come: a pattern with `%` and `_`.
    pub host: Clean,
}

impl Replicator {
    /// Whether somebody of that name at that address is this account.
    pub fn admits(&self, user: &str, address: &str) -> bool {
        self.user.as_str() == user && matches(self.host.as_str().as_bytes(), address.as_bytes())
    }
}

/// A pattern of `like`: `%` is anything, `_` is one character.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'%') => {
                retry = Some((at + 1, in_text));
                at += 1;
            }
            Some(one) if *one == b'_' || *one == text[in_text] => (at, in_text) = (at + 1, in_text + 1),
            _ => {
                let Some((after, from)) = retry else { return false };
                retry = Some((after, from + 1));
                (at, in_text) = (after, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'%')
}

impl SwitchoverSample {
    /// Whether its family is MySQL.
    pub fn is_mysql(&self) -> bool {
        self.dialect.known() == Some(Dialect::Mysql)
    }

    /// What is in its binary log: in MariaDB the last transaction of each domain, in MySQL everything that it has.
    pub fn written(&self) -> Figure<Gtids> {
        if self.is_mysql() {
            return self.executed();
        }
        self.state.binlog_state.as_ref().map(|state| Gtids::Mariadb(state.position()))
    }

    /// What it has applied or written.
    pub fn applied(&self) -> Figure<Gtids> {
        if self.is_mysql() {
            return self.executed();
        }
        self.state.current_pos.as_ref().map(|position| Gtids::Mariadb(position.clone()))
    }

    /// Everything that it tells to have, by its binary log and by where it stands.
    pub fn everything(&self) -> Figure<Gtids> {
        if self.is_mysql() {
            return self.executed();
        }
        let position = self.state.current_pos.as_ref();
        let all = self.state.binlog_state.as_ref().and_then(|state| position.map(|position| state.union(position)));
        all.map(Gtids::Mariadb)
    }

    /// What it wrote itself, apart from what it replicates.
    pub fn own_transactions(&self) -> Figure<Gtids> {
        if self.is_mysql() {
            let uuid = self.uuid();
            let executed = self.state.executed.as_ref();
            return executed.and_then(|executed| uuid.map(|uuid| Gtids::Mysql(executed.of_source(uuid))));
        }
        let server = self.settings.server_id;
        let state = self.state.binlog_state.as_ref();
        state.and_then(|state| server.map(|server| Gtids::Mariadb(state.of_server(server))))
    }

    /// Under which number it writes, in a MySQL set of transactions.
    pub fn uuid(&self) -> Figure<u128> {
        self.settings.server_uuid.as_ref().and_then(|text| match SourceId::parse(text.as_str()) {
            Ok(source) => Figure::Known(source.uuid),
            Err(_) => Figure::Unknown(Unknown::Malformed),
        })
    }

    fn executed(&self) -> Figure<Gtids> {
        self.state.executed.as_ref().map(|executed| Gtids::Mysql(executed.clone()))
    }

    /// Sessions of applications.
    pub fn application_sessions(&self) -> Figure<u64> {
        let foreign = |accounts: &Vec<AccountSessions>| {
            accounts.iter().filter(|account| !account.is_own).map(|account| account.sessions).sum()
        };
        self.accounts.as_ref().map(foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_name_and_address() {
        let account = |host: &str| Replicator { user: "replica".into(), host: host.into() };
        for host in ["%", "10.10.0.%", "10.10.0.31", "10.%.31", "10.10._.31"] {
            assert!(account(host).admits("replica", "10.10.0.31"), "{host}");
        }
        for host in ["10.10.1.%", "10.10.0.3", "localhost", "", "10.10.0.31_"] {
            assert!(!account(host).admits("replica", "10.10.0.31"), "{host}");
        }
        assert!(!account("%").admits("other", "10.10.0.31"));
    }
}
