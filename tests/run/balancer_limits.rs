//! The limits of a load balancer in memory, and its file, which a reload reads.

use super::cluster::Balancer;
use vakt::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{AdminState, Frontend, HaproxySample, ProcessInfo, Traffic},
        ids::ProxyName,
        tuning::{Knob, TuningSample, value_in_file},
    },
    sim::files::Files,
    wire::{
        file_edit::{FileEdit, FileJudge, FileWay},
        request::Reply,
    },
};

const FILES: &str = include_str!("../captures/tuning/debian-12-lab/balancer.files.txt");
pub(crate) const CONFIG: &str = "/etc/haproxy/haproxy.cfg";

fn said(tuning: &TuningSample, key: &str) -> Option<u64> {
    let Figure::Known(config) = &tuning.haproxy else { panic!("no file") };
    let standing = config.standing(key).unwrap();
    let value = standing.counts()?.value.to_string();
    value_in_file(vakt::model::tuning::Unit::Count, &value)?.parse().ok()
}

/// What a process takes at most.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    pub(crate) version: &'static str,
    pub(crate) pid: u64,
    pub(crate) connections: u64,
    pub(crate) connection_rate: u64,
    pub(crate) session_rate: u64,
    /// Its watchdog has aborted it.
    pub(crate) is_aborted: bool,
    /// Name, limit, sessions.
    pub(crate) frontends: Vec<(&'static str, u64, u64)>,
    /// Backend, server, limit.
    pub(crate) servers: Vec<(&'static str, &'static str, u64)>,
    pub(crate) files: Files,
}

impl Limits {
    /// As the file says.
    pub(crate) fn of_lab() -> Self {
        let web = ["web01", "web02", "web03"].map(|name| ("web_cluster", name, 100));
        let db = ["db01", "db02", "db03"].map(|name| ("mysql_rw", name, 200));
        Self {
            version: "2.6.12-1+deb12u4",
            pid: 412,
            connections: 2_000,
            connection_rate: 0,
            session_rate: 0,
            frontends: vec![("http_front", 1_000, 0), ("mysql_front", 500, 0)],
            is_aborted: false,
            servers: [web, db].concat(),
            files: Files::new(FILES),
        }
    }

    pub(crate) fn frontend(&mut self, name: &str) -> &mut (&'static str, u64, u64) {
        self.frontends.iter_mut().find(|frontend| frontend.0 == name).unwrap()
    }

    /// What `show info` and the frontends say.
    pub(crate) fn tell(&self, sample: &mut HaproxySample) {
        sample.info = ProcessInfo {
            version: Figure::Known(self.version.into()),
            pid: Figure::Known(self.pid),
            connections_max: Figure::Known(self.connections),
            connections_hard_max: Figure::Known(2_000),
            connections_current: Figure::Known(60),
            connections_per_s: Figure::Known(31),
            connection_rate_limit: Figure::Known(self.connection_rate),
            sessions_per_s: Figure::Known(31),
            session_rate_limit: Figure::Known(self.session_rate),
            ..ProcessInfo::default()
        };
        let frontend = |(name, limit, open): &(&'static str, u64, u64)| Frontend {
            name: ProxyName::from(*name),
            mode: Figure::Known("http".into()),
            status: "OPEN".into(),
            traffic: Traffic {
                sessions_limit: Figure::Known(*limit),
                sessions_current: Figure::Known(*open),
                ..Traffic::default()
            },
        };
        sample.frontends = self.frontends.iter().map(frontend).collect();
        for backend in &mut sample.backends {
            backend.traffic.queue_current = Figure::Known(0);
            for server in &mut backend.servers {
                let found = self
                    .servers
                    .iter()
                    .find(|(of, name, _)| *of == backend.name.as_str() && *name == server.name.as_str());
                server.traffic.sessions_limit = match found {
                    Some((_, _, limit)) if *limit > 0 => Figure::Known(*limit),
                    _ => Figure::Unknown(Unknown::Missing),
                };
            }
        }
    }

