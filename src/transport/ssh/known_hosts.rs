//! What the known_hosts files say about a host key. Pure: text in, verdict out.
//!
//! Our own, because the SSH library's check trusts revoked keys, knows neither wildcards nor authorities, and takes
//! a key of another type for a stranger (an attacker's way round a known key). Keys are compared by their data,
//! never by comment.

use ring::hmac;
use russh::keys::{
    Algorithm, EcdsaCurve, HashAlg, parse_public_key_base64,
    ssh_encoding::base64::{Base64, Encoding},
    ssh_key::{certificate::CertType, public::KeyData},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Lines that are looked at per file.
const LINES_MAX: usize = 100_000;

/// Everything the files say.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownHosts {
    entries: Vec<Entry>,
}

/// One usable line.
#[derive(Debug, Clone)]
struct Entry {
    at: Place,
    marker: Marker,
    hosts: Hosts,
    key: KeyData,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    pub(super) line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    None,
    CertAuthority,
    Revoked,
}

#[derive(Debug, Clone)]
enum Hosts {
    Patterns(Vec<String>),
    Hashed { salt: Vec<u8>, hash: Vec<u8> },
}

/// A key that is known for the host, where another one was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KnownKey {
    pub(super) at: Place,
    pub(super) algorithm: String,
    pub(super) fingerprint: String,
}

/// What to make of a host key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Known, or vouched for by a known authority.
    Trusted(Place),
    /// Not known; nothing else is known for the host either.
    Unknown,
    /// Other keys are known for the host.
    Changed(Vec<KnownKey>),
    /// The key, or the authority that vouches for it, is revoked.
    Revoked(Place),
    /// A known authority vouches for it, but not (any more) for this host.
    CertificateInvalid(String),
}

/// How a host is written in known_hosts: `host`, or `[host]:port` where the port is not 22.
pub(super) fn written(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// "SHA256:…"
pub(super) fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

impl KnownHosts {
    /// Adds the lines of a file. Lines that make no sense are passed over, as OpenSSH does.
    pub(super) fn add(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = file.into();
        for (index, line) in text.lines().take(LINES_MAX).enumerate() {
            let at = Place { file: Arc::clone(&file), line: index + 1 };
            self.entries.extend(entry(at, line));
        }
    }

    /// Revokes every key of a `RevokedHostKeys` file (the form that lists public keys) for all hosts.
    pub(super) fn add_revoked(&mut self, file: &Path, text: &str) {
        let file: Arc<Path> = file.into();
        for (index, line) in text.lines().take(LINES_MAX).enumerate() {
            let at = Place { file: Arc::clone(&file), line: index + 1 };
            self.entries.extend(entry(at, &format!("@revoked * {line}")));
        }
    }

    /// The verdict on a plain key.
    pub(super) fn check(&self, host: &str, port: u16, key: &KeyData) -> Verdict {
        let name = written(host, port);
        match self.check_name(&name, key) {
            // As OpenSSH: the same key without the port is good enough, a different one says nothing.
            Verdict::Unknown if port != 22 => match self.check_name(&written(host, 22), key) {
                Verdict::Trusted(place) => Verdict::Trusted(place),
                _ => Verdict::Unknown,
            },
            verdict => verdict,
        }
    }

    fn check_name(&self, name: &str, key: &KeyData) -> Verdict {
        if let Some(revoked) = self.matching(name, Marker::Revoked).find(|entry| &entry.key == key) {
            return Verdict::Revoked(revoked.at.clone());
        }
        let mut others = Vec::new();
        for entry in self.matching(name, Marker::None) {
            if &entry.key == key {
                return Verdict::Trusted(entry.at.clone());
            }
            others.push(KnownKey {
                at: entry.at.clone(),
                algorithm: entry.key.algorithm().as_str().to_owned(),
                fingerprint: fingerprint(&entry.key),
            });
        }
        if others.is_empty() { Verdict::Unknown } else { Verdict::Changed(others) }
    }

    /// The verdict on a certificate at `now_s` (seconds since 1970). A certificate of an authority that is not known
    /// counts as the key in it.
    pub(super) fn check_certificate(
        &self,
        host: &str,
        port: u16,
        certificate: &russh::keys::Certificate,
        now_s: u64,
    ) -> Verdict {
        let name = written(host, port);
        let authority = certificate.signature_key();
        for key in [authority, certificate.public_key()] {
            if let Some(revoked) = self.matching(&name, Marker::Revoked).find(|entry| &entry.key == key) {
                return Verdict::Revoked(revoked.at.clone());
            }
        }
        let Some(trusted) = self.matching(&name, Marker::CertAuthority).find(|entry| &entry.key == authority) else {
            return self.check(host, port, certificate.public_key());
        };
        let fingerprints = [authority.fingerprint(HashAlg::Sha256)];
        match certificate_fault(host, certificate, now_s) {
            Some(fault) => Verdict::CertificateInvalid(fault),
            None if certificate.validate_at(now_s, &fingerprints).is_err() => {
                Verdict::CertificateInvalid("its signature is wrong".into())
            }
            None => Verdict::Trusted(trusted.at.clone()),
        }
    }

    /// Algorithms to ask the server for, known ones first: a server with several keys then shows the one we know.
    pub(super) fn preferred_algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        let name = written(host, port);
        let known: Vec<Algorithm> = self.matching(&name, Marker::None).map(|entry| entry.key.algorithm()).collect();
        let (mut first, rest): (Vec<_>, Vec<_>) = algorithms().into_iter().partition(|algorithm| {
            known.iter().any(|known| match (known, algorithm) {
                (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
                (known, algorithm) => known == algorithm,
            })
        });
        first.extend(rest);
        first
    }

    /// Whether an authority is known for the host: only then is a certificate asked for.
    pub(super) fn has_authority(&self, host: &str, port: u16) -> bool {
        self.matching(&written(host, port), Marker::CertAuthority).next().is_some()
    }

    fn matching<'a>(&'a self, name: &'a str, marker: Marker) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.marker == marker && entry.hosts.contain(name))
    }
}

