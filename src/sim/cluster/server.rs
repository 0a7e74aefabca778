//! One server of one load balancer: what it was told, what its checks found, and its sessions.

use std::{cmp::Reverse, collections::BinaryHeap};

/// What an operator told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Ready,
    Drain,
    Maint,
}

/// What the last check found, as HAProxy names and numbers it (`enum healthcheck_status`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckWord {
    /// None yet.
    None,
    /// HTTP 200, or the database greeted.
    Passed,
    /// The port is closed.
    Refused,
    /// Nobody answers.
    Silent,
    /// HTTP 503.
    Unavailable,
}

impl CheckWord {
    /// `check_status`, `check_code` (of HTTP), `last_chk`, `check_desc`, and the number in `show servers state`.
    pub(super) fn words(self) -> (&'static str, &'static str, &'static str, &'static str, u64) {
        match self {
            Self::None => ("", "", "", "", 1),
            Self::Passed => ("L7OK", "200", "", "Layer7 check passed", 15),
            Self::Refused => ("L4CON", "", "Connection refused", "Layer4 connection problem", 8),
            Self::Silent => ("L4TOUT", "", "", "Layer4 timeout", 7),
            Self::Unavailable => ("L7STS", "503", "Service Unavailable", "Layer7 wrong status", 17),
        }
    }

    /// `srv_check_result`: unknown, failed, passed.
    pub(super) fn result(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Passed => 3,
            Self::Refused | Self::Silent | Self::Unavailable => 2,
        }
    }
}

/// Events of the last second, counted as HAProxy's rate counters show them.
#[derive(Debug, Clone, Default)]
pub(super) struct Rate {
    second: u64,
    count: u64,
    before: u64,
    pub(super) max: u64,
}

impl Rate {
    pub(super) fn count(&mut self, at_us: u64) {
        self.roll(at_us);
        self.count += 1;
        self.max = self.max.max(self.count);
    }

    /// Events of the last full second.
    pub(super) fn now(&mut self, at_us: u64) -> u64 {
        self.roll(at_us);
        self.before
    }

    fn roll(&mut self, at_us: u64) {
        let second = at_us / 1_000_000;
        if second > self.second {
            self.before = if second == self.second + 1 { self.count } else { 0 };
            (self.second, self.count) = (second, 0);
        }
    }
}

/// Figures that a reload sets back to zero.
#[derive(Debug, Clone, Default)]
pub(super) struct Counters {
    pub(super) sessions_total: u64,
    pub(super) sessions_max: u64,
    pub(super) chosen: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) connect_errors: u64,
    pub(super) response_errors: u64,
    pub(super) retries: u64,
    pub(super) redispatches: u64,
    pub(super) answers_2xx: u64,
    pub(super) answers_5xx: u64,
    pub(super) checks_failed: u64,
    pub(super) downs: u64,
    pub(super) downtime_us: u64,
    pub(super) queue_max: u64,
    pub(super) rate: Rate,
    pub(super) last_session_us: Option<u64>,
    pub(super) response_ms: f64,
    pub(super) response_ms_max: f64,
}

impl Counters {
    /// A session began that will take `duration_us`; moves the mean of response times.
    pub(super) fn session(&mut self, at_us: u64, duration_us: u64) {
        self.sessions_total += 1;
        self.rate.count(at_us);
        self.last_session_us = Some(at_us);
        let ms = duration_us as f64 / 1000.0;
        // HAProxy averages over the last 1024 requests.
        let share = 1.0 / (self.sessions_total.min(1024) as f64);
        self.response_ms += (ms - self.response_ms) * share;
        self.response_ms_max = self.response_ms_max.max(ms);
    }
}

/// What the file says of a server.
#[derive(Debug, Clone)]
pub(super) struct ServerFile {
    pub(super) name: String,
    /// Index of its machine.
    pub(super) host: usize,
    /// `10.10.0.21`.
    pub(super) address: String,
    pub(super) port: u16,
    pub(super) weight: u64,
    /// In maintenance until an operator says otherwise.
    pub(super) is_disabled: bool,
    pub(super) rise: u64,
    pub(super) fall: u64,
    pub(super) sessions_max: u64,
}

