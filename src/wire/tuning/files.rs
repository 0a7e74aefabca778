//! What the files of a node say about settings: `sysctl.d` in the order of systemd, option files of a database server in
//! the order in which it reads them, and what its command line says before them.
//!
//! Files of a database may hold secrets: only heads of groups, and lines that name a setting of the catalogue, leave the
//! node.

use super::haproxy_files;
use crate::{
    model::{
        figure::{Figure, Unknown},
        text::Clean,
        tuning::{FileValue, Head, SettingsFile, Span, Technology, TuningSample, catalogue},
    },
    wire::{complaints::Complaints, file_edit::KEPT},
};
use std::collections::BTreeMap;

/// Lines that are looked at.
const LINES_MAX: usize = 4_000;
/// Files within files.
const DEPTH_MAX: usize = 4;
/// Files that are kept.
const FILES_MAX: usize = 100;
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
pub(super) fn script(has_database: bool, has_haproxy: bool) -> String {
    let kernel: Vec<&str> = catalogue().of(Technology::Kernel).map(|setting| setting.key.as_str()).collect();
    let paths: Vec<String> = kernel.iter().map(|key| format!("/proc/sys/{}", key.replace('.', "/"))).collect();
    let folders: Vec<String> = SYSCTL_FOLDERS.iter().map(|folder| format!("{folder}/*.conf")).collect();
    let mut script = format!(
        "printf 'settings:1\\n'; set --; grep -sa '' {paths} /dev/null; \
         p() {{ n=0; while IFS= read -r l || [ -n \"$l\" ]; do n=$((n+1)); case $l in {lines}) \
         printf 'line:%s %s\\n' $n \"$l\";; esac; done <\"$1\"; }}; \
         for f in {folders} {SYSCTL_LAST}; do [ -f \"$f\" ] || continue; set -- \"$@\" \"$f\"; printf 'sysctl:%s\\n' \"$f\"; \
         if [ -r \"$f\" ]; then p \"$f\"; else printf 'closed:%s\\n' \"$f\"; fi; done",
        paths = paths.join(" "),
        lines = kernel_names(),
        folders = folders.join(" "),
    );
    if has_haproxy {
        script.push_str(&haproxy_files::script());
    }
    if has_database {
        script.push_str("; ");
        script.push_str(&script_of_options());
    }
    script.push_str(&script_of_kept(has_database));
    script.push_str("; printf 'end:1\\n'");
    script
}

/// What is known of the files themselves: what earlier changes kept beside them, checksums, and which are links. Two
/// processes more, however many files there are.
fn script_of_kept(has_database: bool) -> String {
    // The files of a server are found once more in its own answer.
    const FOUND: &str = "q=$(t); printf '%s\\n' \"$q\"; i=$IFS; IFS=$(printf '\\nx'); IFS=${IFS%x}; set -f; for f in $q; do \
                         case $f in enter:*) set -- \"$@\" \"${f#enter:}\";; esac; done; set +f; IFS=$i; ";
    let (mut lines, read) = if has_database { (option_names() + "|'['*|", FOUND) } else { (String::new(), "") };
    lines.push_str(&kernel_names());
    format!(
        "; {read}for f do for g in \"$f\"{KEPT}*; do [ -f \"$g\" ] || continue; set -- \"$@\" \"$g\"; printf 'kept:%s\\n' \"$g\"; \
         [ ! -r \"$g\" ] || {{ n=0; while IFS= read -r l || [ -n \"$l\" ]; do n=$((n+1)); case $l in {lines}) \
         printf 'line:%s %s\\n' $n \"$l\";; esac; done <\"$g\"; }}; done; done; for f do [ ! -L \"$f\" ] || printf 'link:%s\\n' \"$f\"; done; \
         [ $# -eq 0 ] || sha256sum -- \"$@\" 2>/dev/null | while read -r n f; do printf 'sum:%s %s\\n' $n \"$f\"; done"
    )
}

fn kernel_names() -> String {
    let last = |setting: &crate::model::tuning::Setting| setting.key.rsplit('.').next().map(|word| format!("*{word}*"));
    catalogue().of(Technology::Kernel).filter_map(last).collect::<Vec<_>>().join("|")
}

