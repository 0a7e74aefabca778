//! What is advised about a setting on a node, with the figures that it rests on. A figure that is not known makes advice
//! that is not known.

use super::{
    catalogue::{Place, Rule, Setting},
    value::Unit,
};
use crate::model::{
    figure::{Figure, Unknown},
    text::Clean,
};

/// What advice about one node rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis {
    /// The machine's memory.
    pub memory_bytes: Figure<u64>,
    /// Its processors.
    pub processors: Figure<u64>,
    /// Whether the disk with the data turns.
    pub rotational: Figure<bool>,
    /// Whether the database is the only thing that the node is for.
    pub is_dedicated: bool,
    /// Whether it takes writes, or replicates.
    pub place: Figure<Place>,
    /// What is written to the redo log in an hour at the present rate.
    pub redo_bytes_per_h: Figure<f64>,
    /// The most that was in use at once of what the setting limits.
    pub peak: Figure<Peak>,
}

/// The most that was in use at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peak {
    /// How many.
    pub count: u64,
    /// The most that the machine's memory has room for, where that is known.
    pub room: Option<u64>,
}

/// What is advised.
#[derive(Debug, Clone, PartialEq)]
pub enum Advice {
    /// Nothing: it depends on what vakt cannot see, or does not matter here.
    Nothing,
    /// Nobody can say, because that is not known.
    Unknown(Clean),
    /// A value.
    Value {
        /// What to set: the value itself, or the nearest bound of a range.
        value: Clean,
        /// In words: "70 to 80 % of 16 GiB".
        words: Clean,
        /// Whether the running value is as advised; unknown where that is.
        is_met: Figure<bool>,
    },
}

/// A range; both bounds belong to it.
struct Range {
    min: Option<u64>,
    max: Option<u64>,
}

/// What is advised about `setting` that runs as `running`.
pub fn advise(setting: &Setting, running: &Figure<Clean>, basis: &Basis) -> Advice {
    match ranged(&setting.recommend, setting.unit, basis) {
        Ok(Some((range, words))) => {
            let value = range.nearest(running);
            let is_met = running.as_ref().and_then(|running| match running.as_str().parse::<f64>() {
                Ok(number) => Figure::Known(range.holds(number)),
                Err(_) => Figure::Unknown(Unknown::Malformed),
            });
            Advice::Value { value: Clean::line(&value.to_string()), words: Clean::line(&words), is_met }
        }
        Ok(None) => fixed(setting, running, basis),
        Err(why) => Advice::Unknown(Clean::line(&why)),
    }
}

fn fixed(setting: &Setting, running: &Figure<Clean>, basis: &Basis) -> Advice {
    match &setting.recommend {
        Rule::Fixed { value, also, on } => {
            match (on, basis.place) {
                (Place::Anywhere, _) => {}
                (wanted, Figure::Known(place)) if *wanted == place => {}
                (_, Figure::Known(_)) => return Advice::Nothing,
                (_, Figure::Unknown(why)) => {
                    return Advice::Unknown(Clean::line(&format!("whether it takes writes is unknown: {why}")));
                }
            }
            let holds = |running: &Clean| value == running.as_str() || also.iter().any(|one| one == running.as_str());
            let words = if also.is_empty() { value.clone() } else { format!("{value}, or {}", also.join(", or ")) };
            Advice::Value { value: Clean::line(value), words: Clean::line(&words), is_met: running.as_ref().map(holds) }
        }
        Rule::IsSet {} => match running {
            Figure::Known(_) => Advice::Nothing,
            // HAProxy says nothing where there is no limit.
            Figure::Unknown(Unknown::Missing) => Advice::Value {
                value: Clean::default(),
                words: match setting.unit {
                    Unit::Path => "a page that a server answers well only while it can serve".into(),
                    _ => "a limit: what one server can carry at once".into(),
                },
                is_met: Figure::Known(false),
            },
            Figure::Unknown(why) => Advice::Unknown(Clean::line(&why.to_string())),
        },
        _ => Advice::Nothing,
    }
}

