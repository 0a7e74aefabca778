//! The real program in a real pseudo-terminal: keys in, an emulated screen out.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{Read, Write},
    num::NonZero,
    os::fd::BorrowedFd,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// Bytes of the terminal stream that are kept for tests that look at the stream itself.
const STREAM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A running program and its screen.
pub(crate) struct Program {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// The terminal is being closed: the reader must let go of it.
    closing: AtomicBool,
}

struct State {
    parser: vt100::Parser,
    stream: Vec<u8>,
    ended: bool,
}

/// Modes of a terminal that a program may leave behind.
#[derive(Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "modes are on or off")]
pub(crate) struct Modes {
    /// The alternate screen is shown.
    pub(crate) alternate_screen: bool,
    /// The mouse is captured.
    pub(crate) mouse: bool,
    /// Pastes are bracketed.
    pub(crate) bracketed_paste: bool,
    /// The cursor is hidden.
    pub(crate) cursor_hidden: bool,
    /// Echo and line editing are on, as a shell leaves them.
    pub(crate) cooked: bool,
}

impl Modes {
    /// What every program must leave behind.
    pub(crate) const RESTORED: Self =
        Self { alternate_screen: false, mouse: false, bracketed_paste: false, cursor_hidden: false, cooked: true };
}

/// The program under test: the one of this build, or the one that is shipped where a long series measures it.
pub(crate) fn path() -> PathBuf {
    std::env::var_os("VAKT_SOAK_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_vakt").into(), PathBuf::from)
}

impl Program {
    /// Starts vakt with `args` at `columns` x `rows`.
    pub(crate) fn vakt(args: &[&str], columns: u16, rows: u16) -> Self {
        Self::vakt_with(args, &[], columns, rows)
    }

    /// The same with more in its environment.
    pub(crate) fn vakt_with(args: &[&str], env: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        Self::start(PathBuf::from(env!("CARGO_BIN_EXE_vakt")), args, env, columns, rows)
    }

    /// Starts one of the example programs.
    pub(crate) fn example(name: &str, columns: u16, rows: u16) -> Self {
        let folder = PathBuf::from(env!("CARGO_BIN_EXE_vakt")).parent().unwrap().join("examples");
        let program = folder.join(name);
        assert!(program.exists(), "{name} is not built: cargo build --examples, or cargo test without --test");
        Self::start(program, &[], &[], columns, rows)
    }

