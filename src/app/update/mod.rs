//! The one function that changes the console, by family of messages.

mod keys;
mod link;
mod mouse;
mod recorder;
mod report;
mod run;
pub(super) mod tick;

use super::{
    App, Size,
    effect::Effect,
    msg::{Event, Msg, Signal},
};

/// Takes what happened, changes the console, and says what is to be done about it.
pub fn update(app: &mut App, msg: Msg) -> Vec<Effect> {
    // Messages are taken in order; a clock that stands still or goes back must not make ages negative.
    app.now = if msg.at.mono >= app.now.mono { msg.at } else { app.now };
    let now = app.now.mono;
    match msg.event {
        Event::Tick => tick::tick(app),
        Event::Key(key) => {
            app.frames.want_now(now);
            // The next key is the answer to a notice: it has been read, or it is in the way.
            app.toast = None;
            keys::key(app, key.normal())
        }
        Event::Paste(text) => {
            app.frames.want_now(now);
            keys::paste(app, &text);
            Vec::new()
        }
        Event::Mouse(mouse) => {
            app.frames.want_now(now);
            mouse::mouse(app, mouse)
        }
        Event::Resize { width, height } => {
            app.size = Size { width, height };
            app.frames.want_now(now);
            Vec::new()
        }
        Event::Link { node, event } => {
            link::event(app, &node, event);
            app.frames.want_soon(now);
            tick::due(app)
        }
        Event::Question { node, question } => {
            link::question(app, &node, question);
            app.frames.want_now(now);
            Vec::new()
        }
        Event::QuestionGone { node, id } => {
            link::question_gone(app, &node, id);
            app.frames.want_now(now);
            Vec::new()
        }
        Event::Report(report) => {
            report::report(app, report);
            if !app.is_paused() {
                app.frames.want_soon(now);
            }
            Vec::new()
        }
        Event::Standing(standing) => {
            app.standing = *standing;
            app.rules_wanted = true;
            app.frames.want_soon(now);
            Vec::new()
        }
        Event::Recorder(news) => {
            recorder::news(app, news);
            app.frames.want_now(now);
            Vec::new()
        }
        Event::Run { run, news } => run::news(app, &run, news),
        Event::Signal(Signal::Terminate) => app.end(),
        Event::Signal(Signal::Continue) => {
            app.frames.want_now(now);
            vec![Effect::Redraw]
        }
    }
}
