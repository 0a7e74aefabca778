//! A rule about traffic that is far more than it just was: the rate of a frontend against its own recent past.
//!
//! The past is one weighted mean a frontend, of the sum over all load balancers. It is learned slowly, and slower while
//! the rate stands out, so that a spike does not become the past it is compared with; what lasts for a quarter of
//! an hour is how it is now.

use super::{
    Severity,
    catalogue::rules,
    scene::Scene,
    track::{Condition, Level},
    words::{counted, percent},
};
use crate::model::{
    figure::Figure,
    haproxy::{HaproxyFacts, Traffic},
    ids::{NodeName, ProxyName},
    time::{Mono, Now},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Nothing is said of a frontend that has been watched for less: there is nothing to compare with.
const WARM_UP_MS: u64 = 30_000;
/// How long the past is that the mean stands for.
const PAST_MS: f64 = 300_000.0;
/// The same while the rate stands out.
const PAST_WHILE_OUT_MS: f64 = 1_800_000.0;
/// Rates that grow by less than this are no spike, whatever they were before: per second.
const GROWTH_PER_S_MIN: f64 = 10.0;
/// A spike is told after this time: it is in the sum of all load balancers, which does not stumble. Two samples make a
/// rate, so that it is told within five seconds of the first visitor.
const HOLD_MS: u64 = 2_000;
/// A sample that is missing longer than this begins the past anew.
const FORGOTTEN_AFTER_MS: u64 = 120_000;
/// More frontends are not watched.
const FRONTENDS_MAX: usize = 256;
/// Rows that the evidence lists.
const NEAREST_MAX: usize = 3;

rules! {
    SPIKE = "traffic.spike", 58, Warning, "Traffic far above usual" {
        meaning: "A frontend gets many times what it got over the last minutes. Nothing is broken by that alone; what \
            stands nearest to its limit breaks first.",
        causes: "A campaign, a crawler, clients that try again and again, or an attack.",
        action: "see who is nearest to its limit; put servers back, raise what they bear, or limit the clients",
        commands: ["finding.playbook", "go.traffic", "row.logs"],
    }
}

/// What a frontend usually gets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual {
    /// Since when it is watched.
    since: Mono,
    /// Its newest sample.
    newest: Mono,
    /// Weighted mean, per second.
    mean_per_s: f64,
}

/// A frontend on all load balancers.
struct Sum<'a> {
    per_s: f64,
    /// The oldest of the samples that were added up.
    at: Now,
    sides: Vec<(&'a NodeName, f64)>,
    is_http: bool,
}

/// Names frontends that get far more than usual, and learns what is usual.
pub(super) fn judge(scene: &Scene<'_>, usual: &mut BTreeMap<ProxyName, Usual>, conditions: &mut Vec<Condition>) {
    usual.retain(|_, known| scene.now.mono.since_ms(known.newest) < FORGOTTEN_AFTER_MS);
    for (name, sum) in sums(scene) {
        let factor = scene.limits.spike_factor;
        let known = usual.get(name).copied();
        let level = known.filter(|known| sum.at.mono.since_ms(known.since) >= WARM_UP_MS).and_then(|known| {
            let limit = (known.mean_per_s * factor).max(known.mean_per_s + GROWTH_PER_S_MIN);
            // Clearly back: less than half of the way up.
            Level::between(sum.per_s, f64::midpoint(known.mean_per_s, limit), limit)
        });
        if let (Some(known), Some(level)) = (known, level) {
            conditions.push(spike(scene, name, &sum, known, level));
        }
        if known.is_some() || usual.len() < FRONTENDS_MAX {
            usual.insert(name.clone(), Usual::learned(known, &sum, level.is_some()));
        }
    }
}

impl Usual {
    fn learned(known: Option<Self>, sum: &Sum<'_>, is_out: bool) -> Self {
        let at = sum.at.mono;
        let Some(known) = known else { return Self { since: at, newest: at, mean_per_s: sum.per_s } };
        // At first the mean of all samples, so that the first one does not weigh more than the others.
        let watched_ms = at.since_ms(known.since).max(1) as f64;
        let past_ms = if is_out { PAST_WHILE_OUT_MS } else { watched_ms.min(PAST_MS) };
        let share = (at.since_ms(known.newest) as f64 / past_ms).clamp(0.0, 1.0);
        let mean_per_s = known.mean_per_s + share * (sum.per_s - known.mean_per_s);
        Self { newest: at.max(known.newest), mean_per_s, ..known }
    }
}

