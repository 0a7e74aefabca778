//! Private keys in files: what each file offers, and the keys that a passphrase has opened.
//!
//! An opened key is kept for the life of the program, as an agent would, so that ten nodes and every reconnection
//! ask for its passphrase once.

use crate::model::{
    link::Ask,
    text::Clean,
    trouble::{Trouble, TroubleKind},
};
use russh::keys::{
    self, Certificate, PrivateKey, PublicKey, decode_secret_key, load_openssh_certificate, load_public_key,
    ssh_key::public::KeyData,
};
use secrecy::{ExposeSecret, SecretString};
use std::{
    collections::HashMap,
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A private key is a few kilobytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Times a wrong passphrase may be corrected before the key counts as refused.
const PASSPHRASE_TRIES_MAX: usize = 3;

/// What one identity file offers.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) file: PathBuf,
    pub(super) public: Option<KeyData>,
    pub(super) certificate: Option<Certificate>,
    pub(super) private: Private,
}

/// The private half.
#[derive(Clone)]
pub(super) enum Private {
    /// Ready for use.
    Open(Arc<PrivateKey>),
    /// Needs a passphrase.
    Encrypted,
    /// Not in the file; an agent may hold it.
    Absent,
    /// In the file, but not usable: why, and what to do.
    Unusable(Trouble),
}

impl std::fmt::Debug for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::Encrypted => "Encrypted",
            Self::Absent => "Absent",
            Self::Unusable(_) => "Unusable",
        })
    }
}

/// Reads what `file`, `file.pub` and `file-cert.pub` offer. Blocking.
pub(super) fn load(file: &Path, certificates: &[PathBuf]) -> Identity {
    let (private, own_public) = private(file);
    let public =
        own_public.or_else(|| load_public_key(with_suffix(file, ".pub")).ok().map(|key| key.key_data().clone()));
    let certificate = std::iter::once(with_suffix(file, "-cert.pub"))
        .chain(certificates.iter().cloned())
        .filter_map(|file| load_openssh_certificate(file).ok())
        .find(|certificate| public.as_ref().is_none_or(|public| certificate.public_key() == public));
    Identity { file: file.to_owned(), public, certificate, private }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The private half, and the public half that an OpenSSH file shows without its passphrase.
fn private(file: &Path) -> (Private, Option<KeyData>) {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (Private::Absent, None),
        Err(error) => return (Private::Unusable(unreadable(file, &error)), None),
    };
    let text = text.expose_secret();
    if !text.contains("PRIVATE KEY") {
        // An `IdentityFile` may name a public key, for an agent that holds the private one.
        return (Private::Absent, PublicKey::from_openssh(text.trim()).ok().map(|key| key.key_data().clone()));
    }
    // The library takes an encrypted key of these older formats for a broken one.
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return (Private::Encrypted, None);
    }
    match decode_secret_key(text, None) {
        Ok(key) => {
            let public = key.public_key().key_data().clone();
            (Private::Open(Arc::new(key)), Some(public))
        }
        Err(keys::Error::KeyIsEncrypted) => {
            (Private::Encrypted, PrivateKey::from_openssh(text).ok().map(|key| key.public_key().key_data().clone()))
        }
        Err(error) => (Private::Unusable(not_understood(file, &error)), None),
    }
}

/// The text of a private key file, which nobody else may read.
fn read(file: &Path) -> io::Result<SecretString> {
    let open = fs::File::open(file)?;
    let about = open.metadata()?;
    let readable_by_others = about.mode() & 0o077 != 0 && about.uid() == rustix::process::geteuid().as_raw();
    let mut text = String::new();
    open.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    if readable_by_others && text.contains("PRIVATE KEY") {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("others can read it, mode {:04o}", about.mode() & 0o7777),
        ));
    }
    Ok(text.into())
}

fn unreadable(file: &Path, error: &io::Error) -> Trouble {
    Trouble::new(
        TroubleKind::KeyUnusable,
        format!("key {} cannot be used ({error})", file.display()),
        format!("chown it to you and chmod 600 {}", file.display()),
    )
}

fn not_understood(file: &Path, error: &keys::Error) -> Trouble {
    Trouble::new(
        TroubleKind::KeyUnusable,
        format!("key {} cannot be parsed ({error})", file.display()),
        "convert it with ssh-keygen -p, or name another key in the configuration",
    )
}

/// The keys that passphrases have opened, by file.
#[derive(Debug, Default)]
pub(super) struct Keyring {
    files: Mutex<HashMap<PathBuf, Arc<tokio::sync::Mutex<Opened>>>>,
}

#[derive(Default)]
enum Opened {
    #[default]
    NotAsked,
    Key(Arc<PrivateKey>),
    Refused,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "NotAsked",
            Self::Key(_) => "Key",
            Self::Refused => "Refused",
        })
    }
}

/// What the keyring knows about an encrypted file.
pub(super) enum Lookup {
    Key(Arc<PrivateKey>),
    Refused,
    NotAsked,
}

impl Keyring {
    /// What is known now, without asking.
    pub(super) fn look(&self, file: &Path) -> Lookup {
        let slot = self.slot(file);
        // While another node's question about this key is open, it counts as not asked.
        let Ok(opened) = slot.try_lock() else { return Lookup::NotAsked };
        match &*opened {
            Opened::Key(key) => Lookup::Key(Arc::clone(key)),
            Opened::Refused => Lookup::Refused,
            Opened::NotAsked => Lookup::NotAsked,
        }
    }

    /// Makes sure the file's passphrase has been asked for. One node asks, the others wait for its answer.
    pub(super) async fn unlock<F>(&self, file: &Path, ask: impl Fn(Ask) -> F)
    where
        F: Future<Output = super::super::Answer>,
    {
        let slot = self.slot(file);
        let mut opened = slot.lock().await;
        if !matches!(*opened, Opened::NotAsked) {
            return;
        }
        for _ in 0..PASSPHRASE_TRIES_MAX {
            let question = Ask::Passphrase { file: Clean::line(&file.display().to_string()) };
            let super::super::Answer::Secret(passphrase) = ask(question).await else { break };
            if let Some(key) = decrypt(file.to_owned(), passphrase).await {
                *opened = Opened::Key(Arc::new(key));
                return;
            }
        }
        *opened = Opened::Refused;
    }

    /// Forgets refusals, so that the operator is asked again.
    pub(super) fn forget_refusals(&self) {
        self.lock().retain(|_, slot| slot.try_lock().map_or(true, |opened| !matches!(*opened, Opened::Refused)));
    }

    fn slot(&self, file: &Path) -> Arc<tokio::sync::Mutex<Opened>> {
        Arc::clone(self.lock().entry(file.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<tokio::sync::Mutex<Opened>>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Off the event loop: deriving the key from the passphrase takes a tenth of a second by design.
async fn decrypt(file: PathBuf, passphrase: SecretString) -> Option<PrivateKey> {
    let work = move || {
        let text = read(&file).ok()?;
        decode_secret_key(text.expose_secret(), Some(passphrase.expose_secret())).ok()
    };
    tokio::task::spawn_blocking(work).await.ok().flatten()
}
