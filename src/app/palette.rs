//! The palette: every command, node and server by name, found by a few of its letters. Or a list of one kind to choose
//! from, such as the sessions of a database.

use super::{
    App, Overlay, actions, changes, command,
    command::Here,
    commands::rows::go_to_node,
    effect::Effect,
    planning,
    rows::RowId,
    screen::{Place, ScreenId},
    traffic::Traffic,
};
use crate::{
    model::{
        ids::{NodeName, ProxyName, ServerName},
        intent::{Change, Intent, SessionPart, SessionPath},
        mysql::{MysqlFacts, Process, root_blockers},
        text::Clean,
    },
    plan::session,
};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use std::cmp::Reverse;

/// More lines than anybody reads.
const MATCHES_MAX: usize = 100;

/// The open palette.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Palette {
    /// What is typed.
    pub(crate) query: String,
    /// The marked line.
    pub(crate) marked: usize,
    /// Of which node's sessions one is chosen; none where everything is found.
    #[serde(default)]
    pub(crate) sessions_of: Option<NodeName>,
    entries: Vec<Entry>,
    /// Places of the entries that match, best first.
    matches: Vec<usize>,
    /// What is typed, where it is the words of `vakt do`.
    typed: Option<Entry>,
}

/// A line of the palette.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it says.
    pub(crate) title: String,
    /// What kind of thing it is: the key of a command, or a word.
    pub(crate) aside: String,
    /// Why it cannot be taken now.
    pub(crate) refused: Option<String>,
    target: Target,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    /// The words of an action: what they want, or what is wrong with them.
    Words(Result<Box<Intent>, String>),
    /// An action whose words are to be typed.
    Action(String),
    Command(CommandId),
    Node(NodeName),
    Server(ProxyName, ServerName),
}

/// The id of a command; written down as text, read back only if there is such a command.
#[derive(Debug, Clone, Copy, Serialize)]
struct CommandId(&'static str);

impl<'de> Deserialize<'de> for CommandId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        let known = command::find(&id).map(|command| Self(command.id));
        known.ok_or_else(|| D::Error::custom(format!("no command is called {id}")))
    }
}

impl Palette {
    /// A palette of what there is now.
    pub(crate) fn new(app: &App) -> Self {
        let mut palette = Self { entries: entries(app), ..Self::default() };
        palette.search();
        palette
    }

    /// The sessions of a database, to choose one that shall end; those that others wait for come first.
    pub(crate) fn of_sessions(node: &NodeName, facts: &MysqlFacts) -> Self {
        let mut palette = Self { entries: sessions(node, facts), sessions_of: Some(node.clone()), ..Self::default() };
        palette.search();
        palette
    }

    /// A palette in which words stand already, to be changed and taken.
    pub(crate) fn with(app: &App, words: &str) -> Self {
        let mut palette = Self::new(app);
        palette.edit(|query| words.clone_into(query));
        palette
    }

    /// The lines that match, best first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Entry> {
        self.typed.iter().chain(self.matches.iter().filter_map(|place| self.entries.get(*place)))
    }

    /// How many lines match.
    pub(crate) fn count(&self) -> usize {
        self.matches.len() + usize::from(self.typed.is_some())
    }

    /// Changes what is typed.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.query);
        self.marked = 0;
        self.search();
    }

    /// Moves the mark.
    pub(crate) fn mark(&mut self, step: isize) {
        self.marked = self.marked.saturating_add_signed(step).min(self.count().saturating_sub(1));
    }

    fn search(&mut self) {
        self.typed = typed_words(&self.query);
        if self.typed.is_some() {
            self.matches.clear();
            return;
        }
        if self.query.is_empty() {
            self.matches = (0..self.entries.len()).take(MATCHES_MAX).collect();
            return;
        }
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Pattern::parse(&self.query, CaseMatching::Ignore, Normalization::Smart);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = Vec::new();
        for (place, entry) in self.entries.iter().enumerate() {
            buffer.clear();
            if let Some(score) = pattern.score(Utf32Str::new(&entry.title, &mut buffer), &mut matcher) {
                scored.push((score, place));
            }
        }
        scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        self.matches = scored.into_iter().take(MATCHES_MAX).map(|(_, place)| place).collect();
    }
}

