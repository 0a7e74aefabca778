//! The probe: which statements are sent in which round, and what their replies say.

use super::{
    Answer, Answers, HeartbeatTable, Literals, ROWS_MAX, StatementId, WAITING_NOW, capabilities, interpret,
    named::Named,
    poll, probe, readable_status_text, reply,
    statements::{self, Statement},
};
use crate::{
    model::{
        inventory::{Database, Node},
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::{Complaint, Facts, Probe},
        request::{Call, Repeat, Reply, Request},
    },
};

/// Settings are read again after so long: somebody may have changed them.
const SETTINGS_MS: u64 = 30_000;
/// What views there are changes with the server's process only, and that ends the conversation.
const VIEWS_MS: u64 = 3_600_000;
/// Sessions and open transactions, milliseconds: the list is the longest answer.
const SESSIONS_MS: u64 = 5_000;
/// The engine's status text, where it is needed for the last deadlock only.
const STATUS_TEXT_MS: u64 = 30_000;

/// A MySQL or MariaDB server.
#[derive(Debug)]
pub struct MysqlProbe;

impl Probe for MysqlProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        let Some(database) = &node.database else { return Vec::new() };
        let repeat = |id| Repeat::Reuse { ms: if id == StatementId::Variables { SETTINGS_MS } else { VIEWS_MS } };
        probe().into_iter().map(|one| request(database, deadline_ms, repeat(one.id), one)).collect()
    }

    fn follow(&self, node: &Node, deadline_ms: u64, replies: &[Reply]) -> Vec<Request> {
        let Some(database) = &node.database else { return Vec::new() };
        let (answers, _) = answers(replies);
        let heartbeat = database.heartbeat.as_ref();
        let heartbeat =
            heartbeat.and_then(|table| HeartbeatTable::new(&table.schema, &table.table, database.heartbeat_utc));
        let statements = poll(&capabilities(&answers), heartbeat.as_ref());
        let round = replies.len();
        let first = probe().len();
        let (always, rare): (Vec<Statement>, Vec<Statement>) =
            statements.into_iter().partition(|statement| is_at_every_poll(statement.id));
        if round == first {
            always.into_iter().map(|one| request(database, deadline_ms, Repeat::Always, one)).collect()
        } else if round == first + always.len() {
            let wants = Wants::of(&answers);
            let repeated = rare.into_iter().filter_map(|one| Some((wants.repeat(one.id)?, one)));
            repeated.map(|(repeat, one)| request(database, deadline_ms, repeat, one)).collect()
        } else {
            Vec::new()
        }
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (answers, odd) = answers(replies);
        let (sample, mut complaints) = interpret(&answers, Literals::Masked);
        complaints.extend(odd);
        (sample.map(|sample| Facts::Mysql(Box::new(sample))), complaints)
    }

    /// Literals are masked where rows become replies.
    fn holds_statements(&self) -> bool {
        false
    }
}

/// Asks for the engine's status text once, for reading; `None` for a node without a database.
pub fn status_text_request(node: &Node, deadline_ms: u64) -> Option<Request> {
    let database = node.database.as_ref()?;
    Some(request(database, deadline_ms, Repeat::Always, statements::status_text()))
}

/// What a run reads of one session: the settings, by which the answers are known, and that session alone.
pub fn requests_of_session(node: &Node, deadline_ms: u64, id: u64) -> Vec<Request> {
    let Some(database) = &node.database else { return Vec::new() };
    let settings = probe().into_iter().filter(|one| one.id == StatementId::Variables);
    let settings = settings.map(|one| request(database, deadline_ms, Repeat::Reuse { ms: SETTINGS_MS }, one));
    settings.chain([request(database, deadline_ms, Repeat::Always, statements::session(id))]).collect()
}

/// The engine's status text as lines, at most `lines_max`, literals masked; or why there is none. The flag says whether
/// lines were left out.
pub fn status_text_lines(reply: &Reply, lines_max: usize) -> Result<(Vec<Clean>, bool), Clean> {
    let (answers, odd) = answers(std::slice::from_ref(reply));
    if let Some(complaint) = odd.first() {
        return Err(complaint.text.clone());
    }
    if let Some(Answer::Refused { code, message }) = answers.0.get(&StatementId::InnodbStatus) {
        return Err(Clean::line(&format!(
            "the server refuses: {message} (error {code}); it takes the PROCESS privilege"
        )));
    }
    let Some(text) = readable_status_text(&answers, Literals::Masked) else {
        return Err("the server says nothing of InnoDB".into());
    };
    let mut lines = text.as_str().lines();
    let kept: Vec<Clean> = lines.by_ref().take(lines_max).map(Clean::line).collect();
    Ok((kept, lines.next().is_some()))
}

pub(super) fn request(database: &Database, deadline_ms: u64, repeat: Repeat, statement: Statement) -> Request {
    let Statement { id, sql, cap_bytes } = statement;
    let call = Call::Sql { socket: database.socket.clone(), login: database.login.clone(), statement: id, sql, repeat };
    Request::read(call, deadline_ms, cap_bytes)
}

fn is_at_every_poll(id: StatementId) -> bool {
    use StatementId as Id;
    matches!(id, Id::Role | Id::Status | Id::Replication | Id::Workers | Id::Received | Id::Heartbeat)
}

/// What the counters of a server call for.
struct Wants {
    /// Somebody waits for a row, or nobody says.
    waits: bool,
    /// The engine's counters have no position in the log, or no history length.
    no_lsn: bool,
    no_history: bool,
}

impl Wants {
    fn of(answers: &Answers) -> Self {
        let mut unheard = Complaints::default();
        let status = Named::read(answers, StatementId::Status, &mut unheard);
        let waiting = status.raw(&[WAITING_NOW]).known();
        Self {
            waits: waiting.is_none_or(|count| count != b"0"),
            no_lsn: !status.has(&["innodb_redo_log_current_lsn", "innodb_lsn_current"]),
            no_history: !status.has(&["innodb_history_list_length"]),
        }
    }

    /// How often; `None`: not at all.
    fn repeat(&self, id: StatementId) -> Option<Repeat> {
        let rarely = |ms| Some(Repeat::Skip { ms });
        match id {
            StatementId::LockWaits => self.waits.then_some(Repeat::Always),
            StatementId::Transactions if self.waits => Some(Repeat::Always),
            StatementId::Transactions | StatementId::Processes => rarely(SESSIONS_MS),
            StatementId::Metrics => self.no_history.then_some(Repeat::Always),
            StatementId::InnodbStatus if self.no_lsn => Some(Repeat::Always),
            StatementId::InnodbStatus => rarely(STATUS_TEXT_MS),
            _ => None,
        }
    }
}

/// What the replies say, and what is odd about them.
pub(in crate::wire) fn answers(replies: &[Reply]) -> (Answers, Vec<Complaint>) {
    let mut answers = Answers::default();
    let mut odd = Vec::new();
    for reply in replies {
        match reply::read(&reply.bytes, ROWS_MAX) {
            Ok(Some((id, answer))) => {
                answers.0.insert(id, answer);
            }
            Ok(None) => {}
            Err(why) => odd.push(Complaint::new("an answer", why)),
        }
    }
    (answers, odd)
}
