//! A transaction's bytes, and what its result says; the results were captured from a real server.

use super::capture;
use serde_json::{Value, json};
use vakt::wire::ovs::message::{Incoming, Operation, TransactionError, transact, transaction_outcome};

fn guard(tag: u16) -> Operation {
    Operation::Guard { table: "Port".into(), name: "access".into(), seen: vec![("tag".into(), json!(tag))] }
}

fn set(tag: u16) -> Operation {
    Operation::Update { table: "Port".into(), name: "access".into(), row: vec![("tag".into(), json!(tag))] }
}

fn outcome(operations: &[Operation], name: &str) -> Result<(), TransactionError> {
    let reply: Value = serde_json::from_slice(&capture(name)).unwrap();
    let Incoming::Reply { result: Ok(result), .. } = Incoming::from_value(reply) else { panic!("{name}") };
    transaction_outcome(operations, &result)
}

#[test]
fn a_transaction_is_what_was_sent_to_the_real_server() {
    let bytes = transact(&[guard(11), set(12), Operation::Comment("a capture".into())], "vakt-2");
    let sent: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(
        sent,
        json!({"method": "transact", "id": "vakt-2", "params": ["Open_vSwitch",
            {"op": "wait", "table": "Port", "where": [["name", "==", "access"]], "columns": ["tag"], "until": "==",
             "rows": [{"tag": 11}], "timeout": 0},
            {"op": "update", "table": "Port", "where": [["name", "==", "access"]], "row": {"tag": 12}},
            {"op": "comment", "comment": "a capture"}]})
    );
}

#[test]
fn errors_are_found_within_the_result() {
    let comment = Operation::Comment("a capture".into());
    assert_eq!(outcome(&[guard(11), set(12), comment], "guard-holds.transact.json"), Ok(()));
    assert_eq!(outcome(&[guard(11), set(13)], "guard-stale.transact.json"), Err(TransactionError::GuardFailed));
    let refused =
        |error: &str, details: &str| Err(TransactionError::Refused { error: error.into(), details: details.into() });
    assert_eq!(
        outcome(&[set(5000)], "constraint.transact.json"),
        refused("constraint violation", "5000 is not in the valid range 0 to 4095 (inclusive)")
    );
    // Refused at the end: one element more than operations, all of which look well.
    let at_the_end = outcome(&[set(1)], "dangling.transact.json");
    assert!(
        matches!(&at_the_end, Err(TransactionError::Refused { error, .. }) if error == "referential integrity violation"),
        "{at_the_end:?}"
    );
}

#[test]
fn a_result_that_says_less_is_not_taken_for_success() {
    let check = |result| transaction_outcome(&[guard(1), set(2)], &result);
    assert_eq!(check(json!([{}, {"count": 1}])), Ok(()));
    assert_eq!(check(json!([{}, {"count": 0}])), Err(TransactionError::NoRow { operation: 1 }));
    for odd in [json!(null), json!([]), json!([{}]), json!([{}, null]), json!([{}, {}]), json!([{}, {"count": "1"}])] {
        assert_eq!(check(odd.clone()), Err(TransactionError::NotUnderstood), "{odd}");
    }
    // A wait that times out elsewhere than in a guard is an error like any other.
    let elsewhere = check(json!([{}, {"error": "timed out"}]));
    assert_eq!(elsewhere, Err(TransactionError::Refused { error: "timed out".into(), details: "no details".into() }));
}
