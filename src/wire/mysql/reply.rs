//! The answer of one statement as bytes: what the transport makes of rows, what recordings keep, what a simulation
//! sends, and what [`super::MysqlProbe`] reads.
//!
//! The first line says which statement and what became of it; then the names of the columns and the rows, one a line,
//! cells apart by tabs. A tab, a line break, a NUL and a backslash within a cell are written `\t`, `\n`, `\0`, `\\`, and
//! NULL is `\N`, as the server's own client does.
//!
//! Literals of other people's statements end here: what is written is masked, so that no recording can hold them.

use super::{
    mask::{self, Literals},
    rows::{Answer, Rows},
    statements::StatementId,
    status_text,
};
use crate::model::text::Clean;
use std::{borrow::Cow, fmt::Write as _};

/// Columns that are written.
const COLUMNS_MAX: usize = 256;
/// Columns with statements of other sessions.
const STATEMENT_COLUMNS: [&str; 4] = ["info", "trx_query", "waiting_query", "blocking_query"];
/// Columns with errors, which quote statements and values.
const ERROR_COLUMNS: [&str; 4] = ["last_error", "last_io_error", "last_sql_error", "last_error_message"];
/// Longest statement or error that is looked at, bytes.
const MASKED_BYTES_MAX: usize = 8 * 1024;
/// Longest message of a refusal that is kept, bytes.
const MESSAGE_BYTES_MAX: usize = 1024;

/// Writes one answer.
#[derive(Debug)]
pub struct ReplyWriter {
    id: StatementId,
    columns: Vec<Kind>,
    bytes: Vec<u8>,
}

/// How the cells of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Statement,
    Error,
    EngineStatus,
}

impl ReplyWriter {
    /// Rows follow. `columns` are the names of the columns, as the server spells them.
    pub fn rows<'a>(id: StatementId, columns: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut writer = Self { id, columns: Vec::new(), bytes: format!("= {} rows\n", id.word()).into_bytes() };
        for (index, name) in columns.into_iter().take(COLUMNS_MAX).enumerate() {
            if index > 0 {
                writer.bytes.push(b'\t');
            }
            escape(name, &mut writer.bytes);
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            writer.columns.push(match name.as_str() {
                "status" if id == StatementId::InnodbStatus => Kind::EngineStatus,
                name if STATEMENT_COLUMNS.contains(&name) => Kind::Statement,
                name if ERROR_COLUMNS.contains(&name) => Kind::Error,
                _ => Kind::Plain,
            });
        }
        writer.bytes.push(b'\n');
        writer
    }

    /// One row; cells without a column are left out.
    pub fn row<'a>(&mut self, cells: impl IntoIterator<Item = Option<&'a [u8]>>) {
        for (index, (kind, cell)) in self.columns.iter().zip(cells).enumerate() {
            if index > 0 {
                self.bytes.push(b'\t');
            }
            match cell {
                None => self.bytes.extend_from_slice(b"\\N"),
                Some(cell) => escape(&written(*kind, cell), &mut self.bytes),
            }
        }
        self.bytes.push(b'\n');
    }

    /// How long it is so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written; never, the first line is.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Which statement it answers.
    pub fn id(&self) -> StatementId {
        self.id
    }

    /// The bytes.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }

    /// The whole answer of a server that refused the statement.
    pub fn refused(id: StatementId, code: u16, message: &str) -> Vec<u8> {
        let cut = message.char_indices().take_while(|(at, _)| *at < MESSAGE_BYTES_MAX).last();
        let message = &message[..cut.map_or(0, |(at, c)| at + c.len_utf8())];
        // It quotes the statement near which something was wrong: ours, without anybody's literals.
        format!("= {} refused {code} {}\n", id.word(), Clean::line(message)).into_bytes()
    }

    /// The whole answer from rows that are there already: captures, simulations.
    pub fn of(id: StatementId, answer: &Answer) -> Vec<u8> {
        match answer {
            Answer::Refused { code, message } => Self::refused(id, *code, message.as_str()),
            Answer::Rows(rows) => {
                let mut writer = Self::rows(id, rows.columns.iter().map(String::as_bytes));
                for row in &rows.rows {
                    writer.row(row.iter().map(Option::as_deref));
                }
                writer.finish()
            }
        }
    }
}

fn written(kind: Kind, cell: &[u8]) -> Cow<'_, [u8]> {
    let text = |bytes_max: usize| String::from_utf8_lossy(&cell[..cell.len().min(bytes_max)]);
    let masked = match kind {
        Kind::Plain => return Cow::Borrowed(cell),
        Kind::Statement => mask::statement(&text(MASKED_BYTES_MAX), Literals::Masked).as_str().to_owned(),
        Kind::Error => mask::error(&text(MASKED_BYTES_MAX), Literals::Masked).as_str().to_owned(),
        Kind::EngineStatus => status_text::masked(&text(status_text::TEXT_BYTES_MAX)),
    };
    Cow::Owned(masked.into_bytes())
}

