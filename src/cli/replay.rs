//! `vakt replay`: the last screen of a recording, as text or as a picture. The same application, the same messages, no
//! cluster.

use super::{Exit, Stop, output};
use crate::{
    app::{App, msg::Event, msg::Msg, update},
    runtime::recorder::{self, Recording},
    view::picture,
};
use std::{fs::File, path::Path, sync::Arc};

/// Draws the screen at the end of the recording, or after `until` messages.
pub(super) fn run(
    file: &Path,
    svg: Option<&Path>,
    until: Option<usize>,
    size: Option<(u16, u16)>,
) -> Result<Exit, Stop> {
    let unreadable = |error: &dyn std::fmt::Display| Stop::usage(format!("vakt replay: {}: {error}", file.display()));
    let source = File::open(file).map_err(|error| unreadable(&error))?;
    let recording = recorder::read(source).map_err(|error| unreadable(&error))?;
    if recording.lost > 0 {
        output::note(&format!("{} messages are missing in this recording; the screen may differ", recording.lost));
    }
    if recording.cut {
        output::note("the recording is cut off at its end; everything before is shown");
    }
    let app = replayed(&recording, until, size);
    let screen = picture::draw(&app);
    match svg {
        Some(path) => std::fs::write(path, picture::svg(&screen))?,
        None => output::out(&picture::text(&screen))?,
    }
    Ok(Exit::Ok)
}

/// The application after the first `until` messages of a recording.
pub fn replayed(recording: &Recording, until: Option<usize>, size: Option<(u16, u16)>) -> App {
    let header = &recording.header;
    let mut app = App::new(Arc::new(header.inventory.clone()), (&header.options).into(), header.started);
    let mut last = header.started;
    for msg in recording.messages.iter().take(until.unwrap_or(usize::MAX)) {
        last = msg.at;
        // Effects were carried out when it was recorded; their outcomes are further messages.
        let _ = update(&mut app, msg.clone());
    }
    if let Some((width, height)) = size {
        let _ = update(&mut app, Msg { at: last, event: Event::Resize { width, height } });
    }
    app
}
