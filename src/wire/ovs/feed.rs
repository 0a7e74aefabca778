//! The database as a feed: it is asked once what it holds and then tells every change.
//!
//! The newest way of asking that the server knows is used: `monitor_cond_since` (2.12), `monitor_cond` (2.6),
//! `monitor`. A standalone database cannot resume where a connection broke, so all is asked again.

use super::{
    frames::{Frame, Frames},
    message::{self, DATABASE, Incoming},
    sample,
    schema::{self, Schema},
    tables::{Applied, ROWS_BYTES_MAX, Tables},
};
use crate::{
    model::{ovs::OvsSample, text::Clean, time::Mono},
    wire::{
        complaints::Complaints,
        feed::{Feed, FeedOutput},
    },
};
use serde_json::{Value, json};

/// How long the server may be silent before it is asked for a sign of life.
pub const ECHO_MS: u64 = 10_000;
/// How long it may be silent before the connection is given up.
pub const SILENCE_MS_MAX: u64 = 30_000;
/// How often all is asked again on one connection; then it is given up, so that the pauses between connections bound
/// what a server costs that contradicts itself.
pub const RESYNCS_MAX: u32 = 3;

const SCHEMA_ID: &str = "vakt-schema";
const ECHO_ID: &str = "vakt-echo";
const NO_TRANSACTION: &str = "00000000-0000-0000-0000-000000000000";

/// Ways of asking, newest first.
const METHODS: [Method; 3] = [Method::ConditionalSince, Method::Conditional, Method::Plain];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    ConditionalSince,
    Conditional,
    Plain,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::ConditionalSince => "monitor_cond_since",
            Self::Conditional => "monitor_cond",
            Self::Plain => "monitor",
        }
    }
}

/// How far the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not connected, or given up.
    Closed,
    /// Asked for the schema.
    Schema,
    /// Asked for the rows.
    Rows,
    /// Told of changes.
    Live,
}

/// The database of one switch.
#[derive(Debug)]
pub struct OvsFeed {
    stage: Stage,
    frames: Frames,
    schema: Schema,
    tables: Tables,
    /// Index into [`METHODS`]; what the server does not know is not asked again on this connection.
    method: usize,
    /// Number of the monitor that counts; earlier ones may still have something under way.
    monitor: u64,
    resyncs: u32,
    rounds: u64,
    heard_at: Mono,
    echo_sent_at: Option<Mono>,
}

impl Default for OvsFeed {
    fn default() -> Self {
        Self {
            stage: Stage::Closed,
            frames: Frames::default(),
            schema: Schema::default(),
            tables: Tables::default(),
            method: 0,
            monitor: 0,
            resyncs: 0,
            rounds: 0,
            heard_at: Mono::default(),
            echo_sent_at: None,
        }
    }
}

type Outputs = Vec<FeedOutput<OvsSample>>;

/// What one call has brought so far.
#[derive(Default)]
struct Step {
    outputs: Outputs,
    complaints: Complaints,
    applied: Applied,
    /// All rows came anew: they are news even when none is another.
    loaded: bool,
    lost: u64,
    close: Option<String>,
}

impl Feed for OvsFeed {
    type News = OvsSample;

    fn open(&mut self, now: Mono) -> Outputs {
        let again = self.monitor > 0;
        // Rounds go on, so that rates reach over the gap.
        *self =
            Self { stage: Stage::Schema, monitor: self.monitor, rounds: self.rounds, heard_at: now, ..Self::default() };
        let mut outputs = Vec::new();
        if again {
            outputs.push(FeedOutput::Resync);
        }
        outputs.push(FeedOutput::Send(message::call("get_schema", &schema::schema_params(), SCHEMA_ID)));
        outputs
    }

    fn take(&mut self, bytes: &[u8], now: Mono) -> Outputs {
        if self.stage == Stage::Closed {
            return Vec::new();
        }
        self.heard_at = now;
        self.echo_sent_at = None;
        let mut step = Step::default();
        match self.frames.take(bytes) {
            Ok(frames) => {
                for frame in frames {
                    self.take_frame(frame, &mut step);
                    if step.close.is_some() {
                        break;
                    }
                }
            }
            Err(broken) => step.close = Some(broken.to_string()),
        }
        self.conclude(step)
    }

    fn tick(&mut self, now: Mono) -> Outputs {
        if self.stage == Stage::Closed {
            return Vec::new();
        }
        let silent_ms = now.since_ms(self.heard_at);
        if silent_ms >= SILENCE_MS_MAX {
            let step =
                Step { close: Some(format!("the database is silent for {} s", silent_ms / 1000)), ..Step::default() };
            return self.conclude(step);
        }
        if silent_ms < ECHO_MS || self.echo_sent_at.is_some() {
            return Vec::new();
        }
        self.echo_sent_at = Some(now);
        vec![FeedOutput::Send(message::call("echo", &json!([]), ECHO_ID))]
    }
}

impl OvsFeed {
    fn take_frame(&mut self, frame: Frame, step: &mut Step) {
        let message = match frame {
            Frame::Message(message) => message,
            Frame::Unsound(why) => {
                step.complaints.add("a message", format!("is no JSON: {why}"));
                step.lost += 1;
                return self.resync(step);
            }
        };
        match Incoming::from_value(message) {
            Incoming::Request { method, params, id } if method == "echo" => {
                step.outputs.push(FeedOutput::Send(message::echo_reply(&params, &id)));
            }
            Incoming::Request { id, .. } => step.outputs.push(FeedOutput::Send(message::refuse(&id))),
            Incoming::Notification { method, params } => self.take_notification(&method, &params, step),
            Incoming::Reply { id, result } => self.take_reply(&id, result, step),
            Incoming::Odd => {
                step.complaints.add("a message", "is neither request nor answer");
                step.lost += 1;
            }
        }
    }

