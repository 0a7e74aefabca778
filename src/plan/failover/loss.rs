//! What clients were told is written, and may be on no server that is left.
//!
//! *None* is said only when commits waited for an acknowledgement until the end, and every replica was read: the one that
//! acknowledged may be any of them. A fallback takes a timeout, so a look that is older than that when the server fell
//! silent proves nothing. In doubt the loss is unknown, which is no reason against a failover, and is said.

use super::field::Lost;
use crate::{
    model::{figure::Figure, world::NodeFacts},
    plan::text::seconds,
};

/// What is known of a loss before the fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Loss {
    /// Nothing; why.
    None(String),
    /// Nobody can say; why.
    Unknown(String),
}

impl Loss {
    pub(super) fn words(&self) -> String {
        match self {
            Self::None(why) => format!("Lost: none of what clients were told is written. {why}"),
            Self::Unknown(why) => format!("Lost: unknown. {why}"),
        }
    }
}

/// Every replica that could have acknowledged was read, or there would be no plan.
pub(super) fn judge(lost: &Lost<'_>, facts: &NodeFacts) -> Loss {
    let name = &lost.node.name;
    let unknown = |why: String| Loss::Unknown(why);
    let (Some(known), Some(at)) = (facts.mysql.last(), facts.mysql.at()) else {
        return unknown(format!("Whether commits of {name} waited for an acknowledgement was never read here."));
    };
    let Figure::Known(source) = known.sample.replication.semi_sync.source else {
        return unknown(format!("Whether commits of {name} waited for an acknowledgement is not known."));
    };
    let (Some(true), Some(acknowledging), Some(timeout_ms)) =
        (source.active.known(), source.acknowledging.known(), source.timeout_ms.known())
    else {
        return unknown(format!(
            "Commits of {name} did not wait for an acknowledgement when it was last read: what was written last may be \
             on it alone."
        ));
    };
    if acknowledging == 0 {
        return unknown(format!("No replica acknowledged commits of {name} when it was last read."));
    }
    // Of a server that never failed to answer, the look itself is the newest word.
    let silent = facts.mysql.failure().map_or(at, |failure| failure.since);
    let gap_ms = silent.mono.since_ms(at.mono);
    if gap_ms > timeout_ms {
        return unknown(format!(
            "{name} was last read {} before it fell silent, and gives up waiting for acknowledgements after {}.",
            seconds(gap_ms),
            seconds(timeout_ms)
        ));
    }
    Loss::None(format!(
        "Commits of {name} waited for an acknowledgement when it was last read, {} before it fell silent, and every \
         replica was read.",
        seconds(gap_ms)
    ))
}
