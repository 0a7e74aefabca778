//! Settings: the page about them, what captures and option files say, and who differs from whom.

use std::{fs, path::Path};
use vakt::{
    history::tuning::{Mark, Row, survey},
    model::{
        figure::{Figure, Unknown},
        mysql::Dialect,
        time::{Mono, Now, Wall},
        tuning::{TuningSample, catalogue, page},
        world::World,
    },
    wire::{
        probe::{Complaint, Facts, ProbeId},
        request::Reply,
    },
};

fn capture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/tuning/debian-12-lab").join(name)).unwrap()
}

/// A server's answers, one reply a statement.
fn answers(text: &[u8]) -> Vec<Vec<u8>> {
    text.split_inclusive(|byte| *byte == b'\n').fold(Vec::new(), |mut replies: Vec<Vec<u8>>, line| {
        match replies.last_mut() {
            Some(reply) if !line.starts_with(b"= ") => reply.extend_from_slice(line),
            _ => replies.push(line.to_vec()),
        }
        replies
    })
}

fn interpret(replies: Vec<Vec<u8>>) -> (Option<TuningSample>, Vec<Complaint>) {
    let replies: Vec<Reply> = replies.into_iter().map(|bytes| Reply { bytes, ..Reply::default() }).collect();
    let (facts, complaints) = ProbeId::Tuning.probe().interpret(&replies);
    let sample = facts.map(|facts| match facts {
        Facts::Tuning(sample) => *sample,
        other => panic!("{other:?}"),
    });
    (sample, complaints)
}

fn sample(files: &[u8], server: &[u8]) -> TuningSample {
    let (sample, complaints) = interpret([vec![files.to_vec()], answers(server)].concat());
    assert_eq!(complaints, []);
    sample.unwrap()
}

/// What the script's answer alone says.
pub(crate) fn of_files(files: &[u8]) -> TuningSample {
    let (sample, complaints) = interpret(vec![files.to_vec()]);
    assert_eq!(complaints, []);
    sample.unwrap()
}

pub(crate) fn of_lab(who: &str) -> TuningSample {
    sample(&capture(&format!("{who}.files.txt")), &capture(&format!("{who}.server.txt")))
}

/// "running | file at | default".
fn told(sample: &TuningSample, key: &str) -> String {
    let reading = sample.reading(catalogue().find(key).unwrap());
    let known = |figure: &Figure<_>| match figure {
        Figure::Known(value) => format!("{value}"),
        Figure::Unknown(why) => format!("? {why}"),
    };
    let file = match &reading.configured {
        Figure::Known(Some((value, found))) => format!("{value} at {}:{}", found.file, found.line),
        Figure::Known(None) => "nothing".to_owned(),
        Figure::Unknown(why) => format!("? {why}"),
    };
    format!("{} | {file} | {}", known(&reading.running), known(&reading.default))
}

#[test]
fn the_page_of_settings_is_the_catalogues() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tuning.md");
    let wanted = page(catalogue());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "run UPDATE=1 cargo test the_page_of_settings");
}

#[test]
fn a_server_and_its_files_say_what_runs_what_is_written_and_where() {
    let sample = of_lab("primary");
    assert_eq!(sample.dialect, Figure::Known(Dialect::Mariadb));
    let lab = "/etc/mysql/mariadb.conf.d/90-lab.cnf";
    assert_eq!(told(&sample, "innodb_buffer_pool_size"), format!("67108864 | 67108864 at {lab}:25 | 134217728"));
    assert_eq!(told(&sample, "innodb_flush_method"), format!("O_DIRECT | O_DIRECT at {lab}:27 | O_DIRECT"));
    assert_eq!(told(&sample, "innodb_max_dirty_pages_pct"), "90 | nothing | 90");
    assert_eq!(told(&sample, "rpl_semi_sync_master_enabled"), "ON | nothing | OFF");
    // 4294967295 stands for twice the usual capacity.
    let worked_out = "2000 | nothing | ? not offered by this kernel or daemon";
    assert_eq!(told(&sample, "innodb_io_capacity_max"), worked_out);
    assert_eq!(told(&sample, "vm.swappiness"), "60 | nothing | ? not offered by this kernel or daemon");
    let pool = sample.variable("innodb_buffer_pool_size").known().unwrap();
    assert_eq!((pool.is_read_only, pool.minimum.as_ref().unwrap().as_str()), (Some(false), "2097152"));
    let method = sample.variable("innodb_flush_method").known().unwrap();
    assert_eq!((method.is_read_only, method.choices.len() > 4), (Some(true), true));
}

