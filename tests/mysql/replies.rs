//! Answers as bytes: what recordings and simulations carry says the same as the rows that it was made of.

use super::{
    super::console::world,
    captures::{answers, captures, read},
};
use std::collections::BTreeSet;
use vakt::{
    model::{
        inventory::{Database, DatabaseLogin, Node},
        mysql::MysqlSample,
    },
    wire::{
        mysql::{Answer, Answers, Literals, ReplyWriter, STATUS_NAMES, StatementId, VARIABLE_NAMES, interpret, probe},
        probe::{Facts, ProbeId},
        request::{Call, Repeat, Reply, Request},
    },
};

fn reply(id: StatementId, answer: &Answer) -> Reply {
    Reply { bytes: ReplyWriter::of(id, answer), ..Reply::default() }
}

fn understood(replies: &[Reply]) -> MysqlSample {
    match ProbeId::Mysql.probe().interpret(replies) {
        (Some(Facts::Mysql(sample)), _) => *sample,
        other => panic!("{other:?}"),
    }
}

/// The answers without the names that nobody asks for.
fn narrowed(mut answers: Answers) -> Answers {
    for (id, names) in [(StatementId::Variables, VARIABLE_NAMES), (StatementId::Status, STATUS_NAMES)] {
        if let Some(Answer::Rows(rows)) = answers.0.get_mut(&id) {
            rows.rows.retain(|row| {
                let name = String::from_utf8_lossy(row[0].as_deref().unwrap()).to_ascii_lowercase();
                names.contains(&name.as_str())
            });
        }
    }
    answers
}

#[test]
fn the_names_that_are_asked_for_are_all_that_is_understood() {
    for path in captures() {
        let whole = read(&path);
        let narrow = narrowed(whole.clone());
        assert_eq!(interpret(&narrow, Literals::Masked).0, interpret(&whole, Literals::Masked).0, "{}", path.display());
    }
    let unique = |names: &[&str]| names.iter().collect::<BTreeSet<_>>().len() == names.len();
    assert!(unique(VARIABLE_NAMES) && unique(STATUS_NAMES));
}

#[test]
fn every_capture_says_the_same_as_bytes() {
    for path in captures() {
        let whole = read(&path);
        let replies: Vec<Reply> = whole.0.iter().map(|(id, answer)| reply(*id, answer)).collect();
        let expected = interpret(&whole, Literals::Masked).0.unwrap();
        assert_eq!(understood(&replies), expected, "{}", path.display());
        // Written again, what is masked stays as it is.
        let mut shuffled = replies;
        shuffled.reverse();
        assert_eq!(understood(&shuffled), expected, "{}", path.display());
    }
}

#[test]
fn invariant_10_no_literal_of_a_statement_is_in_the_bytes() {
    let mut held = 0;
    for path in captures() {
        let answers = read(&path);
        held += std::fs::read_to_string(&path).unwrap().matches("s3cret").count();
        for (id, answer) in &answers.0 {
            let written = String::from_utf8_lossy(&ReplyWriter::of(*id, answer)).into_owned();
            assert!(!written.contains("s3cret"), "{}: {id:?}: {written}", path.display());
        }
    }
    assert!(held > 3, "the captures hold literals that must not travel");
}

fn database_node() -> Node {
    let mut node = world::inventory().nodes.into_iter().find(|node| node.name.as_str() == "db01").unwrap();
    let database = Database {
        socket: "/run/mysqld/mysqld.sock".into(),
        login: DatabaseLogin::default(),
        heartbeat: None,
        replication: DatabaseLogin::default(),
        heartbeat_utc: false,
    };
    node.database = Some(database);
    node
}

/// All rounds against the answers of a capture: what was asked, in order.
fn rounds(answers: &Answers) -> (Vec<Request>, Vec<Reply>) {
    let (node, probe) = (database_node(), ProbeId::Mysql.probe());
    let (mut asked, mut replies) = (Vec::new(), Vec::new());
    let mut requests = probe.requests(&node, 1000);
    while !requests.is_empty() {
        for request in &requests {
            let Call::Sql { statement, .. } = &request.call else { panic!("{request}") };
            replies.push(answers.0.get(statement).map_or_else(Reply::default, |answer| reply(*statement, answer)));
        }
        asked.extend(requests);
        requests = probe.follow(&node, 1000, &replies);
    }
    (asked, replies)
}

fn repeat_of(asked: &[Request], id: StatementId) -> Option<Repeat> {
    asked.iter().find_map(|request| match &request.call {
        Call::Sql { statement, repeat, .. } if *statement == id => Some(*repeat),
        _ => None,
    })
}

#[test]
fn what_is_expensive_is_asked_rarely_and_who_waits_for_whom_only_when_somebody_does() {
    let (calm, replies) = rounds(&answers("mariadb-10.11/lab-primary"));
    assert_eq!(repeat_of(&calm, StatementId::LockWaits), None);
    assert_eq!(repeat_of(&calm, StatementId::Metrics), None, "its counters say it");
    assert_eq!(repeat_of(&calm, StatementId::Variables), Some(Repeat::Reuse { ms: 30_000 }));
    assert_eq!(repeat_of(&calm, StatementId::Status), Some(Repeat::Always));
    for id in [StatementId::Processes, StatementId::Transactions, StatementId::InnodbStatus] {
        assert!(matches!(repeat_of(&calm, id), Some(Repeat::Skip { .. })), "{id:?}");
    }
    assert_eq!(understood(&replies).lock_waits.known(), Some(Vec::new()));
    let (waiting, replies) = rounds(&answers("mariadb-10.11/row-locks"));
    assert_eq!(repeat_of(&waiting, StatementId::LockWaits), Some(Repeat::Always));
    assert_eq!(repeat_of(&waiting, StatementId::Transactions), Some(Repeat::Always));
    assert!(!understood(&replies).lock_waits.known().unwrap().is_empty());
}

#[test]
fn an_old_server_is_asked_for_its_status_text_each_time() {
    let (old, _) = rounds(&answers("mysql-5.1-documented/server"));
    assert_eq!(repeat_of(&old, StatementId::InnodbStatus), Some(Repeat::Always));
    let (modern, _) = rounds(&answers("mysql-8.4-documented/source"));
    assert!(matches!(repeat_of(&modern, StatementId::InnodbStatus), Some(Repeat::Skip { .. })));
    assert_eq!(repeat_of(&modern, StatementId::Metrics), Some(Repeat::Always), "it has no other history length");
}

#[test]
fn probing_asks_two_statements() {
    assert_eq!(ProbeId::Mysql.probe().requests(&database_node(), 1000).len(), probe().len());
}

#[test]
fn a_server_that_answers_nothing_is_not_understood() {
    let (facts, complaints) =
        ProbeId::Mysql.probe().interpret(&[Reply { bytes: b"GARBAGE\n".to_vec(), ..Reply::default() }]);
    assert!(facts.is_none() && !complaints.is_empty());
}