/// The range of rules about numbers, in words; nothing for others. The error says what is not known.
fn ranged(rule: &Rule, unit: Unit, basis: &Basis) -> Result<Option<(Range, String)>, String> {
    let unknown = |what: &str, why: Unknown| format!("{what} is unknown: {why}");
    let words = |value: u64| unit.words(&value.to_string());
    let at_least = |min: u64| Range { min: Some(min), max: None };
    Ok(Some(match rule {
        Rule::AtLeast { value } => (at_least(*value), format!("at least {}", words(*value))),
        Rule::AtMost { value } => (Range { min: None, max: Some(*value) }, format!("at most {}", words(*value))),
        Rule::ShareOfMemory { percent_min, percent_max } => {
            let memory = known(basis.memory_bytes).map_err(|why| unknown("the machine's memory", why))?;
            if !basis.is_dedicated {
                return Err("the node has other roles besides, which need memory, too".to_owned());
            }
            let share = |percent: u64| memory / 100 * percent;
            let text = format!("{percent_min} to {percent_max} % of {}", Unit::Bytes.words(&memory.to_string()));
            (Range { min: Some(share(*percent_min)), max: Some(share(*percent_max)) }, text)
        }
        Rule::ByDisk { rotational, solid } => {
            let turns = known(basis.rotational).map_err(|why| unknown("whether the disk with the data turns", why))?;
            let (least, disk) = if turns { (*rotational, "a disk that turns") } else { (*solid, "a solid disk") };
            (at_least(least), format!("at least {} on {disk}", words(least)))
        }
        Rule::HourOfRedo { bytes_min } => {
            let written = known(basis.redo_bytes_per_h).map_err(|why| unknown("how much redo is written", why))?;
            let hour = if written.is_finite() && written > 0.0 { written as u64 } else { 0 };
            let least = (*bytes_min).max(hour);
            (at_least(least), format!("at least {}: an hour writes {}", words(least), words(hour)))
        }
        Rule::AbovePeak { percent } => {
            let peak = known(basis.peak).map_err(|why| unknown("how many were in use at most", why))?;
            let least = peak.count.saturating_mul(*percent).div_ceil(100).max(1);
            let room = peak.room.map(|room| format!(", and at most {room} by the memory")).unwrap_or_default();
            let text = format!("at least {}: at most {} were in use{room}", words(least), words(peak.count));
            (Range { min: Some(least), max: peak.room.filter(|room| *room >= least) }, text)
        }
        Rule::PerProcessor { each, max } => {
            let processors = known(basis.processors).map_err(|why| unknown("how many processors there are", why))?;
            let least = processors.saturating_mul(*each).clamp(1, *max);
            (at_least(least), format!("at least {}: {processors} processors", words(least)))
        }
        Rule::None {} | Rule::Fixed { .. } | Rule::IsSet {} => return Ok(None),
    }))
}

fn known<T>(figure: Figure<T>) -> Result<T, Unknown> {
    match figure {
        Figure::Known(value) => Ok(value),
        Figure::Unknown(why) => Err(why),
    }
}

impl Range {
    fn holds(&self, value: f64) -> bool {
        self.min.is_none_or(|min| value >= min as f64) && self.max.is_none_or(|max| value <= max as f64)
    }

    /// The bound that is nearest to `running`; the least where that says nothing.
    fn nearest(&self, running: &Figure<Clean>) -> u64 {
        let running = running.as_ref().known().and_then(|text| text.as_str().parse::<f64>().ok());
        let is_above = |max: u64| running.is_some_and(|value| value > max as f64);
        match (self.min, self.max) {
            (_, Some(max)) if is_above(max) => max,
            (Some(min), _) => min,
            (None, Some(max)) => max,
            (None, None) => 0,
        }
    }
}

