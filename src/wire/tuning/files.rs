//! What the files of a node say about settings: `sysctl.d` in the order of systemd, option files of a database server in
//! the order in which it reads them, and what its command line says before them.
//!
//! Files of a database may hold secrets: only heads of groups, and lines that name a setting of the catalogue, leave the
//! node.

use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
        tuning::{FileValue, Technology, TuningSample, catalogue},
    },
    wire::complaints::Complaints,
};
use std::collections::BTreeMap;

/// Lines that are looked at.
const LINES_MAX: usize = 4_000;
/// Files within files.
const DEPTH_MAX: usize = 4;
/// Values that are kept.
const VALUES_MAX: usize = 200;

/// The folders of `sysctl.d`, the one that wins first. A file of the same name in a later one is not read at all.
const SYSCTL_FOLDERS: [&str; 5] =
    ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
/// Read last, so it wins.
const SYSCTL_LAST: &str = "/etc/sysctl.conf";

/// The script. Almost all of it is done by the shell itself. Values of the kernel are read by a `grep`: such a file is
/// at its end behind the first read, and some shells read byte by byte. A database costs one process more, for its command
/// line.
pub(super) fn script(has_database: bool) -> String {
    let kernel: Vec<&str> = catalogue().of(Technology::Kernel).map(|setting| setting.key.as_str()).collect();
    let paths: Vec<String> = kernel.iter().map(|key| format!("/proc/sys/{}", key.replace('.', "/"))).collect();
    let last = |key: &&str| key.rsplit('.').next().map(|word| format!("*{word}*")).unwrap_or_default();
    let kernel_lines: Vec<String> = kernel.iter().map(last).collect();
    let folders: Vec<String> = SYSCTL_FOLDERS.iter().map(|folder| format!("{folder}/*.conf")).collect();
    let mut script = format!(
        "printf 'settings:1\\n'; grep -sa '' {paths} /dev/null; \
         p() {{ n=0; while IFS= read -r l || [ -n \"$l\" ]; do n=$((n+1)); case $l in {lines}) \
         printf 'line:%s %s\\n' $n \"$l\";; esac; done <\"$1\"; }}; \
         for f in {folders} {SYSCTL_LAST}; do [ -f \"$f\" ] || continue; printf 'sysctl:%s\\n' \"$f\"; \
         if [ -r \"$f\" ]; then p \"$f\"; else printf 'closed:%s\\n' \"$f\"; fi; done",
        paths = paths.join(" "),
        lines = kernel_lines.join("|"),
        folders = folders.join(" "),
    );
    if has_database {
        script.push_str("; ");
        script.push_str(&script_of_options());
    }
    script.push_str("; printf 'end:1\\n'");
    script
}

/// In names of options `-` and `_` are the same.
fn script_of_options() -> String {
    let names: Vec<String> =
        catalogue().server_names().iter().map(|name| format!("*{}*", name.replace('_', "[-_]"))).collect();
    let names = names.join("|");
    // Without leading blanks, as the server reads it.
    let bare = |name: &str| format!("${{{name}#\"${{{name}%%[! \t]*}}\"}}");
    format!(
        "o() ( printf 'enter:%s\\n' \"$1\"; [ -r \"$1\" ] || {{ printf 'closed:%s\\n' \"$1\"; exit; }}; n=0; \
         while IFS= read -r l || [ -n \"$l\" ]; do n=$((n+1)); l={line}; case $l in '#'*|';'*) ;; \
         '!includedir'*) i=${{l#!includedir}}; i={name}; i=${{i%/}}; \
         [ $2 -ge {DEPTH_MAX} ] || for g in \"$i\"/*.cnf; do [ ! -f \"$g\" ] || o \"$g\" $(($2+1)); done;; \
         '!include'*) i=${{l#!include}}; i={name}; [ $2 -ge {DEPTH_MAX} ] || [ ! -f \"$i\" ] || o \"$i\" $(($2+1));; \
         '['*|{names}) printf 'line:%s %s\\n' $n \"$l\";; esac; done <\"$1\"; printf 'leave:%s\\n' \"$1\" ); \
         w='/etc/my.cnf /etc/mysql/my.cnf'; s=; for d in /proc/[0-9]*; do c=; {{ read -r c <$d/comm; }} 2>/dev/null; \
         case $s$c in mysqld|mariadbd) s=1; printf 'server:%s\\n' \"${{d#/proc/}}\"; \
         tr '\\0' '\\n' 2>/dev/null <$d/cmdline | {{ e=; while IFS= read -r a || [ -n \"$a\" ]; do case $a in \
         --defaults-file=*) w=${{a#*=}};; --no-defaults) w=;; --defaults-extra-file=*) e=${{a#*=}};; \
         --*) case $a in {names}) printf 'argument:%s\\n' \"$a\";; esac;; esac; done; \
         for f in $w $e; do [ ! -e \"$f\" ] || o \"$f\" 0; done; }};; esac; done; \
         [ -n \"$s\" ] || for f in $w; do [ ! -e \"$f\" ] || o \"$f\" 0; done",
        line = bare("l"),
        name = bare("i"),
    )
}

