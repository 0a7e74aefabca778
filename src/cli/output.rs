//! Standard output and error for headless commands. A reader that went away (`vakt status | head`) ends the program
//! quietly; every other failure to write is an error.

use std::io::{self, Write};

/// Writes `text` to standard output.
pub fn out(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Writes `text` and a line break to standard error; there is nobody to tell if that fails.
pub fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = writeln!(stderr, "{text}");
}

/// Whether an error only means that the reader went away.
pub fn reader_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}