fn escape(cell: &[u8], out: &mut Vec<u8>) {
    for byte in cell {
        match byte {
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0 => out.extend_from_slice(b"\\0"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            _ => out.push(*byte),
        }
    }
}

/// What the bytes say. `Ok(None)` for none at all: the statement was not its turn. An error names what is odd.
pub(super) fn read(bytes: &[u8], rows_max: usize) -> Result<Option<(StatementId, Answer)>, String> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let head = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let mut words = head.splitn(4, ' ');
    let (mark, name, what) = (words.next(), words.next().unwrap_or_default(), words.next());
    let id = StatementId::ALL.into_iter().find(|id| id.word() == name).filter(|_| mark == Some("="));
    let Some(id) = id else { return Err(odd(&head)) };
    match what {
        Some("refused") => {
            let rest = words.next().unwrap_or_default();
            let (code, message) = rest.split_once(' ').unwrap_or((rest, ""));
            let code = code.parse().map_err(|_| odd(&head))?;
            Ok(Some((id, Answer::Refused { code, message: Clean::line(message) })))
        }
        Some("rows") => {
            let names = lines.next().unwrap_or_default();
            let columns: Vec<String> =
                cells(names).map(|cell| String::from_utf8_lossy(&cell.unwrap_or_default()).into_owned()).collect();
            let body = lines.filter(|line| !line.is_empty()).take(rows_max.saturating_add(1));
            let rows = body.map(|line| cells(line).collect()).collect();
            Ok(Some((id, Answer::Rows(Rows { columns, rows }))))
        }
        _ => Err(odd(&head)),
    }
}

fn odd(head: &str) -> String {
    let mut text = String::from("begins with ");
    // Writing into a String cannot fail.
    let _ = write!(text, "{:?}", head.chars().take(40).collect::<String>());
    text
}

fn cells(line: &[u8]) -> impl Iterator<Item = Option<Vec<u8>>> + '_ {
    line.split(|byte| *byte == b'\t').take(COLUMNS_MAX).map(|cell| (cell != b"\\N").then(|| unescaped(cell)))
}

fn unescaped(cell: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(cell.len());
    let mut bytes = cell.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'\\' {
            out.push(*byte);
            continue;
        }
        match bytes.next() {
            Some(b't') => out.push(b'\t'),
            Some(b'n') => out.push(b'\n'),
            Some(b'0') => out.push(0),
            Some(other) => out.push(*other),
            None => out.push(b'\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_answer_reads_back_as_it_was() {
        let rows = Rows {
            columns: vec!["Variable_name".into(), "Value".into()],
            rows: vec![
                vec![Some(b"a".to_vec()), None],
                vec![Some(b"\\N".to_vec()), Some(b"tab\tline\nnul\0back\\slash".to_vec())],
                vec![Some(b"".to_vec()), Some(b"".to_vec())],
            ],
        };
        let bytes = ReplyWriter::of(StatementId::Status, &Answer::Rows(rows.clone()));
        assert_eq!(read(&bytes, 10), Ok(Some((StatementId::Status, Answer::Rows(rows)))));
        assert_eq!(
            bytes,
            b"= status rows\nVariable_name\tValue\na\t\\N\n\\\\N\ttab\\tline\\nnul\\0back\\\\slash\n\t\n"
        );
    }

    #[test]
    fn a_refusal_and_silence_read_back() {
        let refused = ReplyWriter::refused(StatementId::Processes, 1227, "Access denied; you need PROCESS\nx");
        let (id, answer) = read(&refused, 10).unwrap().unwrap();
        assert_eq!(id, StatementId::Processes);
        let Answer::Refused { code, message } = answer else { panic!() };
        assert!(code == 1227 && message.as_str().starts_with("Access denied; you need PROCESS"), "{message}");
        assert_eq!(read(b"", 10), Ok(None));
        for odd in ["ERROR", "= nothing rows\n", "= status columns\n", "= status refused x y\n"] {
            assert!(read(odd.as_bytes(), 10).is_err(), "{odd}");
        }
    }

    #[test]
    fn literals_are_masked_as_they_are_written() {
        let answer = Answer::Rows(Rows {
            columns: vec!["id".into(), "INFO".into(), "Last_SQL_Error".into()],
            rows: vec![vec![
                Some(b"7".to_vec()),
                Some(b"select 'secret', 12".to_vec()),
                Some(b"Duplicate entry 'secret' for key 'PRIMARY'".to_vec()),
            ]],
        });
        let bytes = ReplyWriter::of(StatementId::Processes, &answer);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "= processes rows\nid\tINFO\tLast_SQL_Error\n7\tselect ?, ?\tDuplicate entry '?' for key 'PRIMARY'\n"
        );
    }

    proptest! {
        #[test]
        fn any_cells_read_back(cells in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)), 1..5)) {
            let rows = Rows { columns: (0..cells.len()).map(|index| format!("c{index}")).collect(), rows: vec![cells.clone()] };
            let bytes = ReplyWriter::of(StatementId::Role, &Answer::Rows(rows.clone()));
            let expected = if cells == [Some(Vec::new())] { Vec::new() } else { rows.rows.clone() };
            prop_assert_eq!(read(&bytes, 10), Ok(Some((StatementId::Role, Answer::Rows(Rows { rows: expected, ..rows })))));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 10);
            let _ = read(&[b"= status rows\n".as_slice(), &bytes].concat(), 10);
        }
    }
}
