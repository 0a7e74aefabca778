//! The console's loop: keys and news in, frames out. When a frame is due is the application's decision.

use super::{
    inbox::Arrival,
    recorder::Recorder,
    session::{Left, Session},
    signals::{Signals, Told},
    terminal::{self, Terminal},
};
use crate::{
    app::msg::{Event, Signal},
    view,
};
use crossterm::event::EventStream;
use futures::StreamExt;
use std::{io, time::Duration};

/// Events handled between two frames at most, so that a flood of keys still shows something.
const EVENTS_PER_FRAME_MAX: usize = 256;

/// Opens the console on a session that `start` makes once the terminal is taken, and returns when the operator leaves.
pub async fn run(mouse: bool, recorder: Option<Recorder>, start: impl FnOnce() -> Session) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    let mut terminal = Terminal::take(mouse)?;
    let mut keys = EventStream::new();
    let mut session = start();
    if let Some(recorder) = recorder {
        session.record(recorder);
    }
    let mut console = Console { session, ending: None };
    let looped = console.watch(&mut signals, &mut keys, &mut terminal).await;
    // A terminal that vanishes is noticed by whatever touches it first: a frame, a key, a signal.
    let gone = console.ending == Some(Ending::TerminalGone) || (looped.is_err() && !terminal::exists());
    drop(terminal);
    console.session.end_recording();
    if gone {
        // The event stream's thread may spin on a terminal that vanished; nothing here is worth waiting for.
        return Ok(());
    }
    looped?;
    let _ = tokio::time::timeout(Duration::from_secs(1), console.session.end()).await;
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Asked,
    TerminalGone,
}

struct Console {
    session: Session,
    ending: Option<Ending>,
}

impl Console {
    /// Draws and listens until something ends it.
    async fn watch(
        &mut self,
        signals: &mut Signals,
        keys: &mut EventStream,
        terminal: &mut Terminal,
    ) -> io::Result<()> {
        let (width, height) = terminal.size()?;
        self.take(Event::Resize { width, height }, terminal)?;
        // The first frame comes before any connection is up.
        self.draw(terminal)?;
        while self.ending.is_none() {
            let arrival = tokio::select! {
                biased;
                told = signals.next() => self.told(told, terminal)?.map(Arrival::from),
                key = keys.next() => self.typed(key).map(Arrival::from),
                event = self.session.next() => Some(event),
            };
            if let Some(arrival) = arrival {
                self.take(arrival, terminal)?;
            }
            self.settle(terminal)?;
        }
        Ok(())
    }

    /// One event through the application.
    fn take(&mut self, arrival: impl Into<Arrival>, terminal: &mut Terminal) -> io::Result<()> {
        for left in self.session.handle(arrival) {
            match left {
                Left::Copy(text) => terminal.copy(&text)?,
                Left::Redraw => terminal.forget()?,
                Left::Suspend => self.suspend(terminal)?,
                Left::Quit => self.ending = Some(Ending::Asked),
            }
        }
        Ok(())
    }

    /// Stops until the shell continues the process; the window may have another size by then.
    fn suspend(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        terminal.suspend()?;
        let (width, height) = terminal.size()?;
        self.take(Event::Resize { width, height }, terminal)
    }

    fn typed(&mut self, key: Option<io::Result<crossterm::event::Event>>) -> Option<Event> {
        if let Some(Ok(event)) = key {
            return terminal::translate(event);
        }
        // The terminal cannot be read any more: it is gone.
        self.ending = Some(Ending::TerminalGone);
        None
    }

    fn told(&mut self, told: Told, terminal: &mut Terminal) -> io::Result<Option<Event>> {
        Ok(match told {
            Told::Terminate => Some(Event::Signal(Signal::Terminate)),
            Told::HangUp => {
                self.ending = Some(Ending::TerminalGone);
                None
            }
            Told::Suspend => {
                self.suspend(terminal)?;
                None
            }
            Told::Continue => {
                terminal.retake()?;
                Some(Event::Signal(Signal::Continue))
            }
        })
    }

    /// Handles what is already waiting, then draws if a frame is due.
    fn settle(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        for _ in 0..EVENTS_PER_FRAME_MAX {
            let Some(arrival) = self.session.ready() else { break };
            self.take(arrival, terminal)?;
        }
        if !terminal::exists() {
            self.ending = Some(Ending::TerminalGone);
        }
        if self.ending.is_none() && self.session.app.frame_due() {
            self.draw(terminal)?;
        }
        Ok(())
    }

    fn draw(&mut self, terminal: &mut Terminal) -> io::Result<()> {
        let app = &self.session.app;
        terminal.draw(|frame| view::draw(frame, app))?;
        self.session.app.frame_drawn();
        Ok(())
    }
}
