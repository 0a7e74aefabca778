//! What the files of HAProxy say of settings: the lines that matter, in the order in which HAProxy reads them, and where a
//! setting of one of its parts stands or would stand.
//!
//! Whether HAProxy takes a file is its own word (`haproxy -c`). Lines between `.if` and `.endif` count or do not: what stands
//! there is told as unknown.

use super::{
    knob::key_and_part,
    sample::{FileValue, Span},
    value::Unit,
};
use crate::model::text::Clean;
use serde::{Deserialize, Serialize};

/// Words that begin a section.
pub const SECTIONS: [&str; 16] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "program",
    "cache",
    "ring",
    "http-errors",
    "fcgi-app",
    "log-forward",
    "crt-store",
];

/// Lines of the files that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HaproxyConfig {
    /// Of the files that HAProxy reads.
    pub lines: Vec<ConfigLine>,
    /// Of files that an earlier change kept.
    pub kept: Vec<ConfigLine>,
}

/// One line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigLine {
    /// The file.
    pub file: Clean,
    /// Its number, from 1.
    pub line: u32,
    /// The whole line, without its end.
    pub text: Clean,
    /// Whether it is shown byte for byte.
    pub is_exact: bool,
    /// Whether it ends with CR and LF.
    pub with_cr: bool,
}

/// A word of a line, as HAProxy reads it, and where it stands: bytes before it, and behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Without quotes and backslashes.
    pub text: String,
    /// Where it begins.
    pub start: usize,
    /// Where it has ended.
    pub end: usize,
}

/// Where a setting stands in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// A line of `global`.
    Global,
    /// A line of a proxy of these kinds, or of `defaults`.
    Proxy(&'static [&'static str]),
    /// A word of the line of a server, or of `default-server`.
    Server,
}

/// Where a setting of one part stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// What the part says of itself.
    pub own: Option<FileValue>,
    /// What counts where it says nothing: `defaults`, or `default-server`.
    pub inherited: Option<FileValue>,
    /// Where a word of its own would go.
    pub spot: Option<Spot>,
    /// Lines that say something else for themselves, of servers under a backend.
    pub others: Vec<FileValue>,
}

impl Standing {
    /// What counts.
    pub fn counts(&self) -> Option<&FileValue> {
        self.own.as_ref().or(self.inherited.as_ref())
    }

    /// Bytes before the word that says a value, and before the blank that sets it off.
    pub fn spot_of_word(&self, own: &FileValue) -> Option<usize> {
        let value = own.span?.column as usize;
        let all = words(own.text.as_str());
        let place = all.iter().position(|word| word.start == value)?;
        all.get(place.checked_sub(2)?).map(|word| word.end)
    }
}

/// Where something can be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The line.
    pub at: ConfigLine,
    /// Behind that many bytes of it; a line of its own behind it where nothing is said.
    pub column: Option<usize>,
    /// What is added.
    pub words: String,
}

/// Why nobody can say where a setting stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStanding {
    /// No line of a file is about the part.
    #[error("no file of HAProxy has {0}")]
    NoPart(Clean),
    /// Several are.
    #[error("the files of HAProxy have more than one {0}")]
    Several(Clean),
    /// It stands where it may count or not.
    #[error("{file}:{line} stands between .if and .endif, and whether it counts is not known")]
    Conditional {
        /// The file.
        file: Clean,
        /// The line.
        line: u32,
    },
    /// It is said in a way in which its value is not one word.
    #[error("{file}:{line} says it in another way, which is left as it is")]
    OtherWay {
        /// The file.
        file: Clean,
        /// The line.
        line: u32,
    },
    /// That part has no such setting.
    #[error("{0} has no such setting")]
    NotThere(Clean),
}

/// A section with its lines.
pub(super) struct Section<'a> {
    pub(super) kind: String,
    pub(super) name: String,
    head: &'a ConfigLine,
    /// With their words, and whether they stand in a condition.
    pub(super) lines: Vec<(&'a ConfigLine, Vec<Word>, bool)>,
    /// The section `defaults` that counts for it, by its place.
    pub(super) defaults: Option<usize>,
}

