//! What can be expected of a guest, as its hypervisor tells.

use crate::{
    model::{
        figure::Figure,
        hypervisor::{DomainSample, DomainState},
        ids::GuestName,
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
    /// Its kernel began anew: it tells fewer page faults than so many, or than at the look before.
    BegunAnew {
        /// What it told when the plan was made.
        page_faults: u64,
    },
}

impl GuestExpect {
    /// How much the fact may move before the plan is void.
    pub(in crate::plan) fn tolerance(&self) -> &'static str {
        match self.is {
            GuestState::Running | GuestState::Paused | GuestState::Off | GuestState::StillOff { .. } => "exactly",
            GuestState::Idle | GuestState::NotActive | GuestState::BegunAnew { .. } => "as told",
        }
    }

    /// Judges the facts of one hypervisor, now and at the look before.
    pub(in crate::plan) fn judge(&self, now: &Facts, before: Option<&Facts>) -> Verdict {
        let Facts::Guests(sample) = now else { return Verdict::Unknown("the answer is about no guests".into()) };
        if self.is == GuestState::NotActive {
            return self.judge_not_active(&sample.domains);
        }
        let Some(domain) = self.find(now) else { return verdict(false, format!("{} is not here", self.name)) };
        let state = match domain.state {
            Figure::Known(state) => state,
            Figure::Unknown(why) => return Verdict::Unknown(Clean::line(&format!("its state is unknown: {why}"))),
        };
        match self.is {
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
            GuestState::NotActive => Verdict::Unknown("the answer is about no guests".into()),
        }
    }

    fn find<'f>(&self, facts: &'f Facts) -> Option<&'f DomainSample> {
        let Facts::Guests(sample) = facts else { return None };
        sample.domains.iter().find(|domain| domain.uuid == self.uuid)
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
        match self.is {
            GuestState::Running => write!(f, "{name} runs"),
            GuestState::Paused => write!(f, "{name} stands still"),
            GuestState::Off => write!(f, "{name} is off"),
            GuestState::StillOff { .. } => write!(f, "{name} is off as before"),
            GuestState::Idle => write!(f, "nothing goes on with {name}"),
            GuestState::NotActive => write!(f, "{name} does not run there"),
            GuestState::BegunAnew { page_faults } => {
                write!(f, "the kernel of {name} began anew (fewer page faults than {page_faults}, or than before)")
            }
        }
    }
}

/// `VIR_DOMAIN_SHUTOFF_FAILED`: what libvirt says after a start that it gave up.
const FAILED_TO_START: i64 = 6;

/// Whether its virtual CPUs run, or would if they had something to do.
pub(super) fn is_running(state: DomainState) -> bool {
    matches!(state, DomainState::Running | DomainState::Blocked)
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
        Some(done) => format!(", {} {done:.0} %", job.operation),
        None => format!(", {}", job.operation),
    });
    format!("is {}{}", domain.state_words(), job.unwrap_or_default())
}

/// A node in one line, for what is true after a run.
pub(in crate::plan) fn words_of(facts: &Facts, name: &GuestName) -> Clean {
    let Facts::Guests(sample) = facts else { return "the answer is about no guests".into() };
    let found = sample.domains.iter().find(|domain| domain.name.as_str() == name.as_str());
    Clean::line(&found.map_or_else(|| "is not here".to_owned(), words_without_name))
}
