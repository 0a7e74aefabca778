//! The cells of the traffic screen.

use super::{canvas::width, screens::traffic::Columns, table::Column};
use crate::{
    app::{
        App, changes, figures,
        meaning::{Line, Meaning, Span},
        traffic::{self, ServerView, Traffic, TrafficRow},
        trend,
    },
    history::recent::TrafficFigure,
    model::{
        figure::{Figure, Unknown},
        haproxy::{
            AdminState, Backend, Check, ConfiguredState, OperationalState, Server, Traffic as Counters, TrafficRates,
        },
    },
};

use std::fmt::Write as _;

/// What a column shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrafficColumn {
    Name,
    /// What somebody wants of it beyond the length of a run.
    Wanted,
    /// All load balancers in one word.
    State,
    /// One load balancer's word.
    StateOn(usize),
    Admin,
    File,
    Weight,
    Sessions,
    Queue,
    Rate,
    Trend,
    Errors,
    ClientErrors,
    Failures,
    Response,
    QueueTime,
    ConnectTime,
    TotalTime,
    In,
    Out,
    LastChange,
    Downtime,
    Check,
}

/// From this width on each load balancer has a state column of its own.
const SIDE_BY_SIDE: u16 = 110;

/// The columns of the table.
pub(super) fn columns(app: &App, traffic: &Traffic<'_>, room: u16) -> Columns {
    use TrafficColumn as C;
    let names = traffic.rows.iter().filter_map(|row| match row {
        // A thousand names are not measured for a frame: backends and frontends, and the first servers.
        TrafficRow::Frontend(index) => Some(width(traffic.frontends[*index].name.as_str())),
        TrafficRow::Backend(index) => Some(width(traffic.pools[*index].proxy.name.as_str())),
        TrafficRow::Server { pool, server } if *server < 32 => {
            Some(width(traffic.pools[*pool].servers[*server].as_str()) + 2)
        }
        _ => None,
    });
    let name = names.max().unwrap_or(8).clamp(10, if room < 100 { 16 } else { 24 });
    let mut columns = vec![Column::left(C::Name, "NAME", name, 0)];
    // While nobody wants anything it would be an empty column.
    if !app.standing.ledger.wishes.is_empty() {
        columns.push(Column::left(C::Wanted, "WANTED", 7, 1));
    }
    if room >= SIDE_BY_SIDE && (2..=4).contains(&traffic.balancers.len()) {
        for (index, balancer) in traffic.balancers.iter().enumerate() {
            columns.push(Column::left(C::StateOn(index), &format!("STATE {}", balancer.node.name), 14, 0));
        }
    } else {
        columns.push(Column::left(C::State, "STATE", 14, 0));
    }
    columns.extend([
        Column::left(C::Admin, "ADMIN", 7, 1),
        Column::left(C::File, "FILE", 8, 2),
        Column::right(C::Weight, "WEIGHT", 7, 4),
        Column::right(C::Sessions, "SESS / MAX", 10, 1),
        Column::right(C::Queue, "QUEUE", 5, 1),
        Column::right(C::Rate, "RATE", 8, 1),
        Column::left(C::Trend, "", 12, 8),
        Column::right(C::Errors, "5xx", 6, 3),
        Column::right(C::ClientErrors, "4xx", 6, 9),
        Column::right(C::Response, "ANSWER", 7, 5),
        Column::right(C::QueueTime, "IN QUEUE", 8, 10),
        Column::right(C::ConnectTime, "CONNECT", 8, 10),
        Column::right(C::TotalTime, "IN ALL", 8, 11),
        Column::right(C::In, "IN", 9, 7),
        Column::right(C::Out, "OUT", 9, 6),
        Column::right(C::Failures, "FAILURES", 9, 8),
        Column::right(C::LastChange, "CHANGED", 9, 11),
        Column::right(C::Downtime, "DOWNTIME", 9, 12),
        Column::left(C::Check, "CHECK", 16, 2).growing(1),
    ]);
    columns
}

/// One cell. While no load balancer is fresh, everything but the states is as old as their last word.
pub(super) fn cell(app: &App, traffic: &Traffic<'_>, row: TrafficRow, column: TrafficColumn) -> Line {
    let line = match row {
        TrafficRow::Frontend(index) => frontend_cell(app, traffic, index, column),
        TrafficRow::Backend(index) => backend_cell(app, traffic, index, column),
        TrafficRow::Server { pool, server } => server_cell(app, traffic, pool, server, column),
        TrafficRow::Share { pool, server, balancer } => share_cell(app, traffic, pool, server, balancer, column),
    };
    let is_name = column == TrafficColumn::Name;
    if !is_name && traffic.balancers.iter().all(|balancer| balancer.is_stale) { stale(line) } else { line }
}

