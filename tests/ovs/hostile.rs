//! Invariants 4 and 10 on what no healthy switch sends: nothing panics, memory is bounded, what is not understood is
//! complained about, and no text carries anything that a terminal would obey.

use super::{METHODS, asking, capture, session};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs;
use vakt::{
    model::{
        figure::{Figure, Unknown},
        ovs::OvsSample,
        time::Mono,
    },
    wire::{
        feed::{Feed as _, FeedOutput},
        linux_bridge,
        ovs::{BRIDGES_MAX, INTERFACES_MAX, MESSAGE_BYTES_MAX, OvsFeed, text},
    },
};

type Outputs = Vec<FeedOutput<OvsSample>>;

/// Looks at everything that came out.
fn check(outputs: &Outputs) -> Option<OvsSample> {
    let mut sample = None;
    let complaints = outputs.iter().filter(|output| matches!(output, FeedOutput::Complaint(_))).count();
    assert!(complaints <= 33, "{complaints} complaints");
    for output in outputs {
        match output {
            FeedOutput::News(news) => {
                assert_clean(news);
                sample = Some(news.clone());
            }
            FeedOutput::Complaint(complaint) => assert_clean(complaint),
            FeedOutput::Close(why) => assert_clean(why),
            FeedOutput::Send(_) | FeedOutput::Resync | FeedOutput::Lost(_) => {}
        }
    }
    sample
}

fn assert_clean<T: Serialize>(facts: &T) {
    fn look(value: &Value) {
        match value {
            Value::String(text) => {
                let bad = |c: char| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}');
                assert!(!text.chars().any(bad) && text.chars().count() <= 512, "{text:?}");
            }
            Value::Array(items) => items.iter().for_each(look),
            Value::Object(fields) => fields.values().for_each(look),
            _ => {}
        }
    }
    look(&serde_json::to_value(facts).unwrap());
}

/// The first answer of a switch, to be spoilt.
fn answer() -> Value {
    serde_json::from_slice(&capture("every-kind.reload.json")).unwrap()
}

fn take(message: &Value) -> Outputs {
    asking(METHODS[0]).take(message.to_string().as_bytes(), Mono(0))
}

#[test]
fn invariant_4_a_session_cut_at_any_byte_waits_for_the_rest() {
    let whole = session("lab-kvm02", METHODS[0]);
    let expected = check(&asking(METHODS[0]).take(&whole, Mono(0))).unwrap();
    for end in (0..whole.len()).step_by(23).chain(whole.len() - 200..whole.len()) {
        let mut feed = asking(METHODS[0]);
        let first = feed.take(&whole[..end], Mono(0));
        let rest = feed.take(&whole[end..], Mono(0));
        assert!(!first.iter().chain(&rest).any(|output| matches!(output, FeedOutput::Close(_) | FeedOutput::Lost(_))));
        let last = check(&rest).or_else(|| check(&first)).unwrap();
        assert_eq!(last, expected, "cut at {end}");
    }
}

#[test]
fn a_cell_of_another_type_costs_only_itself() {
    let odd = [
        json!(null),
        json!(true),
        json!(-7),
        json!("\u{1b}[2J"),
        json!(1.5e300),
        json!({}),
        json!(["set", 1]),
        json!(["map", [[1, 2]]]),
        json!(["uuid", 1]),
        json!(["set", [["map", []]]]),
        json!(u64::MAX),
    ];
    let pristine = answer();
    let interfaces = check(&take(&pristine)).unwrap().interfaces().count();
    for table in ["Open_vSwitch", "Bridge", "Port", "Interface", "Controller"] {
        let rows = pristine["result"][2][table].as_object().unwrap();
        let (uuid, row) = rows.iter().max_by_key(|(_, row)| row.to_string().len()).unwrap();
        for column in row["initial"].as_object().unwrap().keys() {
            for odd in &odd {
                let mut spoilt = pristine.clone();
                spoilt["result"][2][table][uuid]["initial"][column] = odd.clone();
                let outputs = take(&spoilt);
                let sample = check(&outputs).unwrap();
                let structural = matches!(column.as_str(), "bridges" | "ports" | "interfaces");
                assert!(structural || sample.interfaces().count() == interfaces, "{table}.{column} = {odd}");
                assert!(!outputs.iter().any(|output| matches!(output, FeedOutput::Close(_))));
            }
        }
    }
}

#[test]
fn a_type_that_is_not_the_schemas_is_unknown_and_complained_about() {
    let mut spoilt = answer();
    let rows = spoilt["result"][2]["Port"].as_object_mut().unwrap();
    let access = rows.values_mut().find(|row| row["initial"]["name"] == "access").unwrap();
    access["initial"]["tag"] = json!("10");
    access["initial"]["trunks"] = json!([1]);
    let outputs = take(&spoilt);
    let sample = check(&outputs).unwrap();
    let access = sample.bridges.iter().flat_map(|bridge| &bridge.ports).find(|port| port.name.as_str() == "access");
    assert_eq!(access.unwrap().vlan, Figure::Unknown(Unknown::Malformed));
    let about: Vec<&str> = outputs
        .iter()
        .filter_map(
            |output| if let FeedOutput::Complaint(complaint) = output { Some(complaint.about.as_str()) } else { None },
        )
        .collect();
    assert_eq!(about, ["Port column tag", "Port column trunks"]);
}