/// The words of a setting in a file.
fn words_of(key: &str) -> Option<(Scope, &'static [&'static str])> {
    const FRONT: Scope = Scope::Proxy(&["frontend", "listen"]);
    const BACK: Scope = Scope::Proxy(&["backend", "listen"]);
    const BOTH: Scope = Scope::Proxy(&["frontend", "backend", "listen"]);
    Some(match key {
        "haproxy.maxconn" => (Scope::Global, &["maxconn"]),
        "haproxy.connection_rate" => (Scope::Global, &["maxconnrate"]),
        "haproxy.session_rate" => (Scope::Global, &["maxsessrate"]),
        "haproxy.frontend.maxconn" => (FRONT, &["maxconn"]),
        "haproxy.timeout.connect" => (BACK, &["timeout", "connect"]),
        "haproxy.timeout.client" => (FRONT, &["timeout", "client"]),
        "haproxy.timeout.server" => (BACK, &["timeout", "server"]),
        "haproxy.timeout.queue" => (BACK, &["timeout", "queue"]),
        "haproxy.timeout.check" => (BACK, &["timeout", "check"]),
        "haproxy.timeout.http-request" => (BOTH, &["timeout", "http-request"]),
        "haproxy.option.httpchk" => (BACK, &["option", "httpchk", "GET"]),
        "haproxy.server.maxconn" => (Scope::Server, &["maxconn"]),
        "haproxy.server.weight" => (Scope::Server, &["weight"]),
        "haproxy.server.inter" => (Scope::Server, &["inter"]),
        "haproxy.server.rise" => (Scope::Server, &["rise"]),
        "haproxy.server.fall" => (Scope::Server, &["fall"]),
        _ => return None,
    })
}

/// The one text for a value as HAProxy writes it: times may have a unit. Nothing where it is no such value.
pub fn value_in_file(unit: Unit, raw: &str) -> Option<String> {
    match unit {
        Unit::Milliseconds => time_ms(raw.trim()).map(|ms| ms.to_string()),
        Unit::Path => unit.canonical(raw),
        _ => raw.trim().parse::<u64>().ok().map(|number| number.to_string()),
    }
}

/// A time as HAProxy writes it: milliseconds without a unit.
pub fn time_ms(word: &str) -> Option<u64> {
    let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
    let number: u64 = word[..digits].parse().ok()?;
    match &word[digits..] {
        "us" => Some(number / 1_000),
        "" | "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        "d" => number.checked_mul(86_400_000),
        _ => None,
    }
}

/// Words of a line: quotes hold them together, a backslash takes the next character as it is, `#` ends the line.
pub fn words(text: &str) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut word: Option<Word> = None;
    let mut quote = None;
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        let open = |word: &mut Option<Word>| {
            word.get_or_insert_with(|| Word { text: String::new(), start: at, end: at });
        };
        match (letter, quote) {
            ('\\', None | Some('"')) => {
                open(&mut word);
                if let (Some(word), Some((_, next))) = (&mut word, letters.next()) {
                    word.text.push(next);
                    word.end = at + 1 + next.len_utf8();
                }
                continue;
            }
            ('"' | '\'', None) => {
                quote = Some(letter);
                open(&mut word);
            }
            (end, Some(begun)) if end == begun => quote = None,
            ('#', None) => break,
            (blank, None) if blank.is_whitespace() => {
                words.extend(word.take());
                continue;
            }
            (other, _) => {
                open(&mut word);
                if let Some(word) = &mut word {
                    word.text.push(other);
                }
            }
        }
        if let Some(word) = &mut word {
            word.end = at + letter.len_utf8();
        }
    }
    words.extend(word);
    words
}

