//! The way into a database server, what a moody one may do, and real ones.

use super::{
    bed::{Bed, NODE},
    fake_mysql::{FakeMysql, Mood},
    lab,
    watched::{Watched, kind},
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};
use tokio::time::Instant;
use vakt::{
    model::{
        inventory::{DatabaseLogin, PasswordSource},
        link::Way,
        trouble::{Trouble, TroubleKind},
    },
    wire::{
        mysql::StatementId,
        request::{Call, Repeat, Reply},
    },
};

const ANSWER: &[u8] = b"= status rows\nVariable_name\tValue\nname\t\\N\ntab\ta\\tb\n";
const SOCKET: &str = "/run/mysqld/mysqld.sock";
const CAP: usize = 2 << 20;

fn asked(socket: &str, sql: &'static str, repeat: Repeat) -> Call {
    let (socket, login) = (socket.to_owned(), DatabaseLogin::default());
    Call::Sql { socket, login, statement: StatementId::Status, sql: sql.into(), repeat }
}

async fn status(nodes: &Watched, socket: &str) -> Result<Reply, Trouble> {
    nodes.call(NODE, asked(socket, "show global status", Repeat::Always), 2000, CAP).await
}

#[tokio::test]
async fn a_database_is_asked_over_one_kept_conversation_that_can_only_read() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let mut nodes = Watched::up(&bed).await;
    for _ in 0..3 {
        assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER);
    }
    assert_eq!((fake.connections(), fake.open()), (1, 1));
    assert_eq!(nodes.until_routed().await.way, Ok(Way::StreamLocal));
    let statements = fake.statements();
    assert_eq!(statements[0], "set session transaction read only");
    assert_eq!(statements.iter().filter(|sql| sql.starts_with("set session")).count(), 7);
    fake.set(Mood::Ignorant);
    let refused = status(&nodes, fake.socket()).await.unwrap().bytes;
    assert_eq!(refused, b"= status refused 1146 Table 'x.y' doesn't exist\n");
    fake.set(Mood::Restarting);
    assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER, "a read is repeated");
    assert_eq!(fake.connections(), 2);
    nodes.shut_down().await;
    let ended = Instant::now();
    while fake.open() > 0 && ended.elapsed() < Duration::from_secs(5) {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.open(), 0, "nothing stays open");
}

#[tokio::test]
async fn what_is_asked_rarely_is_not_sent_each_time() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    let ask = async |sql, repeat| nodes.call(NODE, asked(fake.socket(), sql, repeat), 2000, CAP).await.unwrap().bytes;
    let sent = |sql: &str| fake.statements().iter().filter(|sent| *sent == sql).count();
    for _ in 0..3 {
        assert_eq!(ask("show global variables", Repeat::Reuse { ms: 60_000 }).await, ANSWER);
    }
    assert_eq!(sent("show global variables"), 1);
    assert_eq!(ask("show engine innodb status", Repeat::Skip { ms: 60_000 }).await, ANSWER);
    assert_eq!(ask("show engine innodb status", Repeat::Skip { ms: 60_000 }).await, b"");
    assert_eq!(ask("show engine innodb status", Repeat::Skip { ms: 0 }).await, ANSWER);
    assert_eq!(sent("show engine innodb status"), 2);
}

#[tokio::test]
async fn invariant_9_a_hostile_database_costs_its_conversation_and_nothing_else() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    for (mood, expected) in [
        (Mood::Endless, TroubleKind::AnswerTooLong),
        (Mood::Boundless, TroubleKind::AnswerTooLong),
        (Mood::Empty, TroubleKind::AnswerNotUnderstood),
        (Mood::Greedy, TroubleKind::AnswerNotUnderstood),
    ] {
        fake.set(Mood::Well);
        assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER);
        fake.set(mood);
        let trouble = status(&nodes, fake.socket()).await.unwrap_err();
        assert_eq!(trouble.kind, expected, "{mood:?}: {trouble}");
    }
    fake.set(Mood::Stranger);
    let trouble = status(&nodes, fake.socket()).await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::AnswerNotUnderstood, "{trouble}");
    fake.set(Mood::Well);
    assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER);
    assert_eq!(nodes.shell("echo here").await.unwrap().bytes, b"here\n");
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1, "the SSH connection is the first one");
}

