//! The logs behind a row: the newest lines, followed, or those around the moment at which a finding began.

use super::{
    App, Overlay,
    command::Here,
    effect::Effect,
    figures,
    meaning::{Line, Meaning, Span},
    msg::{Key, KeyCode},
    rows::{self, RowId},
};
use crate::{
    model::{
        ids::NodeName,
        inventory::{Node, Role},
        log::{LogId, LogLine, LogPage, LogWindow},
        text::Clean,
        time::{Mono, Wall},
        trouble::Trouble,
    },
    rules::Finding,
    wire::logs,
};
use serde::{Deserialize, Serialize};

/// Between two looks at what is followed.
const FOLLOW_MS: u64 = 2_000;
/// Characters of a filter.
const FILTER_MAX: usize = 100;
/// Columns of a time and of who wrote a line.
const PREFIX_WIDTH: usize = 28;
/// Columns of who wrote it.
const FROM_WIDTH: usize = 14;

/// Logs that are open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Logs {
    /// What the row is: "web_cluster/web03".
    pub(crate) about: String,
    /// Logs that may say something about it, the likeliest first; never empty.
    pub(crate) sources: Vec<(NodeName, LogId)>,
    /// Which of them is open.
    pub(crate) chosen: usize,
    /// When it began, for a finding.
    pub(crate) began: Option<Wall>,
    /// Which part is shown.
    pub(crate) window: LogWindow,
    /// The newest answer.
    pub(crate) page: Option<LogPage>,
    /// Why there is none.
    pub(crate) trouble: Option<Clean>,
    /// Lines scrolled back from the newest; 0 follows.
    pub(crate) back: usize,
    /// Only lines that contain this.
    pub(crate) filter: String,
    /// Whether it is being typed.
    pub(crate) is_filtering: bool,
    /// Number of the question that is open or was answered last; answers to others are dropped.
    pub(crate) ask: u64,
    /// Whether it is open.
    pub(crate) is_asked: bool,
    /// When it was answered.
    answered: Option<Mono>,
}

/// What is asked of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogAsk {
    /// Comes back with the answer.
    pub number: u64,
    /// Whose log.
    pub node: NodeName,
    /// Which.
    pub log: LogId,
    /// Which part.
    pub window: LogWindow,
}

impl Logs {
    /// The logs behind the row under the cursor, or why there are none.
    pub(crate) fn behind(here: &Here<'_>) -> Result<Self, String> {
        let row = here.row.as_ref().ok_or("There is no row to look behind.")?;
        let app = here.app;
        let (sources, began) = match row {
            RowId::Node(name) | RowId::Setting(name, _) => (of_node(app, name), None),
            RowId::Guest(host, _) => (of_daemon(app, host, LogId::Libvirt), None),
            RowId::Bridge(node, _) | RowId::Port(node, ..) => (of_daemon(app, node, LogId::OpenVSwitch), None),
            RowId::Finding(rule, subject) => {
                let finding = app.seen().findings.iter().find(|one| one.rule == *rule && one.subject == *subject);
                let finding = finding.ok_or("This finding is over.")?;
                (of_finding(app, finding), Some(finding.since.wall))
            }
            RowId::Server(_, server) | RowId::Share(_, server, _) => (of_server(app, server.as_str()), None),
            RowId::Wish(path, _) => (of_server(app, path.server.as_str()), None),
            RowId::Frontend(_) | RowId::Backend(_) => (of_balancers(app), None),
            RowId::Run(_) => return Err("A run has its own journal: Enter opens its story.".to_owned()),
        };
        if sources.is_empty() {
            return Err("No node of the inventory stands behind this row.".to_owned());
        }
        Ok(Self::of(about(row), sources, began))
    }

    /// What InnoDB says of itself on the node under the cursor, then its logs.
    pub(crate) fn status_text(here: &Here<'_>) -> Result<Self, String> {
        let Some(RowId::Node(name)) = &here.row else {
            return Err("There is no database under the cursor.".to_owned());
        };
        let node = here.app.world.node(name);
        if node.is_none_or(|node| node.mysql.last().is_none()) {
            return Err(format!("The database of {name} was not read yet."));
        }
        Ok(Self::of(name.to_string(), of_daemon(here.app, name, LogId::InnodbStatus), None))
    }

