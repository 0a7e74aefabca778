//! One table of all parsers.

use serde::Serialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};
use vakt::{
    model::{
        log::{LogId, LogWindow},
        time::{Mono, Wall},
    },
    wire::{
        explain,
        feed::{Feed as _, FeedOutput},
        linux_bridge, logs,
        mysql::{self, Answer, Answers, Literals, Rows},
        ovs::{OvsFeed, daemon, text},
        probe::{Complaint, ProbeId},
        request::Reply,
    },
};

/// The bytes of one reply after the other.
pub(crate) type Input = Vec<Vec<u8>>;

/// Understands one input. Returns what was understood when it is to be looked at, else nothing.
type Run = dyn Fn(&[Vec<u8>], bool) -> Vec<Value> + Sync;

/// A parser, or several that are always called together.
pub(crate) struct Target {
    pub(crate) name: String,
    /// What of `src/wire` it calls, apart from a probe: functions and types by their names there.
    pub(crate) covers: &'static [&'static str],
    /// Real answers.
    pub(crate) seeds: Vec<Input>,
    pub(crate) run: Box<Run>,
    /// A field whose text has lines by design.
    pub(crate) lines_in: &'static str,
}

/// Every target: each probe there is, and the parsers that are no part of one.
pub(crate) fn table() -> Vec<Target> {
    let mut all: Vec<Target> = ProbeId::ALL.into_iter().map(of_probe).collect();
    all.push(Target {
        covers: &["linux_bridge::interpret"],
        ..target(&"linux-bridge", files("linux-bridge", ".txt"), |input, look| {
            understood(look, linux_bridge::interpret(&input.concat()))
        })
    });
    all.push(Target { covers: &["logs::interpret"], ..target(&"logs", vec![vec![LOGS.to_vec()]], log_lines) });
    let of_operators = ["haproxy.cfg", "my.cnf"].map(|name| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/headless/explained");
        vec![fs::read(folder.join(name)).unwrap()]
    });
    all.push(Target { covers: &["explain::explain"], ..target(&"explain", of_operators.into(), explained) });
    all.push(Target { covers: &["OvsFeed"], ..target(&"ovs-feed", files("ovs", ".json"), ovs_feed) });
    all.push(Target {
        covers: &[
            "bonds",
            "lacp",
            "port_counters",
            "learned_addresses",
            "datapaths",
            "datapath_counters",
            "upcalls",
            "process_state",
        ],
        ..target(&"ovs-text", files("ovs", ".txt"), ovs_text)
    });
    all.push(Target {
        covers: &["mysql::interpret", "readable", "capabilities"],
        lines_in: "deadlock",
        ..target(&"mysql-rows", files("mysql", ".txt"), mysql_rows)
    });
    all
}

fn target(
    name: &impl ToString,
    seeds: Vec<Input>,
    run: impl Fn(&[Vec<u8>], bool) -> Vec<Value> + Sync + 'static,
) -> Target {
    Target { name: name.to_string(), covers: &[], seeds, run: Box::new(run), lines_in: "" }
}

/// A probe and the captures of its technology. One without captures of its own is told everything that others were.
fn of_probe(id: ProbeId) -> Target {
    let seeds = match id {
        ProbeId::Haproxy => haproxy_seeds(),
        ProbeId::Mysql => mysql_replies(),
        ProbeId::Guests => files("libvirt", ".guests.json"),
        ProbeId::GuestProfile => files("libvirt", ".profile.json"),
        ProbeId::Ovs => files("ovs", ".json"),
        ProbeId::OvsLive | ProbeId::OvsDetail => files("ovs", ".txt"),
        ProbeId::LinuxBridges => files("linux-bridge", ".txt"),
        ProbeId::Cut => files("cut", ".txt"),
        ProbeId::Tuning => tuning_seeds(),
        _ => files(&id.to_string().replace(' ', "-"), ".txt"),
    };
    let seeds = if seeds.is_empty() {
        ["host", "mysql", "ovs"].iter().flat_map(|name| files(name, "")).collect()
    } else {
        seeds
    };
    let target = target(&id, seeds, move |input, look| {
        let replies: Vec<Reply> =
            input.iter().map(|bytes| Reply { bytes: bytes.clone(), ..Reply::default() }).collect();
        understood(look, id.probe().interpret(&replies))
    });
    Target { lines_in: "deadlock", ..target }
}

