//! Everything that is known of a setting of HAProxy where it is to be changed.

use super::{
    filing::{Filing, Sheet},
    reload::Carried,
};
use crate::{
    history::tuning::called,
    model::{
        figure::{Figure, Unknown},
        haproxy::HaproxySample,
        inventory::Node,
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{Knob, Setting, Unit, value_in_file},
    },
    plan::{
        refusal::{Reason, ReasonKind},
        scene::{Scene, sight, sight_or_refuse},
    },
};

/// The setting, the value, and the load balancers.
pub(super) struct Field<'a> {
    pub(super) setting: &'static Setting,
    /// With the part that it is about.
    pub(super) key: Clean,
    /// In the one text of its unit.
    pub(super) value: String,
    /// The same, where it is a limit that HAProxy takes while it runs.
    pub(super) number: Option<u64>,
    pub(super) target: Clean,
    pub(super) keep: Keep,
    pub(super) seats: Vec<Seat<'a>>,
}

/// One load balancer.
pub(super) struct Seat<'a> {
    pub(super) node: &'a Node,
    pub(super) socket: &'a str,
    pub(super) sample: &'a HaproxySample,
    pub(super) age_ms: u64,
    /// The limits that it is about, and by which values they run.
    pub(super) knobs: Vec<(Knob, u64)>,
    /// What its files say, where that is known or needed.
    pub(super) sheet: Option<Sheet<'a>>,
    /// What is done to a file.
    pub(super) filing: Option<Filing>,
    /// What operators told servers, where HAProxy is reloaded.
    pub(super) carried: Vec<Carried>,
}

impl Seat<'_> {
    pub(super) fn evidence(&self) -> Vec<Clean> {
        let knobs = self.knobs.iter().map(|(knob, value)| format!("{}: {}", self.node.name, knob.says(*value)));
        let mut lines: Vec<Clean> = knobs.map(|line| Clean::line(&line)).collect();
        if lines.is_empty() {
            lines.extend(self.sheet.iter().filter_map(|sheet| sheet.evidence(&self.node.name)));
        }
        lines
    }

    pub(super) fn is_reloaded(&self) -> bool {
        self.filing.as_ref().is_some_and(|filing| filing.is_reloaded)
    }

    pub(super) fn files_age_ms(&self) -> u64 {
        self.filing.as_ref().and(self.sheet.as_ref()).map_or(0, |sheet| sheet.age_ms)
    }

    /// The limits that are given the value.
    pub(super) fn turned(&self, field: &Field<'_>) -> impl Iterator<Item = &(Knob, u64)> {
        let value = field.number;
        self.knobs.iter().filter(move |(_, old)| value.is_some_and(|value| value != *old))
    }
}