/// The rate of a server over time.
pub(super) fn trend(app: &App, traffic: &Traffic<'_>, row: TrafficRow, columns: usize) -> Option<Vec<Option<f32>>> {
    let (TrafficRow::Server { pool, server } | TrafficRow::Share { pool, server, .. }) = row else { return None };
    let only = if let TrafficRow::Share { balancer, .. } = row { Some(balancer) } else { None };
    let nodes = traffic.balancers.iter().enumerate().filter(|(index, _)| only.is_none_or(|only| only == *index));
    let pool = &traffic.pools[pool];
    let figure = TrafficFigure::Rate;
    let nodes = nodes.map(|(_, balancer)| &balancer.node.name);
    Some(trend::server(app.seen(), nodes, pool.proxy.name, pool.servers[server], figure, columns))
}

fn frontend_cell(app: &App, traffic: &Traffic<'_>, index: usize, column: TrafficColumn) -> Line {
    let counted = || traffic.counted().filter_map(|balancer| traffic.frontend(index, balancer));
    match column {
        TrafficColumn::Name => vec![Span::new(traffic.frontends[index].name.as_str(), Meaning::Accent)],
        TrafficColumn::State => {
            let words = counted().map(|(frontend, _)| (frontend_meaning(frontend.status.as_str()), &frontend.status));
            match words.max_by_key(|(meaning, _)| meaning.badness()) {
                Some((meaning, status)) => vec![Span::signed(&status.as_str().to_lowercase(), meaning)],
                None => unknown(),
            }
        }
        TrafficColumn::StateOn(balancer) => match traffic.frontend(index, balancer) {
            Some((frontend, _)) => {
                let status = frontend.status.as_str();
                aged(traffic, balancer, Span::signed(&status.to_lowercase(), frontend_meaning(status)))
            }
            None => absent(traffic, balancer),
        },
        TrafficColumn::Check => {
            let mode = counted().find_map(|(frontend, _)| frontend.mode.clone().known());
            let mode = mode.map_or("?".to_owned(), |mode| mode.as_str().to_owned());
            vec![Span::dim(format!("{mode}, clients come in here"))]
        }
        // Requests queue in front of backends and servers only.
        TrafficColumn::Queue | TrafficColumn::QueueTime => vec![Span::dim("-")],
        _ => totals(app, &counted().map(|(frontend, rates)| (&frontend.traffic, rates)), column),
    }
}

fn frontend_meaning(status: &str) -> Meaning {
    match status {
        "OPEN" => Meaning::Ok,
        "PAUSED" | "WAITING" => Meaning::Maint,
        "FULL" => Meaning::Warn,
        "STOP" => Meaning::Crit,
        _ => Meaning::Unknown,
    }
}

fn backend_cell(app: &App, traffic: &Traffic<'_>, index: usize, column: TrafficColumn) -> Line {
    let counted = || traffic.counted().filter_map(|balancer| traffic.backend(index, balancer));
    let pool = &traffic.pools[index];
    match column {
        TrafficColumn::Name => vec![Span::new(pool.proxy.name.as_str(), Meaning::Accent)],
        TrafficColumn::State => {
            let fewest = counted().map(|(backend, _)| backend).min_by_key(|backend| backend.active_servers.known());
            vec![fewest.map_or_else(|| Span::new("?", Meaning::Unknown), usable)]
        }
        TrafficColumn::StateOn(balancer) => match traffic.backend(index, balancer) {
            Some((backend, _)) => aged(traffic, balancer, usable(backend)),
            None => absent(traffic, balancer),
        },
        TrafficColumn::Check => {
            let first = counted().next();
            let word =
                |figure: Figure<crate::model::text::Clean>| figure.known().map_or("?".to_owned(), |w| w.to_string());
            first.map_or_else(unknown, |(backend, _)| {
                vec![Span::dim(format!("{}, {}", word(backend.mode.clone()), word(backend.algorithm.clone())))]
            })
        }
        _ => totals(app, &counted().map(|(backend, rates)| (&backend.traffic, rates)), column),
    }
}

