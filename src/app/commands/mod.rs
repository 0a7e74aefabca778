//! What each command does, by family.

pub(super) mod addresses;
pub(super) mod console;
pub(super) mod databases;
pub(super) mod findings;
pub(super) mod guests;
pub(super) mod network;
pub(super) mod nodes;
pub(super) mod replay;
pub(super) mod rows;
pub(super) mod screens;
pub(super) mod tuning;
pub(super) mod verbs;

use super::{
    command::{Danger, Here, Scope},
    screen::ScreenId,
};

/// Screens with rows that open.
const ROWS: Scope = Scope::Screens(&[
    ScreenId::Overview,
    ScreenId::Traffic,
    ScreenId::Network,
    ScreenId::Machines,
    ScreenId::Nodes,
    ScreenId::Findings,
    ScreenId::Changes,
    ScreenId::Tune,
    ScreenId::WhatIf,
]);
/// Lists that can be filtered.
const TABLES: Scope = Scope::Screens(&[
    ScreenId::Traffic,
    ScreenId::Network,
    ScreenId::Machines,
    ScreenId::Nodes,
    ScreenId::Findings,
    ScreenId::Changes,
    ScreenId::Tune,
    ScreenId::WhatIf,
]);
/// Lists with several orders and more columns than fit.
const SORTED: Scope =
    Scope::Screens(&[ScreenId::Traffic, ScreenId::Network, ScreenId::Machines, ScreenId::Nodes, ScreenId::Tune]);
/// Lists with a pane of details.
const DETAILED: Scope = Scope::Screens(&[
    ScreenId::Traffic,
    ScreenId::Network,
    ScreenId::Machines,
    ScreenId::Findings,
    ScreenId::Changes,
    ScreenId::Tune,
    ScreenId::WhatIf,
]);
/// Where a row can mean a server.
const VERBS: Scope = Scope::Screens(&ScreenId::ALL);
const LOOKS: Danger = Danger::Looks;

/// For commands that can always act.
#[expect(clippy::unnecessary_wraps, reason = "the shape of `Command::available`")]
fn always(_: &Here<'_>) -> Result<(), String> {
    Ok(())
}
