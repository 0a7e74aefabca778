//! Two HAProxy samples become facts.

use crate::model::{
    figure::{Figure, Unknown},
    haproxy::{Answers, Backend, HaproxyFacts, HaproxySample, ProcessInfo, Server, Traffic, TrafficRates},
};
use std::{cell::OnceCell, collections::HashMap};

/// Shortest window that rates are made of; below it the network's jitter outweighs the counters.
const WINDOW_MS_MIN: u64 = 100;

/// Facts from the newer sample and the earlier facts; `elapsed_ms` lies between the two on the bastion's clock.
pub fn derive(earlier: Option<&HaproxyFacts>, newer: HaproxySample, elapsed_ms: u64) -> HaproxyFacts {
    let restarted = earlier.is_some_and(|earlier| is_restart(&earlier.sample.info, &newer.info));
    let window = match earlier {
        None => Figure::Unknown(Unknown::NeedsTwoSamples),
        Some(_) if restarted => Figure::Unknown(Unknown::CounterReset),
        Some(_) if elapsed_ms < WINDOW_MS_MIN => Figure::Unknown(Unknown::NeedsTwoSamples),
        Some(_) => Figure::Known(elapsed_ms),
    };
    let restarts_before = earlier.map_or(0, |earlier| earlier.restarts_seen);
    let older = earlier.map(|earlier| &earlier.sample);
    let frontends_before = Rows::new(older.map_or(&[], |older| &older.frontends), |row| row.name.as_str());
    let backends_before = Rows::new(older.map_or(&[], |older| &older.backends), |row| row.name.as_str());
    let frontend_rates = (newer.frontends.iter().enumerate())
        .map(|(index, now)| {
            let before = frontends_before.find(index, now.name.as_str());
            rates(before.map(|before| &before.traffic), &now.traffic, window)
        })
        .collect();
    let (mut backend_rates, mut server_rates) = (Vec::new(), Vec::new());
    for (index, now) in newer.backends.iter().enumerate() {
        let before = backends_before.find(index, now.name.as_str());
        backend_rates.push(rates(before.map(|before| &before.traffic), &now.traffic, window));
        server_rates.push(rates_of_servers(before, now, window));
    }
    HaproxyFacts {
        sample: newer,
        restarts_seen: restarts_before.saturating_add(u32::from(restarted)),
        frontend_rates,
        backend_rates,
        server_rates,
    }
}

fn rates_of_servers(before: Option<&Backend>, now: &Backend, window: Figure<u64>) -> Vec<TrafficRates> {
    let servers_before: Rows<'_, Server> =
        Rows::new(before.map_or(&[], |before| &before.servers), |row| row.name.as_str());
    (now.servers.iter().enumerate())
        .map(|(index, server)| {
            let before = servers_before.find(index, server.name.as_str());
            rates(before.map(|before| &before.traffic), &server.traffic, window)
        })
        .collect()
}

/// The rows of the earlier sample. A name stands nearly always at the same place, so a thousand servers cost a
/// thousand comparisons; names are indexed only when rows have moved.
struct Rows<'a, T> {
    in_order: &'a [T],
    name: fn(&T) -> &str,
    by_name: OnceCell<HashMap<&'a str, &'a T>>,
}

impl<'a, T> Rows<'a, T> {
    fn new(rows: &'a [T], name: fn(&T) -> &str) -> Self {
        Self { in_order: rows, name, by_name: OnceCell::new() }
    }

    fn find(&self, index: usize, name: &str) -> Option<&'a T> {
        match self.in_order.get(index) {
            Some(row) if (self.name)(row) == name => Some(row),
            _ => {
                let index = || self.in_order.iter().map(|row| ((self.name)(row), row)).collect();
                self.by_name.get_or_init(index).get(name).copied()
            }
        }
    }
}

/// Another process, or the same one with its time started again.
fn is_restart(before: &ProcessInfo, now: &ProcessInfo) -> bool {
    let pid_changed = before.pid.known().zip(now.pid.known()).is_some_and(|(before, now)| before != now);
    let time_went_back = before.uptime_s.known().zip(now.uptime_s.known()).is_some_and(|(before, now)| now < before);
    pid_changed || time_went_back
}

