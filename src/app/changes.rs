//! Changes as the console sees them: runs and wishes as rows, what a verb on a row means, and what stands in its way.

use super::{
    App, Seen, figures,
    following::Following,
    meaning::Meaning,
    rows::{self, RowId},
    standing,
};
use crate::{
    model::{
        haproxy::{HaproxyFacts, Server},
        ids::{NodeName, ProxyName, ServerName},
        intent::{Change, DEADLINE_MS_DEFAULT, Intent, ServerPath},
        inventory::Node,
        text::Clean,
        time::Wall,
    },
    plan::PlanId,
    run::{
        EndingKind, RunState, RunSummary,
        ledger::{Held, Wanted, Wish},
        lock::{Holder, LockState},
    },
};

/// The rule whose findings say that a wish was lost.
pub(crate) const LOST_RULE: &str = "haproxy.intent.lost";

/// A row of the screen of changes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChangeRow<'a> {
    /// A run.
    Run(&'a RunSummary),
    /// The head of the wishes below the runs; the cursor passes over it.
    Heading,
    /// What somebody wants of a server beyond the length of a run.
    Wish(&'a Wish),
}

impl ChangeRow<'_> {
    /// What the row is about.
    pub(crate) fn id(&self) -> Option<RowId> {
        match self {
            Self::Run(run) => Some(RowId::Run(run.id.clone())),
            Self::Heading => None,
            Self::Wish(wish) => Some(RowId::Wish(wish.server.clone(), wish.wanted.is_weight())),
        }
    }
}

/// Runs, open ones first, each part newest first; then what is changed but not permanent.
pub(crate) fn rows<'a>(seen: Seen<'a>, filter: &str) -> Vec<ChangeRow<'a>> {
    let matches = |text: &str| rows::contains(text, filter);
    let mut runs: Vec<&RunSummary> = seen
        .standing
        .runs
        .iter()
        .filter(|run| {
            matches(run.title.as_str())
                || matches(run.word())
                || matches(run.operator.login.as_str())
                || run.intent.reason.as_ref().is_some_and(|reason| matches(reason.as_str()))
        })
        .collect();
    runs.sort_by_key(|run| !run.state.is_open());
    let wishes = seen.standing.ledger.wishes.iter().filter(|wish| matches(&wish.server.to_string()));
    let mut list: Vec<ChangeRow<'a>> = runs.into_iter().map(ChangeRow::Run).collect();
    let above = list.len();
    list.extend(wishes.map(ChangeRow::Wish));
    if above > 0 && list.len() > above {
        list.insert(above, ChangeRow::Heading);
    }
    list
}

/// The run of that name.
pub(crate) fn run<'a>(seen: Seen<'a>, id: &PlanId) -> Option<&'a RunSummary> {
    seen.standing.runs.iter().find(|run| run.id == *id)
}

/// What is wanted of that server: to stay out of traffic, to have another weight, or both.
pub(crate) fn wishes<'a>(
    seen: Seen<'a>,
    backend: &'a ProxyName,
    server: &'a ServerName,
) -> impl Iterator<Item = &'a Wish> + 'a {
    let wishes = seen.standing.ledger.wishes.iter();
    wishes.filter(move |wish| wish.server.backend == *backend && wish.server.server == *server)
}

/// The wish of that row.
pub(crate) fn wish<'a>(seen: Seen<'a>, server: &ServerPath, is_weight: bool) -> Option<&'a Wish> {
    let mut wishes = seen.standing.ledger.wishes.iter();
    wishes.find(|wish| wish.server == *server && wish.wanted.is_weight() == is_weight)
}

/// Runs that a person has to decide about, the newest first.
pub(crate) fn undecided(seen: Seen<'_>) -> impl Iterator<Item = &RunSummary> {
    seen.standing.runs.iter().filter(|run| run.state.is_open() && run.state != RunState::Running)
}

