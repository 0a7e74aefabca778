//! The console's loop: keys and news in, frames out. When a frame is due is the application's decision.

use super::{
    recorder::Recorder,
    runs::Desk,
    session::{Left, Session},
    signals::{Signals, Told},
    terminal::{self, Terminal},
};
use crate::{
    app::{
        App,
        msg::{Event, Msg, Signal},
    },
    config::Secrets,
    model::{inventory::Inventory, time::Clock},
    view,
};
use crossterm::event::EventStream;
use futures::StreamExt;
use std::{io, sync::Arc, time::Duration};

/// Events handled between two frames at most, so that a flood of keys still shows something.
const EVENTS_PER_FRAME_MAX: usize = 256;

/// Opens the console and returns when the operator leaves it.
pub async fn run(
    app: App,
    inventory: &Arc<Inventory>,
    secrets: &Secrets,
    desk: Desk,
    clock: Arc<dyn Clock>,
    recorder: Option<Recorder>,
) -> io::Result<()> {
    let mut signals = Signals::listen()?;
    let mut terminal = Terminal::take(inventory.settings.console.mouse)?;
    let mut keys = EventStream::new();
    let session = Session::start(app, inventory, secrets, clock).with_runs(desk);
    let mut console = Console { session, recorder, ending: None };
    let (width, height) = terminal.size()?;
    console.take(Event::Resize { width, height }, &mut terminal)?;
    // The first frame comes before any connection is up.
    console.draw(&mut terminal)?;
    while console.ending.is_none() {
        let event = tokio::select! {
            biased;
            told = signals.next() => console.told(told, &mut terminal)?,
            key = keys.next() => console.typed(key),
            event = console.session.next() => Some(event),
        };
        if let Some(event) = event {
            console.take(event, &mut terminal)?;
        }
        console.settle(&mut terminal)?;
    }
    let gone = console.ending == Some(Ending::TerminalGone);
    drop(terminal);
    if let Some(recorder) = console.recorder {
        recorder.finish();
    }
    if gone {
        // The event stream's thread may spin on a terminal that vanished; nothing here is worth waiting for.
        return Ok(());
    }
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
    recorder: Option<Recorder>,
    ending: Option<Ending>,
}

impl Console {
    /// One event through the application, and onto the recording first.
    fn take(&mut self, event: Event, terminal: &mut Terminal) -> io::Result<()> {
        let msg = Msg { at: self.session.now(), event };
        if let Some(recorder) = &mut self.recorder {
            recorder.record(&msg, self.session.app.secret_prompt_open());
        }
        for left in self.session.handle(msg) {
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
            let Some(event) = self.session.ready() else { break };
            self.take(event, terminal)?;
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
