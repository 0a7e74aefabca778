//! The table of candidates: every replica with every check, passed or failed, each with its figure.

use super::{
    Reason, ReasonKind, Scene,
    expect::{self, DatabaseExpect},
    field::{Field, Seat, is_allowed},
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ids::NodeName,
        text::Clean,
    },
    plan::expect::Verdict,
    wire::probe::Facts,
};

/// One check of one replica.
pub(in crate::plan) struct Line {
    /// `None`: nobody can say.
    pub(in crate::plan) passed: Option<bool>,
    /// What was seen.
    pub(in crate::plan) seen: String,
    pub(in crate::plan) kind: ReasonKind,
    pub(in crate::plan) cure: String,
}

impl Line {
    pub(in crate::plan) fn of(verdict: &Verdict, cure: &str) -> Self {
        let (passed, kind) = match verdict {
            Verdict::Holds(_) => (Some(true), ReasonKind::NotFit),
            Verdict::Fails(_) => (Some(false), ReasonKind::NotFit),
            Verdict::Unknown(_) => (None, ReasonKind::UnknownFact),
        };
        Self { passed, seen: verdict.seen().to_string(), kind, cure: cure.to_owned() }
    }

    pub(in crate::plan) fn figure<T>(
        figure: &Figure<T>,
        name: &str,
        judge: impl Fn(&T) -> (bool, String),
        cure: &str,
    ) -> Self {
        match figure {
            Figure::Known(value) => {
                let (passed, seen) = judge(value);
                Self { passed: Some(passed), seen, kind: ReasonKind::NotFit, cure: cure.to_owned() }
            }
            Figure::Unknown(why) => Self {
                passed: None,
                seen: format!("{name} is unknown: {why}"),
                kind: ReasonKind::UnknownFact,
                cure: "Let vakt's login read it, then plan again.".to_owned(),
            },
        }
    }
}

/// Every replica of the primary with every check.
pub(in crate::plan) fn table(field: &Field<'_>, scene: &Scene<'_>) -> Vec<(NodeName, Vec<Line>)> {
    field.replicas().map(|seat| (seat.node.name.clone(), lines(field, scene, seat))).collect()
}

/// The table in words, one replica a line.
pub(in crate::plan) fn words(field: &Field<'_>) -> Vec<Clean> {
    table_words(&field.candidates)
}

/// The same of any table.
pub(in crate::plan) fn table_words(candidates: &[(NodeName, Vec<Line>)]) -> Vec<Clean> {
    let mark = |line: &Line| match line.passed {
        Some(true) => "✓",
        Some(false) => "✗",
        None => "?",
    };
    let row = |(name, lines): &(NodeName, Vec<Line>)| {
        let checks: Vec<String> = lines.iter().map(|line| format!("{} {}", mark(line), line.seen)).collect();
        Clean::line(&format!("{name}: {}", checks.join(" · ")))
    };
    candidates.iter().map(row).collect()
}

/// Refuses what the target fails in, and what other replicas would make unsafe.
pub(in crate::plan) fn judge(field: &Field<'_>, to: &NodeName, reasons: &mut Vec<Reason>) {
    let mut evidence = words(field);
    for (name, lines) in &field.candidates {
        for line in lines.iter().filter(|line| line.passed != Some(true) && (name == to || line.is_about_all())) {
            let what = if name == to {
                format!("{to} cannot become the primary: {}.", line.seen)
            } else {
                format!("{name} could not follow {to}: {}.", line.seen)
            };
            // The table stands once.
            reasons.push(Reason::new(line.kind, what, std::mem::take(&mut evidence), &line.cure));
        }
    }
}

impl Line {
    /// A sibling that has transactions of its own, or does not replicate, could not follow the new primary.
    fn is_about_all(&self) -> bool {
        self.cure == ERRANT_CURE || self.cure.starts_with(THREADS_CURE)
    }
}

pub(in crate::plan) const ERRANT_CURE: &str = "Compare the data first; then remove the transactions from its history, or rebuild it from \
    another replica.";
const THREADS_CURE: &str = "Let it replicate first";

fn lines(field: &Field<'_>, scene: &Scene<'_>, seat: &Seat<'_>) -> Vec<Line> {
    let primary = &field.primary;
    let other: Option<(&Facts, Option<&Facts>)> = Some((&primary.facts, None));
    let of = |is: DatabaseExpect, cure: &str| Line::of(&is.judge(&seat.facts, None, other), cure);
    let lag_ms = scene.inventory.settings.thresholds.database.lag_ms;
    let words = seat.speaks();
    let threads = format!("{THREADS_CURE}: {}, after a look at its error.", words.start);
    let read_only = format!("Make it read-only: set global {} = 1.", words.read_only);
    let mut lines = vec![
        of(DatabaseExpect::Follows { node: primary.node.name.clone(), host: primary.host.clone() }, &threads),
        of(DatabaseExpect::NothingBeyond(primary.node.name.clone()), ERRANT_CURE),
        of(DatabaseExpect::LagAtMost { ms: lag_ms }, "Wait until it has caught up, or choose another replica."),
        of(DatabaseExpect::ReadOnly, &read_only),
        of(DatabaseExpect::NotHeld, "Wait until the run that holds it has ended: vakt runs."),
    ];
    lines.extend(replication_lines(seat));
    lines.extend(setting_lines(primary, seat));
    lines.extend(acknowledger_line(field, seat));
    lines.extend(purged_lines(field, seat));
    lines.push(place_line(scene, seat));
    lines
}

