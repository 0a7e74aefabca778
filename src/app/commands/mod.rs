//! What each command does, by family.

pub(super) mod console;
pub(super) mod rows;
pub(super) mod screens;
pub(super) mod verbs;

use super::{
    command::{Danger, Here, Scope},
    screen::ScreenId,
};

const ROWS: Scope =
    Scope::Screens(&[ScreenId::Overview, ScreenId::Traffic, ScreenId::Nodes, ScreenId::Findings, ScreenId::Changes]);
const TABLES: Scope = Scope::Screens(&[ScreenId::Traffic, ScreenId::Nodes, ScreenId::Findings, ScreenId::Changes]);
/// Where a row can mean a server.
const VERBS: Scope = Scope::Screens(&ScreenId::ALL);
const LOOKS: Danger = Danger::Looks;

/// For commands that can always act.
#[expect(clippy::unnecessary_wraps, reason = "the shape of `Command::available`")]
fn always(_: &Here<'_>) -> Result<(), String> {
    Ok(())
}
