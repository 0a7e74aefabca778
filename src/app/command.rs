//! Commands, declared once: from this registry come the key line, the help, the palette and the README's key table.

use super::{
    App, changes, commands,
    effect::Effect,
    rows::{RowId, Rows},
    screen::ScreenId,
};
use crate::model::intent::ServerPath;
use std::cell::OnceCell;

/// Where a command can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// On every screen.
    Everywhere,
    /// On these screens.
    Screens(&'static [ScreenId]),
    /// On every screen of a replay, and nowhere else.
    Replay,
}

impl Scope {
    /// Whether the command can be given on `screen` of a console that shows the present.
    pub fn includes(self, screen: ScreenId) -> bool {
        match self {
            Self::Everywhere => true,
            Self::Replay => false,
            Self::Screens(screens) => screens.contains(&screen),
        }
    }
}

/// How much a command touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// It changes what this console shows.
    Looks,
    /// It changes this console or its connections; the cluster is not touched.
    Console,
    /// It opens a plan. Once that is confirmed, one server's share of traffic changes, and every step can be undone.
    Server,
    /// It opens a plan. Once that is confirmed, clients reach another node; every step can be undone.
    Address,
    /// It opens a plan. Once that is confirmed, databases run with another setting; every step can be undone.
    Setting,
    /// It opens a plan. Once that is confirmed, a database replicates that did not; every step can be undone.
    Replica,
    /// It opens a plan. Once that is confirmed, one guest of a hypervisor stops, begins or moves.
    Guest,
    /// It opens a plan. Once that is confirmed, whatever one node does is done by others.
    Node,
    /// It opens a plan. Once that is confirmed, writes go to another database; the way back is another plan.
    Primary,
    /// It opens a plan. Once that is confirmed, something ends that cannot be brought back.
    Irreversible,
}

impl Danger {
    /// What it reaches, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Looks => "what this console shows",
            Self::Console => "this console and its connections",
            Self::Server => "one server on every load balancer; every step can be undone",
            Self::Address => "the clients of one virtual address; every step can be undone",
            Self::Setting => "how databases run, until they start again; every step can be undone",
            Self::Replica => "one database that takes no writes; every step can be undone",
            Self::Guest => "one guest of a hypervisor, and what it serves",
            Self::Node => "one node, and whatever it does for others",
            Self::Primary => "the writes of every client; from one step on the way back is another switchover",
            Self::Irreversible => "one server on every load balancer; what it ends cannot be brought back",
        }
    }

    /// Whether it reaches the cluster.
    pub fn reaches_the_cluster(self) -> bool {
        self >= Self::Server
    }
}

/// What commands look at when they say whether they can act: the console, and the row under the cursor, which is found
/// once for all of them.
#[derive(Debug)]
pub struct Here<'a> {
    /// The console.
    pub app: &'a App,
    /// The row under the cursor; on the node screen, the node.
    pub(crate) row: Option<RowId>,
    /// The one server that the row means, or why there is none: asked for by every verb, found once.
    server: OnceCell<Result<ServerPath, String>>,
}

impl<'a> Here<'a> {
    /// The console as it is now.
    pub fn of(app: &'a App) -> Self {
        Self::with(app, &Rows::of(app))
    }

    /// The same, for those who have the rows already.
    pub(crate) fn with(app: &'a App, rows: &Rows<'_>) -> Self {
        let row = match rows {
            Rows::None => app.place.node.clone().map(RowId::Node),
            rows => rows.current(app),
        };
        Self { app, row, server: OnceCell::new() }
    }

    /// The one server that the row means, or why there is none.
    pub(crate) fn server(&self) -> Result<&ServerPath, String> {
        self.server.get_or_init(|| changes::server_meant(self.app, self.row.as_ref())).as_ref().map_err(Clone::clone)
    }
}

/// Something the operator can do.
#[derive(Debug)]
pub struct Command {
    /// Names it to keymap, tests and recordings: `go.traffic`.
    pub id: &'static str,
    /// In the palette and in help: "Open the traffic screen".
    pub title: &'static str,
    /// In the key line: "traffic"; empty for commands that are not shown there.
    pub hint: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Where it can be given.
    pub scope: Scope,
    /// How much it touches.
    pub danger: Danger,
    /// Whether it can act now; otherwise why not, as a sentence.
    pub available: fn(&Here<'_>) -> Result<(), String>,
    /// Does it.
    pub act: fn(&mut App) -> Vec<Effect>,
}

/// Every command. The order is that of the key line, the help and the palette.
pub fn all() -> impl Iterator<Item = &'static Command> {
    // What opens a row comes first, then what changes what the row means.
    let (open, rows) = commands::rows::COMMANDS.split_at(1);
    open.iter()
        .chain(commands::verbs::COMMANDS)
        .chain(commands::addresses::COMMANDS)
        .chain(commands::guests::COMMANDS)
        .chain(commands::nodes::COMMANDS)
        .chain(commands::tuning::COMMANDS)
        .chain(rows)
        .chain(commands::network::COMMANDS)
        .chain(commands::databases::COMMANDS)
        .chain(commands::findings::COMMANDS)
        .chain(commands::screens::COMMANDS)
        .chain(commands::replay::COMMANDS)
        .chain(commands::console::COMMANDS)
}

/// Whether a word of the key line belongs to a command that reaches the cluster.
pub(crate) fn is_verb_hint(hint: &str) -> bool {
    all().any(|command| command.hint == hint && command.danger.reaches_the_cluster())
}

/// The commands that can be given where the operator is; those that a screen is for come first.
pub fn here(app: &App) -> impl Iterator<Item = &'static Command> {
    let (screen, in_replay) = (app.place.screen, app.options.replay.is_some());
    let own = if screen == ScreenId::Database { commands::databases::COMMANDS } else { &[] };
    let others = all().filter(|command| own.iter().all(|own| own.id != command.id));
    own.iter()
        .chain(others)
        .filter(move |command| command.scope.includes(screen) || (in_replay && command.scope == Scope::Replay))
}

/// Whether a command can act now; otherwise why not, as a sentence. In a replay nothing acts but what changes the view.
pub fn available(command: &Command, here: &Here<'_>) -> Result<(), String> {
    let is_harmless = command.danger == Danger::Looks || ENDS_OR_SUSPENDS.contains(&command.id);
    if here.app.options.replay.is_some() && !is_harmless {
        return Err("This is a replay: the past cannot be changed.".to_owned());
    }
    if here.app.options.replay.is_some() && command.id == "console.pause" {
        return Err("In a replay Space stops the time.".to_owned());
    }
    (command.available)(here)
}

/// What concerns this process only.
const ENDS_OR_SUSPENDS: [&str; 2] = ["console.suspend", "console.quit"];

/// The command of that id.
pub fn find(id: &str) -> Option<&'static Command> {
    all().find(|command| command.id == id)
}

/// Gives a command: acts, or says why it cannot.
pub(crate) fn give(app: &mut App, command: &Command) -> Vec<Effect> {
    let available = available(command, &Here::of(app));
    match available {
        Ok(()) => (command.act)(app),
        Err(reason) => {
            app.notify(reason);
            Vec::new()
        }
    }
}
