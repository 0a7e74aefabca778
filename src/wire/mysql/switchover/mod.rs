//! What a switchover rests on: the statements, and what their answers say.
//!
//! Asked in two rounds: settings, by which the family is known, then the rest in its words (`mariadb`, `mysql`). A plan
//! asks all of it at once ([`requests_of_plan`]), the short statements at every look and the long ones now and then.
//!
//! Deliberately absent: a statement that changes something (`plan::switchover` makes those).

mod mariadb;
mod mysql;

use super::{
    Answers,
    named::Named,
    probe,
    replication::{self, parsed},
    rows::Table,
    statements::{Statement, StatementId},
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        inventory::Node,
        mysql::{
            AccountSessions, Dialect, Replicator, SwitchoverSample, SwitchoverSettings, SwitchoverState, SwitchoverWork,
        },
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::{Complaint, Facts, Probe},
        request::{Repeat, Reply, Request},
    },
};

/// Longest answer, bytes.
const CAP_BYTES: usize = 1024 * 1024;
/// While a run looks several times a second, what takes longer to ask stands for so long, milliseconds.
const SLOW_MS: u64 = 300;
/// While the console only watches, what goes on stands for so long: a plan that is made of it is read anew before it acts.
const WATCHED_MS: u64 = 10_000;
/// The same for what somebody must have changed by hand: settings, accounts, and who is logged in.
const WATCHED_SETTINGS_MS: u64 = 30_000;

const SETTINGS: &str = "show global variables where variable_name in ('binlog_format', 'event_scheduler', \
    'group_replication_group_name', 'gtid_domain_id', 'gtid_executed', 'gtid_mode', 'gtid_slave_pos', \
    'gtid_strict_mode', \
    'innodb_buffer_pool_size', 'log_bin', 'log_replica_updates', 'log_slave_updates', 'max_connections', 'port', \
    'replicate_do_db', 'replicate_do_table', 'replicate_ignore_db', 'replicate_ignore_table', \
    'replicate_wild_do_table', 'replicate_wild_ignore_table', 'rpl_semi_sync_master_enabled', \
    'rpl_semi_sync_replica_enabled', 'rpl_semi_sync_slave_enabled', 'rpl_semi_sync_source_enabled', 'server_id', \
    'server_uuid', 'sql_mode', 'version', 'wsrep_on')";

/// Locks and schemas by which programs are known that switch a primary over by themselves.
const AUTOMATION: [(&str, &str); 6] = [
    ("maxscale", "MaxScale's monitor holds its lock"),
    ("maxscale_primary", "MaxScale's monitor holds its lock"),
    ("mha", "an MHA manager holds its lock"),
    ("shell", "MySQL Shell keeps its own record of who is the primary (mysql_innodb_cluster_metadata)"),
    ("orchestrator", "orchestrator is connected"),
    ("replication_manager", "replication-manager is connected"),
];

fn statement(id: StatementId, dialect: Dialect) -> Statement {
    let is_mysql = dialect == Dialect::Mysql;
    let word = |of_mariadb: &'static str, of_mysql: &'static str| if is_mysql { of_mysql } else { of_mariadb }.into();
    let sql = match id {
        StatementId::SwitchoverState if is_mysql => mysql::state().into(),
        StatementId::SwitchoverState => mariadb::state().into(),
        StatementId::SwitchoverWork if is_mysql => mysql::work().into(),
        StatementId::SwitchoverWork => mariadb::work().into(),
        StatementId::SwitchoverChannels => word(mariadb::CHANNELS, mysql::CHANNELS),
        StatementId::SwitchoverAccounts => word(mariadb::ACCOUNTS, mysql::ACCOUNTS),
        StatementId::SwitchoverReplicators => word(mariadb::REPLICATORS, mysql::REPLICATORS),
        _ => SETTINGS.into(),
    };
    Statement { id, sql, cap_bytes: CAP_BYTES }
}

const FAST: [StatementId; 2] = [StatementId::SwitchoverState, StatementId::SwitchoverChannels];
const SLOW: [StatementId; 3] =
    [StatementId::SwitchoverWork, StatementId::SwitchoverAccounts, StatementId::SwitchoverReplicators];

/// How long an answer stands while the console only watches.
fn watched(id: StatementId) -> Repeat {
    let is_work = id == StatementId::SwitchoverWork;
    Repeat::Reuse { ms: if is_work { WATCHED_MS } else { WATCHED_SETTINGS_MS } }
}

