//! MySQL and MariaDB: which statements are asked, and what their rows say.
//!
//! First [`probe`] (variables and the columns of views), from which [`capabilities`] follow, then [`poll`]: each
//! statement in the form that this server understands. Nothing is decided by a version's text. Every statement is a read,
//! limited in rows and bytes, and in time on the server where it can be.
//!
//! Statements of other sessions hold other people's data: their literals are masked unless the caller asks for them.
//!
//! [`MysqlProbe`] asks a node in up to three rounds: what the server offers, how it is, and, where that calls for it,
//! who waits for whom. What is expensive is asked rarely, and a look without it keeps what the one before knew.
//!
//! Deliberately absent: the connection, and any statement that changes something.

mod binlog;
mod capabilities;
mod daemon;
mod innodb;
mod mask;
mod named;
mod names;
mod probe;
mod replication;
mod reply;
mod rows;
mod server;
mod sessions;
mod statements;
mod status_text;
mod switchover;
pub(in crate::wire) mod tuning;

pub use binlog::BinlogProbe;
pub use capabilities::capabilities;
pub use daemon::DaemonProbe;
pub use mask::{Literals, masked};
pub use names::{STATUS as STATUS_NAMES, VARIABLES as VARIABLE_NAMES};
pub use probe::{MysqlProbe, requests_of_session, status_text_lines, status_text_request};
pub use reply::ReplyWriter;
pub use rows::{Answer, Answers, Rows};
pub use statements::{HeartbeatTable, ROWS_MAX, Statement, StatementId, poll, probe};
pub use status_text::readable as readable_status_text;
pub use switchover::{SwitchoverProbe, requests_of_plan};
pub use tuning::requests_of_setting;

use super::{complaints::Complaints, probe::Complaint};
use crate::model::{
    figure::{Figure, Unknown},
    mysql::{Capabilities, LockWait, MysqlSample},
};
use named::Named;
pub(in crate::wire) use probe::answers;
use status_text::StatusText;

/// The gauge that says whether somebody waits for a row.
const WAITING_NOW: &str = "innodb_row_lock_current_waits";

/// What the answers of one server say; `None` when neither its status nor its variables were understood.
///
/// `answers` holds those of the last probe and of this poll. One that is missing leaves its figures unknown.
pub fn interpret(answers: &Answers, literals: Literals) -> (Option<MysqlSample>, Vec<Complaint>) {
    let mut complaints = Complaints::default();
    answers.complain(&mut complaints);
    let variables = Named::read(answers, StatementId::Variables, &mut complaints);
    let status = Named::read(answers, StatementId::Status, &mut complaints);
    if variables.is_empty() && status.is_empty() {
        complaints.add("the answers", "neither variables nor status in them");
        return (None, complaints.finish());
    }
    let capabilities = capabilities(answers);
    let text = StatusText::read(answers);
    let sample = MysqlSample {
        identity: server::identity(answers, &variables, &status, &mut complaints),
        server: server::server(&variables, &status, &mut complaints),
        innodb: innodb::innodb(answers, &variables, &status, &text, &mut complaints),
        replication: replication::replication(answers, &capabilities, &variables, &status, &mut complaints),
        transactions: offered(
            capabilities.innodb_transactions,
            sessions::transactions(answers, literals, &mut complaints),
        ),
        lock_waits: lock_waits(answers, &capabilities, &status, literals, &mut complaints),
        processes: sessions::processes(answers, literals, &mut complaints),
        deadlock: text.deadlock(literals),
        capabilities,
    };
    (Some(sample), complaints.finish())
}

/// Nobody is asked who waits for whom while the server says that nobody waits.
fn lock_waits(
    answers: &Answers,
    of: &Capabilities,
    status: &Named<'_>,
    literals: Literals,
    complaints: &mut Complaints,
) -> Figure<Vec<LockWait>> {
    let has = of.data_lock_waits || of.innodb_lock_waits;
    let nobody = status.raw(&[WAITING_NOW]).known().is_some_and(|count| count == b"0");
    if has && nobody && !answers.0.contains_key(&StatementId::LockWaits) {
        return Figure::Known(Vec::new());
    }
    offered(has, sessions::lock_waits(answers, literals, complaints))
}

/// What a server is never asked for, because it does not have it, is not offered; that is another reason than an answer
/// that has not come yet.
fn offered<T>(has: bool, figure: Figure<T>) -> Figure<T> {
    match figure {
        Figure::Unknown(Unknown::NotReadYet) if !has => Figure::Unknown(Unknown::NotOffered),
        figure => figure,
    }
}