#[test]
fn figures_out_of_range_are_malformed_not_zero() {
    let mut spoilt = answer();
    let rows = spoilt["result"][2]["Interface"].as_object_mut().unwrap();
    let row = &mut rows.values_mut().find(|row| row["initial"]["name"] == "vnet7").unwrap()["initial"];
    row["statistics"] = json!(["map", [["rx_bytes", -1], ["tx_bytes", 5]]]);
    row["mtu"] = json!(-1500);
    row["ofport"] = json!(70_000);
    let outputs = take(&spoilt);
    let sample = check(&outputs).unwrap();
    let (_, _, vnet7) = sample.interfaces().find(|(_, _, interface)| interface.name.as_str() == "vnet7").unwrap();
    let malformed = Some(Unknown::Malformed);
    assert_eq!(
        (vnet7.statistics.rx_bytes.why(), vnet7.mtu_bytes.why(), vnet7.ofport.why()),
        (malformed, malformed, malformed)
    );
    assert_eq!(
        (vnet7.statistics.tx_bytes, vnet7.statistics.rx_packets.why()),
        (Figure::Known(5), Some(Unknown::Missing))
    );
}

#[test]
fn deep_wide_and_repeated_answers_are_bounded() {
    let deep = format!("{{\"id\":\"vakt-1\",\"result\":{}{}}}", "[".repeat(1000), "]".repeat(1000));
    let outputs = asking(METHODS[0]).take(deep.as_bytes(), Mono(0));
    assert!(outputs.iter().any(|output| matches!(output, FeedOutput::Lost(1))), "{outputs:?}");
    check(&outputs);

    let mut wide = answer();
    let huge = "\u{202e}x".repeat(500_000);
    let rows = wide["result"][2]["Interface"].as_object_mut().unwrap();
    rows.values_mut().for_each(|row| row["initial"]["error"] = json!(huge));
    let first = wide.to_string();
    assert!(first.len() > MESSAGE_BYTES_MAX);
    for piece in [first.len(), 32 * 1024] {
        let mut feed = asking(METHODS[0]);
        let mut said = first.as_bytes().chunks(piece).map(|piece| feed.take(piece, Mono(0)));
        let last = said.find(|outputs| !outputs.is_empty()).unwrap();
        assert!(
            matches!(last.as_slice(), [FeedOutput::Close(why)] if why.as_str() == "a message is longer than 16777216 bytes")
        );
    }
    // Within the bound texts are cut.
    let rows = wide["result"][2]["Interface"].as_object_mut().unwrap();
    rows.values_mut().for_each(|row| row["initial"]["error"] = json!("\u{202e}x".repeat(50_000)));
    assert!(check(&take(&wide)).is_some());

    let twice = answer().to_string().replace("\"initial\":{", "\"initial\":{\"mtu\":1,\"mtu\":2,\"name\":\"first\",");
    assert!(check(&asking(METHODS[0]).take(twice.as_bytes(), Mono(0))).is_some());
}

#[test]
fn rows_that_refer_to_nothing_or_to_each_other_are_no_loop() {
    let mut spoilt = answer();
    let ports: Vec<String> = spoilt["result"][2]["Port"].as_object().unwrap().keys().cloned().collect();
    let bridges = spoilt["result"][2]["Bridge"].as_object_mut().unwrap();
    // Every bridge claims every port, and one that does not exist.
    let all: Vec<Value> = ports.iter().map(|uuid| json!(["uuid", uuid])).chain([json!(["uuid", "nowhere"])]).collect();
    bridges.values_mut().for_each(|row| row["initial"]["ports"] = json!(["set", all]));
    let outputs = take(&spoilt);
    let sample = check(&outputs).unwrap();
    assert!(sample.bridges.iter().all(|bridge| bridge.ports.len() == ports.len()));
    let said = |output: &FeedOutput<OvsSample>| matches!(output, FeedOutput::Complaint(what) if what.text.as_str() == "row nowhere is referred to and not there");
    assert!(outputs.iter().any(said));
    // A port that is claimed by very many bridges is put together a bounded number of times.
    let mut rows = serde_json::Map::new();
    for number in 0..1500 {
        let ports: Vec<Value> = ports.iter().map(|uuid| json!(["uuid", uuid])).collect();
        rows.insert(format!("b{number}"), json!({"initial": {"name": format!("b{number}"), "ports": ["set", ports]}}));
    }
    let bridges: Vec<Value> = rows.keys().map(|uuid| json!(["uuid", uuid])).collect();
    spoilt["result"][2]["Bridge"] = Value::Object(rows);
    let switch = spoilt["result"][2]["Open_vSwitch"].as_object_mut().unwrap();
    switch.values_mut().for_each(|row| row["initial"]["bridges"] = json!(["set", bridges]));
    let sample = check(&take(&spoilt)).unwrap();
    let kept: usize = sample.bridges.iter().map(|bridge| bridge.ports.len()).sum();
    assert!(
        sample.bridges.len() == BRIDGES_MAX && kept <= INTERFACES_MAX && sample.interfaces().count() <= INTERFACES_MAX
    );
    let mut empty = answer();
    empty["result"][2] = json!({});
    assert_eq!(check(&take(&empty)).unwrap().bridges, []);
}

