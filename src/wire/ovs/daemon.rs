//! The daemon that switches: whether it lives, by its process, and what it answers on its control socket, which speaks
//! the same JSON-RPC as the database and answers in text.
//!
//! `ovs-appctl` would be a process for every question; one conversation that is kept costs the node next to nothing.

use super::{
    frames::{Frame, Frames},
    message::{self, Incoming},
    text,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        inventory::Node,
        ovs_daemon::{BridgeAddresses, DaemonProcessState, OvsDetail, OvsLiveSample},
        text::Clean,
        trouble::Trouble,
    },
    wire::{
        probe::{Complaint, Facts, Probe},
        request::{Call, OvsTalk, Reply, Request, shell_word},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// Bridges whose learned addresses are asked for.
const BRIDGES_MAX: usize = 64;
/// Learned addresses that are kept of one bridge.
const ADDRESSES_MAX: usize = 1000;
/// Longest answer that is accepted, all commands together.
const CAP_BYTES: usize = 8 * 1024 * 1024;
/// Complaints kept of one answer.
const COMPLAINTS_MAX: usize = 32;
/// The command whose answer names the bridges.
const LIST: &str = "ofproto/list";
/// Names the question that finds out whether anybody answers.
const HELLO_ID: &str = "vakt-hello";

impl OvsTalk {
    /// The commands that are always asked, each with its arguments.
    pub fn commands(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Live => &[&["dpctl/show", "-s"]],
            Self::Detail => &[&["bond/show"], &["lacp/show"], &["upcall/show"], &[LIST]],
        }
    }
}

/// Counters that move every second, and whether the daemon runs.
#[derive(Debug)]
pub struct OvsLiveProbe;

/// Bonds, learned addresses, flows.
#[derive(Debug)]
pub struct OvsDetailProbe;

