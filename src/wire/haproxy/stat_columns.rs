//! The columns of `show stat` that are used, and what a row says in them.

use super::{
    status,
    table::{Column, Columns},
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{Answers, Check, Server, Traffic},
        ids::ServerName,
        text::Clean,
    },
    wire::complaints::Complaints,
};
use csv::ByteRecord;

/// A row's kind (`type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Frontend,
    Backend,
    Server,
    Listener,
}

macro_rules! stat_columns {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// Where each used column is; a version that lacks one leaves its figures unknown.
        #[derive(Debug)]
        pub(super) struct StatColumns {
            $(pub(super) $field: Column,)*
        }

        impl StatColumns {
            /// Looks every column up, once an answer.
            pub(super) fn new(columns: &Columns) -> Self {
                Self { $($field: Column::new(columns, $name),)* }
            }
        }
    };
}

stat_columns! {
    proxy = "pxname", server = "svname", kind = "type", mode = "mode", algorithm = "algo", address = "addr",
    status = "status", weight = "weight", active = "act", backup = "bck", last_change = "lastchg", downtime = "downtime",
    checks_failed = "chkfail", downs = "chkdown",
    queue_current = "qcur", queue_max = "qmax", sessions_current = "scur", sessions_max = "smax", sessions_limit = "slim",
    sessions_total = "stot", chosen = "lbtot", rate = "rate", request_rate = "req_rate", requests = "req_tot",
    in_bytes = "bin", out_bytes = "bout",
    answers_1xx = "hrsp_1xx", answers_2xx = "hrsp_2xx", answers_3xx = "hrsp_3xx", answers_4xx = "hrsp_4xx",
    answers_5xx = "hrsp_5xx", answers_other = "hrsp_other",
    connect_errors = "econ", response_errors = "eresp", request_errors = "ereq", retries = "wretr",
    redispatches = "wredis", denied_requests = "dreq", denied_responses = "dresp",
    queue_time = "qtime", connect_time = "ctime", response_time = "rtime", total_time = "ttime",
    last_session = "lastsess",
    check_status = "check_status", check_code = "check_code", check_duration = "check_duration",
    check_text = "check_desc", check_answer = "last_chk", check_rise = "check_rise", check_fall = "check_fall",
    check_health = "check_health",
}

impl StatColumns {
    /// `type`: 0 frontend, 1 backend, 2 server, 3 listener. 1.3 has none: the reserved server names tell.
    pub(super) fn kind_of(&self, row: &ByteRecord, server: &[u8], complaints: &mut Complaints) -> Option<Kind> {
        match self.kind.raw(row) {
            Figure::Known(b"0") => Some(Kind::Frontend),
            Figure::Known(b"1") => Some(Kind::Backend),
            Figure::Known(b"2") => Some(Kind::Server),
            Figure::Known(b"3") => Some(Kind::Listener),
            Figure::Known(other) => {
                complaints.add("column type", format!("a kind that is not known: {}", Clean::line_from_bytes(other)));
                None
            }
            Figure::Unknown(_) => Some(match server {
                b"FRONTEND" => Kind::Frontend,
                b"BACKEND" => Kind::Backend,
                _ => Kind::Server,
            }),
        }
    }

    /// The figures that every kind of row may have.
    pub(super) fn traffic(&self, row: &ByteRecord, complaints: &mut Complaints) -> Traffic {
        let answers = self.answers(row, complaints);
        let last_session_s = match self.last_session.raw(row) {
            // -1: there never was one.
            Figure::Known(b"-1") => Figure::Unknown(Unknown::NothingHappened),
            _ => self.last_session.number(row, complaints),
        };
        let mut number = |column: &Column| column.number(row, complaints);
        let denied = (number(&self.denied_requests), number(&self.denied_responses));
        Traffic {
            sessions_current: number(&self.sessions_current),
            sessions_max_seen: number(&self.sessions_max),
            // 0 (1.4) and nothing (later) both mean that there is no limit.
            sessions_limit: number(&self.sessions_limit)
                .and_then(|limit| if limit == 0 { Figure::Unknown(Unknown::Missing) } else { Figure::Known(limit) }),
            sessions_total: number(&self.sessions_total),
            chosen_total: number(&self.chosen),
            queue_current: number(&self.queue_current),
            queue_max_seen: number(&self.queue_max),
            rate_per_s: number(&self.rate),
            request_rate_per_s: number(&self.request_rate),
            requests_total: number(&self.requests),
            in_bytes: number(&self.in_bytes),
            out_bytes: number(&self.out_bytes),
            answers,
            connect_errors_total: number(&self.connect_errors),
            response_errors_total: number(&self.response_errors),
            request_errors_total: number(&self.request_errors),
            retries_total: number(&self.retries),
            redispatches_total: number(&self.redispatches),
            denied_total: sum_of_known(denied.0, denied.1),
            queue_time_ms: number(&self.queue_time),
            connect_time_ms: number(&self.connect_time),
            response_time_ms: number(&self.response_time),
            total_time_ms: number(&self.total_time),
            last_session_s,
        }
    }

