//! The terminal: taken over once, given back on every way out (return, error, panic, signal, suspension).

use crate::app::msg::{Event, Key, KeyCode, Mouse, MouseAction};
use crossterm::{
    clipboard::CopyToClipboard,
    cursor,
    event::{
        DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture, Event as TermEvent,
        KeyCode as TermKey, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind,
    },
    execute,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use ratatui::{Terminal as Ratatui, backend::CrosstermBackend, layout::Rect};
use std::{
    io::{self, Stdout},
    mem::ManuallyDrop,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether the terminal is in our modes. The panic hook has no other way to know.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in our modes; dropping it gives it back.
pub struct Terminal {
    /// Never dropped: its own end shows the cursor, and where the terminal has vanished it complains on a standard error
    /// that has vanished too, which is a panic within a drop. [`give_back`] shows the cursor.
    ratatui: ManuallyDrop<Ratatui<CrosstermBackend<Stdout>>>,
    mouse: bool,
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("mouse", &self.mouse).finish_non_exhaustive()
    }
}

impl Terminal {
    /// Takes the terminal over: raw mode, alternate screen, bracketed paste and, if wanted, the mouse.
    pub fn take(mouse: bool) -> io::Result<Self> {
        enter(mouse)?;
        let ratatui = match Ratatui::new(CrosstermBackend::new(io::stdout())) {
            Ok(ratatui) => ratatui,
            Err(error) => {
                give_back();
                return Err(error);
            }
        };
        Ok(Self { ratatui: ManuallyDrop::new(ratatui), mouse })
    }

    /// Draws one frame.
    pub fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.ratatui.draw(render).map(|_| ())
    }

    /// Clears the screen and forgets what was on it, so that the next frame draws everything.
    ///
    /// Not `Terminal::clear`: that asks the terminal for the cursor's position, and the answer would go to the event
    /// stream, which reads the same input.
    pub fn forget(&mut self) -> io::Result<()> {
        let size = self.ratatui.size()?;
        self.ratatui.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        self.ratatui.size().map(|size| (size.width, size.height))
    }

    /// Puts text on the operator's clipboard through the terminal (OSC 52).
    pub fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text))
    }

    /// Gives the terminal back, stops the process group as the shell expects, and takes the terminal again when the
    /// shell continues it.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        enter(self.mouse)?;
        self.forget()
    }

    /// After a SIGCONT that was not ours (somebody stopped the process from outside): the modes may be lost.
    pub fn retake(&mut self) -> io::Result<()> {
        enter(self.mouse)?;
        self.forget()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

fn enter(mouse: bool) -> io::Result<()> {
    terminal::enable_raw_mode()?;
    // From here on something must be undone, whatever fails next.
    TAKEN.store(true, Ordering::SeqCst);
    let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
        .and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    if entered.is_err() {
        give_back();
    }
    entered
}

/// Undoes every mode. Safe to call at any time, more than once, from a panic hook too; errors have no one to go to.
pub fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), DisableMouseCapture, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
        let _ = terminal::disable_raw_mode();
    }
}

/// Installs the report of bugs: the terminal comes back first, then the report prints.
pub fn install_panic_hook() -> color_eyre::Result<()> {
    let (panic_hook, eyre_hook) = color_eyre::config::HookBuilder::default().into_hooks();
    eyre_hook.install()?;
    let report = panic_hook.into_panic_hook();
    std::panic::set_hook(Box::new(move |info| {
        // Drawing and `update` run on the main thread. A panic elsewhere ends one task, not the console: it must not
        // take the screen away, so it goes to the log.
        if TAKEN.load(Ordering::SeqCst) && std::thread::current().name() != Some("main") {
            tracing::error!("panic in a task: {info}");
            return;
        }
        give_back();
        report(info);
    }));
    Ok(())
}

/// Whether the terminal behind standard input still exists.
pub fn exists() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut fds, Some(&at_once)) {
        Ok(_) => !fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(_) => true,
    }
}

/// The terminal's event as ours; `None` for what the console does not use (key releases, mouse moves).
pub fn translate(event: TermEvent) -> Option<Event> {
    match event {
        TermEvent::Key(key) if key.kind != KeyEventKind::Release => Some(Event::Key(Key {
            code: key_code(key.code)?,
            ctrl: key.modifiers.contains(KeyModifiers::CONTROL),
            alt: key.modifiers.contains(KeyModifiers::ALT),
            shift: key.modifiers.contains(KeyModifiers::SHIFT),
        })),
        TermEvent::Mouse(mouse) => {
            let action = match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => MouseAction::Click,
                MouseEventKind::ScrollUp => MouseAction::ScrollUp,
                MouseEventKind::ScrollDown => MouseAction::ScrollDown,
                _ => return None,
            };
            Some(Event::Mouse(Mouse { column: mouse.column, row: mouse.row, action }))
        }
        TermEvent::Paste(text) => Some(Event::Paste(text)),
        TermEvent::Resize(width, height) => Some(Event::Resize { width, height }),
        TermEvent::Key(_) | TermEvent::FocusGained | TermEvent::FocusLost => None,
    }
}

fn key_code(code: TermKey) -> Option<KeyCode> {
    Some(match code {
        TermKey::Char(c) => KeyCode::Char(c),
        TermKey::Enter => KeyCode::Enter,
        TermKey::Esc => KeyCode::Esc,
        TermKey::Tab => KeyCode::Tab,
        TermKey::BackTab => KeyCode::BackTab,
        TermKey::Backspace => KeyCode::Backspace,
        TermKey::Delete => KeyCode::Delete,
        TermKey::Up => KeyCode::Up,
        TermKey::Down => KeyCode::Down,
        TermKey::Left => KeyCode::Left,
        TermKey::Right => KeyCode::Right,
        TermKey::PageUp => KeyCode::PageUp,
        TermKey::PageDown => KeyCode::PageDown,
        TermKey::Home => KeyCode::Home,
        TermKey::End => KeyCode::End,
        TermKey::F(n) => KeyCode::F(n),
        _ => return None,
    })
}
