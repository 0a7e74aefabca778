//! What can be expected of a guest, as its hypervisor tells.

use crate::{
    model::{
        figure::Figure,
        hypervisor::{DomainSample, DomainState, HypervisorProfile, InterfaceDefinition},
        ids::GuestName,
        ovs_daemon::{OvsDetail, PortReference},
        text::Clean,
    },
    plan::expect::{Verdict, verdict},
    wire::probe::Facts,
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// An expectation about one guest on one hypervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestExpect {
    /// Its name there.
    pub name: GuestName,
    /// What it is, whatever it is called.
    pub uuid: Clean,
    /// What.
    pub is: GuestState,
}

/// What can be expected of a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// Its virtual CPUs run.
    Running,
    /// It stands still, and nothing that goes on made it.
    Paused,
    /// It is defined here and off.
    Off,
    /// It is off as it was before: one that was started meanwhile and ended again is off for another reason.
    StillOff {
        /// As libvirt numbers it.
        reason: i64,
    },
    /// Nothing goes on with it: no migration, no backup.
    Idle,
    /// It does not run here, by its name or as the same guest.
    NotActive,
    /// It moves away, or is gone.
    Leaving,
    /// It is not here at all, neither running nor defined.
    Absent,
    /// It is defined here beyond its run, and plugged in as it was.
    Plugged(Vec<Plug>),
    /// The switch here has learned its hardware address in that VLAN, on a port of its own.
    Learned {
        /// What.
        plug: Plug,
        /// Numbers of the ports that were there before the guest: it must be behind another one.
        former_ports: Vec<u16>,
    },
    /// Its kernel began anew: it tells fewer page faults than so many, or than at the look before.
    BegunAnew {
        /// What it told when the plan was made.
        page_faults: u64,
    },
}

/// How an interface of a guest is plugged in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plug {
    /// Its hardware address.
    pub mac: Clean,
    /// The bridge.
    pub bridge: Clean,
    /// VLANs; none: untagged.
    pub vlans: Vec<u16>,
}