/// How many of the servers take traffic. Servers in maintenance were taken out on purpose and are not missed.
fn usable(backend: &Backend) -> Span {
    let Some(active) = backend.active_servers.known() else { return Span::new("?", Meaning::Unknown) };
    let total = backend.servers.len();
    if total == 0 {
        return Span::dim("no servers");
    }
    let wanted = backend.servers.iter().filter(|server| server.operational != OperationalState::Maintenance).count();
    let meaning = match usize::try_from(active).unwrap_or(usize::MAX) {
        0 => Meaning::Crit,
        enough if enough >= wanted => Meaning::Ok,
        _ => Meaning::Warn,
    };
    Span::signed(&format!("{active} of {total} up"), meaning)
}

fn server_cell(app: &App, traffic: &Traffic<'_>, pool: usize, server: usize, column: TrafficColumn) -> Line {
    let views = || traffic.views(pool, server);
    match column {
        TrafficColumn::Wanted => wanted(app, traffic, pool, server),
        TrafficColumn::Name => {
            let mut line = vec![Span::plain(format!("  {}", traffic.pools[pool].servers[server]))];
            if traffic.differs(pool, server) {
                line.push(Span::new(" ", Meaning::Text));
                line.push(Span::signed("", Meaning::Warn));
            }
            line
        }
        TrafficColumn::State => match merged_state(traffic, pool, server) {
            Some(span) => vec![span],
            None => unknown(),
        },
        TrafficColumn::StateOn(balancer) => match traffic.view(pool, server, balancer) {
            Some(view) => aged(traffic, balancer, state(view.server)),
            None => absent(traffic, balancer),
        },
        TrafficColumn::Admin => agreed(views().map(|view| view.server.admin), admin),
        TrafficColumn::File => agreed(views().map(|view| view.server.configured), file),
        TrafficColumn::Weight => {
            agreed(views().map(|view| (view.server.weight, view.server.weight_configured)), weight)
        }
        TrafficColumn::Check => {
            // The worst check speaks for all: agreement is the usual case, and the details have the rest.
            let worst = views().max_by_key(|view| Meaning::from(&view.server.operational).badness());
            worst.map_or_else(unknown, |view| check(&view.server.check, &view.server.operational))
        }
        TrafficColumn::LastChange => {
            let newest = views().filter_map(|view| view.server.last_change_s.known()).min();
            vec![Span::figure(Figure::from_option(newest, Unknown::Missing), figures::duration_s).meaning(Meaning::Dim)]
        }
        TrafficColumn::Downtime => {
            let longest = views().filter_map(|view| view.server.downtime_s.known()).max();
            vec![
                Span::figure(Figure::from_option(longest, Unknown::Missing), figures::duration_s).meaning(Meaning::Dim),
            ]
        }
        _ => totals(app, &views().map(|view| (&view.server.traffic, view.rates)), column),
    }
}

fn share_cell(
    app: &App,
    traffic: &Traffic<'_>,
    pool: usize,
    server: usize,
    balancer: usize,
    column: TrafficColumn,
) -> Line {
    let view: Option<ServerView<'_>> = traffic.view(pool, server, balancer);
    if column == TrafficColumn::Name {
        let name = traffic.balancers[balancer].node.name.as_str();
        return vec![Span::dim(format!("    on {name}"))];
    }
    let Some(view) = view else {
        return match column {
            TrafficColumn::State => absent(traffic, balancer),
            TrafficColumn::StateOn(on) if on == balancer => absent(traffic, balancer),
            _ => Vec::new(),
        };
    };
    let line = match column {
        TrafficColumn::StateOn(on) if on != balancer => return Vec::new(),
        TrafficColumn::State | TrafficColumn::StateOn(_) => vec![state(view.server)],
        TrafficColumn::Admin => admin(view.server.admin),
        TrafficColumn::File => file(view.server.configured),
        TrafficColumn::Weight => weight((view.server.weight, view.server.weight_configured)),
        TrafficColumn::Check => check(&view.server.check, &view.server.operational),
        TrafficColumn::LastChange => vec![Span::figure(view.server.last_change_s, figures::duration_s)],
        TrafficColumn::Downtime => vec![Span::figure(view.server.downtime_s, figures::duration_s)],
        _ => totals(app, &std::iter::once((&view.server.traffic, view.rates)), column),
    };
    if traffic.balancers[balancer].is_stale { stale(line) } else { line }
}