#[test]
fn updates_of_no_sense_ask_again_or_are_left_out() {
    let rows = [
        json!(null),
        json!([]),
        json!({"Port": []}),
        json!({"Secret": {}}),
        json!({"Port": {"x": null}}),
        json!({"Port": {"x": {}}}),
        json!({"Port": {"x": {"modify": 1}}}),
        json!({"Port": {"x": {"insert": []}}}),
        json!({"Port": {"x": {"delete": null}}}),
        json!({"Port": {"x": {"explode": {}}}}),
    ];
    for rows in rows {
        let mut feed = asking(METHODS[0]);
        feed.take(&capture("every-kind.reload.json"), Mono(0));
        let message = json!({"method": "update3", "params": ["vakt-1", "0", rows], "id": null});
        let outputs = feed.take(message.to_string().as_bytes(), Mono(0));
        check(&outputs);
        let said = outputs.iter().any(|output| matches!(output, FeedOutput::Complaint(_) | FeedOutput::Resync));
        assert!(said, "{message}: {outputs:?}");
    }
}

#[test]
fn text_answers_cut_at_any_byte_are_understood_as_far_as_they_go() {
    let one_byte_less = |name: &str, understand: &dyn Fn(&[u8])| {
        let whole = capture(name);
        (0..whole.len()).for_each(|end| understand(&whole[..end]));
    };
    one_byte_less("every-kind.dump-ports.txt", &|bytes| assert_clean(&text::port_counters(bytes)));
    one_byte_less("every-kind.fdb.txt", &|bytes| assert_clean(&text::learned_addresses(bytes)));
    one_byte_less("every-kind.bond.txt", &|bytes| assert_clean(&text::bonds(bytes)));
    one_byte_less("every-kind.lacp.txt", &|bytes| assert_clean(&text::lacp(bytes)));
    one_byte_less("every-kind.dpif.txt", &|bytes| assert_clean(&text::datapaths(bytes)));
    one_byte_less("lab-kvm02.dpctl.txt", &|bytes| assert_clean(&text::datapath_counters(bytes)));
    one_byte_less("lab-kvm02.upcall.txt", &|bytes| assert_clean(&text::upcalls(bytes)));
    let bridges = super::folder().join("../../linux-bridge/debian-12/two-bridges.txt");
    let bridges = fs::read(bridges).unwrap();
    (0..bridges.len()).for_each(|end| assert_clean(&linux_bridge::interpret(&bridges[..end])));
}

/// Bytes that have no business in an answer.
const JUNK: [&[u8]; 12] = [
    b"\x1b[2J",
    b"\x00\x9b",
    b"\xff\xfe",
    "\u{202e}\u{200b}".as_bytes(),
    b"\n",
    b"\"",
    b": ",
    b"/",
    b"=",
    b"-1",
    b"18446744073709551616",
    b"---- x ----",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn junk_anywhere_in_a_session_is_no_panic(places in proptest::collection::vec((any::<prop::sample::Index>(), 0..JUNK.len()), 1..6)) {
        let mut bytes = session("lab-kvm02", METHODS[0]);
        for (place, junk) in places {
            let at = place.index(bytes.len());
            bytes.splice(at..at, JUNK[junk].iter().copied());
        }
        let mut feed: OvsFeed = asking(METHODS[0]);
        for piece in bytes.chunks(1500) {
            check(&feed.take(piece, Mono(0)));
        }
    }

    #[test]
    fn junk_anywhere_in_a_text_is_no_panic(which in 0..7_usize, places in proptest::collection::vec((any::<prop::sample::Index>(), 0..JUNK.len()), 1..6)) {
        let mut bytes = capture(["every-kind.dump-ports-names.txt", "every-kind.fdb.txt", "every-kind.bond.txt", "every-kind.lacp.txt", "every-kind.dpif.txt", "lab-kvm01.dpctl.txt", "lab-kvm01.upcall.txt"][which]);
        for (place, junk) in places {
            let at = place.index(bytes.len());
            bytes.splice(at..at, JUNK[junk].iter().copied());
        }
        assert_clean(&text::port_counters(&bytes));
        assert_clean(&text::learned_addresses(&bytes));
        assert_clean(&text::bonds(&bytes));
        assert_clean(&text::lacp(&bytes));
        assert_clean(&text::datapaths(&bytes));
        assert_clean(&text::datapath_counters(&bytes));
        assert_clean(&text::upcalls(&bytes));
        assert_clean(&linux_bridge::interpret(&bytes));
    }
}
