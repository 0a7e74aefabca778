//! The statements that set a value. Each is sent in a session that first sees the other value: where somebody was faster,
//! nothing happens. Values are compared by the server, which writes them in several ways.

use super::{CAP_BYTES, SET_MS, field::Seat};
use crate::{
    model::{mysql::Dialect, tuning::Unit},
    wire::request::{Access, Call, Request, SqlSession, SqlStep},
};

/// The view of the values that count after a start, where the server keeps some itself.
const PERSISTED: &str = "performance_schema.persisted_variables";

/// Sets the value that runs.
pub(super) fn set(unit: Unit, seat: &Seat<'_>, from: &str, to: &str) -> Request {
    let statements = vec![guard(running_view(seat), unit, seat, from), run("global", unit, seat, to)];
    request(seat, statements)
}

/// Sets the value that the server keeps, and with it the one that runs, unless that stays.
pub(super) fn persist(unit: Unit, seat: &Seat<'_>, kept: &str, value: &str) -> Request {
    let mut statements = vec![guard(PERSISTED, unit, seat, kept)];
    if seat.sets {
        statements.push(guard(running_view(seat), unit, seat, &seat.running));
    }
    statements.push(run(if seat.sets { "persist" } else { "persist_only" }, unit, seat, value));
    request(seat, statements)
}

/// The way back from it.
pub(super) fn persist_back(unit: Unit, seat: &Seat<'_>, kept: &str, value: &str) -> Request {
    let mut statements = vec![guard(PERSISTED, unit, seat, value)];
    if seat.sets {
        statements.push(guard(running_view(seat), unit, seat, value));
    }
    statements.push(run("persist_only", unit, seat, kept));
    if seat.sets {
        statements.push(run("global", unit, seat, &seat.running));
    }
    request(seat, statements)
}

fn running_view(seat: &Seat<'_>) -> &'static str {
    match seat.dialect {
        Dialect::Mariadb => "information_schema.GLOBAL_VARIABLES",
        Dialect::Mysql | Dialect::WithoutGtid => "performance_schema.global_variables",
    }
}

fn quoted(unit: Unit, value: &str) -> String {
    if unit.is_number() { value.to_owned() } else { format!("'{value}'") }
}

fn guard(view: &str, unit: Unit, seat: &Seat<'_>, value: &str) -> SqlStep {
    let (name, value) = (&seat.name, quoted(unit, value));
    SqlStep::must_say(format!("select variable_value = {value} from {view} where variable_name = '{name}'"), "1")
}

fn run(scope: &str, unit: Unit, seat: &Seat<'_>, value: &str) -> SqlStep {
    SqlStep::run(format!("set {scope} {} = {}", seat.name, quoted(unit, value)))
}

fn request(seat: &Seat<'_>, statements: Vec<SqlStep>) -> Request {
    let call = Call::SqlWrite {
        socket: seat.database.socket.clone(),
        login: seat.database.login.clone(),
        session: SqlSession::Own,
        statements,
        secret: None,
    };
    Request { access: Access::Write, call, deadline_ms: SET_MS, cap_bytes: CAP_BYTES }
}