/// Takes the marked line.
pub(crate) fn take(app: &mut App, palette: Palette) -> Vec<Effect> {
    let Some(entry) = palette.lines().nth(palette.marked) else { return Vec::new() };
    match entry.target.clone() {
        Target::Words(Ok(intent)) => {
            planning::open(app, *intent);
            Vec::new()
        }
        // What is wrong stays in front of the operator, and so does what was typed.
        Target::Words(Err(why)) => {
            app.notify(capital(&why));
            app.overlay = Overlay::Palette(palette);
            Vec::new()
        }
        Target::Action(id) => {
            let mut palette = palette;
            palette.edit(|query| *query = format!("{id} "));
            app.overlay = Overlay::Palette(palette);
            Vec::new()
        }
        Target::Command(CommandId(id)) => {
            command::find(id).map_or_else(Vec::new, |command| command::give(app, command))
        }
        Target::Node(name) => go_to_node(app, name),
        Target::Server(backend, server) => {
            let state = app.screens.of_mut(ScreenId::Traffic);
            state.filter.clear();
            state.cursor.put(RowId::Server(backend.clone(), server), 0);
            app.screens.folded.remove(&backend);
            app.go(Place::new(ScreenId::Traffic));
            Vec::new()
        }
    }
}

/// Commands first, then nodes, then servers. Motions are left out: nobody looks for "Down".
fn entries(app: &App) -> Vec<Entry> {
    let motions = ["row.down", "row.up", "row.page_down", "row.page_up", "row.first", "row.last", "console.palette"];
    let here = Here::of(app);
    let commands = command::here(app).filter(|command| !motions.contains(&command.id)).map(|command| Entry {
        title: command.title.to_owned(),
        aside: app.keymap.shown(command.id).unwrap_or_default(),
        refused: command::available(command, &here)
            .err()
            .or_else(|| changes::caution(app).filter(|_| command.danger.reaches_the_cluster())),
        target: Target::Command(CommandId(command.id)),
    });
    let nodes = app.inventory.nodes.iter().map(|node| Entry {
        title: node.name.to_string(),
        aside: node.roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", "),
        refused: None,
        target: Target::Node(node.name.clone()),
    });
    let traffic = Traffic::merge(app.seen());
    let servers = traffic.pools.iter().flat_map(|pool| {
        pool.servers.iter().map(|server| Entry {
            title: format!("{}/{server}", pool.proxy.name),
            aside: "server".to_owned(),
            refused: None,
            target: Target::Server(pool.proxy.name.clone(), (*server).clone()),
        })
    });
    let actions = actions::ALL.iter().map(|action| Entry {
        title: action.usage.to_owned(),
        aside: "words".to_owned(),
        refused: None,
        target: Target::Action(action.id.to_owned()),
    });
    commands.chain(nodes).chain(servers).chain(actions).collect()
}

/// Sessions of clients, the ones that hold most others up first, then those that are longest in their statement.
fn sessions(node: &NodeName, facts: &MysqlFacts) -> Vec<Entry> {
    let sample = &facts.sample;
    let waits = sample.lock_waits.as_ref().known().map_or(&[][..], Vec::as_slice);
    let roots = root_blockers(waits);
    let behind = |id: u64| roots.iter().find(|(root, _)| *root == id).map_or(0, |(_, behind)| *behind);
    let is_idle =
        |process: &Process| process.command.as_ref().known().is_none_or(|command| command.as_str() == "Sleep");
    let mut all: Vec<&Process> = sample.processes.as_ref().known().into_iter().flatten().collect();
    all.retain(|process| session::is_of_client(process));
    all.sort_by_key(|one| (Reverse(behind(one.id)), is_idle(one), Reverse(one.seconds.known()), one.id));
    let entry = |process: &Process| {
        let waiting = behind(process.id);
        let path = SessionPath { node: node.clone(), id: process.id };
        let change = Change::MysqlKill { session: path, part: SessionPart::Session };
        let statement = process.statement.as_ref().known().map_or("", Clean::as_str);
        Entry {
            title: format!("{}  {statement}", session::words_of(process)).trim_end().to_owned(),
            aside: if waiting > 0 { format!("{waiting} wait for it") } else { String::new() },
            refused: None,
            target: Target::Words(Ok(Box::new(Intent::new(change, None)))),
        }
    };
    all.into_iter().map(entry).collect()
}

/// What is typed, where it begins with an action and a space: one line that says what it is, or what is wrong with it.
fn typed_words(query: &str) -> Option<Entry> {
    let (action, _) = query.trim_start().split_once(' ')?;
    let known = actions::find(action)?;
    let intent = split_words(query).and_then(|words| Intent::parse(&words).map_err(|wrong| wrong.to_string()));
    Some(Entry {
        title: known.title.to_owned(),
        aside: "Enter plans it".to_owned(),
        refused: intent.as_ref().err().map(|why| capital(why)),
        target: Target::Words(intent.map(Box::new)),
    })
}

/// Splits at spaces outside quotes, as a shell does; `'` and `"` quote.
fn split_words(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() { Err("a quote is not closed".to_owned()) } else { Ok(words) }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |c| c.to_uppercase().chain(letters).collect())
}
