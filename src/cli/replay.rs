//! `vakt replay`: the console on a recording; or its last screen, as text or as a picture. No cluster is contacted.

use super::{Exit, Stop, block_on, output};
use crate::{
    app::{
        Options,
        msg::{Event, Msg},
        replay::{self, Jog},
        update,
    },
    runtime::{
        clock::SystemClock,
        recorder::{Recording, RecordingError},
        replay::{Player, run as on_terminal},
    },
    view::picture,
};
use std::{
    fmt,
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// What the command line asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// The recording, or a folder of recordings.
    pub(super) path: PathBuf,
    /// Where to begin, or what to show.
    pub(super) at: Option<String>,
    /// Print instead of opening the console.
    pub(super) last_screen: bool,
    /// Begin with the screen that was seen.
    pub(super) as_seen: bool,
    /// Draw into this file.
    pub(super) svg: Option<PathBuf>,
    /// Stop after so many messages.
    pub(super) until: Option<usize>,
    /// Draw at this size.
    pub(super) size: Option<(u16, u16)>,
}

/// Size of a view that nobody has given one.
const SIZE: (u16, u16) = (120, 40);

/// Replays.
pub(super) fn run(wanted: &Wanted, options: Options) -> Result<Exit, Stop> {
    let path = wanted.path.as_path();
    let unreadable = |error: &dyn fmt::Display| Stop::usage(format!("vakt replay: {}: {error}", path.display()));
    let recording = Recording::open(path).map_err(|error| unreadable(&error))?;
    let mut player =
        Player::new(recording, options, wanted.size.unwrap_or(SIZE)).map_err(|error| unreadable(&error))?;
    let on_paper = wanted.last_screen || wanted.svg.is_some() || wanted.until.is_some();
    if on_paper || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return print(player, wanted);
    }
    player.look_as_seen(wanted.as_seen);
    player.jog(beginning(&player, wanted)?).map_err(|error| unreadable(&error))?;
    if wanted.at.is_none() {
        player.jog(Jog::PlayOrStop).map_err(|error| unreadable(&error))?;
    }
    let mouse = player.app().inventory.settings.console.mouse;
    let clock = SystemClock::start();
    block_on(async move { on_terminal(player, &clock, mouse).await })?
        .map_err(|error| Stop::failed(format!("vakt replay: {error}")))?;
    Ok(Exit::Ok)
}

/// Where the replay begins: at the moment that is given, else at the beginning.
fn beginning(player: &Player, wanted: &Wanted) -> Result<Jog, Stop> {
    let (start, end) = (player.replay().start.wall, player.replay().end.wall);
    match &wanted.at {
        None => Ok(Jog::To(start)),
        Some(text) => replay::moment(text, start, end, &jiff::tz::TimeZone::system())
            .map_err(|unclear| Stop::usage(format!("vakt replay: --at: {unclear}"))),
    }
}

fn print(mut player: Player, wanted: &Wanted) -> Result<Exit, Stop> {
    let unreadable = |error: RecordingError| Stop::usage(format!("vakt replay: {}: {error}", wanted.path.display()));
    match (&wanted.at, wanted.until) {
        (Some(_), None) => player.jog(beginning(&player, wanted)?).map_err(unreadable)?,
        (_, until) => to(&mut player, until).map_err(unreadable)?,
    }
    for note in player.notes() {
        output::note(&note);
    }
    let screen = last_screen(player, wanted.size);
    match &wanted.svg {
        Some(path) => write_svg(path, &screen)?,
        None => output::out(&picture::text(&screen))?,
    }
    Ok(Exit::Ok)
}

fn write_svg(path: &Path, screen: &picture::Screen) -> Result<(), Stop> {
    std::fs::write(path, picture::svg(screen))
        .map_err(|error| Stop::usage(format!("vakt replay: cannot write {}: {error}", path.display())))
}

/// Takes the first `until` messages of a recording, or all.
pub fn to(player: &mut Player, until: Option<usize>) -> Result<(), RecordingError> {
    for _ in 0..until.unwrap_or(usize::MAX) {
        if player.advance()?.is_none() {
            break;
        }
    }
    Ok(())
}

/// The screen as it was seen, or at another size.
pub fn last_screen(player: Player, size: Option<(u16, u16)>) -> picture::Screen {
    let mut app = player.into_app();
    if let Some((width, height)) = size {
        let at = app.now;
        // A change of size wants nothing done.
        let _ = update(&mut app, Msg { at, event: Event::Resize { width, height } });
    }
    picture::draw(&app)
}
