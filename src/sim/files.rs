//! Files with settings of a simulated machine: what a capture tells of them, with what was changed since.
//!
//! A capture holds only lines that matter; every other line of the file is empty here.

use crate::wire::file_edit::{FileEdit, FileWay, KEPT, sum_of};
use std::{collections::BTreeMap, fmt::Write as _};

/// Puts a line at its number.
fn put(file: &mut Vec<u8>, number: &str, text: &str) {
    let there = String::from_utf8_lossy(file).lines().count();
    let before = number.parse::<usize>().unwrap_or(1).saturating_sub(1 + there);
    file.extend(std::iter::repeat_n(b'\n', before));
    file.extend_from_slice(text.as_bytes());
    file.push(b'\n');
}

/// The files of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Files {
    capture: &'static str,
    contents: BTreeMap<String, Vec<u8>>,
    /// Values below `/proc/sys` that were set since.
    kernel: BTreeMap<String, String>,
    /// The daemon that reads them says no to every change.
    pub refuses: bool,
}

impl Files {
    /// As a capture of the script tells them.
    pub fn new(capture: &'static str) -> Self {
        let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut open: Vec<&str> = Vec::new();
        for line in capture.lines() {
            match line.split_once(':') {
                Some(("sysctl" | "haproxy", path)) => open = vec![path],
                Some(("enter", path)) => open.push(path),
                Some(("leave", _)) => drop(open.pop()),
                Some(("line", rest)) => {
                    let (Some(path), Some((number, text))) = (open.last(), rest.split_once(' ')) else { continue };
                    put(contents.entry((*path).to_owned()).or_default(), number, text);
                }
                // A line of HAProxy's, after the number of which a colon stands.
                Some((number, text)) if number.parse::<usize>().is_ok() => {
                    let Some(path) = open.last() else { continue };
                    put(contents.entry((*path).to_owned()).or_default(), number, text);
                }
                _ => {}
            }
            if let Some(path) = open.last() {
                contents.entry((*path).to_owned()).or_default();
            }
        }
        Self { capture, contents, kernel: BTreeMap::new(), refuses: false }
    }

    /// The bytes of a file.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        self.contents.get(path).map(Vec::as_slice)
    }

    /// Writes a file, as somebody else on the machine does.
    pub fn write(&mut self, path: &str, bytes: &[u8]) {
        self.contents.insert(path.to_owned(), bytes.to_vec());
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.contents.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }

    /// Sets a value of the kernel, if it is what was seen; the exit status of the script.
    pub fn set_kernel(&mut self, path: &str, from: &str, to: &str) -> u32 {
        let start = format!("/proc/sys/{path}:");
        let captured = self.capture.lines().find_map(|line| line.strip_prefix(&start));
        let now = self.kernel.get(path).map(String::as_str).or(captured);
        if now != Some(from) {
            return 1;
        }
        self.kernel.insert(path.to_owned(), to.to_owned());
        0
    }

    /// Does what the script does on a node.
    ///
    /// # Errors
    /// In the script's words.
    pub fn carry_out(&mut self, edit: &FileEdit, way: FileWay) -> Result<(), String> {
        let (path, kept) = (&edit.path, &edit.kept);
        let is_new = edit.change.sum().is_none();
        if way == FileWay::Make {
            let now = self.contents.get(path).cloned();
            let made = edit.apply(now.as_deref()).map_err(|why| why.to_string())?;
            if self.refuses {
                return Err("the new file is not accepted, the old one is back".to_owned());
            }
            if let Some(now) = now {
                self.contents.insert(kept.clone(), now);
            }
            self.contents.insert(path.clone(), made);
            return Ok(());
        }
        let former = if is_new { None } else { self.contents.get(kept).cloned() };
        let made = edit.apply(former.as_deref()).map_err(|why| why.to_string())?;
        if self.contents.get(path) != Some(&made) {
            return Err(format!("{path} was edited since: it is left as it is"));
        }
        self.contents.remove(path);
        if let Some(former) = self.contents.remove(kept).filter(|_| !is_new) {
            self.contents.insert(path.clone(), former);
        }
        Ok(())
    }

    /// What the script says of them now.
    pub fn answer(&self) -> String {
        let mut text = String::new();
        let mut folder = "";
        let mut told: Vec<&str> = Vec::new();
        for line in self.capture.lines() {
            let (word, rest) = line.split_once(':').unwrap_or((line, ""));
            match word {
                "line" | "kept" | "haproxykept" | "sum" => continue,
                number if number.parse::<u32>().is_ok() => continue,
                "folder" => folder = rest,
                // The first file ends behind all that it includes.
                "leave" if told.first() == Some(&rest) => self.tell_new(folder, "enter", &mut text),
                "server" => self.tell_new("/etc/sysctl.d", "sysctl", &mut text),
                "end" if !self.capture.contains("\nserver:") => self.tell_new("/etc/sysctl.d", "sysctl", &mut text),
                _ => {}
            }
            if word == "end" {
                self.tell_kept(&mut text);
            }
            match word.strip_prefix("/proc/sys/").and_then(|path| self.kernel.get(path)) {
                Some(value) => text.extend([word, ":", value]),
                None => text.push_str(line),
            }
            text.push('\n');
            if word == "haproxy" {
                self.tell_haproxy(rest, &mut text);
            }
            if matches!(word, "enter" | "sysctl") {
                if word == "enter" {
                    told.push(rest);
                }
                self.tell_lines(rest, &mut text);
            }
        }
        text
    }

    /// Files of a folder that the capture does not know.
    fn tell_new(&self, folder: &str, word: &str, text: &mut String) {
        for path in self.contents.keys() {
            let is_here = path.strip_prefix(folder).is_some_and(|name| name.starts_with('/')) && !folder.is_empty();
            let is_known =
                self.capture.lines().any(|line| line.split_once(':').is_some_and(|(_, known)| known == path));
            if is_here && !is_known && !path.contains(KEPT) {
                let _ = writeln!(text, "{word}:{path}");
                self.tell_lines(path, text);
                if word == "enter" {
                    let _ = writeln!(text, "leave:{path}");
                }
            }
        }
    }

    fn tell_lines(&self, path: &str, text: &mut String) {
        let content = String::from_utf8_lossy(self.read(path).unwrap_or_default());
        for (line, number) in content.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
            let _ = writeln!(text, "line:{number} {line}");
        }
    }

    /// A file of HAProxy, and what earlier changes kept beside it.
    fn tell_haproxy(&self, path: &str, text: &mut String) {
        let tell = |path: &str, text: &mut String| {
            let content = String::from_utf8_lossy(self.read(path).unwrap_or_default()).into_owned();
            for (line, number) in content.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
                let _ = writeln!(text, "{number}:{line}");
            }
        };
        tell(path, text);
        let start = format!("{path}{KEPT}");
        for kept in self.contents.keys().filter(|kept| kept.starts_with(&start)) {
            let _ = writeln!(text, "haproxykept:{kept}");
            tell(kept, text);
        }
    }

    fn tell_kept(&self, text: &mut String) {
        for path in self.contents.keys().filter(|path| path.contains(KEPT)) {
            let _ = writeln!(text, "kept:{path}");
            self.tell_lines(path, text);
        }
        for (path, bytes) in &self.contents {
            let _ = writeln!(text, "sum:{} {path}", sum_of(bytes));
        }
    }
}
