//! Invariants 4 and 10 on rows that no healthy server sends.

use super::captures::{answers, captures, read};
use crate::wire::assert_clean;
use proptest::prelude::*;
use vakt::{
    model::{
        figure::{Figure, Unknown},
        mysql::MysqlSample,
    },
    wire::mysql::{Answer, Answers, Literals, Rows, StatementId, interpret, readable_status_text},
};

/// Cells that have no business in a row.
const JUNK: [Option<&[u8]>; 12] = [
    None,
    Some(b""),
    Some(b"\x1b[2J\x1b]52;c;AAAA\x07"),
    Some(b"\xff\xfe\xc0\xaf"),
    Some("\u{202e}\u{2066}\u{200b}\u{e0041}".as_bytes()),
    Some(b"18446744073709551616"),
    Some(b"-9223372036854775809"),
    Some(b"1e999"),
    Some(b"NaN"),
    Some(b"'unterminated \\"),
    Some(b"------\nLOG\n------\nLog sequence number 18446744073709551615 1\nLast checkpoint at -1\n"),
    Some(b"*** (1) TRANSACTION:\nMySQL thread id 99999999999999999999999 \n*** WE ROLL BACK TRANSACTION (\n"),
];

fn understood(answers: &Answers) -> Option<MysqlSample> {
    let (sample, complaints) = interpret(answers, Literals::Masked);
    let written = serde_json::to_value(&sample).unwrap();
    assert_clean_block(&written);
    assert!(complaints.len() <= 33);
    for complaint in &complaints {
        assert_clean(&serde_json::to_value(complaint).unwrap());
    }
    let again: Option<MysqlSample> = serde_json::from_value(written).unwrap();
    assert_eq!(again, sample, "what was understood can be written down");
    sample
}

/// The text of a deadlock has lines; everything else is one.
fn assert_clean_block(value: &serde_json::Value) {
    let mut value = value.clone();
    if let Some(text) = value.pointer_mut("/deadlock/Known/text") {
        *text = text.as_str().unwrap().replace('\n', " ").into();
    }
    assert_clean(&value);
}

fn rows_mut(answers: &mut Answers) -> impl Iterator<Item = &mut Rows> {
    answers.0.values_mut().filter_map(|answer| match answer {
        Answer::Rows(rows) => Some(rows),
        Answer::Refused { .. } => None,
    })
}

#[test]
fn no_literal_of_any_capture_is_in_its_facts() {
    let mut held = 0;
    for path in captures() {
        let answers = read(&path);
        let raw = std::fs::read_to_string(&path).unwrap();
        held += usize::from(raw.contains("s3cret"));
        let (sample, _) = interpret(&answers, Literals::Masked);
        let written = serde_json::to_string(&sample).unwrap();
        assert!(!written.contains("s3cret"), "{}", path.display());
        let text = readable_status_text(&answers, Literals::Masked).unwrap_or_default();
        // "s3cret" as the dump of a row has it.
        assert!(!text.as_str().contains("s3cret") && !text.as_str().contains("733363726574"), "{}", path.display());
        let shown = readable_status_text(&answers, Literals::Shown).unwrap_or_default();
        assert_eq!(shown.as_str().contains("other s3cret"), raw.contains("other s3cret"), "{}", path.display());
    }
    assert!(held >= 2, "only {held} captures hold a secret");
}

#[test]
fn the_order_of_rows_and_columns_says_nothing() {
    for path in captures() {
        let mut turned = read(&path);
        let expected = interpret(&turned, Literals::Masked);
        for rows in rows_mut(&mut turned) {
            rows.columns.reverse();
            rows.rows.iter_mut().for_each(|row| row.reverse());
            rows.columns.iter_mut().for_each(|name| *name = name.to_ascii_uppercase());
        }
        for (id, answer) in &mut turned.0 {
            // Lists keep the order that the statement asked for; names and values have none.
            if let (
                StatementId::Status | StatementId::Variables | StatementId::Views | StatementId::Metrics,
                Answer::Rows(rows),
            ) = (id, answer)
            {
                rows.rows.reverse();
            }
        }
        assert_eq!(interpret(&turned, Literals::Masked), expected, "{}", path.display());
    }
}

#[test]
fn what_was_not_asked_refused_or_lost_is_unknown_for_its_reason() {
    let whole = answers("mariadb-10.11/row-locks");
    let mut without = whole.clone();
    without.0.remove(&StatementId::LockWaits);
    assert_eq!(understood(&without).unwrap().lock_waits, Figure::Unknown(Unknown::NotReadYet));
    let refused = understood(&answers("mariadb-10.11/not-permitted")).unwrap();
    assert_eq!(refused.transactions.why(), Some(Unknown::NotPermitted));
    assert_eq!(refused.deadlock.why(), Some(Unknown::NotPermitted));
    assert_eq!(refused.replication.channels.why(), Some(Unknown::NotPermitted));
    assert!(refused.server.threads_connected.why().is_none(), "the rest is there");
    let mut gone = whole.clone();
    let message = "no such table".into();
    gone.0.insert(StatementId::Transactions, Answer::Refused { code: 1146, message });
    assert_eq!(understood(&gone).unwrap().transactions.why(), Some(Unknown::NotOffered));

    assert_eq!(understood(&Answers::default()), None);
    let mut neither = whole;
    neither.0.remove(&StatementId::Status);
    neither.0.remove(&StatementId::Variables);
    let (sample, complaints) = interpret(&neither, Literals::Masked);
    assert_eq!(sample, None);
    assert!(complaints.iter().any(|one| one.text.as_str() == "neither variables nor status in them"));
}

