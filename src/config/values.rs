//! One value of the file against its kind in the schema.

use super::{
    defaults,
    problem::{At, Position, Problems},
    schema::{Key, Kind, quoted},
    suggest::nearest,
};
use crate::model::{
    address::{is_private, is_public},
    inventory::Role,
    text::Clean,
};
use secrecy::SecretString;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};
use toml::{
    Spanned,
    de::{DeInteger, DeValue},
};

/// A value that fits its kind.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Text of any kind.
    Text(String),
    /// A list of texts.
    Texts(Vec<At<String>>),
    /// Roles, without repetition.
    Roles(Vec<Role>),
    /// Files on the bastion, `~` expanded.
    Files(Vec<PathBuf>),
    /// TCP ports.
    Ports(Vec<u16>),
    /// A whole number.
    Integer(u64),
    /// A number.
    Decimal(f64),
    /// true or false.
    Switch(bool),
    /// An address.
    Address(IpAddr),
    /// A secret.
    Secret(SecretString),
}

/// The word that stands for "deliberately nothing".
pub(super) const NONE: &str = "none";

/// What values are read against, besides the schema.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    /// `~`.
    pub home: Option<&'a Path>,
    /// Where relative paths start.
    pub folder: &'a Path,
}

type Raw<'r, 't> = &'r Spanned<DeValue<'t>>;

/// Reads one value; notes what is wrong with it.
pub(super) fn read(
    section: &str,
    key: &Key,
    raw: Raw<'_, '_>,
    around: &Surroundings<'_>,
    problems: &mut Problems<'_>,
) -> Option<Value> {
    let mut reader = Reader { section, key, around, problems };
    match key.kind {
        Kind::Names | Kind::NamesOrNone => {
            if matches!((key.kind, raw.get_ref()), (Kind::NamesOrNone, DeValue::String(text)) if text == NONE) {
                return Some(Value::Texts(Vec::new()));
            }
            reader.list(raw, Reader::name).map(Value::Texts)
        }
        Kind::Labels => reader.list(raw, Reader::label).map(Value::Texts),
        Kind::Roles => reader.list(raw, Reader::role).map(|roles| {
            let mut unique: Vec<Role> = Vec::new();
            for role in roles.into_iter().map(|role| role.value) {
                if !unique.contains(&role) {
                    unique.push(role);
                }
            }
            Value::Roles(unique)
        }),
        Kind::Files => {
            reader.list(raw, Reader::file).map(|files| Value::Files(files.into_iter().map(|file| file.value).collect()))
        }
        Kind::Command => reader.list(raw, Reader::text).and_then(|words| reader.program(words)).map(Value::Texts),
        Kind::FileOrNone => match raw.get_ref() {
            DeValue::String(text) if text == NONE => Some(Value::Files(Vec::new())),
            _ => reader.file(raw).map(|file| Value::Files(vec![file])),
        },
        Kind::File | Kind::Folder => reader.file(raw).map(|path| Value::Files(vec![path])),
        Kind::Integer => reader.integer(raw),
        Kind::Decimal => reader.decimal(raw),
        Kind::Port => reader.port(raw).map(|port| Value::Integer(u64::from(port))),
        Kind::Ports => {
            reader.list(raw, Reader::port).map(|ports| Value::Ports(ports.into_iter().map(|at| at.value).collect()))
        }
        Kind::Switch => match raw.get_ref() {
            DeValue::Boolean(value) => Some(Value::Switch(*value)),
            _ => reader.wrong_type(raw),
        },
        Kind::PrivateAddress | Kind::PublicAddress | Kind::Address => reader.address(raw),
        Kind::Secret => reader.text(raw).map(|text| Value::Secret(text.into())),
        Kind::Name => reader.name(raw).map(Value::Text),
        Kind::Label => reader.label(raw).map(Value::Text),
        Kind::Login | Kind::Host => reader.word(raw).map(Value::Text),
        Kind::RemotePath | Kind::RemotePathOrNone => reader.remote_path(raw).map(Value::Text),
        Kind::Choice(words) => reader.choice(raw, words).map(Value::Text),
    }
}

struct Reader<'r, 't> {
    section: &'r str,
    key: &'r Key,
    around: &'r Surroundings<'r>,
    problems: &'r mut Problems<'t>,
}

impl Reader<'_, '_> {
    fn at(&self, raw: Raw<'_, '_>) -> Position {
        self.problems.position(&raw.span())
    }

    /// Notes a problem at `raw`; `None`, so that a caller can end with it.
    fn refuse<T>(&mut self, raw: Raw<'_, '_>, what: impl Into<String>, cure: impl Into<String>) -> Option<T> {
        let at = self.at(raw);
        self.problems.add(at, what, cure);
        None
    }

