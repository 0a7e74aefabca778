//! One HAProxy process: its proxies, the checks it makes and the requests it carries.
//!
//! What is modelled: smooth weighted round robin and `first`, `maxconn` of servers with a queue at the backend,
//! `retries` with `option redispatch`, health checks with rise and fall. A request that meets a dead server is retried
//! there, then sent to another; when there is none it fails with 503. What is not: stick tables, cookies, compression,
//! TLS, tracking, agents, slow start, backup servers.

use super::{
    host::Host,
    server::{CheckWord, Counters, Rate, Server, ServerFile, Told},
};
use std::collections::VecDeque;

/// Attempts on one server before another one is tried: `retries 3`, the last of them elsewhere.
const RETRIES: u64 = 2;
/// Pause before each further attempt.
const RETRY_PAUSE_US: u64 = 1_000_000;
/// Longest wait in a queue: `timeout queue`, which is `timeout connect` where the file does not say.
const QUEUE_WAIT_MAX_US: u64 = 5_000_000;
/// Requests that wait at most; more fail at once.
const QUEUED_MAX: usize = 5_000;
/// Idle client connections kept at most.
const IDLE_MAX: usize = 2_000;
/// Size of a request and of an answer.
const REQUEST_BYTES: u64 = 380;
const ANSWER_BYTES: u64 = 9_200;
/// Work that one request costs the machine that answers it, and the load balancer.
const SERVER_WORK_US: f64 = 2_600.0;
const BALANCER_WORK_US: f64 = 140.0;

/// How long requests take and how many there are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TrafficMix {
    /// Requests per second (sessions, in TCP mode).
    pub(crate) rate: f64,
    /// Usual duration of a request.
    pub(crate) short_ms: f64,
    /// Share of slow requests, percent.
    pub(crate) slow_percent: f64,
    /// Their duration.
    pub(crate) slow_ms: f64,
    /// Share of clients that keep their connection, percent.
    pub(crate) keep_alive_percent: f64,
    /// How long they keep it.
    pub(crate) keep_alive_ms: f64,
}

/// What the file says of a frontend and its backend.
#[derive(Debug, Clone)]
pub(super) struct ServiceFile {
    pub(super) frontend: String,
    pub(super) backend: String,
    /// `http` or `tcp`.
    pub(super) mode: &'static str,
    /// `roundrobin` or `first`.
    pub(super) algorithm: &'static str,
    pub(super) sessions_max: u64,
    pub(super) check_ms: u64,
    pub(super) mix: TrafficMix,
    pub(super) servers: Vec<ServerFile>,
}

/// A request that waits at the backend.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    since_us: u64,
    duration_us: u64,
}

/// A frontend with its backend.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) file: ServiceFile,
    pub(super) servers: Vec<Server>,
    pub(super) front: Counters,
    pub(super) back: Counters,
    pub(super) requests_total: u64,
    pub(super) request_rate: Rate,
    pub(super) front_max: u64,
    pub(super) is_up: bool,
    pub(super) changed_us: u64,
    down_since_us: Option<u64>,
    queue: VecDeque<Waiting>,
    /// Client connections between two requests: from when, until when.
    idle: VecDeque<(u64, u64)>,
    /// When the next request comes; fractions matter at high rates.
    next_us: f64,
}

/// One process.
#[derive(Debug, Clone)]
pub(super) struct Process {
    pub(super) pid: u64,
    pub(super) started_us: u64,
    pub(super) services: Vec<Service>,
    pub(super) connections_total: u64,
    pub(super) connection_rate: Rate,
}

/// What one step of time needs besides the process.
pub(super) struct Step<'a> {
    pub(super) from_us: u64,
    pub(super) to_us: u64,
    /// Times the configured rate; 0 when no client comes here.
    pub(super) load: f64,
    pub(super) hosts: &'a mut [Host],
    /// The machine the process runs on.
    pub(super) own: usize,
    pub(super) rng: &'a mut fastrand::Rng,
}

