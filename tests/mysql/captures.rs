//! Every file `tests/captures/mysql/<version>/<name>.txt` is a test: facts and complaints are compared with the reviewed
//! snapshot. `tests/captures/mysql/capture` says how a file is made. A folder that ends in `-documented` was written by
//! hand from documentation.

use super::super::wire::render;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
};
use vakt::{
    model::mysql::MysqlSample,
    wire::mysql::{Answer, Answers, Literals, Rows, StatementId, interpret},
};

/// The folder of captures.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/mysql")
}

/// Every capture, in a fixed order.
pub(super) fn captures() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|version| version.unwrap().path())
        .filter(|version| version.is_dir())
        .flat_map(|version| fs::read_dir(version).unwrap())
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "txt"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "no captures");
    found
}

/// The answers of one capture: `mariadb-10.11/lab-primary.1`.
pub(super) fn answers(name: &str) -> Answers {
    read(&folder().join(format!("{name}.txt")))
}

/// The sample of one capture, literals masked.
pub(super) fn sample(name: &str) -> MysqlSample {
    interpret(&answers(name), Literals::Masked).0.unwrap()
}

pub(super) fn read(path: &Path) -> Answers {
    let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let blocks = text.split("\n=== ").map(|block| block.strip_prefix("=== ").unwrap_or(block));
    let answers = blocks.filter(|block| !block.starts_with('#')).map(|block| {
        let (head, body) = block.split_once('\n').unwrap_or((block, ""));
        let id = head.split('\t').next().unwrap();
        (statement_id(id), answer(body))
    });
    Answers(answers.collect())
}

pub(super) fn statement_id(word: &str) -> StatementId {
    serde_json::from_value(Value::String(word.to_owned())).unwrap()
}

fn answer(body: &str) -> Answer {
    if let Some(refused) = body.lines().find_map(|line| line.strip_prefix("ERROR ")) {
        let code = refused.split(' ').next().unwrap().parse().unwrap();
        let message = refused.split_once(": ").map_or(refused, |(_, message)| message);
        return Answer::Refused { code, message: message.into() };
    }
    Answer::Rows(rows(body))
}

/// What `mariadb -X` prints: `<row>`, within it `<field name="x">value</field>` or `<field name="x" xsi:nil="true" />`.
fn rows(xml: &str) -> Rows {
    let mut rows = Rows::default();
    for row in xml.split("<row>").skip(1) {
        let row = row.split("</row>").next().unwrap();
        let mut cells = Vec::new();
        for field in row.split("<field name=\"").skip(1) {
            let (name, rest) = field.split_once('"').unwrap();
            if rows.rows.is_empty() {
                rows.columns.push(unescaped(name));
            }
            let value = rest.strip_prefix('>').map(|rest| rest.split("</field>").next().unwrap());
            cells.push(value.map(|value| unescaped(value).into_bytes()));
        }
        rows.rows.push(cells);
    }
    rows
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}

#[test]
fn every_capture_gives_the_reviewed_facts() {
    for path in captures() {
        let (sample, complaints) = interpret(&read(&path), Literals::Masked);
        let version = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path("../captures/snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let value = sample.map(|sample| serde_json::to_value(sample).unwrap());
        settings.bind(|| insta::assert_snapshot!(format!("mysql@{version}@{name}"), render(value, &complaints)));
    }
}
