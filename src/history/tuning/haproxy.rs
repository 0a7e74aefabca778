//! Settings of HAProxy: the limits by which it runs, and what its files say of them and of what it takes from them only.

use super::{Configured, Limits, Mark, Row};
use crate::model::{
    figure::{Figure, Unknown},
    haproxy::HaproxySample,
    inventory::Node,
    text::Clean,
    tuning::{
        Advice, Basis, HaproxyConfig, How, Knob, NoStanding, OF, Peak, Setting, TuningSample, advise, catalogue,
        value_in_file,
    },
    world::NodeFacts,
};

/// Every row of a setting on a load balancer.
pub(super) fn rows(setting: &'static Setting, node: &Node, facts: &NodeFacts) -> Vec<Row> {
    let config = match facts.tuning.last() {
        Some(sample) => sample.haproxy.as_ref(),
        None => Figure::Unknown(Unknown::NotReadYet),
    };
    if setting.change == How::Reload {
        return in_file_only(setting, node, config);
    }
    let Some(haproxy) = facts.haproxy.last() else {
        let unread = Figure::Unknown(Unknown::NotReadYet);
        return vec![row(setting, node, None, unread, &Basis::default(), Figure::Unknown(Unknown::NotReadYet))];
    };
    let sample = &haproxy.sample;
    let row_of = |object: Option<String>| {
        let key = key(setting, object.as_deref());
        let knob = Knob::all(&key, sample).ok().and_then(|mut knobs| (knobs.len() == 1).then(|| knobs.remove(0)));
        let running = match &knob {
            Some(knob) => limit(knob, sample),
            None => Figure::Unknown(Unknown::NotOffered),
        };
        let peak = knob.as_ref().map_or(Figure::Unknown(Unknown::NotOffered), |knob| peak(knob, sample));
        let basis = Basis { peak: peak.map(|count| Peak { count, room: None }), ..Basis::default() };
        let mut row = row(setting, node, object.as_deref(), running, &basis, configured(config, setting, &key));
        let hard = sample.info.connections_hard_max.known();
        if let Some((knob, _)) = knob.as_ref().zip(hard) {
            let (minimum, maximum) = knob.range(sample);
            row.limits.range = Some((Clean::line(&minimum.to_string()), Clean::line(&maximum.to_string())));
        }
        row
    };
    match setting.key.as_str() {
        "haproxy.frontend.maxconn" => {
            sample.frontends.iter().map(|frontend| row_of(Some(frontend.name.to_string()))).collect()
        }
        "haproxy.server.maxconn" => {
            let servers =
                sample.backends.iter().flat_map(|backend| backend.servers.iter().map(move |server| (backend, server)));
            servers.map(|(backend, server)| row_of(Some(format!("{}/{}", backend.name, server.name)))).collect()
        }
        _ => vec![row_of(None)],
    }
}

/// The limits of a load balancer that do not run as its files say: what is set, and where the file says what.
pub fn drifts(sample: &HaproxySample, tuning: &TuningSample) -> Vec<(String, String)> {
    let Figure::Known(config) = &tuning.haproxy else { return Vec::new() };
    let frontends = sample.frontends.iter().map(|one| format!("haproxy.frontend.maxconn{OF}{}", one.name));
    let servers = sample.backends.iter().flat_map(|backend| {
        backend.servers.iter().map(move |one| format!("haproxy.server.maxconn{OF}{}/{}", backend.name, one.name))
    });
    let whole = ["haproxy.maxconn", "haproxy.connection_rate", "haproxy.session_rate"].map(str::to_owned);
    let mut drifts = Vec::new();
    for key in whole.into_iter().chain(frontends).chain(servers) {
        let (Some(setting), Ok(standing)) = (catalogue().find(&key), config.standing(&key)) else { continue };
        // Without a line HAProxy has a value of its own, which is nowhere to be read; a rate and a server have none.
        let has_own = matches!(setting.key.as_str(), "haproxy.maxconn" | "haproxy.frontend.maxconn");
        let (value, place) = match standing.counts() {
            Some(found) => match value_in_file(setting.unit, found.value.as_str()) {
                Some(value) => (value, format!("{}:{} says {}", found.file, found.line, found.value)),
                None => continue,
            },
            None if has_own => continue,
            None => ("0".to_owned(), "no file names it".to_owned()),
        };
        for knob in Knob::all(&key, sample).unwrap_or_default() {
            if let Some(running) = knob.running(sample).known().filter(|running| running.to_string() != value) {
                drifts.push((key.clone(), format!("{}; {place}", knob.says(running))));
            }
        }
    }
    drifts
}