/// Reads an answer of the script into `sample`.
pub(super) fn read(bytes: &[u8], version: &Figure<Clean>, sample: &mut TuningSample, complaints: &mut Complaints) {
    let mut reader = Reader { version: version.as_ref().known().map(Clean::as_str), ..Reader::default() };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(LINES_MAX) {
        let line = Clean::line_from_bytes(line);
        if !reader.take(line.as_str()) {
            complaints.add("the settings' files", "a line that is not understood");
        }
    }
    if !reader.is_whole {
        complaints.add("the answer", "it is cut short; what files say is not known");
        let cut = Figure::Unknown(Unknown::Malformed);
        (sample.kernel_files, sample.option_files) = (cut.clone(), cut);
        sample.kernel = Figure::Known(reader.kernel);
        return;
    }
    let closed = |is_closed: bool, values: Vec<FileValue>| {
        if is_closed { Figure::Unknown(Unknown::NotPermitted) } else { Figure::Known(values) }
    };
    sample.kernel_files = closed(reader.is_sysctl_closed, reader.sysctl_winners());
    sample.option_files = closed(reader.is_option_closed, reader.options.into_values().collect());
    sample.kernel = Figure::Known(reader.kernel);
}

#[derive(Debug, Default)]
struct Reader<'v> {
    version: Option<&'v str>,
    kernel: Vec<(Clean, Clean)>,
    /// Files of `sysctl.d`, each with its values.
    sysctl: Vec<(String, Vec<FileValue>)>,
    is_sysctl_closed: bool,
    /// The option files that are open, each with whether its group is the server's.
    open: Vec<(Clean, bool)>,
    is_option_closed: bool,
    /// What counts so far: the last one wins, and a command line wins over all files.
    options: BTreeMap<String, FileValue>,
    arguments: Vec<String>,
    is_whole: bool,
}

