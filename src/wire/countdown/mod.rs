//! A change of one setting of one port of Open vSwitch, with a timer on the node that takes it back by itself.
//!
//! Whoever changes the network of a node may cut his own way to it. So the way back is put on the node first, as a unit of
//! systemd that needs neither vakt nor SSH, and survives a restart of the node. Only then the change is made; it is called off
//! when somebody, on a new connection, says that it stays. Every task here is sent on a connection of its own, made for it:
//! one that stood before proves nothing.
//!
//! The change is one transaction of the database, which first waits for the value that was seen: if somebody else was faster,
//! nothing happens. The way back is guarded alike.

mod script;

use super::{
    complaints::Complaints,
    probe::{Complaint, Facts, Probe},
    request::{Access, Call, Reply, Request},
};
use crate::model::{
    countdown::{CountdownSample, CountdownState, RanOut},
    figure::{Figure, Unknown},
    inventory::Node,
    port_setting::PortSetting,
    text::Clean,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fmt;

/// Longest look: a connection, a script.
const LOOK_MS: u64 = 6_000;
/// Longest task: systemd reads its units anew.
const TASK_MS: u64 = 20_000;
/// Longest answer.
const CAP_BYTES: usize = 16 * 1024;
/// Longest name of a row.
const NAME_BYTES_MAX: usize = 64;
/// Longest time that a timer may run: a day.
const AFTER_S_MAX: u32 = 24 * 3600;

/// The timer, and what it takes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countdown {
    /// Whose it is: letters, digits and `-`.
    pub id: Clean,
    /// How long it runs, seconds from the moment at which it is armed.
    pub after_s: u32,
    /// The socket of the switch's database on the node.
    pub socket: String,
    /// What is set.
    pub setting: PortSetting,
    /// On which port, or which interface of it.
    pub row: Clean,
    /// The value before, canonical.
    pub from: String,
    /// The value then, canonical.
    pub to: String,
}

/// What is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CountdownTask {
    /// Looks at the timer and at the value.
    Look,
    /// Arms the timer.
    Arm,
    /// Makes the change, if the timer runs and the value is the one before.
    Set,
    /// Takes it back, if it is as it was made.
    SetBack,
    /// Calls the timer off.
    Disarm,
}

impl Countdown {
    /// The request for a task.
    pub fn request(&self, task: CountdownTask) -> Request {
        let (access, deadline_ms) =
            if task == CountdownTask::Look { (Access::Read, LOOK_MS) } else { (Access::Write, TASK_MS) };
        let call = Call::Countdown { countdown: Box::new(self.clone()), task };
        Request { access, call, deadline_ms, cap_bytes: CAP_BYTES }
    }

    /// The words of the process that does it.
    pub fn argv(&self, task: CountdownTask) -> Vec<String> {
        script::argv(self, task)
    }

    /// Whether it may be sent at all.
    pub fn is_sound(&self) -> bool {
        let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_of_device = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let id = self.id.as_str();
        let row = self.row.as_str();
        let is_value = |value: &String| self.setting.canonical(value).as_ref() == Some(value);
        !id.is_empty()
            && id.len() <= NAME_BYTES_MAX
            && id.bytes().all(is_id)
            && (1..=AFTER_S_MAX).contains(&self.after_s)
            && super::file_edit::is_plain_path(&self.socket)
            && !row.is_empty()
            && row.len() <= NAME_BYTES_MAX
            && row.bytes().all(|byte| byte.is_ascii_graphic())
            && (self.setting != PortSetting::Link || row.bytes().all(is_of_device) && !row.starts_with(['-', '.']))
            && is_value(&self.from)
            && is_value(&self.to)
            && self.from != self.to
    }

    /// One transaction (RFC 7047): it waits for the one value, without any time, and then sets the other.
    fn transaction(&self, forward: bool) -> String {
        let (from, to) = if forward { (&self.from, &self.to) } else { (&self.to, &self.from) };
        if self.setting == PortSetting::Link {
            return format!("link {} {from} {to}", self.row);
        }
        let (table, column) = (self.setting.table(), self.setting.column());
        let rows = json!([["name", "==", self.row.as_str()]]);
        let (seen, wanted) = (json!({column: self.setting.datum(from)}), json!({column: self.setting.datum(to)}));
        json!([
            "Open_vSwitch",
            {"op": "wait", "table": table, "where": rows, "columns": [column], "until": "==", "rows": [seen], "timeout": 0},
            {"op": "update", "table": table, "where": rows, "row": wanted},
            {"op": "comment", "comment": format!("vakt {}", self.id)},
        ])
        .to_string()
    }

