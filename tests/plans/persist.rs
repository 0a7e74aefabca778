//! `tune.set --persist` and `--put-back`: which file is changed, what is refused, and that a run leaves files as they were.

use super::{golden, plan_of, planned};
use crate::run::{
    cluster::Cluster,
    harness::{Harness, Script},
};
use vakt::{
    model::figure::Figure,
    plan::{Planned, ReasonKind, parts::Action},
    run::EndingKind,
    wire::{file_edit::FileChange, request::Call},
};

const LAB: &str = "/etc/mysql/mariadb.conf.d/90-lab.cnf";
const OWN: &str = "/etc/mysql/mariadb.conf.d/zz-vakt.cnf";

/// The files of db01, all of them.
fn files(cluster: &mut Cluster) -> Vec<(String, Vec<u8>)> {
    let files = &cluster.database("db01").files;
    files.all().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect()
}

/// Carries a plan out; the cluster afterwards.
fn done(cluster: Cluster, line: &str) -> Cluster {
    let plan = plan_of(&cluster, line);
    let mut harness = Harness::new(cluster, plan, Script::default());
    let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    assert_eq!(ending.kind, EndingKind::Reached, "{line}: {ending:?}");
    harness.cluster
}

/// Two settings were persisted before: one in a file that names it, one in vakt's own.
pub(super) fn persisted() -> Cluster {
    let first = done(Cluster::with_databases(), "tune.set db01 max_connections 300 --persist");
    done(first, "tune.set db01 innodb_io_capacity 400 --persist")
}

/// The kernel's value was persisted on every database before.
pub(super) fn kernel_persisted() -> Cluster {
    done(Cluster::with_databases(), "tune.set database vm.swappiness 10 --persist")
}

/// A cluster whose db01 has that text in that file.
fn with(path: &str, text: &[u8]) -> Cluster {
    let mut cluster = Cluster::with_databases();
    let database = cluster.database("db01");
    database.files.write(path, text);
    database.read_files();
    cluster
}

#[test]
fn what_was_persisted_is_put_back_byte_for_byte() {
    let before = files(&mut Cluster::with_databases());
    let mut there = persisted();
    let text = String::from_utf8(there.database("db01").files.read(LAB).unwrap().to_vec()).unwrap();
    assert!(text.contains("max_connections                   = 300\n"), "{text}");
    assert!(there.database("db01").files.read(OWN).is_some());
    let first = done(there, "tune.set db01 innodb_io_capacity 200 --put-back");
    let mut back = done(first, "tune.set db01 max_connections 200 --put-back");
    assert_eq!(files(&mut back), before);
    assert_eq!(back.database("db01").variable("max_connections").as_str(), "200");
}

#[test]
fn a_value_of_the_kernel_stands_where_it_counts_and_goes_without_a_trace() {
    const OWN: &str = "/etc/sysctl.d/99-zz-vakt.conf";
    const LAST: &str = "/etc/sysctl.conf";
    let before = files(&mut Cluster::with_databases());
    let mut there = kernel_persisted();
    let text = there.database("db01").files.read(OWN).unwrap().to_vec();
    assert_eq!(String::from_utf8(text).unwrap(), "# Written by vakt tune.set --persist.\nvm.swappiness = 10\n");
    let mut back = done(there, "tune.set database vm.swappiness 60 --put-back");
    assert_eq!(files(&mut back), before);
    // What is read last counts: the line is changed there, and nowhere else.
    let named = with(LAST, b"# by hand\n vm.swappiness=30\n");
    let mut named = done(named, "tune.set db01 vm.swappiness 5 --persist");
    let database = named.database("db01");
    assert!(database.files.read(OWN).is_none());
    let text = String::from_utf8(database.files.read(LAST).unwrap().to_vec()).unwrap();
    assert_eq!(text, "# by hand\n vm.swappiness=5\n");
}

