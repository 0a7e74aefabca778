//! The old primary comes back: read-only, whatever its file says, and only when it has nothing that the new one lacks.

use super::{BREAKS, break_primary, fail_over, scene};
use crate::{
    cluster::lab,
    program::{now, pause},
};
use scene::{Scene, sql};
use std::time::Duration;

/// A file that makes a server writable when it is started by anybody.
const WRITABLE: &str = "/etc/mysql/mariadb.conf.d/99-writable.cnf";

/// The file says that the old primary takes writes, until this goes.
struct Writable;

impl Writable {
    fn make() -> Self {
        let script = "printf '[mysqld]\\nread_only = 0\\n' >$0";
        lab::answer(&["exec", "db01", "sh", "-c", script, WRITABLE]);
        Self
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        lab::answer(&["exec", "db01", "rm", "-f", WRITABLE]);
    }
}

#[test]
fn an_old_primary_whose_file_says_writable_comes_back_read_only_or_not_at_all() {
    let Some(scene) = Scene::take() else { return };
    if !scene::is_mariadb() {
        return;
    }
    let file = Writable::make();
    break_primary(BREAKS[0].1);
    fail_over(&scene);
    let [primary] = scene::state().0[..] else { panic!("{:?}", scene::state()) };
    sql(primary, "insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + 7)");
    // Nobody starts it, not even its unit.
    lab::answer(&["exec", "db01", "systemctl", "start", "mariadb.service"]);
    assert_eq!(sql("db01", "select 1"), "");
    let output = scene.vakt(&["do", "mysql.rejoin", "db01", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("Reached: "), "{text}");
    assert_eq!(sql("db01", "select @@read_only"), "1");
    let start = now();
    while !scene::is_settled(primary) {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}\n{text}", scene::state());
        pause();
    }
    // One more transaction of its own, and it has diverged.
    drop(file);
    let script =
        "stop slave; reset slave all; insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + 9)";
    sql("db01", script);
    let output = scene.vakt(&["do", "mysql.rejoin", "db01", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        !output.status.success() && text.contains("has diverged: it has 1 transaction of domain 0: 0-31-"),
        "{text}"
    );
}
