//! Option files of MySQL and MariaDB: each option in the words of the catalogue of settings.

use super::{Explanation, FileKind, Line, Meaning, Remark, catalogue};
use crate::model::{
    text::Clean,
    tuning::{Rule, Setting, catalogue as settings},
};

/// Groups that the server itself reads.
const OF_SERVER: [&str; 5] = ["mysqld", "server", "mariadb", "mariadbd", "galera"];

/// Options that say something when they are absent.
const SYNC_BINLOG: &str = "sync_binlog";
const FLUSH: &str = "innodb_flush_log_at_trx_commit";
const POOL: &str = "innodb_buffer_pool_size";

/// Explains the lines of a file.
pub(super) fn explain(lines: Vec<Clean>, memory_bytes: Option<u64>) -> Explanation {
    let mut remarks = Vec::new();
    let mut group = String::new();
    let mut first_of_server = None;
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut explained = Vec::with_capacity(lines.len());
    for (index, text) in lines.into_iter().enumerate() {
        let number = index + 1;
        let bare = text.as_str().trim();
        let mut shown = text.clone();
        let meaning = if bare.is_empty() || bare.starts_with(['#', ';']) {
            Meaning::Nothing
        } else if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.trim().clone_into(&mut group);
            if is_of_server(&group) && first_of_server.is_none() {
                first_of_server = Some(number);
            }
            Meaning::Known(Clean::line(&group_words(&group)))
        } else if let Some(path) = bare.strip_prefix("!includedir") {
            Meaning::Known(Clean::line(&format!("Files in {} are read here, too.", path.trim())))
        } else if let Some(path) = bare.strip_prefix("!include") {
            Meaning::Known(Clean::line(&format!("The file {} is read here, too.", path.trim())))
        } else {
            let (name, value) = option(bare);
            if name.contains("password") && !value.is_empty() {
                shown = Clean::line(&text.as_str().replace(&value, "***"));
            }
            if is_of_server(&group) {
                repeated(&mut seen, &name, number, &mut remarks);
                meaning(&name, &value, number, memory_bytes, &mut remarks)
            } else {
                Meaning::Known(Clean::line(&format!("For programs that read the group {group}; the server does not.")))
            }
        };
        explained.push(Line { number, text: shown, meaning });
    }
    if let Some(number) = first_of_server {
        missing(number, &seen, &mut remarks);
    }
    remarks.sort_by_key(|remark| remark.number);
    Explanation { kind: FileKind::OptionFile, lines: explained, remarks }
}

fn is_of_server(group: &str) -> bool {
    // [mysqld-8.0] and [mariadb-10.11] count for servers of that version.
    OF_SERVER.contains(&group.split('-').next().unwrap_or_default())
}

fn group_words(group: &str) -> String {
    match group {
        _ if is_of_server(group) => "For the server.".to_owned(),
        "client" | "client-server" | "client-mariadb" => "For every client program.".to_owned(),
        other => format!("For programs that read the group {other}."),
    }
}

/// The name with `_` and in small letters, as the server sees it, and the value without quotes and remark.
fn option(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').unwrap_or((line, ""));
    let name = name.trim().trim_start_matches("--").replace('-', "_").to_ascii_lowercase();
    let value = value.trim();
    let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split(quote).next());
    // A remark on the line of an option begins with '#' only.
    let value = quoted.unwrap_or_else(|| value.split('#').next().unwrap_or_default().trim());
    (name.strip_prefix("loose_").map_or(name.clone(), str::to_owned), value.to_owned())
}

fn repeated(seen: &mut Vec<(String, usize)>, name: &str, number: usize, remarks: &mut Vec<Remark>) {
    if let Some((_, before)) = seen.iter().find(|(known, _)| known == name) {
        let what = format!("{name} stands in line {before} already; the last line counts.");
        remarks.push(Remark::new(number, what, None));
    }
    seen.retain(|(known, _)| known != name);
    seen.push((name.to_owned(), number));
}

fn meaning(name: &str, value: &str, number: usize, memory_bytes: Option<u64>, remarks: &mut Vec<Remark>) -> Meaning {
    if let Some(means) = catalogue::option(name, value) {
        if name == "bind_address" && ["*", "0.0.0.0", "::"].contains(&value) {
            let what = "The database listens on every address, also a public one: name the private address.";
            remarks.push(Remark::new(number, what, Some("bind-address = 10.10.0.31")));
        }
        return Meaning::Known(Clean::line(&means));
    }
    let Some(setting) = settings().find(name) else { return Meaning::Unknown };
    let Some(canonical) = setting.unit.canonical(value) else {
        let what = format!("{name}: {value:?} is no value of its kind ({}).", setting.unit.name());
        remarks.push(Remark::new(number, what, None));
        return Meaning::Known(Clean::line(&setting.why));
    };
    let mut means = format!("{}. {}", setting.unit.words(&canonical), setting.why);
    if setting.key == POOL
        && let Ok(bytes) = canonical.parse::<u64>()
    {
        means.push_str(&pool(setting, bytes, memory_bytes, number, remarks));
    }
    judge(setting, name, &canonical, number, remarks);
    Meaning::Known(Clean::line(&means))
}

