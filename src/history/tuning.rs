//! Settings of all nodes side by side: how each runs, what its file says, what is advised, and who differs from whom.
//!
//! One function ([`survey`]) for the command line, the screen and plans, so that they never say different things.

mod haproxy;
mod ports;

pub use haproxy::drifts;

use crate::{
    history::mysql::device::carrier,
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        inventory::{Inventory, Node, Role},
        mysql::{MemoryBudget, MysqlFacts},
        text::Clean,
        tuning::{
            Advice, Basis, How, OF, Peak, Place, Reading, Rule, Setting, Technology, TuningSample, Variable, advise,
            catalogue,
        },
        world::{NodeFacts, World},
    },
};
use std::collections::BTreeMap;

/// One setting on one node.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The node.
    pub node: NodeName,
    /// The setting.
    pub setting: &'static Setting,
    /// Of which frontend or server, where there are several of it on a node.
    pub object: Option<Clean>,
    /// Its name there.
    pub name: Figure<Clean>,
    /// By which value the node runs.
    pub running: Figure<Clean>,
    /// What the file that wins says, and where; nothing where no file says anything.
    pub configured: Figure<Option<Configured>>,
    /// The value without any file.
    pub default: Figure<Clean>,
    /// What values it takes, and when a new one counts.
    pub limits: Limits,
    /// What is advised.
    pub advice: Advice,
    /// What stands out.
    pub marks: Vec<Mark>,
}

/// What values a setting takes, by the word of whoever has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// The smallest and the largest value.
    pub range: Option<(Clean, Clean)>,
    /// The words that it takes.
    pub choices: Vec<Clean>,
    /// Whether a new value needs a restart.
    pub needs_restart: bool,
}

impl Limits {
    /// Of a setting of a server; what the server does not say of restarts, the catalogue does.
    pub fn of(setting: &Setting, variable: &Variable) -> Self {
        let says =
            setting.change == How::Restart || setting.mysql_restart.iter().any(|name| name == variable.name.as_str());
        Self {
            range: variable.minimum.clone().zip(variable.maximum.clone()),
            choices: variable.choices.clone(),
            needs_restart: variable.is_read_only.unwrap_or(says),
        }
    }
}

/// Rows that say the same of several nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// What they say; its node is the first of them.
    pub row: Row,
    /// The nodes.
    pub nodes: Vec<NodeName>,
}

/// Rows that say the same, in the order of the first of each.
pub fn fold(rows: Vec<Row>) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    // Those of one setting stand together.
    let mut first = 0;
    for row in rows {
        if folds.last().is_none_or(|last| last.row.setting.key != row.setting.key) {
            first = folds.len();
        }
        match folds[first..].iter_mut().find(|fold| fold.row.says_the_same(&row)) {
            Some(fold) => fold.nodes.push(row.node),
            None => folds.push(Fold { nodes: vec![row.node.clone()], row }),
        }
    }
    folds
}

/// A value in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configured {
    /// The value, in the one text of its unit.
    pub value: Clean,
    /// The file.
    pub file: Clean,
    /// The line; 0 where it is no file with lines.
    pub line: u32,
}

/// What stands out about a setting on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A crash loses more than it must.
    Relaxed,
    /// It runs otherwise than its file says: a restart brings that back.
    NotAsInFile,
    /// It was set while the daemon ran and is in no file: a restart takes it away.
    InNoFile,
    /// Most others run otherwise.
    Differs {
        /// How they run; nothing where no value has a majority.
        majority: Option<Clean>,
        /// How many of them.
        agree: usize,
        /// Of how many.
        of: usize,
    },
    /// Something else is advised.
    NotAsAdvised,
}

impl Mark {
    /// In words: "2 of 3 have 200".
    pub fn words(&self, setting: &Setting) -> String {
        match self {
            Self::Relaxed => "a crash loses more".to_owned(),
            Self::NotAsInFile => "unlike its file".to_owned(),
            Self::InNoFile => "in no file".to_owned(),
            Self::Differs { majority: Some(value), agree, of } => {
                format!("{agree} of {of} have {}", setting.unit.words(value.as_str()))
            }
            Self::Differs { majority: None, of, .. } => format!("the {of} nodes differ"),
            Self::NotAsAdvised => "not as advised".to_owned(),
        }
    }

    /// A word for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::NotAsInFile => "not_as_in_file",
            Self::InNoFile => "in_no_file",
            Self::Differs { .. } => "differs",
            Self::NotAsAdvised => "not_as_advised",
        }
    }

    /// Whether it says that nodes, files and the running daemon do not agree, or that data is at risk; advice is no more
    /// than advice.
    pub fn is_trouble(&self) -> bool {
        *self != Self::NotAsAdvised
    }
}

impl Row {
    /// What it is called in a change: "haproxy.server.maxconn@web_cluster/web01".
    pub fn key(&self) -> String {
        match &self.object {
            Some(object) => format!("{}{OF}{object}", self.setting.key),
            None => self.setting.key.clone(),
        }
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.object == other.object
            && self.running == other.running
            && self.configured == other.configured
            && self.default == other.default
            && self.advice == other.advice
            && self.marks == other.marks
    }

