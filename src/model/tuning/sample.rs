//! What the settings of the catalogue are on one node: as it runs, and as its files say.

use super::{
    catalogue::{Setting, Technology},
    config::HaproxyConfig,
};
use crate::model::{
    figure::{Figure, Unknown},
    mysql::Dialect,
    text::Clean,
};
use serde::{Deserialize, Serialize};

/// One read of a node's settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TuningSample {
    /// Values of the kernel, by their names; one that this kernel does not have is absent.
    pub kernel: Figure<Vec<(Clean, Clean)>>,
    /// What its files (`sysctl.d`) say, the one that wins of each.
    pub kernel_files: Figure<Vec<FileValue>>,
    /// The family of the database server.
    pub dialect: Figure<Dialect>,
    /// Variables of the database server.
    pub variables: Figure<Vec<Variable>>,
    /// What the option files of the database server say, the one that wins of each, by the server's names.
    pub option_files: Figure<Vec<FileValue>>,
    /// The files themselves: those of the kernel, of the database server, and what earlier changes kept beside them.
    #[serde(default)]
    pub files: Figure<Vec<SettingsFile>>,
    /// What the files of HAProxy say.
    #[serde(default)]
    pub haproxy: Figure<HaproxyConfig>,
    /// The folder that the database server reads last of those that its first file names.
    #[serde(default)]
    pub option_folder: Option<Clean>,
}

/// A variable of a database server, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, in lower case.
    pub name: Clean,
    /// The value by which the server runs.
    pub value: Clean,
    /// Where that comes from: "CONFIG", "SQL", "COMPILE-TIME".
    pub origin: Option<Clean>,
    /// The value without any file.
    pub default: Option<Clean>,
    /// The smallest value.
    pub minimum: Option<Clean>,
    /// The largest value.
    pub maximum: Option<Clean>,
    /// Values are multiples of it.
    pub block: Option<Clean>,
    /// The words that it takes; empty where it takes others.
    pub choices: Vec<Clean>,
    /// Whether a restart is needed; nothing where the server does not say.
    pub is_read_only: Option<bool>,
    /// Whether another session of the server's own keeps it in a file (`SET PERSIST`).
    pub is_persisted: bool,
    /// The value in that file.
    #[serde(default)]
    pub persisted: Option<Clean>,
}

/// A value in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileValue {
    /// The setting's name as daemons write it.
    pub name: Clean,
    /// The value as it stands there.
    pub value: Clean,
    /// The file.
    pub file: Clean,
    /// The line, from 1.
    pub line: u32,
    /// The whole line.
    #[serde(default)]
    pub text: Clean,
    /// Where in the line the value stands; nothing where the line cannot be told byte for byte.
    #[serde(default)]
    pub span: Option<Span>,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Bytes before it.
    pub column: u32,
    /// Its bytes.
    pub length: u32,
    /// Whether it is the name of the option, which stands there without a value.
    pub is_name: bool,
}

/// A file with settings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SettingsFile {
    /// Where it is.
    pub path: Clean,
    /// SHA-256 in hexadecimal digits; nothing where the login may not read it.
    pub sum: Option<Clean>,
    /// Whether it is a symbolic link.
    pub is_link: bool,
    /// Heads of groups that the database server reads.
    pub heads: Vec<Head>,
    /// Lines that name a setting, in a file that an earlier change kept.
    pub kept: Vec<FileValue>,
}

/// The head of a group of an option file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The whole line.
    pub text: Clean,
    /// The line, from 1.
    pub line: u32,
    /// Whether it ends with CR and LF.
    pub with_cr: bool,
}

/// One setting on one node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading<'a> {
    /// Its name there.
    pub name: Figure<Clean>,
    /// By which value the node runs, in the one text of its unit.
    pub running: Figure<Clean>,
    /// What the file that wins says, where one does.
    pub configured: Figure<Option<(Clean, &'a FileValue)>>,
    /// The value without any file.
    pub default: Figure<Clean>,
    /// What the server says besides, where it is one of a server.
    pub variable: Option<&'a Variable>,
}

impl Reading<'_> {
    /// Nothing is known.
    pub fn unknown(why: Unknown) -> Self {
        Self {
            name: Figure::Unknown(why),
            running: Figure::Unknown(why),
            configured: Figure::Unknown(why),
            default: Figure::Unknown(why),
            variable: None,
        }
    }
}

