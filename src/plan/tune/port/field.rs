//! Everything that is known of a setting of a port where it is to be changed.

use crate::{
    model::{
        figure::Figure,
        intent::DEADLINE_MS_DEFAULT,
        inventory::Node,
        ovs::{Interface, InterfaceKind, OvsSample, Port},
        port_setting::PortSetting,
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::Setting,
    },
    plan::{
        refusal::{Reason, ReasonKind},
        scene::{Scene, sight, sight_or_refuse},
    },
    wire::countdown::Countdown,
};
use sha2::{Digest, Sha256};
use std::{fmt::Write as _, num::NonZeroU32};

/// The setting, the port, and the timer.
pub(super) struct Field<'a> {
    pub(super) entry: &'static Setting,
    pub(super) node: &'a Node,
    /// `NODE/PORT`, as it was typed.
    pub(super) target: Clean,
    pub(super) bridge: Clean,
    pub(super) countdown: Countdown,
    pub(super) age_ms: u64,
}

impl<'a> Field<'a> {
    /// `None` where anything is missing; then `reasons` say what.
    pub(super) fn survey(
        scene: &Scene<'a>,
        entry: &'static Setting,
        act: &TuneAct,
        revert_after_ms: Option<NonZeroU32>,
        reasons: &mut Vec<Reason>,
    ) -> Option<Self> {
        let setting = PortSetting::find(&entry.key)?;
        if act.keep != Keep::No {
            reasons.push(Reason::new(
                ReasonKind::NoWay,
                format!("The database of the switch keeps {} by itself.", entry.key),
                Vec::new(),
                "Leave --persist and --put-back away.",
            ));
        }
        let to = setting.canonical(act.value.as_str());
        if to.is_none() {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} is no value of {}.", act.value, entry.key),
                Vec::new(),
                format!("It takes {}.", setting.range()),
            ));
        }
        let (name, port) = match act.target.as_str().split_once('/') {
            Some((name, port)) => (name, Some(port).filter(|port| !port.is_empty())),
            None => (act.target.as_str(), None),
        };
        let (node, socket) = node(scene, name, reasons)?;
        let facts = scene.world.node(&node.name)?;
        let seen = sight(&facts.ovs, &node.name, scene.now, scene.inventory.settings.poll.stale_after_ms);
        let what = format!("The switch of {name} is not known well enough.");
        let (facts, age_ms) = sight_or_refuse(seen, &node.name, what, reasons)?;
        let (bridge, running) = place(&facts.sample, setting, node, port, reasons)?;
        let (port, to) = (port?, to?);
        let Figure::Known(from) = running else {
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("What {} is on {port} of {name} is unknown.", entry.key),
                running.why().map(|why| Clean::line(&format!("{name}: {why}"))).into_iter().collect(),
                "Look at ovs-vsctl list on the node.",
            ));
            return None;
        };
        let time_ms = revert_after_ms.map_or(DEADLINE_MS_DEFAULT, |ms| u64::from(ms.get()));
        let after_s = u32::try_from(time_ms.div_ceil(1000)).unwrap_or(u32::MAX);
        let id = id(scene, act, &from);
        let row = Clean::line(port);
        let countdown = Countdown { id, after_s, socket, setting, row, from, to };
        Some(Self { entry, node, target: act.target.clone(), bridge, countdown, age_ms })
    }

    /// How long the timer runs, milliseconds.
    pub(super) fn after_ms(&self) -> u64 {
        u64::from(self.countdown.after_s) * 1000
    }
}

fn node<'a>(scene: &Scene<'a>, name: &str, reasons: &mut Vec<Reason>) -> Option<(&'a Node, String)> {
    let found = scene.inventory.nodes.iter().find(|node| node.name.as_str() == name);
    let Some(node) = found else {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("{} is no node.", Clean::line(name)),
            Vec::new(),
            "Name the node and the port, such as kvm01/vnet0.",
        ));
        return None;
    };
    let Some(switch) = &node.ovs else {
        reasons.push(Reason::new(
            ReasonKind::UnknownTarget,
            format!("{name} has no Open vSwitch that vakt knows."),
            Vec::new(),
            "Name a node with a switch; vakt check tells which have one.",
        ));
        return None;
    };
    Some((node, switch.path.clone()))
}

/// The bridge of that port, and how the port runs.
fn place(
    sample: &OvsSample,
    setting: PortSetting,
    node: &Node,
    wanted: Option<&str>,
    reasons: &mut Vec<Reason>,
) -> Option<(Clean, Figure<String>)> {
    let is_of_port = setting.table() == "Port";
    let name_of = |(_, port, interface): &(&_, &Port, &Interface)| {
        if is_of_port { port.name.clone() } else { interface.name.clone() }
    };
    if let Some(found) = sample.interfaces().find(|row| wanted == Some(name_of(row).as_str())) {
        let (bridge, port, interface) = found;
        if setting == PortSetting::Link && !has_device(interface) {
            reasons.push(Reason::new(
                ReasonKind::NotFit,
                format!("{} of {} is no device that could be up or down.", interface.name, node.name),
                vec![Clean::line(&format!("{}: it is a cable to another bridge, or a tunnel", node.name))],
                "Name a card, a guest's port, or one that the switch made for the node itself.",
            ));
            return None;
        }
        return Some((bridge.name.clone(), setting.running(port, interface)));
    }
    let mut names: Vec<Clean> = sample.interfaces().map(|row| name_of(&row)).collect();
    names.dedup();
    let words: Vec<&str> = names.iter().map(Clean::as_str).collect();
    let (what, cure) = match wanted {
        Some(port) => (format!("{} has no port {}.", node.name, Clean::line(port)), "Name one that it has.".to_owned()),
        None => (
            format!("Which port of {} is meant is not said.", node.name),
            format!("Write {0}/PORT, such as {0}/{1}.", node.name, words.first().unwrap_or(&"eth1")),
        ),
    };
    let evidence = Clean::line(&format!("{}: {}", node.name, words.join(", ")));
    reasons.push(Reason::new(ReasonKind::UnknownTarget, what, vec![evidence], cure));
    None
}

fn has_device(interface: &Interface) -> bool {
    matches!(interface.kind, Figure::Known(InterfaceKind::System | InterfaceKind::Internal))
}

/// A name for the timer that no other run has: by the moment, and by what is wanted.
fn id(scene: &Scene<'_>, act: &TuneAct, from: &str) -> Clean {
    let text = format!("{} {} {} {from} {}", scene.now.wall.0, act.target, act.key, act.value);
    let digest = Sha256::digest(text.as_bytes());
    let when = jiff::Timestamp::from_millisecond(scene.now.wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let hash = digest.iter().take(3).fold(String::new(), |mut hash, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hash, "{byte:02x}");
        hash
    });
    Clean::line(&format!("{}-{hash}", when.strftime("%Y%m%dT%H%M%SZ")))
}
