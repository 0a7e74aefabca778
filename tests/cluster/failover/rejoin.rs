//! The old primary comes back: read-only, whatever its file says, and only when it has nothing that the new one lacks.

use super::{BREAKS, break_primary, fail_over, family, scene};
use crate::{
    cluster::lab,
    program::{now, pause},
};
use scene::{Scene, sql};
use std::time::Duration;

/// The file says that the old primary takes writes, until this goes.
pub(super) struct Writable;

impl Writable {
    pub(super) fn make() -> Self {
        let (file, setting) = family::file_that_makes_writable();
        lab::answer(&["exec", "db01", "sh", "-c", "printf '[mysqld]\\n%s\\n' \"$1\" >$0", file, setting]);
        Self
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        lab::answer(&["exec", "db01", "rm", "-f", family::file_that_makes_writable().0]);
    }
}

#[test]
fn an_old_primary_whose_file_says_writable_comes_back_read_only_or_not_at_all() {
    let Some(scene) = Scene::take() else { return };
    let file = Writable::make();
    break_primary(BREAKS[0].1);
    fail_over(&scene);
    let [primary] = scene::state().0[..] else { panic!("{:?}", scene::state()) };
    sql(primary, "insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + 7)");
    // Nobody starts it, not even its unit.
    lab::answer(&["exec", "db01", "systemctl", "start", family::unit()]);
    assert_eq!(sql("db01", "select 1"), "");
    let output = scene.vakt(&["do", "mysql.rejoin", "db01", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("Reached: "), "{text}");
    assert_eq!(sql("db01", if scene::is_mariadb() { "select @@read_only" } else { "select @@super_read_only" }), "1");
    let start = now();
    while !scene::is_settled(primary) {
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}\n{text}", scene::state());
        pause();
    }
    // One more transaction of its own, and it has diverged.
    drop(file);
    // Past `read_only`, as root; past `super_read_only` nobody.
    let writes = "insert into lab.writes (id) values (unix_timestamp(now(6)) * 1000000 + 9)";
    let script = if scene::is_mariadb() {
        format!("{}; {writes}", family::forget())
    } else {
        format!("{}; set global super_read_only=0; {writes}; set global super_read_only=1", family::forget())
    };
    sql("db01", &script);
    let output = scene.vakt(&["do", "mysql.rejoin", "db01", "--yes"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && text.contains("has diverged: it has 1 transaction of "), "{text}");
}