/// Rates of one row. A counter that went back without a restart was cleared (`clear counters all`).
fn rates(before: Option<&Traffic>, now: &Traffic, window: Figure<u64>) -> TrafficRates {
    let (before, ms) = match (before, window) {
        (_, Figure::Unknown(why)) => return no_rates(now, why),
        (None, Figure::Known(_)) => return no_rates(now, Unknown::NeedsTwoSamples),
        (Some(before), Figure::Known(ms)) => (before, ms as f64),
    };
    let per_second = |by: Figure<u64>| by.map(|by| by as f64 * 1000.0 / ms);
    let (answers_before, answers_now) = (before.answers.as_ref(), now.answers.as_ref());
    let all_answers = increase(answers_before.map(all), answers_now.map(all));
    let share = |of: Figure<u64>| {
        of.and_then(|of| {
            all_answers.and_then(|all| match all {
                0 => Figure::Unknown(Unknown::NothingHappened),
                all => Figure::Known((of as f64 * 100.0 / all as f64).min(100.0)),
            })
        })
    };
    // `req_tot` counts 0 for TCP: only a row that has answers has requests.
    let requests = match (now.answers.why(), now.requests_total) {
        (Some(why), _) => Figure::Unknown(why),
        (None, Figure::Known(_)) => increase(before.requests_total, now.requests_total),
        (None, Figure::Unknown(_)) => all_answers,
    };
    let server_errors =
        increase(answers_before.map(|answers| answers.server_error), answers_now.map(|answers| answers.server_error));
    let client_errors =
        increase(answers_before.map(|answers| answers.client_error), answers_now.map(|answers| answers.client_error));
    TrafficRates {
        sessions_per_s: per_second(increase(before.sessions_total, now.sessions_total)),
        requests_per_s: per_second(requests),
        in_bits_per_s: per_second(increase(before.in_bytes, now.in_bytes)).map(|bytes| bytes * 8.0),
        out_bits_per_s: per_second(increase(before.out_bytes, now.out_bytes)).map(|bytes| bytes * 8.0),
        server_errors_percent: share(server_errors),
        client_errors_percent: share(client_errors),
        failures_per_s: per_second(increase(failures(before), failures(now))),
    }
}

/// By how much a counter grew. A thousand servers have seven thousand of these a poll.
#[inline]
fn increase(before: Figure<u64>, now: Figure<u64>) -> Figure<u64> {
    match (before, now) {
        (Figure::Known(before), Figure::Known(now)) => {
            Figure::from_option(now.checked_sub(before), Unknown::CounterReset)
        }
        (Figure::Unknown(why), _) | (_, Figure::Unknown(why)) => Figure::Unknown(why),
    }
}

/// No window, no rates; a row without answers has no requests whatever the window.
fn no_rates(now: &Traffic, why: Unknown) -> TrafficRates {
    let unknown = Figure::Unknown(why);
    TrafficRates {
        sessions_per_s: unknown,
        requests_per_s: Figure::Unknown(now.answers.why().unwrap_or(why)),
        in_bits_per_s: unknown,
        out_bits_per_s: unknown,
        server_errors_percent: unknown,
        client_errors_percent: unknown,
        failures_per_s: unknown,
    }
}

fn all(answers: &Answers) -> u64 {
    [
        answers.informational,
        answers.success,
        answers.redirection,
        answers.client_error,
        answers.server_error,
        answers.other,
    ]
    .iter()
    .fold(0, |sum, part| sum.saturating_add(*part))
}

/// What a row has of connection errors, response errors, retries and redispatches, together.
fn failures(traffic: &Traffic) -> Figure<u64> {
    let parts = [
        traffic.connect_errors_total,
        traffic.response_errors_total,
        traffic.retries_total,
        traffic.redispatches_total,
    ];
    match parts.iter().filter_map(|part| part.known()).reduce(u64::saturating_add) {
        Some(sum) => Figure::Known(sum),
        None => Figure::Unknown(traffic.connect_errors_total.why().unwrap_or(Unknown::Missing)),
    }
}

