//! The real program: it records by itself, and opens the console on what it recorded.

use super::{Live, player, recorded, story};
use crate::program::{Modes, Program};
use std::{fs, path::PathBuf, process::Command, time::Duration};
use vakt::{
    cli::replay::to,
    runtime::recorder::{ENDING, Target},
    view::picture,
};

/// Longest wait for anything here; reached only when something is wrong.
pub(super) const LIMIT: Duration = Duration::from_secs(20);

fn lonely() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let text = "[cluster]\nname = \"lonely\"\n[ssh]\nssh_config_file = \"none\"\nuse_agent = false\n\
                [[node]]\nname = \"n1\"\nroles = [\"web\"]\nmanagement = \"127.0.0.1\"\nport = 1\nuser = \"nobody\"\n";
    fs::write(&path, text).unwrap();
    (folder, path)
}

#[test]
fn the_console_records_by_itself_and_a_replay_opens_it() {
    let (folder, config) = lonely();
    let state = folder.path().join("state");
    let env = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let mut program = Program::vakt_with(&["--config", config.to_str().unwrap()], &env, 100, 30);
    program.wait_for("the node is down", LIMIT, |screen| screen.contains("lonely") && screen.contains("refused"));
    program.press("6");
    program.wait_for("the nodes", LIMIT, |screen| screen.contains("n1"));
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
    let recordings = state.join("vakt/lonely/recordings");
    let names: Vec<String> =
        fs::read_dir(&recordings).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.len() == 1 && names[0].ends_with(ENDING), "{names:?}");

    let mut replay = Program::vakt(&["replay", state.join("vakt/lonely").to_str().unwrap()], 120, 30);
    replay.wait_for("the banner", LIMIT, |screen| screen.contains(" replay 20") && screen.contains("lonely"));
    replay.press("\\");
    replay.wait_for("the end", LIMIT, |screen| screen.contains("the end, stopped") && screen.contains("refused"));
    replay.press("[");
    replay.wait_for("earlier", LIMIT, |screen| screen.contains("before the end, stopped"));
    replay.press("R");
    replay.wait_for("a refusal", LIMIT, |screen| screen.contains("the past cannot be changed"));
    replay.press("q");
    assert_eq!(replay.wait_for_end(LIMIT), 0);
    replay.wait_for_modes(&Modes::RESTORED, LIMIT);
}

#[test]
fn a_console_that_is_told_so_records_nothing() {
    let (folder, config) = lonely();
    let state = folder.path().join("state");
    let env = [("XDG_STATE_HOME", state.to_str().unwrap())];
    let mut program = Program::vakt_with(&["--no-record", "--config", config.to_str().unwrap()], &env, 100, 30);
    program.wait_for("the first frame", LIMIT, |screen| screen.contains("lonely"));
    program.press("q");
    assert_eq!(program.wait_for_end(LIMIT), 0);
    // The state folder of the cluster is there, for journals.
    let clusters: Vec<_> = fs::read_dir(state.join("vakt")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(clusters.len() == 1 && !clusters[0].join("recordings").exists(), "{clusters:?}");
}

#[test]
fn the_last_screen_is_printed_where_there_is_no_terminal() {
    let story = story(6);
    let (folder, path, app, _) = recorded(&story, 3_000);
    let run = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_vakt")).arg("replay").arg(&path).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let seen = picture::text(&picture::draw(&app));
    assert_eq!(run(&[]), seen);
    assert_eq!(run(&["--last-screen"]), seen);
    assert_eq!(run(&["--last-screen", "--at", "0s"]), seen);
    let mut half = player(&path);
    to(&mut half, Some(story.len() / 2)).unwrap();
    assert_eq!(run(&["--until", &(story.len() / 2).to_string()]), picture::text(&picture::draw(half.app())));
    assert_eq!(run(&["--size", "200x60"]).lines().count(), 60);
    let svg = folder.path().join("screen.svg");
    assert_eq!(run(&["--svg", svg.to_str().unwrap()]), "");
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    let wrong = Command::new(env!("CARGO_BIN_EXE_vakt"))
        .arg("replay")
        .arg(&path)
        .args(["--last-screen", "--at", "noon"])
        .output()
        .unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("is no moment"));
}

#[test]
fn a_folder_is_its_newest_recording_all_chapters_as_one_time_line() {
    let folder = tempfile::tempdir().unwrap();
    let target = || Target::Folder { path: folder.path().to_owned(), bounds: super::disk::ROOMY };
    let (app, _) = Live::start(target(), None, 2_000).tell(&story(6));
    fs::write(folder.path().join(format!("20200101T000000Z-1.00000{ENDING}")), "an old one, damaged").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_vakt")).arg("replay").arg(folder.path()).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), picture::text(&picture::draw(&app)));
}