impl Process {
    /// A process that has just read its file.
    pub(super) fn new(files: Vec<ServiceFile>, pid: u64, now_us: u64) -> Self {
        let services = files.into_iter().map(|file| Service::new(file, now_us)).collect();
        Self { pid, started_us: now_us, services, connections_total: 0, connection_rate: Rate::default() }
    }

    /// The process that takes over when the file is read again, with what the old one wrote into a state file if so.
    pub(super) fn reloaded(&self, keeps_state: bool, now_us: u64) -> Self {
        let files = self.services.iter().map(|service| service.file.clone()).collect();
        let mut new = Self::new(files, self.pid + 7, now_us);
        if keeps_state {
            for (service, before) in new.services.iter_mut().zip(&self.services) {
                for (server, before) in service.servers.iter_mut().zip(&before.servers) {
                    server.restore(before);
                }
                service.judge(now_us);
            }
        }
        for (service, before) in new.services.iter_mut().zip(&self.services) {
            service.next_us = before.next_us;
        }
        new
    }

    /// The server `backend/name`; which of both is wrong, in HAProxy's words.
    pub(super) fn server_mut(&mut self, backend: &str, name: &str) -> Result<&mut Server, &'static str> {
        let service = self.services.iter_mut().find(|service| service.file.backend == backend);
        let servers = &mut service.ok_or("No such backend.\n")?.servers;
        servers.iter_mut().find(|server| server.file.name == name).ok_or("No such server.\n")
    }

    /// Checks and requests of one step.
    pub(super) fn step(&mut self, step: &mut Step<'_>) {
        for service in &mut self.services {
            service.check(step);
            service.drop_dead(step);
            service.judge(step.to_us);
            service.serve_queue(step);
            let connections = service.arrivals(step);
            for at_us in connections {
                self.connections_total += 1;
                self.connection_rate.count(at_us);
            }
        }
    }

    /// What `clear counters all` does.
    pub(super) fn clear_counters(&mut self) {
        for service in &mut self.services {
            (service.front, service.back) = (Counters::default(), Counters::default());
            (service.requests_total, service.front_max) = (0, 0);
            service.request_rate = Rate::default();
            for server in &mut service.servers {
                server.counters = Counters::default();
            }
        }
    }
}

impl Service {
    fn new(file: ServiceFile, now_us: u64) -> Self {
        let servers = file.servers.iter().map(|server| Server::new(server.clone(), now_us)).collect();
        Self {
            servers,
            front: Counters::default(),
            back: Counters::default(),
            requests_total: 0,
            request_rate: Rate::default(),
            front_max: 0,
            is_up: true,
            changed_us: now_us,
            down_since_us: None,
            queue: VecDeque::new(),
            idle: VecDeque::new(),
            next_us: now_us as f64,
            file,
        }
    }

    fn check(&mut self, step: &Step<'_>) {
        let interval_us = self.file.check_ms * 1000;
        for server in self.servers.iter_mut().filter(|server| server.told != Told::Maint) {
            // A process that was frozen makes up for nothing.
            server.check_due_us = server.check_due_us.max(step.from_us);
            while server.check_due_us <= step.to_us {
                let word = step.hosts.get(server.file.host).map_or(CheckWord::Silent, |host| {
                    if step.hosts.get(step.own).is_some_and(Host::is_cut_off) {
                        CheckWord::Silent
                    } else {
                        host.checked(&server.file.name)
                    }
                });
                server.checked(word, server.check_due_us);
                server.check_due_us += interval_us;
            }
        }
    }

    /// Sessions with a machine that died are over, and their clients got an error.
    fn drop_dead(&mut self, step: &Step<'_>) {
        for server in &mut self.servers {
            if step.hosts.get(server.file.host).is_some_and(|host| !host.holds_sessions()) {
                let lost = server.drop_sessions(step.to_us);
                server.counters.response_errors += lost;
                self.back.response_errors += lost;
                if self.file.mode == "http" {
                    self.front.answers_5xx += lost;
                    self.back.answers_5xx += lost;
                }
            }
        }
    }

