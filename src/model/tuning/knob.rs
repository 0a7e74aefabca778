//! What a HAProxy takes while it runs: its limits, one by one.

use crate::model::{
    figure::{Figure, Unknown},
    haproxy::{HaproxySample, Traffic},
    ids::{ProxyName, ServerName},
    intent::ServerPath,
    text::Clean,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The largest limit where HAProxy states none itself.
const LIMIT_MAX: u64 = 1_000_000;
/// Between the key of a setting and the part of HAProxy that it is about. HAProxy takes it in no name.
pub const OF: char = '@';

/// One limit of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Knob {
    /// Connections in all.
    Connections,
    /// New connections a second in all; 0 for any number.
    ConnectionRate,
    /// New sessions a second in all; 0 for any number.
    SessionRate,
    /// Sessions of a frontend.
    Frontend(ProxyName),
    /// Sessions of a server; 0 for any number.
    Server(ServerPath),
}

/// The key of a setting, and the part of HAProxy that it is about: `haproxy.frontend.maxconn@http_front`.
pub fn key_and_part(word: &str) -> (&str, Option<&str>) {
    word.split_once(OF).map_or((word, None), |(key, part)| (key, Some(part)))
}

/// Why a word names no limit of a process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoKnob {
    /// The setting is one of the process as a whole.
    #[error("{0} is about HAProxy as a whole, and has no {OF}")]
    Whole(Clean),
    /// The setting needs a part.
    #[error("{key} needs {needs}, such as {key}{OF}{example}")]
    NoPart {
        /// The setting.
        key: Clean,
        /// What part.
        needs: &'static str,
        /// One.
        example: &'static str,
    },
    /// There is no such part.
    #[error("HAProxy has no {what} {name}")]
    Unknown {
        /// `frontend`, `backend`, `server`.
        what: &'static str,
        /// Its name.
        name: Clean,
    },
}

impl Knob {
    /// The limits of a process that a word is about; none where HAProxy takes that setting from its file only. A backend
    /// stands for all its servers.
    ///
    /// # Errors
    /// Where the part is missing, too much, or not there.
    pub fn all(word: &str, sample: &HaproxySample) -> Result<Vec<Self>, NoKnob> {
        let (key, part) = key_and_part(word);
        let whole = |knob: Self| match part {
            None => Ok(vec![knob]),
            Some(_) => Err(NoKnob::Whole(Clean::line(key))),
        };
        match key {
            "haproxy.maxconn" => whole(Self::Connections),
            "haproxy.connection_rate" => whole(Self::ConnectionRate),
            "haproxy.session_rate" => whole(Self::SessionRate),
            "haproxy.frontend.maxconn" => Ok(vec![Self::Frontend(frontend(key, part, sample)?)]),
            "haproxy.server.maxconn" => Ok(servers(key, part, sample)?.into_iter().map(Self::Server).collect()),
            _ => Ok(Vec::new()),
        }
    }

    /// The value by which a process runs.
    pub fn running(&self, sample: &HaproxySample) -> Figure<u64> {
        let absent = Figure::Unknown(Unknown::NotOffered);
        match self {
            Self::Connections => sample.info.connections_max,
            Self::ConnectionRate => sample.info.connection_rate_limit,
            Self::SessionRate => sample.info.session_rate_limit,
            Self::Frontend(_) => self.traffic(sample).map_or(absent, |traffic| traffic.sessions_limit),
            // HAProxy says nothing where there is no limit.
            Self::Server(_) => match self.traffic(sample).map_or(absent, |traffic| traffic.sessions_limit) {
                Figure::Unknown(Unknown::Missing) => Figure::Known(0),
                limit => limit,
            },
        }
    }