impl HaproxyConfig {
    /// Where a setting of a part stands; `word` is the key with its part.
    ///
    /// # Errors
    /// Where no file can say it.
    pub fn standing(&self, word: &str) -> Result<Standing, NoStanding> {
        standing(&self.lines, word)
    }

    /// The same with `kept` in the place of the file `path`, and the others as they are.
    ///
    /// # Errors
    /// Where no file can say it.
    pub fn standing_in_kept(&self, word: &str, path: &Clean, kept: &Clean) -> Result<Standing, NoStanding> {
        let first = self.lines.iter().position(|line| line.file == *path).unwrap_or(self.lines.len());
        let others = |lines: &[ConfigLine]| lines.iter().filter(|line| line.file != *path).cloned().collect::<Vec<_>>();
        let (before, behind) = self.lines.split_at(first);
        let kept = self.kept.iter().filter(|line| line.file == *kept).cloned().collect();
        standing(&[others(before), kept, others(behind)].concat(), word)
    }

    /// The parts that say a setting for themselves, in the order of the files.
    pub fn parts(&self, key: &str) -> Vec<Clean> {
        let Some((scope, keyword)) = words_of(key) else { return Vec::new() };
        let sections = sections(&self.lines);
        let mut parts = Vec::new();
        for section in &sections {
            let (is_defaults, kind) = (section.kind == "defaults", section.kind.as_str());
            let name = if section.name.is_empty() { kind } else { section.name.as_str() };
            for (_, words, _) in &section.lines {
                let has = |from: usize| words.iter().skip(from).any(|word| word.text == keyword[0]);
                match scope {
                    Scope::Proxy(kinds) if is_defaults || kinds.contains(&kind) => {
                        parts.extend(begins(words, keyword).then(|| name.to_owned()));
                    }
                    Scope::Server if begins(words, &["default-server"]) && has(1) => parts.push(name.to_owned()),
                    Scope::Server if words.len() > 3 && words[0].text == "server" && has(3) => {
                        parts.push(format!("{name}/{}", words[1].text));
                    }
                    _ => {}
                }
            }
        }
        parts.iter().map(|part| Clean::line(part)).collect()
    }

    /// The first line of a file whose words begin like this, in any section: `server-state-file PATH`.
    pub fn first(&self, start: &[&str]) -> Option<(&ConfigLine, Vec<Word>)> {
        let found = self.lines.iter().map(|line| (line, words(line.text.as_str())));
        found.into_iter().find(|(_, words)| begins(words, start))
    }
}

pub(super) fn begins(words: &[Word], start: &[&str]) -> bool {
    words.len() > start.len() && words.iter().zip(start).all(|(word, wanted)| word.text == *wanted)
}

pub(super) fn sections(lines: &[ConfigLine]) -> Vec<Section<'_>> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut defaults = None;
    let mut depth = 0_u32;
    for line in lines {
        let words = words(line.text.as_str());
        let Some(first) = words.first() else { continue };
        match first.text.as_str() {
            ".if" => depth += 1,
            ".endif" => depth = depth.saturating_sub(1),
            word if SECTIONS.contains(&word) => {
                if word == "defaults" {
                    defaults = Some(sections.len());
                }
                let name = words.get(1).map(|word| word.text.clone()).unwrap_or_default();
                let kind = word.to_owned();
                sections.push(Section { kind, name, head: line, lines: Vec::new(), defaults });
            }
            _ => {
                if let Some(section) = sections.last_mut() {
                    section.lines.push((line, words, depth > 0));
                }
            }
        }
    }
    sections
}