impl fmt::Display for Plug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.mac, self.bridge)?;
        match self.vlans.as_slice() {
            [] => f.write_str(", untagged"),
            vlans => write!(f, ", VLAN {}", vlans.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl GuestExpect {
    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self.is {
            GuestState::Running | GuestState::Paused | GuestState::Off | GuestState::StillOff { .. } => "exactly",
            GuestState::Idle
            | GuestState::NotActive
            | GuestState::Leaving
            | GuestState::Absent
            | GuestState::Plugged(_)
            | GuestState::Learned { .. }
            | GuestState::BegunAnew { .. } => "as told",
        }
    }

    /// Judges the facts of one hypervisor, now and at the look before.
    pub(in crate::plan) fn judge(&self, now: &Facts, before: Option<&Facts>) -> Verdict {
        let sample = match (&self.is, now) {
            (GuestState::Plugged(plugs), Facts::GuestProfile(profile)) => return self.judge_plugged(profile, plugs),
            (GuestState::Learned { plug, former_ports }, Facts::OvsDetail(detail)) => {
                return judge_learned(detail, plug, former_ports);
            }
            (_, Facts::Guests(sample)) => sample,
            _ => return Verdict::Unknown("the answer is about no guests".into()),
        };
        if self.is == GuestState::NotActive {
            return self.judge_not_active(&sample.domains);
        }
        let Some(domain) = self.find(now) else {
            let is_well = matches!(self.is, GuestState::Absent | GuestState::Leaving);
            return verdict(is_well, format!("{} is not here", self.name));
        };
        let state = match domain.state {
            Figure::Known(state) => state,
            Figure::Unknown(why) => return Verdict::Unknown(Clean::line(&format!("its state is unknown: {why}"))),
        };
        match self.is.clone() {
            GuestState::Running => verdict(is_running(state), words(domain)),
            GuestState::Paused => verdict(state == DomainState::Paused && !domain.pauses_for_a_while(), words(domain)),
            GuestState::Off => verdict(!state.is_active(), words(domain)),
            GuestState::StillOff { reason } => {
                let is_same = domain.reason.known() == Some(reason) || domain.reason.known() == Some(FAILED_TO_START);
                verdict(!state.is_active() && is_same, words(domain))
            }
            GuestState::Idle => verdict(domain.job.is_none(), words(domain)),
            GuestState::BegunAnew { page_faults } => {
                let earlier = before.and_then(|facts| self.find(facts)).map(|domain| domain.memory.page_faults);
                judge_begun(domain, page_faults, earlier.and_then(Figure::known))
            }
            GuestState::Leaving => judge_leaving(domain, state),
            GuestState::Absent => verdict(false, words(domain)),
            GuestState::NotActive | GuestState::Plugged(_) | GuestState::Learned { .. } => {
                Verdict::Unknown("the answer is about no guests".into())
            }
        }
    }

    fn find<'f>(&self, facts: &'f Facts) -> Option<&'f DomainSample> {
        let Facts::Guests(sample) = facts else { return None };
        sample.domains.iter().find(|domain| domain.uuid == self.uuid)
    }

    fn judge_plugged(&self, profile: &HypervisorProfile, plugs: &[Plug]) -> Verdict {
        let Some(definition) = profile.domain(&self.uuid) else {
            return verdict(false, format!("{} is not defined here", self.name));
        };
        if definition.is_persistent.known() != Some(true) {
            return verdict(false, format!("{} is not defined here beyond its run", self.name));
        }
        let found: Vec<Plug> = definition.interfaces.iter().map(plug).collect();
        let seen: Vec<String> = found.iter().map(ToString::to_string).collect();
        verdict(found == plugs, format!("{} is defined, {}", self.name, seen.join("; ")))
    }

    fn judge_not_active(&self, domains: &[DomainSample]) -> Verdict {
        let is_it = |domain: &&DomainSample| domain.uuid == self.uuid || domain.name.as_str() == self.name.as_str();
        match domains.iter().find(is_it) {
            None => verdict(true, format!("{} is not here", self.name)),
            Some(domain) => match domain.state {
                Figure::Known(state) => verdict(!state.is_active(), words(domain)),
                Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("its state is unknown: {why}"))),
            },
        }
    }
}

/// The expectation as a fragment with its subject: "web04 runs".
impl fmt::Display for GuestExpect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.is {
            GuestState::Running => write!(f, "{name} runs"),
            GuestState::Paused => write!(f, "{name} stands still"),
            GuestState::Off => write!(f, "{name} is off"),
            GuestState::StillOff { .. } => write!(f, "{name} is off as before"),
            GuestState::Idle => write!(f, "nothing goes on with {name}"),
            GuestState::NotActive => write!(f, "{name} does not run there"),
            GuestState::Leaving => write!(f, "{name} moves away, or is gone"),
            GuestState::Absent => write!(f, "{name} is not there, neither running nor defined"),
            GuestState::Plugged(plugs) => {
                let plugs: Vec<String> = plugs.iter().map(ToString::to_string).collect();
                write!(f, "{name} is defined there, plugged in as before ({})", plugs.join("; "))
            }
            GuestState::Learned { plug, .. } => write!(f, "the switch has learned {plug}, on a port of its own"),
            GuestState::BegunAnew { page_faults } => {
                write!(f, "the kernel of {name} began anew (fewer page faults than {page_faults}, or than before)")
            }
        }
    }
}

/// `VIR_DOMAIN_SHUTOFF_FAILED`: what libvirt says after a start that it gave up.
const FAILED_TO_START: i64 = 6;
/// `VIR_DOMAIN_SHUTOFF_MIGRATED`.
const MIGRATED: i64 = 4;
/// What libvirt calls the job of a guest that moves away.
const MIGRATION_OUT: &str = "migration out";

/// Whether its virtual CPUs run, or would if they had something to do.
pub(super) fn is_running(state: DomainState) -> bool {
    matches!(state, DomainState::Running | DomainState::Blocked)
}

