//! The databases of `databases` when they are MySQL: sets of transactions by UUID, and MySQL 9.7's words for what MariaDB
//! calls otherwise. Whoever says MariaDB's words to one is found out.

use super::{cluster::Cluster, databases::SimDatabase};
use std::collections::BTreeMap;
use vakt::model::{
    figure::Figure,
    mysql::{
        Dialect, SwitchoverSample,
        gtid::{Gtids, MysqlGtids},
    },
};

/// `server_uuid` of a server by its number.
pub(crate) fn uuid(server: u32) -> String {
    format!("46e0d9d4-ec11-11f1-9e05-a65d17bcae{server:02}")
}

/// Everything up to the last transaction of each server.
pub(crate) fn set(state: &BTreeMap<u32, u64>) -> MysqlGtids {
    let sources = state.iter().map(|(server, last)| format!("{}:1-{last}", uuid(*server)));
    sources.collect::<Vec<_>>().join(",").parse().unwrap()
}

impl Cluster {
    /// The same cluster with MySQL for MariaDB.
    pub(crate) fn speaking_mysql(mut self) -> Self {
        self.databases.iter_mut().for_each(SimDatabase::speak_mysql);
        self
    }
}

impl SimDatabase {
    fn speak_mysql(&mut self) {
        let settings = &mut self.base.settings;
        settings.version = Figure::Known("9.7.4-2".into());
        settings.server_uuid = Figure::Known(uuid(self.server).as_str().into());
        settings.gtid_mode = Figure::Known("ON".into());
        settings.semi_sync_word = Figure::Known("source".into());
        self.base.dialect = Figure::Known(Dialect::Mysql);
        self.base.state.purged = Figure::Known(MysqlGtids::default());
    }

    pub(crate) fn is_mysql(&self) -> bool {
        self.base.dialect == Figure::Known(Dialect::Mysql)
    }

    /// What MariaDB would have said, as MySQL says it.
    pub(crate) fn as_mysql(&self, sample: &mut SwitchoverSample) {
        sample.state.super_read_only = Figure::Known(self.read_only);
        sample.state.executed = Figure::Known(set(&self.state));
        let nothing = SwitchoverSample::default();
        (sample.state.binlog_state, sample.state.current_pos) = (nothing.state.binlog_state, nothing.state.current_pos);
        (sample.settings.gtid_domain, sample.settings.gtid_strict) =
            (nothing.settings.gtid_domain, nothing.settings.gtid_strict);
        let Figure::Known(channels) = &mut sample.channels else { return };
        for channel in channels {
            channel.received_gtids = Figure::Known(Gtids::Mysql(set(&self.received)));
            channel.by_gtid = Figure::Known("Yes".into());
        }
    }
}

/// A statement in MariaDB's words; one that MySQL does not know is a fault of the plan.
pub(crate) fn in_words_of_mariadb(sql: &str) -> String {
    let same = [
        "flush tables with read lock",
        "unlock tables",
        "select get_lock('vakt.switchover', 0)",
        "select release_lock('vakt.switchover')",
        // Takes back `super_read_only`, too.
        "set global read_only = 0",
        "select @@global.read_only",
    ];
    let changed = match sql {
        sql if same.contains(&sql) || sql.starts_with("set session ") => sql,
        "set global super_read_only = 1" => "set global read_only = 1",
        "select @@global.super_read_only" => "select @@global.read_only",
        "stop replica sql_thread" => "stop slave sql_thread",
        "stop replica" => "stop slave",
        "start replica" => "start slave",
        "reset replica all" => "reset slave all",
        "set global rpl_semi_sync_source_enabled = 0" => "set global rpl_semi_sync_master_enabled = 0",
        "set global rpl_semi_sync_source_enabled = 1" => "set global rpl_semi_sync_master_enabled = 1",
        "kill connection {each}" => "kill connection user 'each'",
        sql if sql.starts_with("change replication source to source_host='") => {
            assert!(sql.contains("source_auto_position=1") && !sql.contains("master"), "{sql}");
            return sql.replace("change replication source to source_host", "change master to master_host");
        }
        other => panic!("MySQL does not know this: {other}"),
    };
    changed.to_owned()
}