fn standing(lines: &[ConfigLine], word: &str) -> Result<Standing, NoStanding> {
    let (key, part) = key_and_part(word);
    let (scope, keyword) = words_of(key).ok_or_else(|| NoStanding::NotThere(Clean::line(key)))?;
    let sections = sections(lines);
    let reader = Reader { sections: &sections, word, keyword };
    match (scope, part) {
        (Scope::Global, _) => {
            let global: Vec<&Section<'_>> = sections.iter().filter(|section| section.kind == "global").collect();
            let last = global.last().ok_or_else(|| NoStanding::NoPart("a section global".into()))?;
            let mut found = None;
            for section in &global {
                found = reader.own(section)?.or(found);
            }
            Ok(Standing { own: found, spot: Some(reader.line_behind(last.head, last)), ..Standing::default() })
        }
        (Scope::Proxy(kinds), Some(part)) => {
            let section = reader.section(kinds, part)?;
            let inherited = match section.defaults.and_then(|place| sections.get(place)) {
                Some(defaults) if section.kind != "defaults" => reader.own(defaults)?,
                _ => None,
            };
            let spot = Some(reader.line_behind(section.head, section));
            Ok(Standing { own: reader.own(section)?, inherited, spot, others: Vec::new() })
        }
        (Scope::Server, Some(part)) => reader.of_server(part),
        (Scope::Proxy(_) | Scope::Server, None) => Err(NoStanding::NoPart("a part without a name".into())),
    }
}

struct Reader<'a> {
    sections: &'a [Section<'a>],
    /// The key with its part.
    word: &'a str,
    keyword: &'static [&'static str],
}

