//! One database in depth: disk or locks, replication, sessions, who waits for whom, the last deadlock.

use super::{GUTTER, title_line};
use crate::{
    app::{
        App, Seen,
        databases::{self, DatabaseRow},
        figures,
        layout::Area,
        meaning::{Line, Meaning, Span},
        trend,
    },
    history::{
        mysql::{
            attribution::{Attribution, Bottleneck, Grid, attribute},
            grid,
        },
        recent::HostFigure,
    },
    model::{
        figure::Figure,
        mysql::{Channel, Deadlock, MysqlFacts, Process, root_blockers},
        text::Clean,
    },
    view::{
        canvas::{Canvas, line_width, width as text_width},
        glyphs::Glyphs,
    },
};

/// Sessions that are listed.
const SESSIONS_MAX: usize = 40;
/// Lock waits that are listed.
const WAITS_MAX: usize = 30;
/// Columns of a block of the grid.
const BLOCK_WIDTH_MIN: u16 = 36;

/// What the parts are made from.
#[derive(Clone, Copy)]
struct Parts<'a> {
    seen: Seen<'a>,
    row: &'a DatabaseRow<'a>,
    facts: &'a MysqlFacts,
    grid: &'a Grid,
    glyphs: &'static Glyphs,
}

/// Draws the pane of one database from line `scroll` on.
pub(in crate::view) fn draw(
    canvas: &mut Canvas<'_>,
    app: &App,
    row: &DatabaseRow<'_>,
    area: Area,
    scroll: usize,
    has_keys: bool,
) {
    if area.width < 4 || area.height < 2 {
        return;
    }
    let seen = app.seen();
    let aside =
        if has_keys { [Span::new("arrows scroll, Tab closes", Meaning::Dim)] } else { [Span::dim("Tab: into it")] };
    canvas.rule(Area { height: 1, ..area }, &head(seen, row), &aside);
    let inside = Area { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 1 };
    let lines = lines(seen, row, inside.width, canvas.glyphs);
    let height = usize::from(inside.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    for (index, line) in lines.iter().skip(first).take(height).enumerate() {
        canvas.line(inside.x, inside.y + index as u16, inside.width, line);
    }
    let below = lines.len().saturating_sub(first + height);
    if below > 0 {
        let words = [Span::dim(format!(" {below} more below "))];
        canvas.line_right(inside.x, inside.y + inside.height - 1, inside.width, &words);
    }
}

/// "db01 MariaDB 10.11 primary writable".
fn head(seen: Seen<'_>, row: &DatabaseRow<'_>) -> Line {
    let (word, meaning, _) = databases::standing(seen, row.node);
    let mut line = vec![
        Span::new(format!("{} ", row.node.name), Meaning::Accent),
        Span::signed(word, meaning),
        Span::plain(format!("  {}", row.place.role.word())),
    ];
    if let Some(source) = &row.place.source {
        line.push(Span::dim(format!(" of {source}")));
    }
    if let Some(facts) = row.node.mysql.last() {
        line.push(Span::plain("  "));
        let writes = databases::writes(facts);
        let is_old = databases::is_old(seen, row.node);
        line.push(if is_old { writes.meaning(Meaning::Stale) } else { writes });
        if let Some(version) = facts.sample.identity.version.as_ref().known() {
            line.push(Span::dim(format!("  {version}")));
        }
        if let Some(uptime) = facts.sample.identity.uptime_s.known() {
            line.push(Span::dim(format!(", up {}", figures::duration_s(uptime))));
        }
    }
    line
}

fn lines(seen: Seen<'_>, row: &DatabaseRow<'_>, room: u16, glyphs: &'static Glyphs) -> Vec<Line> {
    let (_, meaning, why) = databases::standing(seen, row.node);
    let Some(facts) = row.node.mysql.last() else { return wrapped(&why, room, meaning) };
    let grid = grid(row.node).unwrap_or_default();
    let attribution = attribute(&grid);
    let mut lines = Vec::new();
    if !why.is_empty() && !why.contains(attribution.sentence.as_str()) {
        lines.extend(wrapped(&why, room, meaning));
    }
    let parts = Parts { seen, row, facts, grid: &grid, glyphs };
    let told = parts.told(&attribution, room);
    if databases::is_old(seen, row.node) {
        let age = row.node.mysql.age_ms(seen.now.mono).map_or_else(|| "?".to_owned(), figures::age);
        lines.extend(wrapped(&format!("Before its silence, {age} ago:"), room, Meaning::Stale));
        lines.extend(told.into_iter().map(aged));
    } else {
        lines.extend(told);
    }
    lines
}

/// What was true some time ago: values lose their colour, names of values and rules keep theirs.
fn aged(mut line: Line) -> Line {
    let is_value = |meaning| !matches!(meaning, Meaning::Dim | Meaning::Line | Meaning::Heading | Meaning::Unknown);
    for span in line.iter_mut().filter(|span| is_value(span.meaning)) {
        span.meaning = Meaning::Stale;
    }
    line
}

/// Blocks side by side, each `width` wide.
fn beside(blocks: &[(&str, Vec<Line>)], width: u16, glyphs: &Glyphs) -> Vec<Line> {
    let tall = blocks.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0) + 1;
    let line_of = |index: usize| {
        let mut whole: Line = Vec::new();
        for (place, (title, lines)) in blocks.iter().enumerate() {
            if place > 0 {
                whole.push(Span::plain(" ".repeat(usize::from(GUTTER))));
            }
            let part = match index {
                0 => title_line(title, width, glyphs),
                _ => lines.get(index - 1).cloned().unwrap_or_default(),
            };
            let spare = width.saturating_sub(line_width(&part));
            whole.extend(part);
            whole.push(Span::plain(" ".repeat(usize::from(spare))));
        }
        whole
    };
    (0..tall).map(line_of).collect()
}

