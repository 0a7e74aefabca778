//! Settings of the simulation: the lab's captures, with what was set since.

use super::database::{Database, Databases, Mould};
use crate::{model::tuning::catalogue, sim::files::Files, wire::mysql::StatementId};
use std::collections::BTreeMap;

const EDGE: &str = include_str!("../../../tests/captures/tuning/debian-12-lab/edge.files.txt");
const FILES: &str = include_str!("../../../tests/captures/tuning/debian-12-lab/primary.files.txt");
const SERVER: &str = include_str!("../../../tests/captures/tuning/debian-12-lab/primary.server.txt");
const COMPARE: &str = "select variable_value = ";
const OF: &str = " from information_schema.GLOBAL_VARIABLES where variable_name = '";
const SET: &str = "set global ";
/// Whether commits wait for an acknowledgement.
const WAITS: &str = "rpl_semi_sync_master_enabled";

/// What the files of a machine say.
pub(super) fn files(has_database: bool) -> Files {
    Files::new(if has_database { FILES } else { EDGE })
}

impl Databases {
    /// Whether a machine carries a server.
    pub(super) fn is_on(&self, host: usize) -> bool {
        self.servers.iter().any(|server| server.host == host)
    }
}

/// What a server says of its settings.
pub(super) fn answer(server: &Database, statement: StatementId) -> String {
    let on = |is_on: bool| if is_on { "ON" } else { "OFF" }.to_owned();
    let mut values =
        BTreeMap::from([(WAITS, on(server.waits)), ("rpl_semi_sync_slave_enabled", on(server.acknowledges))]);
    values.extend(server.set.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let mould = Mould::of(SERVER, statement);
    if statement == StatementId::TuningValues { mould.named(&values) } else { mould.text() }
}

/// Whether a setting has the value that a statement compares it with; nothing where it asks for something else.
pub(super) fn compared(server: &Database, sql: &str) -> Option<String> {
    let (value, rest) = sql.strip_prefix(COMPARE)?.split_once(OF)?;
    let name = rest.strip_suffix('\'')?;
    let text = answer(server, StatementId::TuningValues);
    let running = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'))?;
    let unit = catalogue().find(name)?.unit;
    Some(u8::from(unit.canonical(running) == unit.canonical(value.trim_matches('\''))).to_string())
}

/// Sets what a statement sets; whether it is about a setting.
pub(super) fn set(server: &mut Database, sql: &str) -> bool {
    let Some((name, value)) = sql.strip_prefix(SET).and_then(|rest| rest.split_once(" = ")) else { return false };
    let is_setting = Mould::of(SERVER, StatementId::TuningValues).has(name);
    if name == WAITS {
        server.waits = matches!(value.trim_matches('\''), "1" | "ON");
    } else if is_setting {
        server.set.insert(name.to_owned(), value.trim_matches('\'').to_owned());
    }
    is_setting
}