/// A server as one process sees it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) file: ServerFile,
    pub(super) told: Told,
    pub(super) weight: u64,
    pub(super) is_running: bool,
    pub(super) health: u64,
    pub(super) check: CheckWord,
    pub(super) check_due_us: u64,
    pub(super) changed_us: u64,
    down_since_us: Option<u64>,
    /// Ends of sessions under way.
    ends: BinaryHeap<Reverse<u64>>,
    pub(super) counters: Counters,
    /// Smooth weighted round robin: the largest is next.
    pub(super) turn: i64,
}

impl Server {
    /// As the process sees it when it starts: the file's state, up, but down at the first failed check.
    pub(super) fn new(file: ServerFile, now_us: u64) -> Self {
        let told = if file.is_disabled { Told::Maint } else { Told::Ready };
        Self {
            told,
            weight: file.weight,
            is_running: told != Told::Maint,
            health: if told == Told::Maint { 0 } else { file.rise },
            check: CheckWord::None,
            check_due_us: now_us,
            changed_us: now_us,
            down_since_us: (told == Told::Maint).then_some(now_us),
            ends: BinaryHeap::new(),
            counters: Counters::default(),
            turn: 0,
            file,
        }
    }

    /// What a new process reads from a server-state file: what was told, the weight and the health.
    pub(super) fn restore(&mut self, before: &Self) {
        (self.told, self.weight) = (before.told, before.weight);
        (self.is_running, self.health, self.check) = (before.is_running, before.health, before.check);
        self.down_since_us = (!self.is_running).then_some(self.changed_us);
    }

    fn health_max(&self) -> u64 {
        self.file.rise + self.file.fall - 1
    }

    /// Whether it is chosen for new requests.
    pub(super) fn is_usable(&self) -> bool {
        self.is_running && self.told == Told::Ready && self.weight > 0
    }

    /// Sessions under way.
    pub(super) fn sessions(&mut self, now_us: u64) -> u64 {
        while self.ends.peek().is_some_and(|Reverse(end)| *end <= now_us) {
            self.ends.pop();
        }
        self.ends.len() as u64
    }

    /// A request begins here and ends at `end_us`.
    pub(super) fn begin(&mut self, at_us: u64, end_us: u64) {
        self.ends.push(Reverse(end_us));
        let sessions = self.sessions(at_us);
        self.counters.sessions_max = self.counters.sessions_max.max(sessions);
    }

    /// Every session ends at once; how many there were.
    pub(super) fn drop_sessions(&mut self, now_us: u64) -> u64 {
        let count = self.sessions(now_us);
        self.ends.clear();
        count
    }

    /// What `set server … state` does.
    pub(super) fn tell(&mut self, told: Told, now_us: u64) {
        let (was_maint, is_maint) = (self.told == Told::Maint, told == Told::Maint);
        if self.told != told {
            self.changed_us = now_us;
        }
        self.told = told;
        if is_maint && !was_maint {
            self.health = 0;
            self.stop(now_us);
        } else if was_maint && !is_maint {
            // Up at once, and down at the first failed check: what HAProxy does when it leaves maintenance.
            self.health = self.file.rise;
            self.check_due_us = now_us;
            self.run(now_us);
        }
    }

    fn run(&mut self, now_us: u64) {
        self.is_running = true;
        self.changed_us = now_us;
        if let Some(since) = self.down_since_us.take() {
            self.counters.downtime_us += now_us.saturating_sub(since);
        }
    }

    fn stop(&mut self, now_us: u64) {
        self.is_running = false;
        self.changed_us = now_us;
        self.down_since_us.get_or_insert(now_us);
    }