/// A sentence with its sign, broken at spaces.
fn wrapped(sentence: &str, room: u16, meaning: Meaning) -> Vec<Line> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in sentence.split(' ') {
        let Some(last) = lines.last_mut() else { break };
        let used = last.chars().count() + word.chars().count() + 1;
        if !last.is_empty() && used + 2 > usize::from(room) {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    let line = |(index, text): (usize, String)| match index {
        0 => vec![Span::signed("", meaning), Span::plain(format!(" {text}"))],
        _ => vec![Span::plain(format!("  {text}"))],
    };
    lines.into_iter().enumerate().map(line).collect()
}

/// Forms of a note as slices.
fn words(forms: &[String]) -> Vec<&str> {
    forms.iter().map(String::as_str).collect()
}

/// A label and its value, the value to the right in a fixed width.
fn pair(label: &str, value: &Span) -> Line {
    vec![Span::dim(format!("  {label:<15}")), Span::new(format!("{:>8}", value.text), value.meaning)]
}

/// The same with words behind it: the first form that the block has room for, so that no block pushes the next one.
fn noted(label: &str, value: &Span, width: u16, forms: &[&str]) -> Line {
    let mut line = pair(label, value);
    let room = width.saturating_sub(line_width(&line) + 2);
    if let Some(note) = forms.iter().find(|form| !form.is_empty() && text_width(form) <= room) {
        line.push(Span::dim(format!("  {note}")));
    }
    line
}

impl Parts<'_> {
    /// All that its last answer says, from where the time goes to the last deadlock.
    fn told(self, attribution: &Attribution, room: u16) -> Vec<Line> {
        let meaning = match attribution.bottleneck {
            Bottleneck::Nothing => Meaning::Ok,
            Bottleneck::Unknown => Meaning::Unknown,
            _ => Meaning::Warn,
        };
        let mut lines = wrapped(&attribution.sentence, room, meaning);
        let count = ((room + GUTTER) / (BLOCK_WIDTH_MIN + GUTTER)).clamp(1, 4);
        let count = if count == 3 { 2 } else { count };
        let width = (room - GUTTER * (count - 1)) / count;
        let blocks = [
            ("Disk", self.disk(width)),
            ("Engine", self.engine(width)),
            ("Locks", self.locks(width)),
            ("Work", self.work(width)),
        ];
        for chunk in blocks.chunks(usize::from(count)) {
            lines.extend(beside(chunk, width, self.glyphs));
        }
        let wide = [
            ("Replication", self.replication()),
            ("Who waits for whom", self.waits()),
            ("Sessions, those that run first", self.sessions()),
            ("Last deadlock", self.deadlock()),
        ];
        for (title, body) in wide {
            if !body.is_empty() {
                lines.push(title_line(title, room, self.glyphs));
                lines.extend(body);
            }
        }
        lines
    }

    fn disk(self, width: u16) -> Vec<Line> {
        let grid = self.grid;
        let limits = &self.seen.inventory.settings.thresholds;
        let kind = match grid.rotational {
            Figure::Known(true) => ["turns (HDD)", "HDD"],
            Figure::Known(false) => ["solid state (SSD)", "SSD"],
            Figure::Unknown(_) => ["kind unknown", "kind ?"],
        };
        let iowait = Span::limited(grid.iowait_percent, limits.iowait_percent, figures::percent);
        let mut first = pair("iowait", &iowait);
        let room = usize::from(width.saturating_sub(29)).min(40);
        if room >= 4 {
            let samples = trend::host(self.seen, &self.row.node.name, HostFigure::Iowait, room, trend::ROW_SAMPLES);
            first.push(Span::plain("  "));
            first.extend(super::spark(&samples, super::percent_top(&samples), self.glyphs));
        }
        vec![
            first,
            noted("await", &Span::figure(grid.await_ms, figures::latency), width, &kind),
            pair("busy", &Span::figure(grid.busy_percent, figures::percent)),
            pair("stalled on IO", &Span::figure(grid.io_stall_percent, figures::percent)),
            pair("page reads", &Span::figure(grid.disk_reads_per_s, figures::rate)),
        ]
    }

    fn engine(self, width: u16) -> Vec<Line> {
        let (engine, redo, innodb) = (&self.facts.rates.engine, &self.facts.rates.redo, &self.facts.sample.innodb);
        let limits = &self.seen.inventory.settings.thresholds.database;
        let flush = redo.sync_flush_in_s.known().map(|left| figures::duration_s(left.min(9e9) as u64));
        let flush = flush.map_or_else(Vec::new, |left| vec![format!("full in {left}"), format!("in {left}"), left]);
        let lifetime = engine.hit.lifetime_percent.known().map(figures::percent_fine);
        let lifetime = lifetime.map_or_else(Vec::new, |hit| vec![format!("since start {hit}"), format!("ever {hit}")]);
        let wanted = innodb.settings.dirty_percent_max.known().map_or(String::new(), |most| format!("of {most:.0} %"));
        let pressure = Span::limited(redo.pressure_percent, limits.redo_percent, figures::percent);
        vec![
            noted("redo", &pressure, width, &words(&flush)),
            noted("dirty", &Span::figure(engine.dirty_percent, figures::percent), width, &[&wanted]),
            noted("hit", &Span::figure(engine.hit.window_percent, figures::percent_fine), width, &words(&lifetime)),
            pair("fsyncs", &Span::figure(engine.fsyncs_per_s, figures::rate)),
            pair("pending", &Span::figure(pending(innodb), |count| count.to_string())),
            pair("free page waits", &Span::figure(engine.free_waits_per_s, figures::rate)),
        ]
    }

    fn locks(self, width: u16) -> Vec<Line> {
        let (locks, innodb) = (&self.facts.rates.locks, &self.facts.sample.innodb);
        let oldest = self
            .facts
            .sample
            .transactions
            .as_ref()
            .map(|all| all.iter().filter_map(|transaction| transaction.age_s.known()).max());
        let oldest = match oldest {
            Figure::Known(Some(age_s)) => {
                let limit = self.seen.inventory.settings.thresholds.database.transaction_s;
                let meaning = if age_s >= limit { Meaning::Warn } else { Meaning::Text };
                Span::new(figures::duration_s(age_s), meaning)
            }
            Figure::Known(None) => Span::dim("none"),
            Figure::Unknown(_) => Span::new("?", Meaning::Unknown),
        };
        let share = locks
            .load_percent
            .known()
            .map_or_else(Vec::new, |share| vec![format!("{share:.0} % of running"), format!("{share:.0} %")]);
        vec![
            noted("row-lock load", &Span::figure(locks.load_sessions, figures::number), width, &words(&share)),
            pair("waiting now", &Span::figure(innodb.row_locks.waiting_now, |count| count.to_string())),
            pair("mean wait", &Span::figure(locks.wait_ms, figures::latency)),
            pair("oldest trx", &oldest),
            pair("deadlocks", &Span::figure(locks.deadlocks_per_s, figures::rate)),
            pair("history list", &Span::figure(innodb.history_list_length, figures::count)),
        ]
    }

    fn work(self, width: u16) -> Vec<Line> {
        let (rates, server) = (&self.facts.rates, &self.facts.sample.server);
        let statements = &rates.statements;
        let limit = self.seen.inventory.settings.thresholds.database.connections_percent;
        let connected = match (server.threads_connected, server.connections_max) {
            (Figure::Known(now), Figure::Known(most)) => {
                vec![format!("of {most}, {now} now"), format!("{now}/{most}"), format!("{now} now")]
            }
            _ => Vec::new(),
        };
        let used = Span::limited(rates.connections.used_percent, limit, figures::percent);
        let split = self.split();
        vec![
            noted("statements", &Span::figure(statements.questions_per_s, figures::rate), width, &words(&split)),
            pair("writes", &Span::figure(statements.writes_per_s(), figures::rate)),
            pair("running", &Span::figure(server.threads_running, |count| count.to_string())),
            noted("connections", &used, width, &words(&connected)),
            pair("slow", &Span::figure(statements.slow_per_s, figures::rate)),
            pair("tmp on disk", &Span::figure(rates.work.tmp_disk_tables_per_s, figures::rate)),
        ]
    }

    fn split(self) -> Vec<String> {
        let selects = self.facts.rates.statements.selects_per_s.known().map(figures::rate);
        selects.map_or_else(Vec::new, |selects| vec![format!("{selects} reads")])
    }

    fn replication(self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for channel in self.facts.channels() {
            lines.extend(self.channel(channel));
        }
        let semi_sync = databases::semi_sync(self.facts, self.row.place.role);
        let mut last = vec![Span::dim("  semi-sync "), semi_sync];
        if let Some(position) = self.facts.sample.replication.position() {
            last.push(Span::dim("   transactions "));
            last.push(Span::plain(position.chars().take(120).collect::<String>()));
        }
        lines.push(last);
        // What replicas say now is no part of what a silent server said.
        let listed = if databases::is_old(self.seen, self.row.node) { &[][..] } else { &self.row.place.replicas[..] };
        for name in listed {
            let Some(replica) = self.seen.world.node(name).and_then(|node| node.mysql.last()) else { continue };
            lines.push(vec![
                Span::dim(format!("  to {name:<12} lag ")),
                databases::lag(replica, self.seen.inventory.settings.thresholds.database.lag_ms),
                Span::dim("   GTID "),
                databases::relation(replica),
            ]);
        }
        lines
    }

    fn channel(self, channel: &Channel) -> Vec<Line> {
        let source = channel.source_host.as_ref().known().map_or("?", Clean::as_str);
        let word = |label: &str, thread: &Figure<crate::model::mysql::ThreadState>| {
            let span = match thread.as_ref().known() {
                Some(state) => {
                    let runs = *state == crate::model::mysql::ThreadState::Running;
                    Span::new(state.to_string(), if runs { Meaning::Text } else { Meaning::Crit })
                }
                None => Span::new("?", Meaning::Unknown),
            };
            [Span::dim(label.to_owned()), span]
        };
        let name = if channel.name.is_empty() { String::new() } else { format!("{} ", channel.name) };
        let mut first = vec![Span::dim(format!("  {name}from ")), Span::plain(source)];
        first.extend(word("   receiver ", &channel.receiver));
        first.extend(word("   applier ", &channel.applier));
        let lags = &channel.lags;
        let known = [("received", lags.received_ms), ("applied", lags.applied_ms), ("heartbeat", lags.heartbeat_ms)];
        let mut second = vec![Span::dim("  lag")];
        for (what, lag) in known {
            second.push(Span::dim(format!("  {what} ")));
            second.push(Span::figure(lag, figures::age));
        }
        second.push(Span::dim("   GTID "));
        second.push(databases::relation(self.facts));
        let mut lines = vec![first, second];
        let errors = [("receiver", &channel.receiver_error), ("applier", &channel.applier_error)];
        for (what, error) in errors {
            if let Some(error) = error {
                let words = format!("  {what} error {}: {}", error.code, error.message);
                lines.push(vec![Span::new(words, Meaning::Crit)]);
            }
        }
        lines
    }

    fn waits(self) -> Vec<Line> {
        let Some(waits) = self.facts.sample.lock_waits.as_ref().known() else { return Vec::new() };
        let roots = root_blockers(waits);
        let mut lines: Vec<Line> = roots
            .iter()
            .take(3)
            .map(|(root, behind)| {
                let waiting = figures::counted(*behind, "session waits", "sessions wait");
                vec![Span::new(format!("  {waiting} behind session {root}"), Meaning::Warn)]
            })
            .collect();
        for wait in waits.iter().take(WAITS_MAX) {
            let id = |figure: Figure<u64>| figure.known().map_or_else(|| "?".to_owned(), |id| id.to_string());
            let table = wait.table.as_ref().known().map_or("?", Clean::as_str);
            let age = wait.age_s.known().map_or_else(|| "?".to_owned(), figures::duration_s);
            let statement = wait.waiting_statement.as_ref().known().map_or("", Clean::as_str);
            lines.push(vec![
                Span::plain(format!("  {:>6} waits for {:>6} ", id(wait.waiting), id(wait.blocking))),
                Span::dim(format!("{age:>6}  {table}  ")),
                Span::plain(statement.to_owned()),
            ]);
        }
        lines
    }

    fn sessions(self) -> Vec<Line> {
        let Some(all) = self.facts.sample.processes.as_ref().known() else { return Vec::new() };
        all.iter().take(SESSIONS_MAX).map(session).collect()
    }

    fn deadlock(self) -> Vec<Line> {
        let Some(Some(deadlock)) = self.facts.sample.deadlock.as_ref().known() else { return Vec::new() };
        deadlock_lines(deadlock)
    }
}