    fn take_reply(&mut self, id: &Value, result: Result<Value, Value>, step: &mut Step) {
        let id = id.as_str().unwrap_or_default();
        match (self.stage, result) {
            (Stage::Schema, Ok(answer)) if id == SCHEMA_ID => match Schema::parse(&answer) {
                Some((schema, odd)) => {
                    for column in odd {
                        step.complaints.add(format!("schema of {column}"), "its type is not known");
                    }
                    self.schema = schema;
                    self.ask_for_rows(step);
                }
                None => step.close = Some(format!("the schema is not that of {DATABASE}")),
            },
            (Stage::Schema, Err(error)) if id == SCHEMA_ID => {
                step.close = Some(format!("there is no schema of {DATABASE}: {error}"));
            }
            (Stage::Rows, Ok(answer)) if id == self.monitor_id() => self.load(&answer, step),
            (Stage::Rows, Err(error)) if id == self.monitor_id() => {
                if self.method + 1 < METHODS.len() {
                    self.method += 1; // an older server
                    self.ask_for_rows(step);
                } else {
                    step.close = Some(format!("the database does not tell its changes: {error}"));
                }
            }
            // Answers to `echo`, to `monitor_cancel`, and to what was asked before all was asked again.
            _ => {}
        }
    }

    fn take_notification(&mut self, method: &str, params: &Value, step: &mut Step) {
        let cumulative = match method {
            "update" => false,
            "update2" | "update3" => true,
            _ => return, // `locked`, `stolen`, `monitor_canceled`: nothing of ours
        };
        if self.stage != Stage::Live || params.get(0).and_then(Value::as_str) != Some(self.monitor_id().as_str()) {
            return; // of a monitor that was given up
        }
        let place = if method == "update3" { 2 } else { 1 };
        let Some(updates) = params.get(place) else {
            step.complaints.add("a message", format!("{method} without updates"));
            step.lost += 1;
            return self.resync(step);
        };
        let applied = self.tables.apply(updates, &self.schema, cumulative, &mut step.complaints);
        self.note(applied, step);
    }

    fn note(&mut self, applied: Applied, step: &mut Step) {
        self.rounds += u64::from(applied.counted);
        step.applied.changed |= applied.changed || applied.counted;
        if applied.too_large {
            step.close = Some(format!("the switch's rows take more than {ROWS_BYTES_MAX} bytes"));
        } else if applied.missed > 0 {
            step.complaints.add("an update", "is about rows that are not there");
            step.lost += applied.missed;
            self.resync(step);
        }
    }

    /// The first answer: everything.
    fn load(&mut self, answer: &Value, step: &mut Step) {
        let method = METHODS[self.method];
        let rows = if method == Method::ConditionalSince { answer.get(2) } else { Some(answer) };
        let Some(rows) = rows.filter(|rows| rows.is_object()) else {
            step.close = Some(format!("the answer to {} is not understood", method.name()));
            return;
        };
        self.tables = Tables::default();
        let applied = self.tables.apply(rows, &self.schema, method != Method::Plain, &mut step.complaints);
        self.stage = Stage::Live;
        step.loaded = true;
        self.note(Applied { counted: false, ..applied }, step);
    }

    fn ask_for_rows(&mut self, step: &mut Step) {
        self.monitor += 1;
        self.stage = Stage::Rows;
        let method = METHODS[self.method];
        let id = self.monitor_id();
        let mut params = vec![json!(DATABASE), json!(id), self.schema.monitor_requests(method != Method::Plain)];
        if method == Method::ConditionalSince {
            params.push(json!(NO_TRANSACTION));
        }
        step.outputs.push(FeedOutput::Send(message::call(method.name(), &Value::Array(params), &id)));
    }

    /// Something was missed: what is held can no longer be trusted.
    fn resync(&mut self, step: &mut Step) {
        match self.stage {
            Stage::Live if self.resyncs >= RESYNCS_MAX => {
                step.close = Some(format!("changes were missed {} times on one connection", self.resyncs + 1));
            }
            Stage::Live => {
                self.resyncs += 1;
                step.applied.changed = false;
                step.loaded = false;
                step.outputs.push(FeedOutput::Resync);
                let cancel = message::call("monitor_cancel", &json!([self.monitor_id()]), "vakt-cancel");
                step.outputs.push(FeedOutput::Send(cancel));
                self.ask_for_rows(step);
            }
            // Before there are rows a message that is lost may be the answer that is waited for.
            _ => step.close = Some("the answer of the database is not understood".into()),
        }
    }

    fn conclude(&mut self, step: Step) -> Outputs {
        let Step { mut outputs, mut complaints, applied, loaded, lost, close } = step;
        if close.is_none() && (applied.changed || loaded) {
            let sample = sample::put_together(&self.tables, &self.schema, self.rounds, &mut complaints);
            outputs.push(FeedOutput::News(sample));
        }
        if lost > 0 {
            outputs.push(FeedOutput::Lost(lost));
        }
        outputs.extend(complaints.finish().into_iter().map(FeedOutput::Complaint));
        if let Some(why) = close {
            self.stage = Stage::Closed;
            self.frames = Frames::default();
            outputs.push(FeedOutput::Close(Clean::line(&why)));
        }
        outputs
    }

    fn monitor_id(&self) -> String {
        format!("vakt-{}", self.monitor)
    }
}