    fn of(about: String, sources: Vec<(NodeName, LogId)>, began: Option<Wall>) -> Self {
        Self {
            about,
            sources,
            chosen: 0,
            began,
            window: began.map_or(LogWindow::Newest, LogWindow::Around),
            page: None,
            trouble: None,
            back: 0,
            filter: String::new(),
            is_filtering: false,
            ask: 0,
            is_asked: false,
            answered: None,
        }
    }

    /// Whether it is a look at the present, read when somebody asks for it: it is not followed, and begins at its top.
    pub(crate) fn is_text(&self) -> bool {
        self.source().is_some_and(|(_, log)| *log == LogId::InnodbStatus)
    }

    /// The log that is open.
    pub(crate) fn source(&self) -> Option<&(NodeName, LogId)> {
        self.sources.get(self.chosen)
    }

    /// Asks again from the beginning: another log, another part of it.
    fn anew(&mut self) {
        (self.page, self.trouble, self.back, self.is_asked, self.answered) = (None, None, 0, false, None);
    }

    /// The lines that are shown.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> {
        let lines = self.page.iter().flat_map(|page| &page.lines);
        lines.filter(|line| {
            rows::contains(line.text.as_str(), &self.filter) || rows::contains(line.from.as_str(), &self.filter)
        })
    }
}

fn about(row: &RowId) -> String {
    match row {
        RowId::Finding(_, subject) => subject.to_string(),
        RowId::Node(name) => name.to_string(),
        RowId::Guest(_, name) => name.to_string(),
        RowId::Bridge(node, name) | RowId::Port(node, _, name, _) | RowId::Setting(node, name) => {
            format!("{node} {name}")
        }
        RowId::Frontend(name) | RowId::Backend(name) => name.to_string(),
        RowId::Server(backend, server) | RowId::Share(backend, server, _) => format!("{backend}/{server}"),
        RowId::Wish(path, _) => path.to_string(),
        RowId::Run(_) => String::new(),
    }
}

/// One daemon of a node, then everything else of it.
fn of_daemon(app: &App, name: &NodeName, log: LogId) -> Vec<(NodeName, LogId)> {
    let rest = of_node(app, name).into_iter().filter(|(_, other)| *other != log);
    std::iter::once((name.clone(), log)).chain(rest).collect()
}

fn of_node(app: &App, name: &NodeName) -> Vec<(NodeName, LogId)> {
    let Some(node) = app.inventory.node(name) else { return Vec::new() };
    let general = [LogId::System, LogId::Kernel, LogId::Ssh];
    of_roles(node).into_iter().chain(general).map(|log| (name.clone(), log)).collect()
}

/// The daemons that its roles say it runs.
fn of_roles(node: &Node) -> Vec<LogId> {
    let mut logs = Vec::new();
    for role in &node.roles {
        logs.extend(match role {
            Role::Edge => vec![LogId::Haproxy, LogId::Keepalived],
            Role::Web | Role::App => vec![LogId::Web],
            Role::Database => vec![LogId::Database],
            Role::Cache => vec![LogId::Memcached],
            Role::Storage => vec![LogId::Nfs],
            Role::Hypervisor => vec![LogId::Libvirt, LogId::OpenVSwitch],
        });
    }
    logs
}

fn of_balancers(app: &App) -> Vec<(NodeName, LogId)> {
    let balancers = app.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some());
    balancers.map(|node| (node.name.clone(), LogId::Haproxy)).collect()
}

/// The node of a server, then what load balancers say of it.
fn of_server(app: &App, server: &str) -> Vec<(NodeName, LogId)> {
    let behind = of_node(app, &NodeName::from(server));
    behind.into_iter().chain(of_balancers(app)).collect()
}