/// Everything that a run reads of a server of that family, the shortest first.
pub fn requests_of_plan(node: &Node, dialect: Dialect, deadline_ms: u64) -> Vec<Request> {
    let Some(database) = &node.database else { return Vec::new() };
    let slow = || [StatementId::SwitchoverSettings].into_iter().chain(SLOW);
    let fast = FAST.into_iter().map(|id| (id, Repeat::Always));
    fast.chain(slow().map(|id| (id, Repeat::Reuse { ms: SLOW_MS })))
        .map(|(id, repeat)| probe::request(database, deadline_ms, repeat, statement(id, dialect)))
        .collect()
}

/// What a switchover of a MySQL or MariaDB server rests on.
#[derive(Debug)]
pub struct SwitchoverProbe;

impl Probe for SwitchoverProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let Some(database) = &node.database else { return Vec::new() };
        let settings = statement(StatementId::SwitchoverSettings, Dialect::WithoutGtid);
        vec![probe::request(database, deadline_ms, watched(settings.id), settings)]
    }

    fn follow(&self, node: &Node, deadline_ms: u64, replies: &[Reply]) -> Vec<Request> {
        let Some(database) = node.database.as_ref().filter(|_| replies.len() == 1) else { return Vec::new() };
        let (answers, _) = probe::answers(replies);
        let settings = Named::read(&answers, StatementId::SwitchoverSettings, &mut Complaints::default());
        let Some(dialect) = dialect(&settings).known().filter(|is| *is != Dialect::WithoutGtid) else {
            return Vec::new();
        };
        let fast = FAST.into_iter().map(|id| (id, Repeat::Always));
        fast.chain(SLOW.map(|id| (id, watched(id))))
            .map(|(id, repeat)| probe::request(database, deadline_ms, repeat, statement(id, dialect)))
            .collect()
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (answers, mut odd) = probe::answers(replies);
        let mut complaints = Complaints::default();
        if answers.0.is_empty() {
            complaints.add("the answers", "nothing about a switchover in them");
            odd.extend(complaints.finish());
            return (None, odd);
        }
        let settings = Named::read(&answers, StatementId::SwitchoverSettings, &mut complaints);
        let family = dialect(&settings);
        let spoken = family.known().unwrap_or(Dialect::Mariadb);
        let channels =
            replication::channels_in_words_of(spoken, &answers, StatementId::SwitchoverChannels, &mut complaints);
        let mut sample = SwitchoverSample {
            dialect: family,
            state: read_state(&answers, spoken, &mut complaints),
            channels,
            work: read_work(&answers, &mut complaints),
            accounts: read_accounts(&answers, &mut complaints),
            replicators: read_replicators(&answers),
            settings: read_settings(&settings, &mut complaints),
        };
        if sample.is_mysql() {
            let table = answers.table(StatementId::SwitchoverWork);
            let row = table.as_ref().and_then(Table::first);
            sample.settings.filters = row.and_then(|row| row.raw(&["filters"])).map(Clean::line_from_bytes);
        }
        odd.extend(complaints.finish());
        (Some(Facts::Switchover(Box::new(sample))), odd)
    }

    /// No statement of another session is asked for.
    fn holds_statements(&self) -> bool {
        false
    }
}

fn dialect(settings: &Named<'_>) -> Figure<Dialect> {
    if settings.has(&["gtid_slave_pos"]) {
        Figure::Known(Dialect::Mariadb)
    } else if settings.has(&["gtid_executed"]) {
        Figure::Known(Dialect::Mysql)
    } else if settings.is_empty() {
        Figure::Unknown(settings.absent())
    } else {
        Figure::Known(Dialect::WithoutGtid)
    }
}

fn read_settings(of: &Named<'_>, complaints: &mut Complaints) -> SwitchoverSettings {
    // A plug-in that is not there is one that is not used.
    let off = |figure: Figure<bool>| match figure {
        Figure::Unknown(Unknown::NotOffered) => Figure::Known(false),
        figure => figure,
    };
    SwitchoverSettings {
        version: of.text(&["version"]),
        server_id: of.number(&["server_id"], complaints),
        port: of.number(&["port"], complaints),
        binary_log: of.flag(&["log_bin"], complaints),
        logs_applied: of.flag(&["log_slave_updates", "log_replica_updates"], complaints),
        binlog_format: of.text(&["binlog_format"]),
        gtid_strict: of.flag(&["gtid_strict_mode"], complaints),
        gtid_domain: of.number(&["gtid_domain_id"], complaints),
        slave_pos: match of.raw(&["gtid_slave_pos"]) {
            Figure::Known(text) => {
                String::from_utf8_lossy(text).parse().map_or(Figure::Unknown(Unknown::Malformed), Figure::Known)
            }
            Figure::Unknown(why) => Figure::Unknown(why),
        },
        filters: filters(of),
        server_uuid: of.text(&["server_uuid"]),
        gtid_mode: of.text(&["gtid_mode"]),
        semi_sync_source: off(of.flag(&["rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"], complaints)),
        semi_sync_word: semi_sync_word(of),
        semi_sync_replica: off(of.flag(&["rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"], complaints)),
        event_scheduler: of.flag(&["event_scheduler"], complaints),
        galera: off(of.flag(&["wsrep_on"], complaints)),
        group_replication: match of.raw(&["group_replication_group_name"]) {
            Figure::Known(name) => Figure::Known(!name.is_empty()),
            Figure::Unknown(Unknown::NotOffered) => Figure::Known(false),
            Figure::Unknown(why) => Figure::Unknown(why),
        },
        sql_mode: of.raw(&["sql_mode"]).map(Clean::line_from_bytes),
        connections_max: of.number(&["max_connections"], complaints),
        buffer_pool_bytes: of.number(&["innodb_buffer_pool_size"], complaints),
    }
}

