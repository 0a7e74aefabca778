//! Everything that is known of a setting where it is to be changed.

use super::{STALE_MS, Scene};
use crate::{
    history::tuning::{basis, called},
    model::{
        figure::{Figure, Unknown},
        inventory::{Database, Node},
        mysql::{Dialect, MysqlFacts},
        text::Clean,
        tune_act::TuneAct,
        tuning::{Basis, FileValue, Place, Setting, Technology, Variable, catalogue},
    },
    plan::{
        refusal::{Reason, ReasonKind},
        scene::{sight, sight_or_refuse},
    },
};

/// The setting, the value, and the servers.
pub(super) struct Field<'a> {
    pub(super) setting: &'static Setting,
    /// In the one text of its unit.
    pub(super) value: String,
    pub(super) target: Clean,
    pub(super) seats: Vec<Seat<'a>>,
    /// What is worth knowing besides.
    pub(super) notes: Vec<String>,
}

/// One server.
pub(super) struct Seat<'a> {
    pub(super) node: &'a Node,
    pub(super) database: &'a Database,
    pub(super) dialect: Dialect,
    /// The server's name for the setting.
    pub(super) name: Clean,
    pub(super) running: String,
    pub(super) configured: Figure<Option<(Clean, &'a FileValue)>>,
    pub(super) variable: &'a Variable,
    /// The same server's other variables.
    pub(super) others: &'a [Variable],
    pub(super) mysql: Option<&'a MysqlFacts>,
    pub(super) basis: Basis,
    pub(super) place: Figure<Place>,
    pub(super) age_ms: u64,
}

impl Seat<'_> {
    pub(super) fn evidence(&self) -> Clean {
        Clean::line(&format!("{}: {} is {}", self.node.name, self.name, self.variable.value))
    }

    /// Another variable of the same server, as a number.
    pub(super) fn other(&self, name: &str) -> Option<u64> {
        self.others.iter().find(|variable| variable.name.as_str() == name)?.value.as_str().parse().ok()
    }
}

impl<'a> Field<'a> {
    /// `None` where it is not even known what is meant.
    pub(super) fn survey(scene: &Scene<'a>, act: &TuneAct, reasons: &mut Vec<Reason>) -> Option<Self> {
        let setting = setting(act, reasons);
        let nodes = nodes(scene, act, reasons);
        let setting = setting?;
        let value = setting.unit.canonical(act.value.as_str());
        if value.is_none() {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} is no value of {}: it takes {}.", act.value, setting.key, setting.unit.name()),
                Vec::new(),
                "Sizes may be written as 64M or 4G, switches as ON or OFF.",
            ));
        }
        let seats: Vec<Seat<'a>> =
            nodes.into_iter().filter_map(|(node, database)| seat(scene, setting, node, database, reasons)).collect();
        let value = value.filter(|_| !seats.is_empty())?;
        Some(Self { setting, value, target: act.target.clone(), seats, notes: Vec::new() }.with_notes())
    }

    fn with_notes(mut self) -> Self {
        let mut notes = Vec::new();
        for seat in &self.seats {
            let name = &seat.node.name;
            if seat.variable.is_persisted {
                notes.push(format!("{name} keeps another value in its mysqld-auto.cnf, which counts after a restart."));
            }
            let room = seat.basis.peak.known().and_then(|peak| peak.room);
            if self.setting.key == "max_connections"
                && let (Some(room), Ok(wanted)) = (room, self.value.parse::<u64>())
                && wanted > room
            {
                notes.push(format!(
                    "If every session of {name} took all its buffers at once, its memory would have room for {room}."
                ));
            }
        }
        self.notes = notes;
        self
    }
}

fn setting(act: &TuneAct, reasons: &mut Vec<Reason>) -> Option<&'static Setting> {
    let Some(setting) = catalogue().find(act.key.as_str()) else {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("vakt knows no setting {}.", act.key),
            Vec::new(),
            "vakt tune lists those that it knows.",
        ));
        return None;
    };
    if setting.technology != Technology::Database {
        reasons.push(Reason::new(
            ReasonKind::NoWay,
            format!("{} is a setting of {}; only those of databases are set.", setting.key, owner(setting)),
            Vec::new(),
            "Change it on the node, where it is kept; vakt tune shows whether it counts.",
        ));
        return None;
    }
    Some(setting)
}

fn owner(setting: &Setting) -> &'static str {
    match setting.technology {
        Technology::Database => "a database",
        Technology::Haproxy => "HAProxy",
        Technology::Kernel => "the kernel",
    }
}

fn nodes<'a>(scene: &Scene<'a>, act: &TuneAct, reasons: &mut Vec<Reason>) -> Vec<(&'a Node, &'a Database)> {
    let found = called(scene.inventory, act.target.as_str());
    let with: Vec<(&Node, &Database)> =
        found.iter().filter_map(|node| Some((*node, node.database.as_ref()?))).collect();
    if with.is_empty() {
        let what = if found.is_empty() {
            format!("{} is neither a node nor a role of one.", act.target)
        } else {
            format!("{} runs no database that vakt knows.", act.target)
        };
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            what,
            Vec::new(),
            "Name a node with the role database, or that role.",
        ));
    }
    with
}

fn seat<'a>(
    scene: &Scene<'a>,
    setting: &'static Setting,
    node: &'a Node,
    database: &'a Database,
    reasons: &mut Vec<Reason>,
) -> Option<Seat<'a>> {
    let facts = scene.world.node(&node.name)?;
    let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
    let seen = sight(&facts.tuning, &node.name, scene.now, limit_ms);
    let what = format!("The settings of {} are not known well enough.", node.name);
    let (sample, age_ms) = sight_or_refuse(seen, &node.name, what, reasons)?;
    let reading = sample.reading(setting);
    let (Figure::Known(running), Figure::Known(dialect), Some(variable)) =
        (&reading.running, sample.dialect, reading.variable)
    else {
        let why = reading.running.why().unwrap_or(Unknown::Missing);
        let (kind, what) = if why == Unknown::NotOffered {
            (ReasonKind::NotFit, format!("The database on {} has no setting {}.", node.name, setting.key))
        } else {
            (ReasonKind::UnknownFact, format!("What {} is on {} is unknown.", setting.key, node.name))
        };
        reasons.push(Reason::new(
            kind,
            what,
            vec![Clean::line(&format!("{}: {why}", node.name))],
            "vakt tune shows what each server has; vakt check, what its login may read.",
        ));
        return None;
    };
    let basis = basis(node, facts);
    Some(Seat {
        node,
        database,
        dialect,
        name: variable.name.clone(),
        running: running.as_str().to_owned(),
        configured: reading.configured.clone(),
        variable,
        others: sample.variables.as_ref().known().map_or(&[], Vec::as_slice),
        mysql: facts.mysql.last(),
        place: basis.place,
        basis,
        age_ms,
    })
}
