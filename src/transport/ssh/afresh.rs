//! Requests that prove that the node can be reached: each on a connection of its own, made for it and closed afterwards. A
//! connection that stood before a change of the network says nothing about the way as it is now.

use super::{
    attempt::{self, Setback},
    peer::Peer,
    registry::Shared,
    session::Session,
};
use crate::{
    model::{
        ids::NodeName,
        text::Clean,
        trouble::{Trouble, TroubleKind},
    },
    transport::Sent,
    wire::request::{Call, Reply, Request},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

/// Time for a goodbye.
const GOODBYE_WAIT: Duration = Duration::from_millis(300);

/// Whether a request is of that kind.
pub(super) fn is_afresh(request: &Request) -> bool {
    matches!(request.call, Call::Countdown { .. })
}

/// Asks, connection and answer within the deadline of the request.
pub(super) async fn call(shared: &Arc<Shared>, node: &NodeName, request: &Request) -> Result<Reply, Trouble> {
    let until = Instant::now() + Duration::from_millis(request.deadline_ms);
    let session = timeout_at(until, connect(shared, node)).await.unwrap_or_else(|_| Err(late(node, request)))?;
    let answer = timeout_at(until, session.call(request)).await.unwrap_or_else(|_| Err(late(node, request)));
    session.leave(GOODBYE_WAIT).await;
    answer
}

/// Sends a write, once. Without a connection nothing has left this machine.
pub(super) async fn send(shared: &Arc<Shared>, node: &NodeName, request: &Request) -> Sent {
    let limit = Duration::from_millis(request.deadline_ms);
    match timeout(limit, connect(shared, node)).await.unwrap_or_else(|_| Err(late(node, request))) {
        Ok(session) => {
            let sent = session.send(request).await;
            session.leave(GOODBYE_WAIT).await;
            sent
        }
        Err(trouble) => Sent::NotSent(Clean::line(trouble.cause.as_str())),
    }
}

async fn connect(shared: &Arc<Shared>, node: &NodeName) -> Result<Arc<Session>, Trouble> {
    let known = shared.node(node).ok_or_else(|| {
        Trouble::new(TroubleKind::Internal, format!("no node is called {node}"), "report this as a bug of vakt")
    })?;
    // Nobody hears of its states: the connection that is kept tells those of the node.
    let operator = shared.silent_operator(node.clone());
    let apart = Arc::new(Peer::new(known.destination().clone(), shared, operator));
    let cut = CancellationToken::new();
    let given_up = cut.clone().drop_guard();
    match attempt::connect(&apart, cut).await {
        Ok((session, _)) => {
            given_up.disarm();
            Ok(session)
        }
        Err(Setback::Retry(trouble) | Setback::Hopeless(trouble)) => Err(trouble),
        Err(Setback::UnknownKey(_) | Setback::Passphrase(_)) => Err(Trouble::new(
            TroubleKind::ConnectionLost,
            format!("a new connection to {node} needs an answer of the operator"),
            "let vakt connect to it first; it asks then",
        )),
    }
}

fn late(node: &NodeName, request: &Request) -> Trouble {
    Trouble::new(
        TroubleKind::TimedOut,
        format!("a new connection to {node} gave no answer within {} ms", request.deadline_ms),
        "check the node and the network between",
    )
}
