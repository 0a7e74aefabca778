//! The README's table of exit codes is the program's, and bad input ends with the right one.

use std::{fs, process::Command};
use vakt::cli::{Exit, status_check::CheckState};

#[test]
fn the_readme_lists_every_exit_code_with_its_meaning() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    for (_, code, meaning) in Exit::TABLE {
        let row = format!("| {code} | {meaning} |");
        assert!(readme.contains(&row), "README.md lacks: {row}");
    }
    for (_, code, word, meaning) in CheckState::TABLE {
        let row = format!("| {code} | {word} | {meaning} |");
        assert!(readme.contains(&row), "README.md lacks: {row}");
    }
}

#[test]
fn a_check_that_has_no_answer_ends_with_3_and_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone.toml").to_string_lossy().into_owned();
    let output = Command::new(env!("CARGO_BIN_EXE_vakt"))
        .env("HOME", folder.path())
        .args(["--config", &gone, "status", "--check"])
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{stdout}");
    assert!(stdout.starts_with("VAKT UNKNOWN - ") && stdout.contains("gone.toml"), "{stdout}");
    assert_eq!(stdout.lines().count(), 1);
}

#[test]
fn unusable_input_ends_with_2_a_message_on_standard_error_and_nothing_on_standard_output() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.toml");
    fs::write(&broken, "[cluster]\nnam = \"x\"\n[[node]]\nname = \"n1\"\nroles = [\"wbe\"]\n").unwrap();
    let broken = broken.to_string_lossy().into_owned();
    let gone = folder.path().join("gone.toml").to_string_lossy().into_owned();
    for (args, says) in [
        (vec!["--config", &broken, "status"], "broken.toml:2"),
        (vec!["--config", &broken, "check"], "broken.toml:5"),
        (vec!["--config", &broken, "config", "check"], "broken.toml:2"),
        (vec!["--config", &gone, "status"], "no such file"),
        (vec!["replay", &gone], "gone.toml"),
        (vec!["nosuchcommand"], "nosuchcommand"),
        (vec!["status", "--nosuchflag"], "--nosuchflag"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_vakt"))
            .env("HOME", folder.path())
            .env_remove("VAKT_CONFIG")
            .args(&args)
            .output()
            .unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_example_is_printed_and_can_be_used() {
    let output = Command::new(env!("CARGO_BIN_EXE_vakt")).args(["config", "example"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    fs::write(&path, &output.stdout).unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_vakt")).arg("--config").arg(&path).args(["config", "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