/// MySQL has called the sides source and replica since 8.0.26, in a plug-in of another name.
fn semi_sync_word(of: &Named<'_>) -> Figure<Clean> {
    if of.has(&["rpl_semi_sync_source_enabled"]) {
        Figure::Known("source".into())
    } else if of.has(&["rpl_semi_sync_master_enabled"]) {
        Figure::Known("master".into())
    } else {
        Figure::Unknown(of.absent())
    }
}

/// All filters in one text; unknown when the server tells of none of them.
fn filters(of: &Named<'_>) -> Figure<Clean> {
    const NAMES: [&str; 6] = [
        "replicate_do_db",
        "replicate_do_table",
        "replicate_ignore_db",
        "replicate_ignore_table",
        "replicate_wild_do_table",
        "replicate_wild_ignore_table",
    ];
    let mut words = Vec::new();
    for name in NAMES {
        match of.raw(&[name]) {
            Figure::Known(b"") => {}
            Figure::Known(value) => words.push(format!("{name}={}", Clean::line_from_bytes(value))),
            Figure::Unknown(why) => return Figure::Unknown(why),
        }
    }
    Figure::Known(Clean::line(&words.join(" ")))
}

fn read_state(answers: &Answers, dialect: Dialect, complaints: &mut Complaints) -> SwitchoverState {
    let table = answers.table(StatementId::SwitchoverState);
    let row = table.as_ref().and_then(Table::first);
    let flag = |name, complaints: &mut Complaints| {
        row.and_then(|row| row.number::<u64>(&[name], complaints)).map(|value| value != 0)
    };
    let mut state = SwitchoverState { read_only: flag("read_only", complaints), ..SwitchoverState::default() };
    if dialect == Dialect::Mysql {
        state.super_read_only = flag("super_read_only", complaints);
        state.executed = parsed(row, "gtid_executed", complaints);
        state.purged = parsed(row, "gtid_purged", complaints);
    } else {
        state.binlog_state = parsed(row, "gtid_binlog_state", complaints);
        state.current_pos = parsed(row, "gtid_current_pos", complaints);
    }
    state.lease = match row.and_then(|row| row.number::<u64>(&["lease"], complaints)) {
        Figure::Known(session) => Figure::Known(Some(session)),
        // NULL says that nobody holds it.
        Figure::Unknown(Unknown::Missing) if row.why().is_none() => Figure::Known(None),
        Figure::Unknown(why) => Figure::Unknown(why),
    };
    state
}

fn read_work(answers: &Answers, complaints: &mut Complaints) -> Figure<SwitchoverWork> {
    let table = answers.table(StatementId::SwitchoverWork);
    table.as_ref().and_then(Table::first).and_then(|row| {
        let mut count = |name: &str| row.number::<u64>(&[name], complaints);
        let figures = [
            count("transaction_s"),
            count("statement_s"),
            count("metadata_waits"),
            count("definition_changes"),
            count("events"),
        ];
        let [
            Figure::Known(transaction_s),
            Figure::Known(statement_s),
            Figure::Known(metadata_waits),
            Figure::Known(definition_changes),
            Figure::Known(events),
        ] = figures
        else {
            return Figure::Unknown(figures.iter().find_map(Figure::why).unwrap_or(Unknown::Missing));
        };
        let signs = AUTOMATION.iter().filter(|(column, _)| matches!(row.raw(&[column]), Figure::Known(_)));
        let mut automation: Vec<Clean> = signs.map(|(_, words)| (*words).into()).collect();
        automation.dedup();
        Figure::Known(SwitchoverWork {
            transaction_s,
            statement_s,
            metadata_waits,
            definition_changes,
            events,
            semi_sync_active: row.text(&["semi_sync_active"]).known().map(|word| word.as_str() == "ON"),
            semi_sync_clients: count("semi_sync_clients").known(),
            automation,
        })
    })
}

