//! `vakt status`: the cluster once, or again and again, as a table or as JSON.

use super::{
    Cluster, Exit, Stop,
    gather::Gather,
    output, status_check,
    status_document::{self, Document},
    table::{Align, Table},
};
use crate::{
    app::Options,
    model::inventory::Inventory,
    runtime::{clock::SystemClock, runs::Desk},
};
use std::{fmt::Write, sync::Arc, time::Duration};

/// What the command line asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// JSON instead of tables.
    pub(super) json: bool,
    /// Again and again.
    pub(super) watch: bool,
    /// One line for a monitoring system.
    pub(super) check: bool,
    /// How long to watch before the answer.
    pub(super) watched_s: f64,
    /// Longest wait for the first answer.
    pub(super) wait_s: f64,
}

/// Prints the status; well when every node is up and nothing critical is found.
pub(super) async fn run(cluster: Cluster, options: Options, desk: Desk, wanted: Wanted) -> Result<Exit, Stop> {
    let wait = seconds("--wait", wanted.wait_s.max(0.1))?;
    let inventory = Arc::clone(&cluster.inventory);
    let mut gather = Gather::start(cluster, options, Arc::new(SystemClock::start()));
    // Looking makes no state folder; where there is none, nothing is wished.
    if desk.place.as_ref().is_ok_and(|place| place.path.is_dir()) {
        gather = gather.with_runs(desk);
    }
    Box::pin(show(gather, &inventory, wanted, wait)).await
}

/// The same for a watch that has begun.
pub(super) async fn show(
    mut gather: Gather,
    inventory: &Inventory,
    wanted: Wanted,
    wait: Duration,
) -> Result<Exit, Stop> {
    gather.until_complete(wait).await;
    let watched = seconds("--for", wanted.watched_s)?;
    if !watched.is_zero() {
        gather.for_a_while(watched).await;
        gather.judge();
    }
    let interval = Duration::from_millis(inventory.settings.poll.host_ms);
    loop {
        let app = gather.app();
        let document = status_document::document(&app.world, inventory, &app.standing.ledger, &app.findings, app.now);
        if wanted.check {
            let (state, line) = status_check::judge(&document);
            output::out(&line)?;
            gather.end().await;
            return Ok(Exit::Check(state));
        }
        let text = if wanted.json { json(&document, wanted.watch)? } else { tables(&document, wanted.watch) };
        output::out(&text)?;
        if !wanted.watch {
            let exit = judge(&document);
            gather.end().await;
            return Ok(exit);
        }
        tokio::select! {
            () = gather.for_a_while(interval) => {}
            _ = tokio::signal::ctrl_c() => {
                gather.end().await;
                return Ok(Exit::Ok);
            }
        }
    }
}

/// At most an hour.
fn seconds(option: &str, value: f64) -> Result<Duration, Stop> {
    Duration::try_from_secs_f64(value.min(3600.0))
        .map_err(|error| Stop::usage(format!("vakt status: {option}: {error}")))
}

fn judge(document: &Document) -> Exit {
    let all_up = document.nodes.iter().all(|node| node.state == "up");
    let critical =
        document.findings.iter().any(|finding| finding.severity == "critical" && finding.acknowledged.is_none());
    if all_up && !critical { Exit::Ok } else { Exit::NotWell }
}

fn json(document: &Document, one_line: bool) -> Result<String, Stop> {
    let text = if one_line { serde_json::to_string(document) } else { serde_json::to_string_pretty(document) };
    text.map(|text| text + "\n").map_err(|error| Stop::failed(format!("vakt status: {error}")))
}