impl<'a> Reader<'a> {
    /// `defaults` is meant where only one section is called so.
    fn section(&self, kinds: &[&str], part: &str) -> Result<&'a Section<'a>, NoStanding> {
        let fits = |section: &&Section<'_>| {
            (kinds.contains(&section.kind.as_str()) && section.name == part)
                || (section.kind == "defaults" && (part == "defaults" || section.name == part))
        };
        let found: Vec<&Section<'_>> = self.sections.iter().filter(fits).collect();
        match found[..] {
            [one] => Ok(one),
            [] => Err(NoStanding::NoPart(Clean::line(&format!("a section {part} of the kind {}", kinds.join(" or "))))),
            _ => Err(NoStanding::Several(Clean::line(&format!("section {part}")))),
        }
    }

    /// What a line of a section itself says; the last one counts.
    fn own(&self, section: &Section<'_>) -> Result<Option<FileValue>, NoStanding> {
        if let Some((line, ..)) = section.lines.iter().find(|(_, words, _)| self.is_said_otherwise(words)) {
            return Err(NoStanding::OtherWay { file: line.file.clone(), line: line.line });
        }
        let found = section.lines.iter().rev().find(|(_, words, _)| begins(words, self.keyword));
        let Some((line, words, is_conditional)) = found else { return Ok(None) };
        if *is_conditional {
            return Err(NoStanding::Conditional { file: line.file.clone(), line: line.line });
        }
        Ok(words.get(self.keyword.len()).map(|word| self.value(line, word)))
    }

    /// A keyword of three words ends with one that may be another: `option httpchk HEAD /`, or nothing at all.
    fn is_said_otherwise(&self, words: &[Word]) -> bool {
        let [first, second, _] = self.keyword else { return false };
        let is_about_it = words.len() >= 2 && words[0].text == *first && words[1].text == *second;
        is_about_it && !(begins(words, self.keyword) && words.len() == self.keyword.len() + 1)
    }

    fn value(&self, line: &ConfigLine, word: &Word) -> FileValue {
        let text = line.text.as_str();
        let stands = text.get(word.start..word.end).unwrap_or_default();
        let bytes = |at: usize| u32::try_from(at).ok();
        let span = bytes(word.start).zip(bytes(stands.len())).filter(|_| line.is_exact && stands == word.text);
        FileValue {
            name: Clean::line(self.word),
            value: Clean::line(&word.text),
            file: line.file.clone(),
            line: line.line,
            text: line.text.clone(),
            span: span.map(|(column, length)| Span { column, length, is_name: false }),
        }
    }

    /// A line of its own, indented like those below it.
    fn line_behind(&self, at: &ConfigLine, section: &Section<'_>) -> Spot {
        Spot { at: at.clone(), column: None, words: format!("{}{}", indent(section), self.keyword.join(" ")) }
    }

    /// The value of this word in the line of a server, behind the words that every such line has.
    fn option(&self, line: &ConfigLine, words: &[Word], from: usize) -> Option<FileValue> {
        let at = words.iter().skip(from).position(|word| word.text == self.keyword[0])?;
        words.get(from + at + 1).map(|word| self.value(line, word))
    }

    /// `backend/server`, or a backend: then its `default-server` is meant.
    fn of_server(&self, part: &str) -> Result<Standing, NoStanding> {
        let (backend, name) = part.split_once('/').map_or((part, None), |(backend, name)| (backend, Some(name)));
        let section = self.section(&["backend", "listen"], backend)?;
        let defaults =
            section.defaults.and_then(|place| self.sections.get(place)).filter(|_| section.kind != "defaults");
        let default_of = |section: &Section<'_>| -> Result<Option<FileValue>, NoStanding> {
            let mut found = None;
            for (line, words, is_conditional) in &section.lines {
                let value = Some(words).filter(|words| begins(words, &["default-server"]));
                let Some(value) = value.and_then(|words| self.option(line, words, 1)) else { continue };
                if *is_conditional {
                    return Err(NoStanding::Conditional { file: line.file.clone(), line: line.line });
                }
                found = Some(value);
            }
            Ok(found)
        };
        let (of_backend, of_defaults) = (default_of(section)?, defaults.map(default_of).transpose()?.flatten());
        let is_server = |words: &[Word]| words.len() > 2 && words[0].text == "server";
        let Some(name) = name else {
            let own_lines = section.lines.iter().filter(|(_, words, _)| is_server(words));
            let others = own_lines.filter_map(|(line, words, _)| self.option(line, words, 3)).collect();
            let last = section.lines.iter().rev().find(|(_, words, _)| begins(words, &["default-server"]));
            let spot = match last {
                Some((line, words, false)) => self.behind_words(line, words),
                _ => Spot {
                    at: section.head.clone(),
                    column: None,
                    words: format!("{}default-server {}", indent(section), self.keyword[0]),
                },
            };
            return Ok(Standing { own: of_backend, inherited: of_defaults, spot: Some(spot), others });
        };
        let mut found = section.lines.iter().filter(|(_, words, _)| is_server(words) && words[1].text == name);
        let (line, words, is_conditional) =
            found.next().ok_or_else(|| NoStanding::NoPart(Clean::line(&format!("a server {part}"))))?;
        if *is_conditional {
            return Err(NoStanding::Conditional { file: line.file.clone(), line: line.line });
        }
        let own = self.option(line, words, 3);
        let spot = Some(self.behind_words(line, words));
        Ok(Standing { own, inherited: of_backend.or(of_defaults), spot, others: Vec::new() })
    }

    fn behind_words(&self, line: &ConfigLine, words: &[Word]) -> Spot {
        let end = words.last().map_or(0, |word| word.end);
        Spot { at: line.clone(), column: Some(end), words: format!(" {}", self.keyword[0]) }
    }
}