#[tokio::test]
async fn a_frozen_database_is_named_and_the_connection_stays() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    let call = || asked(fake.socket(), "show global status", Repeat::Always);
    nodes.call(NODE, call(), 2000, CAP).await.unwrap();
    fake.set(Mood::Hangs);
    let trouble = nodes.call(NODE, call(), 400, CAP).await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::DatabaseSilent, "{trouble}");
    fake.set(Mood::Frozen);
    for _ in 0..4 {
        assert_eq!(kind(nodes.call(NODE, call(), 400, CAP).await), TroubleKind::DatabaseSilent);
    }
    assert_eq!(nodes.shell("echo here").await.unwrap().bytes, b"here\n");
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1);
}

#[tokio::test]
async fn a_refused_login_names_the_account_and_rests() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    fake.set(Mood::Refuses);
    let with = |login: DatabaseLogin| Call::Sql {
        socket: fake.socket().to_owned(),
        login,
        statement: StatementId::Status,
        sql: "show global status".into(),
        repeat: Repeat::Always,
    };
    let password = bed.scratch.path().join("password");
    fs::write(&password, "s3cr3t\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let login = DatabaseLogin { user: Some("watcher".into()), password: Some(PasswordSource::File(password)) };
    let trouble = nodes.call(NODE, with(login.clone()), 2000, CAP).await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::LoginRefused, "{trouble}");
    assert!(trouble.cause.as_str().contains("refuses watcher (1698)"), "{trouble}");
    assert!(!format!("{trouble:?}").contains("s3cr3t"));
    let tried = fake.connections();
    assert_eq!(kind(nodes.call(NODE, with(login), 2000, CAP).await), TroubleKind::LoginRefused);
    assert_eq!(fake.connections(), tried, "each attempt is a line in the server's log");
}

#[tokio::test]
async fn a_password_is_never_given_in_clear_to_who_asks_for_it() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    fake.set(Mood::Curious);
    let trouble = status(&nodes, fake.socket()).await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::LoginRefused, "{trouble}");
    assert!(trouble.cause.as_str().contains("mysql_clear_password") && fake.statements().is_empty(), "{trouble}");
}

#[tokio::test]
async fn a_crowded_database_says_so() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    fake.set(Mood::Crowded);
    let trouble = status(&nodes, fake.socket()).await.unwrap_err();
    assert!(trouble.cause.as_str().contains("Too many connections"), "{trouble}");
}

#[tokio::test]
async fn forbidden_forwarding_falls_back_to_a_relay() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    bed.server.as_ref().unwrap().rules(|rules| rules.forwards_sockets = false);
    let mut nodes = Watched::up(&bed).await;
    for _ in 0..3 {
        assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER);
    }
    assert_eq!(nodes.until_routed().await.way, Ok(Way::Socat));
    assert_eq!(fake.connections(), 1);
}

#[tokio::test]
async fn descriptors_and_folders_do_not_grow_with_conversations() {
    let bed = Bed::in_process();
    let fake = FakeMysql::start(bed.scratch.path());
    let nodes = Watched::up(&bed).await;
    let left = || fs::read_dir(std::env::temp_dir()).unwrap().filter(|entry| is_ours(entry.as_ref().unwrap())).count();
    let before = left();
    status(&nodes, fake.socket()).await.unwrap();
    for _ in 0..20 {
        fake.set(Mood::Restarting);
        assert_eq!(status(&nodes, fake.socket()).await.unwrap().bytes, ANSWER);
    }
    assert!(fake.connections() >= 20 && fake.open() <= 2, "{} of {}", fake.open(), fake.connections());
    assert_eq!(left(), before);
}

fn is_ours(entry: &fs::DirEntry) -> bool {
    let prefix = format!("vakt-{}-", std::process::id());
    entry.file_name().to_string_lossy().starts_with(&prefix) && Path::new(&entry.path()).join("s").exists()
}