/// The readable form.
fn tables(document: &Document, again: bool) -> String {
    let up = document.nodes.iter().filter(|node| node.state == "up").count();
    let mut text =
        format!("{}  {} of {} nodes up  {}\n", document.cluster, up, document.nodes.len(), document.taken_at);
    for finding in &document.findings {
        let _ = write!(text, "{:<8}  {}: {}", finding.severity, finding.subject, finding.summary);
        if let Some(cause) = &finding.follows_from {
            let _ = write!(text, " (follows from {}: {})", cause.subject, cause.title);
        }
        if let Some(seen) = &finding.acknowledged {
            let until = seen.until.as_deref().map_or_else(|| "it clears".to_owned(), str::to_owned);
            let _ = write!(text, " (acknowledged by {} until {until}: {})", seen.by, seen.reason);
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&nodes(document));
    for (title, part) in [("load balancers", load_balancers(document)), ("servers", servers(document))] {
        if let Some(part) = part {
            let _ = write!(text, "\n{title}\n{part}");
        }
    }
    if again {
        text.push('\n');
    }
    text
}

fn nodes(document: &Document) -> String {
    let mut table = Table::new(&[
        ("NODE", Align::Left),
        ("ROLE", Align::Left),
        ("STATE", Align::Left),
        ("LOAD", Align::Right),
        ("CPU", Align::Right),
        ("IOWAIT", Align::Right),
        ("MEMORY", Align::Right),
        ("AGE", Align::Right),
        ("PROBLEM", Align::Left),
    ]);
    for node in &document.nodes {
        let host = node.host.as_ref();
        let memory = host.and_then(|host| {
            let (total, available) = (host.memory_total_bytes?, host.memory_available_bytes?);
            (total > 0).then(|| 100.0 * total.saturating_sub(available) as f64 / total as f64)
        });
        table.row(vec![
            node.name.clone(),
            node.roles.join(","),
            node.state.to_owned(),
            figure(host.and_then(|host| host.load_one_minute), |load| format!("{load:.2}")),
            figure(host.and_then(|host| host.cpu_busy_percent), percent),
            figure(host.and_then(|host| host.cpu_iowait_percent), percent),
            figure(memory, percent),
            figure(node.age_ms, |ms| format!("{:.1} s", ms as f64 / 1000.0)),
            node.error.as_ref().map(|error| error.cause.clone()).unwrap_or_default(),
        ]);
    }
    table.text()
}

fn load_balancers(document: &Document) -> Option<String> {
    let mut table = Table::new(&[
        ("LB", Align::Left),
        ("VERSION", Align::Left),
        ("UPTIME", Align::Right),
        ("CONNECTIONS", Align::Right),
        ("PROBLEM", Align::Left),
    ]);
    for lb in &document.haproxy.load_balancers {
        let connections = match (lb.connections_current, lb.connections_max) {
            (Some(current), Some(max)) => format!("{current} / {max}"),
            _ => "?".into(),
        };
        table.row(vec![
            lb.lb.clone(),
            lb.version.clone().unwrap_or_else(|| "?".into()),
            figure(lb.uptime_s, |seconds| format!("{seconds} s")),
            connections,
            lb.error.clone().unwrap_or_default(),
        ]);
    }
    (!document.haproxy.load_balancers.is_empty()).then(|| table.text())
}

fn servers(document: &Document) -> Option<String> {
    let mut table = Table::new(&[
        ("BACKEND", Align::Left),
        ("SERVER", Align::Left),
        ("LB", Align::Left),
        ("STATE", Align::Left),
        ("ADMIN", Align::Left),
        ("FILE", Align::Left),
        ("WEIGHT", Align::Right),
        ("SESSIONS", Align::Right),
        ("QUEUE", Align::Right),
        ("CHECK", Align::Left),
    ]);
    let mut rows: Vec<_> = document.haproxy.servers.iter().collect();
    rows.sort_by(|a, b| (&a.backend, &a.server, &a.lb).cmp(&(&b.backend, &b.server, &b.lb)));
    for row in rows {
        table.row(vec![
            row.backend.clone(),
            row.server.clone(),
            row.lb.clone(),
            row.operational_state.clone(),
            row.admin_state.clone().unwrap_or_else(|| "?".into()),
            row.config_state.clone().unwrap_or_else(|| "?".into()),
            figure(row.weight, |weight| weight.to_string()),
            figure(row.sessions_current, |sessions| sessions.to_string()),
            figure(row.queue_current, |queue| queue.to_string()),
            row.check_status.clone().unwrap_or_else(|| "?".into()),
        ]);
    }
    (!document.haproxy.servers.is_empty()).then(|| table.text())
}

/// A figure, or `?`.
fn figure<T>(value: Option<T>, show: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "?".into(), show)
}

fn percent(value: f64) -> String {
    format!("{value:.0} %")
}
