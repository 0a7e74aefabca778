//! JSON-RPC 1.0 as OVSDB speaks it (RFC 7047): requests and notifications, in both directions, and transactions.

use serde_json::{Value, json};

/// The database of every Open vSwitch.
pub const DATABASE: &str = "Open_vSwitch";

/// A message from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// It asks and wants an answer.
    Request {
        /// What it asks.
        method: String,
        /// With what.
        params: Value,
        /// To be repeated in the answer.
        id: Value,
    },
    /// It tells.
    Notification {
        /// What.
        method: String,
        /// With what.
        params: Value,
    },
    /// It answers.
    Reply {
        /// The id of the request.
        id: Value,
        /// What was asked for, or the error as it came.
        result: Result<Value, Value>,
    },
    /// Neither of these.
    Odd,
}

impl Incoming {
    /// Sorts a message. OVSDB leaves `error` or `result` out where others write null.
    pub fn from_value(message: Value) -> Self {
        let Value::Object(mut fields) = message else { return Self::Odd };
        let mut take = |name: &str| fields.get_mut(name).map(Value::take).unwrap_or_default();
        let id = take("id");
        match (take("method"), id) {
            (Value::String(method), Value::Null) => Self::Notification { method, params: take("params") },
            (Value::String(method), id) => Self::Request { method, params: take("params"), id },
            (Value::Null, Value::Null) => Self::Odd,
            (Value::Null, id) => match take("error") {
                Value::Null => Self::Reply { id, result: Ok(take("result")) },
                error => Self::Reply { id, result: Err(error) },
            },
            _ => Self::Odd,
        }
    }
}

/// A request.
pub fn call(method: &str, params: &Value, id: &str) -> Vec<u8> {
    json!({ "method": method, "params": params, "id": id }).to_string().into_bytes()
}

/// The answer to an `echo`: what it said, back.
pub fn echo_reply(params: &Value, id: &Value) -> Vec<u8> {
    json!({ "result": params, "error": null, "id": id }).to_string().into_bytes()
}

/// The answer to a request that we do not serve. Silence would make the server wait.
pub fn refuse(id: &Value) -> Vec<u8> {
    json!({ "result": null, "error": "unknown method", "id": id }).to_string().into_bytes()
}

/// One operation of a transaction. All of them happen, or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Nothing happens unless the columns of the row are what was seen: protects from another operator's change.
    Guard {
        /// Table.
        table: String,
        /// The row, by its name.
        name: String,
        /// Columns and what they must hold, as OVSDB writes it.
        seen: Vec<(String, Value)>,
    },
    /// Sets columns of a row.
    Update {
        /// Table.
        table: String,
        /// The row, by its name.
        name: String,
        /// Columns and what they shall hold, as OVSDB writes it.
        row: Vec<(String, Value)>,
    },
    /// Says in the database's log who did it.
    Comment(String),
}

impl Operation {
    fn to_value(&self) -> Value {
        let by_name = |name: &str| json!([["name", "==", name]]);
        let row = |cells: &[(String, Value)]| Value::Object(cells.iter().cloned().collect());
        match self {
            Self::Guard { table, name, seen } => json!({
                "op": "wait", "table": table, "where": by_name(name), "until": "==", "timeout": 0,
                "columns": seen.iter().map(|(column, _)| column).collect::<Vec<_>>(), "rows": [row(seen)],
            }),
            Self::Update { table, name, row: cells } => {
                json!({ "op": "update", "table": table, "where": by_name(name), "row": row(cells) })
            }
            Self::Comment(text) => json!({ "op": "comment", "comment": text }),
        }
    }
}

/// A transaction as a request.
pub fn transact(operations: &[Operation], id: &str) -> Vec<u8> {
    let mut params = vec![Value::from(DATABASE)];
    params.extend(operations.iter().map(Operation::to_value));
    call("transact", &Value::Array(params), id)
}

/// Why a transaction did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// A guard found something else than what was seen.
    #[error("the row is not what was seen: somebody else changed it")]
    GuardFailed,
    /// A row that should be updated is not there, so nothing was.
    #[error("operation {operation} found no row")]
    NoRow {
        /// Which operation, from 0.
        operation: usize,
    },
    /// The database refused it; the words are its own and not sanitised.
    #[error("the database refused it: {error}: {details}")]
    Refused {
        /// RFC 7047's word: "constraint violation".
        error: String,
        /// What exactly.
        details: String,
    },
    /// The answer is no answer to a transaction: whether anything happened is not known.
    #[error("the answer is not understood")]
    NotUnderstood,
}

/// Reads the result of a transaction: the reply is no error even when the transaction was refused, and its elements
/// are fewer than the operations (those behind a failed one are null or missing) or one more (refused at the end).
///
/// # Errors
/// What the database says went wrong.
pub fn transaction_outcome(operations: &[Operation], result: &Value) -> Result<(), TransactionError> {
    let elements = result.as_array().ok_or(TransactionError::NotUnderstood)?;
    for (index, element) in elements.iter().enumerate() {
        let Some(error) = element.get("error") else { continue };
        let guarded = matches!(operations.get(index), Some(Operation::Guard { .. }));
        if guarded && error == "timed out" {
            return Err(TransactionError::GuardFailed);
        }
        let words = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("no details").to_owned();
        return Err(TransactionError::Refused { error: words(Some(error)), details: words(element.get("details")) });
    }
    if elements.len() != operations.len() || elements.iter().any(|element| !element.is_object()) {
        return Err(TransactionError::NotUnderstood);
    }
    for (index, (operation, element)) in operations.iter().zip(elements).enumerate() {
        if matches!(operation, Operation::Update { .. }) {
            match element.get("count").and_then(Value::as_u64) {
                None => return Err(TransactionError::NotUnderstood),
                // Not an error for the database, which carried the rest out.
                Some(0) => return Err(TransactionError::NoRow { operation: index }),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_sorted() {
        let sort = |value| Incoming::from_value(value);
        assert_eq!(
            sort(json!({"method": "echo", "params": ["x"], "id": "echo"})),
            Incoming::Request { method: "echo".into(), params: json!(["x"]), id: json!("echo") }
        );
        assert_eq!(
            sort(json!({"method": "update", "params": [1], "id": null})),
            Incoming::Notification { method: "update".into(), params: json!([1]) }
        );
        assert_eq!(sort(json!({"id": 1, "result": {}})), Incoming::Reply { id: json!(1), result: Ok(json!({})) });
        assert_eq!(
            sort(json!({"id": 1, "error": "unknown method"})),
            Incoming::Reply { id: json!(1), result: Err(json!("unknown method")) }
        );
        for odd in [json!({}), json!({"method": 1, "id": 2}), json!({"result": 1}), json!([1])] {
            assert_eq!(sort(odd), Incoming::Odd);
        }
    }
}