/// How a run stands: sign and colour of its word.
pub(crate) fn meaning(state: &RunState) -> Meaning {
    match state {
        RunState::Running => Meaning::Accent,
        RunState::Interrupted | RunState::Damaged(_) | RunState::Ended { kind: EndingKind::NeedsOperator, .. } => {
            Meaning::Crit
        }
        RunState::Ended { kind: EndingKind::Reached, .. } => Meaning::Ok,
        RunState::Ended { kind: EndingKind::RolledBack | EndingKind::Stopped, .. } => Meaning::Warn,
        RunState::Resolved { .. } => Meaning::Standby,
    }
}

/// The run that waits for an operator's word: on the row, or the only one there is.
pub(crate) fn holding<'a>(seen: Seen<'a>, row: Option<&RowId>) -> Result<&'a RunSummary, String> {
    let waits = |run: &&RunSummary| run.holds_until.is_some() && run.state == RunState::Running;
    if let Some(RowId::Run(id)) = row {
        let Some(run) = run(seen, id) else { return Err("This run is gone from the list.".to_owned()) };
        return Some(run).filter(waits).ok_or_else(|| "This run waits for nobody's word.".to_owned());
    }
    Err("No run is chosen here.".to_owned())
}

/// "back in 41 s": as long as its column is at 80 columns.
pub(crate) fn held_until_words(seen: Seen<'_>, until: Wall) -> String {
    format!("back in {}", figures::age(wall_ms(seen.now.wall, until)))
}

/// Why a run is as it is, in one sentence.
pub(crate) fn why(state: &RunState) -> String {
    match state {
        RunState::Running => "It goes on.".to_owned(),
        RunState::Interrupted => "Its executor ended without an ending.".to_owned(),
        RunState::Ended { why, .. } => why.to_string(),
        RunState::Resolved { by, why } => format!("Settled by {by}: {why}"),
        RunState::Damaged(why) => format!("Its journal is not what was written: {why}"),
    }
}

/// The sentence about an undecided run for the first lines of the overview.
pub(crate) fn undecided_words(run: &RunSummary) -> String {
    let what = match &run.state {
        RunState::Interrupted => "A run was interrupted",
        RunState::Damaged(_) => "The journal of a run is damaged",
        _ => "A run needs you",
    };
    format!("{what}: {}", run.title)
}

/// Milliseconds from `from` to `to` by the bastion's clock; 0 where it was set back.
pub(crate) fn wall_ms(from: Wall, to: Wall) -> u64 {
    u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0)
}

/// What is wanted, in a word.
pub(crate) fn wanted_word(wanted: Wanted) -> String {
    match wanted {
        Wanted::Drain => "drain".to_owned(),
        Wanted::Maint => "maint".to_owned(),
        Wanted::Weight(weight) => format!("w {weight}"),
    }
}

/// How a wish looks where it holds.
pub(crate) fn wanted_meaning(wanted: Wanted) -> Meaning {
    match wanted {
        Wanted::Drain | Wanted::Weight(_) => Meaning::Drain,
        Wanted::Maint => Meaning::Maint,
    }
}

/// Whether a wish holds: one entry for each load balancer that has, or may have, the backend.
pub(crate) fn holds(seen: Seen<'_>, wish: &Wish) -> Vec<(NodeName, Held)> {
    let stale_after_ms = seen.inventory.settings.poll.stale_after_ms.max(2 * seen.inventory.settings.poll.haproxy_ms);
    let balancers = seen.inventory.nodes.iter().filter(|node| node.haproxy_socket.is_some());
    balancers
        .filter_map(|listed| {
            let node = seen.world.node(&listed.name)?;
            let held = match node.haproxy.fresh(seen.now.mono, stale_after_ms) {
                Some(facts) => wish.wanted.held(&wish.server, &facts.sample)?,
                None => Held::Unknown(Clean::line(&standing::haproxy_trouble(node))),
            };
            Some((listed.name.clone(), held))
        })
        .collect()
}

/// Whether a wish is lost on some load balancer.
pub(crate) fn is_lost(seen: Seen<'_>, wish: &Wish) -> bool {
    holds(seen, wish).iter().any(|(_, held)| matches!(held, Held::No(_)))
}