/// The blanks before the lines of a section.
fn indent(section: &Section<'_>) -> String {
    let text = section.lines.first().map_or("    x", |(line, _, _)| line.text.as_str());
    text.chars().take_while(|letter| letter.is_whitespace()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The lines of one file.
    pub(in crate::model::tuning) fn config(text: &str) -> HaproxyConfig {
        let line = |(index, text): (usize, &str)| ConfigLine {
            file: "/etc/haproxy/haproxy.cfg".into(),
            line: index as u32 + 1,
            text: Clean::line(text),
            is_exact: true,
            with_cr: false,
        };
        HaproxyConfig { lines: text.lines().enumerate().map(line).collect(), kept: Vec::new() }
    }

    const TEXT: &str = "global\n  maxconn 2000 # all\ndefaults\n  timeout server 30s\n  load-server-state-from-file global\n\
        frontend f\n  maxconn 1000\nbackend b\n    default-server check maxconn 100 # each\n    server s1 10.0.0.1:80\n    \
        server s2 10.0.0.2:80 maxconn 7\nbackend c\n  .if defined(X)\n  timeout server 5s\n  .endif\n  \
        load-server-state-from-file none\n";

    fn told(word: &str) -> String {
        match config(TEXT).standing(word) {
            Err(why) => why.to_string(),
            Ok(standing) => {
                let value = |found: &Option<FileValue>| {
                    found.as_ref().map_or("-".to_owned(), |value| format!("{}@{}", value.value, value.line))
                };
                let spot = standing.spot.map(|spot| format!("{}:{:?}:{}", spot.at.line, spot.column, spot.words));
                format!(
                    "{} {} {} {}",
                    value(&standing.own),
                    value(&standing.inherited),
                    spot.unwrap_or_default(),
                    standing.others.len()
                )
            }
        }
    }

    #[test]
    fn what_counts_is_found_where_it_stands() {
        let cases = [
            ("haproxy.maxconn", "2000@2 - 1:None:  maxconn 0"),
            ("haproxy.connection_rate", "- - 1:None:  maxconnrate 0"),
            ("haproxy.frontend.maxconn@f", "1000@7 - 6:None:  maxconn 0"),
            ("haproxy.timeout.server@b", "- 30s@4 8:None:    timeout server 0"),
            ("haproxy.timeout.server@defaults", "30s@4 - 3:None:  timeout server 0"),
            ("haproxy.server.maxconn@b", "100@9 - 9:Some(36): maxconn 1"),
            ("haproxy.server.maxconn@b/s1", "- 100@9 10:Some(25): maxconn 0"),
            ("haproxy.server.maxconn@b/s2", "7@11 100@9 11:Some(35): maxconn 0"),
            ("haproxy.server.rise@b", "- - 9:Some(36): rise 0"),
        ];
        for (word, wanted) in cases {
            assert_eq!(told(word), wanted, "{word}");
        }
        assert_eq!(
            told("haproxy.timeout.server@c"),
            "/etc/haproxy/haproxy.cfg:14 stands between .if and .endif, and whether it counts is not known"
        );
        assert_eq!(
            told("haproxy.timeout.client@b"),
            "no file of HAProxy has a section b of the kind frontend or listen"
        );
        assert_eq!(told("haproxy.server.maxconn@b/s3"), "no file of HAProxy has a server b/s3");
    }

    #[test]
    fn a_page_is_found_and_what_is_said_in_another_way_is_left_alone() {
        let config = config(
            "backend a\n option httpchk GET /health # all\nbackend b\n option httpchk HEAD /x\nbackend c\n  mode http\n\
             backend d\n option httpchk GET /x HTTP/1.1\n",
        );
        let standing = |part: &str| config.standing(&format!("haproxy.option.httpchk@{part}"));
        assert_eq!(standing("a").unwrap().own.unwrap().value.as_str(), "/health");
        let missing = standing("c").unwrap();
        assert_eq!((missing.own, missing.spot.unwrap().words.as_str()), (None, "  option httpchk GET"));
        for (part, line) in [("b", 4), ("d", 8)] {
            let why = standing(part).unwrap_err().to_string();
            assert_eq!(why, format!("/etc/haproxy/haproxy.cfg:{line} says it in another way, which is left as it is"));
        }
    }

    #[test]
    fn words_know_where_they_stand() {
        let found: Vec<(String, usize, usize)> =
            words("  server \"a b\" c\\ d x # e").into_iter().map(|word| (word.text, word.start, word.end)).collect();
        let wanted = [("server", 2, 8), ("a b", 9, 14), ("c d", 15, 19), ("x", 20, 21)];
        assert_eq!(found, wanted.map(|(text, start, end)| (text.to_owned(), start, end)));
    }
}
