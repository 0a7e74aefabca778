//! Every file under `tests/captures` is a test: facts and complaints are compared with the reviewed snapshot.
//!
//! `host/<system>/<name>.txt` and `host-profile/<system>/<name>.txt` are answers to our scripts;
//! `haproxy/<version>/<name>.{info,stat,state}.txt` are the three answers of one process, any of which may be absent.
//! `libvirt/<version>/<name>.guests.json` and `<name>.profile.json` (with `<name>.starts.txt`) are what libvirt's client
//! library told. A folder that ends in `-documented` was written by hand from documentation, not captured.

use serde_json::Value;
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use vakt::wire::{
    probe::{Complaint, ProbeId},
    request::Reply,
};

/// Every capture of one technology, in a fixed order.
pub(crate) fn captures(technology: &str, ending: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures").join(technology);
    let mut found: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap()
        .flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no captures in {}", root.display());
    found
}

/// The replies of the capture that `path` (the only or the main answer) belongs to.
pub(crate) fn replies(path: &Path) -> Vec<Reply> {
    let name = path.to_string_lossy();
    let files = match (name.strip_suffix(".stat.txt"), name.strip_suffix(".profile.json")) {
        (Some(stem), _) => ["info", "stat", "state"].map(|part| PathBuf::from(format!("{stem}.{part}.txt"))).to_vec(),
        (None, Some(stem)) => vec![path.to_owned(), PathBuf::from(format!("{stem}.starts.txt"))],
        (None, None) => vec![path.to_owned()],
    };
    files.iter().map(|file| Reply { bytes: fs::read(file).unwrap_or_default(), ..Reply::default() }).collect()
}

fn check(technology: &str, ending: &str, probe: ProbeId) {
    for path in captures(technology, ending) {
        let (facts, complaints) = probe.probe().interpret(&replies(&path));
        let folder = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let name = path.file_name().unwrap().to_string_lossy().replace(ending, "");
        let name = if probe == ProbeId::GuestProfile { format!("{name}.profile") } else { name };
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../captures/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!(
                format!("{technology}@{folder}@{name}"),
                render(facts.map(|facts| serde_json::to_value(facts).unwrap()), &complaints)
            );
        });
    }
}

#[test]
fn host_captures() {
    check("host", ".txt", ProbeId::Host);
}

#[test]
fn host_profile_captures() {
    check("host-profile", ".txt", ProbeId::HostProfile);
}

#[test]
fn presence_captures() {
    check("presence", ".txt", ProbeId::Presence);
}

#[test]
fn timer_captures() {
    check("timer", ".txt", ProbeId::Countdown);
}

#[test]
fn daemon_captures() {
    check("daemon", ".txt", ProbeId::Daemon);
}

#[test]
fn cut_captures() {
    check("cut", ".txt", ProbeId::Cut);
}

#[test]
fn memcached_captures() {
    check("memcached", ".txt", ProbeId::Memcached);
}

#[test]
fn certificates_captures() {
    check("certificates", ".txt", ProbeId::Certificates);
}

#[test]
fn private_network_captures() {
    check("private-network", ".txt", ProbeId::PrivateNetwork);
}

#[test]
fn services_captures() {
    check("services", ".txt", ProbeId::Services);
}

#[test]
fn haproxy_captures() {
    check("haproxy", ".stat.txt", ProbeId::Haproxy);
}

#[test]
fn libvirt_captures() {
    check("libvirt", ".guests.json", ProbeId::Guests);
    check("libvirt", ".profile.json", ProbeId::GuestProfile);
}

/// One line per field, server or device: a person reads the difference.
pub(crate) fn render(facts: Option<Value>, complaints: &[Complaint]) -> String {
    let mut text = String::new();
    match facts {
        None => text.push_str("nothing understood\n"),
        Some(value) => lines("", &shorten(value), &mut text),
    }
    for complaint in complaints {
        writeln!(text, "complaint: {}: {}", complaint.about, complaint.text).unwrap();
    }
    text
}

pub(crate) fn lines(path: &str, value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) if path.matches('.').count() < 2 || value.to_string().len() > 900 => {
            for (name, field) in fields {
                lines(&format!("{path}.{name}"), field, text);
            }
        }
        Value::Array(items) if value.to_string().len() > 900 => {
            for (index, item) in items.iter().enumerate() {
                lines(&format!("{path}[{index}]"), item, text);
            }
        }
        _ => writeln!(text, "{} = {value}", path.trim_start_matches('.')).unwrap(),
    }
}

/// `{"Known": 1}` becomes `1`, `{"Unknown": "Missing"}` becomes `"?Missing"`.
pub(crate) fn shorten(value: Value) -> Value {
    match value {
        Value::Object(mut fields) if fields.len() == 1 && fields.contains_key("Known") => {
            shorten(fields.remove("Known").unwrap())
        }
        Value::Object(fields) if fields.len() == 1 && fields.contains_key("Unknown") => {
            Value::String(format!("?{}", fields["Unknown"].as_str().unwrap()))
        }
        Value::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (k, shorten(v))).collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(shorten).collect()),
        other => other,
    }
}
