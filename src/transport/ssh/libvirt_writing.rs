//! Changes of guests: one conversation with libvirt for each, opened only for it and never used again.
//!
//! The call blocks on a thread of its own. Whoever stops waiting closes the bridge, and the call ends; what it had begun
//! may have its effect all the same.

use super::session::Session;
use crate::{
    model::trouble::{Trouble, TroubleKind},
    wire::{
        libvirt::operation::{GuestIdentity, Operation},
        request::Reply,
    },
};
use std::sync::atomic::AtomicBool;

/// Carries one operation out, once. `left` becomes true when it leaves.
#[cfg(not(feature = "libvirt"))]
#[expect(clippy::unused_async, reason = "the same call as where libvirt is built in")]
pub(super) async fn send(
    session: &Session,
    _socket: &str,
    guest: &GuestIdentity,
    _operation: &Operation,
    _left: &AtomicBool,
) -> Result<Reply, Trouble> {
    Err(Trouble::new(
        TroubleKind::NotBuiltIn,
        format!("this vakt was built without libvirt: nothing can be done to {} on {}", guest.name, session.name()),
        "build it with the default features",
    ))
}

/// Carries one operation out, once. `left` becomes true when it leaves.
#[cfg(feature = "libvirt")]
pub(super) async fn send(
    session: &Session,
    socket: &str,
    guest: &GuestIdentity,
    operation: &Operation,
    left: &AtomicBool,
) -> Result<Reply, Trouble> {
    use super::{
        bridge::{self, Bridge},
        session::micros,
    };
    use crate::transport::libvirt::{Fault, writing::Prepared};
    use std::sync::atomic::Ordering;
    use tokio::time::Instant;

    /// Exit status of an operation that libvirt refused.
    const REFUSED: u32 = 1;
    let started = Instant::now();
    let stream = bridge::reach(session, socket).await?;
    let here = |error: std::io::Error| {
        Trouble::new(
            TroubleKind::Internal,
            format!("no private socket for libvirt on this machine: {error}"),
            "check that $XDG_RUNTIME_DIR or /tmp exists and has room",
        )
    };
    // Dropped with this future: a call that waits ends with it.
    let bridge = Bridge::open(stream, session.tasks()).map_err(here)?;
    let outcome = match Prepared::new(bridge.path(), guest, operation).await {
        Ok(prepared) => {
            left.store(true, Ordering::Relaxed);
            prepared.carry_out().await
        }
        Err(fault) => Err(fault),
    };
    let reply = |exit, words: String| Reply {
        bytes: Vec::new(),
        stderr: words.into_bytes(),
        exit: Some(exit),
        elapsed_us: micros(started),
    };
    match outcome {
        Ok(over) => {
            // It may go on after its answer; until then it keeps its way.
            let session_ended = session.until_ended_alone();
            session.tasks().spawn(async move {
                tokio::select! {
                    _ = over => {}
                    () = session_ended => {}
                }
                drop(bridge);
            });
            Ok(reply(0, String::new()))
        }
        Err(Fault::Refused(words)) if left.load(Ordering::Relaxed) => Ok(reply(REFUSED, words)),
        Err(fault) => Err(Trouble::new(
            TroubleKind::ServiceRefused,
            format!("libvirt on {}: {fault}", session.name()),
            format!("check that libvirtd runs there, and that this login may use {socket}"),
        )),
    }
}