impl Reader<'_> {
    /// Takes one line; whether it is understood.
    fn take(&mut self, line: &str) -> bool {
        let Some((word, rest)) = line.split_once(':') else { return false };
        if let Some(path) = word.strip_prefix("/proc/sys/") {
            return self.take_kernel(&path.replace('/', "."), rest);
        }
        match word {
            "settings" | "server" => {}
            "end" => self.is_whole = true,
            "sysctl" => {
                self.open.clear();
                self.sysctl.push((rest.to_owned(), Vec::new()));
            }
            "closed" if self.open.is_empty() => self.is_sysctl_closed = true,
            "closed" => {
                self.is_option_closed = true;
                self.open.pop();
            }
            "enter" if self.open.len() <= DEPTH_MAX => self.open.push((Clean::line(rest), false)),
            "leave" => {
                self.open.pop();
            }
            "argument" => return self.take_argument(rest),
            "line" => return self.take_line(rest),
            _ => return false,
        }
        true
    }

    fn take_kernel(&mut self, name: &str, value: &str) -> bool {
        let is_ours = catalogue().find(name).is_some() && self.kernel.len() < VALUES_MAX;
        if is_ours {
            self.kernel.push((Clean::line(name), Clean::line(value.trim())));
        }
        is_ours
    }

    fn take_line(&mut self, rest: &str) -> bool {
        let Some((number, text)) = rest.split_once(' ') else { return false };
        let Ok(number) = number.parse::<u32>() else { return false };
        let text = text.trim();
        if text.starts_with(['#', ';']) {
            return true;
        }
        if self.open.is_empty() { self.take_sysctl(number, text) } else { self.take_option_line(number, text) }
    }

    fn take_sysctl(&mut self, line: u32, text: &str) -> bool {
        let Some((file, values)) = self.sysctl.last_mut() else { return false };
        // A dash in front means that a failure does not matter. Any other line is one of another setting.
        let Some((name, value)) = text.trim_start_matches('-').split_once('=') else { return true };
        let name = name.trim().replace('/', ".");
        if catalogue().find(&name).is_some() && values.len() < VALUES_MAX {
            let file = Clean::line(file);
            values.push(FileValue { name: Clean::line(&name), value: Clean::line(value.trim()), file, line });
        }
        true
    }

    fn take_option_line(&mut self, line: u32, text: &str) -> bool {
        let version = self.version;
        let Some((file, is_servers)) = self.open.last_mut() else { return false };
        if let Some(group) = text.strip_prefix('[') {
            let Some((group, _)) = group.split_once(']') else { return false };
            *is_servers = is_group_of_server(group.trim(), version);
            return true;
        }
        if *is_servers && let Some((name, value)) = option(text) {
            let file = file.clone();
            self.keep(FileValue { name: Clean::line(&name), value: Clean::line(&value), file, line });
        }
        true
    }

    /// The command line comes first in the answer and wins over every file.
    fn take_argument(&mut self, rest: &str) -> bool {
        let Some((name, value)) = rest.strip_prefix("--").and_then(option) else { return false };
        let file = "the command line of the server".into();
        self.options
            .insert(name.clone(), FileValue { name: Clean::line(&name), value: Clean::line(&value), file, line: 0 });
        self.arguments.push(name);
        true
    }

    fn keep(&mut self, value: FileValue) {
        let name = value.name.as_str().to_owned();
        let is_ours = catalogue().server_names().contains(name.as_str());
        if is_ours && !self.arguments.contains(&name) && self.options.len() < VALUES_MAX {
            self.options.insert(name, value);
        }
    }

    /// Files in the order of their names, wherever they are; of those that share one the folder that wins; the last value
    /// counts.
    fn sysctl_winners(&self) -> Vec<FileValue> {
        let mut by_name: BTreeMap<&str, (usize, &Vec<FileValue>)> = BTreeMap::new();
        let mut last = None;
        for (path, values) in &self.sysctl {
            if path == SYSCTL_LAST {
                last = Some(values);
                continue;
            }
            let Some((folder, name)) = path.rsplit_once('/') else { continue };
            let rank = SYSCTL_FOLDERS.iter().position(|known| *known == folder).unwrap_or(SYSCTL_FOLDERS.len());
            let held = by_name.entry(name).or_insert((rank, values));
            if rank < held.0 {
                *held = (rank, values);
            }
        }
        let mut winners: BTreeMap<&str, &FileValue> = BTreeMap::new();
        for value in by_name.values().flat_map(|(_, values)| values.iter()).chain(last.into_iter().flatten()) {
            winners.insert(value.name.as_str(), value);
        }
        winners.into_values().cloned().collect()
    }
}

/// Groups that a server reads; those with a number only where it is its version's.
fn is_group_of_server(group: &str, version: Option<&str>) -> bool {
    if matches!(group, "mysqld" | "server" | "mariadb" | "mariadbd" | "client-server") {
        return true;
    }
    let numbered = ["mysqld-", "mariadb-", "mariadbd-"].iter().find_map(|head| group.strip_prefix(head));
    numbered.zip(version).is_some_and(|(number, version)| {
        version.strip_prefix(number).is_some_and(|rest| rest.starts_with('.') && !number.is_empty())
    })
}

/// `innodb-buffer-pool-size = 64M # words`, `skip_innodb_doublewrite`, `loose_x=1`: the server's name and the value.
fn option(text: &str) -> Option<(String, String)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    let name = name.strip_prefix("loose_").unwrap_or(&name);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let Some(value) = value else {
        let off = ["skip_", "disable_"].iter().find_map(|head| name.strip_prefix(head));
        let on = name.strip_prefix("enable_").unwrap_or(name);
        return Some(off.map_or_else(|| (on.to_owned(), "ON".to_owned()), |name| (name.to_owned(), "OFF".to_owned())));
    };
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    Some((name.to_owned(), quoted.unwrap_or(value).to_owned()))
}