/// Every file of a technology's captures whose name ends so; one is one input.
fn files(technology: &str, ending: &str) -> Vec<Input> {
    paths(technology, ending).iter().map(|path| vec![fs::read(path).unwrap()]).collect()
}

fn paths(technology: &str, ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(technology);
    let mut found: Vec<PathBuf> = fs::read_dir(&root)
        .into_iter()
        .flatten()
        .map(|folder| folder.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

/// The answers of one server as the transport writes them: a reply begins with `= STATEMENT rows`.
fn mysql_replies() -> Vec<Input> {
    replies(&paths("mysql-replies", ".txt"))
}

/// What the script says, and what the server says behind it.
fn tuning_seeds() -> Vec<Input> {
    let servers = replies(&paths("tuning", "primary.server.txt"));
    let whole =
        files("tuning", "primary.files.txt").into_iter().zip(servers).map(|(files, server)| [files, server].concat());
    whole.chain(files("tuning", "edge.files.txt")).collect()
}

fn replies(paths: &[PathBuf]) -> Vec<Input> {
    let replies = |path: &PathBuf| {
        fs::read(path).unwrap().split_inclusive(|byte| *byte == b'\n').fold(Input::new(), |mut replies, line| {
            match replies.last_mut() {
                Some(reply) if !line.starts_with(b"= ") => reply.extend_from_slice(line),
                _ => replies.push(line.to_vec()),
            }
            replies
        })
    };
    paths.iter().map(replies).collect()
}

/// Three answers of one process.
fn haproxy_seeds() -> Vec<Input> {
    let stats = paths("haproxy", ".stat.txt");
    let part = |path: &Path, name: &str| {
        fs::read(path.to_string_lossy().replace(".stat.txt", &format!(".{name}.txt"))).unwrap_or_default()
    };
    stats.iter().map(|path| ["info", "stat", "state"].map(|name| part(path, name)).to_vec()).collect()
}

fn understood<T: Serialize>(look: bool, (facts, complaints): (T, Vec<Complaint>)) -> Vec<Value> {
    assert!(complaints.len() <= 33, "{} complaints", complaints.len());
    if !look {
        return Vec::new();
    }
    vec![serde_json::to_value(facts).unwrap(), serde_json::to_value(complaints).unwrap()]
}

/// A file and the journal, as the script of `wire::logs` prints them.
const LOGS: &[u8] = b"\x1ezone +0100\n\x1efile /var/log/mysql/error.log\n\
    2026-11-28 21:00:01 0 [Note] Server socket created\n2026-11-28T20:00:03.250Z|00012|vlog|INFO|opened\n\
    \x1ejournal\n1795896000.004213 lb01 haproxy[77]: Server web/web03 is DOWN\n";

fn log_lines(input: &[Vec<u8>], look: bool) -> Vec<Value> {
    let reply = Reply { bytes: input.concat(), stderr: input.concat(), ..Reply::default() };
    let windows = [LogWindow::Newest, LogWindow::Around(Wall(1_795_896_000_000))];
    let mut pages = windows.map(|window| logs::interpret(&reply, window)).to_vec();
    pages.push(logs::answer(LogId::InnodbStatus, &reply, LogWindow::Newest));
    if look { pages.iter().map(|page| serde_json::to_value(page).unwrap()).collect() } else { Vec::new() }
}

fn explained(input: &[Vec<u8>], look: bool) -> Vec<Value> {
    match explain::explain(&input.concat(), Some(8 << 30)) {
        Ok(explanation) if look => vec![serde_json::to_value(explanation).unwrap()],
        _ => Vec::new(),
    }
}

/// A conversation from its beginning: the schema is asked, and whatever comes is the answer.
fn ovs_feed(input: &[Vec<u8>], look: bool) -> Vec<Value> {
    let mut feed = OvsFeed::default();
    let mut outputs = feed.open(Mono(0));
    for bytes in input {
        let middle = bytes.len() / 2;
        outputs.extend(feed.take(&bytes[..middle], Mono(1)));
        outputs.extend(feed.take(&bytes[middle..], Mono(2)));
        outputs.extend(feed.tick(Mono(40_000)));
    }
    if !look {
        return Vec::new();
    }
    outputs
        .into_iter()
        .filter_map(|output| match output {
            FeedOutput::News(news) => Some(serde_json::to_value(news).unwrap()),
            FeedOutput::Complaint(complaint) => Some(serde_json::to_value(complaint).unwrap()),
            FeedOutput::Close(why) => Some(serde_json::to_value(why).unwrap()),
            FeedOutput::Send(_) | FeedOutput::Resync | FeedOutput::Lost(_) => None,
        })
        .collect()
}

fn ovs_text(input: &[Vec<u8>], look: bool) -> Vec<Value> {
    let bytes = input.concat();
    let mut all = understood(look, text::bonds(&bytes));
    all.extend(understood(look, text::lacp(&bytes)));
    all.extend(understood(look, text::port_counters(&bytes)));
    all.extend(understood(look, text::learned_addresses(&bytes)));
    all.extend(understood(look, text::datapaths(&bytes)));
    all.extend(understood(look, text::datapath_counters(&bytes)));
    all.extend(understood(look, text::upcalls(&bytes)));
    all.extend(understood(look, (daemon::process_state(&bytes), Vec::new())));
    all
}

fn mysql_rows(input: &[Vec<u8>], look: bool) -> Vec<Value> {
    let answers = answers(&input.concat());
    mysql::capabilities(&answers);
    let mut all = understood(look, mysql::interpret(&answers, Literals::Masked));
    // A text with lines, in the field that is allowed to have them.
    let status = mysql::readable_status_text(&answers, Literals::Masked);
    all.extend(understood(look, (BTreeMap::from([("deadlock", status)]), Vec::new())));
    all
}

/// The rows of a capture, however spoilt: `=== STATEMENT`, then XML as `mariadb -X` prints it.
fn answers(bytes: &[u8]) -> Answers {
    let blocks = bytes.split(|byte| *byte == b'\n').fold(Vec::<Vec<&[u8]>>::new(), |mut blocks, line| {
        if line.starts_with(b"=== ") {
            blocks.push(vec![&line[4..]]);
        } else if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
        blocks
    });
    let known = blocks.iter().filter_map(|block| {
        let head = String::from_utf8_lossy(block.first()?);
        let id = serde_json::from_value(Value::String(head.split('\t').next()?.to_owned())).ok()?;
        Some((id, Answer::Rows(rows(&block[1..]))))
    });
    Answers(known.collect::<BTreeMap<_, _>>())
}

fn rows(lines: &[&[u8]]) -> Rows {
    let mut rows = Rows::default();
    let text = lines.concat();
    for (number, row) in pieces(&text, b"<row>").enumerate() {
        let mut cells = Vec::new();
        for field in pieces(row, b"<field name=\"") {
            let end = field.iter().position(|byte| *byte == b'"').unwrap_or(field.len());
            if number == 0 {
                rows.columns.push(String::from_utf8_lossy(&field[..end]).into_owned());
            }
            let value = field.get(end + 1..).and_then(|rest| rest.strip_prefix(b">"));
            let stop = |value: &[u8]| value.iter().position(|byte| *byte == b'<').unwrap_or(value.len());
            cells.push(value.map(|value| value[..stop(value)].to_vec()));
        }
        rows.rows.push(cells);
    }
    rows
}

/// What stands behind each `mark`, up to the next.
fn pieces<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let starts: Vec<usize> =
        bytes.windows(mark.len()).enumerate().filter(|(_, window)| *window == mark).map(|(at, _)| at).collect();
    let ends: Vec<usize> = starts.iter().skip(1).copied().chain([bytes.len()]).collect();
    starts.into_iter().zip(ends).map(move |(start, end)| &bytes[start + mark.len()..end])
}