    fn question(&self) -> String {
        if self.setting == PortSetting::Link {
            return format!("link {}", self.row);
        }
        let rows = json!([["name", "==", self.row.as_str()]]);
        let select =
            json!({"op": "select", "table": self.setting.table(), "where": rows, "columns": [self.setting.column()]});
        json!(["Open_vSwitch", select]).to_string()
    }

    /// What an operator reads where a command stands.
    pub(super) fn tell(&self, task: CountdownTask, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, after_s, row, from, to, .. } = self;
        let (table, column) = (self.setting.table(), self.setting.column());
        let set = |value: &str| {
            if self.setting == PortSetting::Link {
                return format!("ip link set dev {row} {value}");
            }
            let value = if value == "none" { "[]" } else { value };
            format!("ovs-vsctl set {table} {row} {column}={value}")
        };
        match task {
            CountdownTask::Look => {
                write!(f, "systemctl status vakt-countdown.service; ovs-vsctl get {table} {row} {column}")
            }
            CountdownTask::Arm => write!(
                f,
                "systemctl enable --now vakt-countdown.service # timer {id}: {} after {after_s} s, and at a start of the node",
                set(from)
            ),
            CountdownTask::Set => write!(f, "{} # if it is {from}, and the timer runs", set(to)),
            CountdownTask::SetBack => write!(f, "{} # if it is {to}", set(from)),
            CountdownTask::Disarm => {
                write!(f, "systemctl disable --now vakt-countdown.service # timer {id}; removes them")
            }
        }
    }
}

/// Looks at the timer of a node. Only a run asks: each of its plans names the request.
#[derive(Debug)]
pub struct CountdownProbe;

impl Probe for CountdownProbe {
    fn requests(&self, _node: &Node, _deadline_ms: u64) -> Vec<Request> {
        Vec::new()
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let mut complaints = Complaints::default();
        let sample = replies.first().and_then(|reply| interpret(&reply.bytes, &mut complaints));
        if sample.is_none() {
            complaints.add("the timer", "the look at it did not come to its end");
        }
        (sample.map(|sample| Facts::Countdown(Box::new(sample))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

/// `None` where the script did not come to its end.
fn interpret(bytes: &[u8], complaints: &mut Complaints) -> Option<CountdownSample> {
    let text = String::from_utf8_lossy(bytes);
    let mut sample = CountdownSample {
        state: Figure::Unknown(Unknown::Missing),
        ran: None,
        value: Figure::Unknown(Unknown::Missing),
    };
    let (mut is_whole, mut is_other) = (false, false);
    for line in text.lines() {
        match line.split_once(':') {
            Some(("system", _)) => is_other = true,
            Some(("state", words)) => match state(words) {
                Some(state) => sample.state = Figure::Known(state),
                None => complaints.add("the timer", "a state that is not understood"),
            },
            Some(("ran", words)) => match words.split(' ').collect::<Vec<_>>()[..] {
                [id, how @ ("back" | "left"), at] => {
                    sample.ran = Some(RanOut { id: Clean::line(id), took_back: how == "back", at: Clean::line(at) });
                }
                _ => complaints.add("the timer", "an end that is not understood"),
            },
            Some(("value", answer)) => sample.value = value(answer),
            Some(("end", _)) => is_whole = true,
            _ => complaints.add("the timer", "a line that is not understood"),
        }
    }
    if is_other {
        sample.state = Figure::Known(CountdownState::NoSystemd);
    }
    is_whole.then_some(sample)
}

fn state(words: &str) -> Option<CountdownState> {
    match words.split(' ').collect::<Vec<_>>()[..] {
        ["idle"] => Some(CountdownState::Idle),
        ["working", id] => Some(CountdownState::Working { id: Clean::line(id) }),
        ["armed", id, left, sure @ ("yes" | "no")] => {
            Some(CountdownState::Armed { id: Clean::line(id), left_s: left.parse().ok()?, is_sure: sure == "yes" })
        }
        _ => None,
    }
}

/// `[{"rows":[{"tag":20}]}]`; a port that is not there has no row.
fn value(answer: &str) -> Figure<Clean> {
    let missing = Figure::Unknown(Unknown::Missing);
    let Ok(answer) = serde_json::from_str::<Value>(answer) else { return Figure::Unknown(Unknown::Malformed) };
    let Some(row) = answer[0]["rows"][0].as_object() else { return missing };
    let read = |(column, datum): (&String, &Value)| {
        let setting = PortSetting::ALL.into_iter().find(|setting| setting.column() == column)?;
        setting.of_datum(datum)
    };
    match row.iter().find_map(read) {
        Some(value) => Figure::Known(Clean::line(&value)),
        None => missing,
    }
}