/// The one server that a row means, or why there is none.
pub(crate) fn server_meant(app: &App, row: Option<&RowId>) -> Result<ServerPath, String> {
    let seen = app.seen();
    match row {
        Some(RowId::Server(backend, server) | RowId::Share(backend, server, _)) => {
            Ok(ServerPath { backend: backend.clone(), server: server.clone() })
        }
        Some(RowId::Wish(server, _)) => Ok(server.clone()),
        Some(RowId::Guest(_, name)) => of_node(seen, &NodeName::from(name)),
        Some(RowId::Node(name)) => of_node(seen, name),
        Some(RowId::Finding(rule, subject)) => {
            if let Some(path) = ServerPath::parse(subject.as_str()).filter(|path| exists(seen, path)) {
                return Ok(path);
            }
            let finding = seen.findings.iter().find(|finding| finding.rule == *rule && finding.subject == *subject);
            match finding.and_then(|finding| finding.node.as_ref()) {
                Some(node) => of_node(seen, node),
                None => Err("This finding is not about one server.".to_owned()),
            }
        }
        Some(RowId::Run(id)) => match run(seen, id) {
            Some(run) => {
                run.intent.change.server().cloned().ok_or_else(|| "This run is not about one server.".to_owned())
            }
            None => Err("This run is gone from the list.".to_owned()),
        },
        Some(RowId::Bridge(..) | RowId::Port(..)) => Err("This row is about a switch, not a server.".to_owned()),
        Some(RowId::Setting(..)) => Err("This row is about a setting, not a server.".to_owned()),
        Some(RowId::Frontend(_) | RowId::Backend(_)) => Err("This acts on one server: choose its row.".to_owned()),
        None => Err("No server is chosen here.".to_owned()),
    }
}

/// The one server of a load balancer that is this node.
fn of_node(seen: Seen<'_>, name: &NodeName) -> Result<ServerPath, String> {
    let Some(node) = seen.inventory.node(name) else { return Err(format!("{name} is no node of the inventory.")) };
    let mut found: Vec<ServerPath> = Vec::new();
    for facts in samples(seen) {
        for backend in &facts.sample.backends {
            for server in backend.servers.iter().filter(|server| is_node(server, node)) {
                let path = ServerPath { backend: backend.name.clone(), server: server.name.clone() };
                if !found.contains(&path) {
                    found.push(path);
                }
            }
        }
    }
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => Err(format!("{name} is no server of a load balancer.")),
        [first, second, ..] => {
            Err(format!("{name} is several servers ({first}, {second}): choose one on the traffic screen."))
        }
    }
}

fn samples(seen: Seen<'_>) -> impl Iterator<Item = &HaproxyFacts> {
    seen.world.nodes.iter().filter_map(|node| node.haproxy.last())
}

fn exists(seen: Seen<'_>, path: &ServerPath) -> bool {
    samples(seen).any(|facts| {
        facts.sample.backends.iter().any(|backend| {
            backend.name == path.backend && backend.servers.iter().any(|server| server.name == path.server)
        })
    })
}

/// Whether a server of HAProxy is that node: by its name, else by the address it is reached at.
fn is_node(server: &Server, node: &Node) -> bool {
    if server.name.as_str() == node.name.as_str() {
        return true;
    }
    let Some(address) = server.address.as_ref().known() else { return false };
    let host = address.as_str().rsplit_once(':').map_or(address.as_str(), |(host, _)| host);
    node.private.is_some_and(|private| host.parse() == Ok(private)) || host == node.management
}

/// Why no verb can be given at all: what is shown is not the present.
pub(crate) fn not_now(app: &App) -> Result<(), String> {
    if app.options.replay.is_some() {
        return Err("This is a replay: the past cannot be changed.".to_owned());
    }
    if app.is_paused() {
        let key = app.keymap.shown("console.pause").unwrap_or_default();
        return Err(format!("The display is paused: what it shows may no longer be so. {key} goes back to now."));
    }
    Ok(())
}

/// What keeps a plan of this console from being started; plans can be looked at nevertheless. A lock that somebody
/// else holds is told apart: it can be broken.
pub(crate) fn obstacle(app: &App) -> Option<String> {
    if is_read_only(app) {
        return Some("This console is read-only.".to_owned());
    }
    if let Some(why) = &app.standing.trouble {
        return Some(format!("The state folder cannot be used, so nothing can be changed: {why}"));
    }
    let in_the_way = |following: &&Following| following.is_ours && following.goes_on() && !following.only_waits();
    if let Some(following) = app.following.as_ref().filter(in_the_way) {
        return Some(format!("A run of this console goes on: {}.", following.title));
    }
    None
}