fn pending(innodb: &crate::model::mysql::InnodbSample) -> Figure<u64> {
    let io = &innodb.io;
    let parts = [io.pending_reads, io.pending_writes, io.pending_fsyncs];
    parts.into_iter().reduce(|sum, part| sum.and_then(|sum| part.map(|part| sum + part))).unwrap_or_default()
}

fn session(process: &Process) -> Line {
    let text = |figure: &Figure<Clean>| figure.as_ref().known().map_or("", Clean::as_str).to_owned();
    let seconds = process.seconds.known().map_or_else(|| "?".to_owned(), figures::duration_s);
    let command = text(&process.command);
    let is_idle = matches!(command.as_str(), "Sleep" | "Daemon" | "Binlog Dump");
    let (user, host) = (text(&process.user), text(&process.host));
    let host = host.split(':').next().unwrap_or_default().to_owned();
    let what = [text(&process.state), text(&process.statement)].join("  ");
    let meaning = if is_idle { Meaning::Dim } else { Meaning::Text };
    vec![
        Span::new(
            format!(
                "  {:>7} {:<12} {:<15} {:<11} {seconds:>8}  ",
                process.id,
                cut(&user, 12),
                cut(&host, 15),
                cut(&command, 11)
            ),
            meaning,
        ),
        Span::new(what.trim().to_owned(), meaning),
    ]
}

fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn deadlock_lines(deadlock: &Deadlock) -> Vec<Line> {
    let mut lines = vec![vec![Span::dim(format!("  at {}", deadlock.at))]];
    for (index, party) in deadlock.parties.iter().enumerate() {
        let number = index as u32 + 1;
        let rolled_back = deadlock.victim.known() == Some(number);
        let id = party.process.known().map_or_else(|| "?".to_owned(), |id| id.to_string());
        let waits = party.waits_for.as_ref().known().map_or("?", Clean::as_str);
        let statement = party.statement.as_ref().known().map_or("", Clean::as_str);
        let fate = if rolled_back { ", rolled back" } else { "" };
        lines.push(vec![
            Span::new(format!("  session {id}{fate} "), if rolled_back { Meaning::Warn } else { Meaning::Text }),
            Span::plain(statement.to_owned()),
        ]);
        lines.push(vec![Span::dim(format!("    waited for {waits}"))]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block that is wider than its room pushes the one beside it: its figures then stand in the wrong column.
    #[test]
    fn a_note_that_does_not_fit_is_said_shorter_or_not_at_all() {
        let forms = ["since start 99.98 %", "ever 99.98 %"];
        let value = Span::plain("99.98 %");
        for width in 25..=120 {
            let line = noted("free page waits", &value, width, &forms);
            assert!(line_width(&line) <= width, "{width}: {line:?}");
            let lines = beside(
                &[("Engine", vec![line]), ("Work", vec![pair("writes", &value)])],
                width,
                &crate::view::glyphs::UNICODE,
            );
            assert_eq!(line_width(&lines[1]), width * 2 + GUTTER, "{width}");
        }
        let said = |width| noted("hit", &value, width, &forms).last().map(|span| span.text.trim().to_owned());
        assert_eq!(said(60).as_deref(), Some("since start 99.98 %"));
        assert_eq!(said(42).as_deref(), Some("ever 99.98 %"));
        assert_eq!(said(30).as_deref(), Some("99.98 %"));
    }
}