/// What is wanted of a server; a sign where some load balancer has it otherwise.
fn wanted(app: &App, traffic: &Traffic<'_>, pool: usize, server: usize) -> Line {
    let seen = app.seen();
    let pool = &traffic.pools[pool];
    let Some(wish) = changes::wish(seen, pool.proxy.name, pool.servers[server]) else { return Vec::new() };
    let word = changes::wanted_word(wish.wanted);
    let is_lost = changes::is_lost(seen, wish);
    vec![if is_lost {
        Span::signed(&word, Meaning::Crit)
    } else {
        Span::new(word, changes::wanted_meaning(wish.wanted))
    }]
}

fn unknown() -> Line {
    vec![Span::new("?", Meaning::Unknown)]
}

/// A load balancer that does not have the row: it never answered, or its answer lacks it.
fn absent(traffic: &Traffic<'_>, balancer: usize) -> Line {
    if traffic.balancers[balancer].facts.is_none() {
        return vec![Span::signed("not read", Meaning::Unknown)];
    }
    vec![Span::signed("not there", Meaning::Unknown)]
}

/// A word that a load balancer said too long ago.
fn aged(traffic: &Traffic<'_>, balancer: usize, span: Span) -> Line {
    if traffic.balancers[balancer].is_stale { stale(vec![span]) } else { vec![span] }
}

fn stale(mut line: Line) -> Line {
    // What was never known does not age.
    for span in line.iter_mut().filter(|span| span.meaning != Meaning::Unknown) {
        span.meaning = Meaning::Stale;
    }
    line
}

/// A state with how long it has lasted, where that matters.
fn state(server: &Server) -> Span {
    let meaning = Meaning::from(&server.operational);
    let word = server.operational.to_string();
    match (&server.operational, server.last_change_s) {
        (OperationalState::Up | OperationalState::Unchecked, _) | (_, Figure::Unknown(_)) => {
            Span::signed(&word, meaning)
        }
        (_, Figure::Known(seconds)) => {
            let since = figures::duration_s(seconds);
            // Whole minutes are enough for a column; the details have the rest.
            let since = if since.len() > 5 { since.split_inclusive(' ').take(2).collect() } else { since };
            Span::signed(&format!("{word} {}", since.trim_end()), meaning)
        }
    }
}

/// All load balancers in one word: theirs if they agree.
fn merged_state(traffic: &Traffic<'_>, pool: usize, server: usize) -> Option<Span> {
    if traffic.differs(pool, server) {
        return Some(Span::signed("differs", Meaning::Warn));
    }
    let worst = traffic.views(pool, server).max_by_key(|view| Meaning::from(&view.server.operational).badness())?;
    let span = state(worst.server);
    Some(if traffic.balancers[worst.balancer].is_stale { span.meaning(Meaning::Stale) } else { span })
}

/// One value if all say the same.
fn agreed<T: PartialEq>(values: impl Iterator<Item = T>, show: impl Fn(T) -> Line) -> Line {
    let mut all = values;
    let Some(first) = all.next() else { return unknown() };
    if all.all(|other| other == first) { show(first) } else { vec![Span::new("differs", Meaning::Warn)] }
}

fn admin(state: Figure<AdminState>) -> Line {
    let meaning = match state.known() {
        Some(AdminState::Ready) => Meaning::Dim,
        Some(AdminState::Drain | AdminState::DrainInherited) => Meaning::Drain,
        Some(_) => Meaning::Maint,
        None => Meaning::Unknown,
    };
    vec![Span::figure(state, |state| state.to_string()).meaning(meaning)]
}

fn file(state: Figure<ConfiguredState>) -> Line {
    let meaning = match state.known() {
        Some(ConfiguredState::Ready) => Meaning::Dim,
        Some(ConfiguredState::Disabled) => Meaning::Maint,
        None => Meaning::Unknown,
    };
    vec![Span::figure(state, |state| state.to_string()).meaning(meaning)]
}

fn weight((now, configured): (Figure<u64>, Figure<u64>)) -> Line {
    let mut now = Span::figure(now, figures::count);
    let configured = Span::figure(configured, figures::count);
    now.meaning = if now.text == configured.text { Meaning::Dim } else { Meaning::Drain };
    now.text = format!("{}/{}", now.text, configured.text);
    vec![now]
}

fn check(check: &Check, state: &OperationalState) -> Line {
    let mut words = match check.status.as_ref() {
        Figure::Known(status) if status.is_empty() => return vec![Span::dim("-")],
        Figure::Known(status) => status.as_str().to_owned(),
        Figure::Unknown(_) if matches!(state, OperationalState::Unchecked) => return vec![Span::dim("not checked")],
        Figure::Unknown(_) => return unknown(),
    };
    let passed = words.ends_with("OK");
    // Writing into a string cannot fail.
    if let Some(code) = check.code.known() {
        let _ = write!(words, " {code}");
    }
    if let Some(ms) = check.duration_ms.known() {
        let _ = write!(words, " in {}", figures::latency_whole(ms));
    }
    if let (false, Some(text)) = (passed, check.text.as_ref().known()) {
        let _ = write!(words, ", {text}");
    }
    vec![Span::new(words, if passed { Meaning::Dim } else { Meaning::from(state) })]
}

