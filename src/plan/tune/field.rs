//! Everything that is known of a setting where it is to be changed.

use super::{
    STALE_MS, Scene,
    keep::{Keeping, Stand},
};
use crate::{
    history::tuning::{Limits, basis, called},
    model::{
        figure::{Figure, Unknown},
        inventory::{Database, Node},
        mysql::{Dialect, MysqlFacts},
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{Basis, FileValue, Place, Setting, SettingsFile, Technology, Variable, catalogue},
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
    pub(super) keep: Keep,
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
    pub(super) files: &'a Figure<Vec<SettingsFile>>,
    pub(super) folder: Option<&'a Clean>,
    /// Whether the running value changes.
    pub(super) sets: bool,
    /// What is done to a file.
    pub(super) keeping: Option<Keeping>,
    /// What `mysqld-auto.cnf` says, where it does and is to say something else.
    pub(super) persisted: Option<String>,
}

impl Seat<'_> {
    pub(super) fn evidence(&self) -> Clean {
        Clean::line(&format!("{}: {} is {}", self.node.name, self.name, self.variable.value))
    }

    /// What is to be done on this server.
    fn decide(
        &mut self,
        setting: &'static Setting,
        value: &str,
        act: &TuneAct,
        scene: &Scene<'_>,
        reasons: &mut Vec<Reason>,
    ) {
        let needs_restart = Limits::of(setting, self.variable).needs_restart;
        self.sets = self.running != value && (act.keep == Keep::No || !needs_restart);
        if act.keep == Keep::No {
            return;
        }
        // It counts more than any file: only there the value stands.
        if let Some(persisted) = self.variable.persisted.as_ref().and_then(|raw| setting.unit.canonical(raw.as_str())) {
            self.persisted = (persisted != value).then_some(persisted);
            return;
        }
        let stand = Stand {
            node: &self.node.name,
            setting,
            name: &self.name,
            configured: &self.configured,
            files: self.files,
            folder: self.folder,
            value,
            typed: act.value.as_str().trim(),
            now: scene.now,
        };
        self.keeping = stand.keeping(act.keep, reasons);
    }

    /// Whether anything is done here.
    pub(super) fn is_changed(&self) -> bool {
        self.sets || self.keeping.is_some() || self.persisted.is_some()
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
        let mut seats: Vec<Seat<'a>> =
            nodes.into_iter().filter_map(|(node, database)| seat(scene, setting, node, database, reasons)).collect();
        let value = value.filter(|_| !seats.is_empty())?;
        for seat in &mut seats {
            seat.decide(setting, &value, act, scene, reasons);
        }
        let target = act.target.clone();
        Some(Self { setting, value, target, keep: act.keep, seats, notes: Vec::new() }.with_notes())
    }

    fn with_notes(mut self) -> Self {
        let mut notes = Vec::new();
        for seat in &self.seats {
            let name = &seat.node.name;
            if seat.variable.is_persisted && seat.persisted.is_none() {
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
            format!("{} is a setting of {}, not of a database.", setting.key, owner(setting)),
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
        Technology::Ovs => "Open vSwitch",
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
        files: &sample.files,
        folder: sample.option_folder.as_ref(),
        sets: false,
        keeping: None,
        persisted: None,
    })
}
