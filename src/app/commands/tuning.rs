//! The verb about settings. It makes words and shows them: the operator chooses the value, then its plan opens.

use super::super::{
    App, Overlay, changes,
    command::{Command, Danger, Here, Scope},
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
          database sets all of them.",
    scope: Scope::Screens(&[ScreenId::Tune]),
    danger: Danger::Setting,
    available: |here| {
        changes::not_now(here.app)?;
        words(here).map(|_| ())
    },
    act: |app| {
        match words(&Here::of(app)) {
            Ok(words) => app.overlay = Overlay::Palette(Palette::with(app, &words)),
            Err(reason) => app.notify(reason),
        }
        Vec::new()
    },
}];

fn words(here: &Here<'_>) -> Result<String, String> {
    let app: &App = here.app;
    let Some(RowId::Setting(..)) = &here.row else { return Err("No setting is chosen here.".to_owned()) };
    let rows = Rows::of(app);
    let Rows::Tune(folds) = &rows else { return Err("No setting is chosen here.".to_owned()) };
    let fold = rows.place(app).and_then(|place| folds.get(place)).ok_or("No setting is chosen here.")?;
    let databases = app.inventory.nodes.iter().filter(|node| node.database.is_some()).count();
    tune::words(fold, databases)
}