    /// Whether the backend has a usable server.
    fn judge(&mut self, now_us: u64) {
        let is_up = self.servers.iter().any(Server::is_usable);
        if is_up == self.is_up {
            return;
        }
        (self.is_up, self.changed_us) = (is_up, now_us);
        if is_up {
            let since = self.down_since_us.take().unwrap_or(now_us);
            self.back.downtime_us += now_us.saturating_sub(since);
        } else {
            self.back.downs += 1;
            self.down_since_us = Some(now_us);
        }
    }

    /// All time without a usable server, microseconds.
    pub(super) fn downtime_us(&self, now_us: u64) -> u64 {
        self.back.downtime_us + self.down_since_us.map_or(0, |since| now_us.saturating_sub(since))
    }

    /// Requests of this step; returns when new connections came.
    fn arrivals(&mut self, step: &mut Step<'_>) -> Vec<u64> {
        let mut connections = Vec::new();
        let per_second = self.file.mix.rate * step.load;
        if per_second <= 0.0 {
            self.next_us = step.to_us as f64;
            return connections;
        }
        self.next_us = self.next_us.max(step.from_us as f64);
        while self.next_us <= step.to_us as f64 {
            let at_us = self.next_us as u64;
            // Between half and one and a half of the mean: neither a metronome nor bursts.
            self.next_us += 1e6 / per_second * (0.5 + step.rng.f64());
            let duration_us = self.duration_us(step.rng);
            self.requests_total += 1;
            self.request_rate.count(at_us);
            if !self.on_kept_connection(at_us) {
                self.front.session(at_us, duration_us);
                connections.push(at_us);
            }
            if step.rng.f64() * 100.0 < self.file.mix.keep_alive_percent && self.idle.len() < IDLE_MAX {
                let from_us = at_us + duration_us;
                self.idle.push_back((from_us, from_us + (self.file.mix.keep_alive_ms * 1000.0) as u64));
            }
            self.back.session(at_us, duration_us);
            self.front.bytes_in += REQUEST_BYTES;
            self.back.bytes_in += REQUEST_BYTES;
            self.dispatch(at_us, duration_us, step);
        }
        connections
    }

    fn duration_us(&self, rng: &mut fastrand::Rng) -> u64 {
        let mix = &self.file.mix;
        let ms = if rng.f64() * 100.0 < mix.slow_percent { mix.slow_ms } else { mix.short_ms };
        (ms * 1000.0 * (0.6 + 0.8 * rng.f64())) as u64
    }

    fn on_kept_connection(&mut self, at_us: u64) -> bool {
        self.idle.retain(|(_, until)| *until > at_us);
        let kept = self.idle.iter().position(|(from, _)| *from <= at_us);
        kept.and_then(|index| self.idle.remove(index)).is_some()
    }

    /// Gives one request to a server, to the queue, or an error.
    fn dispatch(&mut self, at_us: u64, duration_us: u64, step: &mut Step<'_>) {
        let Some(first) = self.choose(at_us, None) else {
            if self.servers.iter().any(Server::is_usable) && self.queue.len() < QUEUED_MAX {
                self.queue.push_back(Waiting { since_us: at_us, duration_us });
                self.back.queue_max = self.back.queue_max.max(self.queue.len() as u64);
            } else {
                self.fail(None);
            }
            return;
        };
        if self.accepts(first, step) {
            self.begin(first, at_us, duration_us, step);
            return;
        }
        let dead = &mut self.servers[first].counters;
        dead.retries += RETRIES;
        self.back.retries += RETRIES;
        match self.choose(at_us, Some(first)) {
            Some(second) => {
                self.servers[first].counters.redispatches += 1;
                self.back.redispatches += 1;
                if self.accepts(second, step) {
                    self.begin(second, at_us, duration_us + (RETRIES + 1) * RETRY_PAUSE_US, step);
                } else {
                    self.fail(Some(second));
                }
            }
            None => self.fail(Some(first)),
        }
    }

    fn accepts(&self, server: usize, step: &Step<'_>) -> bool {
        let file = &self.servers[server].file;
        step.hosts.get(file.host).is_some_and(|host| host.checked(&file.name) == CheckWord::Passed)
    }