    fn wrong_type<T>(&mut self, raw: Raw<'_, '_>) -> Option<T> {
        let is = type_words(raw.get_ref());
        let wanted = self.key.kind.words();
        let name = self.key.name;
        let cure = match (raw.get_ref(), self.key.kind) {
            (DeValue::String(text), Kind::Integer | Kind::Decimal | Kind::Port) if text.parse::<f64>().is_ok() => {
                format!("write {name} = {text} without quotes")
            }
            (DeValue::String(text), Kind::Switch) if matches!(text.as_ref(), "true" | "false") => {
                format!("write {name} = {text} without quotes")
            }
            (
                DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_),
                Kind::Label | Kind::Login | Kind::Name | Kind::Secret,
            ) => "put it in quotes".into(),
            // An example of these would be a guess at the value, not at its form.
            (_, Kind::Integer | Kind::Decimal | Kind::Switch | Kind::Choice(_)) => format!("give {wanted}"),
            (_, kind) => format!("write it as {name} = {}", kind.example()),
        };
        self.refuse(raw, format!("{} is {is}, not {wanted}", self.key.name), cure)
    }

    /// Non-empty text on one line without control characters.
    fn text(&mut self, raw: Raw<'_, '_>) -> Option<String> {
        let DeValue::String(text) = raw.get_ref() else { return self.wrong_type(raw) };
        if text.is_empty() {
            return self.refuse(raw, format!("{} is empty", self.key.name), "give a value, or remove the line");
        }
        if Clean::line(text).as_str() != text {
            let what = format!("{} has characters that cannot be shown", self.key.name);
            return self.refuse(raw, what, "remove control and invisible characters, or shorten it");
        }
        Some(text.clone().into_owned())
    }

    fn list<T>(&mut self, raw: Raw<'_, '_>, one: impl Fn(&mut Self, Raw<'_, '_>) -> Option<T>) -> Option<Vec<At<T>>> {
        let elements = match raw.get_ref() {
            DeValue::Array(elements) => elements.iter().collect(),
            DeValue::String(_) => vec![raw],
            _ => return self.wrong_type(raw),
        };
        if elements.is_empty() && matches!(self.key.kind, Kind::Names | Kind::Roles | Kind::Labels | Kind::Command) {
            let cure = format!("give at least one, as {} = {}", self.key.name, self.key.kind.example());
            return self.refuse(raw, format!("{} is empty", self.key.name), cure);
        }
        let wanted = elements.len();
        let good: Vec<_> = elements
            .into_iter()
            .filter_map(|element| {
                let at = self.at(element);
                one(self, element).map(|value| At { value, at })
            })
            .collect();
        (good.len() == wanted).then_some(good)
    }

    fn name(&mut self, raw: Raw<'_, '_>) -> Option<String> {
        let name = self.text(raw)?;
        let valid = name.len() <= 63
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if valid {
            return Some(name);
        }
        let cure = "use 1 to 63 letters, digits, '_', '.' or '-', the first one a letter or digit";
        self.refuse(raw, format!("\"{name}\" cannot be a name"), cure)
    }

    fn role(&mut self, raw: Raw<'_, '_>) -> Option<Role> {
        let word = self.text(raw)?;
        if let Some(role) = Role::ALL.into_iter().find(|role| role.word() == word) {
            return Some(role);
        }
        let roles = Role::ALL.map(Role::word);
        let cure = did_you_mean(&word, &roles, &format!("the roles are {}", roles.join(", ")));
        self.refuse(raw, format!("unknown role \"{word}\""), cure)
    }

    fn choice(&mut self, raw: Raw<'_, '_>, words: &[&'static str]) -> Option<String> {
        let word = self.text(raw)?;
        if words.contains(&word.as_str()) {
            return Some(word);
        }
        let cure = did_you_mean(&word, words, &format!("use one of {}", quoted(words)));
        self.refuse(raw, format!("unknown {} \"{word}\"", self.key.name), cure)
    }

    fn label(&mut self, raw: Raw<'_, '_>) -> Option<String> {
        let label = self.text(raw)?;
        if label.chars().count() <= 64 {
            return Some(label);
        }
        self.refuse(raw, format!("{} is longer than 64 characters", self.key.name), "shorten it")
    }

    /// A word that can stand on ssh's command line: `-oProxyCommand=…` as a host name must never become an option.
    fn word(&mut self, raw: Raw<'_, '_>) -> Option<String> {
        let word = self.text(raw)?;
        let what = self.key.kind.words();
        if word.starts_with('-') || word.chars().any(char::is_whitespace) {
            return self.refuse(
                raw,
                format!("{} \"{word}\" cannot be used with ssh", self.key.name),
                format!("give {what} without spaces that does not start with '-'"),
            );
        }
        if self.key.kind == Kind::Host && word.contains(['@', '/']) {
            return self.refuse(
                raw,
                format!("{} \"{word}\" is more than a host name or address", self.key.name),
                "give the host alone; the login name goes into user, the port into port",
            );
        }
        if self.key.kind == Kind::Host && looks_like_host_and_port(&word) {
            return self.refuse(
                raw,
                format!("{} \"{word}\" contains a port", self.key.name),
                "give the host alone and the port as port",
            );
        }
        Some(word)
    }

    fn remote_path(&mut self, raw: Raw<'_, '_>) -> Option<String> {
        let path = self.text(raw)?;
        if path.starts_with('/') || (self.key.kind == Kind::RemotePathOrNone && path == NONE) {
            return Some(path);
        }
        self.refuse(raw, format!("{} \"{path}\" is not an absolute path", self.key.name), "start it with /")
    }

    fn file(&mut self, raw: Raw<'_, '_>) -> Option<PathBuf> {
        let path = self.text(raw)?;
        let Some(rest) = path.strip_prefix('~') else { return Some(self.around.folder.join(path)) };
        match (rest.strip_prefix('/'), self.around.home) {
            (Some(rest), Some(home)) => Some(home.join(rest)),
            (None, Some(home)) if rest.is_empty() => Some(home.to_owned()),
            (None, _) if !rest.is_empty() => {
                let cure = "write the whole path; only ~/ is understood";
                self.refuse(raw, format!("\"{path}\" names another user's home folder"), cure)
            }
            _ => self.refuse(
                raw,
                format!("\"{path}\" starts at the home folder and HOME is not set"),
                "write the whole path",
            ),
        }
    }

    /// A command whose program may begin with `~/`.
    fn program(&mut self, mut words: Vec<At<String>>) -> Option<Vec<At<String>>> {
        let program = words.first_mut()?;
        if let (Some(rest), Some(home)) = (program.value.strip_prefix("~/"), self.around.home) {
            program.value = home.join(rest).display().to_string();
        }
        Some(words)
    }

    fn integer(&mut self, raw: Raw<'_, '_>) -> Option<Value> {
        let DeValue::Integer(number) = raw.get_ref() else { return self.wrong_type(raw) };
        let Some(value) = whole(number) else { return self.out_of_bounds(raw, &number.to_string()) };
        if defaults::tunable(self.section, self.key.name).is_some_and(|tunable| !tunable.allows(value as f64)) {
            return self.out_of_bounds(raw, &number.to_string());
        }
        Some(Value::Integer(value))
    }

    fn decimal(&mut self, raw: Raw<'_, '_>) -> Option<Value> {
        let (text, value) = match raw.get_ref() {
            DeValue::Integer(number) => (number.to_string(), whole(number).map(|value| value as f64)),
            DeValue::Float(number) => (number.to_string(), number.as_str().replace('_', "").parse().ok()),
            _ => return self.wrong_type(raw),
        };
        let Some(value) = value.filter(|value: &f64| value.is_finite()) else { return self.out_of_bounds(raw, &text) };
        if defaults::tunable(self.section, self.key.name).is_some_and(|tunable| !tunable.allows(value)) {
            return self.out_of_bounds(raw, &text);
        }
        Some(Value::Decimal(value))
    }

    fn out_of_bounds<T>(&mut self, raw: Raw<'_, '_>, value: &str) -> Option<T> {
        let tunable = defaults::tunable(self.section, self.key.name);
        let unit = tunable.and_then(|tunable| tunable.unit.as_deref()).unwrap_or_default();
        let bounds = tunable.map(defaults::Tunable::bounds).unwrap_or_default();
        self.refuse(raw, format!("{} = {value} {unit} is out of bounds", self.key.name), format!("use {bounds}"))
    }

    fn port(&mut self, raw: Raw<'_, '_>) -> Option<u16> {
        let DeValue::Integer(number) = raw.get_ref() else { return self.wrong_type(raw) };
        match whole(number).and_then(|port| u16::try_from(port).ok()) {
            Some(port @ 1..) => Some(port),
            _ => self.refuse(raw, format!("port {number} is out of bounds"), "use 1 to 65535"),
        }
    }

    fn address(&mut self, raw: Raw<'_, '_>) -> Option<Value> {
        let text = self.text(raw)?;
        let Ok(address) = text.parse::<IpAddr>() else {
            let cure = if text.contains('/') {
                "give the address without the prefix length"
            } else {
                "give an IPv4 or IPv6 address, as 10.10.0.11"
            };
            return self.refuse(raw, format!("{} \"{text}\" is not an address", self.key.name), cure);
        };
        match self.key.kind {
            Kind::PrivateAddress if !is_private(address) => self.refuse(
                raw,
                format!("private address {address} is not in private address space"),
                "use 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918) or fc00::/7 for IPv6",
            ),
            Kind::PublicAddress if !is_public(address) => self.refuse(
                raw,
                format!("public address {address} cannot be reached from outside"),
                "give the address clients use, move it to private, or remove the line",
            ),
            Kind::Address if address.is_unspecified() || address.is_loopback() || address.is_multicast() => self
                .refuse(raw, format!("{address} cannot move between nodes"), "give the address that the nodes share"),
            _ => Some(Value::Address(address)),
        }
    }
}

fn did_you_mean(word: &str, known: &[&'static str], otherwise: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"? {otherwise}"),
        None => otherwise.to_owned(),
    }
}

fn whole(number: &DeInteger<'_>) -> Option<u64> {
    u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}

/// `db01:22`, and not an IPv6 address.
fn looks_like_host_and_port(word: &str) -> bool {
    word.parse::<IpAddr>().is_err()
        && word.rsplit_once(':').is_some_and(|(_, port)| port.chars().all(|c| c.is_ascii_digit()))
}

fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