/// By what the rule is about, on the nodes that the finding names; then everything of these nodes.
fn of_finding(app: &App, finding: &Finding) -> Vec<(NodeName, LogId)> {
    let family = finding.rule.as_str().split('.').next().unwrap_or_default();
    let about = match family {
        "host" => vec![LogId::Kernel, LogId::System],
        "ovs" | "bridge" | "network" => vec![LogId::OpenVSwitch, LogId::Kernel],
        "mysql" | "database" | "replication" => vec![LogId::Database],
        "libvirt" | "vm" | "machine" => vec![LogId::Libvirt],
        "vip" | "keepalived" => vec![LogId::Keepalived],
        "memcached" => vec![LogId::Memcached],
        "nfs" => vec![LogId::Nfs],
        "web" => vec![LogId::Web],
        "node" => vec![LogId::System, LogId::Ssh],
        _ => Vec::new(),
    };
    let nodes = || finding.node.iter().chain(finding.nodes.iter().filter(|name| Some(*name) != finding.node.as_ref()));
    let mut sources: Vec<(NodeName, LogId)> = Vec::new();
    let mut add = |source: (NodeName, LogId)| {
        if !sources.contains(&source) {
            sources.push(source);
        }
    };
    nodes().for_each(|name| about.iter().for_each(|log| add((name.clone(), *log))));
    if family == "haproxy" || family == "traffic" {
        of_balancers(app).into_iter().for_each(&mut add);
    }
    nodes().flat_map(|name| of_node(app, name)).for_each(&mut add);
    sources
}

/// Opens the logs behind the row under the cursor.
pub(crate) fn open(app: &mut App) -> Vec<Effect> {
    let opened = Logs::behind(&Here::of(app));
    match opened {
        Ok(logs) => app.overlay = Overlay::Logs(Box::new(logs)),
        Err(reason) => app.notify(reason),
    }
    due(app)
}

/// Opens the engine's status text of the database under the cursor.
pub(crate) fn open_status_text(app: &mut App) -> Vec<Effect> {
    let opened = Logs::status_text(&Here::of(app));
    match opened {
        Ok(logs) => app.overlay = Overlay::Logs(Box::new(logs)),
        Err(reason) => app.notify(reason),
    }
    due(app)
}

/// Asks the node when it is time.
pub(crate) fn due(app: &mut App) -> Vec<Effect> {
    let now = app.now.mono;
    let Overlay::Logs(logs) = &mut app.overlay else { return Vec::new() };
    let is_followed = logs.window == LogWindow::Newest && logs.back == 0 && !logs.is_text();
    let is_due = match logs.answered {
        None => true,
        Some(at) => is_followed && now.since_ms(at) >= FOLLOW_MS,
    };
    let Some((node, log)) = logs.source().cloned().filter(|_| is_due && !logs.is_asked) else { return Vec::new() };
    logs.ask = logs.ask.wrapping_add(1);
    logs.is_asked = true;
    vec![Effect::Log(LogAsk { number: logs.ask, node, log, window: logs.window })]
}

/// An answer. What was asked before another log was chosen is dropped.
pub(crate) fn answered(app: &mut App, number: u64, outcome: Result<LogPage, Trouble>) {
    let now = app.now.mono;
    let Overlay::Logs(logs) = &mut app.overlay else { return };
    if logs.ask != number || !logs.is_asked {
        return;
    }
    (logs.is_asked, logs.answered) = (false, Some(now));
    match outcome {
        Ok(page) => {
            // What the operator reads stays where it is while newer lines arrive.
            let grown = page.lines.len().saturating_sub(logs.page.as_ref().map_or(0, |page| page.lines.len()));
            logs.back += if logs.back > 0 { grown } else { 0 };
            if logs.is_text() {
                logs.back = page.lines.len().saturating_sub(1);
            }
            (logs.page, logs.trouble) = (Some(page), None);
        }
        Err(trouble) => logs.trouble = Some(trouble.cause),
    }
}

