//! `vakt explain`: the two files of the document that vakt implements, as golden prose; what is no such file.

use std::{fs, path::Path, process::Command};

fn explain(args: &[&str]) -> (Option<i32>, String, String) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/headless/explained");
    let output =
        Command::new(env!("CARGO_BIN_EXE_vakt")).current_dir(folder).arg("explain").args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// `UPDATE=1` rewrites it.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/headless/explained").join(name);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap_or_default(), "{name}");
}

#[test]
fn each_line_of_the_documents_files_is_explained_and_what_they_lack_is_said() {
    for (file, page) in [("haproxy.cfg", "haproxy.txt"), ("my.cnf", "my.txt")] {
        let (code, text, error) = explain(&[file]);
        assert_eq!((code, error.as_str()), (Some(1), ""), "{text}");
        assert!(!text.contains("Not in vakt's list"), "{text}");
        golden(page, &text);
    }
    let text = explain(&["haproxy.cfg"]).1;
    for lacks in ["+ option httpchk GET /health.php", "+ stats socket ", "maxconn 100"] {
        assert!(text.contains(lacks), "{lacks}: {text}");
    }
}

#[test]
fn json_has_the_same_lines_and_remarks() {
    let (code, text, _) = explain(&["--json", "haproxy.cfg", "my.cnf", "--memory", "5632M"]);
    assert_eq!(code, Some(1));
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let of = |file: usize, key: &str| document["files"][file][key].as_array().unwrap().len();
    assert_eq!((of(0, "lines"), of(1, "lines")), (27, 10));
    assert!(of(0, "remarks") > of(1, "remarks") && of(1, "remarks") > 0);
    assert_eq!(document["files"][1]["lines"][2]["means"].as_str().unwrap().split(". ").next(), Some("4 GiB"));
}

#[test]
fn what_cannot_be_explained_is_said_for_every_file_and_nothing_is_printed() {
    let (code, text, error) = explain(&["neither.txt", "gone.cfg", "my.cnf"]);
    assert_eq!((code, text.as_str()), (Some(2), ""));
    assert!(
        error.contains("neither.txt: it is neither a haproxy.cfg") && error.contains("gone.cfg: No such file"),
        "{error}"
    );
    let (code, _, error) = explain(&["--memory", "much", "my.cnf"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("--memory much: say it as 8G"), "{error}");
}