impl<'a> Field<'a> {
    /// `None` where it is not even known what is meant.
    pub(super) fn survey(
        scene: &Scene<'a>,
        act: &TuneAct,
        setting: &'static Setting,
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        let value = value_in_file(setting.unit, act.value.as_str());
        if value.is_none() {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} is no value of {}: it takes {}.", act.value, setting.key, setting.unit.name()),
                Vec::new(),
                match setting.unit {
                    Unit::Path => "Write where the page is, without blanks, such as /health or /health.php?deep=1.",
                    _ => "Write a whole number; a time may have a unit, such as 500ms, 30s or 5m.",
                },
            ));
        }
        let nodes = nodes(scene, act, reasons);
        let seats: Vec<Seat<'a>> =
            nodes.into_iter().filter_map(|(node, socket)| seat(scene, act, node, socket, reasons)).collect();
        let value = value.filter(|_| !seats.is_empty())?;
        let has_knobs = seats.iter().any(|seat| !seat.knobs.is_empty());
        let number = if has_knobs { value.parse().ok() } else { None };
        let (key, target) = (act.key.clone(), act.target.clone());
        let mut field = Self { setting, key, value, number, target, keep: act.keep, seats };
        field.file(scene, act, reasons);
        Some(field)
    }

    /// What is to be done to files.
    fn file(&mut self, scene: &Scene<'a>, act: &TuneAct, reasons: &mut Vec<Reason>) {
        if self.keep == Keep::No {
            return;
        }
        for at in 0..self.seats.len() {
            let (filing, carried) = super::filing::filing(self, &self.seats[at], scene, act, reasons);
            (self.seats[at].filing, self.seats[at].carried) = (filing, carried);
        }
    }

    /// Where something is to be done.
    pub(super) fn to_change(&self) -> impl Iterator<Item = &Seat<'a>> {
        self.seats.iter().filter(|seat| seat.filing.is_some() || seat.turned(self).next().is_some())
    }

    /// The value before, where all of them had the same.
    pub(super) fn former(&self) -> Option<Clean> {
        let of_seat = |seat: &Seat<'a>| -> Option<String> {
            match seat.knobs.first() {
                Some((_, first)) => seat.knobs.iter().all(|(_, value)| value == first).then(|| first.to_string()),
                None => seat.sheet.as_ref()?.counts(),
            }
        };
        let first = of_seat(self.to_change().next()?)?;
        self.to_change().all(|seat| of_seat(seat).as_ref() == Some(&first)).then(|| Clean::line(&first))
    }

    pub(super) fn value_words(&self) -> String {
        self.setting.unit.words(&self.value)
    }
}

fn nodes<'a>(scene: &Scene<'a>, act: &TuneAct, reasons: &mut Vec<Reason>) -> Vec<(&'a Node, &'a str)> {
    let found = called(scene.inventory, act.target.as_str());
    let with: Vec<(&Node, &str)> =
        found.iter().filter_map(|node| Some((*node, node.haproxy_socket.as_deref()?))).collect();
    if with.is_empty() {
        let what = if found.is_empty() {
            format!("{} is neither a node nor a role of one.", act.target)
        } else {
            format!("{} runs no HAProxy that vakt knows.", act.target)
        };
        let cure = "Name a load balancer, or the role edge for all of them.";
        reasons.push(Reason::new(ReasonKind::UnknownTarget, what, Vec::new(), cure));
    }
    with
}

fn seat<'a>(
    scene: &Scene<'a>,
    act: &TuneAct,
    node: &'a Node,
    socket: &'a str,
    reasons: &mut Vec<Reason>,
) -> Option<Seat<'a>> {
    let facts = scene.world.node(&node.name)?;
    let limit_ms = scene.inventory.settings.poll.stale_after_ms;
    let what = format!("HAProxy on {} is not known well enough.", node.name);
    let seen = sight(&facts.haproxy, &node.name, scene.now, limit_ms);
    let (haproxy, age_ms) = sight_or_refuse(seen, &node.name, what, reasons)?;
    let sample = &haproxy.sample;
    let knobs = match Knob::all(act.key.as_str(), sample) {
        Ok(knobs) => knobs,
        Err(why) => {
            let cure = "vakt tune lists the settings of each load balancer, with their parts.";
            let what = format!("{}: {why}.", node.name);
            reasons.push(Reason::new(ReasonKind::UnknownTarget, what, Vec::new(), cure));
            return None;
        }
    };
    let mut known = Vec::new();
    for knob in knobs {
        match knob.running(sample) {
            Figure::Known(value) => known.push((knob, value)),
            Figure::Unknown(why) => reasons.push(unknown(node, &knob, why)),
        }
    }
    let sheet = Sheet::of(scene, facts, act);
    Some(Seat { node, socket, sample, age_ms, knobs: known, sheet, filing: None, carried: Vec::new() })
}

fn unknown(node: &Node, knob: &Knob, why: Unknown) -> Reason {
    Reason::new(
        ReasonKind::UnknownFact,
        format!("HAProxy on {} does not tell how many {knob} there may be.", node.name),
        vec![Clean::line(&format!("{}: {why}", node.name))],
        "vakt check says what each HAProxy answers.",
    )
}
