//! `vakt runs changed`: what is left changed. By the journals of this bastion; no node is asked.

use super::{
    Exit, Stop, output,
    runs::{json_text, moment},
    runs_document,
    table::{Align, Table},
};
use crate::{
    run::left::{Left, left},
    runtime::state::StateDir,
};

/// Prints it; well when nothing is left.
pub(super) fn run(state: &StateDir, json: bool) -> Result<Exit, Stop> {
    let ledger = state.fold()?;
    let changed = left(&state.runs(usize::MAX), &ledger);
    let exit = if changed.is_empty() { Exit::Ok } else { Exit::NotWell };
    if json {
        output::out(&json_text(&runs_document::changed(state.cluster().as_str(), changed))?)?;
        return Ok(exit);
    }
    if changed.is_empty() {
        output::out("Nothing is left changed.\n")?;
        return Ok(exit);
    }
    let columns = ["WHAT", "BACK", "BY", "SINCE", "RUN"].map(|name| (name, Align::Left));
    let mut table = Table::new(&columns);
    for one in &changed {
        let back = one.back_at.map_or_else(|| word(one).to_owned(), moment);
        table.row(vec![one.what.to_string(), back, one.by.to_string(), moment(one.since), one.run.to_string()]);
    }
    output::out(&table.text())?;
    Ok(exit)
}

/// What becomes of it.
fn word(one: &Left) -> &'static str {
    use crate::run::left::LeftKind;
    match one.kind {
        LeftKind::Undecided => "needs you",
        LeftKind::Running => "goes on",
        LeftKind::GoesBack => "by itself",
        LeftKind::Node | LeftKind::Server => "when somebody does",
        LeftKind::Setting => "with a restart",
    }
}
