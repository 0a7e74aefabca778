//! Open vSwitch: what its database and its daemon send, and what is made of it.
//!
//! `captures/ovs/<version>/README.md` says how each capture was made.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod agreement;
mod captures;
mod conversation;
mod daemon;
mod hostile;
mod newer;
mod transactions;
mod updates;

use std::{fs, path::PathBuf};
use vakt::{
    model::{ovs::OvsSample, text::Clean, time::Mono},
    wire::{
        feed::{Feed as _, FeedOutput},
        ovs::OvsFeed,
        probe::Complaint,
    },
};

/// The ways of asking what a database holds, newest first.
const METHODS: [&str; 3] = ["monitor_cond_since", "monitor_cond", "monitor"];

pub(crate) fn capture(name: &str) -> Vec<u8> {
    let path = folder().join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/captures/ovs/3.1.0")
}

/// A feed that has read the schema and asked in the way of `method`, the newer ones having been refused.
fn asking(method: &str) -> OvsFeed {
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    let mut outputs = feed.take(&capture("schema.json"), Mono(0));
    for number in 1.. {
        let FeedOutput::Send(bytes) = &outputs[0] else { panic!("{outputs:?}") };
        let asked: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        if asked["method"] == method {
            return feed;
        }
        let refusal = String::from_utf8(capture("unknown-method.reply.json")).unwrap();
        outputs = feed.take(refusal.replace("vakt-1", &format!("vakt-{number}")).as_bytes(), Mono(0));
    }
    unreachable!()
}

/// A captured session as the feed that asked in the way of `method` would have got it.
fn session(name: &str, method: &str) -> Vec<u8> {
    let number = 1 + METHODS.iter().position(|other| *other == method).unwrap();
    let text = String::from_utf8(capture(&format!("{name}.{method}.json"))).unwrap();
    text.replace("\"vakt-1\"", &format!("\"vakt-{number}\"")).into_bytes()
}

/// What a session comes to: the last sample, and everything that was complained about.
fn told(outputs: Vec<FeedOutput<OvsSample>>) -> (Option<OvsSample>, Vec<Complaint>) {
    let (mut sample, mut complaints) = (None, Vec::new());
    for output in outputs {
        match output {
            FeedOutput::News(news) => sample = Some(news),
            FeedOutput::Complaint(complaint) => complaints.push(complaint),
            FeedOutput::Send(_) => {}
            FeedOutput::Resync | FeedOutput::Lost(_) | FeedOutput::Close(_) => panic!("{output:?}"),
        }
    }
    (sample, complaints)
}

/// The sample at the end of a captured session, which must be understood without a complaint.
fn last_sample(name: &str, method: &str) -> OvsSample {
    let (sample, complaints) = told(asking(method).take(&session(name, method), Mono(1)));
    assert_eq!(complaints, []);
    sample.unwrap()
}

/// What a switch holds when it is asked once.
pub(crate) fn reloaded(name: &str) -> OvsSample {
    let (sample, complaints) = told(asking(METHODS[0]).take(&capture(&format!("{name}.reload.json")), Mono(1)));
    assert_eq!(complaints, []);
    sample.unwrap()
}

fn clean(text: &str) -> Clean {
    Clean::line(text)
}