fn option_names() -> String {
    let names: Vec<String> =
        catalogue().server_names().iter().map(|name| format!("*{}*", name.replace('_', "[-_]"))).collect();
    names.join("|")
}

/// In names of options `-` and `_` are the same.
fn script_of_options() -> String {
    let names = option_names();
    // Without leading blanks, as the server reads it.
    let bare = |name: &str| format!("${{{name}#\"${{{name}%%[! \t]*}}\"}}");
    format!(
        "o() ( printf 'enter:%s\\n' \"$1\"; [ -r \"$1\" ] || {{ printf 'closed:%s\\n' \"$1\"; exit; }}; n=0; \
         while IFS= read -r l || [ -n \"$l\" ]; do n=$((n+1)); r=$l; l={line}; case $l in '#'*|';'*) ;; \
         '!includedir'*) i=${{l#!includedir}}; i={name}; i=${{i%/}}; \
         printf 'folder:%s\\n' \"$i\"; \
         [ $2 -ge {DEPTH_MAX} ] || for g in \"$i\"/*.cnf; do [ ! -f \"$g\" ] || o \"$g\" $(($2+1)); done;; \
         '!include'*) i=${{l#!include}}; i={name}; [ $2 -ge {DEPTH_MAX} ] || [ ! -f \"$i\" ] || o \"$i\" $(($2+1));; \
         '['*|{names}) printf 'line:%s %s\\n' $n \"$r\";; esac; done <\"$1\"; printf 'leave:%s\\n' \"$1\" ); \
         t() {{ w='/etc/my.cnf /etc/mysql/my.cnf'; s=; for d in /proc/[0-9]*; do c=; {{ read -r c <$d/comm; }} 2>/dev/null; \
         case $s$c in mysqld|mariadbd) s=1; printf 'server:%s\\n' \"${{d#/proc/}}\"; \
         tr '\\0' '\\n' 2>/dev/null <$d/cmdline | {{ e=; while IFS= read -r a || [ -n \"$a\" ]; do case $a in \
         --defaults-file=*) w=${{a#*=}};; --no-defaults) w=;; --defaults-extra-file=*) e=${{a#*=}};; \
         --*) case $a in {names}) printf 'argument:%s\\n' \"$a\";; esac;; esac; done; \
         for f in $w $e; do [ ! -e \"$f\" ] || o \"$f\" 0; done; }};; esac; done; \
         [ -n \"$s\" ] || for f in $w; do [ ! -e \"$f\" ] || o \"$f\" 0; done; }}",
        line = bare("l"),
        name = bare("i"),
    )
}

/// Reads an answer of the script into `sample`.
pub(super) fn read(bytes: &[u8], version: &Figure<Clean>, sample: &mut TuningSample, complaints: &mut Complaints) {
    let mut reader = Reader { version: version.as_ref().known().map(Clean::as_str), ..Reader::default() };
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(LINES_MAX) {
        let is_cr = line.ends_with(b"\r");
        let line = if is_cr { &line[..line.len() - 1] } else { line };
        let text = Clean::line_from_bytes(line);
        let is_as_it_stands = |(byte, shown): (&u8, &u8)| byte == shown || (*byte == b'\t' && *shown == b' ');
        let shown = text.as_str().as_bytes();
        (reader.with_cr, reader.is_exact) =
            (is_cr, line.len() == shown.len() && line.iter().zip(shown).all(is_as_it_stands));
        if !reader.take(text.as_str()) {
            complaints.add("the settings' files", "a line that is not understood");
        }
    }
    if !reader.is_whole {
        complaints.add("the answer", "it is cut short; what files say is not known");
        let cut = Figure::Unknown(Unknown::Malformed);
        (sample.kernel_files, sample.option_files) = (cut.clone(), cut);
        sample.files = Figure::Unknown(Unknown::Malformed);
        sample.haproxy = Figure::Unknown(Unknown::Malformed);
        sample.kernel = Figure::Known(reader.kernel);
        return;
    }
    let closed = |is_closed: bool, values: Vec<FileValue>| {
        if is_closed { Figure::Unknown(Unknown::NotPermitted) } else { Figure::Known(values) }
    };
    sample.kernel_files = closed(reader.is_sysctl_closed, reader.sysctl_winners());
    sample.option_folder = reader.folder.take().map(|folder| Clean::line(&folder));
    sample.files = Figure::Known(std::mem::take(&mut reader.files));
    sample.haproxy = match std::mem::take(&mut reader.haproxy).finish() {
        Some(Ok(config)) => Figure::Known(config),
        Some(Err(())) => Figure::Unknown(Unknown::NotPermitted),
        None => Figure::Unknown(Unknown::Missing),
    };
    sample.option_files = closed(reader.is_option_closed, reader.options.into_values().collect());
    sample.kernel = Figure::Known(reader.kernel);
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about what was read")]
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
    /// The files that were named, in this order.
    files: Vec<SettingsFile>,
    /// Whether lines are those of a file that an earlier change kept.
    is_kept: bool,
    folder: Option<String>,
    haproxy: haproxy_files::Files,
    /// Of the present line: how it ends, and whether it is shown as it stands.
    with_cr: bool,
    is_exact: bool,
    is_whole: bool,
}

