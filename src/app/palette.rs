//! The palette: every command, node and server by name, found by a few of its letters.

use super::{
    App, command,
    command::Here,
    commands::rows::go_to_node,
    effect::Effect,
    rows::RowId,
    screen::{Place, ScreenId},
    traffic::Traffic,
};
use crate::model::ids::{NodeName, ProxyName, ServerName};
use nucleo_matcher::{
    Config, Matcher, Utf32Str,
    pattern::{CaseMatching, Normalization, Pattern},
};
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// More lines than anybody reads.
const MATCHES_MAX: usize = 100;

/// The open palette.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Palette {
    /// What is typed.
    pub(crate) query: String,
    /// The marked line.
    pub(crate) marked: usize,
    entries: Vec<Entry>,
    /// Places of the entries that match, best first.
    matches: Vec<usize>,
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

    /// The lines that match, best first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Entry> {
        self.matches.iter().filter_map(|place| self.entries.get(*place))
    }

    /// How many lines match.
    pub(crate) fn count(&self) -> usize {
        self.matches.len()
    }

    /// Changes what is typed.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.query);
        self.marked = 0;
        self.search();
    }

    /// Moves the mark.
    pub(crate) fn mark(&mut self, step: isize) {
        self.marked = self.marked.saturating_add_signed(step).min(self.matches.len().saturating_sub(1));
    }

    fn search(&mut self) {
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
pub(crate) fn take(app: &mut App, palette: &Palette) -> Vec<Effect> {
    let Some(entry) = palette.lines().nth(palette.marked) else { return Vec::new() };
    match entry.target.clone() {
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
        refused: command::available(command, &here).err(),
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
    commands.chain(nodes).chain(servers).collect()
}