/// Whether data may be where it is.
pub(in crate::plan) fn place_line(scene: &Scene<'_>, seat: &Seat<'_>) -> Line {
    let place = seat.node.jurisdiction.as_deref().unwrap_or("no jurisdiction");
    let is_allowed = is_allowed(scene.inventory, seat.node);
    Line {
        passed: Some(is_allowed),
        seen: if is_allowed { format!("in {place}") } else { format!("in {place}, where databases may not be") },
        kind: ReasonKind::NotFit,
        cure: "Choose a replica where data may live, or correct [residency] in the configuration.".into(),
    }
}

pub(in crate::plan) fn replication_lines(seat: &Seat<'_>) -> Vec<Line> {
    let Figure::Known([channel]) = seat.sample.channels.as_ref().map(Vec::as_slice) else { return Vec::new() };
    vec![
        Line::figure(
            &channel.by_gtid,
            "whether it replicates by GTID",
            |word| (word.as_str() != "No", format!("GTID {word}")),
            &format!("Switch it to GTID: {}.", seat.speaks().by_gtid),
        ),
        Line::figure(
            &channel.delay_s,
            "its delay",
            |delay| (*delay == 0, format!("delay {delay} s")),
            "Choose a replica that is not delayed on purpose.",
        ),
    ]
}

fn setting_lines(primary: &Seat<'_>, seat: &Seat<'_>) -> Vec<Line> {
    let (theirs, own) = (&primary.sample.settings, &seat.sample.settings);
    let equal = |value: &Clean, wanted: &Figure<Clean>| wanted.as_ref().known() == Some(value);
    let mut lines = own_setting_lines(seat);
    let format = Line::figure(
        &own.binlog_format,
        "its binlog_format",
        |format| (equal(format, &theirs.binlog_format), format!("binlog_format {format}")),
        "Give it the binlog_format of the primary.",
    );
    lines.insert(2, format);
    lines.extend([Line::figure(
        &own.version,
        "its version",
        |version| {
            let of_primary = theirs.version.as_ref().known().map(|version| numbers(version.as_str()));
            let is_fit = of_primary.is_some_and(|wanted| numbers(version.as_str()) >= wanted);
            (is_fit, format!("version {version}"))
        },
        "Upgrade it first: a primary of an older version could not serve what the newer one wrote.",
    )]);
    lines.extend(family_lines(primary, seat));
    lines
}

/// What only one of the two families has.
fn family_lines(primary: &Seat<'_>, seat: &Seat<'_>) -> Vec<Line> {
    let (theirs, own) = (&primary.sample.settings, &seat.sample.settings);
    if !seat.sample.is_mysql() {
        return vec![Line::figure(
            &own.gtid_domain,
            "its gtid_domain_id",
            |domain| (theirs.gtid_domain.known() == Some(*domain), format!("gtid_domain_id {domain}")),
            "Give it the gtid_domain_id of the primary.",
        )];
    }
    if theirs.semi_sync_source.known() != Some(true) {
        return Vec::new();
    }
    let theirs = theirs.semi_sync_word.as_ref().known().map_or("source", Clean::as_str);
    let word = match &own.semi_sync_word {
        Figure::Unknown(Unknown::NotOffered) => Figure::Known(Clean::default()),
        word => word.clone(),
    };
    vec![Line::figure(
        &word,
        "whether it can wait for acknowledgements",
        |word| match word.as_str() {
            "" => (false, format!("no plug-in rpl_semi_sync_{theirs}, by which commits wait")),
            word => (true, format!("plug-in rpl_semi_sync_{word}")),
        },
        &format!("Install it: install plugin rpl_semi_sync_{theirs} soname 'semisync_{theirs}.so'."),
    )]
}

