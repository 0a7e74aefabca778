//! The feed's side of the conversation: what it asks, answers, and gives up.

use super::{METHODS, asking, capture, clean, last_sample, session, told};
use serde_json::{Value, json};
use vakt::{
    history,
    model::{
        figure::Figure,
        ovs::{OvsFacts, OvsSample},
        time::Mono,
    },
    wire::{
        feed::{Feed as _, FeedOutput},
        ovs::{ECHO_MS, OvsFeed, RESYNCS_MAX, SILENCE_MS_MAX},
    },
};

type Outputs = Vec<FeedOutput<OvsSample>>;

fn sent(outputs: &Outputs) -> Vec<Value> {
    outputs
        .iter()
        .filter_map(|output| match output {
            FeedOutput::Send(bytes) => Some(serde_json::from_slice(bytes).unwrap()),
            _ => None,
        })
        .collect()
}

fn closed(outputs: &Outputs) -> Option<&str> {
    outputs.iter().find_map(|output| match output {
        FeedOutput::Close(why) => Some(why.as_str()),
        _ => None,
    })
}

fn lost(outputs: &Outputs) -> u64 {
    outputs.iter().map(|output| if let FeedOutput::Lost(count) = output { *count } else { 0 }).sum()
}

/// A feed that is told of changes.
fn live() -> OvsFeed {
    let mut feed = asking(METHODS[0]);
    assert!(told(feed.take(&capture("every-kind.reload.json"), Mono(0))).0.is_some());
    feed
}

fn send(feed: &mut OvsFeed, message: &Value) -> Outputs {
    feed.take(message.to_string().as_bytes(), Mono(1))
}

fn update(rows: &Value) -> Value {
    json!({"method": "update3", "params": ["vakt-1", "00000000-0000-0000-0000-000000000000", rows], "id": null})
}

#[test]
fn the_schema_is_asked_first_and_then_only_what_it_has() {
    let mut feed = OvsFeed::default();
    assert_eq!(sent(&feed.open(Mono(0)))[0]["method"], "get_schema");
    let asked = sent(&feed.take(&capture("schema.json"), Mono(0)));
    assert_eq!(asked[0]["method"], "monitor_cond_since");
    assert!(asked[0]["params"][2]["Interface"][0]["columns"].to_string().contains("\"mtu_request\""));

    // A switch of the 1.x era: no requested MTU, no RSTP, no VLAN modes, and only the plain monitor.
    let mut schema: Value = serde_json::from_slice(&capture("schema.json")).unwrap();
    for (table, column) in [("Interface", "mtu_request"), ("Bridge", "rstp_enable"), ("Port", "vlan_mode")] {
        schema["result"]["tables"][table]["columns"].as_object_mut().unwrap().remove(column);
    }
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    let mut asked = sent(&feed.take(schema.to_string().as_bytes(), Mono(0)));
    for number in 1..=2 {
        asked = sent(&send(&mut feed, &json!({"id": format!("vakt-{number}"), "error": "unknown method"})));
    }
    assert_eq!((&asked[0]["method"], asked[0]["params"].as_array().unwrap().len()), (&json!("monitor"), 3));
    assert!(!asked[0].to_string().contains("mtu_request"));
    let (sample, complaints) = told(feed.take(&session("every-kind", "monitor"), Mono(0)));
    let sample = sample.unwrap();
    assert_eq!(complaints, []);
    let (_, _, vnet7) = sample.interfaces().find(|(_, _, interface)| interface.name == clean("vnet7")).unwrap();
    assert_eq!(vnet7.mtu_wanted_bytes.why(), Some(vakt::model::figure::Unknown::NotOffered));
    assert!(sample.bridges.iter().all(|bridge| bridge.spanning_tree.why().is_none()));
    let refused = send(&mut asking("monitor"), &json!({"id": "vakt-3", "error": "unknown method"}));
    assert_eq!(closed(&refused), Some("the database does not tell its changes: \"unknown method\""));
}

