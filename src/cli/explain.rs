//! `vakt explain`: a configuration file line by line, and what we would change. It reads that file and nothing else.

use super::{Exit, Stop, output};
use crate::{
    app::story::wrapped,
    model::{text::Clean, tuning::Unit},
    wire::explain::{self, Explanation, FileKind, Line, Meaning, Remark},
};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::Read,
    path::{Path, PathBuf},
};

/// Columns of a line of prose.
const WIDTH: usize = 100;
const INDENT: &str = "        ";

/// Explains each file; not well when there is something that we would change.
pub(super) fn run(paths: &[PathBuf], memory: Option<&str>, json: bool) -> Result<Exit, Stop> {
    let memory_bytes = memory.map(bytes_of).transpose()?;
    let mut explained = Vec::new();
    let mut troubles = Vec::new();
    for path in paths {
        let name = Clean::line(&path.to_string_lossy());
        let read = read(path).map_err(|error| error.to_string());
        match read.and_then(|bytes| explain::explain(&bytes, memory_bytes)) {
            Ok(explanation) => explained.push((name, explanation)),
            Err(why) => troubles.push(format!("vakt explain: {name}: {why}")),
        }
    }
    if !troubles.is_empty() {
        return Err(Stop::usage(troubles.join("\n")));
    }
    let text = if json {
        let documents: Vec<Value> = explained.iter().map(|(name, explanation)| document(name, explanation)).collect();
        let document = json!({ "files": documents });
        serde_json::to_string_pretty(&document).map_err(|error| Stop::failed(format!("vakt explain: {error}")))? + "\n"
    } else {
        explained.iter().map(|(name, explanation)| page(name, explanation)).collect::<Vec<_>>().join("\n")
    };
    output::out(&text)?;
    let is_well = explained.iter().all(|(_, explanation)| explanation.remarks.is_empty());
    Ok(if is_well { Exit::Ok } else { Exit::NotWell })
}

fn bytes_of(word: &str) -> Result<u64, Stop> {
    let bytes = Unit::Bytes.canonical(word).and_then(|bytes| bytes.parse().ok()).filter(|bytes| *bytes > 0);
    bytes.ok_or_else(|| Stop::usage(format!("vakt explain: --memory {}: say it as 8G or 16384M", Clean::line(word))))
}

/// The file's bytes, one more than are explained at most.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let limit = explain::BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn page(name: &Clean, explanation: &Explanation) -> String {
    let kind = match explanation.kind {
        FileKind::Haproxy => "the configuration of HAProxy",
        FileKind::OptionFile => "an option file of MySQL or MariaDB",
    };
    let mut text = format!("{name}: {kind}\n\n");
    for Line { number, text: line, meaning } in &explanation.lines {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}", format!("{number:>5}  {line}").trim_end());
        match meaning {
            Meaning::Nothing => {}
            Meaning::Known(means) => prose(&mut text, INDENT, means.as_str()),
            Meaning::Unknown => prose(&mut text, INDENT, "? Not in vakt's list; the daemon's manual knows it."),
        }
    }
    text.push_str(match explanation.remarks.len() {
        0 => "\nThere is nothing that we would change.\n",
        _ => "\nWhat we would change, and why\n",
    });
    for Remark { number, what, instead } in &explanation.remarks {
        text.push('\n');
        prose(&mut text, &format!("{number:>5}  "), what.as_str());
        if let Some(instead) = instead {
            let _ = writeln!(text, "     + {instead}");
        }
    }
    text
}

/// Text that hangs under its first line.
fn prose(page: &mut String, head: &str, text: &str) {
    let under = " ".repeat(head.len());
    for (index, line) in wrapped(text, WIDTH - head.len()).iter().enumerate() {
        let _ = writeln!(page, "{}{line}", if index == 0 { head } else { &under });
    }
}

fn document(name: &Clean, explanation: &Explanation) -> Value {
    let lines = explanation.lines.iter().map(|line| {
        let means = match &line.meaning {
            Meaning::Known(means) => Some(means),
            Meaning::Nothing | Meaning::Unknown => None,
        };
        json!({ "line": line.number, "text": line.text, "means": means, "is_known": line.meaning != Meaning::Unknown })
    });
    let remarks = explanation
        .remarks
        .iter()
        .map(|remark| json!({ "line": remark.number, "what": remark.what, "instead": remark.instead }));
    json!({ "file": name, "kind": explanation.kind, "lines": lines.collect::<Vec<_>>(), "remarks": remarks.collect::<Vec<_>>() })
}
