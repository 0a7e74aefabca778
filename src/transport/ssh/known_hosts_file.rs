//! Reading the known_hosts files, and adding the one line an operator agreed to.

use super::known_hosts::{self, KnownHosts};
use crate::model::trouble::{Trouble, TroubleKind};
use ring::rand::{SecureRandom, SystemRandom};
use russh::keys::ssh_key::{PublicKey, public::KeyData};
use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Longest file that is read.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Reads the files that exist. One that exists but cannot be read is an error: it may revoke a key.
pub(super) fn read(files: &[PathBuf], revoked: Option<&Path>) -> Result<KnownHosts, Trouble> {
    let mut known = KnownHosts::default();
    for file in files {
        if let Some(text) = text(file)? {
            known.add(file, &text);
        }
    }
    if let Some(file) = revoked {
        let text = text(file)?.ok_or_else(|| unreadable(file, &io::Error::from(io::ErrorKind::NotFound)))?;
        if text.starts_with("SSHKRL\n") {
            return Err(Trouble::new(
                TroubleKind::SettingsUnusable,
                format!("RevokedHostKeys {} is a binary list (KRL), which vakt cannot read", file.display()),
                "name a file with one public key a line in ssh_config",
            ));
        }
        known.add_revoked(file, &text);
    }
    Ok(known)
}

/// The text of a file; `None` when it does not exist. Invalid UTF-8 spoils only its own line.
fn text(file: &Path) -> Result<Option<String>, Trouble> {
    let mut bytes = Vec::new();
    match fs::File::open(file).and_then(|open| open.take(FILE_BYTES_MAX).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(unreadable(file, &error)),
    }
}

fn unreadable(file: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        TroubleKind::SettingsUnusable,
        format!("{} cannot be read ({error})", file.display()),
        "make the file readable for you, or name another one in the configuration",
    )
}

/// Adds a line for the key, under a lock, in one write.
pub(super) fn learn(file: &Path, name: &str, key: &KeyData, hash_name: bool) -> Result<(), Trouble> {
    let trouble = |error: io::Error| {
        Trouble::new(
            TroubleKind::SettingsUnusable,
            format!("the host key cannot be written to {} ({error})", file.display()),
            "make the file writable for you, or name another one in the configuration",
        )
    };
    let line = line(name, key, hash_name).map_err(trouble)?;
    append(file, &line).map_err(trouble)
}

fn line(name: &str, key: &KeyData, hash_name: bool) -> io::Result<String> {
    let key = PublicKey::new(key.clone(), "").to_openssh().map_err(io::Error::other)?;
    let name = if hash_name {
        let mut salt = [0_u8; 20];
        SystemRandom::new().fill(&mut salt).map_err(|_| io::Error::other("no random numbers"))?;
        known_hosts::hashed(name, &salt)
    } else {
        name.to_owned()
    };
    Ok(format!("{name} {}\n", key.trim_end()))
}

fn append(file: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let mut open = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    // Two consoles, or ssh itself, may add a line at the same time.
    rustix::fs::flock(&open, rustix::fs::FlockOperation::LockExclusive)?;
    let mut bytes = String::new();
    if open.seek(SeekFrom::End(0))? > 0 {
        open.seek(SeekFrom::End(-1))?;
        let mut last = [0_u8; 1];
        open.read_exact(&mut last)?;
        if last != *b"\n" {
            bytes.push('\n');
        }
    }
    bytes.push_str(line);
    open.write_all(bytes.as_bytes())?;
    open.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ssh::known_hosts::Verdict;
    use russh::keys::{Algorithm, PrivateKey, key::safe_rng};
    use std::os::unix::fs::PermissionsExt;

    fn key() -> KeyData {
        PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap().public_key().key_data().clone()
    }

    #[test]
    fn what_is_learned_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("known_hosts");
        let keys = [key(), key(), key()];
        learn(&file, "plain.test", &keys[0], false).unwrap();
        learn(&file, "[hashed.test]:2200", &keys[1], true).unwrap();
        // A line without a line break at the end, as an editor may leave it.
        let mut text = fs::read_to_string(&file).unwrap();
        text.pop();
        fs::write(&file, text).unwrap();
        learn(&file, "third.test", &keys[2], false).unwrap();
        let known = read(std::slice::from_ref(&file), None).unwrap();
        for (line, (host, port)) in [("plain.test", 22), ("hashed.test", 2200), ("third.test", 22)].iter().enumerate() {
            let Verdict::Trusted(place) = known.check(host, *port, &keys[line]) else { panic!("{host} is not known") };
            assert_eq!(place.line, line + 1);
        }
        assert!(!fs::read_to_string(&file).unwrap().contains("hashed.test"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_missing_file_is_empty_and_an_unreadable_one_is_an_error() {
        assert!(read(&["/does/not/exist".into()], None).is_ok());
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(&[folder.path().to_owned()], None).unwrap_err().kind, TroubleKind::SettingsUnusable);
        // A list of revoked keys that is not there may not be taken for an empty one.
        assert!(read(&[], Some(Path::new("/does/not/exist"))).is_err());
    }

    #[test]
    fn consoles_that_learn_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        std::thread::scope(|scope| {
            for index in 0..8 {
                let file = &file;
                scope.spawn(move || learn(file, &format!("host{index}.test"), &key(), index % 2 == 0).unwrap());
            }
        });
        assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 8);
    }
}
