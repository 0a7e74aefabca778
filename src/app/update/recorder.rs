//! The flight recorder has a difficulty. It is shown; nothing else depends on it.

use crate::{
    app::{App, msg::RecorderNews},
    model::text::Clean,
};

pub(super) fn news(app: &mut App, news: RecorderNews) {
    let words = match news {
        RecorderNews::Lost(count) => {
            Clean::line(&format!("{count} messages are missing in the recording: the disk is slow"))
        }
        RecorderNews::Stopped(why) => why,
    };
    app.notify(words.as_str());
    app.unrecorded = Some(words);
}