/// Host key algorithms in order of preference. No SHA-1.
pub(super) fn algorithms() -> Vec<Algorithm> {
    vec![
        Algorithm::Ed25519,
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
        Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
    ]
}

/// What is wrong with a host certificate apart from its signature.
fn certificate_fault(host: &str, certificate: &russh::keys::Certificate, now_s: u64) -> Option<String> {
    let host = host.to_ascii_lowercase();
    if certificate.cert_type() != CertType::Host {
        return Some("it is a user certificate".into());
    }
    let principals = certificate.valid_principals();
    // An empty list means "any host" in the format; OpenSSH accepts wildcards as well.
    let named = principals.is_empty() || principals.iter().any(|p| glob(&p.to_ascii_lowercase(), &host));
    if !named {
        return Some(format!("it is for {}, not for {host}", principals.join(", ")));
    }
    if certificate.critical_options().iter().next().is_some() {
        return Some("it has critical options, which host certificates cannot have".into());
    }
    if now_s < certificate.valid_after() {
        return Some("it is not valid yet".into());
    }
    if now_s >= certificate.valid_before() {
        return Some("it has expired".into());
    }
    None
}

/// Reads one line: `[marker] hosts type base64 [comment]`, separated by blanks or tabs.
fn entry(at: Place, line: &str) -> Option<Entry> {
    let mut fields = line.split_ascii_whitespace().peekable();
    let marker = match fields.peek()?.as_bytes().first()? {
        b'#' => return None,
        b'@' => match fields.next()? {
            "@cert-authority" => Marker::CertAuthority,
            "@revoked" => Marker::Revoked,
            _ => return None,
        },
        _ => Marker::None,
    };
    let hosts = hosts(fields.next()?)?;
    let algorithm = fields.next()?;
    let key = parse_public_key_base64(fields.next()?).ok()?.key_data().clone();
    (key.algorithm().as_str() == algorithm).then_some(Entry { at, marker, hosts, key })
}

fn hosts(field: &str) -> Option<Hosts> {
    if let Some(hashed) = field.strip_prefix("|1|") {
        let (salt, hash) = hashed.split_once('|')?;
        return Some(Hosts::Hashed { salt: Base64::decode_vec(salt).ok()?, hash: Base64::decode_vec(hash).ok()? });
    }
    Some(Hosts::Patterns(field.split(',').map(str::to_ascii_lowercase).collect()))
}

