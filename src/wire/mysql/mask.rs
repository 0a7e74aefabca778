//! Literals in other people's statements, masked.
//!
//! A statement holds names, addresses, passwords. What is kept is its shape: words, identifiers, operators. Where the
//! text could be read in two ways (a backslash before a quote means nothing under `NO_BACKSLASH_ESCAPES`), or a literal
//! does not end because the server cut the text, everything from there on is masked.

use crate::model::text::Clean;
use serde::{Deserialize, Serialize};

/// What becomes of literals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literals {
    /// A question mark stands for each.
    #[default]
    Masked,
    /// They are shown: an operator asked for it.
    Shown,
}

/// A statement as one line, its literals as asked.
pub(super) fn statement(sql: &str, literals: Literals) -> Clean {
    match literals {
        Literals::Masked => Clean::line(masked(sql).trim()),
        Literals::Shown => Clean::line(sql.trim()),
    }
}

/// The statement with `?` for every string, number, hexadecimal and bit literal, and without the text of comments.
/// Text in double quotes is masked too, although it may be a name under `ANSI_QUOTES`.
pub fn masked(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\'' | '"' => string(rest, c, &mut out),
            '`' => identifier_in_quotes(rest, &mut out),
            '#' => Some(comment(rest, "\n", &mut out)),
            '-' if is_dash_comment(rest) => Some(comment(rest, "\n", &mut out)),
            '/' if rest.starts_with("/*") => Some(comment(rest, "*/", &mut out)),
            c if is_word(c) => Some(word(rest, &mut out)),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                out.push('?');
                Some(number_length(rest))
            }
            c => {
                out.push(c);
                Some(c.len_utf8())
            }
        };
        let Some(length) = taken else {
            out.push('…');
            break;
        };
        rest = &rest[length..];
    }
    out
}

/// `--` begins a comment only before white space or the end; `5--3` is arithmetic.
fn is_dash_comment(rest: &str) -> bool {
    rest.strip_prefix("--")
        .is_some_and(|behind| behind.is_empty() || behind.starts_with(|c: char| c.is_whitespace() || c.is_control()))
}

/// A literal in quotes: doubled quotes and backslashes belong to it. `None` when where it ends is not certain.
fn string(rest: &str, quote: char, out: &mut String) -> Option<usize> {
    out.push('?');
    let bytes = rest.as_bytes();
    let quote = quote as u8;
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if matches!(bytes.get(at + 1), Some(b'\'' | b'"')) => return None,
            b'\\' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// A name in backticks is kept. `None` when it does not end.
fn identifier_in_quotes(rest: &str, out: &mut String) -> Option<usize> {
    let end = rest[1..].find('`')? + 2;
    out.push_str(&rest[..end]);
    Some(end)
}

/// A comment's text is left out, its place is kept. One that does not end takes the rest with it.
fn comment(rest: &str, end: &str, out: &mut String) -> usize {
    out.push_str("/**/");
    match rest.find(end) {
        // The line break stays: it separates words.
        Some(at) if end == "\n" => at,
        Some(at) => at + end.len(),
        None => rest.len(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '@')
}

/// A keyword or name is kept, a number masked, `x'…'` and `b'…'` left to the string behind them.
fn word(rest: &str, out: &mut String) -> usize {
    let starts_with_digit = rest.starts_with(|c: char| c.is_ascii_digit());
    let length =
        if starts_with_digit { number_length(rest) } else { rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()) };
    out.push_str(if starts_with_digit { "?" } else { &rest[..length] });
    length
}

/// Digits, letters (`0x1f`, `1e9`, and names that begin with a digit), points, and the sign of an exponent.
fn number_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let exponent_sign = matches!(byte, b'+' | b'-')
            && at > 0
            && matches!(bytes[at - 1], b'e' | b'E')
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && !rest.starts_with("0x");
        if !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$') || exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

/// An error of replication: it quotes the statement and the value of a duplicate key.
pub(super) fn error(message: &str, literals: Literals) -> Clean {
    if literals == Literals::Shown {
        return Clean::line(message);
    }
    let (head, query) = match message.find("Query: '") {
        Some(at) => (&message[..at], Some(&message[at + "Query: '".len()..])),
        None => (message, None),
    };
    let mut text = match (head.find("Duplicate entry '"), head.rfind("' for key")) {
        (Some(start), Some(end)) if start < end => {
            format!("{}Duplicate entry '?{}", &head[..start], &head[end..])
        }
        _ => head.to_owned(),
    };
    if let Some(query) = query {
        text.push_str("Query: ");
        text.push_str(&masked(query.strip_suffix('\'').unwrap_or(query)));
    }
    Clean::line(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_are_masked_and_the_shape_stays() {
        let cases = [
            ("select * from t1 where a=5 and b='x'", "select * from t1 where a=? and b=?"),
            (
                "insert into `it's` values (1, -2.5e-3, .5, 0x1F, x'ab', b'01', N'n')",
                "insert into `it's` values (?, -?, ?, ?, x?, b?, N?)",
            ),
            ("set password for 'a'@'%' = 'secret'", "set password for ?@? = ?"),
            ("select 'it''s', \"a\"\"b\", 'c\\\\', 5--3", "select ?, ?, ?, ?--?"),
            ("select 1 -- secret\n, 2 # secret\n /* secret */ + 3", "select ? /**/\n, ? /**/\n /**/ + ?"),
            ("select * from t where d > date '2020-01-01' limit 10", "select * from t where d > date ? limit ?"),
            ("select _utf8'secret' from tbl_2024", "select _utf8? from tbl_2024"),
        ];
        for (sql, shape) in cases {
            assert_eq!(masked(sql), shape, "{sql}");
        }
    }

    #[test]
    fn what_is_not_certain_is_masked_to_the_end() {
        assert_eq!(masked("select 'cut secr"), "select ?…");
        // Under NO_BACKSLASH_ESCAPES the first literal ends at the backslash, otherwise it goes on.
        assert_eq!(masked(r"select 'a\', 'secret', b'"), "select ?…");
        assert_eq!(masked(r"select 'a\' or secret or '"), "select ?…");
        assert_eq!(masked("select `cut 'secret'"), "select …");
        assert_eq!(masked("select 1 /* secret"), "select ? /**/");
    }

    #[test]
    fn an_error_of_replication_keeps_its_words() {
        let message = "Error 'Duplicate entry '5' for key 'PRIMARY'' on query. Default database: 'shop'. Query: \
                       'insert into t values (5, 'secret')'";
        let expected = "Error 'Duplicate entry '?' for key 'PRIMARY'' on query. Default database: 'shop'. Query: \
                        insert into t values (?, ?)";
        assert_eq!(error(message, Literals::Masked).as_str(), expected);
        assert!(error(message, Literals::Shown).as_str().contains("secret"));
    }

    proptest! {
        #[test]
        fn no_literal_survives(
            before in "[a-z =,(]{0,20}", literal in "[^'\\\\]{0,30}", after in "[a-z =,)]{0,20}", quote in "['\"]"
        ) {
            let marked = format!("{before}{quote}{}S3CR3T{quote}{after}", literal.replace(['"', '#'], ""));
            prop_assert!(!masked(&marked).contains("S3CR3T"), "{marked}");
        }

        #[test]
        fn any_text_is_masked_without_a_panic(text in "\\PC{0,200}") {
            prop_assert!(masked(&text).len() <= text.len() * 4 + 8);
        }
    }
}