fn read_accounts(answers: &Answers, complaints: &mut Complaints) -> Figure<Vec<AccountSessions>> {
    let table = answers.table(StatementId::SwitchoverAccounts);
    table.as_ref().and_then(|table| {
        let mut accounts = Vec::new();
        for row in table.rows() {
            let mut count = |name: &str| row.number::<u64>(&[name], complaints);
            let (sessions, own, passes) = (count("sessions"), count("own"), count("passes"));
            match (sessions, own, passes) {
                (Figure::Known(sessions), Figure::Known(own), Figure::Known(passes)) => {
                    accounts.push(AccountSessions {
                        user: row.text(&["user"]).known().unwrap_or_default(),
                        sessions,
                        is_own: own != 0,
                        passes_read_only: passes != 0,
                    });
                }
                _ => return Figure::Unknown(Unknown::Malformed),
            }
        }
        Figure::Known(accounts)
    })
}

fn read_replicators(answers: &Answers) -> Figure<Vec<Replicator>> {
    let table = answers.table(StatementId::SwitchoverReplicators);
    table.as_ref().map(|table| {
        let text = |figure: Figure<Clean>| figure.known().unwrap_or_default();
        table
            .rows()
            .map(|row| Replicator { user: text(row.text(&["user"])), host: text(row.text(&["host"])) })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(texts: &[&str]) -> SwitchoverSample {
        let replies: Vec<Reply> =
            texts.iter().map(|text| Reply { bytes: (*text).into(), ..Reply::default() }).collect();
        match SwitchoverProbe.interpret(&replies) {
            (Some(Facts::Switchover(sample)), _) => *sample,
            (other, complaints) => panic!("{other:?} {complaints:?}"),
        }
    }

    #[test]
    fn what_a_server_says_becomes_facts_and_null_says_that_nobody_holds_it() {
        let state = "= switchover_state rows\nread_only\tgtid_binlog_state\tgtid_current_pos\tlease\n1\t0-31-7,0-32-9\t0-32-9\t\\N\n";
        let said =
            sample(&["= switchover_settings rows\nVariable_name\tValue\ngtid_slave_pos\t\nlog_bin\tON\n", state]);
        assert_eq!(said.dialect, Figure::Known(Dialect::Mariadb));
        assert_eq!((said.state.read_only, said.state.lease), (Figure::Known(true), Figure::Known(None)));
        assert_eq!(said.written().map(|position| position.to_string()), Figure::Known("0-32-9".to_owned()));
        assert_eq!(said.settings.binary_log, Figure::Known(true));
        // What was not asked, or not told, is unknown and no pass.
        assert!(
            said.accounts.why().is_some() && said.work.why().is_some() && said.settings.logs_applied.why().is_some()
        );
    }

    #[test]
    fn who_writes_past_read_only_is_unknown_where_the_login_may_not_look() {
        let refused = "= switchover_accounts refused 1142 SELECT command denied to user for table global_priv\n";
        assert_eq!(sample(&[refused]).accounts, Figure::Unknown(Unknown::NotPermitted));
        let told = "= switchover_accounts rows\nuser\tsessions\town\tpasses\nadmin\t1\t0\t1\n";
        let accounts = sample(&[told]).accounts.known().unwrap();
        assert!(accounts[0].passes_read_only && !accounts[0].is_own);
        assert!(
            sample(&["= switchover_accounts rows\nuser\tsessions\town\tpasses\nadmin\tx\t0\t1\n"])
                .accounts
                .why()
                .is_some()
        );
    }

    #[test]
    fn another_program_shows_by_its_lock() {
        let columns = "transaction_s\tstatement_s\tmetadata_waits\tdefinition_changes\tevents\tsemi_sync_active\t\
            semi_sync_clients\tmaxscale\tmaxscale_primary\tmha\torchestrator\treplication_manager";
        let text = format!("= switchover_work rows\n{columns}\n0\t9\t0\t0\t0\tON\t2\t77\t77\t\\N\t\\N\t\\N\n");
        let work = sample(&[&text]).work.known().unwrap();
        assert_eq!((work.statement_s, work.semi_sync_active, work.automation.len()), (9, Some(true), 1));
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_complained_about(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for id in FAST.into_iter().chain(SLOW) {
                let head = format!("= {} rows\n", id.word());
                let reply = Reply { bytes: [head.as_bytes(), &bytes].concat(), ..Reply::default() };
                let _ = SwitchoverProbe.interpret(&[reply]);
            }
        }
    }
}