/// A key while logs are open.
pub(crate) fn key(app: &mut App, mut logs: Box<Logs>, key: Key) -> Vec<Effect> {
    if logs.is_filtering {
        filter_key(&mut logs, key);
        app.overlay = Overlay::Logs(logs);
        return Vec::new();
    }
    let page = usize::from(app.size.height.saturating_sub(6)).max(1);
    match (key.code, key.ctrl) {
        (KeyCode::Esc | KeyCode::Char('q'), _) => return Vec::new(),
        (KeyCode::Up | KeyCode::Char('k'), false) => logs.back += 1,
        (KeyCode::Down | KeyCode::Char('j'), false) => logs.back = logs.back.saturating_sub(1),
        (KeyCode::PageUp, _) | (KeyCode::Char('u'), true) => logs.back += page,
        (KeyCode::PageDown, _) | (KeyCode::Char('d'), true) => logs.back = logs.back.saturating_sub(page),
        (KeyCode::Home, _) => logs.back = usize::MAX / 2,
        (KeyCode::End, _) => logs.back = 0,
        (KeyCode::Tab, _) => choose(&mut logs, 1),
        (KeyCode::BackTab, _) => choose(&mut logs, -1),
        (KeyCode::Char('/'), _) => logs.is_filtering = true,
        (KeyCode::Char('r'), false) => logs.anew(),
        (KeyCode::Char('t'), _) if logs.began.is_some() => {
            let around = logs.began.map_or(LogWindow::Newest, LogWindow::Around);
            logs.window = if logs.window == LogWindow::Newest { around } else { LogWindow::Newest };
            logs.anew();
        }
        (KeyCode::Char('y'), _) => {
            let text: Vec<String> = logs.lines().map(|line| plain(app, line)).collect();
            app.notify(format!("Sent to the clipboard: {} lines", text.len()));
            app.overlay = Overlay::Logs(logs);
            return vec![Effect::Copy(text.join("\n"))];
        }
        _ => {}
    }
    logs.back = logs.back.min(logs.lines().count().saturating_sub(1));
    app.overlay = Overlay::Logs(logs);
    due(app)
}

fn choose(logs: &mut Logs, step: isize) {
    let count = isize::try_from(logs.sources.len()).unwrap_or(1).max(1);
    let next = (isize::try_from(logs.chosen).unwrap_or(0) + step).rem_euclid(count);
    logs.chosen = usize::try_from(next).unwrap_or(0);
    logs.anew();
}

