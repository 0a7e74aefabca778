//! Property: a feed that follows any changes knows in the end what a feed knows that asks then, in every dialect.
//!
//! The changes are written as the server writes them: `update` with whole rows; `update3` with what changed, by the
//! column's type.

use super::{METHODS, asking, told};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use vakt::{
    model::{ovs::OvsSample, time::Mono},
    wire::{feed::Feed as _, ovs::OvsFeed},
};

/// What a column holds, before it is written down.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    One(Value),
    Set(BTreeSet<String>),
    Map(BTreeMap<String, String>),
}

type Database = BTreeMap<(&'static str, String), BTreeMap<&'static str, Cell>>;

/// A port as the generator draws it.
#[derive(Debug, Clone)]
struct Drawn {
    tag: Option<u16>,
    trunks: BTreeSet<u16>,
    members: BTreeSet<u8>,
    ids: BTreeMap<u8, u8>,
    counters: BTreeMap<u8, u32>,
    mtu: u16,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (
        proptest::option::of(0_u16..4),
        proptest::collection::btree_set(1_u16..6, 0..4),
        proptest::collection::btree_set(0_u8..3, 1..3),
        proptest::collection::btree_map(0_u8..3, 0_u8..2, 0..3),
        proptest::collection::btree_map(0_u8..4, 0_u32..3, 0..4),
        1400_u16..1403,
    )
        .prop_map(|(tag, trunks, members, ids, counters, mtu)| Drawn { tag, trunks, members, ids, counters, mtu })
}

fn uuid(kind: u8, number: u8, member: u8) -> String {
    format!("00000000-0000-4000-8000-{kind:04}{number:04}{member:04}")
}

fn reference(uuid: &str) -> String {
    json!(["uuid", uuid]).to_string()
}

/// The rows of a switch with one bridge and these ports.
fn database(ports: &BTreeMap<u8, Drawn>) -> Database {
    let mut rows = Database::new();
    let (switch, bridge) = (uuid(0, 0, 0), uuid(1, 0, 0));
    rows.insert(("Open_vSwitch", switch), [("bridges", Cell::Set([reference(&bridge)].into()))].into());
    let all: BTreeSet<String> = ports.keys().map(|number| reference(&uuid(2, *number, 0))).collect();
    rows.insert(("Bridge", bridge), [("name", Cell::One(json!("br"))), ("ports", Cell::Set(all))].into());
    let ids = ["iface-id", "vm-id", "attached-mac"];
    let keys = ["rx_bytes", "tx_bytes", "rx_packets", "unheard_of"];
    for (number, port) in ports {
        let members = port.members.iter().map(|member| reference(&uuid(3, *number, *member))).collect();
        let trunks = port.trunks.iter().map(u16::to_string).collect();
        let cells = [
            ("name", Cell::One(json!(format!("port{number}")))),
            ("interfaces", Cell::Set(members)),
            ("tag", Cell::One(port.tag.map_or(json!(["set", []]), Value::from))),
            ("trunks", Cell::Set(trunks)),
        ];
        rows.insert(("Port", uuid(2, *number, 0)), cells.into());
        for member in &port.members {
            let texts = |at: &u8| json!(ids[usize::from(*at)]).to_string();
            let behind = port.ids.iter().map(|(at, value)| (texts(at), json!(format!("v{value}")).to_string()));
            let counters =
                port.counters.iter().map(|(at, value)| (json!(keys[usize::from(*at)]).to_string(), value.to_string()));
            let cells = [
                ("name", Cell::One(json!(format!("if{number}-{member}")))),
                ("mtu", Cell::One(json!(port.mtu))),
                ("external_ids", Cell::Map(behind.collect())),
                ("statistics", Cell::Map(counters.collect())),
            ];
            rows.insert(("Interface", uuid(3, *number, *member)), cells.into());
        }
    }
    rows
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn write_set(set: &BTreeSet<String>) -> Value {
    // As the server does: one element stands alone.
    match set.iter().collect::<Vec<_>>().as_slice() {
        [only] => parsed(only),
        all => json!(["set", all.iter().map(|text| parsed(text)).collect::<Vec<_>>()]),
    }
}

fn write_map(map: &BTreeMap<String, String>) -> Value {
    json!(["map", map.iter().map(|(key, value)| json!([parsed(key), parsed(value)])).collect::<Vec<_>>()])
}

fn write(cell: &Cell) -> Value {
    match cell {
        Cell::One(value) => value.clone(),
        Cell::Set(set) => write_set(set),
        Cell::Map(map) => write_map(map),
    }
}

fn write_row(row: &BTreeMap<&'static str, Cell>) -> Value {
    Value::Object(row.iter().map(|(name, cell)| ((*name).to_owned(), write(cell))).collect())
}

/// What turns one cell into the other, as `update2` and `update3` say it.
fn difference(from: &Cell, to: &Cell) -> Value {
    match (from, to) {
        (Cell::Set(from), Cell::Set(to)) => write_set(&from.symmetric_difference(to).cloned().collect()),
        (Cell::Map(from), Cell::Map(to)) => {
            let gone = from.iter().filter(|(key, _)| !to.contains_key(*key));
            let new = to.iter().filter(|(key, value)| from.get(*key) != Some(value));
            write_map(&gone.chain(new).map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        _ => write(to),
    }
}

fn put(updates: &mut Map<String, Value>, table: &str, uuid: &str, update: Value) {
    let rows = updates.entry(table).or_insert_with(|| json!({}));
    rows[uuid] = update;
}

fn cumulative(from: &Database, to: &Database) -> Value {
    let mut updates = Map::new();
    for ((table, uuid), row) in to {
        let Some(before) = from.get(&(*table, uuid.clone())) else {
            let word = if from.is_empty() { "initial" } else { "insert" };
            put(&mut updates, table, uuid, json!({ word: write_row(row) }));
            continue;
        };
        let changed: Map<String, Value> = row
            .iter()
            .filter(|(name, cell)| before[*name] != **cell)
            .map(|(name, cell)| ((*name).to_owned(), difference(&before[name], cell)))
            .collect();
        if !changed.is_empty() {
            put(&mut updates, table, uuid, json!({ "modify": changed }));
        }
    }
    for (table, uuid) in from.keys().filter(|key| !to.contains_key(*key)) {
        put(&mut updates, table, uuid, json!({ "delete": null }));
    }
    Value::Object(updates)
}

fn whole_rows(from: &Database, to: &Database) -> Value {
    let mut updates = Map::new();
    for ((table, uuid), row) in to {
        match from.get(&(*table, uuid.clone())) {
            None => put(&mut updates, table, uuid, json!({ "new": write_row(row) })),
            Some(before) if before != row => {
                put(&mut updates, table, uuid, json!({ "new": write_row(row), "old": write_row(before) }));
            }
            Some(_) => {}
        }
    }
    for ((table, uuid), row) in from.iter().filter(|(key, _)| !to.contains_key(*key)) {
        put(&mut updates, table, uuid, json!({ "old": write_row(row) }));
    }
    Value::Object(updates)
}

/// Tells a feed the first database and then each next one as a change.
struct Teller {
    feed: OvsFeed,
    method: &'static str,
    id: String,
    held: Database,
    sample: Option<OvsSample>,
}

impl Teller {
    fn new(method: &'static str) -> Self {
        let number = 1 + METHODS.iter().position(|other| *other == method).unwrap();
        Self { feed: asking(method), method, id: format!("vakt-{number}"), held: Database::new(), sample: None }
    }

    fn tell(&mut self, next: Database) {
        let rows = if self.method == "monitor" { whole_rows(&self.held, &next) } else { cumulative(&self.held, &next) };
        let id = &self.id;
        let message = match (self.held.is_empty(), self.method) {
            (true, "monitor_cond_since") => json!({"id": id, "result": [false, "0", rows], "error": null}),
            (true, _) => json!({"id": id, "result": rows, "error": null}),
            (false, "monitor_cond_since") => json!({"method": "update3", "params": [id, "0", rows], "id": null}),
            (false, "monitor_cond") => json!({"method": "update2", "params": [id, rows], "id": null}),
            (false, _) => json!({"method": "update", "params": [id, rows], "id": null}),
        };
        let (sample, complaints) = told(self.feed.take(message.to_string().as_bytes(), Mono(0)));
        assert_eq!(complaints, []);
        if sample.is_some() {
            self.sample = sample;
        }
        self.held = next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn following_changes_equals_asking_again(
        states in proptest::collection::vec(proptest::collection::btree_map(0_u8..4, drawn(), 0..4), 2..6),
    ) {
        for method in METHODS {
            let mut following = Teller::new(method);
            for state in &states {
                following.tell(database(state));
            }
            let mut asking_now = Teller::new(METHODS[0]);
            asking_now.tell(database(states.last().unwrap()));
            let mut followed = following.sample.unwrap();
            followed.rounds = 0;
            prop_assert_eq!(followed, asking_now.sample.unwrap());
        }
    }
}