fn request(node: &Node, deadline_ms: u64, talk: OvsTalk) -> Vec<Request> {
    // Its sockets lie beside that of the database.
    let folder = node.ovs.as_ref().and_then(|ovs| ovs.path.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
    let request = |folder| Request::read(Call::OvsDaemon { folder, talk }, deadline_ms, CAP_BYTES);
    folder.map(request).into_iter().collect()
}

impl Probe for OvsLiveProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        request(node, deadline_ms, OvsTalk::Live)
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (Some(answer), mut complaints) = read(replies) else { return (None, read(replies).1) };
        let mut sample = OvsLiveSample {
            process: process_state(answer.process.as_bytes()),
            silence: answer.trouble.clone(),
            ..OvsLiveSample::default()
        };
        if let Some(text) = answer.text_of("dpctl/show", &mut complaints) {
            let (datapaths, odd) = text::datapath_counters(text.as_bytes());
            complaints.extend(odd);
            for mut datapath in datapaths.unwrap_or_default() {
                sample.ports.append(&mut datapath.ports);
                sample.datapaths.push(datapath.load);
            }
        }
        complaints.truncate(COMPLAINTS_MAX);
        (Some(Facts::OvsLive(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

impl Probe for OvsDetailProbe {
    fn requests(&self, node: &Node, deadline_ms: u64) -> Vec<Request> {
        request(node, deadline_ms, OvsTalk::Detail)
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (Some(answer), mut complaints) = read(replies) else { return (None, read(replies).1) };
        let mut detail = OvsDetail { silence: answer.trouble.clone(), ..OvsDetail::default() };
        if let Some(text) = answer.text_of("bond/show", &mut complaints) {
            detail.bonds = taken(text::bonds(text.as_bytes()), &mut complaints);
        }
        if let Some(text) = answer.text_of("lacp/show", &mut complaints) {
            detail.lacp = taken(text::lacp(text.as_bytes()), &mut complaints);
        }
        if let Some(text) = answer.text_of("upcall/show", &mut complaints) {
            detail.upcalls = taken(text::upcalls(text.as_bytes()), &mut complaints);
        }
        for said in answer.said.iter().take(BRIDGES_MAX + OvsTalk::Detail.commands().len()) {
            let Some(bridge) = said.command.strip_prefix("fdb/show ") else { continue };
            let mut addresses = taken(text::learned_addresses(said.text.as_bytes()), &mut complaints);
            let learned = addresses.as_ref().map(|list| list.len() as u64);
            if let Figure::Known(list) = &mut addresses {
                list.truncate(ADDRESSES_MAX);
            }
            detail.addresses.push(BridgeAddresses { bridge: Clean::line(bridge), learned, addresses });
        }
        complaints.truncate(COMPLAINTS_MAX);
        (Some(Facts::OvsDetail(Box::new(detail))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn taken<T>((rows, odd): text::Understood<T>, complaints: &mut Vec<Complaint>) -> Figure<Vec<T>> {
    complaints.extend(odd);
    Figure::from_option(rows, Unknown::Malformed)
}

fn read(replies: &[Reply]) -> (Option<Answer>, Vec<Complaint>) {
    let read = match replies {
        [reply] => serde_json::from_slice(&reply.bytes).map_err(|error| error.to_string()),
        _ => Err("no answer".to_owned()),
    };
    match read {
        Ok(answer) => (Some(answer), Vec::new()),
        Err(why) => (None, vec![Complaint::new("the switch's daemon", format!("not understood: {why}"))]),
    }
}

/// What one poll brought, as bytes: a recording keeps it and a replay reads it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Answer {
    /// What the look at the process printed.
    process: String,
    said: Vec<Said>,
    /// Why the daemon gave no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trouble: Option<Trouble>,
}

/// An answer of the daemon, in its own words.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Said {
    command: String,
    text: String,
    /// It is the reason why there is no answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
}

impl Answer {
    /// What a command was answered; an error is a complaint.
    fn text_of(&self, command: &str, complaints: &mut Vec<Complaint>) -> Option<&str> {
        let is_it = |said: &&Said| said.command.split(' ').next() == Some(command);
        let said = self.said.iter().find(is_it)?;
        if said.is_error {
            complaints.push(Complaint::new(command, format!("refused: {}", said.text.trim())));
            return None;
        }
        Some(&said.text)
    }
}

/// The look at the daemon's process: its number, then the kernel's line about it. Builtins only: no process is made.
pub fn look(folder: &str) -> String {
    let file = shell_word(&format!("{folder}/ovs-vswitchd.pid")).into_owned();
    format!(
        "{{ read -r p < {file} && echo \"pid $p\" && read -r s < \"/proc/$p/stat\" && echo \"stat $s\"; \
         [ -e /proc/1/stat ] && echo visible; }} 2>/dev/null; true"
    )
}

/// The same as a program of the kept reader (`Call::ShellWithin`). The folder is one of letters, digits and `/._-+@` only.
pub fn look_perl(folder: &str) -> String {
    format!(
        "if (open my $file, '<', '{folder}/ovs-vswitchd.pid') {{ chomp(my $number = <$file>); $o .= \"pid $number\\n\"; \
         if (open my $stat, '<', \"/proc/$number/stat\") {{ $o .= 'stat ' . <$stat> }} }} \
         $o .= \"visible\\n\" if -e '/proc/1/stat';"
    )
}

/// What a look says.
pub fn process_state(bytes: &[u8]) -> DaemonProcessState {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let line = |key: &str| text.lines().find_map(|line| line.strip_prefix(key));
    let Some(pid) = line("pid ").and_then(|pid| pid.trim().parse().ok()) else { return DaemonProcessState::NotStarted };
    let is_visible = text.lines().any(|line| line == "visible");
    // `152 (ovs-vswitchd) S 1 …`
    let Some((head, state)) = line("stat ").and_then(|stat| stat.rsplit_once(") ")) else {
        return if is_visible { DaemonProcessState::Gone { pid } } else { DaemonProcessState::Hidden { pid } };
    };
    // The number may belong to another program by now. The kernel keeps 15 letters of a name.
    if head.split_once('(').is_none_or(|(_, name)| !name.starts_with("ovs-vswitchd")) {
        return DaemonProcessState::Gone { pid };
    }
    match state.as_bytes().first() {
        Some(b'T' | b't') => DaemonProcessState::Halted { pid },
        Some(b'Z' | b'X' | b'x') => DaemonProcessState::Gone { pid },
        _ => DaemonProcessState::Running { pid },
    }
}

/// Asks for a sign of life; whatever comes back is one.
pub fn hello() -> Vec<u8> {
    message::call("version", &json!([]), HELLO_ID)
}

/// One talk with the daemon, question by question.
#[derive(Debug)]
pub struct DaemonTalk {
    queue: VecDeque<Vec<String>>,
    /// Number and words of the question that waits.
    asked: Option<(String, Vec<String>)>,
    number: u64,
    frames: Frames,
    said: Vec<Said>,
    bytes: usize,
}

impl DaemonTalk {
    /// Begins.
    pub fn new(talk: OvsTalk) -> Self {
        let words = |command: &&[&str]| command.iter().map(|&word| word.to_owned()).collect();
        Self {
            queue: talk.commands().iter().map(words).collect(),
            asked: None,
            number: 0,
            frames: Frames::default(),
            said: Vec::new(),
            bytes: 0,
        }
    }

    /// The next question, as bytes; `None` when all were answered.
    pub fn ask(&mut self) -> Option<Vec<u8>> {
        let words = self.queue.pop_front()?;
        self.number += 1;
        let id = format!("vakt-{}", self.number);
        let (method, params) = words.split_first()?;
        let bytes = message::call(method, &json!(params), &id);
        self.asked = Some((id, words));
        Some(bytes)
    }

    /// Bytes arrived: whether the question is answered.
    ///
    /// # Errors
    /// The conversation is of no use any more.
    pub fn take(&mut self, bytes: &[u8]) -> Result<bool, String> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > CAP_BYTES {
            return Err(format!("its answers are longer than {CAP_BYTES} bytes"));
        }
        for frame in self.frames.take(bytes).map_err(|broken| broken.to_string())? {
            let Frame::Message(message) = frame else { return Err("its answer is no JSON".to_owned()) };
            let Incoming::Reply { id, result } = Incoming::from_value(message) else { continue };
            // Answers to the greeting, or to an earlier talk, are passed over.
            if let Some((_, words)) = self.asked.take_if(|(asked, _)| id == asked.as_str()) {
                self.note(&words, result);
            }
        }
        Ok(self.asked.is_none())
    }

    fn note(&mut self, words: &[String], result: Result<Value, Value>) {
        let (value, is_error) = match result {
            Ok(value) => (value, false),
            Err(value) => (value, true),
        };
        let text = value.as_str().unwrap_or_default().to_owned();
        if words == [LIST] && !is_error {
            let bridges = text.lines().map(str::trim).filter(|name| !name.is_empty()).take(BRIDGES_MAX);
            self.queue.extend(bridges.map(|bridge| vec!["fdb/show".to_owned(), bridge.to_owned()]));
            return;
        }
        self.said.push(Said { command: words.join(" "), text, is_error });
    }

    /// The answer's bytes: what the look at the process printed, what was said, and why it ended early.
    pub fn into_bytes(self, process: &[u8], trouble: Option<Trouble>) -> Vec<u8> {
        answer_bytes(process, self.said, trouble)
    }
}

/// The answer of a daemon that was not asked.
pub fn unasked(process: &[u8], trouble: Option<Trouble>) -> Vec<u8> {
    answer_bytes(process, Vec::new(), trouble)
}

fn answer_bytes(process: &[u8], said: Vec<Said>, trouble: Option<Trouble>) -> Vec<u8> {
    let process = String::from_utf8_lossy(process).into_owned();
    // Plain values under text keys always become JSON.
    serde_json::to_vec(&Answer { process, said, trouble }).unwrap_or_default()
}
