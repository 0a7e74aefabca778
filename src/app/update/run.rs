//! News of the run this console follows.

use crate::{
    app::{App, effect::Effect, following, msg::RunNews},
    plan::PlanId,
    run::{Entry, lock::LockState},
};

pub(super) fn news(app: &mut App, run: &PlanId, news: RunNews) -> Vec<Effect> {
    if let RunNews::Records(records) = &news
        && records.iter().any(|record| matches!(record.entry, Entry::Ended(_)))
        && matches!(&app.standing.lock, LockState::Held(holder) if holder.run == *run)
    {
        // Its executor has let the lock go before it tells the end; the state folder is looked at later.
        app.standing.lock = LockState::Free;
    }
    following::news(app, run, news);
    app.frames.want_now(app.now.mono);
    Vec::new()
}
