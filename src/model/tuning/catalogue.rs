//! The catalogue of settings: `assets/tuning.toml`, embedded.

use super::{knob::key_and_part, value::Unit};
use crate::model::{inventory::Role, mysql::Dialect};
use serde::Deserialize;
use std::{collections::BTreeSet, sync::LazyLock};

const EMBEDDED: &str = include_str!("../../../assets/tuning.toml");

/// A test holds that the file is whole; one that could not be read would leave nothing to be advised.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::parse(EMBEDDED).unwrap_or_default());

/// The catalogue that vakt comes with.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Every setting, in the order of the file.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The settings.
    #[serde(rename = "setting")]
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// What operators call it.
    pub key: String,
    /// Whose it is.
    pub technology: Technology,
    /// MariaDB's names for it.
    #[serde(default)]
    pub mariadb: Vec<String>,
    /// MySQL's names for it.
    #[serde(default)]
    pub mysql: Vec<String>,
    /// Those of MySQL's names that need a restart.
    #[serde(default)]
    pub mysql_restart: Vec<String>,
    /// On nodes with one of these roles; empty: wherever the technology is.
    #[serde(default)]
    pub roles: Vec<Role>,
    /// What its value counts.
    pub unit: Unit,
    /// How a new value comes to count.
    pub change: How,
    /// What that depends on.
    pub since: Option<String>,
    /// A replica takes another value only while its applier is stopped.
    #[serde(default)]
    pub applier_stopped: bool,
    /// How the advised value is found.
    pub recommend: Rule,
    /// The reasoning.
    pub why: String,
    /// What a wrong value does.
    pub risk: String,
    /// Values that lose nothing in a crash; empty where none does.
    #[serde(default)]
    pub safe: Vec<String>,
    /// Where that matters.
    #[serde(default)]
    pub safe_on: Place,
    /// What another value loses.
    pub loses: Option<String>,
}

/// Whose a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Technology {
    /// MySQL or MariaDB.
    Database,
    /// HAProxy.
    Haproxy,
    /// The kernel.
    Kernel,
    /// Open vSwitch; one setting for each port.
    Ovs,
}

/// How a new value comes to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// At once.
    Dynamic,
    /// When the daemon starts again.
    Restart,
    /// When the daemon reads its file again.
    Reload,
}

/// Where in replication a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Everywhere.
    #[default]
    Anywhere,
    /// On the database that takes writes.
    Primary,
    /// On those that replicate.
    Replica,
}

/// How the advised value is found. The set is closed: a rule that needs another figure is written here.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", tag = "rule", deny_unknown_fields)]
pub enum Rule {
    /// Nothing is advised.
    None {},
    /// That value.
    Fixed {
        /// The value.
        value: String,
        /// Others that are as good.
        #[serde(default)]
        also: Vec<String>,
        /// Where.
        #[serde(default)]
        on: Place,
    },
    /// No less.
    AtLeast {
        /// The least.
        value: u64,
    },
    /// No more.
    AtMost {
        /// The most.
        value: u64,
    },
    /// Any limit.
    IsSet {},
    /// A share of the machine's memory, where it runs nothing else.
    ShareOfMemory {
        /// The least.
        percent_min: u64,
        /// The most.
        percent_max: u64,
    },
    /// By whether the disk with the data turns.
    ByDisk {
        /// The least on a disk that turns.
        rotational: u64,
        /// The least on one that does not.
        solid: u64,
    },
    /// What is written to the redo log in an hour.
    HourOfRedo {
        /// No less than this, however little is written.
        bytes_min: u64,
    },
    /// More than was ever used at once.
    AbovePeak {
        /// Of the peak.
        percent: u64,
    },
    /// So many for each processor.
    PerProcessor {
        /// For each.
        each: u64,
        /// No more in all.
        max: u64,
    },
}

impl Technology {
    /// Its name in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Haproxy => "haproxy",
            Self::Kernel => "kernel",
            Self::Ovs => "ovs",
        }
    }
}

impl Setting {
    /// The names that a server of that family may have for it. Very old ones have either family's.
    pub fn names(&self, dialect: Dialect) -> Vec<&str> {
        let (first, second): (&[String], &[String]) = match dialect {
            Dialect::Mariadb => (&self.mariadb, &[]),
            Dialect::Mysql => (&self.mysql, &[]),
            Dialect::WithoutGtid => (&self.mysql, &self.mariadb),
        };
        first.iter().chain(second).map(String::as_str).collect()
    }

    /// Whether it is called that by operators, or by a server.
    pub fn is_called(&self, name: &str) -> bool {
        self.key == name || self.mariadb.iter().chain(&self.mysql).any(|other| other == name)
    }

    /// Whether a crash loses more with that (canonical) value than it must.
    pub fn is_relaxed(&self, value: &str) -> bool {
        !self.safe.is_empty() && !self.safe.iter().any(|safe| self.unit.canonical(safe).as_deref() == Some(value))
    }
}

