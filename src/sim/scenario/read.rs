//! Reading a scenario's file: every problem at once, each with its line.

use super::{BackendFile, NODES_MAX, Scenario};
use crate::{
    config::{Position, Problem, Problems, nearest, syntax_problems},
    model::{ids::NodeName, inventory::Role},
    sim::{
        cluster::{HostFile, TrafficMix},
        fault::Fault,
    },
    wire::haproxy::commands::is_safe_name,
};
use std::{cell::RefCell, path::Path};
use toml::de::{DeTable, DeValue};

const SECTIONS: [&str; 4] = ["scenario", "node", "backend", "event"];
/// Faults of one script at most.
const EVENTS_MAX: usize = 1_000;
/// The last moment of a script, seconds.
const AFTER_S_MAX: f64 = 86_400.0;

/// One table of the file while it is read.
struct Section<'d> {
    header: String,
    table: &'d DeTable<'d>,
    at: Position,
    /// Keys that were asked for: the others are unknown.
    asked: RefCell<Vec<&'static str>>,
}

/// What is read, and what is wrong with it.
struct Reader<'p, 't> {
    problems: &'p mut Problems<'t>,
    /// The machines that others are said to stand on.
    carriers: Vec<(NodeName, Position)>,
}

pub(super) fn scenario(name: &str, path: &Path, text: &str) -> Result<Scenario, Vec<Problem>> {
    let mut problems = Problems::new(path.to_owned(), text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if syntax_problems(&errors, &mut problems) {
        return Err(problems.into_sorted());
    }
    let scenario = Reader { problems: &mut problems, carriers: Vec::new() }.scenario(name, root.get_ref());
    if problems.is_empty() {
        // What the configuration's own checks find, they find in the text made of the scenario.
        scenario.inventory().map_err(|found| {
            let line = |problem: Problem| Problem { path: path.to_owned(), line: 0, column: 0, ..problem };
            found.into_iter().map(line).collect::<Vec<_>>()
        })?;
        return Ok(scenario);
    }
    Err(problems.into_sorted())
}

impl Reader<'_, '_> {
    fn scenario(&mut self, name: &str, root: &DeTable<'_>) -> Scenario {
        for (key, _) in root.iter().filter(|(key, _)| !SECTIONS.contains(&key.get_ref().as_ref())) {
            let near = nearest(key.get_ref(), SECTIONS);
            let cure = near.map_or_else(|| format!("the sections are {}", SECTIONS.join(", ")), did_you_mean);
            self.problems.add(self.problems.position(&key.span()), format!("unknown section {}", key.get_ref()), cure);
        }
        let head = self.head(root);
        let mut scenario = Scenario {
            name: name.to_owned(),
            about: self.text(&head, "about").unwrap_or_default(),
            cluster: self.optional(&head, "cluster").unwrap_or_else(|| name.to_owned()),
            latency_ms: self.number(&head, "latency_ms", 1.0, 0.0, 10_000.0) as u64,
            is_one_holder: self.choice(&head, "traffic", &["holder", "every"]) == "holder",
            keeps_state: self.flag(&head, "state_file"),
            has_mysql: self.choice(&head, "databases", &["mariadb", "mysql"]) == "mysql",
            vips: self.words(&head, "vips").into_iter().map(|(word, _)| word).collect(),
            writes: self.optional(&head, "writes"),
            nodes: Vec::new(),
            sites: Vec::new(),
            switches: Vec::new(),
            backends: Vec::new(),
            script: Vec::new(),
        };
        self.finish(&head);
        for section in self.list(root, "node") {
            self.node(&section, &mut scenario);
            self.finish(&section);
        }
        self.carriers(&scenario);
        for section in self.list(root, "backend") {
            let backend = self.backend(&section, &scenario);
            scenario.backends.extend(backend);
            self.finish(&section);
        }
        for section in self.list(root, "event").into_iter().take(EVENTS_MAX) {
            let event = self.event(&section, &scenario);
            scenario.script.extend(event);
            self.finish(&section);
        }
        scenario.script.sort_by_key(|(after_ms, _)| *after_ms);
        if scenario.nodes.is_empty() && self.problems.is_empty() {
            self.problems.add(Position::START, "no [[node]]", "add the machines of the cluster");
        }
        if self.problems.is_empty()
            && !scenario.backends.is_empty()
            && !scenario.nodes.iter().any(|node| node.role == Role::Edge)
        {
            self.problems.add(Position::START, "no node of role edge", "add a load balancer for the backends");
        }
        scenario
    }

    fn head<'d>(&mut self, root: &'d DeTable<'d>) -> Section<'d> {
        const HEADER: &str = "[scenario]";
        if let Some((key, value)) = root.iter().find(|(key, _)| key.get_ref() == "scenario") {
            let at = self.problems.position(&key.span());
            if let DeValue::Table(table) = value.get_ref() {
                return Section { header: HEADER.into(), table, at, asked: RefCell::default() };
            }
            self.problems.add(at, "scenario is a section", "write [scenario]");
        } else {
            self.problems.add(Position::START, "no [scenario]", "add it with about = \"one line about the cluster\"");
        }
        Section { header: HEADER.into(), table: root, at: Position::START, asked: RefCell::new(SECTIONS.to_vec()) }
    }

    fn list<'d>(&mut self, root: &'d DeTable<'d>, name: &'static str) -> Vec<Section<'d>> {
        let header = format!("[[{name}]]");
        let Some((key, value)) = root.iter().find(|(key, _)| key.get_ref() == name) else { return Vec::new() };
        let at = self.problems.position(&key.span());
        let DeValue::Array(elements) = value.get_ref() else {
            self.problems.add(at, format!("{name} is a list"), format!("write {header}"));
            return Vec::new();
        };
        let mut sections = Vec::new();
        for element in elements {
            let at = self.problems.position(&element.span());
            match element.get_ref() {
                DeValue::Table(table) => {
                    sections.push(Section { header: header.clone(), table, at, asked: RefCell::default() });
                }
                _ => self.problems.add(at, format!("{name} is not a table"), format!("write {header}")),
            }
        }
        sections
    }

    /// Says which keys nobody asked for.
    fn finish(&mut self, section: &Section<'_>) {
        let asked = section.asked.borrow();
        for (key, _) in section.table.iter().filter(|(key, _)| !asked.contains(&key.get_ref().as_ref())) {
            let near = nearest(key.get_ref(), asked.iter().copied());
            let cure = near.map_or_else(|| format!("{} has {}", section.header, asked.join(", ")), did_you_mean);
            let what = format!("unknown key {} in {}", key.get_ref(), section.header);
            self.problems.add(self.problems.position(&key.span()), what, cure);
        }
    }

    fn value<'d>(&self, section: &Section<'d>, key: &'static str) -> Option<(&'d DeValue<'d>, Position)> {
        section.asked.borrow_mut().push(key);
        let (_, value) = section.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some((value.get_ref(), self.problems.position(&value.span())))
    }

    fn wrong(&mut self, at: Position, key: &str, wanted: &str) {
        self.problems.add(at, format!("{key} is not {wanted}"), format!("write {key} = {wanted}"));
    }

    /// A text that must be there.
    fn text(&mut self, section: &Section<'_>, key: &'static str) -> Option<String> {
        match self.value(section, key) {
            Some((DeValue::String(text), _)) if !text.is_empty() => return Some(text.clone().into_owned()),
            Some((_, at)) => self.wrong(at, key, "\"text\""),
            None => {
                let what = format!("{} has no {key}", section.header);
                self.problems.add(section.at, what, format!("add {key} = \"…\""));
            }
        }
        None
    }

    fn optional(&mut self, section: &Section<'_>, key: &'static str) -> Option<String> {
        match self.value(section, key)? {
            (DeValue::String(text), _) if !text.is_empty() => Some(text.clone().into_owned()),
            (_, at) => {
                self.wrong(at, key, "\"text\"");
                None
            }
        }
    }

    fn flag(&mut self, section: &Section<'_>, key: &'static str) -> bool {
        match self.value(section, key) {
            Some((DeValue::Boolean(value), _)) => *value,
            Some((_, at)) => {
                self.wrong(at, key, "true");
                false
            }
            None => false,
        }
    }

    /// One of some words; the first when the key is absent.
    fn choice(&mut self, section: &Section<'_>, key: &'static str, words: &[&'static str]) -> &'static str {
        let first = words.first().copied().unwrap_or_default();
        let Some((value, at)) = self.value(section, key) else { return first };
        let given = if let DeValue::String(text) = value { text.as_ref() } else { "" };
        words.iter().find(|word| **word == given).copied().unwrap_or_else(|| {
            let what = format!("{key} is not one of {}", words.join(", "));
            self.problems.add(at, what, format!("write {key} = \"{first}\""));
            first
        })
    }

    fn number(&mut self, section: &Section<'_>, key: &'static str, default: f64, min: f64, max: f64) -> f64 {
        let Some((value, at)) = self.value(section, key) else { return default };
        let number: Option<f64> = match value {
            DeValue::Integer(number) => number.to_string().replace('_', "").parse().ok(),
            DeValue::Float(number) => number.as_str().replace('_', "").parse().ok(),
            _ => None,
        };
        number.filter(|number| (min..=max).contains(number)).unwrap_or_else(|| {
            let what = format!("{key} is not a number from {min} to {max}");
            self.problems.add(at, what, format!("write {key} = {}", default.clamp(min, max)));
            default
        })
    }

    fn words(&mut self, section: &Section<'_>, key: &'static str) -> Vec<(String, Position)> {
        let Some((value, at)) = self.value(section, key) else { return Vec::new() };
        let DeValue::Array(elements) = value else {
            self.wrong(at, key, "[\"name\"]");
            return Vec::new();
        };
        let mut words = Vec::new();
        for element in elements {
            let at = self.problems.position(&element.span());
            match element.get_ref() {
                DeValue::String(text) => words.push((text.clone().into_owned(), at)),
                _ => self.wrong(at, key, "[\"name\"]"),
            }
        }
        words
    }

    /// One machine, or `count` of them with numbers behind the name.
    fn node(&mut self, section: &Section<'_>, scenario: &mut Scenario) {
        let name = self.text(section, "name");
        let role = self.choice(section, "role", &["web", "edge", "app", "database", "cache", "storage", "hypervisor"]);
        let role = Role::ALL.into_iter().find(|known| known.word() == role).unwrap_or(Role::Web);
        let count = self.number(section, "count", 0.0, 1.0, NODES_MAX as f64) as usize;
        let octet = self.number(section, "octet", 1.0, 1.0, 250.0) as usize;
        let site = self.optional(section, "site");
        let has_switch = self.flag(section, "switch");
        let on = self.optional(section, "on").map(|name| NodeName::from(name.as_str()));
        if let Some(host) = &on {
            self.carriers.push((host.clone(), section.at));
        }
        let Some(name) = name else { return };
        let width = count.to_string().len();
        for number in 0..count.max(1) {
            let name = if count == 0 { name.clone() } else { format!("{name}{:0width$}", number + 1) };
            if scenario.nodes.iter().any(|node| node.name.as_str() == name) {
                self.problems.add(section.at, format!("{name} appears twice"), "give it another name");
            }
            let place = octet - 1 + number;
            let (third, fourth) = (place / 250, place % 250 + 1);
            scenario.nodes.push(HostFile {
                name: NodeName::from(name.as_str()),
                role,
                management: format!("10.99.{third}.{fourth}"),
                private: format!("10.10.{third}.{fourth}"),
                on: on.clone(),
                public: (role == Role::Edge).then(|| format!("203.0.113.{fourth}")),
            });
            scenario.sites.push(site.clone());
            scenario.switches.push(has_switch);
        }
        if scenario.nodes.len() > NODES_MAX {
            self.problems.add(section.at, format!("more than {NODES_MAX} nodes"), "lower count");
            scenario.nodes.truncate(NODES_MAX);
        }
    }

    /// Guests stand on hypervisors.
    fn carriers(&mut self, scenario: &Scenario) {
        for (host, at) in std::mem::take(&mut self.carriers) {
            if !scenario.nodes.iter().any(|node| node.name == host && node.role == Role::Hypervisor) {
                self.problems.add(
                    at,
                    format!("on {host}: no hypervisor is called so"),
                    "name a node of role hypervisor",
                );
            }
        }
    }

    fn backend(&mut self, section: &Section<'_>, scenario: &Scenario) -> Option<BackendFile> {
        let name = self.text(section, "name");
        let frontend = self.text(section, "frontend");
        let usual = TrafficMix::default();
        let mode = self.choice(section, "mode", &["http", "tcp"]);
        let servers = self.nodes(section, "servers", scenario);
        let disabled = self.nodes(section, "disabled", scenario);
        let number = &mut |key, default, min, max| self.number(section, key, default, min, max);
        let mix = TrafficMix {
            rate: number("requests_per_s", usual.rate, 0.0, 20_000.0),
            short_ms: number("short_ms", usual.short_ms, 0.1, 3_600_000.0),
            slow_percent: number("slow_percent", usual.slow_percent, 0.0, 100.0),
            slow_ms: number("slow_ms", usual.slow_ms, 0.1, 3_600_000.0),
            keep_alive_percent: number("keep_alive_percent", usual.keep_alive_percent, 0.0, 100.0),
            keep_alive_ms: number("keep_alive_ms", usual.keep_alive_ms, 0.0, 600_000.0),
        };
        let backend = BackendFile {
            name: name.unwrap_or_default(),
            frontend: frontend.unwrap_or_default(),
            mode,
            port: number("port", 80.0, 1.0, 65_535.0) as u16,
            weight: number("weight", 1.0, 0.0, 256.0) as u64,
            rise: number("rise", 2.0, 1.0, 100.0) as u64,
            fall: number("fall", 3.0, 1.0, 100.0) as u64,
            check_ms: number("check_ms", 1_000.0, 100.0, 60_000.0) as u64,
            server_sessions_max: number("server_sessions_max", 100.0, 1.0, 100_000.0) as u64,
            sessions_max: number("sessions_max", 1_000.0, 1.0, 100_000.0) as u64,
            algorithm: self.choice(section, "algorithm", &["roundrobin", "first"]),
            balancers: Vec::new(),
            servers,
            disabled,
            mix,
        };
        for name in [&backend.name, &backend.frontend] {
            if !name.is_empty() && !is_safe_name(name) {
                let what = format!("{name} is no name for HAProxy");
                self.problems.add(section.at, what, "use letters, digits, _ . : -");
            }
        }
        let names_servers = section.table.iter().any(|(key, _)| key.get_ref() == "servers");
        if backend.servers.is_empty() && !names_servers {
            self.problems.add(section.at, format!("{} has no servers", section.header), "add servers = [\"web01\"]");
        }
        (!backend.name.is_empty() && !backend.frontend.is_empty()).then_some(backend)
    }

    /// Nodes by name, or all whose name begins so: `web*`.
    fn nodes(&mut self, section: &Section<'_>, key: &'static str, scenario: &Scenario) -> Vec<usize> {
        let mut found = Vec::new();
        for (word, at) in self.words(section, key) {
            let matches = |name: &str| match word.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == word,
            };
            let before = found.len();
            found.extend((0..scenario.nodes.len()).filter(|index| matches(scenario.nodes[*index].name.as_str())));
            if found.len() == before {
                let near = nearest(&word, scenario.nodes.iter().map(|node| node.name.as_str()));
                let cure = near.map_or_else(|| "add a [[node]] of that name above".to_owned(), did_you_mean);
                self.problems.add(at, format!("no node is called {word}"), cure);
            }
        }
        found
    }

    fn event(&mut self, section: &Section<'_>, scenario: &Scenario) -> Option<(u64, Fault)> {
        let after_s = self.number(section, "after_s", 0.0, 0.0, AFTER_S_MAX);
        let text = self.text(section, "fault")?;
        let at = self.value(section, "fault").map_or(section.at, |(_, at)| at);
        let checked =
            Fault::parse(&text).and_then(|fault| super::super::cluster::check(&fault, scenario).map(|()| fault));
        match checked {
            Ok(fault) => Some(((after_s * 1000.0) as u64, fault)),
            Err(error) => {
                let text = error.to_string();
                let (what, cure) = text.split_once("; ").unwrap_or((text.as_str(), "correct the fault"));
                self.problems.add(at, what, cure);
                None
            }
        }
    }
}

fn did_you_mean(word: &str) -> String {
    format!("did you mean {word}?")
}
