//! A run as lists and the console see it, without its records.

use super::{
    ending::EndingKind,
    journal::{Journal, Tail},
    record::{Entry, Operator, Record},
};
use crate::{
    model::{ids::NodeName, intent::Intent, text::Clean, time::Wall},
    plan::PlanId,
};
use serde::{Deserialize, Serialize};

/// One line of a list of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its name, the plan's.
    pub id: PlanId,
    /// What was asked for, with the reason.
    pub intent: Intent,
    /// One line: "Drain web_cluster/web03 on lb01 and lb02".
    pub title: Clean,
    /// Who began it.
    pub operator: Operator,
    /// When it was opened.
    pub opened_at: Wall,
    /// When its newest record was written.
    pub last_at: Wall,
    /// How many records.
    pub records: u64,
    /// Where it is.
    pub state: RunState,
    /// When it goes back by itself, while it waits for an operator's word; by the bastion's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds_until: Option<Wall>,
    /// Who was in the place before, where it gave a place to somebody else: whoever undoes it gives it back.
    #[serde(default)]
    pub former: Option<NodeName>,
    /// The value that a setting had before: whoever undoes it gives it back.
    #[serde(default)]
    pub former_value: Option<Clean>,
}

impl RunSummary {
    /// Where it is, in a word; one that waits for an operator's word says so.
    pub fn word(&self) -> &'static str {
        if self.state == RunState::Running && self.holds_until.is_some() { "waits for you" } else { self.state.word() }
    }

    /// What a journal says of its run; `lives` tells whether its executor does. `None` when the journal does not begin
    /// with a plan, so that nothing is known of it but its name.
    pub fn of(journal: &Journal, lives: bool) -> Option<Self> {
        let (first, last) = (journal.records.first()?, journal.records.last()?);
        let Entry::Opened(opening) = &first.entry else { return None };
        let body = &opening.plan.body;
        Some(Self {
            id: opening.plan.id.clone(),
            intent: body.intent.clone(),
            title: body.title.clone(),
            operator: opening.operator.clone(),
            opened_at: first.at.wall,
            last_at: last.at.wall,
            records: journal.head.records,
            state: RunState::of(journal, lives),
            holds_until: holds_until(&journal.records),
            former: body.subject.former().cloned(),
            former_value: body.subject.former_value().cloned(),
        })
    }
}

/// When a run goes back that waits for a word, or would if its executor lived.
pub fn holds_until(records: &[Record]) -> Option<Wall> {
    records.iter().fold(None, |until, record| match &record.entry {
        Entry::Holding { until, .. } => Some(*until),
        Entry::Kept { .. } | Entry::Unwinding { .. } | Entry::Ended(_) | Entry::Resolved { .. } => None,
        _ => until,
    })
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Its executor lives.
    Running,
    /// It has no ending and its executor is gone: it can be resumed, rolled back or marked resolved.
    Interrupted,
    /// It is over. *Needs operator* may be taken up again or marked resolved.
    Ended {
        /// How.
        kind: EndingKind,
        /// Why, in one sentence.
        why: Clean,
    },
    /// An operator declared it settled.
    Resolved {
        /// Who.
        by: Clean,
        /// Why.
        why: Clean,
    },
    /// Its journal is not what was written.
    Damaged(Clean),
}

impl RunState {
    /// Where the run of this journal is; `lives` tells whether its executor does. A torn tail is no damage: the record
    /// was never acknowledged.
    pub fn of(journal: &Journal, lives: bool) -> Self {
        if let Tail::Damaged(damage) = &journal.tail {
            return Self::Damaged(Clean::line(&damage.to_string()));
        }
        match journal.records.last().map(|record| &record.entry) {
            Some(Entry::Ended(ending)) => Self::Ended { kind: ending.kind, why: ending.why.clone() },
            Some(Entry::Resolved { operator, why }) => Self::Resolved { by: operator.login.clone(), why: why.clone() },
            _ if lives => Self::Running,
            _ => Self::Interrupted,
        }
    }

    /// Whether an operator may declare it settled.
    pub fn is_resolvable(&self) -> bool {
        match self {
            Self::Interrupted => true,
            Self::Ended { kind, .. } => *kind == EndingKind::NeedsOperator,
            Self::Running | Self::Resolved { .. } | Self::Damaged(_) => false,
        }
    }

    /// Whether a person has to decide something.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Running | Self::Interrupted | Self::Damaged(_) => true,
            Self::Ended { kind, .. } => *kind == EndingKind::NeedsOperator,
            Self::Resolved { .. } => false,
        }
    }

    /// The word for people and for `--json`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Ended { kind, .. } => kind.word(),
            Self::Resolved { .. } => "resolved",
            Self::Damaged(_) => "damaged",
        }
    }
}