fn sums<'a>(scene: &Scene<'a>) -> BTreeMap<&'a ProxyName, Sum<'a>> {
    let mut sums: BTreeMap<&ProxyName, Sum<'_>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.haproxy else { continue };
        for (frontend, rates) in facts.value.sample.frontends.iter().zip(&facts.value.frontend_rates) {
            let requests = rates.requests_per_s.known();
            let Some(per_s) = requests.or(rates.sessions_per_s.known()).filter(|rate| rate.is_finite()) else {
                continue;
            };
            let sum = sums.entry(&frontend.name).or_insert_with(|| Sum {
                per_s: 0.0,
                at: facts.at,
                sides: Vec::new(),
                is_http: requests.is_some(),
            });
            sum.per_s += per_s;
            sum.at = if facts.at.mono < sum.at.mono { facts.at } else { sum.at };
            sum.sides.push((&seen.node.name, per_s));
        }
    }
    sums
}

fn spike(scene: &Scene<'_>, name: &ProxyName, sum: &Sum<'_>, known: Usual, level: Level) -> Condition {
    let unit = if sum.is_http { "requests" } else { "sessions" };
    let times = if known.mean_per_s >= 0.1 {
        format!("{:.1} times the usual {}/s", sum.per_s / known.mean_per_s, rate(known.mean_per_s))
    } else {
        "usually next to none".to_owned()
    };
    let nearest = nearest(scene);
    let waiting: u64 = backends(scene).filter_map(|traffic| traffic.queue_current.known()).sum();
    let mut text = format!("{} {unit}/s, {times}", rate(sum.per_s));
    text.extend(nearest.first().map(|first| format!("; nearest to its limit: {}", first.words())));
    if waiting > 0 {
        text.push_str("; ");
        text.push_str(&counted(waiting, "request waits", "requests wait"));
    }
    let sides = sum.sides.iter().map(|(lb, per_s)| format!("{lb}: {} {unit}/s", rate(*per_s)));
    let limit = format!("usual: {}/s (finding beyond {} times)", rate(known.mean_per_s), scene.limits.spike_factor);
    let hold_ms = HOLD_MS.min(scene.limits.hold_ms);
    Condition::new(SPIKE, Severity::Warning, name.as_str(), text)
        .held(level, sum.at, hold_ms)
        .evidence([limit])
        .evidence(sides)
        .evidence([format!("queue over all backends: {waiting}")])
        .evidence(nearest.iter().take(NEAREST_MAX).map(|near| format!("near its limit: {}", near.words())))
}

/// "1.2 k", "285", "0.4".
fn rate(per_s: f64) -> String {
    match per_s {
        _ if per_s < 9.95 => format!("{per_s:.1}"),
        _ if per_s < 999.5 => format!("{per_s:.0}"),
        _ if per_s < 999_500.0 => format!("{:.1} k", per_s / 1000.0),
        _ => format!("{:.1} M", per_s / 1_000_000.0),
    }
}

/// Something with a limit.
struct Near<'a> {
    lb: &'a NodeName,
    what: String,
    now: u64,
    limit: u64,
}

impl Near<'_> {
    fn share(&self) -> f64 {
        self.now as f64 / self.limit as f64
    }

    fn words(&self) -> String {
        format!(
            "{} on {}, {} of {} sessions ({})",
            self.what,
            self.lb,
            self.now,
            self.limit,
            percent(self.share() * 100.0)
        )
    }
}

fn backends<'a>(scene: &'a Scene<'_>) -> impl Iterator<Item = &'a Traffic> {
    let facts = scene.nodes.iter().filter_map(|seen| seen.haproxy);
    facts.flat_map(|facts| facts.value.sample.backends.iter().map(|backend| &backend.traffic))
}

/// What has a limit and sessions, the nearest to its limit first.
fn nearest<'a>(scene: &'a Scene<'_>) -> Vec<Near<'a>> {
    let mut all: Vec<Near<'_>> = Vec::new();
    for (lb, facts) in scene.nodes.iter().filter_map(|seen| Some((&seen.node.name, seen.haproxy?.value))) {
        all.extend(limits(facts).into_iter().map(|(what, now, limit)| Near { lb, what, now, limit }));
    }
    all.sort_by(|a, b| b.share().total_cmp(&a.share()).then_with(|| (a.lb, &a.what).cmp(&(b.lb, &b.what))));
    all
}

/// What has sessions and a limit: its name, both figures.
fn limits(facts: &HaproxyFacts) -> Vec<(String, u64, u64)> {
    let mut all = Vec::new();
    let mut near = |what: String, now: Figure<u64>, limit: Figure<u64>| {
        let known = now.known().zip(limit.known());
        all.extend(known.filter(|(now, limit)| *now > 0 && *limit > 0).map(|(now, limit)| (what, now, limit)));
    };
    let info = &facts.sample.info;
    near("HAProxy itself".to_owned(), info.connections_current, info.connections_max);
    for frontend in &facts.sample.frontends {
        let traffic = &frontend.traffic;
        near(format!("frontend {}", frontend.name), traffic.sessions_current, traffic.sessions_limit);
    }
    for backend in &facts.sample.backends {
        for server in &backend.servers {
            let traffic = &server.traffic;
            near(format!("{}/{}", backend.name, server.name), traffic.sessions_current, traffic.sessions_limit);
        }
    }
    all
}