/// Why a plan could be read now but not started; the help and the palette say it.
pub(crate) fn caution(app: &App) -> Option<String> {
    obstacle(app).or_else(|| held_by_other(app).map(|holder| held_words(app, holder)))
}

/// Whether nothing may be changed from here.
pub(crate) fn is_read_only(app: &App) -> bool {
    app.options.read_only || app.inventory.settings.policy.read_only
}

/// Who holds the lock, unless it is held for the run that this console began.
pub(crate) fn held_by_other(app: &App) -> Option<&Holder> {
    match &app.standing.lock {
        LockState::Held(holder) if !is_ours(app, &holder.run) => Some(holder),
        _ => None,
    }
}

/// Whether this console began, or took up, that run.
pub(crate) fn is_ours(app: &App, run: &PlanId) -> bool {
    app.following.as_ref().is_some_and(|following: &Following| following.is_ours && following.run == *run)
}

/// `eva@bastion2`.
pub(crate) fn holder_name(holder: &Holder) -> String {
    format!("{}@{}", holder.operator.login, holder.bastion)
}

/// "The lock is held by eva@bastion2 for 12 s: drain web03 …".
pub(crate) fn held_words(app: &App, holder: &Holder) -> String {
    let age = figures::age(wall_ms(holder.since, app.now.wall));
    format!("The lock is held by {} for {age}: {}", holder_name(holder), holder.what)
}

/// What takes back the last run that reached its goal, as an intent; or why there is no such thing.
pub(crate) fn undo(app: &App) -> Result<Intent, String> {
    let runs = &app.standing.runs;
    let Some(last) = runs.iter().find(|run| !is_without_effect(&run.state)) else {
        return Err("No run has changed anything yet.".to_owned());
    };
    match &last.state {
        RunState::Running => return Err(format!("The last run goes on: {}. Stop it instead.", last.title)),
        RunState::Ended { kind: EndingKind::Reached | EndingKind::Stopped, .. } => {}
        state => {
            let word = state.word();
            return Err(format!("The last run is {word}: {}. Decide about it on the screen of changes.", last.title));
        }
    }
    let Some(server) = last.intent.change.server() else {
        return undo_elsewhere(app, last);
    };
    // What earlier runs made of this server, the newest first.
    let earlier = || {
        runs.iter()
            .skip_while(|run| run.id != last.id)
            .skip(1)
            .filter(|run| matches!(run.state, RunState::Ended { kind: EndingKind::Reached, .. }))
            .map(|run| &run.intent.change)
            .filter(|change| change.server() == Some(server))
    };
    // Applied twice it is the same change: its origin is what was before the first time.
    let before = earlier().filter(|change| change.id() != last.intent.change.id()).find(|change| {
        matches!(change, Change::HaproxyDrain { .. } | Change::HaproxyReady { .. } | Change::HaproxyMaint { .. })
    });
    let server = server.clone();
    let ready = Change::HaproxyReady { server: server.clone(), deadline_ms: DEADLINE_MS_DEFAULT, weight: None };
    let change = match (&last.intent.change, before) {
        (
            Change::HaproxyDrain { .. } | Change::HaproxyMaint { .. } | Change::HaproxyReady { .. },
            Some(before @ (Change::HaproxyDrain { .. } | Change::HaproxyMaint { .. })),
        ) => before.clone(),
        (Change::HaproxyReady { .. }, _) => {
            return Err(format!("It is not known what {server} was before it returned: no earlier run says it."));
        }
        (Change::HaproxyWeight { .. }, _) => {
            let former = earlier().find_map(|change| match change {
                Change::HaproxyWeight { weight, .. } => Some(*weight),
                _ => None,
            });
            match former.or_else(|| weight_in_file(app, &server)) {
                Some(weight) => Change::HaproxyWeight { server, weight },
                None => return Err(format!("The former weight of {server} is not known.")),
            }
        }
        (Change::HaproxyKillSessions { .. }, _) => {
            return Err("The last run closed sessions, and those do not come back.".to_owned());
        }
        (
            Change::HaproxyDrain { .. }
            | Change::HaproxyMaint { .. }
            | Change::VipMove { .. }
            | Change::MysqlSwitchover { .. }
            | Change::MysqlFailover { .. }
            | Change::MysqlFence { .. }
            | Change::MysqlRejoin { .. }
            | Change::MysqlKill { .. }
            | Change::Guest { .. }
            | Change::Node { .. }
            | Change::Tune(_),
            _,
        ) => ready,
    };
    Ok(Intent::new(change, Some(Clean::line(&format!("undo of run {}", last.id)))))
}