/// The filter acts while it is typed; Enter keeps it, Esc removes it.
fn filter_key(logs: &mut Logs, key: Key) {
    match (key.code, key.ctrl) {
        (KeyCode::Enter, _) => logs.is_filtering = false,
        (KeyCode::Esc, _) => (logs.is_filtering, logs.filter) = (false, String::new()),
        (KeyCode::Backspace, _) => _ = logs.filter.pop(),
        (KeyCode::Char('u'), true) => logs.filter.clear(),
        (KeyCode::Char(c), false) => add(logs, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
    logs.back = 0;
}

/// Adds to the filter, in lower case as filters are kept.
pub(crate) fn add(logs: &mut Logs, text: &str) {
    if logs.is_filtering {
        let room = FILTER_MAX.saturating_sub(logs.filter.chars().count());
        let typed = text.chars().filter(|c| !c.is_control()).take(room);
        logs.filter.extend(typed.flat_map(char::to_lowercase));
    }
}

/// What is open, on top: which log of which node, and which of how many.
pub(crate) fn title(logs: &Logs) -> String {
    let word = if logs.is_text() { "" } else { " log" };
    let log = logs.source().map(|(node, log)| format!("{}{word} of {node}", logs::title(*log))).unwrap_or_default();
    match logs.sources.len() {
        1 => format!("{log}, behind {}", logs.about),
        count => format!("{log}, {} of {count} behind {}", logs.chosen + 1, logs.about),
    }
}

/// Which part is shown, and how it stands with asking for it.
pub(crate) fn state(app: &App, logs: &Logs) -> Line {
    let mut line = vec![match logs.window {
        _ if logs.is_text() => {
            let read = logs.answered.map(|at| app.now.mono.since_ms(at));
            let age = read.map_or_else(String::new, |ms| format!("read {} ago, ", figures::age(ms)));
            Span::dim(format!("{age}literals masked; r reads it again"))
        }
        LogWindow::Newest if logs.back == 0 => Span::dim("newest lines, followed"),
        LogWindow::Newest => Span::new(format!("{} lines back, not followed; End follows", logs.back), Meaning::Warn),
        LogWindow::Around(at) => Span::dim(format!("from 2 m before {} to 5 m after", clock(app, at, "%H:%M:%S"))),
    }];
    if !logs.filter.is_empty() || logs.is_filtering {
        line.push(Span::dim("   filter: "));
        line.push(Span::new(logs.filter.clone(), Meaning::Accent));
    }
    if logs.page.is_none() && logs.trouble.is_none() {
        line.push(Span::new("   reading…", Meaning::Unknown));
    }
    line
}

/// Everything below the title: lines, what is missing, or why there is nothing.
pub(crate) fn body(app: &App, logs: &Logs) -> Vec<Line> {
    let mut lines: Vec<Line> = logs.lines().map(|line| shown(app, logs, line)).collect();
    let Some(page) = &logs.page else {
        lines.extend(logs.trouble.iter().map(|why| vec![Span::signed(why.as_str(), Meaning::Unknown)]));
        return lines;
    };
    if page.lines.is_empty() {
        lines.push(vec![Span::signed(
            "The log holds nothing of that time, or the node keeps no such log.",
            Meaning::Unknown,
        )]);
    } else if lines.is_empty() {
        lines.push(vec![Span::dim("No line contains the filter. / changes it.")]);
    }
    lines.extend(page.missing.iter().map(|what| vec![Span::signed(what.as_str(), Meaning::Unknown)]));
    lines.extend(logs.trouble.iter().map(|why| vec![Span::signed(&format!("older lines: {why}"), Meaning::Stale)]));
    lines
}

/// Columns before the text of a line, for parts that are broken.
pub(crate) fn indent(logs: &Logs) -> u16 {
    if logs.is_text() { 4 } else { u16::try_from(PREFIX_WIDTH).unwrap_or(0) }
}

fn shown(app: &App, logs: &Logs, line: &LogLine) -> Line {
    if logs.is_text() {
        return vec![Span::plain(line.text.as_str())];
    }
    let time = line.at.map_or_else(|| " ".repeat(12), |at| clock(app, at, "%H:%M:%S%.3f"));
    let from: String = line.from.as_str().chars().take(FROM_WIDTH).collect();
    let is_after = logs.began.zip(line.at).is_some_and(|(began, at)| at >= began);
    let time_meaning = if is_after && logs.window != LogWindow::Newest { Meaning::Accent } else { Meaning::Dim };
    vec![
        Span::new(format!("{time}  "), time_meaning),
        Span::dim(format!("{from:<FROM_WIDTH$}")),
        Span::new(line.text.as_str(), meaning(line.text.as_str())),
    ]
}

fn plain(app: &App, line: &LogLine) -> String {
    if line.at.is_none() && line.from.is_empty() {
        return line.text.to_string();
    }
    let time = line.at.map_or_else(String::new, |at| clock(app, at, "%Y-%m-%d %H:%M:%S%.3f "));
    format!("{time}{}: {}", line.from, line.text)
}

fn clock(app: &App, at: Wall, format: &str) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.0);
    stamp.map_or_else(|_| "?".to_owned(), |at| at.to_zoned(app.options.zone.clone()).strftime(format).to_string())
}

/// By the words that daemons use; a line that says nothing of the kind is ordinary.
fn meaning(text: &str) -> Meaning {
    let has = |words: &[&str]| words.iter().any(|word| rows::contains(text, word));
    if has(&["error", "fatal", "panic", "crit", "|err|", "|emer|", "out of memory", " is down"]) {
        Meaning::Crit
    } else if has(&["warn", "fail", "refused", "timeout", "timed out"]) {
        Meaning::Warn
    } else {
        Meaning::Text
    }
}