    /// What it is called: "web_cluster/web01 maxconn".
    pub fn title(&self) -> String {
        match &self.object {
            // What tells rows apart comes first: a narrow column cuts the end.
            Some(object) => {
                let key = self.setting.key.trim_start_matches("haproxy.");
                let key =
                    ["frontend.", "server.", "ovs."].iter().find_map(|head| key.strip_prefix(head)).unwrap_or(key);
                format!("{object} {}", key.replace('.', " "))
            }
            None => self.setting.key.clone(),
        }
    }
}

/// Every setting of the catalogue on every node that has it, in the order of the catalogue.
pub fn survey(world: &World, inventory: &Inventory) -> Vec<Row> {
    let mut rows = Vec::new();
    let samples: Vec<&TuningSample> = world.nodes.iter().filter_map(|facts| facts.tuning.last()).collect();
    for setting in &catalogue().settings {
        let first = rows.len();
        for (node, facts) in inventory.nodes.iter().zip(&world.nodes) {
            rows.extend(rows_of(setting, node, facts, &samples));
        }
        compare(&mut rows[first..]);
    }
    rows
}

/// The node of that name, or all nodes with the role of that name.
pub fn called<'i>(inventory: &'i Inventory, word: &str) -> Vec<&'i Node> {
    if let Some(node) = inventory.nodes.iter().find(|node| node.name.as_str() == word) {
        return vec![node];
    }
    inventory.nodes.iter().filter(|node| node.roles.iter().any(|role| role.word() == word)).collect()
}

/// Whether a node has what the setting is about.
pub fn has(setting: &Setting, node: &Node) -> bool {
    let is_there = match setting.technology {
        Technology::Database => node.database.is_some(),
        Technology::Haproxy => node.haproxy_socket.is_some(),
        Technology::Kernel => true,
        Technology::Ovs => node.ovs.is_some(),
    };
    is_there && (setting.roles.is_empty() || setting.roles.iter().any(|role| node.roles.contains(role)))
}

fn rows_of(setting: &'static Setting, node: &Node, facts: &NodeFacts, samples: &[&TuningSample]) -> Vec<Row> {
    if !has(setting, node) {
        return Vec::new();
    }
    if setting.technology == Technology::Haproxy {
        return haproxy::rows(setting, node, facts);
    }
    if setting.technology == Technology::Ovs {
        return ports::rows(setting, node, facts);
    }
    let reading = match facts.tuning.last() {
        Some(sample) => sample.reading_among(setting, samples),
        None => Reading::unknown(Unknown::NotReadYet),
    };
    // What a server does not have needs no row; that it was not read does.
    if reading.running == Figure::Unknown(Unknown::NotOffered) {
        return Vec::new();
    }
    let basis = basis(node, facts);
    let advice = advise(setting, &reading.running, &basis);
    let marks = marks(setting, &reading, &advice, basis.place);
    vec![Row {
        node: node.name.clone(),
        setting,
        object: None,
        name: reading.name.clone(),
        configured: reading
            .configured
            .map(|found| found.map(|(value, place)| Configured { value, file: place.file.clone(), line: place.line })),
        default: reading.default,
        running: reading.running,
        limits: reading.variable.map(|variable| Limits::of(setting, variable)).unwrap_or_default(),
        advice,
        marks,
    }]
}

/// A setting of a node that is in trouble by itself, whatever other nodes have.
#[derive(Debug)]
pub struct Trouble<'a> {
    /// The setting.
    pub setting: &'static Setting,
    /// What is known of it.
    pub reading: Reading<'a>,
    /// Why.
    pub marks: Vec<Mark>,
}

/// The settings of a node that are; `others` are those of the cluster, which may tell a default.
pub fn troubles<'a>(
    node: &Node,
    sample: &'a TuningSample,
    others: &[&TuningSample],
    place: Figure<Place>,
) -> Vec<Trouble<'a>> {
    let is_elsewhere = |technology| matches!(technology, Technology::Haproxy | Technology::Ovs);
    let settings = catalogue().settings.iter().filter(|setting| !is_elsewhere(setting.technology));
    let judged = settings.filter(|setting| has(setting, node)).map(|setting| {
        let reading = sample.reading_among(setting, others);
        let marks = marks(setting, &reading, &Advice::Nothing, place);
        Trouble { setting, reading, marks }
    });
    judged.filter(|trouble| !trouble.marks.is_empty()).collect()
}

impl Trouble<'_> {
    /// How it runs: "sync_binlog is 0".
    pub fn words(&self) -> String {
        let value = self.reading.running.as_ref().known().map_or("?", Clean::as_str);
        format!("{} is {}", self.setting.key, self.setting.unit.words(value))
    }

    /// What the file that wins says, and which it is.
    pub fn in_file(&self) -> Option<(String, String)> {
        let Figure::Known(Some((value, found))) = &self.reading.configured else { return None };
        Some((self.setting.unit.words(value.as_str()), format!("{}:{}", found.file, found.line)))
    }
}

