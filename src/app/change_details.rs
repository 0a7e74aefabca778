//! What there is to say about a run and about a wish, for the details pane and the clipboard.

use super::{
    App, Seen, changes,
    details::Detail,
    figures,
    meaning::{Line, Meaning, Span},
};
use crate::{
    model::intent::ServerPath,
    plan::{PlanId, text},
    run::{
        RunState, RunSummary, duration,
        ledger::{Held, Wanted, Wish},
    },
};

fn plain(words: impl Into<String>) -> Line {
    vec![Span::plain(words)]
}

/// All details of a run.
pub(crate) fn of_run(app: &App, id: &PlanId) -> Vec<Detail> {
    let seen = app.seen();
    let Some(run) = changes::run(seen, id) else { return Vec::new() };
    let meaning = changes::meaning(&run.state);
    let mut lines = vec![
        Detail::Title(vec![Span::new(format!("{} ", run.title), Meaning::Accent), state(run, meaning)]),
        Detail::Text(vec![Span::new(changes::why(&run.state), meaning)]),
        Detail::Pair("who", plain(who(run))),
    ];
    if let Some(reason) = &run.intent.reason {
        lines.push(Detail::Pair("why", plain(reason.as_str())));
    }
    if let Some(until) = run.holds_until {
        lines.push(Detail::Pair("held", plain(format!("goes {}", changes::held_until_words(seen, until)))));
    }
    let ago = figures::age(changes::wall_ms(run.opened_at, seen.now.wall));
    lines.push(Detail::Pair("begun", plain(format!("{ago} ago"))));
    lines.push(Detail::Pair("took", plain(took(seen, run))));
    lines.push(Detail::Pair("records", plain(run.records.to_string())));
    lines.push(Detail::Pair("command", plain(text::command_line(&run.intent))));
    lines.push(Detail::Pair("run", plain(run.id.as_str())));
    lines.push(Detail::Heading("What to do".to_owned()));
    let words = match &run.state {
        RunState::Running if run.holds_until.is_some() => {
            "Say that it stays, or let it go back. Enter shows it, and can stop it at once."
        }
        RunState::Running => "Enter shows it as it goes on, and can stop it.",
        RunState::Damaged(_) => "vakt runs verify says where the journal is not what was written.",
        state if state.is_open() => {
            "Enter shows its story. Then decide: resume it, roll it back, or mark it as settled once it is as it \
             should be."
        }
        _ => "Enter shows its story.",
    };
    lines.push(Detail::Text(plain(words)));
    lines
}

/// The state of a run, signed; one that goes on is neither well nor ill.
pub(crate) fn state(run: &RunSummary, meaning: Meaning) -> Span {
    match run.state {
        RunState::Running => Span::new(run.word(), meaning),
        _ => Span::signed(run.state.word(), meaning),
    }
}

/// Who began a run, from where.
fn who(run: &RunSummary) -> String {
    let operator = &run.operator;
    let client = operator.ssh_client.as_ref().map(|client| format!(" from {client}")).unwrap_or_default();
    let sudo = operator.sudo_user.as_ref().map(|user| format!(", sudo by {user}")).unwrap_or_default();
    format!("{}{client}{sudo}", operator.login)
}

/// How long a run took, or has taken so far.
pub(crate) fn took(seen: Seen<'_>, run: &RunSummary) -> String {
    let until = if run.state == RunState::Running { seen.now.wall } else { run.last_at };
    duration(changes::wall_ms(run.opened_at, until))
}

/// All details of a wish.
pub(crate) fn of_wish(app: &App, server: &ServerPath, is_weight: bool) -> Vec<Detail> {
    let seen = app.seen();
    let Some(wish) = changes::wish(seen, server, is_weight) else { return Vec::new() };
    let mut lines = vec![
        Detail::Title(vec![
            Span::new(format!("{} ", wish.server), Meaning::Accent),
            Span::signed(wanted_words(wish.wanted).as_str(), changes::wanted_meaning(wish.wanted)),
        ]),
        Detail::Text(plain("Changed, but not permanent: a reload of HAProxy may forget it, the file does not say it.")),
        Detail::Pair("who", plain(wish.by.as_str())),
    ];
    if let Some(reason) = &wish.reason {
        lines.push(Detail::Pair("why", plain(reason.as_str())));
    }
    let ago = figures::age(changes::wall_ms(wish.since, seen.now.wall));
    lines.push(Detail::Pair("since", plain(format!("{ago} ago"))));
    lines.push(Detail::Pair("run", plain(wish.run.as_str())));
    lines.push(Detail::Heading("Whether it holds".to_owned()));
    for (node, held) in changes::holds(seen, wish) {
        let words = match &held {
            Held::Yes(seen) => format!("it is so: {seen}"),
            Held::No(seen) => format!("it is not so any more: {seen}"),
            Held::Unknown(why) => format!("not known: {why}"),
        };
        lines.push(Detail::Text(vec![Span::plain(format!("{node}: ")), Span::signed(&words, of_held(&held))]));
    }
    lines
}

/// What is wanted, in words.
pub(crate) fn wanted_words(wanted: Wanted) -> String {
    match wanted {
        Wanted::Drain => "drained".to_owned(),
        Wanted::Maint => "in maintenance".to_owned(),
        Wanted::Weight(weight) => format!("weight {weight}"),
    }
}

fn of_held(held: &Held) -> Meaning {
    match held {
        Held::Yes(_) => Meaning::Ok,
        Held::No(_) => Meaning::Crit,
        Held::Unknown(_) => Meaning::Unknown,
    }
}

/// Whether a wish holds, on each load balancer, in one cell: `lb01 ✓ lb02 ✗`.
pub(crate) fn holds_line(seen: Seen<'_>, wish: &Wish) -> Line {
    let mut line = Vec::new();
    for (node, held) in changes::holds(seen, wish) {
        let space = if line.is_empty() { "" } else { "  " };
        line.push(Span::dim(format!("{space}{node} ")));
        line.push(Span::signed("", of_held(&held)));
    }
    line
}
