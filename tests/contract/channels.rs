//! Channels that are let go: who closes them.

use super::{
    bed::{Bed, NODE},
    watched::Watched,
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};
use vakt::wire::request::Call;

/// The library remembers a channel that was closed from here for as long as the session lives: a console that asks
/// once a second would grow by megabytes an hour.
#[tokio::test]
async fn a_channel_that_is_let_go_is_closed_by_the_other_side() {
    let bed = Bed::in_process();
    let nodes = Watched::up(&bed).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let daemon = tokio::spawn(async move {
        for _ in 0..5 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = [0; 7];
            stream.read_exact(&mut heard).await.unwrap();
            stream.write_all(b"STAT pid 7\r\nEND\r\n").await.unwrap();
            // It ends when nobody asks any more, and not before.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.unwrap();
        }
    });
    for _ in 0..5 {
        let call = Call::Tcp { hosts: vec!["127.0.0.1".into()], port, send: "stats\r\n".into(), end: "END\r\n".into() };
        let reply = nodes.call(NODE, call, 2_000, 1_000).await.unwrap();
        assert!(reply.bytes.ends_with(b"END\r\n"), "{reply:?}");
    }
    timeout(Duration::from_secs(5), daemon).await.expect("each conversation ends").unwrap();
    // What is said on the session afterwards comes after every close.
    nodes.shell("echo after").await.unwrap();
    assert_eq!(bed.server.as_ref().unwrap().closed_first(), 0);
}