fn marks(setting: &Setting, reading: &Reading<'_>, advice: &Advice, place: Figure<Place>) -> Vec<Mark> {
    let mut marks = Vec::new();
    let running = reading.running.as_ref().known();
    if running.is_some_and(|value| is_relaxed_at(setting, value.as_str(), place)) {
        marks.push(Mark::Relaxed);
    }
    if let (Some(running), Figure::Known(Some((configured, _)))) = (running, &reading.configured)
        && running != configured
    {
        marks.push(Mark::NotAsInFile);
    }
    let is_set = |variable: &Variable| {
        variable.origin.as_ref().is_some_and(|origin| matches!(origin.as_str(), "SQL" | "DYNAMIC"))
    };
    if !moves_with_the_primary(setting)
        && reading.variable.is_some_and(is_set)
        && reading.configured == Figure::Known(None)
        && reading.default.as_ref().known() != running
    {
        marks.push(Mark::InNoFile);
    }
    if matches!(advice, Advice::Value { is_met: Figure::Known(false), .. }) {
        marks.push(Mark::NotAsAdvised);
    }
    marks
}

/// Whether a crash there loses more with that value than it must.
pub fn is_relaxed_at(setting: &Setting, value: &str, place: Figure<Place>) -> bool {
    // Where it is not known who takes writes, it may be this one.
    let matters = setting.safe_on == Place::Anywhere || place.known().is_none_or(|place| place == setting.safe_on);
    matters && setting.is_relaxed(value)
}

/// Settings that a switchover sets by itself: nodes differ in them by design.
fn moves_with_the_primary(setting: &Setting) -> bool {
    matches!(&setting.recommend, Rule::Fixed { on, .. } if *on != Place::Anywhere)
}

/// Marks who differs from most. `rows` are of one setting.
fn compare(rows: &mut [Row]) {
    if rows.first().is_none_or(|row| moves_with_the_primary(row.setting)) {
        return;
    }
    let mut groups: BTreeMap<Option<Clean>, BTreeMap<Clean, usize>> = BTreeMap::new();
    for row in rows.iter() {
        if let Figure::Known(value) = &row.running {
            *groups.entry(row.object.clone()).or_default().entry(value.clone()).or_default() += 1;
        }
    }
    for row in rows {
        let Some(values) = groups.get(&row.object).filter(|values| values.len() > 1) else { continue };
        let of: usize = values.values().sum();
        let most = values.iter().max_by_key(|(_, count)| **count).filter(|(_, count)| **count * 2 > of);
        let Figure::Known(own) = &row.running else { continue };
        let mark = match most {
            Some((value, _)) if value == own => continue,
            Some((value, agree)) => Mark::Differs { majority: Some(value.clone()), agree: *agree, of },
            None => Mark::Differs { majority: None, agree: 0, of },
        };
        // What may be lost comes first.
        let place = row.marks.iter().position(|mark| *mark != Mark::Relaxed).unwrap_or(row.marks.len());
        row.marks.insert(place, mark);
    }
}

/// What advice about a node rests on.
pub fn basis(node: &Node, facts: &NodeFacts) -> Basis {
    let host = facts.host.last();
    let memory_bytes = host.map_or(Figure::Unknown(Unknown::NotReadYet), |host| {
        host.sample.memory.as_ref().map(|memory| memory.total_bytes)
    });
    let processors = host.map_or(Figure::Unknown(Unknown::NotReadYet), |host| host.sample.cpus.map(u64::from));
    let mysql = facts.mysql.last();
    Basis {
        memory_bytes,
        processors,
        rotational: rotational(facts, mysql),
        is_dedicated: node.roles == [Role::Database],
        place: mysql.map_or(Figure::Unknown(Unknown::NotReadYet), place),
        redo_bytes_per_h: mysql
            .map_or(Figure::Unknown(Unknown::NotReadYet), |facts| facts.rates.redo.written_bytes_per_h),
        peak: mysql.map_or(Figure::Unknown(Unknown::NotReadYet), |facts| connections(facts, memory_bytes)),
    }
}

fn place(facts: &MysqlFacts) -> Figure<Place> {
    facts.takes_writes().map(|takes| if takes { Place::Primary } else { Place::Replica })
}

fn rotational(facts: &NodeFacts, mysql: Option<&MysqlFacts>) -> Figure<bool> {
    let directory = match mysql.map(|facts| &facts.sample.identity.data_directory) {
        Some(Figure::Known(directory)) => directory,
        Some(Figure::Unknown(why)) => return Figure::Unknown(*why),
        None => return Figure::Unknown(Unknown::NotReadYet),
    };
    carrier(directory.as_str(), facts.profile.last(), facts.host.last()).rotational
}

fn connections(facts: &MysqlFacts, memory_bytes: Figure<u64>) -> Figure<Peak> {
    let room = |budget: MemoryBudget| {
        let left = memory_bytes.known()?.saturating_sub(budget.global_bytes);
        left.checked_div(budget.session_bytes)
    };
    let count = facts.sample.server.connections_used_max;
    count.map(|count| Peak { count, room: facts.rates.memory.known().and_then(room) })
}
