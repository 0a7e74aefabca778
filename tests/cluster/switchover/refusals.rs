//! What stands in the way on real servers is refused with its figure and its cure, and nothing is sent.

use super::{
    fault,
    scene::{self, Lines, Scene, sql},
};
use crate::program::{now, pause};
use std::{process::Stdio, time::Duration};

/// Refused until the words stand in it: faults take a moment to show.
fn refused_with(scene: &Scene, node: &str, words: &[&str]) {
    let start = now();
    loop {
        let output = scene.vakt(&["do", "mysql.switchover", "--to", node, "--plan"]);
        let text = String::from_utf8_lossy(&output.stdout).replace("\n    ", " ").replace("\n  ", " ");
        if words.iter().all(|word| text.contains(word)) && text.contains("Refused: ") {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "{words:?}: {text}");
        pause();
    }
}

#[test]
fn a_replica_that_is_not_fit_or_a_primary_that_is_busy_is_refused_with_its_cure() {
    let Some(scene) = Scene::take() else { return };
    let runs = scene.runs().len();
    let lagging = fault(&scene, &["fault", "replica-lag", "db02"], &["heal", "db02"]);
    refused_with(&scene, "db02", &["db02 cannot become the primary", "behind", "Wait until it has caught up"]);
    lagging.heal();
    let stopped = fault(&scene, &["fault", "replica-stop", "db03"], &["heal", "db03"]);
    refused_with(&scene, "db02", &["db03 could not follow db02", "receiver stopped", "Let it replicate first: start "]);
    stopped.heal();
    let errant = fault(&scene, &["fault", "errant", "db02"], &["heal", "db02"]);
    refused_with(&scene, "db02", &["which db01 lacks", "Compare the data first"]);
    // The other replica cannot be the way out: this one could not follow it.
    refused_with(&scene, "db03", &["db02 could not follow db03"]);
    errant.heal();
    let lonely = fault(&scene, &["fault", "semisync-none", "db01"], &["heal", "db01"]);
    refused_with(&scene, "db02", &["commits on db01 have no acknowledgement now", "nobody would acknowledge", "→"]);
    lonely.heal();
    let waiting = fault(&scene, &["fault", "row-locks", "db01"], &["heal", "db01"]);
    refused_with(&scene, "db02", &["a transaction with changes is open for", "or end it"]);
    waiting.heal();
    assert_eq!(scene.runs().len(), runs, "nothing was begun");
    assert!(scene::is_settled("db01"), "{:?}", scene::state());
}

#[test]
fn a_session_that_writes_past_read_only_is_refused_and_named() {
    let Some(scene) = Scene::take() else { return };
    if !scene::is_mariadb() {
        return; // Nobody writes past `super_read_only`.
    }
    sql(
        "db01",
        "create or replace user passer@'10.10.0.%' identified by 'pass'; grant read only admin on *.* to passer@'10.10.0.%'",
    );
    let session =
        Lines::of("db02", Stdio::null(), &["mariadb", "-upasser", "-ppass", "-h10.10.0.31", "-e", "select sleep(60)"]);
    refused_with(&scene, "db02", &["READ_ONLY ADMIN: passer (1 sessions)", "revoke READ_ONLY ADMIN"]);
    drop(session);
    sql("db01", "kill user passer; drop user passer@'10.10.0.%'");
    assert!(scene::is_settled("db01"), "{:?}", scene::state());
}
