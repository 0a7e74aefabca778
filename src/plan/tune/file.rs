//! What can be expected of a file with settings.

use crate::{
    model::{
        figure::Figure,
        text::Clean,
        tuning::{FileValue, HaproxyConfig, SettingsFile, Technology, TuningSample, catalogue, value_in_file},
    },
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// Digits of a checksum that are shown.
const SHOWN: usize = 12;

/// Something that is true of a file of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileExpect {
    /// Where it is.
    pub path: Clean,
    /// The setting that it is about, by the name that stands in the file.
    pub name: Clean,
    /// What.
    pub is: FileIs,
}

/// What can be expected of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileIs {
    /// It has this SHA-256.
    Is(Clean),
    /// There is no such file.
    Absent,
    /// Of all files it is the one that counts for the setting, with this value in the one text of its unit.
    Brings(Clean),
}

impl FileExpect {
    /// Judges what was read of a node's settings.
    pub(in crate::plan) fn judge(&self, facts: &Facts) -> Verdict {
        let Facts::Tuning(sample) = facts else { return Verdict::Unknown("the answer is about no settings".into()) };
        let files = match &sample.files {
            Figure::Known(files) => files,
            Figure::Unknown(why) => return unknown(&format!("what files there are is unknown: {why}")),
        };
        let file = files.iter().find(|file| file.path == self.path);
        match &self.is {
            FileIs::Absent => verdict(file.is_none(), if file.is_none() { "it is not there" } else { "it is there" }),
            FileIs::Is(sum) => self.judge_sum(sample, file, sum),
            FileIs::Brings(value) => self.judge_value(sample, value),
        }
    }

    fn judge_sum(&self, sample: &TuningSample, file: Option<&SettingsFile>, wanted: &Clean) -> Verdict {
        let Some(file) = file else { return verdict(false, "it is not there") };
        let Some(sum) = &file.sum else { return unknown("the login may not read it") };
        let says = match winner(sample, self.name.as_str()) {
            Figure::Known(Some(found)) if found.file == self.path => format!(", line {}: {}", found.line, found.text),
            _ => String::new(),
        };
        if sum == wanted {
            verdict(true, format!("it is {}", short(sum)))
        } else {
            verdict(false, format!("it is another one, {}{says}", short(sum)))
        }
    }

    fn judge_value(&self, sample: &TuningSample, value: &Clean) -> Verdict {
        let found = match winner(sample, self.name.as_str()) {
            Figure::Known(Some(found)) => found,
            Figure::Known(None) => return verdict(false, format!("no file names {}", self.name)),
            Figure::Unknown(why) => return unknown(&format!("what files say is unknown: {why}")),
        };
        let setting = catalogue().find(self.name.as_str());
        let says = setting.and_then(|setting| match setting.technology {
            Technology::Haproxy => value_in_file(setting.unit, found.value.as_str()),
            _ => setting.unit.canonical(found.value.as_str()),
        });
        let holds = found.file == self.path && says.as_deref() == Some(value.as_str());
        verdict(holds, format!("{}:{} says {}", found.file, found.line, found.value))
    }
}

/// The line of a file that counts for a setting.
fn winner<'s>(sample: &'s TuningSample, name: &str) -> Figure<Option<Cow<'s, FileValue>>> {
    let setting = catalogue().find(name);
    let files = match setting.map(|setting| setting.technology) {
        Some(Technology::Haproxy) => {
            // A part that is in no file says nothing.
            let standing = |config: &HaproxyConfig| config.standing(name).ok()?.counts().cloned();
            return sample.haproxy.as_ref().map(|config| standing(config).map(Cow::Owned));
        }
        Some(Technology::Kernel) => &sample.kernel_files,
        _ => &sample.option_files,
    };
    match files {
        Figure::Known(all) => Figure::Known(all.iter().find(|value| value.name.as_str() == name).map(Cow::Borrowed)),
        Figure::Unknown(why) => Figure::Unknown(*why),
    }
}

fn unknown(why: &str) -> Verdict {
    Verdict::Unknown(Clean::line(why))
}

fn short(sum: &Clean) -> String {
    sum.as_str().chars().take(SHOWN).chain(['…']).collect()
}

impl fmt::Display for FileExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.is {
            FileIs::Is(sum) => write!(f, "{path} is {}", short(sum)),
            FileIs::Absent => write!(f, "there is no {path}"),
            FileIs::Brings(value) => {
                let unit = catalogue().find(self.name.as_str()).map(|setting| setting.unit);
                let words = unit.map_or_else(|| value.to_string(), |unit| unit.words(value.as_str()));
                write!(f, "{path} says {} is {words}", self.name)
            }
        }
    }
}