    /// A check came back.
    pub(super) fn checked(&mut self, word: CheckWord, now_us: u64) {
        self.check = word;
        if word == CheckWord::Passed {
            if self.health < self.health_max() {
                self.health += 1;
                if self.health >= self.file.rise {
                    self.health = self.health_max();
                    if !self.is_running {
                        self.run(now_us);
                    }
                }
            }
        } else if self.health >= self.file.rise {
            self.counters.checks_failed += 1;
            self.health -= 1;
            if self.health < self.file.rise {
                self.health = 0;
                self.counters.downs += 1;
                self.stop(now_us);
            }
        } else {
            self.health = 0;
        }
    }

    /// The `status` column.
    pub(super) fn status(&self) -> String {
        let (rise, fall) = (self.file.rise, self.file.fall);
        if self.told == Told::Maint {
            return "MAINT".into();
        }
        match (self.is_running, self.told == Told::Drain) {
            (true, is_drain) => {
                let word = if is_drain { "DRAIN" } else { "UP" };
                if self.health < self.health_max() {
                    format!("{word} {}/{fall}", self.health + 1 - rise.min(self.health + 1))
                } else {
                    word.into()
                }
            }
            (false, _) if self.health > 0 => format!("DOWN {}/{rise}", self.health),
            (false, _) => "DOWN".into(),
        }
    }

    /// `srv_admin_state`: forced maintenance 1, disabled in the file 4, forced drain 8.
    pub(super) fn admin_mask(&self) -> u64 {
        let told = match self.told {
            Told::Ready => 0,
            Told::Maint => 1,
            Told::Drain => 8,
        };
        told | if self.file.is_disabled { 4 } else { 0 }
    }

    /// All time it was not running, microseconds.
    pub(super) fn downtime_us(&self, now_us: u64) -> u64 {
        self.counters.downtime_us + self.down_since_us.map_or(0, |since| now_us.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server() -> Server {
        let file = ServerFile {
            name: "web01".into(),
            host: 0,
            address: "10.10.0.21".into(),
            port: 80,
            weight: 1,
            is_disabled: false,
            rise: 2,
            fall: 3,
            sessions_max: 100,
        };
        Server::new(file, 0)
    }

    fn statuses(server: &mut Server, checks: &[CheckWord]) -> Vec<String> {
        checks
            .iter()
            .map(|word| {
                server.checked(*word, 1);
                server.status()
            })
            .collect()
    }

    #[test]
    fn checks_move_a_server_as_the_captures_show() {
        use CheckWord::{Passed, Refused};
        let mut server = server();
        assert_eq!(server.status(), "UP 1/3");
        let walk = [Passed, Refused, Refused, Refused, Passed, Refused, Passed, Passed];
        let seen = ["UP", "UP 2/3", "UP 1/3", "DOWN", "DOWN 1/2", "DOWN", "DOWN 1/2", "UP"];
        assert_eq!(statuses(&mut server, &walk), seen);
        assert_eq!((server.counters.checks_failed, server.counters.downs), (3, 1));
    }

    #[test]
    fn a_dead_server_is_up_until_the_first_check_after_maintenance() {
        let mut server = server();
        server.checked(CheckWord::Refused, 1);
        server.tell(Told::Maint, 2);
        assert_eq!((server.status().as_str(), server.is_usable()), ("MAINT", false));
        server.tell(Told::Ready, 3);
        assert_eq!((server.status().as_str(), server.is_usable()), ("UP 1/3", true));
        server.checked(CheckWord::Refused, 4);
        assert_eq!((server.status().as_str(), server.is_usable()), ("DOWN", false));
    }

    #[test]
    fn weight_zero_shows_up_and_takes_nothing() {
        let mut server = server();
        server.checked(CheckWord::Passed, 1);
        server.weight = 0;
        assert_eq!((server.status().as_str(), server.is_usable()), ("UP", false));
    }

    #[test]
    fn drain_keeps_checks_and_shows_them() {
        let mut server = server();
        server.checked(CheckWord::Passed, 1);
        server.tell(Told::Drain, 2);
        assert_eq!(server.status(), "DRAIN");
        server.checked(CheckWord::Refused, 3);
        assert_eq!((server.status().as_str(), server.admin_mask()), ("DRAIN 2/3", 8));
    }
}