#[tokio::test]
async fn a_real_server_lets_root_in_by_the_socket_and_refuses_writes() {
    let Some(bed) = lab::bed("db01").await else { return };
    let mut nodes = Watched::up(&bed).await;
    let said = nodes.call(NODE, asked(SOCKET, "show global status like 'Uptime'", Repeat::Always), 2000, CAP).await;
    let said = String::from_utf8(said.unwrap().bytes).unwrap();
    assert!(said.starts_with("= status rows\nVariable_name\tValue\nUptime\t"), "{said}");
    assert_eq!(nodes.until_routed().await.way, Ok(Way::StreamLocal));
    let created = nodes.call(NODE, asked(SOCKET, "create database vakt_must_not", Repeat::Always), 2000, CAP).await;
    let created = String::from_utf8(created.unwrap().bytes).unwrap();
    assert!(created.starts_with("= status refused 1792 "), "{created}");
    let slept = nodes.call(NODE, asked(SOCKET, "select sleep(30)", Repeat::Always), 3500, CAP).await.unwrap().bytes;
    let slept = String::from_utf8(slept).unwrap();
    assert!(slept.contains("refused 1969") || slept.contains("\n1\n"), "the server itself ends it: {slept}");
}

#[tokio::test]
async fn of_several_statements_each_is_answered_whatever_the_others_get() {
    let Some(bed) = lab::bed("db01").await else { return };
    let nodes = Watched::up(&bed).await;
    let of = |statement, sql: &'static str| match asked(SOCKET, sql, Repeat::Always) {
        Call::Sql { socket, login, sql, repeat, .. } => Call::Sql { socket, login, statement, sql, repeat },
        other => other,
    };
    let nothing = "select * from mysql.nothing";
    // Its first row is sent before its second one fails.
    let late = "select if(a = 2, (select 1 union select 2), a) as a from (select 1 as a union select 2) as t";
    let calls = vec![
        of(StatementId::Role, "select 'first' as a"),
        of(StatementId::Views, nothing),
        of(StatementId::Variables, "select 'third' as a where false"),
        of(StatementId::Status, late),
        of(StatementId::Workers, "select 'fifth' as a"),
        of(StatementId::Heartbeat, nothing),
    ];
    for calls in [calls.clone(), calls.into_iter().rev().collect()] {
        let ids: Vec<StatementId> = calls.iter().filter_map(statement).collect();
        let replies = nodes.call_all(NODE, calls, 2000).await.unwrap();
        assert_eq!(replies.len(), ids.len());
        for (id, reply) in ids.into_iter().zip(replies) {
            let said = String::from_utf8(reply.bytes).unwrap();
            let expected = match id {
                StatementId::Role => "= role rows\na\nfirst\n",
                StatementId::Variables => "= variables rows\na\n",
                StatementId::Workers => "= workers rows\na\nfifth\n",
                StatementId::Status => "= status refused 1242 Subquery returns more than 1 row\n",
                StatementId::Views => "= views refused 1146 Table 'mysql.nothing' doesn't exist\n",
                _ => "= heartbeat refused 1146 Table 'mysql.nothing' doesn't exist\n",
            };
            assert_eq!(said, expected);
        }
    }
}

fn statement(call: &Call) -> Option<StatementId> {
    match call {
        Call::Sql { statement, .. } => Some(*statement),
        _ => None,
    }
}

#[tokio::test]
async fn an_unprivileged_login_without_an_account_comes_in_through_sudo() {
    let Some(bed) = lab::bed("db02").await else { return };
    let mut nodes = Watched::up(&bed).await;
    for _ in 0..2 {
        let call = asked(SOCKET, "show global status like 'Uptime'", Repeat::Always);
        let said = String::from_utf8(nodes.call(NODE, call, 4000, CAP).await.unwrap().bytes).unwrap();
        assert!(said.contains("Uptime"), "{said}");
    }
    assert_eq!(nodes.until_routed().await.way, Ok(Way::SudoSocat));
}

#[tokio::test]
async fn a_statement_that_hangs_is_freed_by_closing_the_bridge() {
    let Some(bed) = lab::bed("db01").await else { return };
    let nodes = Watched::up(&bed).await;
    let started = Instant::now();
    let trouble = nodes.call(NODE, asked(SOCKET, "do sleep(20)", Repeat::Always), 600, CAP).await.unwrap_err();
    assert!(trouble.kind == TroubleKind::DatabaseSilent && started.elapsed() < Duration::from_secs(2), "{trouble}");
    let call = asked(SOCKET, "show global status like 'Uptime'", Repeat::Always);
    assert!(nodes.call(NODE, call, 2000, CAP).await.is_ok());
}