#[test]
fn echoes_are_answered_and_silence_is_broken_and_given_up() {
    let mut feed = live();
    let answer = sent(&send(&mut feed, &json!({"method": "echo", "params": ["a", 1], "id": "echo"})));
    assert_eq!(answer, [json!({"result": ["a", 1], "error": null, "id": "echo"})]);
    let answer = sent(&send(&mut feed, &json!({"method": "steal", "params": [], "id": 7})));
    assert_eq!((&answer[0]["id"], &answer[0]["error"]), (&json!(7), &json!("unknown method")));

    assert_eq!(feed.tick(Mono(ECHO_MS)), []);
    let ours = sent(&feed.tick(Mono(1 + ECHO_MS)));
    assert_eq!(ours[0]["method"], "echo");
    assert_eq!(feed.tick(Mono(2 + ECHO_MS)), [], "one is under way");
    feed.take(br#"{"id":"vakt-echo","result":[],"error":null}"#, Mono(3 + ECHO_MS));
    assert_eq!(feed.tick(Mono(4 + ECHO_MS)), []);
    assert_eq!(sent(&feed.tick(Mono(3 + 2 * ECHO_MS))).len(), 1);
    let given_up = feed.tick(Mono(3 + ECHO_MS + SILENCE_MS_MAX));
    assert_eq!(closed(&given_up), Some("the database is silent for 30 s"));
    assert_eq!(feed.take(&capture("every-kind.reload.json"), Mono(0)), [], "closed is closed");
    assert_eq!(feed.tick(Mono(u64::MAX)), []);
}

#[test]
fn a_change_to_a_row_that_is_not_there_asks_for_everything_again() {
    let mut feed = live();
    let odd = update(&json!({"Port": {"00000000-0000-4000-8000-000000000000": {"modify": {"tag": 4}}}}));
    for round in 1..=RESYNCS_MAX {
        let mut odd = odd.clone();
        odd["params"][0] = json!(format!("vakt-{round}"));
        let outputs = send(&mut feed, &odd);
        assert!(outputs.contains(&FeedOutput::Resync) && lost(&outputs) == 1, "{outputs:?}");
        assert!(!outputs.iter().any(|output| matches!(output, FeedOutput::News(_))));
        let asked = sent(&outputs);
        assert_eq!(
            (&asked[0]["method"], &asked[1]["method"]),
            (&json!("monitor_cancel"), &json!("monitor_cond_since"))
        );
        assert_eq!(asked[1]["id"], format!("vakt-{}", round + 1));
        // What the cancelled monitor still says is not mixed with the new one's rows.
        assert_eq!(send(&mut feed, &odd), []);
        let reload = String::from_utf8(capture("every-kind.reload.json")).unwrap();
        let answer = feed.take(reload.replace("vakt-1", &format!("vakt-{}", round + 1)).as_bytes(), Mono(1));
        assert!(told(answer).0.is_some());
    }
    let mut odd = odd.clone();
    odd["params"][0] = json!(format!("vakt-{}", RESYNCS_MAX + 1));
    assert_eq!(closed(&send(&mut feed, &odd)), Some("changes were missed 4 times on one connection"));
}

#[test]
fn a_connection_made_again_reads_everything_again() {
    let mut feed = live();
    feed.take(br#"{"method":"upda"#, Mono(1));
    let outputs = feed.open(Mono(2));
    assert_eq!(outputs[0], FeedOutput::Resync);
    assert_eq!(sent(&outputs)[0]["method"], "get_schema");
    let asked = sent(&feed.take(&capture("schema.json"), Mono(3)));
    let id = asked[0]["id"].as_str().unwrap().to_owned();
    assert_ne!(id, "vakt-1", "a late message of the earlier connection must not count");
    let reload = String::from_utf8(capture("every-kind.reload.json")).unwrap().replace("vakt-1", &id);
    assert!(told(feed.take(reload.as_bytes(), Mono(4))).0.is_some());
}

#[test]
fn what_changes_nothing_is_no_news() {
    let mut feed = live();
    assert_eq!(send(&mut feed, &update(&json!({}))), []);
    assert_eq!(send(&mut feed, &json!({"method": "update3", "params": ["someone else's", "", {}], "id": null})), []);
    assert_eq!(send(&mut feed, &json!({"method": "locked", "params": ["x"], "id": null})), []);
}

#[test]
fn an_answer_that_is_no_schema_or_no_rows_is_given_up() {
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    let answer = send(&mut feed, &json!({"id": "vakt-schema", "result": {"tables": {"Logical_Switch": {}}}}));
    assert_eq!(closed(&answer), Some("the schema is not that of Open_vSwitch"));
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    let answer = send(&mut feed, &json!({"id": "vakt-schema", "error": "unknown database"}));
    assert_eq!(closed(&answer), Some("there is no schema of Open_vSwitch: \"unknown database\""));
    let answer = send(&mut asking(METHODS[0]), &json!({"id": "vakt-1", "result": [false]}));
    assert_eq!(closed(&answer), Some("the answer to monitor_cond_since is not understood"));
    let mut feed = OvsFeed::default();
    feed.open(Mono(0));
    assert_eq!(closed(&feed.take(b"SSH-2.0-x", Mono(0))), Some("expected a JSON object, got byte 0x53"));
}

/// The daemon wrote statistics every 5 s while the session was captured, and operators changed ports in between.
#[test]
fn rounds_of_statistics_are_told_from_other_changes() {
    for method in METHODS {
        let mut feed = asking(method);
        let session = session("every-kind", method);
        let (mut facts, mut at, mut samples): (Option<OvsFacts>, u64, Vec<u64>) = (None, 0, Vec::new());
        // Message by message, as they came: pieces of one byte would take long, the first is the largest.
        for message in serde_json::Deserializer::from_slice(&session).into_iter::<Value>() {
            at += 5000;
            let (sample, complaints) = told(feed.take(message.unwrap().to_string().as_bytes(), Mono(at)));
            assert_eq!(complaints, []);
            if let Some(sample) = sample {
                samples.push(sample.rounds);
                facts = Some(history::ovs::derive(facts, sample, Mono(at)));
            }
        }
        let rounds = *samples.last().unwrap();
        assert!((2..=6).contains(&rounds), "{method}: {rounds} rounds in 16 s, seen as {samples:?}");
        assert!(samples.len() > usize::try_from(rounds).unwrap() + 5, "{method}: {samples:?}");
        let facts = facts.unwrap();
        assert_eq!(facts.sample.bridges, last_sample("every-kind", method).bridges);
        let known = facts.rates.values().filter(|rates| rates.tx_bits_per_s.known().is_some()).count();
        assert!(known > 10, "{method}: {known} interfaces have rates");
        assert!(facts.rates.values().any(|rates| rates.tx_bits_per_s.known().is_some_and(|rate| rate > 0.0)));
    }
}

#[test]
fn only_counters_that_move_make_a_round() {
    let mut feed = live();
    let reload: Value = serde_json::from_slice(&capture("every-kind.reload.json")).unwrap();
    let (uuid, _) = reload["result"][2]["Interface"]
        .as_object()
        .unwrap()
        .iter()
        .find(|(_, row)| row["initial"]["name"] == "vnet7")
        .unwrap();
    let mut rounds_after = |changed: Value| {
        let mut rows = json!({"Interface": {}});
        rows["Interface"][uuid] = changed;
        told(send(&mut feed, &update(&rows))).0.unwrap().rounds
    };
    assert_eq!(rounds_after(json!({"modify": {"external_ids": ["map", [["vm-id", "another"]]]}})), 0);
    assert_eq!(rounds_after(json!({"modify": {"statistics": ["map", [["rx_bytes", 123_456]]]}})), 1);
    // An interface that is made again gets its first counters at any time.
    assert_eq!(rounds_after(json!({"delete": null})), 1);
    let first = json!({"insert": {"name": "vnet7", "statistics": ["map", [["rx_bytes", 1]]]}});
    assert_eq!(rounds_after(first), 1);
    assert_eq!(rounds_after(json!({"modify": {"statistics": ["map", [["rx_bytes", 2]]]}})), 2);
}

#[test]
fn a_daemon_that_is_behind_shows() {
    let mut feed = live();
    let uuid = {
        let reload: Value = serde_json::from_slice(&capture("every-kind.reload.json")).unwrap();
        reload["result"][2]["Open_vSwitch"].as_object().unwrap().keys().next().unwrap().clone()
    };
    let mut rows = json!({"Open_vSwitch": {}});
    rows["Open_vSwitch"][&uuid] = json!({"modify": {"next_cfg": 99}});
    let (sample, _) = told(send(&mut feed, &update(&rows)));
    let switch = sample.unwrap().switch;
    assert_eq!(switch.wanted_configuration, Figure::Known(99));
    assert!(switch.applied_configuration.known().unwrap() < 99);
}