    pub(crate) fn tuning(&self) -> TuningSample {
        crate::mysql::tuning::of_files(self.files.answer().as_bytes())
    }

    /// Runs a command about a limit; `None` where it is about something else.
    pub(crate) fn command(&mut self, words: &[&str]) -> Option<String> {
        let number = |word: &str| word.parse::<u64>().ok();
        let slot = match words {
            ["set", "maxconn", "global", _] => &mut self.connections,
            ["set", "rate-limit", "connections", "global", _] => &mut self.connection_rate,
            ["set", "rate-limit", "sessions", "global", _] => &mut self.session_rate,
            ["set", "maxconn", "frontend", name, _] => {
                let found = self.frontends.iter_mut().find(|frontend| frontend.0 == *name);
                let Some(found) = found else { return Some("No such frontend.\n".into()) };
                self.is_aborted |= found.2 >= found.1 && self.version.starts_with('2');
                &mut found.1
            }
            ["set", "maxconn", "server", path, _] => {
                let (backend, name) = path.split_once('/')?;
                let found = self.servers.iter_mut().find(|server| (server.0, server.1) == (backend, name));
                let Some(found) = found else { return Some("No such server.\n".into()) };
                &mut found.2
            }
            _ => return None,
        };
        *slot = number(words.last()?)?;
        Some("\n".into())
    }

    /// What a new process begins with.
    fn read_file(&mut self) {
        let tuning = self.tuning();
        let says = |key: &str| said(&tuning, key);
        self.pid += 7;
        self.connections = says("haproxy.maxconn").unwrap_or(2_000);
        self.connection_rate = says("haproxy.connection_rate").unwrap_or(0);
        self.session_rate = says("haproxy.session_rate").unwrap_or(0);
        for (name, limit, _) in &mut self.frontends {
            *limit = says(&format!("haproxy.frontend.maxconn@{name}")).unwrap_or(2_000);
        }
        for (backend, name, limit) in &mut self.servers {
            *limit = says(&format!("haproxy.server.maxconn@{backend}/{name}")).unwrap_or(0);
        }
    }

    /// The number that the file says.
    fn says(&self, key: &str) -> Option<u64> {
        said(&self.tuning(), key)
    }

    /// All of it in one number.
    pub(crate) fn number(&self) -> u64 {
        let files = self.files.all().flat_map(|(path, bytes)| [path.as_bytes(), bytes].concat());
        let limits = [self.connections, self.connection_rate, self.session_rate].into_iter();
        let all = limits.chain(self.frontends.iter().map(|one| one.1)).chain(self.servers.iter().map(|one| one.2));
        let bytes = all.flat_map(u64::to_le_bytes).chain(files);
        bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

impl Balancer {
    /// Changes its file as the script does.
    pub(crate) fn edit(&mut self, edit: &FileEdit, way: FileWay) -> Reply {
        let done = self.limits.files.carry_out(edit, way);
        let FileJudge::Haproxy { reload } = &edit.judge else { panic!("{edit:?}") };
        if let (Ok(()), Some(reload)) = (&done, reload) {
            self.limits.read_file();
            for server in &mut self.servers {
                let weight = self.limits.says(&format!("haproxy.server.weight@{}/{}", server.backend, server.name));
                let weight = weight.unwrap_or(100);
                if weight != server.weight_in_file {
                    (server.weight, server.weight_in_file) = (weight, weight);
                }
            }
            if reload.state_file.is_none() {
                for server in &mut self.servers {
                    server.told = if server.disabled { AdminState::Maint } else { AdminState::Ready };
                    server.weight = server.weight_in_file;
                }
            }
        }
        let stderr = done.clone().err().unwrap_or_default();
        Reply { exit: Some(u32::from(done.is_err())), stderr: stderr.into(), ..Reply::default() }
    }

    /// By which value a limit runs.
    pub(crate) fn runs(&self, key: &str) -> Vec<u64> {
        let sample = self.sample();
        Knob::all(key, &sample).unwrap().iter().map(|knob| knob.running(&sample).known().unwrap()).collect()
    }
}
