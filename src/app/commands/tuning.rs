//! The verb about settings. It makes words and shows them: the operator chooses the value, then its plan opens.

use super::super::{
    App, Overlay, changes,
    command::{Command, Danger, Scope},
    palette::Palette,
    rows::{RowId, Rows},
    screen::ScreenId,
    tune,
};

pub(in crate::app) const COMMANDS: &[Command] = &[Command {
    id: "change.setting",
    title: "Give this setting another value",
    hint: "set",
    doc: "Shows the words of the change with the advised value, to be changed; Enter opens the plan. A row of every \
          database, or of every load balancer, sets all of them.",
    scope: Scope::Screens(&[ScreenId::Tune]),
    danger: Danger::Setting,
    available: |here| {
        changes::not_now(here.app)?;
        match &here.row {
            Some(RowId::Setting(node, title)) => tune::can_set(here.app.seen(), node, title.as_str()),
            _ => Err("No setting is chosen here.".to_owned()),
        }
    },
    act: |app| {
        if let Some(words) = words(app) {
            app.overlay = Overlay::Palette(Palette::with(app, &words));
        }
        Vec::new()
    },
}];

fn words(app: &App) -> Option<String> {
    let rows = Rows::of(app);
    let Rows::Tune(folds) = &rows else { return None };
    Some(tune::words(app.seen(), folds.get(rows.place(app)?)?))
}
