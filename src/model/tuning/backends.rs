//! What the files of HAProxy say of backends as a whole: whether states are taken over, servers begin slowly, and pages are
//! asked for.

use super::config::{HaproxyConfig, Section, Word, begins, sections};
use crate::model::text::Clean;

impl HaproxyConfig {
    /// Backends of HTTP whose servers are checked.
    pub fn checked_http_backends(&self) -> Vec<Clean> {
        let sections = sections(&self.lines);
        let mode = |section: &Section<'_>| {
            let line = section.lines.iter().rev().find(|(_, words, _)| begins(words, &["mode"]))?;
            line.1.get(1).map(|word| word.text == "http")
        };
        let has_check = |words: &[Word], from: usize| words.iter().skip(from).any(|word| word.text == "check");
        let is_meant = |section: &&Section<'_>| {
            let defaults = section.defaults.and_then(|place| sections.get(place));
            let of_defaults = defaults.into_iter().flat_map(|section| &section.lines);
            let mut says = section.lines.iter().chain(of_defaults);
            let by_default = says.any(|(_, words, _)| begins(words, &["default-server"]) && has_check(words, 1));
            let mut servers = section.lines.iter().filter(|(_, words, _)| begins(words, &["server"]));
            has_servers(section)
                && mode(section).or_else(|| defaults.and_then(mode)).unwrap_or(false)
                && servers.any(|(_, words, _)| by_default || has_check(words, 3))
        };
        sections.iter().filter(is_meant).map(|section| Clean::line(&section.name)).collect()
    }

    /// Whether HAProxy itself raises what a server gets once it is up: `slowstart` in its line, or in a `default-server` that
    /// counts for it.
    pub fn starts_slowly(&self, backend: &str, server: &str) -> bool {
        let sections = sections(&self.lines);
        let Some(found) = section_of(&sections, backend) else { return false };
        let says = |words: &[Word]| words.iter().any(|word| word.text == "slowstart");
        let is_own = |words: &[Word]| begins(words, &["default-server"]) || begins(words, &["server", server]);
        let defaults = found.defaults.and_then(|place| sections.get(place));
        let of_defaults = defaults.into_iter().flat_map(|section| &section.lines);
        found.lines.iter().chain(of_defaults).any(|(_, words, _)| is_own(words) && says(words))
    }

    /// Whether a backend takes states of its servers over from the file that is named for all.
    pub fn takes_states_over(&self, backend: &str) -> bool {
        let sections = sections(&self.lines);
        let says = |section: &Section<'_>| {
            let line = section.lines.iter().rev().find(|(_, words, _)| begins(words, &["load-server-state-from-file"]));
            line.map(|(_, words, is_conditional)| {
                !is_conditional && words.get(1).is_some_and(|word| word.text == "global")
            })
        };
        let found = section_of(&sections, backend);
        let defaults = || found?.defaults.and_then(|place| sections.get(place)).and_then(says);
        found.and_then(says).or_else(defaults).unwrap_or(false)
    }
}

/// Whether servers stand in it.
fn has_servers(section: &Section<'_>) -> bool {
    matches!(section.kind.as_str(), "backend" | "listen")
}

fn section_of<'s, 'a>(sections: &'s [Section<'a>], backend: &str) -> Option<&'s Section<'a>> {
    sections.iter().find(|one| has_servers(one) && one.name == backend)
}

#[cfg(test)]
mod tests {
    use super::super::config::tests::config;

    #[test]
    fn states_are_taken_over_where_a_section_or_its_defaults_say_so() {
        let config = config(
            "defaults\n  load-server-state-from-file global\nbackend b\n server s1 10.0.0.1:80\nbackend c\n  \
             load-server-state-from-file none\n",
        );
        assert!(config.takes_states_over("b") && !config.takes_states_over("c") && !config.takes_states_over("x"));
    }

    #[test]
    fn backends_of_http_with_checked_servers_are_found() {
        let text = "defaults\n mode http\nlisten stats\n bind :1\nbackend a\n server s 10.0.0.1:80 check\nbackend b\n \
                    server s 10.0.0.1:80\nbackend c\n mode tcp\n server s 10.0.0.1:80 check\nbackend d\n default-server check\n \
                    server s 10.0.0.1:80\n";
        let found: Vec<String> = config(text).checked_http_backends().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["a", "d"]);
    }
}
