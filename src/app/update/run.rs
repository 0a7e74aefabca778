//! News of the run this console follows.

use crate::{
    app::{App, effect::Effect, following, msg::RunNews},
    plan::PlanId,
};

pub(super) fn news(app: &mut App, run: &PlanId, news: RunNews) -> Vec<Effect> {
    following::news(app, run, news);
    app.frames.want_now(app.now.mono);
    Vec::new()
}
