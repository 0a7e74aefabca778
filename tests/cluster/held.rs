//! Changes that go back by themselves, on real servers: without a word, with one, and with the process killed that waits.

use super::lab::{Lab, answer};
use crate::program::now;
use std::{
    process::{Command, Output},
    time::Duration,
};

const SETTING: &str = "innodb_io_capacity";

struct Scene {
    lab: Lab,
    state: tempfile::TempDir,
    before: String,
}

impl Scene {
    fn take() -> Option<Self> {
        let lab = Lab::take_unhurried()?;
        let state = tempfile::tempdir().unwrap();
        Some(Self { lab, state, before: value() })
    }

    fn vakt(&self, words: &[&str], fault: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vakt"));
        command.args(["--config", self.lab.config(), "--state"]).arg(self.state.path()).args(words);
        command.env_remove("VAKT_FAULT").envs(fault.map(|fault| ("VAKT_FAULT", fault)));
        command.output().unwrap()
    }

    /// Sets it for that long; the exit code, and what was said.
    fn set(&self, to: &str, time: &str, more: &[&str], fault: Option<&str>) -> (Option<i32>, String) {
        let words = ["do", "tune.set", "db03", SETTING, to, "--revert-after", time, "--yes"];
        told(&self.vakt(&[&words[..], more].concat(), fault))
    }

    /// The newest run, as `vakt runs list --json` tells it.
    fn newest(&self) -> serde_json::Value {
        let listed = self.vakt(&["runs", "list", "--json"], None);
        let mut listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed["runs"][0].take()
    }

    /// Waits until the newest run says when it goes back.
    fn waits(&self) -> String {
        let until = now() + Duration::from_secs(10);
        loop {
            let run = self.newest();
            if run["goes_back_at"].is_string() {
                return run["id"].as_str().unwrap().to_owned();
            }
            assert!(now() < until, "it never waited: {run:#}");
        }
    }
}

fn value() -> String {
    answer(&["exec", "db03", "mysql", "-N", "-e", "select @@innodb_io_capacity"]).trim().to_owned()
}

fn told(output: &Output) -> (Option<i32>, String) {
    let said = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn without_a_word_it_is_back_on_time_and_with_one_it_stays() {
    let Some(scene) = Scene::take() else { return };
    let began = now();
    let (code, said) = scene.set("222", "10s", &[], None);
    let took = began.elapsed();
    assert_eq!((code, value()), (Some(5), scene.before.clone()), "{said}");
    assert!(took > Duration::from_secs(10) && took < Duration::from_secs(20), "{took:?}: {said}");

    let (code, said) = scene.set("223", "60s", &["--detach"], None);
    assert_eq!(code, Some(0), "{said}");
    let run = scene.waits();
    let (code, said) = told(&scene.vakt(&["runs", "keep", &run], None));
    assert_eq!((code, value()), (Some(0), "223".to_owned()), "{said}");
    let (code, said) = told(&scene.vakt(&["runs", "keep", &run], None));
    assert_eq!(code, Some(4), "nothing waits any more: {said}");

    let words = ["do", "tune.set", "db03", SETTING, &scene.before, "--yes"];
    let (code, said) = told(&scene.vakt(&words, None));
    assert_eq!((code, value()), (Some(0), scene.before.clone()), "{said}");
}

/// The twelfth boundary is the one behind the record that says until when it waits.
#[test]
fn the_process_that_waits_is_killed_and_the_next_one_takes_it_back_or_keeps_it() {
    let Some(scene) = Scene::take() else { return };
    let (code, said) = scene.set("224", "10s", &[], Some("kill@12"));
    assert_eq!((code, value()), (Some(7), "224".to_owned()), "{said}");
    let run = scene.waits();
    assert_eq!(scene.newest()["state"], "interrupted");
    let began = now();
    let (code, said) = told(&scene.vakt(&["runs", "resume", &run, "--yes"], None));
    assert_eq!((code, value()), (Some(5), scene.before.clone()), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "it waited for what was left, and no longer: {said}");

    let (code, said) = scene.set("225", "10m", &[], Some("kill@12"));
    assert_eq!((code, value()), (Some(7), "225".to_owned()), "{said}");
    let (code, said) = told(&scene.vakt(&["runs", "keep", &scene.waits()], None));
    assert_eq!((code, value()), (Some(0), "225".to_owned()), "{said}");

    let words = ["do", "tune.set", "db03", SETTING, &scene.before, "--yes"];
    let (code, said) = told(&scene.vakt(&words, None));
    assert_eq!((code, value()), (Some(0), scene.before.clone()), "{said}");
}
