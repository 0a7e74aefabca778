//! What can be expected of a setting, and its words after a run.

use crate::{
    model::{
        figure::Figure,
        text::Clean,
        tuning::{Technology, TuningSample, Unit, Variable, catalogue},
    },
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A variable of a database server runs with that value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingExpect {
    /// The server's name for it.
    pub name: Clean,
    /// The value, in the one text of its unit.
    pub value: Clean,
    /// Whether it is the value that the server itself keeps for its next start.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_persisted: bool,
}

impl SettingExpect {
    fn unit(&self) -> Option<Unit> {
        catalogue().find(self.name.as_str()).map(|setting| setting.unit)
    }

    /// Judges what a server told of its settings.
    pub(in crate::plan) fn judge(&self, facts: &Facts) -> Verdict {
        let Facts::Tuning(sample) = facts else { return Verdict::Unknown("the answer is about no settings".into()) };
        let Some(unit) = self.unit() else {
            return Verdict::Unknown(Clean::line(&format!("{} is in no catalogue", self.name)));
        };
        if catalogue().find(self.name.as_str()).is_some_and(|setting| setting.technology == Technology::Kernel) {
            return self.judge_kernel(sample, unit);
        }
        if self.is_persisted {
            return self.judge_persisted(sample.variable(self.name.as_str()), unit);
        }
        match sample.variable(self.name.as_str()) {
            Figure::Known(variable) => match unit.canonical(variable.value.as_str()) {
                Some(value) => {
                    verdict(value == self.value.as_str(), format!("{} is {}", self.name, unit.words(&value)))
                }
                None => Verdict::Unknown(Clean::line(&format!("{} is {:?}", self.name, variable.value.as_str()))),
            },
            Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("{} is unknown: {why}", self.name))),
        }
    }

    fn judge_kernel(&self, sample: &TuningSample, unit: Unit) -> Verdict {
        let running = catalogue().find(self.name.as_str()).map(|setting| sample.reading(setting).running);
        match running {
            Some(Figure::Known(value)) => {
                verdict(value == self.value, format!("{} is {}", self.name, unit.words(value.as_str())))
            }
            Some(Figure::Unknown(why)) => Verdict::Unknown(Clean::line(&format!("{} is unknown: {why}", self.name))),
            None => Verdict::Unknown("it is in no catalogue".into()),
        }
    }

    fn judge_persisted(&self, variable: Figure<&Variable>, unit: Unit) -> Verdict {
        let kept = match variable {
            Figure::Known(variable) => variable.persisted.as_ref(),
            Figure::Unknown(why) => return Verdict::Unknown(Clean::line(&format!("{} is unknown: {why}", self.name))),
        };
        match kept.and_then(|kept| unit.canonical(kept.as_str())) {
            Some(kept) => {
                verdict(kept == self.value.as_str(), format!("{} is kept as {}", self.name, unit.words(&kept)))
            }
            None => verdict(false, format!("{} is not kept by the server", self.name)),
        }
    }
}

impl fmt::Display for SettingExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_str();
        let is = if self.is_persisted { "is kept as" } else { "is" };
        write!(f, "{} {is} {}", self.name, self.unit().map_or_else(|| value.to_owned(), |unit| unit.words(value)))
    }
}

/// The setting in one line, for what is true after a run.
pub(in crate::plan) fn words(key: &str, facts: &Facts) -> Clean {
    if let Facts::Countdown(sample) = facts {
        return super::port::words(sample);
    }
    let Some(setting) = catalogue().find(key) else { return "is in no catalogue".into() };
    if setting.technology == Technology::Haproxy {
        return super::haproxy::words(key, facts);
    }
    let Facts::Tuning(sample) = facts else { return "the answer is about no settings".into() };
    let reading = sample.reading(setting);
    match reading.running {
        Figure::Known(value) => Clean::line(&format!("is {}", setting.unit.words(value.as_str()))),
        Figure::Unknown(why) => Clean::line(&format!("is unknown: {why}")),
    }
}