/// A node without a database.
fn of_edge() -> TuningSample {
    let (sample, complaints) = interpret(vec![capture("edge.files.txt")]);
    assert_eq!(complaints, []);
    sample.unwrap()
}

#[test]
fn a_node_without_a_database_has_a_kernel() {
    let sample = of_edge();
    assert_eq!(told(&sample, "net.core.somaxconn"), "4096 | nothing | ? not offered by this kernel or daemon");
    assert!(sample.variables.why().is_some());
}

#[test]
fn of_option_files_the_last_one_wins_in_groups_of_the_server_and_the_command_line_wins_over_all() {
    let files = b"settings:1\nserver:7\nargument:--sync-binlog=1000\nenter:/etc/mysql/my.cnf\nline:3 [mysqld]\n\
        line:4 innodb-io-capacity = 100\nenter:/etc/mysql/conf.d/a.cnf\nline:1 [client]\nline:2 max_connections=7\n\
        line:3 [mariadb-10.11]\nline:4 loose-innodb_io_capacity=\"300\" # fast\nline:5 [mariadb-11.4]\n\
        line:6 innodb_io_capacity=900\nleave:/etc/mysql/conf.d/a.cnf\nline:9 max_connections = 1K\n\
        line:10 skip-innodb-doublewrite\nline:11 sync_binlog=1\nline:12 password_and_sync_binlog=x\n\
        leave:/etc/mysql/my.cnf\nend:1\n";
    let sample = sample(files, &capture("primary.server.txt"));
    let file_of = |key: &str| told(&sample, key).split(" | ").nth(1).unwrap().to_owned();
    assert_eq!(file_of("innodb_io_capacity"), "300 at /etc/mysql/conf.d/a.cnf:4");
    assert_eq!(file_of("max_connections"), "1024 at /etc/mysql/my.cnf:9");
    assert_eq!(file_of("innodb_doublewrite"), "OFF at /etc/mysql/my.cnf:10");
    assert_eq!(file_of("sync_binlog"), "1000 at the command line of the server:0");
}

#[test]
fn of_the_kernels_files_the_last_name_wins_and_of_one_name_the_nearest_folder() {
    let files = b"settings:1\n/proc/sys/vm/swappiness:60\nsysctl:/etc/sysctl.d/50-a.conf\nline:1 vm.swappiness = 1\n\
        sysctl:/usr/lib/sysctl.d/50-a.conf\nline:1 vm.swappiness = 2\nline:2 vm/dirty_ratio=9\n\
        sysctl:/usr/lib/sysctl.d/60-b.conf\nline:7 -vm.swappiness=3\nline:8 # vm.swappiness=4\nend:1\n";
    let (sample, complaints) = interpret(vec![files.to_vec()]);
    let sample = sample.unwrap();
    assert_eq!(complaints, []);
    assert!(told(&sample, "vm.swappiness").starts_with("60 | 3 at /usr/lib/sysctl.d/60-b.conf:7"));
    assert_eq!(told(&sample, "vm.dirty_ratio").split(" | ").nth(1), Some("nothing"), "its file is hidden by another");
}

#[test]
fn a_file_that_cannot_be_read_or_an_answer_that_is_cut_makes_what_files_say_unknown() {
    let closed = b"settings:1\nserver:7\nenter:/etc/mysql/my.cnf\nline:1 [mysqld]\nline:2 sync_binlog=1\n\
        enter:/etc/mysql/secret.cnf\nclosed:/etc/mysql/secret.cnf\nleave:/etc/mysql/my.cnf\nend:1\n";
    let sample = sample(closed, &capture("primary.server.txt"));
    assert!(told(&sample, "sync_binlog").starts_with("1 | ? the login may not read it"));
    assert_eq!(sample.kernel_files, Figure::Known(Vec::new()), "those of the kernel were read");
    let (cut, complaints) = interpret(vec![closed[..60].to_vec()]);
    assert_eq!(cut.unwrap().option_files, Figure::Unknown(Unknown::Malformed));
    assert_eq!(complaints.len(), 1);
}

