//! Reading the configuration file: the IO around `config`, and nothing else.

use crate::config::{self, EXAMPLE_COMMAND, EnvInput, FileMetadata, Loaded, NotFound, Problem};
use std::{
    fmt, fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Longest file that is read. A thousand nodes with every key need less than half of it.
const BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no configuration; the caller ends with exit code 2.
#[derive(Debug)]
pub enum Failure {
    /// No place has a file.
    NotFound(NotFound),
    /// The file cannot be used, with everything that is wrong with it.
    Problems(Vec<Problem>),
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(places) => places.fmt(f),
            Self::Problems(problems) => {
                let lines: Vec<_> = problems.iter().map(Problem::to_string).collect();
                f.write_str(&lines.join("\n"))
            }
        }
    }
}

/// Finds, reads and checks the configuration file.
pub fn read(explicit: Option<&Path>) -> Result<Loaded, Failure> {
    let env = environment();
    let place = config::find(explicit, &env, |path| path.try_exists().unwrap_or(true)).map_err(Failure::NotFound)?;
    let (text, mode) =
        contents(&place.path).map_err(|error| Failure::Problems(vec![unreadable(&place.path, &error)]))?;
    let metadata = FileMetadata { mode: Some(mode), home: env.home };
    config::load(&place.path, &text, &metadata).map_err(Failure::Problems)
}

fn environment() -> EnvInput {
    let path = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    EnvInput {
        vakt_config: path("VAKT_CONFIG"),
        xdg_config_home: path("XDG_CONFIG_HOME"),
        home: path("HOME").filter(|home| home.is_absolute()),
    }
}

/// The text of a file that is short enough, and its permission bits.
pub(super) fn contents(path: &Path) -> io::Result<(String, u32)> {
    // Mode and text come from the same open file: a path may be replaced between two looks.
    let file = fs::File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut text = String::new();
    file.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok((text, metadata.mode()))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let shown = path.display();
    let (what, cure) = match error.kind() {
        io::ErrorKind::NotFound => {
            ("there is no such file".into(), format!("check the path, or make one: {EXAMPLE_COMMAND} > {shown}"))
        }
        io::ErrorKind::PermissionDenied => (
            "the file cannot be read: permission denied".into(),
            format!("let this user read it (ls -l {shown}), or name another file with --config"),
        ),
        io::ErrorKind::IsADirectory => (
            "this is a directory".into(),
            format!("name the file in it: --config {}", path.join("config.toml").display()),
        ),
        io::ErrorKind::InvalidData => ("the file is not UTF-8 text".into(), "save it as UTF-8".into()),
        io::ErrorKind::FileTooLarge => {
            ("the file is longer than 1 MiB".into(), "check that it is the configuration of vakt".into())
        }
        _ => (format!("the file cannot be read: {error}"), "check the path and its file system".into()),
    };
    Problem { path: path.to_owned(), line: 0, column: 0, what, cure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let gone = folder.path().join("gone.toml");
        let message = read(Some(&gone)).unwrap_err().to_string();
        assert_eq!(
            message,
            format!(
                "{0}: there is no such file; check the path, or make one: vakt config example > {0}",
                gone.display()
            )
        );
        let message = read(Some(folder.path())).unwrap_err().to_string();
        assert!(message.contains(": this is a directory; "), "{message}");
        let binary = folder.path().join("binary.toml");
        fs::write(&binary, [0xff, 0xfe]).unwrap();
        assert!(read(Some(&binary)).unwrap_err().to_string().contains(": the file is not UTF-8 text; "));
        fs::write(&binary, "#".repeat(2 << 20)).unwrap();
        assert!(read(Some(&binary)).unwrap_err().to_string().contains(": the file is longer than 1 MiB; "));
    }

    #[test]
    fn the_mode_of_the_file_reaches_the_check() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        fs::write(&path, config::EXAMPLE.replace("# passphrase = \"…\"", "passphrase = \"open sesame\"")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let message = read(Some(&path)).unwrap_err().to_string();
        assert!(message.contains("passphrase is a secret and others can read this file (mode 0644)"), "{message}");
        assert!(!message.contains("sesame"), "{message}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let loaded = read(Some(&path)).unwrap();
        assert!(loaded.secrets.passphrase("web01").is_some());
        assert!(!format!("{loaded:?}").contains("sesame"));
    }
}
