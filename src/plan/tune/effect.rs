//! What a change of a setting does, in sentences.

use super::field::{Field, Seat};
use crate::{
    model::{figure::Figure, tune_act::Keep},
    plan::haproxy::list_words,
    wire::file_edit::FileWay,
};

/// Every sentence.
pub(super) fn effect(field: &Field<'_>, nodes: &str) -> Vec<String> {
    let setting = field.setting;
    let unit = setting.unit;
    let mut effect = Vec::new();
    for seat in field.to_change().filter(|seat| seat.sets) {
        effect.push(format!(
            "{} on {} goes from {} to {}.",
            seat.name,
            seat.node.name,
            unit.words(&seat.running),
            field.value_words()
        ));
    }
    if let Some(loses) = setting.loses.as_ref().filter(|_| field.relaxed().next().is_some()) {
        effect.push(format!("This makes a crash lose more. What can be lost: {loses}"));
    }
    if field.keep == Keep::No {
        effect.extend(after_restart(field));
    } else {
        effect.extend(field.to_change().flat_map(|seat| of_files(field, seat)));
    }
    let left: Vec<&str> =
        field.seats.iter().filter(|seat| !seat.is_changed()).map(|seat| seat.node.name.as_str()).collect();
    if !left.is_empty() {
        effect.push(format!("Left alone, because it is so already: {}.", left.join(", ")));
    }
    effect.extend(field.notes.iter().cloned());
    if let Some(since) = &setting.since {
        effect.push(format!("When it counts: {since}."));
    }
    effect.push(format!("Risk: {}", setting.risk));
    effect.push(format!("Clients of {nodes} stay connected."));
    effect
}

/// What becomes of the files of one server, and when it counts.
fn of_files(field: &Field<'_>, seat: &Seat<'_>) -> Vec<String> {
    let (name, unit, node) = (&seat.name, field.setting.unit, &seat.node.name);
    let mut words = Vec::new();
    if let Some(kept) = &seat.persisted {
        let was = unit.words(kept);
        words.push(format!(
            "The server on {node} keeps {name} in its mysqld-auto.cnf, which counts more than any file: it says {} instead of \
             {was} from then on.",
            field.value_words()
        ));
    }
    if let Some(keeping) = &seat.keeping {
        let path = &keeping.edit.path;
        let brings = keeping.brings.as_ref().map(|value| unit.words(value));
        words.push(match (keeping.way, brings, keeping.edit.change.sum()) {
            (FileWay::TakeBack, None, None) => {
                format!("{path} on {node}, which is vakt's own, is removed: a restart brings the default.")
            }
            (FileWay::TakeBack, brings, _) => format!(
                "{path} on {node} is again what it was before, byte for byte: a restart brings {}.",
                brings.unwrap_or_else(|| "the default".to_owned())
            ),
            (FileWay::Make, _, None) => format!("No file on {node} names it: {path} is written, and is read last."),
            (FileWay::Make, _, Some(_)) => format!(
                "The new {path} on {node} is judged by the daemon itself before it counts; the file as it was stays beside it \
                 as {}, for the way back. Remove it when nobody needs it.",
                keeping.edit.kept
            ),
        });
    }
    let has_file = seat.keeping.is_some() || seat.persisted.is_some();
    if has_file && !seat.sets && seat.running != field.value && field.keep == Keep::InFile {
        words.push(format!(
            "It counts when the server on {node} starts again: until then it runs with {}. Restart it when it does not carry the \
             writes.",
            unit.words(&seat.running)
        ));
    }
    if !has_file && field.keep == Keep::InFile {
        words.push(format!("The file on {node} says so already."));
    }
    words
}

/// What a restart brings back, one sentence for nodes of which the same is true.
fn after_restart(field: &Field<'_>) -> Vec<String> {
    let mut told: Vec<(String, Vec<&str>)> = Vec::new();
    for seat in field.to_change() {
        let brings = match &seat.configured {
            Figure::Known(Some((value, place))) if value.as_str() == field.value => {
                format!("brings this value, too ({}:{})", place.file, place.line)
            }
            Figure::Known(Some((value, place))) => {
                format!("brings back {} ({}:{})", field.setting.unit.words(value.as_str()), place.file, place.line)
            }
            Figure::Known(None) => "brings back the default, because no file names it".to_owned(),
            Figure::Unknown(why) => format!("brings back what files say, which is unknown: {why}"),
        };
        match told.iter_mut().find(|(known, _)| *known == brings) {
            Some((_, names)) => names.push(seat.node.name.as_str()),
            None => told.push((brings, vec![seat.node.name.as_str()])),
        }
    }
    told.into_iter()
        .map(|(brings, names)| format!("No file is changed: a restart of {} {brings}.", list_words(names)))
        .collect()
}