    /// `hrsp_*`: all or none; empty for TCP. 1.3 has none at all.
    fn answers(&self, row: &ByteRecord, complaints: &mut Complaints) -> Figure<Answers> {
        let mut number = |column: &Column| column.number(row, complaints);
        let success = number(&self.answers_2xx);
        let (informational, redirection) = (number(&self.answers_1xx), number(&self.answers_3xx));
        let (client_error, server_error) = (number(&self.answers_4xx), number(&self.answers_5xx));
        let other = number(&self.answers_other);
        if let Some(why) = [&success, &informational, &redirection, &client_error, &server_error, &other]
            .iter()
            .find_map(|figure| figure.why())
        {
            return Figure::Unknown(why);
        }
        let value = |figure: Figure<u64>| figure.known().unwrap_or_default();
        Figure::Known(Answers {
            informational: value(informational),
            success: value(success),
            redirection: value(redirection),
            client_error: value(client_error),
            server_error: value(server_error),
            other: value(other),
        })
    }

    /// A server's row; what only `show servers state` tells is left unknown.
    pub(super) fn server_of(&self, row: &ByteRecord, name: ServerName, complaints: &mut Complaints) -> Server {
        let status_text = self.status.text(row).known().unwrap_or_default();
        let operational = status::operational(&status_text);
        if matches!(operational, crate::model::haproxy::OperationalState::Other(_)) {
            complaints.add("column status", format!("a state that is not known: {status_text}"));
        }
        Server {
            name,
            address: self.address.text(row),
            operational,
            admin: Figure::Unknown(Unknown::Missing),
            configured: Figure::Unknown(Unknown::Missing),
            backup: self.backup.number(row, complaints).map(|flag| flag != 0),
            weight: self.weight.number(row, complaints),
            weight_configured: Figure::Unknown(Unknown::Missing),
            last_change_s: self.last_change.number(row, complaints),
            downtime_s: self.downtime.number(row, complaints),
            checks_failed_total: self.checks_failed.number(row, complaints),
            downs_total: self.downs.number(row, complaints),
            check: self.check(row, complaints),
            traffic: self.traffic(row, complaints),
        }
    }

    fn check(&self, row: &ByteRecord, complaints: &mut Complaints) -> Check {
        let (status, in_progress) = match self.check_status.raw(row).map(status::check) {
            Figure::Known((status, in_progress)) => (Figure::Known(status), in_progress),
            Figure::Unknown(why) => (Figure::Unknown(why), false),
        };
        let mut number = |column: &Column| column.number(row, complaints);
        Check {
            status,
            in_progress,
            code: number(&self.check_code),
            duration_ms: number(&self.check_duration),
            rise: number(&self.check_rise),
            fall: number(&self.check_fall),
            health: number(&self.check_health),
            text: self.check_text.text(row),
            answer: self.check_answer.text(row),
        }
    }
}

/// `dreq` and `dresp`: a row may have one of them only.
fn sum_of_known(a: Figure<u64>, b: Figure<u64>) -> Figure<u64> {
    match (a, b) {
        (Figure::Known(a), Figure::Known(b)) => Figure::Known(a.saturating_add(b)),
        (Figure::Known(one), Figure::Unknown(_)) | (Figure::Unknown(_), Figure::Known(one)) => Figure::Known(one),
        (Figure::Unknown(why), Figure::Unknown(_)) => Figure::Unknown(why),
    }
}