impl Default for Basis {
    /// Nothing is known.
    fn default() -> Self {
        let none = Unknown::NotReadYet;
        Self {
            memory_bytes: Figure::Unknown(none),
            processors: Figure::Unknown(none),
            rotational: Figure::Unknown(none),
            is_dedicated: false,
            place: Figure::Unknown(none),
            redo_bytes_per_h: Figure::Unknown(none),
            peak: Figure::Unknown(none),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::catalogue;
    use super::*;

    const GIB: u64 = 1 << 30;

    fn told(key: &str, running: &str, basis: &Basis) -> String {
        match advise(catalogue().find(key).unwrap(), &Figure::Known(running.into()), basis) {
            Advice::Nothing => "nothing".to_owned(),
            Advice::Unknown(why) => format!("unknown: {why}"),
            Advice::Value { value, words, is_met } => format!("{value} ({words}), met {:?}", is_met.known()),
        }
    }

    #[test]
    fn memory_counts_on_a_node_of_its_own_only() {
        let basis = Basis { memory_bytes: Figure::Known(100 * GIB), is_dedicated: true, ..Basis::default() };
        let of = |running: u64, basis: &Basis| told("innodb_buffer_pool_size", &running.to_string(), basis);
        let words = "70 to 80 % of 100 GiB";
        assert_eq!(of(10 * GIB, &basis), format!("{} ({words}), met Some(false)", 100 * GIB / 100 * 70));
        assert_eq!(of(90 * GIB, &basis), format!("{} ({words}), met Some(false)", 100 * GIB / 100 * 80));
        assert!(of(75 * GIB, &basis).ends_with("met Some(true)"));
        assert_eq!(
            of(GIB, &Basis { is_dedicated: false, ..basis }),
            "unknown: the node has other roles besides, which need memory, too"
        );
        assert_eq!(of(GIB, &Basis::default()), "unknown: the machine's memory is unknown: not read yet");
    }

    #[test]
    fn what_is_not_known_is_not_advised() {
        let none = Basis::default();
        assert_eq!(
            told("innodb_io_capacity", "200", &none),
            "unknown: whether the disk with the data turns is unknown: not read yet"
        );
        let solid = Basis { rotational: Figure::Known(false), ..none };
        assert_eq!(told("innodb_io_capacity", "200", &solid), "2000 (at least 2000 on a solid disk), met Some(false)");
        let primary = Basis { place: Figure::Known(Place::Primary), ..none };
        assert_eq!(told("rpl_semi_sync_slave_enabled", "OFF", &primary), "nothing");
        assert_eq!(told("rpl_semi_sync_master_enabled", "OFF", &primary), "ON (ON), met Some(false)");
        assert!(told("rpl_semi_sync_master_enabled", "OFF", &none).starts_with("unknown"));
        assert_eq!(told("innodb_lru_scan_depth", "1024", &none), "nothing");
    }

    #[test]
    fn a_limit_lies_above_what_was_used_and_within_the_memory() {
        let of = |count, room| Basis { peak: Figure::Known(Peak { count, room }), ..Basis::default() };
        assert_eq!(
            told("max_connections", "100", &of(96, Some(400))),
            "120 (at least 120: at most 96 were in use, and at most 400 by the memory), met Some(false)"
        );
        assert!(told("max_connections", "120", &of(96, None)).ends_with("met Some(true)"));
        assert!(told("max_connections", "800", &of(96, Some(400))).starts_with("400 "));
    }

    #[test]
    fn one_of_several_good_values_is_good() {
        let any = Basis::default();
        assert!(told("innodb_flush_method", "O_DIRECT_NO_FSYNC", &any).ends_with("met Some(true)"));
        assert!(told("innodb_flush_method", "FSYNC", &any).starts_with("O_DIRECT (O_DIRECT, or O_DIRECT_NO_FSYNC)"));
    }
}
