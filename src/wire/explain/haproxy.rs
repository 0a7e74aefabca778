//! `haproxy.cfg`: its sections, and each line in the light of its section.

use super::{Explanation, FileKind, Line, Meaning, Remark, catalogue, haproxy_lines, haproxy_remarks};
use crate::model::{
    text::Clean,
    tuning::{self, SECTIONS},
};

/// A section with its lines.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// `backend`.
    pub(super) keyword: String,
    /// `web_cluster`; empty where it has none.
    pub(super) name: String,
    /// The number of its first line.
    pub(super) number: usize,
    /// Its lines: number and words.
    pub(super) lines: Vec<(usize, Vec<String>)>,
    /// What the section `defaults` above it says: those lines count here, too, where this section has none of its own.
    pub(super) inherited: Vec<Vec<String>>,
}

impl Section {
    /// The first line that begins with these words, of its own or inherited.
    pub(super) fn line(&self, words: &[&str]) -> Option<&[String]> {
        let fits =
            |line: &&[String]| line.len() >= words.len() && line.iter().zip(words).all(|(one, word)| one == word);
        let own = self.lines.iter().map(|(_, line)| line.as_slice()).find(fits);
        own.or_else(|| self.inherited.iter().map(Vec::as_slice).find(fits))
    }

    pub(super) fn has(&self, words: &[&str]) -> bool {
        // "no option httpchk" takes back what the defaults say.
        let negated: Vec<&str> = std::iter::once("no").chain(words.iter().copied()).collect();
        self.line(words).is_some() && !self.lines.iter().any(|(_, line)| line.iter().zip(&negated).all(|(a, b)| a == b))
    }

    /// Its own lines with this first word.
    pub(super) fn all<'s>(&'s self, word: &'s str) -> impl Iterator<Item = (usize, &'s [String])> {
        let fits = move |line: &&(usize, Vec<String>)| line.1.first().is_some_and(|first| first == word);
        self.lines.iter().filter(fits).map(|(number, line)| (*number, line.as_slice()))
    }

    pub(super) fn is_http(&self) -> bool {
        self.line(&["mode"]).is_some_and(|line| line.get(1).is_some_and(|mode| mode == "http"))
    }

    /// `backend web_cluster`.
    pub(super) fn title(&self) -> String {
        if self.name.is_empty() { self.keyword.clone() } else { format!("{} {}", self.keyword, self.name) }
    }
}

/// Explains the lines of a file.
pub(super) fn explain(lines: Vec<Clean>) -> Explanation {
    let sections = sections(&lines);
    let mut remarks = Vec::new();
    let mut explained = Vec::with_capacity(lines.len());
    let mut section: Option<&Section> = None;
    for (index, text) in lines.into_iter().enumerate() {
        let number = index + 1;
        if let Some(begun) = sections.iter().find(|section| section.number == number) {
            section = Some(begun);
        }
        let words = words(text.as_str());
        let meaning = match words.first() {
            None => Meaning::Nothing,
            Some(first) if SECTIONS.contains(&first.as_str()) => Meaning::Known(Clean::line(&head(&words))),
            Some(_) => meaning(section, number, &words, &mut remarks),
        };
        explained.push(Line { number, text: masked(&text, &words), meaning });
    }
    remarks.extend(haproxy_remarks::all(&sections));
    remarks.sort_by_key(|remark| remark.number);
    Explanation { kind: FileKind::Haproxy, lines: explained, remarks }
}

fn meaning(section: Option<&Section>, number: usize, words: &[String], remarks: &mut Vec<Remark>) -> Meaning {
    let is_negated = words[0] == "no" && words.len() > 1;
    let bare: Vec<&str> = words.iter().skip(usize::from(is_negated)).map(String::as_str).collect();
    if let Some(means) = section.and_then(|section| haproxy_lines::meaning(section, words)) {
        return Meaning::Known(Clean::line(&means));
    }
    match catalogue::of(&bare) {
        Some((means, _)) if is_negated => Meaning::Known(Clean::line(&format!("Switched off here: {means}"))),
        Some((means, advice)) => {
            if let Some(advice) = advice {
                remarks.push(Remark::new(number, advice, None));
            }
            Meaning::Known(Clean::line(&means))
        }
        None => Meaning::Unknown,
    }
}

fn head(words: &[String]) -> String {
    let name = words.get(1).map_or("(no name)", String::as_str);
    match words[0].as_str() {
        "global" => "The process as a whole.".to_owned(),
        "defaults" => "What counts in each section below that says nothing else.".to_owned(),
        "frontend" => format!("Where clients arrive: {name}."),
        "backend" => format!("A group of servers that do the same: {name}."),
        "listen" => format!("A frontend and its backend in one: {name}."),
        "userlist" => format!("Users and their passwords, for access by HTTP: {name}."),
        "peers" => format!("Other load balancers with which tables are shared: {name}."),
        "resolvers" => format!("Servers that are asked for names: {name}."),
        other => format!("A section of the kind {other}: {name}."),
    }
}

/// Words of a line, as HAProxy reads them.
fn words(text: &str) -> Vec<String> {
    tuning::words(text).into_iter().map(|word| word.text).collect()
}

/// A password is nobody's business who looks over a shoulder.
fn masked(text: &Clean, words: &[String]) -> Clean {
    let is = |index: usize, word: &str| words.get(index).is_some_and(|given| given == word);
    let secret = if is(0, "stats") && is(1, "auth") {
        words.get(2)
    } else if is(0, "user") && (is(2, "password") || is(2, "insecure-password")) {
        words.get(3)
    } else {
        None
    };
    match secret {
        Some(secret) if !secret.is_empty() => Clean::line(&text.as_str().replace(secret.as_str(), "***")),
        _ => text.clone(),
    }
}

fn sections(lines: &[Clean]) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut defaults: Vec<Vec<String>> = Vec::new();
    for (index, text) in lines.iter().enumerate() {
        let words = words(text.as_str());
        let Some(first) = words.first() else { continue };
        if SECTIONS.contains(&first.as_str()) {
            if let Some(ended) = sections.last().filter(|section| section.keyword == "defaults") {
                defaults = ended.lines.iter().map(|(_, line)| line.clone()).collect();
            }
            let inherits = ["frontend", "backend", "listen"].contains(&first.as_str());
            sections.push(Section {
                keyword: first.clone(),
                name: words.get(1).cloned().unwrap_or_default(),
                number: index + 1,
                lines: Vec::new(),
                inherited: if inherits { defaults.clone() } else { Vec::new() },
            });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push((index + 1, words));
        }
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_taken_apart_as_the_daemon_does_it() {
        assert_eq!(words("  server a 10.0.0.1:80 # check"), ["server", "a", "10.0.0.1:80"]);
        assert_eq!(
            words(r#"http-check send hdr "a b" 'c # d' e\ f"#),
            ["http-check", "send", "hdr", "a b", "c # d", "e f"]
        );
        assert_eq!(words("# nothing"), Vec::<String>::new());
    }

    #[test]
    fn what_the_defaults_say_counts_below_them_only_and_can_be_taken_back() {
        let text = ["backend a", "defaults", " option httpchk", "backend b", "backend c", " no option httpchk"];
        let sections = sections(&text.map(Clean::line));
        let has = |name: &str| sections.iter().find(|one| one.name == name).unwrap().has(&["option", "httpchk"]);
        assert_eq!((has("a"), has("b"), has("c")), (false, true, false));
    }

    #[test]
    fn passwords_are_not_shown() {
        let line = Clean::line("  stats auth admin:secret");
        assert_eq!(masked(&line, &words(line.as_str())).as_str(), "  stats auth ***");
    }
}