fn key(setting: &Setting, object: Option<&str>) -> String {
    object.map_or_else(|| setting.key.clone(), |object| format!("{}{OF}{object}", setting.key))
}

/// As HAProxy tells it: nothing where there is no limit.
fn limit(knob: &Knob, sample: &HaproxySample) -> Figure<u64> {
    match knob {
        Knob::Server(_) => {
            knob.traffic(sample).map_or(Figure::Unknown(Unknown::NotOffered), |traffic| traffic.sessions_limit)
        }
        _ => knob.running(sample),
    }
}

fn peak(knob: &Knob, sample: &HaproxySample) -> Figure<u64> {
    match (knob, knob.traffic(sample)) {
        (_, Some(traffic)) => traffic.sessions_max_seen,
        (Knob::Connections, None) => sample.info.connections_current,
        _ => Figure::Unknown(Unknown::NotOffered),
    }
}

fn configured(config: Figure<&HaproxyConfig>, setting: &Setting, key: &str) -> Figure<Option<Configured>> {
    let config = match config {
        Figure::Known(config) => config,
        Figure::Unknown(why) => return Figure::Unknown(why),
    };
    match config.standing(key) {
        Ok(standing) => match standing.counts() {
            None => Figure::Known(None),
            Some(found) => match value_in_file(setting.unit, found.value.as_str()) {
                Some(value) => Figure::Known(Some(Configured {
                    value: Clean::line(&value),
                    file: found.file.clone(),
                    line: found.line,
                })),
                None => Figure::Unknown(Unknown::Malformed),
            },
        },
        Err(NoStanding::OtherWay { .. }) => Figure::Unknown(Unknown::Malformed),
        Err(_) => Figure::Unknown(Unknown::Missing),
    }
}

fn row(
    setting: &'static Setting,
    node: &Node,
    object: Option<&str>,
    running: Figure<u64>,
    basis: &Basis,
    configured: Figure<Option<Configured>>,
) -> Row {
    let running = running.map(|limit| Clean::line(&limit.to_string()));
    let advice = advise(setting, &running, basis);
    let mut marks = Vec::new();
    if let (Figure::Known(running), Figure::Known(Some(in_file))) = (&running, &configured)
        && *running != in_file.value
    {
        marks.push(Mark::NotAsInFile);
    }
    if matches!(advice, Advice::Value { is_met: Figure::Known(false), .. }) {
        marks.push(Mark::NotAsAdvised);
    }
    Row {
        node: node.name.clone(),
        setting,
        object: object.map(Clean::line),
        name: Figure::Known(Clean::line(&setting.key)),
        running,
        configured,
        default: Figure::Unknown(Unknown::NotOffered),
        limits: Limits::default(),
        advice,
        marks,
    }
}

/// What HAProxy does not tell: a row for each part whose file says it.
fn in_file_only(setting: &'static Setting, node: &Node, config: Figure<&HaproxyConfig>) -> Vec<Row> {
    let Figure::Known(known) = config else { return Vec::new() };
    let of_part = |part: Clean| {
        let key = key(setting, Some(part.as_str()));
        let configured = configured(config, setting, &key);
        let value = configured.as_ref().and_then(|found| match found {
            Some(found) => Figure::Known(found.value.clone()),
            None => Figure::Unknown(Unknown::Missing),
        });
        let mut row = row(
            setting,
            node,
            Some(part.as_str()),
            Figure::Unknown(Unknown::NotOffered),
            &Basis::default(),
            configured,
        );
        row.advice = advise(setting, &value, &Basis::default());
        if matches!(row.advice, Advice::Value { is_met: Figure::Known(false), .. }) {
            row.marks.push(Mark::NotAsAdvised);
        }
        row
    };
    let mut parts = known.parts(&setting.key);
    if setting.key == "haproxy.option.httpchk" {
        // Where it is missing is what matters here.
        let missing = known.checked_http_backends().into_iter().filter(|part| !parts.contains(part));
        parts.extend(missing.collect::<Vec<_>>());
    }
    parts.into_iter().map(of_part).collect()
}
