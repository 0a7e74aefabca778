//! What the exit codes mean. The README's table is this one; a test compares them.

use super::status_check::CheckState;
use crate::run::EndingKind;

/// How a run of the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked was done, and all is well.
    Ok,
    /// The answer is on standard output, and something in it is not well (a node down, a check that failed).
    NotWell,
    /// The command line or the configuration cannot be used; nothing was contacted.
    Usage,
    /// vakt itself failed (a bug, or the terminal cannot be used).
    Failed,
    /// Refused, with every reason; nothing was sent.
    Refused,
    /// The run was undone.
    RolledBack,
    /// The run ended on the way.
    Stopped,
    /// The run cannot go on safely.
    NeedsOperator,
    /// What `vakt status --check` says; its codes are those of monitoring plugins.
    Check(CheckState),
}

impl Exit {
    /// Every code with its meaning, but those of a check, which are [`CheckState::TABLE`].
    pub const TABLE: [(Self, u8, &'static str); 8] = [
        (Self::Ok, 0, "everything asked was done, and all is well"),
        (Self::NotWell, 1, "the answer is complete, and something in it is not well: a node is not up, a check failed"),
        (Self::Usage, 2, "the command line or the configuration cannot be used; nothing was contacted"),
        (Self::Failed, 3, "vakt itself failed, or the terminal cannot be used"),
        (Self::Refused, 4, "refused, with every reason; nothing was sent"),
        (Self::RolledBack, 5, "the run was rolled back: everything that was done is undone, step by step verified"),
        (Self::Stopped, 6, "the run stopped: nothing was changed, or it rests where the plan says it may"),
        (Self::NeedsOperator, 7, "the run needs an operator: it says what is true now and what to type"),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::NotWell => 1,
            Self::Usage => 2,
            Self::Failed => 3,
            Self::Refused => 4,
            Self::RolledBack => 5,
            Self::Stopped => 6,
            Self::NeedsOperator => 7,
            Self::Check(state) => state.code(),
        }
    }
}

impl From<EndingKind> for Exit {
    fn from(kind: EndingKind) -> Self {
        match kind {
            EndingKind::Reached => Self::Ok,
            EndingKind::RolledBack => Self::RolledBack,
            EndingKind::Stopped => Self::Stopped,
            EndingKind::NeedsOperator => Self::NeedsOperator,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_code() {
        for (exit, code, _) in Exit::TABLE {
            assert_eq!(exit.code(), code);
        }
    }
}