    fn start(program: PathBuf, args: &[&str], env: &[(&str, &str)], columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(args);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        command.env("RUST_BACKTRACE", "0");
        // The console records by itself: not into the home folder of whoever runs the tests.
        command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
        command.env_remove("NO_COLOR");
        command.env_remove("VAKT_CONFIG");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                parser: vt100::Parser::new(cells(rows), cells(columns), 0),
                stream: Vec::new(),
                ended: false,
            }),
            changed: Condvar::new(),
            closing: AtomicBool::new(false),
        });
        let writer = pair.master.take_writer().unwrap();
        read_along(pair.master.as_ref(), &shared);
        Self { master: Some(pair.master), writer, child, shared }
    }

    /// Types bytes.
    pub(crate) fn press(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Gives the window another size.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.shared.state.lock().unwrap().parser.screen_mut().set_size(cells(rows), cells(columns));
        self.master.as_ref().unwrap().resize(size(columns, rows)).unwrap();
    }

    /// The screen as text.
    pub(crate) fn screen(&self) -> String {
        self.shared.state.lock().unwrap().parser.screen().contents()
    }

    /// Everything the program wrote so far.
    pub(crate) fn stream(&self) -> Vec<u8> {
        self.shared.state.lock().unwrap().stream.clone()
    }

    /// Waits until the screen satisfies `holds`; fails with the screen after `limit`. Returns how long it took.
    pub(crate) fn wait_for(&self, what: &str, limit: Duration, holds: impl Fn(&str) -> bool) -> Duration {
        let start = now();
        let mut state = self.shared.state.lock().unwrap();
        loop {
            let screen = state.parser.screen().contents();
            if holds(&screen) {
                return start.elapsed();
            }
            let left = limit.saturating_sub(start.elapsed());
            assert!(!left.is_zero() && !state.ended, "{what}: not within {limit:?}; the screen:\n{screen}");
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until the program has ended; fails after `limit`. Returns its exit code.
    pub(crate) fn wait_for_end(&mut self, limit: Duration) -> u32 {
        let start = now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(start.elapsed() < limit, "still running after {limit:?}; the screen:\n{}", self.screen());
            pause();
        }
    }

    /// Process id.
    pub(crate) fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(self.child.process_id().unwrap().try_into().unwrap()).unwrap()
    }

    /// Closes the terminal, as when an SSH session to the bastion breaks.
    pub(crate) fn close_terminal(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.writer = Box::new(std::io::sink());
        self.master = None;
        let mut state = self.shared.state.lock().unwrap();
        while !state.ended {
            state = self.shared.changed.wait(state).unwrap();
        }
    }

    /// The modes the terminal is in, once everything written has been read.
    pub(crate) fn modes(&self) -> Modes {
        let termios = self.master.as_ref().unwrap().get_termios().unwrap();
        let cooked = {
            use nix_flags::{ECHO, ICANON};
            let flags = termios.local_flags.bits();
            flags & ECHO != 0 && flags & ICANON != 0
        };
        let state = self.shared.state.lock().unwrap();
        let screen = state.parser.screen();
        Modes {
            alternate_screen: screen.alternate_screen(),
            mouse: screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
            bracketed_paste: screen.bracketed_paste(),
            cursor_hidden: screen.hide_cursor(),
            cooked,
        }
    }

    /// Waits until the modes are `wanted`.
    pub(crate) fn wait_for_modes(&self, wanted: &Modes, limit: Duration) {
        let start = now();
        while self.modes() != *wanted {
            assert!(start.elapsed() < limit, "modes are {:?}, wanted {wanted:?}", self.modes());
            pause();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads what the program writes, on a thread of its own, until the program ends or the terminal is closed. It waits in
/// short steps: a read that blocks would hold the terminal open.
fn read_along(master: &dyn MasterPty, shared: &Arc<Shared>) {
    let mut reader = master.try_clone_reader().unwrap();
    // A descriptor of our own to wait on, closed with this thread.
    let waiting = {
        let raw = master.as_raw_fd().unwrap();
        #[expect(
            unsafe_code,
            reason = "portable-pty lends its descriptor only as a number; the master outlives this line"
        )]
        let borrowed = unsafe { BorrowedFd::borrow_raw(raw) };
        borrowed.try_clone_to_owned().unwrap()
    };
    let shared = Arc::clone(shared);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 65536];
        while !shared.closing.load(Ordering::SeqCst) {
            let step = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
            let mut fds = [PollFd::new(&waiting, PollFlags::IN)];
            if poll(&mut fds, Some(&step)).unwrap_or(0) == 0 {
                continue;
            }
            let count = reader.read(&mut buffer).unwrap_or(0);
            if count == 0 {
                break;
            }
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.parser.process(&buffer[..count]);
            if state.stream.len() < STREAM_BYTES_MAX {
                state.stream.extend_from_slice(&buffer[..count]);
            }
            shared.changed.notify_all();
        }
        drop((reader, waiting));
        shared.state.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        shared.changed.notify_all();
    });
}

/// Values of termios(3) on Linux.
mod nix_flags {
    pub(crate) const ICANON: u32 = 0o2;
    pub(crate) const ECHO: u32 = 0o10;
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// Tests of the real program are about real time.
#[expect(clippy::disallowed_methods, reason = "tests of the real program measure real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A short step of a bounded poll, for conditions that announce nothing.
#[expect(clippy::disallowed_methods, reason = "a bounded poll of another process")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
