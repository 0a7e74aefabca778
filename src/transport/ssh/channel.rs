//! One channel of a session, drained by a task of its own.
//!
//! russh delivers all channels of a session through one task: a channel that nobody reads stops the whole session.
//! So a task takes every byte as it comes into a buffer with a cap. Over the cap the channel is closed; the task
//! never waits for its reader.

use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client::Msg};
use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// Standard error that is kept of one channel; the rest is dropped, it is only quoted in messages.
pub(super) const STDERR_BYTES_MAX: usize = 4096;
/// Unread bytes of a channel that is kept open.
pub(super) const UNREAD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long the other side may take to close a channel that is let go.
const FAREWELL: Duration = Duration::from_secs(1);

/// A channel as a stream. Dropping it closes the channel.
pub(super) struct Drained {
    shared: Arc<Shared>,
    writer: Pin<Box<dyn AsyncWrite + Send + Sync>>,
    _close_on_drop: DropGuard,
}

struct Shared {
    state: Mutex<State>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the other side has done")]
struct State {
    unread: VecDeque<u8>,
    unread_max: usize,
    stderr: Vec<u8>,
    exit: Option<u32>,
    /// The other side sends no more data.
    eof: bool,
    /// The channel is gone.
    closed: bool,
    overflowed: bool,
    /// The request that started the channel's program was refused.
    refused: bool,
    waker: Option<Waker>,
}

impl Drained {
    /// Takes over `channel`; `permit` is given back when the channel has been closed.
    pub(super) fn new(
        channel: Channel<Msg>,
        unread_max: usize,
        permit: Option<OwnedSemaphorePermit>,
        tasks: &TaskTracker,
    ) -> Self {
        let shared = Arc::new(Shared::new(unread_max));
        let close = CancellationToken::new();
        let writer = Box::pin(channel.make_writer());
        tasks.spawn(drain(channel, Arc::clone(&shared), close.clone(), permit));
        Self { shared, writer, _close_on_drop: close.drop_guard() }
    }

    /// What came on standard error so far, cut to a few kilobytes.
    pub(super) fn stderr(&self) -> Vec<u8> {
        self.shared.lock().stderr.clone()
    }

    /// Bytes that wait to be read.
    pub(super) fn unread(&self) -> usize {
        self.shared.lock().unread.len()
    }

    /// Whether the other side has closed the channel or its sending half.
    pub(super) fn is_ended(&self) -> bool {
        let state = self.shared.lock();
        state.eof || state.closed
    }

    /// Waits until there is something to read; false when the end came first.
    pub(super) async fn has_something(&self) -> bool {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if !state.unread.is_empty() || state.overflowed {
                return Poll::Ready(true);
            }
            if state.eof {
                return Poll::Ready(false);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Waits until the program has ended and said all: its exit status, or `None` when it gave none.
    /// An end of data without an exit status is not an end: the status follows it.
    pub(super) async fn exit(&self) -> Option<u32> {
        poll_fn(|context| {
            let mut state = self.shared.lock();
            if state.closed || state.refused || (state.eof && state.exit.is_some()) {
                return Poll::Ready(state.exit);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl fmt::Debug for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drained").field("unread", &self.unread()).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(unread_max: usize) -> Self {
        Self {
            state: Mutex::new(State {
                unread: VecDeque::new(),
                unread_max,
                stderr: Vec::new(),
                exit: None,
                eof: false,
                closed: false,
                overflowed: false,
                refused: false,
                waker: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and wakes the reader.
    fn update(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.lock();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    /// Takes bytes in; false when they exceed the cap.
    fn take_in(&mut self, bytes: &[u8]) -> bool {
        if self.unread.len() + bytes.len() > self.unread_max {
            self.overflowed = true;
            return false;
        }
        self.unread.extend(bytes);
        true
    }

    fn take_in_stderr(&mut self, bytes: &[u8]) {
        let room = STDERR_BYTES_MAX.saturating_sub(self.stderr.len());
        self.stderr.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

/// The task of one channel: reads until the channel ends, its owner drops it, or the cap is exceeded.
async fn drain(
    mut channel: Channel<Msg>,
    shared: Arc<Shared>,
    close: CancellationToken,
    permit: Option<OwnedSemaphorePermit>,
) {
    let mut is_let_go = false;
    loop {
        let message = tokio::select! {
            () = close.cancelled() => {
                is_let_go = true;
                break;
            }
            message = channel.wait() => message,
        };
        let Some(message) = message else { break };
        let mut go_on = true;
        shared.update(|state| match message {
            ChannelMsg::Data { data } => go_on = state.take_in(&data),
            ChannelMsg::ExtendedData { data, .. } => state.take_in_stderr(&data),
            ChannelMsg::ExitStatus { exit_status } => state.exit = Some(exit_status),
            // A shell reports death by a signal as 128 + its number; SSH gives the name only.
            ChannelMsg::ExitSignal { .. } => state.exit = state.exit.or(Some(128)),
            ChannelMsg::Eof => state.eof = true,
            ChannelMsg::Failure => {
                state.refused = true;
                state.eof = true;
                go_on = false;
            }
            ChannelMsg::Close => go_on = false,
            _ => {}
        });
        if !go_on {
            break;
        }
    }
    shared.update(|state| {
        state.eof = true;
        state.closed = true;
    });
    let (mut read, write) = channel.split();
    if is_let_go {
        farewell(&mut read, &write).await;
    }
    // First the receiver: from here on the session drops what still comes instead of waiting for us.
    drop(read);
    // Fails only when the session is gone, and the channel with it.
    let _ = write.close().await;
    drop(permit);
}

/// Says that nothing more is asked, and lets the other side close the channel. The library forgets a channel only when
/// the other side closes it first: one that is closed from here stays in its memory as long as the session lives.
async fn farewell(read: &mut ChannelReadHalf, write: &ChannelWriteHalf<Msg>) {
    let until_closed = async {
        while let Some(message) = read.wait().await {
            if matches!(message, ChannelMsg::Close) {
                break;
            }
        }
    };
    if write.eof().await.is_ok() {
        // What does not end by itself, as a daemon that is frozen, is closed all the same.
        let _ = timeout(FAREWELL, until_closed).await;
    }
}

impl AsyncRead for Drained {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        if state.overflowed {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::FileTooLarge, "more unread bytes than the cap")));
        }
        if state.unread.is_empty() {
            if state.eof {
                return Poll::Ready(Ok(()));
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (front, _) = state.unread.as_slices();
        let count = front.len().min(buffer.remaining());
        buffer.put_slice(&front[..count]);
        state.unread.drain(..count);
        if state.unread.is_empty() {
            // A burst must not keep its memory for the life of a kept channel.
            state.unread.shrink_to(64 * 1024);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Drained {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}
