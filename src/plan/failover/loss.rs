//! What clients were told is written, and may be on no server that is left.
//!
//! *None* is said only when commits waited for an acknowledgement until the end, and every replica was read: the one that
//! acknowledged may be any of them. A fallback takes a timeout, so a look that is older than that when the server fell
//! silent proves nothing. In doubt the loss is unknown, which is no reason against a failover, and is said.

use super::field::{Fence, Lost};
use crate::{
    model::{
        figure::Figure,
        time::{Mono, Now},
        world::NodeFacts,
    },
    plan::{
        expect::{find, is_down},
        switchover::endpoint::Endpoint,
        text::seconds,
    },
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
pub(super) fn judge(lost: &Lost<'_>, facts: &NodeFacts, endpoints: &[Endpoint<'_>], now: Now) -> Loss {
    let name = &lost.node.name;
    let unknown = |why: String| Loss::Unknown(why);
    if !lost.doubts().is_empty() {
        return unknown(format!("Nothing proves that {name} does not write any more."));
    }
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
    if let (Fence::Cut(_), Some(late)) = (&lost.fence, heard_late(endpoints, at.mono, timeout_ms, now)) {
        return unknown(late);
    }
    Loss::None(format!(
        "Commits of {name} waited for an acknowledgement when it was last read, {} before it fell silent, and every \
         replica was read.",
        seconds(gap_ms)
    ))
}

/// A machine that nobody here can ask may have served for a while after it fell silent: without replicas that acknowledge
/// it goes on after a timeout. Load balancers tell in whole seconds when it was gone for them; the later end counts.
fn heard_late(endpoints: &[Endpoint<'_>], read_at: Mono, timeout_ms: u64, now: Now) -> Option<String> {
    endpoints.iter().find_map(|endpoint| {
        let gone_s = find(&endpoint.facts, &endpoint.old).ok().filter(|(_, server)| is_down(server));
        let Some(gone_s) = gone_s.and_then(|(_, server)| server.last_change_s.known()) else {
            return Some(format!("{} does not say since when it does not reach it.", endpoint.name()));
        };
        let gone_before_ms = endpoint.age_ms.saturating_add(gone_s.saturating_mul(1000));
        let gap_ms = now.mono.since_ms(read_at).saturating_sub(gone_before_ms);
        (gap_ms > timeout_ms).then(|| {
            format!(
                "HAProxy on {} may have reached it until {} after it was last read, and it gives up waiting for \
                 acknowledgements after {}.",
                endpoint.name(),
                seconds(gap_ms),
                seconds(timeout_ms)
            )
        })
    })
}