#[test]
fn a_value_keeps_its_line_as_it_is() {
    let cases: [(&[u8], &[u8]); 5] = [
        (b"[mysqld]\n\tmax-connections\t=\t200 # why\n", b"[mysqld]\n\tmax-connections\t=\t300 # why\n"),
        (b"[mysqld]\r\nmax_connections=200\r\n", b"[mysqld]\r\nmax_connections=300\r\n"),
        (b"[mysqld]\nmax_connections = '200'", b"[mysqld]\nmax_connections = '300'"),
        (
            b"[mysqld]\nmax_connections=100\n[mariadb]\nmax_connections=200\n",
            b"[mysqld]\nmax_connections=100\n[mariadb]\nmax_connections=300\n",
        ),
        (
            b"[mysqld]\nloose_max_connections = 200 # gr\xc3\xb6\xc3\x9fe\n",
            b"[mysqld]\nloose_max_connections = 300 # gr\xc3\xb6\xc3\x9fe\n",
        ),
    ];
    for (text, wanted) in cases {
        let mut cluster = done(with(LAB, text), "tune.set db01 max_connections 300 --persist");
        let found = String::from_utf8_lossy(cluster.database("db01").files.read(LAB).unwrap()).into_owned();
        assert_eq!(found.as_bytes(), wanted, "{found:?}");
    }
}

#[test]
fn a_bare_word_gets_a_value() {
    let cluster = with(LAB, b"[mysqld]\nskip-innodb-doublewrite\nmax_connections=200\n");
    let mut cluster = done(cluster, "tune.set db01 innodb_doublewrite ON --persist");
    let text = cluster.database("db01").files.read(LAB).unwrap().to_vec();
    assert_eq!(text, b"[mysqld]\ninnodb_doublewrite = ON\nmax_connections=200\n");
}

#[test]
fn vakts_own_file_takes_more_lines_and_gives_them_back() {
    let first = done(Cluster::with_databases(), "tune.set db01 innodb_io_capacity 400 --persist");
    let mut second = done(first, "tune.set db01 innodb_lru_scan_depth 1024 --persist");
    let text = String::from_utf8(second.database("db01").files.read(OWN).unwrap().to_vec()).unwrap();
    assert_eq!(
        text,
        "# Written by vakt tune.set --persist.\n[mysqld]\ninnodb_lru_scan_depth = 1024\ninnodb_io_capacity = 400\n"
    );
    let mut back = done(second, "tune.set db01 innodb_lru_scan_depth 1536 --put-back");
    let text = String::from_utf8(back.database("db01").files.read(OWN).unwrap().to_vec()).unwrap();
    assert_eq!(text, "# Written by vakt tune.set --persist.\n[mysqld]\ninnodb_io_capacity = 400\n");
}

#[test]
fn what_runs_and_stands_so_already_is_left_alone() {
    let line = "tune.set db01 max_connections 200 --persist";
    assert!(matches!(planned(&Cluster::with_databases(), line), Ok(Planned::AlreadyThere(_))));
    // Only the file differs: nothing is set.
    let cluster = with(LAB, b"[mysqld]\nmax_connections=150\n");
    let plan = plan_of(&cluster, line);
    let writes: Vec<_> = plan.body.steps.iter().filter_map(|step| step.write()).collect();
    assert!(matches!(&writes[..], [one] if matches!(one.request.call, Call::FileEdit { .. })), "{writes:?}");
    assert!(matches!(plan.body.steps[0].action, Action::Write(_)));
}

#[test]
fn a_mysql_that_keeps_it_itself_is_told_so() {
    let mut cluster = Cluster::with_databases();
    let database = cluster.database("db01");
    let Figure::Known(variables) = &mut database.tuning.variables else { panic!("no variables") };
    let variable = variables.iter_mut().find(|variable| variable.name.as_str() == "max_connections").unwrap();
    (variable.persisted, variable.is_persisted) = (Some("200".into()), true);
    let planned = planned(&cluster, "tune.set db01 max_connections 300 --persist");
    golden("tune_persist_auto", &planned);
    let Ok(Planned::Plan(plan)) = planned else { panic!("no plan") };
    let words = plan.body.steps[0].write().unwrap().request.to_string();
    assert!(words.contains("set persist max_connections = 300"), "{words}");
}