#[test]
fn a_mysql_says_by_its_own_view_what_is_persisted_and_where_values_end() {
    let server = b"= tuning_values rows\nVariable_name\tValue\ngtid_executed\t\nmax_connections\t500\n\
        innodb_redo_log_capacity\t104857600\ninnodb_log_file_size\t50331648\nversion\t8.4.2\n\
        = tuning_details rows\nVARIABLE_NAME\tVARIABLE_SOURCE\tVARIABLE_PATH\tMIN_VALUE\tMAX_VALUE\n\
        max_connections\tPERSISTED\t/var/lib/mysql/mysqld-auto.cnf\t1\t100000\n\
        innodb_redo_log_capacity\tCOMPILED\t\t8388608\t549755813888\n";
    let sample = sample(b"settings:1\nend:1\n", server);
    assert_eq!(sample.dialect, Figure::Known(Dialect::Mysql));
    let connections = sample.variable("max_connections").known().unwrap();
    assert!(connections.is_persisted && connections.is_read_only.is_none());
    assert_eq!(connections.maximum.as_ref().unwrap().as_str(), "100000");
    assert_eq!(told(&sample, "innodb_log_file_size"), "104857600 | nothing | 104857600", "its newer name counts");
}

#[test]
fn a_mysql_makes_its_pool_a_multiple_of_its_chunks_and_instances() {
    let server = |rest: &str| {
        let values =
            "= tuning_values rows\nVariable_name\tValue\ngtid_executed\t\ninnodb_buffer_pool_size\t1073741824\n";
        sample(b"settings:1\nend:1\n", format!("{values}{rest}version\t9.7.4\n").as_bytes())
    };
    let block = |sample: &TuningSample| sample.variable("innodb_buffer_pool_size").known().unwrap().block.clone();
    let told = server("innodb_buffer_pool_chunk_size\t134217728\ninnodb_buffer_pool_instances\t4\n");
    assert_eq!(block(&told).unwrap().as_str(), "536870912");
    assert_eq!(block(&server("innodb_buffer_pool_chunk_size\t134217728\n")), None, "half of it is nothing");
    assert_eq!(block(&of_lab("primary")).unwrap().as_str(), "1048576", "MariaDB tells its own");
}

fn rows(samples: [TuningSample; 3]) -> Vec<Row> {
    let inventory = crate::replay::inventory();
    let mut world = World::new(&inventory);
    let now = Now { mono: Mono(1000), wall: Wall(1000) };
    for (number, sample) in samples.into_iter().enumerate() {
        let name = format!("db0{}", number + 1);
        world.node_mut(&name.as_str().into()).unwrap().tuning.take(sample, now);
    }
    survey(&world, &inventory)
}

pub(crate) fn set(sample: &mut TuningSample, name: &str, value: &str, origin: &str) {
    let Figure::Known(variables) = &mut sample.variables else { panic!("no variables") };
    let variable = variables.iter_mut().find(|variable| variable.name.as_str() == name).unwrap();
    (variable.value, variable.origin) = (value.into(), Some(origin.into()));
}

#[test]
fn who_differs_from_most_and_from_its_file_stands_out() {
    let mut odd = of_lab("replica");
    set(&mut odd, "max_connections", "300", "SQL");
    set(&mut odd, "innodb_io_capacity", "400", "SQL");
    set(&mut odd, "innodb_flush_log_at_trx_commit", "2", "SQL");
    let rows = rows([of_lab("primary"), of_lab("replica"), odd]);
    let marks = |node: &str, key: &str| {
        let row = rows.iter().find(|row| row.node.as_str() == node && row.setting.key == key).unwrap();
        row.marks.iter().filter(|mark| mark.is_trouble()).map(|mark| mark.words(row.setting)).collect::<Vec<_>>()
    };
    assert_eq!(marks("db01", "max_connections"), Vec::<String>::new());
    assert_eq!(marks("db03", "max_connections"), ["2 of 3 have 200", "unlike its file"]);
    assert_eq!(marks("db03", "innodb_io_capacity"), ["2 of 3 have 200", "in no file"]);
    let flush = marks("db03", "innodb_flush_log_at_trx_commit");
    assert_eq!(flush, ["a crash loses more", "2 of 3 have 1", "unlike its file"]);
    assert_eq!(marks("db02", "rpl_semi_sync_slave_enabled"), Vec::<String>::new());
    assert!(rows.iter().any(|row| row.setting.key == "vm.swappiness" && row.marks == [Mark::NotAsAdvised]));
}
