//! The replay on a terminal: keys in, frames out, and time that goes on as fast as the operator likes.

use super::player::Player;
use crate::{
    app::msg::Event,
    model::time::{Clock, Mono},
    runtime::{
        recorder::RecordingError,
        session::Left,
        signals::{Signals, Told},
        terminal::{self, Terminal},
    },
    view,
};
use crossterm::event::EventStream;
use futures::StreamExt;
use std::{io, time::Duration};

/// Time between two frames while the replay plays.
const FRAME_MS: u64 = 40;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The terminal cannot be used.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] io::Error),
    /// The recording cannot be read any further.
    #[error(transparent)]
    Recording(#[from] RecordingError),
}

/// Opens the console on a recording and returns when the operator leaves it.
pub async fn run(player: Player, clock: &dyn Clock, mouse: bool) -> Result<(), ReplayError> {
    let mut signals = Signals::listen()?;
    let mut terminal = Terminal::take(mouse)?;
    let mut keys = EventStream::new();
    let (width, height) = terminal.size()?;
    let mut console = Console { player, ended: false, turned: clock.now().mono };
    console.take(Event::Resize { width, height }, &mut terminal)?;
    let notes = console.player.notes().join(" ");
    if !notes.is_empty() {
        console.player.say(&notes);
    }
    console.draw(&mut terminal)?;
    while !console.ended {
        let frame = async {
            if console.player.replay().playing {
                tokio::time::sleep(Duration::from_millis(FRAME_MS)).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let event = tokio::select! {
            biased;
            told = signals.next() => console.told(told, &mut terminal)?,
            key = keys.next() => console.typed(key),
            () = frame => None,
        };
        let moved = console.pass(clock.now().mono)?;
        let touched = event.is_some();
        if let Some(event) = event {
            console.take(event, &mut terminal)?;
        }
        if !terminal::exists() {
            console.ended = true;
        }
        if !console.ended && (moved || touched) {
            console.draw(&mut terminal)?;
        }
    }
    Ok(())
}

struct Console {
    player: Player,
    ended: bool,
    /// When time was last looked at.
    turned: Mono,
}

impl Console {
    fn pass(&mut self, now: Mono) -> Result<bool, RecordingError> {
        let real_ms = now.since_ms(self.turned);
        self.turned = now;
        self.player.pass(real_ms)
    }

    fn take(&mut self, event: Event, terminal: &mut Terminal) -> Result<(), ReplayError> {
        for left in self.player.take(event)? {
            match left {
                Left::Copy(text) => terminal.copy(&text)?,
                Left::Redraw => terminal.forget()?,
                Left::Suspend => {
                    terminal.suspend()?;
                    let (width, height) = terminal.size()?;
                    self.player.take(Event::Resize { width, height })?;
                }
                Left::Quit => self.ended = true,
            }
        }
        Ok(())
    }

    fn typed(&mut self, key: Option<io::Result<crossterm::event::Event>>) -> Option<Event> {
        if let Some(Ok(event)) = key {
            return terminal::translate(event);
        }
        // The terminal cannot be read any more: it is gone.
        self.ended = true;
        None
    }

    fn told(&mut self, told: Told, terminal: &mut Terminal) -> Result<Option<Event>, ReplayError> {
        match told {
            Told::Terminate | Told::HangUp => self.ended = true,
            Told::Suspend => {
                terminal.suspend()?;
                let (width, height) = terminal.size()?;
                return Ok(Some(Event::Resize { width, height }));
            }
            Told::Continue => {
                terminal.retake()?;
                let (width, height) = terminal.size()?;
                return Ok(Some(Event::Resize { width, height }));
            }
        }
        Ok(None)
    }

    fn draw(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        self.player.show(|app| terminal.draw(|frame| view::draw(frame, app)))
    }
}
