//! `vakt status --check`: one line and an exit code, as monitoring plugins give them.

use super::status_document::Document;

/// How a monitoring system is to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// Nothing is wrong, or what is was acknowledged.
    Ok,
    /// The worst finding is a warning.
    Warning,
    /// There is a critical finding.
    Critical,
    /// It cannot be said.
    Unknown,
}

impl CheckState {
    /// Every state with its code, its word and its meaning.
    pub const TABLE: [(Self, u8, &'static str, &'static str); 4] = [
        (Self::Ok, 0, "OK", "no finding but acknowledged ones"),
        (Self::Warning, 1, "WARNING", "the worst finding is a warning"),
        (Self::Critical, 2, "CRITICAL", "there is a critical finding"),
        (
            Self::Unknown,
            3,
            "UNKNOWN",
            "nothing is found and a node has not answered yet, the configuration cannot be used, or vakt itself failed",
        ),
    ];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The state of a cluster, and the line that says why: state, the first finding, counts, performance data.
pub fn judge(document: &Document) -> (CheckState, String) {
    let open: Vec<_> = document.findings.iter().filter(|finding| finding.acknowledged.is_none()).collect();
    let count = |severity: &str| open.iter().filter(|finding| finding.severity == severity).count();
    let (critical, warnings) = (count("critical"), count("warning"));
    let up = document.nodes.iter().filter(|node| node.state == "up").count();
    let (all, acknowledged) = (document.nodes.len(), document.findings.len() - open.len());
    let state = match (critical, warnings) {
        (0, 0) if up < all && acknowledged == 0 => CheckState::Unknown,
        (0, 0) => CheckState::Ok,
        (0, _) => CheckState::Warning,
        _ => CheckState::Critical,
    };
    let first = match (open.first(), state) {
        (Some(finding), _) => format!("{}: {}", finding.subject, finding.summary),
        (None, CheckState::Unknown) => {
            let silent = document.nodes.iter().filter(|node| node.state != "up");
            let names: Vec<&str> = silent.map(|node| node.name.as_str()).collect();
            format!("no answer yet from {}", names.join(", "))
        }
        (None, _) => format!("{up} of {all} nodes up"),
    };
    let counts = format!("{}: {critical} critical, {warnings} warning, {acknowledged} acknowledged", document.cluster);
    let data = format!(
        "nodes_up={up};{all}:;;0;{all} critical={critical};;0;0; warnings={warnings};0;;0; \
         acknowledged={acknowledged};;;0;"
    );
    (state, line(state, &format!("{first} ({counts})"), &data))
}

/// What a monitoring system is told when there is no answer.
pub fn no_answer(why: &str) -> (CheckState, String) {
    (CheckState::Unknown, line(CheckState::Unknown, why, ""))
}

/// One line; what stands behind the bar is read by programs, so that none may stand before it.
fn line(state: CheckState, words: &str, data: &str) -> String {
    let words = words.replace('|', "/");
    let words: Vec<&str> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let bar = if data.is_empty() { "" } else { " | " };
    format!("VAKT {} - {}{bar}{data}\n", state.word(), words.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_code() {
        for (state, code, word, _) in CheckState::TABLE {
            assert_eq!((state.code(), state.word()), (code, word));
        }
    }

    #[test]
    fn one_line_whatever_is_said() {
        let (state, text) = no_answer("config.toml:2: no such key\n\n  config.toml:3: a | b\n");
        assert_eq!(state, CheckState::Unknown);
        assert_eq!(text, "VAKT UNKNOWN - config.toml:2: no such key; config.toml:3: a / b\n");
    }
}