impl TuningSample {
    /// What is known of a setting; HAProxy's are in its own facts.
    pub fn reading(&self, setting: &Setting) -> Reading<'_> {
        match setting.technology {
            Technology::Kernel => self.of_kernel(setting),
            Technology::Database => self.of_server(setting),
            Technology::Haproxy | Technology::Ovs => Reading::default(),
        }
    }

    /// The same, with the default from another server of the family where this one does not tell it: MySQL tells it only
    /// as long as it is the value.
    pub fn reading_among<'a>(&'a self, setting: &Setting, others: &[&TuningSample]) -> Reading<'a> {
        let mut reading = self.reading(setting);
        if let (Figure::Unknown(_), Some(variable)) = (&reading.default, reading.variable) {
            let is_same = |other: &Reading<'_>| other.variable.is_some_and(|known| known.name == variable.name);
            let family = others.iter().filter(|other| other.dialect == self.dialect);
            let known = family.map(|other| other.reading(setting)).filter(is_same);
            let default = known.map(|other| other.default).find(|default| matches!(default, Figure::Known(_)));
            reading.default = default.unwrap_or(reading.default);
        }
        reading
    }

    /// A variable of the server by its name.
    pub fn variable(&self, name: &str) -> Figure<&Variable> {
        match &self.variables {
            Figure::Known(all) => {
                let found = all.iter().find(|variable| variable.name.as_str() == name);
                Figure::from_option(found, Unknown::NotOffered)
            }
            Figure::Unknown(why) => Figure::Unknown(*why),
        }
    }

    fn of_kernel(&self, setting: &Setting) -> Reading<'_> {
        let running = match &self.kernel {
            Figure::Known(all) => {
                let value = all.iter().find(|(name, _)| name.as_str() == setting.key).map(|(_, value)| value);
                match value {
                    Some(value) => canonical(setting, value),
                    None => Figure::Unknown(Unknown::NotOffered),
                }
            }
            Figure::Unknown(why) => Figure::Unknown(*why),
        };
        Reading {
            name: Figure::Known(Clean::line(&setting.key)),
            running,
            configured: configured(setting, &self.kernel_files, &setting.key),
            // What the kernel began with is nowhere to be read.
            default: Figure::Unknown(Unknown::NotOffered),
            variable: None,
        }
    }

    fn of_server(&self, setting: &Setting) -> Reading<'_> {
        let (all, dialect) = match (self.variables.as_ref(), self.dialect) {
            (Figure::Known(all), Figure::Known(dialect)) => (all, dialect),
            (Figure::Unknown(why), _) | (_, Figure::Unknown(why)) => {
                return Reading::unknown(why);
            }
        };
        let names = setting.names(dialect);
        let found = names.iter().find_map(|name| all.iter().find(|variable| variable.name.as_str() == *name));
        let Some(variable) = found else {
            return Reading::unknown(Unknown::NotOffered);
        };
        // A default at the end of the range stands for one that the server works out when it starts.
        let default = variable.default.as_ref().filter(|default| variable.maximum.as_ref() != Some(default));
        let default = default.map_or(Figure::Unknown(Unknown::NotOffered), Figure::Known);
        Reading {
            name: Figure::Known(variable.name.clone()),
            running: canonical(setting, &variable.value),
            configured: configured(setting, &self.option_files, variable.name.as_str()),
            default: default.and_then(|value| canonical(setting, value)),
            variable: Some(variable),
        }
    }
}

fn canonical(setting: &Setting, raw: &Clean) -> Figure<Clean> {
    let text = setting.unit.canonical(raw.as_str()).map(|text| Clean::line(&text));
    Figure::from_option(text, if raw.is_empty() { Unknown::Missing } else { Unknown::Malformed })
}

fn configured<'a>(
    setting: &Setting,
    files: &'a Figure<Vec<FileValue>>,
    name: &str,
) -> Figure<Option<(Clean, &'a FileValue)>> {
    match files {
        Figure::Known(all) => match all.iter().find(|value| value.name.as_str() == name) {
            Some(found) => canonical(setting, &found.value).map(|text| Some((text, found))),
            None => Figure::Known(None),
        },
        Figure::Unknown(why) => Figure::Unknown(*why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{mysql::Dialect, tuning::catalogue};

    fn sample(dialect: Dialect, value: &str, default: Option<&str>) -> TuningSample {
        let variable = Variable {
            name: "innodb_lru_scan_depth".into(),
            value: value.into(),
            default: default.map(Clean::line),
            ..Variable::default()
        };
        TuningSample {
            dialect: Figure::Known(dialect),
            variables: Figure::Known(vec![variable]),
            ..TuningSample::default()
        }
    }

    #[test]
    fn a_default_that_one_server_does_not_tell_is_known_from_its_family() {
        let setting = catalogue().find("innodb_lru_scan_depth").unwrap();
        let changed = sample(Dialect::Mysql, "1024", None);
        let (alike, other) =
            (sample(Dialect::Mysql, "1024", Some("1024")), sample(Dialect::Mariadb, "1536", Some("1536")));
        let default = |others: &[&TuningSample]| match changed.reading_among(setting, others).default {
            Figure::Known(value) => Some(value.to_string()),
            Figure::Unknown(_) => None,
        };
        assert_eq!(default(&[&changed, &other]), None);
        assert_eq!(default(&[&other, &changed, &alike]), Some("1024".to_owned()));
    }
}