/// Samples for tests of this layer.
#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::model::haproxy::{Check, Frontend, OperationalState};

    pub(in super::super) fn traffic(n: u64, http: bool) -> Traffic {
        Traffic {
            sessions_total: Figure::Known(n),
            in_bytes: Figure::Known(n * 100),
            out_bytes: Figure::Known(n * 1000),
            requests_total: Figure::Known(if http { n * 2 } else { 0 }),
            answers: if http {
                Figure::Known(Answers {
                    success: n * 3,
                    client_error: n * 2 / 2,
                    server_error: n,
                    ..Answers::default()
                })
            } else {
                Figure::Unknown(Unknown::Missing)
            },
            connect_errors_total: Figure::Known(n / 10),
            retries_total: Figure::Known(n / 10),
            ..Traffic::default()
        }
    }

    fn server(name: &str, n: u64) -> Server {
        Server {
            name: name.into(),
            address: Figure::default(),
            operational: OperationalState::Up,
            admin: Figure::default(),
            configured: Figure::default(),
            backup: Figure::default(),
            weight: Figure::default(),
            weight_configured: Figure::default(),
            last_change_s: Figure::default(),
            downtime_s: Figure::default(),
            checks_failed_total: Figure::default(),
            downs_total: Figure::default(),
            check: Check::default(),
            traffic: traffic(n, true),
        }
    }

    /// `n` things happened everywhere; the process has run for `uptime_s`.
    pub(in super::super) fn sample(pid: u64, uptime_s: u64, n: u64, servers: &[&str]) -> HaproxySample {
        HaproxySample {
            info: ProcessInfo { pid: Figure::Known(pid), uptime_s: Figure::Known(uptime_s), ..ProcessInfo::default() },
            frontends: vec![Frontend {
                name: "sql".into(),
                mode: Figure::default(),
                status: "OPEN".into(),
                traffic: traffic(n, false),
            }],
            backends: vec![Backend {
                name: "web".into(),
                mode: Figure::default(),
                algorithm: Figure::default(),
                status: "UP".into(),
                active_servers: Figure::default(),
                backup_servers: Figure::default(),
                traffic: traffic(n, true),
                servers: servers.iter().map(|name| server(name, n)).collect(),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        samples::{sample, traffic},
        *,
    };
    use proptest::prelude::*;

    #[test]
    fn rates_of_a_second() {
        let first = derive(None, sample(1, 10, 100, &["a", "b"]), 0);
        assert_eq!(first.backend_rates[0].sessions_per_s.why(), Some(Unknown::NeedsTwoSamples));
        let facts = derive(Some(&first), sample(1, 12, 200, &["a", "b"]), 2000);
        let web = facts.server_rates[0][1];
        assert_eq!((web.sessions_per_s, web.requests_per_s), (Figure::Known(50.0), Figure::Known(100.0)));
        assert_eq!((web.in_bits_per_s, web.out_bits_per_s), (Figure::Known(40_000.0), Figure::Known(400_000.0)));
        assert_eq!((web.server_errors_percent, web.client_errors_percent), (Figure::Known(20.0), Figure::Known(20.0)));
        assert_eq!(web.failures_per_s, Figure::Known(10.0));
        assert!(facts.frontend_rates[0].requests_per_s.why().is_some(), "TCP has no requests");
        assert_eq!(facts.restarts_seen, 0);
    }

    #[test]
    fn a_quiet_window_has_no_share_of_errors() {
        let first = derive(None, sample(1, 10, 100, &["a"]), 0);
        let facts = derive(Some(&first), sample(1, 11, 100, &["a"]), 1000);
        assert_eq!(facts.backend_rates[0].sessions_per_s, Figure::Known(0.0));
        assert_eq!(facts.backend_rates[0].server_errors_percent.why(), Some(Unknown::NothingHappened));
    }

    #[test]
    fn a_reload_is_a_reset_and_counted() {
        let first = derive(None, sample(1, 1000, 100, &["a"]), 0);
        let by_pid = derive(Some(&first), sample(2, 2000, 500, &["a"]), 1000);
        assert_eq!(by_pid.backend_rates[0].sessions_per_s.why(), Some(Unknown::CounterReset));
        assert_eq!(by_pid.restarts_seen, 1);
        let by_uptime = derive(Some(&by_pid), sample(2, 1, 900, &["a"]), 1000);
        assert_eq!(by_uptime.server_rates[0][0].sessions_per_s.why(), Some(Unknown::CounterReset));
        assert_eq!(by_uptime.restarts_seen, 2);
        let after = derive(Some(&by_uptime), sample(2, 2, 910, &["a"]), 1000);
        assert_eq!((after.backend_rates[0].sessions_per_s, after.restarts_seen), (Figure::Known(10.0), 2));
    }

    #[test]
    fn cleared_counters_are_a_reset_and_no_restart() {
        let first = derive(None, sample(1, 1000, 100, &["a"]), 0);
        let facts = derive(Some(&first), sample(1, 1001, 3, &["a"]), 1000);
        assert_eq!(facts.backend_rates[0].sessions_per_s.why(), Some(Unknown::CounterReset));
        assert_eq!(facts.backend_rates[0].server_errors_percent.why(), Some(Unknown::CounterReset));
        assert_eq!(facts.restarts_seen, 0);
    }

    #[test]
    fn servers_are_matched_by_name_when_rows_move() {
        let first = derive(None, sample(1, 10, 100, &["a", "b", "c"]), 0);
        let mut now = sample(1, 11, 200, &["new", "c", "b"]);
        now.backends[0].servers[1].traffic = traffic(101, true);
        let facts = derive(Some(&first), now, 1000);
        assert_eq!(facts.server_rates[0][0].sessions_per_s.why(), Some(Unknown::NeedsTwoSamples));
        assert_eq!(facts.server_rates[0][1].sessions_per_s, Figure::Known(1.0));
        assert_eq!(facts.server_rates[0][2].sessions_per_s, Figure::Known(100.0));
    }

    proptest! {
        #[test]
        fn no_rate_is_negative(a in any::<u32>(), b in any::<u32>(), pids in 0_u64..2, uptimes in any::<[u32; 2]>(), ms in any::<u64>()) {
            let first = derive(None, sample(1, u64::from(uptimes[0]), u64::from(a), &["a"]), 0);
            let facts = derive(Some(&first), sample(1 + pids, u64::from(uptimes[1]), u64::from(b), &["a"]), ms);
            for rates in [facts.frontend_rates[0], facts.backend_rates[0], facts.server_rates[0][0]] {
                let all = [
                    rates.sessions_per_s, rates.requests_per_s, rates.in_bits_per_s, rates.out_bits_per_s,
                    rates.server_errors_percent, rates.client_errors_percent, rates.failures_per_s,
                ];
                for rate in all.into_iter().filter_map(Figure::known) {
                    prop_assert!(rate.is_finite() && rate >= 0.0);
                }
                prop_assert!(rates.server_errors_percent.known().is_none_or(|share| share <= 100.0));
            }
        }
    }
}
