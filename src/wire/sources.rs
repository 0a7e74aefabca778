//! Many files of a node in one answer: the script that sends them, and the answer taken apart into each file's lines.

use std::{borrow::Cow, collections::BTreeMap};

/// Lines that are looked at in one answer; beyond it the rest is left out.
const LINES_MAX: usize = 20_000;

/// Shell text that sends a line, `$h`, and the files that are the arguments, those that are there.
///
/// A bash since version 4 reads what the kernel tells (`/proc`, `/sys`) itself, which costs the node a few microseconds a
/// file, and sends it whole behind a line with its length, so no content can pass for another file. Longer files than
/// 64 KiB, other files, which may hold secrets, and all of them where there is no such bash, are read by one `grep`, a
/// process of some milliseconds: it sends the lines that are selected, each behind its file's name. A bash that runs
/// again compares the other files with what it read before, and asks `grep` only when they differ. What was sent of the
/// kernel's files stays in `$o`.
macro_rules! send_files {
    ($selection:expr) => {
        concat!(
            "o=; g=; k=; x=; case ${BASH_VERSION:-} in [4-9].*|[1-9][0-9].*) LC_ALL=C; for f; do a=; case $f in ",
            r#"/proc/*|/sys/*) IFS= read -rd "" -n 65536 a <"$f"; case ${#a} in 0) ;; 65536) g="$g $f";; "#,
            r#"*) o+="file:${#a} $f"$'\n'"$a"$'\n';; esac;; "#,
            r#"*) [ -r "$f" ] && { k="$k $f"; IFS= read -rd "" -n 65536 a <"$f"; x+="$f $a"; "#,
            r#"[ ${#a} -lt 65536 ] || x+=$EPOCHREALTIME; };; esac; done; printf '%s\n%s' "$h" "$o"; "#,
            r#"[ -z "$k" ] || { [ "$x" = "${vakt_x:-}" ] || { vakt_x=$x; vakt_y=$(LC_ALL=C grep -sa "#,
            $selection,
            r#" $k /dev/null); }; printf '%s\n' "$vakt_y"; }; [ -z "$g" ] || LC_ALL=C grep -sa "#,
            $selection,
            " $g /dev/null;; *) o=$(LC_ALL=C grep -sa ",
            $selection,
            r#" "$@" /dev/null); printf '%s\n%s\n' "$h" "$o";; esac"#
        )
    };
}
pub(super) use send_files;

/// Shell text that adds files to the answer which change rarely, or of which there are many: a bash keeps what it read for
/// so many seconds, from one script to the next; elsewhere the files join the arguments. Each needs two variables of its
/// own. `$h`, what is sent first, ends without a line break before and after.
macro_rules! kept_files {
    ($($files:literal for $seconds:literal s in $when:literal $text:literal),+) => {
        concat!(
            "case ${BASH_VERSION:-} in [4-9].*|[1-9][0-9].*) ",
            $(
                "[ $((SECONDS / ", $seconds, ")) = \"${", $when, ":-}\" ] || { ",
                $when, "=$((SECONDS / ", $seconds, ")); ", $text, "=; for f in ", $files,
                "; do a=; read -r a <\"$f\"; [ -z \"$a\" ] || ", $text,
                r#"+=$'\n'"file:${#a} $f"$'\n'"$a"; done; }; h+=$"#, $text, "; ",
            )+
            ";; *) set -- \"$@\"", $(" ", $files,)+ ";; esac; "
        )
    };
}
pub(super) use kept_files;

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
    /// Takes `text` apart, the answer as [`as_text`] has it. A source is a path from `/` to the first colon, or one
    /// of `words`.
    pub(in crate::wire) fn parse(text: &'a str, words: &[&str]) -> Self {
        let mut sources = Self::default();
        let mut rest = text;
        let mut lines_left = LINES_MAX;
        while let Some((line, after)) = next_line(rest) {
            rest = after;
            if lines_left == 0 {
                sources.cut = true;
                break;
            }
            lines_left -= 1;
            if let Some((path, length)) = whole_file(line) {
                // A shorter answer was cut: what is there of the file counts.
                let length = length.min(rest.len());
                let Some((content, after)) = rest.split_at_checked(length) else { break };
                rest = after.strip_prefix('\n').unwrap_or(after);
                let file = sources.by_path.entry(path).or_default();
                file.extend(content.lines().take(lines_left));
                lines_left = lines_left.saturating_sub(file.len());
                continue;
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

/// The answer as text. What is no UTF-8 becomes as many question marks, so that lengths stay what the node said.
pub(in crate::wire) fn as_text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| '?'));
    }
    Cow::Owned(text)
}

fn next_line(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() { None } else { Some(text.split_once('\n').unwrap_or((text, ""))) }
}

/// `file:1234 /proc/stat`: what follows are so many bytes of it.
fn whole_file(line: &str) -> Option<(&str, usize)> {
    let (length, path) = line.strip_prefix("file:")?.split_once(' ')?;
    let length = length.parse().ok()?;
    path.starts_with('/').then_some((path, length))
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
    use proptest::prelude::*;

    #[test]
    fn a_whole_file_is_as_long_as_the_node_says_and_holds_nothing_else() {
        let text =
            "clock:1.5\nfile:24 /proc/stat\ncpu  1 2\nfile:3 /etc/x\n\nfile:4 /proc/net/dev\nab\n\n\n/a:b\n7 x\n";
        let sources = Sources::parse(text, &["clock"]);
        assert_eq!(sources.lines("/proc/stat"), ["cpu  1 2", "file:3 /etc/x", ""]);
        assert_eq!(sources.lines("/proc/net/dev"), ["ab", ""]);
        assert!(sources.lines("/etc/x").is_empty());
        assert_eq!(
            (sources.first("clock"), sources.first("/a"), sources.loose()),
            (Some("1.5"), Some("b"), &["7 x"][..])
        );
    }

    #[test]
    fn a_cut_or_odd_answer_is_no_harm() {
        for text in
            ["file:9 /a\nxy", "file:0 /a\n", "file:99999999999999999999 /a\n", "file: /a\nx", "file:3\n", "file:2 a\n"]
        {
            Sources::parse(text, &[]);
        }
        assert_eq!(Sources::parse("file:9 /a\nxy", &[]).lines("/a"), ["xy"]);
        let bytes = b"file:3 /a\nx\xff\xc3\nfile:1 /b\ny\n";
        let text = as_text(bytes);
        let sources = Sources::parse(&text, &[]);
        assert_eq!((sources.lines("/a"), sources.lines("/b")), (&["x??"][..], &["y"][..]));
        let long = format!("file:{} /a\n{}", 4 * LINES_MAX, "xyz\n".repeat(LINES_MAX));
        assert!(Sources::parse(&format!("{long}\nmore\n"), &[]).cut);
    }

    proptest! {
        #[test]
        fn any_answer_is_taken_apart(text in "(file:[0-9]{1,3} /[a-c]{1,2}|[a-zé:/ ]{0,9}|\n){0,40}") {
            Sources::parse(&text, &["a"]);
        }
    }

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