/// What can be said of a value without the server that runs with it.
fn judge(setting: &Setting, name: &str, canonical: &str, number: usize, remarks: &mut Vec<Remark>) {
    if setting.is_relaxed(canonical) {
        let loses = setting.loses.as_deref().unwrap_or_default();
        let instead = setting.safe.first().map(|safe| format!("{name} = {safe}"));
        remarks.push(Remark::new(number, format!("{name}: as it is, a crash loses: {loses}"), instead.as_deref()));
        return;
    }
    let value = canonical.parse::<u64>().ok();
    let words = |value: u64| setting.unit.words(&value.to_string());
    let advice = match &setting.recommend {
        Rule::Fixed { value: advised, also, .. }
            if advised != canonical && !also.iter().any(|one| one == canonical) =>
        {
            Some((format!("{name}: advised is {}. {}", setting.unit.words(advised), setting.why), advised.clone()))
        }
        Rule::AtLeast { value: least } if value.is_some_and(|value| value < *least) => {
            Some((format!("{name}: advised is at least {}. {}", words(*least), setting.why), least.to_string()))
        }
        Rule::AtMost { value: most } if value.is_some_and(|value| value > *most) => {
            Some((format!("{name}: advised is at most {}. {}", words(*most), setting.why), most.to_string()))
        }
        _ => None,
    };
    if let Some((what, advised)) = advice {
        remarks.push(Remark::new(number, what, Some(&format!("{name} = {advised}"))));
    }
}

/// How the buffer pool fits the machine's memory, or which machine it would fit.
fn pool(setting: &Setting, bytes: u64, memory_bytes: Option<u64>, number: usize, remarks: &mut Vec<Remark>) -> String {
    let Rule::ShareOfMemory { percent_min, percent_max } = setting.recommend else { return String::new() };
    let words = |bytes: u64| setting.unit.words(&bytes.to_string());
    let of = |percent: u64| bytes.saturating_mul(100) / percent;
    let tenths = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30));
    let Some(memory) = memory_bytes.filter(|memory| *memory > 0) else {
        return format!(
            " It is {percent_min} to {percent_max} % of a machine with {} to {}; --memory says what this one has.",
            tenths(of(percent_max)),
            tenths(of(percent_min)),
        );
    };
    let percent = bytes.saturating_mul(100) / memory;
    if !(percent_min..=percent_max).contains(&percent) {
        let fits = memory / 100 * percent_max;
        let side = if percent < percent_min {
            "Data that would fit is read from the disk"
        } else {
            "The kernel may run out of memory"
        };
        let what = format!(
            "{}: {percent} % of {}; {percent_min} to {percent_max} % is advised where the machine runs nothing else. {side}.",
            setting.key,
            words(memory),
        );
        remarks.push(Remark::new(number, what, Some(&format!("{} = {}M", setting.key, fits >> 20))));
    }
    format!(" It is {percent} % of this machine's {}.", words(memory))
}

/// What counts because no line says otherwise.
fn missing(number: usize, seen: &[(String, usize)], remarks: &mut Vec<Remark>) {
    let has = |name: &str| {
        let names =
            settings().find(name).map(|setting| setting.mariadb.iter().chain(&setting.mysql).cloned().collect());
        let names: Vec<String> = names.unwrap_or_default();
        seen.iter().any(|(known, _)| known == name || names.contains(known))
    };
    if !has(SYNC_BINLOG) && has(FLUSH) {
        let what = "sync_binlog is not said: MariaDB's default is 0 (MySQL's is 1). Commits are on the disk, and after a crash the \
                    end of the binary log, which replicas need, may not be.";
        remarks.push(Remark::new(number, what, Some("sync_binlog = 1")));
    }
    if !has("max_connections") {
        let what = "max_connections is not said; the default is 151. HAProxy may let more clients come than that: set it above \
                    the sum of what the servers of applications open.";
        remarks.push(Remark::new(number, what, None));
    }
}

#[cfg(test)]
mod tests {
    use super::super::explain;

    fn remarks(text: &str, memory_bytes: Option<u64>) -> Vec<(usize, String)> {
        let all = explain(text.as_bytes(), memory_bytes).unwrap().remarks;
        all.into_iter().map(|remark| (remark.number, remark.what.to_string())).collect()
    }

    const QUIET: &str = "sync_binlog = 1\nmax_connections = 500\n";

    #[test]
    fn a_value_that_a_crash_would_make_regret_is_said_and_a_safe_one_is_not() {
        let text = |value: &str| format!("[mysqld]\ninnodb-flush-log-at-trx-commit = {value} # really\n{QUIET}");
        assert_eq!(remarks(&text("1"), None), []);
        let relaxed = remarks(&text("2"), None);
        assert!(matches!(&relaxed[..], [(2, what)] if what.contains("a crash loses")), "{relaxed:?}");
    }

    #[test]
    fn a_pool_is_compared_with_the_memory_where_that_is_known() {
        let text = format!("[mysqld]\ninnodb_buffer_pool_size = 4G\n{QUIET}");
        let lines = explain(text.as_bytes(), None).unwrap().lines;
        assert!(format!("{:?}", lines[1]).contains("a machine with 5.0 GiB to 5.7 GiB"), "{:?}", lines[1]);
        assert_eq!(remarks(&text, Some(5632 << 20)), []);
        assert!(remarks(&text, Some(8 << 30))[0].1.starts_with("innodb_buffer_pool_size: 50 % of 8 GiB"));
    }

    #[test]
    fn options_of_clients_do_not_count_and_their_passwords_are_not_shown() {
        let text = format!("[client]\npassword = hunter2\ninnodb_flush_log_at_trx_commit = 0\n[mysqld]\n{QUIET}");
        assert_eq!(remarks(&text, None), []);
        let lines = explain(text.as_bytes(), None).unwrap().lines;
        assert_eq!(lines[1].text.as_str(), "password = ***");
    }

    #[test]
    fn the_last_line_counts_and_what_is_no_value_is_said() {
        let text = format!("[mysqld]\nmax_connections = many\n{QUIET}");
        let all = remarks(&text, None);
        assert_eq!(all.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 4]);
        assert!(all[1].1.contains("stands in line 2 already"), "{all:?}");
    }
}