impl Catalogue {
    /// A catalogue from text; the error names what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let catalogue: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut seen = BTreeSet::new();
        for setting in &catalogue.settings {
            setting.check().map_err(|why| format!("{}: {why}", setting.key))?;
            let names = setting.mariadb.iter().chain(&setting.mysql).collect::<BTreeSet<_>>();
            let keys = std::iter::once(&setting.key).chain(names.into_iter().filter(|name| **name != setting.key));
            for name in keys {
                if !seen.insert(name.clone()) {
                    return Err(format!("{}: {name} is another setting's, too", setting.key));
                }
            }
        }
        Ok(catalogue)
    }

    /// The setting that is called that, by operators or by a server; the part that it is about does not matter.
    pub fn find(&self, name: &str) -> Option<&Setting> {
        let (name, _) = key_and_part(name);
        self.settings.iter().find(|setting| setting.is_called(name))
    }

    /// The settings of a technology.
    pub fn of(&self, technology: Technology) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(move |setting| setting.technology == technology)
    }

    /// Every name that a database server may have for one of them.
    pub fn server_names(&self) -> BTreeSet<&str> {
        let all = self.of(Technology::Database).flat_map(|setting| setting.mariadb.iter().chain(&setting.mysql));
        all.map(String::as_str).collect()
    }
}

impl Setting {
    fn check(&self) -> Result<(), String> {
        let is_of_server = self.technology == Technology::Database;
        let names = || self.mariadb.iter().chain(&self.mysql);
        let plain = |name: &String| {
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            !name.is_empty() && name.bytes().all(fits)
        };
        if !plain(&self.key) || !names().all(plain) {
            return Err("names are made of a-z 0-9 . _ -".to_owned());
        }
        if is_of_server != (names().next().is_some()) {
            return Err("a database's setting has names there, and no other has".to_owned());
        }
        if !self.mysql_restart.iter().all(|name| self.mysql.contains(name)) {
            return Err("mysql_restart names one that mysql does not".to_owned());
        }
        if self.safe.is_empty() != self.loses.is_none() {
            return Err("safe and loses belong together".to_owned());
        }
        if let Rule::Fixed { value, also, .. } = &self.recommend {
            let is_own = |value: &String| self.unit.canonical(value).as_deref() == Some(value.as_str());
            if !std::iter::once(value).chain(also).all(is_own) {
                return Err("an advised value is no value of its unit".to_owned());
            }
            if self.is_relaxed(value) {
                return Err("what is advised loses something".to_owned());
            }
        } else if !self.unit.is_number() && !matches!(self.recommend, Rule::None {} | Rule::IsSet {}) {
            return Err("its rule is about numbers".to_owned());
        }
        if self.why.is_empty() || self.risk.is_empty() {
            return Err("why and risk are told".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_is_whole() {
        let catalogue = Catalogue::parse(EMBEDDED).unwrap();
        assert!(catalogue.settings.len() > 20);
        assert_eq!(catalogue.find("rpl_semi_sync_source_enabled").unwrap().key, "rpl_semi_sync_master_enabled");
        let flush = catalogue.find("innodb_flush_log_at_trx_commit").unwrap();
        assert_eq!(["0", "1", "2", "3"].map(|value| flush.is_relaxed(value)), [true, false, true, false]);
    }

    #[test]
    fn what_is_wrong_with_a_catalogue_is_said() {
        let setting = |lines: &str| {
            format!(
                "[[setting]]\nkey = \"a\"\ntechnology = \"database\"\nmariadb = [\"a\"]\nunit = \"flag\"\n\
                 change = \"dynamic\"\nwhy = \"w\"\nrisk = \"r\"\n{lines}\n"
            )
        };
        let on = "recommend = { rule = \"fixed\", value = \"ON\" }";
        assert!(Catalogue::parse(&setting(on)).is_ok());
        let cases = [
            ("recommend = { rule = \"fixed\", value = \"1\" }", "a: an advised value is no value of its unit"),
            ("recommend = { rule = \"at_least\", value = 1 }", "a: its rule is about numbers"),
            (&format!("{on}\nsafe = [\"ON\"]"), "a: safe and loses belong together"),
            (&format!("{on}\nsafe = [\"OFF\"]\nloses = \"x\""), "a: what is advised loses something"),
            (&format!("{on}\nmysql_restart = [\"b\"]"), "a: mysql_restart names one that mysql does not"),
            (&format!("{on}\nmysql = [\"A b\"]"), "a: names are made of a-z 0-9 . _ -"),
        ];
        for (lines, message) in cases {
            assert_eq!(Catalogue::parse(&setting(lines)).unwrap_err(), message);
        }
        let twice = format!("{}{}", setting(on), setting(on));
        assert_eq!(Catalogue::parse(&twice).unwrap_err(), "a: a is another setting's, too");
        assert!(Catalogue::parse(&setting("recommend = { rule = \"guess\" }")).is_err());
    }
}