    /// The next server in turn with room for a request; counts the choice.
    fn choose(&mut self, at_us: u64, except: Option<usize>) -> Option<usize> {
        let mut best: Option<usize> = None;
        let mut total = 0;
        for index in 0..self.servers.len() {
            let server = &mut self.servers[index];
            let has_room = server.sessions(at_us) < server.file.sessions_max;
            if !server.is_usable() || !has_room || Some(index) == except {
                continue;
            }
            if self.file.algorithm == "first" {
                best = best.or(Some(index));
                continue;
            }
            let weight = i64::try_from(server.weight).unwrap_or(0);
            server.turn += weight;
            total += weight;
            let turn = server.turn;
            if best.is_none_or(|best| turn > self.servers[best].turn) {
                best = Some(index);
            }
        }
        let chosen = best?;
        self.servers[chosen].turn -= total;
        self.servers[chosen].counters.chosen += 1;
        self.back.chosen += 1;
        Some(chosen)
    }

    fn begin(&mut self, index: usize, at_us: u64, duration_us: u64, step: &mut Step<'_>) {
        let server = &mut self.servers[index];
        let slow_us = step.hosts.get(server.file.host).map_or(0, Host::delay_us);
        let duration_us = duration_us + slow_us;
        server.counters.session(at_us, duration_us);
        server.begin(at_us, at_us + duration_us);
        server.counters.bytes_in += REQUEST_BYTES;
        for counters in [&mut server.counters, &mut self.back, &mut self.front] {
            counters.bytes_out += ANSWER_BYTES;
            if self.file.mode == "http" {
                counters.answers_2xx += 1;
            }
        }
        let host = server.file.host;
        if let Some(host) = step.hosts.get_mut(host) {
            host.work(SERVER_WORK_US, REQUEST_BYTES, ANSWER_BYTES);
        }
        if let Some(own) = step.hosts.get_mut(step.own) {
            own.work(BALANCER_WORK_US, REQUEST_BYTES + ANSWER_BYTES, REQUEST_BYTES + ANSWER_BYTES);
        }
    }

    fn fail(&mut self, server: Option<usize>) {
        if let Some(server) = server {
            self.servers[server].counters.connect_errors += 1;
        }
        self.back.connect_errors += 1;
        if self.file.mode == "http" {
            self.back.answers_5xx += 1;
            self.front.answers_5xx += 1;
        }
    }

    /// Requests that waited get the room that became free, or give up.
    fn serve_queue(&mut self, step: &mut Step<'_>) {
        while let Some(first) = self.queue.front().copied() {
            if step.to_us.saturating_sub(first.since_us) > QUEUE_WAIT_MAX_US {
                self.queue.pop_front();
                self.fail(None);
                continue;
            }
            let has_room = self
                .servers
                .iter_mut()
                .any(|server| server.is_usable() && server.sessions(step.to_us) < server.file.sessions_max);
            if !has_room {
                break;
            }
            self.queue.pop_front();
            let waited_us = step.to_us.saturating_sub(first.since_us);
            self.dispatch(step.to_us, first.duration_us + waited_us, step);
        }
    }

    /// Requests that wait for a server.
    pub(super) fn queued(&self) -> u64 {
        self.queue.len() as u64
    }

    /// Sessions of the backend: with servers and in the queue.
    pub(super) fn sessions(&mut self, now_us: u64) -> u64 {
        let with_servers: u64 = self.servers.iter_mut().map(|server| server.sessions(now_us)).sum();
        let sessions = with_servers + self.queued();
        self.back.sessions_max = self.back.sessions_max.max(sessions);
        sessions
    }

    /// Client connections: with a request under way, and kept ones.
    pub(super) fn connections(&mut self, now_us: u64) -> u64 {
        let kept = self.idle.iter().filter(|(from, until)| *from <= now_us && now_us < *until).count() as u64;
        let all = self.sessions(now_us) + kept;
        self.front_max = self.front_max.max(all);
        all
    }
}
