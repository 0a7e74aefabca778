//! The catalogue of lines: `assets/explanations.toml`, embedded.

use serde::Deserialize;
use std::sync::LazyLock;

const EMBEDDED: &str = include_str!("../../../assets/explanations.toml");

/// A test holds that the file is whole; one that could not be read would leave lines unexplained.
static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| toml::from_str(EMBEDDED).unwrap_or_default());

/// Every line that is known.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    haproxy: Vec<Entry>,
    option: Vec<KnownOption>,
}

/// What a line means that begins with certain words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    words: String,
    means: String,
    advice: Option<String>,
}

/// An option of a database server that is no setting to tune.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownOption {
    name: String,
    means: String,
}

/// What an option of a database server means, by its name with `_`.
pub(super) fn option(name: &str, value: &str) -> Option<String> {
    let known = CATALOGUE.option.iter().find(|option| option.name == name)?;
    Some(known.means.replace("{value}", if value.is_empty() { "on" } else { value }))
}

/// A line's meaning and, where there is something to say, the advice.
pub(super) fn of(line: &[&str]) -> Option<(String, Option<&'static str>)> {
    let fits = |entry: &&Entry| {
        let words = entry.words.split(' ');
        words.clone().count() <= line.len() && words.zip(line).all(|(word, given)| word == *given)
    };
    let entry = CATALOGUE.haproxy.iter().filter(fits).max_by_key(|entry| entry.words.split(' ').count())?;
    let rest = &line[entry.words.split(' ').count()..];
    Some((fill(&entry.means, rest), entry.advice.as_deref()))
}

/// The text with the line's own words in it.
fn fill(means: &str, rest: &[&str]) -> String {
    let word = |index: usize| rest.get(index).copied().unwrap_or("(nothing)");
    let time = || super::haproxy_lines::time_words(word(0));
    let all = if rest.is_empty() { "(nothing more)".to_owned() } else { rest.join(" ") };
    means.replace("{1}", word(0)).replace("{2}", word(1)).replace("{time}", &time()).replace("{all}", &all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_whole_and_says_each_thing_once() {
        let catalogue: Catalogue = toml::from_str(EMBEDDED).unwrap();
        let words: Vec<&str> = catalogue.haproxy.iter().map(|entry| entry.words.as_str()).collect();
        let names: Vec<&str> = catalogue.option.iter().map(|option| option.name.as_str()).collect();
        assert!(words.len() > 60 && names.len() > 20, "{} and {}", words.len(), names.len());
        for mut all in [words, names] {
            all.sort_unstable();
            for pair in all.windows(2) {
                assert_ne!(pair[0], pair[1]);
            }
        }
        let of_haproxy = catalogue.haproxy.iter().flat_map(|entry| std::iter::once(&entry.means).chain(&entry.advice));
        for text in of_haproxy.chain(catalogue.option.iter().map(|option| &option.means)) {
            assert!(text.ends_with('.') && text.is_ascii(), "{text}");
        }
    }

    #[test]
    fn the_longest_entry_that_fits_counts_and_missing_words_are_said() {
        assert_eq!(of(&["log", "global"]).unwrap().0, "Logs go where the section global says.");
        let (means, advice) = of(&["timeout", "connect", "5000"]).unwrap();
        assert_eq!((means.as_str(), advice), ("A server has 5 s to take a connection.", None));
        assert_eq!(
            of(&["retries"]).unwrap().0,
            "A connection that a server does not take is tried (nothing) times more."
        );
        assert_eq!(of(&["no-such-word"]), None);
    }
}