#[test]
fn one_odd_value_costs_one_figure() {
    let mut odd = answers("mariadb-10.11/lab-primary");
    let Some(Answer::Rows(status)) = odd.0.get_mut(&StatementId::Status) else { panic!("no status") };
    for (name, value) in
        [("Threads_running", "a lot"), ("Uptime", "-5"), ("Innodb_data_reads", "1e9"), ("Questions", "+7")]
    {
        let row = status.rows.iter_mut().find(|row| row[0].as_deref() == Some(name.as_bytes())).unwrap();
        row[1] = Some(value.as_bytes().to_vec());
    }
    let (sample, complaints) = interpret(&odd, Literals::Masked);
    let sample = sample.unwrap();
    assert_eq!(sample.server.threads_running.why(), Some(Unknown::Malformed));
    assert_eq!(sample.identity.uptime_s.why(), Some(Unknown::Malformed));
    assert_eq!(sample.innodb.io.reads.why(), Some(Unknown::Malformed));
    assert_eq!(sample.server.statements.questions.why(), Some(Unknown::Malformed));
    assert!(sample.server.threads_connected.why().is_none());
    let about: Vec<&str> = complaints.iter().map(|one| one.about.as_str()).collect();
    assert_eq!(about, ["uptime", "threads_running", "questions", "innodb_data_reads"]);
}

#[test]
fn a_million_rows_are_bounded() {
    let row = |n: u32| vec![Some(format!("name_{n}").into_bytes()), Some(vec![b'9'; 40])];
    let columns = vec!["Variable_name".to_owned(), "Value".to_owned()];
    let status = Rows { columns, rows: (0..50_000).map(row).collect() };
    let process = |n: u32| vec![Some(n.to_string().into_bytes()), Some(vec![b'x'; 100])];
    let processes = Rows { columns: vec!["id".into(), "info".into()], rows: (0..50_000).map(process).collect() };
    let answers = [(StatementId::Status, Answer::Rows(status)), (StatementId::Processes, Answer::Rows(processes))];
    let (sample, complaints) = interpret(&Answers(answers.into_iter().collect()), Literals::Masked);
    assert_eq!(sample.unwrap().processes.known().unwrap().len(), vakt::wire::mysql::ROWS_MAX);
    assert_eq!(complaints[0].text.as_str(), "50000 rows; 4000 are looked at");
}

/// One damage to a set of answers.
#[derive(Debug, Clone)]
enum Damage {
    Cell { junk: usize, at: usize },
    ColumnGone { at: usize },
    ColumnNull { at: usize },
    RowShort { at: usize },
    Twice { at: usize },
    NoColumns,
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0_usize..10_000;
    prop_oneof![
        4 => (0..JUNK.len(), at.clone()).prop_map(|(junk, at)| Damage::Cell { junk, at }),
        1 => at.clone().prop_map(|at| Damage::ColumnGone { at }),
        1 => at.clone().prop_map(|at| Damage::ColumnNull { at }),
        1 => at.clone().prop_map(|at| Damage::RowShort { at }),
        1 => at.prop_map(|at| Damage::Twice { at }),
        1 => Just(Damage::NoColumns),
    ]
}

fn apply(rows: &mut Rows, damage: &Damage) {
    let columns = rows.columns.len().max(1);
    let count = rows.rows.len().max(1);
    match *damage {
        Damage::Cell { junk, at } => {
            if let Some(cell) = rows.rows.get_mut(at % count).and_then(|row| row.get_mut(at % columns)) {
                *cell = JUNK[junk].map(<[u8]>::to_vec);
            }
        }
        Damage::ColumnGone { at } => {
            if !rows.columns.is_empty() {
                rows.columns.remove(at % columns);
            }
        }
        Damage::ColumnNull { at } => {
            rows.rows.iter_mut().filter_map(|row| row.get_mut(at % columns)).for_each(|cell| *cell = None);
        }
        Damage::RowShort { at } => {
            if let Some(row) = rows.rows.get_mut(at % count) {
                row.truncate(at % columns);
            }
        }
        Damage::Twice { at } => rows.columns.extend(rows.columns.get(at % columns).cloned()),
        Damage::NoColumns => rows.columns.clear(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn invariant_4_damaged_rows_are_understood_as_far_as_they_go(
        capture in 0_usize..100,
        damages in proptest::collection::vec((0_usize..StatementId::ALL.len(), damage()), 1..40),
    ) {
        let all = captures();
        let mut answers = read(&all[capture % all.len()]);
        for (which, damage) in &damages {
            if let Some(Answer::Rows(rows)) = answers.0.get_mut(&StatementId::ALL[*which]) {
                apply(rows, damage);
            }
        }
        understood(&answers);
        let text = readable_status_text(&answers, Literals::Masked).unwrap_or_default();
        assert_clean(&serde_json::Value::String(text.as_str().replace('\n', " ")));
    }

    #[test]
    fn any_status_text_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400), lines in "(\\*\\*\\* \\([0-9]\\) TRANSACTION:|---|LOG|TRANSACTIONS|LATEST DETECTED DEADLOCK|RECORD LOCKS|TABLE LOCK| index | trx id |Log sequence number [0-9 ]{0,30}|\n|x thread id ){0,60}") {
        let mut answers = Answers::default();
        let text = [lines.as_bytes(), &bytes].concat();
        let rows = Rows { columns: vec!["Status".into()], rows: vec![vec![Some(text)]] };
        answers.0.insert(StatementId::InnodbStatus, Answer::Rows(rows));
        let status = Rows {
            columns: vec!["Variable_name".into(), "Value".into()],
            rows: vec![vec![Some(b"Uptime".to_vec()), Some(b"1".to_vec())]],
        };
        answers.0.insert(StatementId::Status, Answer::Rows(status));
        prop_assert!(understood(&answers).is_some());
    }
}