/// What the others lack of it must be in its binary logs, or they could not follow it.
fn purged_lines(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Line> {
    if !seat.sample.is_mysql() {
        return Vec::new();
    }
    let is = DatabaseExpect::FindsAllOn(seat.name().clone());
    let others = field.replicas().filter(|other| other.name() != seat.name());
    let judged = others.map(|other| (other.name(), is.judge(&other.facts, None, Some((&seat.facts, None)))));
    let failing = judged.filter(|(_, verdict)| !matches!(verdict, Verdict::Holds(_)));
    let lines = failing.map(|(name, verdict)| {
        let line = Line::of(&verdict, PURGED_CURE);
        Line { seen: format!("{name} {}", line.seen), ..line }
    });
    lines.collect()
}

/// Nobody has any more what a replica lacks.
pub(in crate::plan) const PURGED_CURE: &str = "Make the one that lacks them anew from a copy (the clone plug-in, or a \
    backup), or choose another one.";

/// Settings without which no server can be a primary, whoever was it before.
pub(in crate::plan) fn own_setting_lines(seat: &Seat<'_>) -> Vec<Line> {
    let own = &seat.sample.settings;
    let logs_applied = seat.speaks().logs_applied;
    vec![
        Line::figure(
            &own.binary_log,
            "whether it has a binary log",
            |on| (*on, format!("log_bin {}", on_off(*on))),
            "Switch its binary log on (log_bin) and restart it.",
        ),
        Line::figure(
            &own.logs_applied,
            "whether it logs what it applies",
            |on| (*on, format!("{logs_applied} {}", on_off(*on))),
            &format!("Switch {logs_applied} on and restart it."),
        ),
        Line::figure(
            &own.filters,
            "its replication filters",
            |filters| match filters.as_str() {
                "" => (true, "no filters".to_owned()),
                filters => (false, format!("filters {filters}")),
            },
            "It lacks what it filters out: choose another replica.",
        ),
    ]
}

fn on_off(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// The first two numbers of a version: 10.11.6-MariaDB is 10.11.
fn numbers(version: &str) -> (u32, u32) {
    let mut parts = version.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Where commits wait for an acknowledgement, somebody must be left to give one.
fn acknowledger_line(field: &Field<'_>, seat: &Seat<'_>) -> Vec<Line> {
    let primary = &field.primary;
    let cure = format!(
        "Switch {} on at another replica and restart its receiver, or switch semi-synchronous replication off on the \
         primary.",
        seat.speaks().semi_sync_replica
    );
    let source = primary.sample.settings.semi_sync_source;
    if source.known() == Some(false) {
        return Vec::new();
    }
    let line = |passed, seen: String| Line { passed, seen, kind: ReasonKind::NotFit, cure: cure.clone() };
    if let Figure::Unknown(why) = source {
        return vec![Line {
            kind: ReasonKind::UnknownFact,
            ..line(None, format!("whether commits wait for an acknowledgement is unknown: {why}"))
        }];
    }
    let work = primary.sample.work.as_ref().known();
    let now = match work.map(|work| (work.semi_sync_active, work.semi_sync_clients)) {
        Some((Some(true), Some(clients))) => line(Some(true), format!("{clients} replicas acknowledge now")),
        Some((Some(false), _)) => {
            line(Some(false), format!("commits on {} have no acknowledgement now", primary.node.name))
        }
        _ => Line {
            kind: ReasonKind::UnknownFact,
            ..line(None, "whether commits are acknowledged now is unknown".to_owned())
        },
    };
    let left = field.replicas().filter(|other| other.node.name != seat.node.name);
    let left = left.filter(|other| other.sample.settings.semi_sync_replica.known() == Some(true));
    let left: Vec<&str> = left.map(|other| other.node.name.as_str()).collect();
    let after = if left.is_empty() {
        line(Some(false), "nobody would acknowledge its commits".to_owned())
    } else {
        line(Some(true), format!("{} would acknowledge", crate::plan::haproxy::list_words(left)))
    };
    vec![now, after]
}

/// What differs between the two and changes nothing about the plan, in sentences.
pub(in crate::plan) fn differences(field: &Field<'_>) -> Vec<String> {
    let (target, primary) = (&field.target.sample.settings, &field.primary.sample.settings);
    let mut found = Vec::new();
    let mut note = |name: &str, own: Option<String>, theirs: Option<String>| {
        if let (Some(own), Some(theirs)) = (own, theirs)
            && own != theirs
        {
            found.push(format!("{name} {own} instead of {theirs}"));
        }
    };
    let number = |figure: Figure<u64>| figure.known().map(|value| value.to_string());
    note("max_connections", number(target.connections_max), number(primary.connections_max));
    note("innodb_buffer_pool_size", number(target.buffer_pool_bytes), number(primary.buffer_pool_bytes));
    let text = |figure: &Figure<Clean>| figure.as_ref().known().map(ToString::to_string);
    note("sql_mode", text(&target.sql_mode), text(&primary.sql_mode));
    found
}

/// The lag of the target, for the words of the plan.
pub(in crate::plan) fn lag_words(field: &Field<'_>) -> String {
    match expect::lag_of(field.target.sample) {
        Figure::Known(ms) => crate::plan::text::seconds(ms),
        Figure::Unknown(why) => format!("unknown ({why})"),
    }
}