/// The same for a run that is about no server of a load balancer.
fn undo_elsewhere(app: &App, last: &RunSummary) -> Result<Intent, String> {
    let reason = || Some(Clean::line(&format!("undo of run {}", last.id)));
    if let (Change::MysqlSwitchover { .. }, Some(former)) = (&last.intent.change, &last.former) {
        return Ok(Intent::new(Change::MysqlSwitchover { to: former.clone() }, reason()));
    }
    if let Change::Tune(act) = &last.intent.change {
        let Some(value) = last.former_value.clone() else {
            return Err(format!("The servers had different values before: {}.", last.title));
        };
        return Ok(Intent::new(Change::Tune(Box::new(act.back(value))), reason()));
    }
    if let Change::MysqlKill { .. } = &last.intent.change {
        return Err("The last run ended a session, and that does not come back.".to_owned());
    }
    if let Change::Node { node, act } = &last.intent.change {
        return Ok(Intent::new(Change::Node { node: node.clone(), act: act.back() }, reason()));
    }
    if let Change::Guest { guest, act } = &last.intent.change
        && let Some(act) = act.back(last.former.as_ref())
    {
        return Ok(Intent::new(Change::Guest { guest: guest.clone(), act }, reason()));
    }
    let Change::VipMove { address, to } = &last.intent.change else {
        return Err(format!("No change takes this back: {}.", last.title));
    };
    let vip = app.inventory.vips.iter().find(|vip| vip.address == *address);
    let mut others = vip.into_iter().flat_map(|vip| &vip.nodes).filter(|node| *node != to);
    match (others.next(), others.next()) {
        (Some(former), None) => {
            let change = Change::VipMove { address: *address, to: former.clone() };
            Ok(Intent::new(change, reason()))
        }
        _ => Err(format!("Several nodes could hold {address}: name one. The last run was: {}.", last.title)),
    }
}

/// Runs that left everything as it was.
fn is_without_effect(state: &RunState) -> bool {
    matches!(state, RunState::Ended { kind: EndingKind::RolledBack, .. } | RunState::Resolved { .. })
}

/// The weight that the file gives a server, where the load balancers agree about it.
fn weight_in_file(app: &App, path: &ServerPath) -> Option<u64> {
    let mut weights = samples(app.seen()).filter_map(|facts| {
        let backend = facts.sample.backends.iter().find(|backend| backend.name == path.backend)?;
        backend.servers.iter().find(|server| server.name == path.server)?.weight_configured.known()
    });
    let first = weights.next()?;
    weights.all(|other| other == first).then_some(first)
}

/// The present weight of a server, where the load balancers agree about it.
pub(crate) fn weight_now(app: &App, path: &ServerPath) -> Option<u64> {
    let mut weights = samples(app.seen()).filter_map(|facts| {
        let backend = facts.sample.backends.iter().find(|backend| backend.name == path.backend)?;
        backend.servers.iter().find(|server| server.name == path.server)?.weight.known()
    });
    let first = weights.next()?;
    weights.all(|other| other == first).then_some(first)
}

/// What applies a wish again.
pub(crate) fn reapply(wish: &Wish) -> Intent {
    let intent = wish.intent();
    let reason = intent.reason.unwrap_or_else(|| Clean::line(&format!("as run {} wanted it", wish.run)));
    Intent { reason: Some(reason), ..intent }
}