    /// Sessions, queues and rates of what it limits.
    pub fn traffic<'s>(&self, sample: &'s HaproxySample) -> Option<&'s Traffic> {
        match self {
            Self::Connections | Self::ConnectionRate | Self::SessionRate => None,
            Self::Frontend(name) => {
                sample.frontends.iter().find(|frontend| frontend.name == *name).map(|frontend| &frontend.traffic)
            }
            Self::Server(path) => server(sample, path).map(|server| &server.traffic),
        }
    }

    /// The smallest and the largest value: HAProxy's own word, where it has one.
    pub fn range(&self, sample: &HaproxySample) -> (u64, u64) {
        let hard = sample.info.connections_hard_max.known().or(sample.info.connections_max.known());
        match self {
            Self::Connections | Self::Frontend(_) => (1, hard.unwrap_or(LIMIT_MAX)),
            Self::ConnectionRate | Self::SessionRate | Self::Server(_) => (0, LIMIT_MAX),
        }
    }

    /// "http_front takes at most 1500 sessions".
    pub fn says(&self, value: u64) -> String {
        let most = |things: &str| {
            if value == 0 { format!("any number of {things}") } else { format!("at most {value} {things}") }
        };
        match self {
            Self::Connections => format!("HAProxy takes {}", most("connections")),
            Self::ConnectionRate => format!("HAProxy takes {}", most("new connections a second")),
            Self::SessionRate => format!("HAProxy takes {}", most("new sessions a second")),
            Self::Frontend(name) => format!("{name} takes {}", most("sessions")),
            Self::Server(path) => format!("{path} takes {}", most("sessions")),
        }
    }

    /// What moves when it changes, as it is now: "45 sessions are open".
    pub fn load(&self, sample: &HaproxySample) -> Option<String> {
        let info = &sample.info;
        let counted = |figure: Figure<u64>, one: &str, many: &str| {
            figure.known().map(|count| format!("{count} {}", if count == 1 { one } else { many }))
        };
        match self {
            Self::Connections => counted(info.connections_current, "connection is open", "connections are open"),
            Self::ConnectionRate => {
                counted(info.connections_per_s, "came in the last second", "came in the last second")
            }
            Self::SessionRate => counted(info.sessions_per_s, "came in the last second", "came in the last second"),
            Self::Frontend(_) => {
                counted(self.traffic(sample)?.sessions_current, "session is open", "sessions are open")
            }
            Self::Server(path) => {
                let traffic = self.traffic(sample)?;
                let open = counted(traffic.sessions_current, "session is open", "sessions are open")?;
                let backend = sample.backends.iter().find(|backend| backend.name == path.backend)?;
                let waiting = backend.traffic.queue_current.known().or(traffic.queue_current.known());
                Some(
                    waiting
                        .map_or_else(|| open.clone(), |waiting| format!("{open}, {waiting} wait for {}", path.backend)),
                )
            }
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connections => f.write_str("connections of HAProxy"),
            Self::ConnectionRate => f.write_str("new connections a second"),
            Self::SessionRate => f.write_str("new sessions a second"),
            Self::Frontend(name) => write!(f, "sessions of {name}"),
            Self::Server(path) => write!(f, "sessions of {path}"),
        }
    }
}

fn server<'s>(sample: &'s HaproxySample, path: &ServerPath) -> Option<&'s crate::model::haproxy::Server> {
    let backend = sample.backends.iter().find(|backend| backend.name == path.backend)?;
    backend.servers.iter().find(|server| server.name == path.server)
}

fn frontend(key: &str, part: Option<&str>, sample: &HaproxySample) -> Result<ProxyName, NoKnob> {
    let no_part = || NoKnob::NoPart { key: Clean::line(key), needs: "a frontend", example: "http_front" };
    let name = part.filter(|part| !part.is_empty()).ok_or_else(no_part)?;
    let found = sample.frontends.iter().find(|frontend| frontend.name.as_str() == name);
    let unknown = || NoKnob::Unknown { what: "frontend", name: Clean::line(name) };
    found.map(|frontend| frontend.name.clone()).ok_or_else(unknown)
}

fn servers(key: &str, part: Option<&str>, sample: &HaproxySample) -> Result<Vec<ServerPath>, NoKnob> {
    let no_part = || NoKnob::NoPart {
        key: Clean::line(key),
        needs: "a server, or a backend for all its servers",
        example: "web_cluster/web01",
    };
    let part = part.filter(|part| !part.is_empty()).ok_or_else(no_part)?;
    let (backend, name) = part.split_once('/').map_or((part, None), |(backend, name)| (backend, Some(name)));
    let found = sample.backends.iter().find(|found| found.name.as_str() == backend);
    let found = found.ok_or_else(|| NoKnob::Unknown { what: "backend", name: Clean::line(backend) })?;
    let servers = found.servers.iter().filter(|server| name.is_none_or(|name| server.name.as_str() == name));
    let paths: Vec<ServerPath> = servers
        .map(|server| ServerPath { backend: found.name.clone(), server: ServerName::clone(&server.name) })
        .collect();
    if paths.is_empty() {
        return Err(NoKnob::Unknown { what: "server", name: Clean::line(part) });
    }
    Ok(paths)
}