/// Columns that add up over load balancers.
fn totals<'a>(
    app: &App,
    parts: &(impl Iterator<Item = (&'a Counters, TrafficRates)> + Clone),
    column: TrafficColumn,
) -> Line {
    let limits = &app.inventory.settings.thresholds;
    let sum = |of: fn(&Counters) -> Figure<u64>| traffic::sum(parts.clone().map(|(counters, _)| of(counters)));
    let rate = |of: fn(&TrafficRates) -> Figure<f64>| traffic::sum_f64(parts.clone().map(|(_, rates)| of(&rates)));
    let share = |of: fn(&TrafficRates) -> Figure<f64>| {
        traffic::weighted(parts.clone().map(|(_, rates)| (of(&rates), rates.requests_per_s)))
    };
    let time = |of: fn(&Counters) -> Figure<u64>| {
        let pairs = parts.clone().map(|(counters, rates)| (of(counters).map(|ms| ms as f64), rates.requests_per_s));
        not_offered_is_a_dash(traffic::weighted(pairs), |ms| figures::latency_whole(ms.round() as u64))
    };
    let span = match column {
        TrafficColumn::Sessions => {
            let now = sum(|counters| counters.sessions_current);
            let limit = sum(|counters| counters.sessions_limit);
            return sessions(now, limit, limits.sessions_percent);
        }
        TrafficColumn::Queue => {
            let queue = sum(|counters| counters.queue_current);
            let many = queue.known().is_some_and(|queue| queue >= limits.queue_requests.max(1));
            let span = not_offered_is_a_dash(queue, figures::count);
            if many { span.meaning(Meaning::Warn) } else { span }
        }
        TrafficColumn::Rate => {
            let figure = traffic::sum_f64(parts.clone().map(|(_, rates)| traffic::requests_or_sessions(&rates)));
            not_offered_is_a_dash(figure, figures::rate)
        }
        TrafficColumn::Errors => {
            let figure = share(|rates| rates.server_errors_percent);
            let many = figure.known().is_some_and(|percent| percent >= limits.errors_percent);
            let span = not_offered_is_a_dash(figure, figures::percent_fine);
            if many { span.meaning(Meaning::Warn) } else { span }
        }
        TrafficColumn::ClientErrors => {
            not_offered_is_a_dash(share(|rates| rates.client_errors_percent), figures::percent_fine)
        }
        TrafficColumn::Failures => not_offered_is_a_dash(rate(|rates| rates.failures_per_s), figures::rate),
        TrafficColumn::In => not_offered_is_a_dash(rate(|rates| rates.in_bits_per_s), figures::bits),
        TrafficColumn::Out => not_offered_is_a_dash(rate(|rates| rates.out_bits_per_s), figures::bits),
        TrafficColumn::Response => time(|counters| counters.response_time_ms),
        TrafficColumn::QueueTime => time(|counters| counters.queue_time_ms),
        TrafficColumn::ConnectTime => time(|counters| counters.connect_time_ms),
        TrafficColumn::TotalTime => time(|counters| counters.total_time_ms),
        _ => return Vec::new(),
    };
    vec![span]
}

/// A column that a kind of row does not have is a dash; one that should be there is `?`.
fn not_offered_is_a_dash<T>(figure: Figure<T>, show: impl FnOnce(T) -> String) -> Span {
    match figure {
        Figure::Unknown(Unknown::NotOffered) => Span::dim("-"),
        figure => Span::figure(figure, show),
    }
}

fn sessions(now: Figure<u64>, limit: Figure<u64>, warn_percent: f64) -> Line {
    let near = matches!((now, limit), (Figure::Known(now), Figure::Known(limit))
        if limit > 0 && now as f64 * 100.0 / limit as f64 >= warn_percent);
    let mut now = Span::figure(now, figures::count);
    if near {
        now.meaning = Meaning::Warn;
    }
    // A fixed place for the bar between the two, so that it does not move with the digits of the limit.
    let limit = limit.known().map_or("-".to_owned(), figures::count);
    vec![now, Span::dim(format!(" / {limit:>4}"))]
}