impl Hosts {
    /// Whether the line is about `name` (lower case).
    fn contain(&self, name: &str) -> bool {
        match self {
            Self::Patterns(patterns) => {
                let mut found = false;
                for pattern in patterns {
                    match pattern.strip_prefix('!') {
                        // A negation excludes, whatever else matches.
                        Some(excluded) if glob(excluded, name) => return false,
                        Some(_) => {}
                        None => found |= glob(pattern, name),
                    }
                }
                found
            }
            Self::Hashed { salt, hash } => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
                hmac::verify(&key, name.as_bytes(), hash).is_ok()
            }
        }
    }
}

/// `|1|salt|hash` of a name.
pub(super) fn hashed(name: &str, salt: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
    let hash = hmac::sign(&key, name.as_bytes());
    format!("|1|{}|{}", Base64::encode_string(salt), Base64::encode_string(hash.as_ref()))
}

/// `*` stands for any text, `?` for one character. Linear: a failed match resumes only at the last `*`.
fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            resume = Some((p + 1, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == b'?' || c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = resume {
            resume = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// The files to read, without repetition.
pub(super) fn files(user: &[PathBuf], global: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in user.iter().chain(global) {
        if !files.contains(file) {
            files.push(file.clone());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use russh::keys::{PrivateKey, key::safe_rng};

    fn key(algorithm: Algorithm) -> KeyData {
        PrivateKey::random(&mut safe_rng(), algorithm).unwrap().public_key().key_data().clone()
    }

    fn ed25519() -> KeyData {
        key(Algorithm::Ed25519)
    }

    fn ecdsa() -> KeyData {
        key(Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 })
    }

    /// "type base64"
    fn text(key: &KeyData) -> String {
        let line = russh::keys::PublicKey::new(key.clone(), "").to_openssh().unwrap();
        line.trim().to_owned()
    }

    fn check(lines: &str, host: &str, port: u16, key: &KeyData) -> Verdict {
        let mut known = KnownHosts::default();
        known.add(Path::new("/kh"), lines);
        known.check(host, port, key)
    }

    fn trusted(line: usize) -> Verdict {
        Verdict::Trusted(Place { file: Path::new("/kh").into(), line })
    }

    #[test]
    fn names_match_as_openssh_matches_them() {
        let ours = ed25519();
        let k = text(&ours);
        let hash = hashed("[web.test]:2200", b"01234567890123456789");
        for (line, host, port) in [
            (format!("web.test {k}"), "web.test", 22),
            (format!("web.test {k} a comment"), "web.test", 22),
            (format!("WEB.test {k}"), "Web.Test", 22),
            (format!("other,web.test,10.0.0.1 {k}"), "10.0.0.1", 22),
            (format!("[web.test]:2200 {k}"), "web.test", 2200),
            (format!("{hash} {k}"), "web.test", 2200),
            (format!("*.test {k}"), "web.test", 22),
            (format!("w?b.test {k}"), "web.test", 22),
            (format!("[127.0.0.*]:* {k}"), "127.0.0.1", 2200),
            (format!("\tweb.test\t{}", k.replace(' ', "\t")), "web.test", 22),
            (format!("web.test {k}"), "web.test", 2200),
            (format!("2001:db8::1 {k}"), "2001:db8::1", 22),
            (format!("[2001:db8::1]:2200 {k}"), "2001:db8::1", 2200),
        ] {
            assert_eq!(check(&line, host, port, &ours), trusted(1), "{line} for {host} {port}");
        }
        for (line, host, port) in [
            (format!("!web.test,* {k}"), "web.test", 22),
            (format!("*,!web.test {k}"), "web.test", 22),
            (format!("[web.test]:2200 {k}"), "web.test", 22),
            (format!("[web.test]:2200 {k}"), "web.test", 2201),
            (format!("web.test. {k}"), "web.test", 22),
            (format!("?.test {k}"), "web.test", 22),
            (format!("# web.test {k}"), "web.test", 22),
            (format!("@unknown-marker web.test {k}"), "web.test", 22),
            (format!("@cert-authority web.test {k}"), "web.test", 22),
            (format!("web.test ssh-rsa {}", k.split(' ').nth(1).unwrap()), "web.test", 22),
        ] {
            assert_eq!(check(&line, host, port, &ours), Verdict::Unknown, "{line} for {host} {port}");
        }
    }

    #[test]
    fn a_revoked_key_is_refused_whatever_else_the_files_say() {
        let ours = ed25519();
        let k = text(&ours);
        let revoked = Verdict::Revoked(Place { file: Path::new("/kh").into(), line: 2 });
        assert_eq!(check(&format!("web.test {k}\n@revoked * {k}\n"), "web.test", 22, &ours), revoked);
        // Revoked for another host only.
        assert_eq!(check(&format!("web.test {k}\n@revoked db.test {k}\n"), "web.test", 22, &ours), trusted(1));
        let mut known = KnownHosts::default();
        known.add(Path::new("/kh"), &format!("web.test {k}"));
        known.add_revoked(Path::new("/revoked"), &format!("# list\n{k} stolen\n"));
        let revoked = Verdict::Revoked(Place { file: Path::new("/revoked").into(), line: 2 });
        assert_eq!(known.check("web.test", 22, &ours), revoked);
    }

    #[test]
    fn another_key_is_a_change_also_of_another_type() {
        let (ours, other, of_other_type) = (ed25519(), ed25519(), ecdsa());
        for known in [&other, &of_other_type] {
            let verdict = check(&format!("\nweb.test {}\n", text(known)), "web.test", 22, &ours);
            let Verdict::Changed(keys) = verdict else { panic!("{verdict:?}") };
            assert_eq!((keys[0].at.line, &keys[0].fingerprint), (2, &fingerprint(known)));
        }
    }

    #[test]
    fn old_and_new_key_side_by_side_are_both_trusted() {
        let (old, new) = (ed25519(), ed25519());
        let lines = format!("web.test {}\nweb.test {}\n", text(&old), text(&new));
        assert_eq!(check(&lines, "web.test", 22, &old), trusted(1));
        assert_eq!(check(&lines, "web.test", 22, &new), trusted(2));
    }

    #[test]
    fn a_line_that_makes_no_sense_spoils_only_itself() {
        let ours = ed25519();
        let lines = format!("garbage\nweb.test ssh-ed25519 !!!\n|1|x web.test\n\u{0}\nweb.test {}\n", text(&ours));
        assert_eq!(check(&lines, "web.test", 22, &ours), trusted(5));
    }

    #[test]
    fn key_types_that_are_known_come_first() {
        let mut known = KnownHosts::default();
        known.add(Path::new("/kh"), &format!("web.test {}", text(&ecdsa())));
        let first = known.preferred_algorithms("web.test", 22).remove(0);
        assert_eq!(first, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 });
        assert_eq!(known.preferred_algorithms("other", 22), algorithms());
    }

    #[test]
    fn ssh_keygen_reads_and_writes_the_same_hashes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("known_hosts");
        let ours = ed25519();
        let by_us = hashed("web.test", b"01234567890123456789");
        std::fs::write(&file, format!("{by_us} {}\nplain.test {}\n", text(&ours), text(&ours))).unwrap();
        let run = |arguments: &[&str]| std::process::Command::new("ssh-keygen").args(arguments).output().unwrap();
        let name = file.to_str().unwrap();
        assert!(run(&["-F", "web.test", "-f", name]).status.success(), "ssh-keygen does not find our hash");
        assert!(run(&["-H", "-f", name]).status.success());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(!text.contains("plain.test"));
        let mut known = KnownHosts::default();
        known.add(&file, &text);
        assert!(matches!(known.check("plain.test", 22, &ours), Verdict::Trusted(_)), "we do not find its hash");
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let pattern = "*a".repeat(200);
        assert!(!glob(&pattern, &"a".repeat(150)));
        assert!(glob(&"*".repeat(1000), "x"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,300}", host in "[a-z.]{1,10}") {
            prop_assert_eq!(check(&text, &host, 22, &ed25519()), Verdict::Unknown);
        }
    }
}
