//! News of the run this console follows.

use crate::{
    app::{App, effect::Effect, msg::RunNews},
    plan::PlanId,
};

pub(super) fn news(app: &mut App, _run: &PlanId, _news: RunNews) -> Vec<Effect> {
    app.frames.want_now(app.now.mono);
    Vec::new()
}
