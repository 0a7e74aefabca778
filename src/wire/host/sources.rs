//! An answer of `grep` over many files, taken apart: each line with the file it came from.

use std::collections::BTreeMap;

/// Lines that are looked at in one answer; beyond it the rest is left out.
const LINES_MAX: usize = 20_000;

/// The lines of an answer by their source: the file's path, or our own word for a command's output.
#[derive(Debug, Default)]
pub(in crate::wire) struct Sources<'a> {
    by_path: BTreeMap<&'a str, Vec<&'a str>>,
    /// Lines without a source, as printed by the last command of the script.
    loose: Vec<&'a str>,
    /// Whether lines were left out.
    pub(in crate::wire) cut: bool,
}

impl<'a> Sources<'a> {
    /// Takes `text` apart. A source is a path from `/` to the first colon, or one of `words`.
    pub(in crate::wire) fn parse(text: &'a str, words: &[&str]) -> Self {
        let mut sources = Self::default();
        for (index, line) in text.lines().enumerate() {
            if index >= LINES_MAX {
                sources.cut = true;
                break;
            }
            match split_source(line, words) {
                Some((path, content)) => sources.by_path.entry(path).or_default().push(content),
                None => sources.loose.push(line),
            }
        }
        sources
    }

    /// The lines of one file, in its order; empty when it was absent.
    pub(in crate::wire) fn lines(&self, path: &str) -> &[&'a str] {
        self.by_path.get(path).map_or(&[], Vec::as_slice)
    }

    /// The only line of a file that has one.
    pub(in crate::wire) fn first(&self, path: &str) -> Option<&'a str> {
        self.lines(path).first().copied()
    }

    /// Every file whose path starts with `prefix` and ends with `suffix`: what lies between, and its lines.
    pub(in crate::wire) fn between(
        &self,
        prefix: &'a str,
        suffix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &[&'a str])> {
        self.by_path.range(prefix..).take_while(move |(path, _)| path.starts_with(prefix)).filter_map(
            move |(path, lines)| {
                let middle = path.get(prefix.len()..)?.strip_suffix(suffix)?;
                Some((middle, lines.as_slice()))
            },
        )
    }

    /// Lines without a source.
    pub(in crate::wire) fn loose(&self) -> &[&'a str] {
        &self.loose
    }
}

/// A path may contain a colon (unit names and old interface names do): files that may are recognised by their end.
fn split_source<'a>(line: &'a str, words: &[&str]) -> Option<(&'a str, &'a str)> {
    if line.starts_with("/sys/") {
        for known_end in [
            "/operstate:",
            "/address:",
            "/memory.current:",
            "/memory.usage_in_bytes:",
            "/queue/rotational:",
            "/dm/name:",
        ] {
            if let Some(at) = line.find(known_end) {
                return Some((&line[..at + known_end.len() - 1], &line[at + known_end.len()..]));
            }
        }
    }
    line.split_once(':').filter(|(source, _)| source.starts_with('/') || words.contains(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_belongs_to_the_file_that_grep_named() {
        let text =
            "clock:1.5\n/proc/stat:cpu  1 2\n/sys/class/net/a:b/operstate:up\n7 (x:y) D \n/proc/stat:ctxt 1\nevil:1\n";
        let sources = Sources::parse(text, &["clock"]);
        assert_eq!(sources.first("clock"), Some("1.5"));
        assert_eq!(sources.lines("/proc/stat"), ["cpu  1 2", "ctxt 1"]);
        assert_eq!(sources.loose(), ["7 (x:y) D ", "evil:1"]);
        let states: Vec<_> = sources.between("/sys/class/net/", "/operstate").collect();
        assert_eq!(states, [("a:b", &["up"][..])]);
    }
}