impl Reader<'_> {
    /// Takes one line; whether it is understood.
    fn take(&mut self, line: &str) -> bool {
        let Some((word, rest)) = line.split_once(':') else { return false };
        if let Some(path) = word.strip_prefix("/proc/sys/") {
            return self.take_kernel(&path.replace('/', "."), rest);
        }
        if let Ok(number) = word.parse::<u32>() {
            return self.haproxy.line(number, rest, self.is_exact, self.with_cr);
        }
        match word {
            "haproxy" => {
                self.file(rest);
                self.haproxy.open(rest, false);
            }
            "haproxykept" => self.haproxy.open(rest, true),
            "closed" if self.haproxy.close() => {}
            "folder" if self.open.len() == 1 => self.folder = Some(rest.to_owned()),
            "settings" | "server" | "folder" => {}
            "end" => self.is_whole = true,
            "sysctl" => {
                self.open.clear();
                self.haproxy.leave();
                self.file(rest);
                self.sysctl.push((rest.to_owned(), Vec::new()));
            }
            "closed" if self.open.is_empty() => self.is_sysctl_closed = true,
            "closed" => {
                self.is_option_closed = true;
                self.open.pop();
            }
            "enter" if self.open.len() <= DEPTH_MAX => {
                self.haproxy.leave();
                self.file(rest);
                self.open.push((Clean::line(rest), false));
            }
            "leave" => {
                self.open.pop();
            }
            "kept" => {
                self.is_kept = true;
                self.haproxy.leave();
                self.file(rest);
            }
            "link" => {
                if let Some(file) = self.file(rest) {
                    file.is_link = true;
                }
            }
            "sum" => return self.take_sum(rest),
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
        if text.trim().starts_with(['#', ';']) {
            return true;
        }
        if self.is_kept {
            self.take_kept(number, text);
            return true;
        }
        if self.open.is_empty() { self.take_sysctl(number, text) } else { self.take_option_line(number, text) }
    }

    fn take_sysctl(&mut self, line: u32, text: &str) -> bool {
        let is_exact = self.is_exact;
        let Some((file, values)) = self.sysctl.last_mut() else { return false };
        // Any other line is one of another setting.
        if let Some(found) = sysctl_value(file, line, text, is_exact)
            && values.len() < VALUES_MAX
        {
            values.push(found);
        }
        true
    }

    fn take_option_line(&mut self, line: u32, text: &str) -> bool {
        let version = self.version;
        let Some((file, is_servers)) = self.open.last_mut() else { return false };
        let file = file.clone();
        if let Some(group) = text.trim_start().strip_prefix('[') {
            let Some((group, _)) = group.split_once(']') else { return false };
            *is_servers = is_group_of_server(group.trim(), version);
            let head = Head { text: Clean::line(text), line, with_cr: self.with_cr };
            if *is_servers && let Some(file) = self.file(file.as_str()) {
                file.heads.push(head);
            }
            return true;
        }
        if *is_servers && let Some(found) = option_value(file.as_str(), line, text, self.is_exact) {
            self.keep(found);
        }
        true
    }

    /// The command line comes first in the answer and wins over every file.
    fn take_argument(&mut self, rest: &str) -> bool {
        let of = "the command line of the server";
        let Some(found) = rest.strip_prefix("--").and_then(|text| option_value(of, 0, text, false)) else {
            return false;
        };
        let name = found.name.as_str().to_owned();
        self.options.insert(name.clone(), found);
        self.arguments.push(name);
        true
    }

    /// A file that was named before, or is now.
    fn file(&mut self, path: &str) -> Option<&mut SettingsFile> {
        let path = Clean::line(path);
        let place = self.files.iter().position(|file| file.path == path);
        if place.is_none() && self.files.len() < FILES_MAX {
            self.files.push(SettingsFile { path, ..SettingsFile::default() });
            return self.files.last_mut();
        }
        self.files.get_mut(place?)
    }

    /// A line of a file that an earlier change kept: groups do not matter, because its change is told by its line.
    fn take_kept(&mut self, line: u32, text: &str) {
        let is_exact = self.is_exact;
        let Some(file) = self.files.last_mut() else { return };
        let head = Head { text: Clean::line(text), line, with_cr: self.with_cr };
        if text.trim_start().starts_with('[') {
            file.heads.push(head);
            return;
        }
        let path = file.path.as_str();
        let found = sysctl_value(path, line, text, is_exact).or_else(|| option_value(path, line, text, is_exact));
        if file.kept.len() < VALUES_MAX {
            file.kept.extend(found.filter(|found| catalogue().find(found.name.as_str()).is_some()));
        }
    }

    fn take_sum(&mut self, rest: &str) -> bool {
        let Some((sum, path)) = rest.split_once(' ') else { return false };
        let is_sum = sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_sum && let Some(file) = self.file(path) {
            file.sum = Some(Clean::line(sum));
        }
        is_sum
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

/// A line of `sysctl.d` that names a setting. A dash in front means that a failure does not matter.
fn sysctl_value(file: &str, line: u32, text: &str, is_exact: bool) -> Option<FileValue> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim().trim_start_matches('-').trim_start().replace('/', ".");
    catalogue().of(Technology::Kernel).find(|setting| setting.key == name)?;
    Some(FileValue {
        name: Clean::line(&name),
        value: Clean::line(value.trim()),
        file: Clean::line(file),
        line,
        text: Clean::line(text),
        span: span(text, value.trim(), false).filter(|_| is_exact),
    })
}

/// A line of an option file.
fn option_value(file: &str, line: u32, text: &str, is_exact: bool) -> Option<FileValue> {
    let (name, value, stands) = option(text)?;
    Some(FileValue {
        name: Clean::line(&name),
        value: Clean::line(&value),
        file: Clean::line(file),
        line,
        text: Clean::line(text),
        span: span(text, stands, value.as_str() != stands).filter(|_| is_exact),
    })
}

/// Where a part of a line stands, which must be a part of it.
fn span(text: &str, part: &str, is_name: bool) -> Option<Span> {
    let column = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let is_within = text.get(column..column + part.len()) == Some(part) && !part.is_empty();
    is_within.then_some(Span { column: column.try_into().ok()?, length: part.len().try_into().ok()?, is_name })
}

/// `innodb-buffer-pool-size = 64M # words`, `skip_innodb_doublewrite`, `loose_x=1`: the server's name, the value, and the
/// part of the text that says it.
fn option(text: &str) -> Option<(String, String, &str)> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let stands = name.trim();
    let name = stands.to_ascii_lowercase().replace('-', "_");
    let name = name.strip_prefix("loose_").unwrap_or(&name);
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    let Some(value) = value else {
        let off = ["skip_", "disable_"].iter().find_map(|head| name.strip_prefix(head));
        let on = name.strip_prefix("enable_").unwrap_or(name);
        let (name, value) = off.map_or((on, "ON"), |name| (name, "OFF"));
        return Some((name.to_owned(), value.to_owned(), stands));
    };
    let value = value.split_once(" #").map_or(value, |(value, _)| value).trim();
    let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let value = quoted.unwrap_or(value);
    Some((name.to_owned(), value.to_owned(), value))
}