#[test]
fn files_that_cannot_be_changed_are_refused() {
    type Spoil = fn(&mut Cluster);
    let cases: [(&str, &str, Spoil, ReasonKind); 5] = [
        (
            "refused_persist_link",
            "tune.set db01 max_connections 300 --persist",
            |cluster| file(cluster, |file| file.is_link = true),
            ReasonKind::NoWay,
        ),
        (
            "refused_persist_unread",
            "tune.set db01 max_connections 300 --persist",
            |cluster| file(cluster, |file| file.sum = None),
            ReasonKind::NoWay,
        ),
        (
            "refused_persist_no_text",
            "tune.set db01 max_connections 300 --persist",
            |cluster| {
                let database = cluster.database("db01");
                database.files.write(LAB, b"[mysqld]\nmax_connections = 200 # \x01\n");
                database.read_files();
            },
            ReasonKind::NotFit,
        ),
        (
            "refused_persist_files_unknown",
            "tune.set db01 max_connections 300 --persist",
            |cluster| {
                cluster.database("db01").tuning.option_files =
                    Figure::Unknown(vakt::model::figure::Unknown::NotPermitted);
            },
            ReasonKind::UnknownFact,
        ),
        ("refused_put_back_nothing", "tune.set db01 max_connections 150 --put-back", |_| {}, ReasonKind::NoWay),
    ];
    for (name, line, spoil, kind) in cases {
        let mut cluster = Cluster::with_databases();
        spoil(&mut cluster);
        let planned = planned(&cluster, line);
        golden(name, &planned);
        assert_eq!(planned.unwrap_err().reasons[0].kind, kind, "{name}");
    }
}

fn file(cluster: &mut Cluster, spoil: fn(&mut vakt::model::tuning::SettingsFile)) {
    let Figure::Known(files) = &mut cluster.database("db01").tuning.files else { panic!("no files") };
    spoil(files.iter_mut().find(|file| file.path.as_str() == LAB).unwrap());
}

/// Somebody edits the file at any moment: theirs stays, and vakt never takes it for its own.
#[test]
fn what_somebody_else_wrote_meanwhile_is_never_overwritten() {
    const THEIRS: &[u8] = b"[mysqld]\nmax_connections = 250 # ours\n";
    let plan = plan_of(&Cluster::with_databases(), "tune.set db01 max_connections 300 --persist");
    let mut moments = 0;
    for moment in 1.. {
        let meddle = |cluster: &mut Cluster| {
            let database = cluster.database("db01");
            database.files.write(LAB, THEIRS);
            database.read_files();
        };
        let script = Script { meanwhile: Some((moment, meddle)), ..Script::default() };
        let mut harness = Harness::new(Cluster::with_databases(), plan.clone(), script);
        let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
        if harness.events < moment {
            break;
        }
        moments = moment;
        let text = harness.cluster.database("db01").files.read(LAB).unwrap().to_vec();
        assert_eq!(text, THEIRS, "after {moment} events: {ending:?}");
    }
    assert!(moments > 4, "only {moments} moments");
}

/// The daemon says no: nothing runs otherwise, and the file is as it was.
#[test]
fn a_file_that_its_daemon_refuses_changes_nothing() {
    let mut cluster = Cluster::with_databases();
    cluster.database("db01").files.refuses = true;
    let before = files(&mut cluster);
    let plan = plan_of(&cluster, "tune.set db01 max_connections 300 --persist");
    assert!(matches!(&plan.body.steps[0].write().unwrap().request.call,
        Call::FileEdit { edit, .. } if matches!(edit.change, FileChange::Splice { .. })));
    let mut harness = Harness::new(cluster, plan, Script::default());
    let ending = harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    assert_ne!(ending.kind, EndingKind::Reached);
    assert!(ending.kind != EndingKind::NeedsOperator, "{ending:?}");
    assert_eq!(files(&mut harness.cluster), before);
    assert_eq!(harness.cluster.database("db01").variable("max_connections").as_str(), "200");
}