/// Whether it moves away. One that runs, answers and has no job stays; what is in between is not known.
fn judge_leaving(domain: &DomainSample, state: DomainState) -> Verdict {
    let moves = domain.job.as_ref().is_some_and(|job| job.operation.as_str() == MIGRATION_OUT);
    if moves || domain.pauses_for_a_while() || state == DomainState::Off && domain.reason.known() == Some(MIGRATED) {
        return verdict(true, words(domain));
    }
    if domain.is_answering.known() == Some(false) {
        return Verdict::Unknown(Clean::line(&format!("{}, and its QEMU does not answer now", words(domain))));
    }
    verdict(false, format!("{}, nothing goes on with it", words(domain)))
}

/// An interface as it is plugged in.
pub(super) fn plug(interface: &InterfaceDefinition) -> Plug {
    Plug { mac: interface.mac.clone(), bridge: interface.bridge.clone(), vlans: interface.vlans.clone() }
}

fn judge_learned(detail: &OvsDetail, plug: &Plug, former_ports: &[u16]) -> Verdict {
    let Some(bridge) = detail.addresses.iter().find(|one| one.bridge == plug.bridge) else {
        return Verdict::Unknown(Clean::line(&format!("what {} has learned is not known", plug.bridge)));
    };
    let learned = match bridge.addresses.as_ref() {
        Figure::Unknown(why) => {
            return Verdict::Unknown(Clean::line(&format!("what {} has learned: {why}", plug.bridge)));
        }
        Figure::Known(learned) => learned,
    };
    match learned.iter().find(|one| one.mac == plug.mac) {
        None => verdict(false, format!("{} has not heard {} yet", plug.bridge, plug.mac)),
        Some(one) => {
            let is_its_vlan = one.vlan == plug.vlans.first().copied().unwrap_or(0);
            let is_former = matches!(one.port, PortReference::Number(number) if former_ports.contains(&number));
            let port = match &one.port {
                PortReference::Number(number) => number.to_string(),
                PortReference::Name(name) => name.to_string(),
            };
            verdict(is_its_vlan && !is_former, format!("{} is on port {port}, VLAN {}", plug.mac, one.vlan))
        }
    }
}

fn judge_begun(domain: &DomainSample, at_plan: u64, at_look: Option<u64>) -> Verdict {
    match domain.memory.page_faults {
        Figure::Known(now) => {
            let has_begun = now < at_plan || at_look.is_some_and(|earlier| now < earlier);
            verdict(has_begun, format!("{}, {now} page faults", words(domain)))
        }
        Figure::Unknown(why) => Verdict::Unknown(Clean::line(&format!("its page faults are unknown: {why}"))),
    }
}

/// A guest in a few words: "app01 is running, migration out 42 %".
pub(super) fn words(domain: &DomainSample) -> String {
    format!("{} {}", domain.name, words_without_name(domain))
}

fn words_without_name(domain: &DomainSample) -> String {
    let job = domain.job.as_ref().map(|job| match job.done_percent() {
        Some(done) => {
            let rewritten = job.dirty_pages_per_s.known().map(|pages| format!(", {pages} pages/s rewritten"));
            format!(", {} {done:.0} %{}", job.operation, rewritten.unwrap_or_default())
        }
        None => format!(", {}", job.operation),
    });
    format!("is {}{}", domain.state_words(), job.unwrap_or_default())
}

/// A node in one line, for what is true after a run.
pub(in crate::plan) fn words_of(facts: &Facts, name: &GuestName) -> Clean {
    let sample = match facts {
        Facts::Guests(sample) => sample,
        Facts::GuestProfile(profile) => {
            let is_defined = profile.domains.iter().any(|domain| domain.name.as_str() == name.as_str());
            return if is_defined { "is defined".into() } else { "is not defined".into() };
        }
        Facts::OvsDetail(_) => return "hangs on a switch that answers".into(),
        _ => return "the answer is about no guests".into(),
    };
    let found = sample.domains.iter().find(|domain| domain.name.as_str() == name.as_str());
    Clean::line(&found.map_or_else(|| "is not here".to_owned(), words_without_name))
}
