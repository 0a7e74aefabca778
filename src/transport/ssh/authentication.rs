//! Logging in: agent keys, key files, certificates, keyboard-interactive and password, in OpenSSH's order.
//!
//! A passphrase is asked for only when the server would accept the key, and not while a connection waits: the login
//! is given up, the operator asked, and the login begun anew.

use super::{
    gate::Gate,
    identity::{self, Identity, Keyring, Lookup, Private},
    operator::Operator,
    settings::{Method, Resolved},
};
use crate::{
    model::{
        link::Ask,
        text::Clean,
        trouble::{Trouble, TroubleKind},
    },
    transport::Answer,
};
use russh::{
    MethodKind, MethodSet, SendError, Signer,
    client::{AuthResult, Handle, KeyboardInteractiveAuthResponse, Prompt},
    keys::{
        Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey,
        agent::{AgentIdentity, client::AgentClient},
        ssh_key::public::KeyData,
    },
};
use secrecy::ExposeSecret;
use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{net::UnixStream, time::timeout};

/// Keys offered in one login. Servers hang up after six by default.
const KEYS_MAX: usize = 16;
/// Rounds of keyboard-interactive, and of passwords.
const ROUNDS_MAX: usize = 3;
/// An agent answers at once, or asks its owner to confirm.
const AGENT_WAIT: Duration = Duration::from_secs(2);
const AGENT_SIGN_WAIT: Duration = Duration::from_secs(30);

/// Why the login did not succeed.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The server would accept this key, whose passphrase is not known yet.
    Passphrase(PathBuf),
    /// It failed. `hopeless`: the same again would fail the same way.
    Trouble { trouble: Trouble, hopeless: bool },
}

/// One login.
pub(super) struct Login<'a> {
    pub(super) handle: &'a mut Handle<Gate>,
    pub(super) resolved: &'a Resolved,
    pub(super) keyring: &'a Keyring,
    pub(super) operator: &'a Operator,
    /// Longest wait for one answer of the server.
    pub(super) step: Duration,
    /// What was tried, for the message.
    pub(super) tried: Vec<String>,
    /// What could not be tried.
    pub(super) skipped: Vec<Trouble>,
}

/// A key to offer.
enum Candidate {
    Agent(AgentIdentity),
    File {
        file: PathBuf,
        key: Arc<PrivateKey>,
        certificate: Option<Certificate>,
    },
    /// Offered without a signature, to learn whether its passphrase is worth asking for.
    Locked {
        file: PathBuf,
        public: Option<KeyData>,
        certificate: Option<Certificate>,
    },
}

/// An open connection to the agent.
type Agent = AgentClient<UnixStream>;

impl Login<'_> {
    /// Logs in; says by what.
    pub(super) async fn run(mut self) -> Result<String, Obstacle> {
        let user = self.resolved.user.clone();
        let mut remaining = match self.step(|handle| handle.authenticate_none(user)).await? {
            AuthResult::Success => return Ok("no authentication".into()),
            AuthResult::Failure { remaining_methods, .. } => remaining_methods,
        };
        // A method that succeeded in part is followed by others; each is entered at most once.
        for method in self.resolved.methods.clone() {
            let kind = match method {
                Method::PublicKey => MethodKind::PublicKey,
                Method::KeyboardInteractive => MethodKind::KeyboardInteractive,
                Method::Password => MethodKind::Password,
            };
            if !remaining.contains(&kind) {
                continue;
            }
            let outcome = match method {
                Method::PublicKey => self.public_keys().await?,
                Method::KeyboardInteractive => self.keyboard_interactive().await?,
                Method::Password => self.password().await?,
            };
            match outcome {
                Outcome::In(by) => return Ok(by),
                Outcome::Not(Some(methods)) => remaining = methods,
                Outcome::Not(None) => {}
            }
        }
        Err(self.refused(&remaining))
    }

    /// One exchange with the server, within its time.
    async fn step<'s, T, E: Into<russh::Error>, F>(
        &'s mut self,
        exchange: impl FnOnce(&'s mut Handle<Gate>) -> F,
    ) -> Result<T, Obstacle>
    where
        F: Future<Output = Result<T, E>> + 's,
    {
        let (resolved, tried) = (self.resolved, self.tried.join(", "));
        match timeout(self.step, exchange(self.handle)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(lost(resolved, &tried, &error.into().to_string())),
            Err(_) => Err(Obstacle::Trouble {
                trouble: Trouble::new(
                    TroubleKind::TimedOut,
                    format!("{} did not answer the login within {} ms", resolved.name, self.step.as_millis()),
                    "check the load of the node, and its name service and PAM modules",
                ),
                hopeless: false,
            }),
        }
    }

    async fn public_keys(&mut self) -> Result<Outcome, Obstacle> {
        let (mut agent, candidates) = self.candidates().await;
        let mut rsa_hash = None;
        let mut remaining = None;
        for candidate in candidates.into_iter().take(KEYS_MAX) {
            if candidate.is_rsa() && rsa_hash.is_none() {
                rsa_hash = Some(self.step(|handle| handle.best_supported_rsa_hash()).await?);
            }
            // A server that does not say which hashes it knows is old or odd; SHA-512 is what they all have.
            let hash = candidate.is_rsa().then(|| rsa_hash.flatten().unwrap_or(Some(HashAlg::Sha512))).flatten();
            let words = candidate.words();
            match self.offer(candidate, hash, agent.as_mut()).await? {
                Some(AuthResult::Success) => return Ok(Outcome::In(words)),
                Some(AuthResult::Failure { remaining_methods, partial_success }) => {
                    self.tried.push(if partial_success {
                        format!("{words} (accepted, more is wanted)")
                    } else {
                        words
                    });
                    if self.handle.is_closed() {
                        return Err(self.hung_up());
                    }
                    let go_on = remaining_methods.contains(&MethodKind::PublicKey) && !partial_success;
                    remaining = Some(remaining_methods);
                    if !go_on {
                        break;
                    }
                }
                None => self.tried.push(format!("{words} (the agent did not sign)")),
            }
        }
        Ok(Outcome::Not(remaining))
    }

    /// Offers one key. `None`: the agent would not sign.
    async fn offer(
        &mut self,
        candidate: Candidate,
        hash: Option<HashAlg>,
        agent: Option<&mut Agent>,
    ) -> Result<Option<AuthResult>, Obstacle> {
        let user = self.resolved.user.clone();
        let result = match candidate {
            Candidate::Agent(identity) => {
                let Some(agent) = agent else { return Ok(None) };
                let handle = &mut *self.handle;
                let signed = async {
                    match identity {
                        AgentIdentity::PublicKey { key, .. } => {
                            handle.authenticate_publickey_with(user, key, hash, agent).await
                        }
                        AgentIdentity::Certificate { certificate, .. } => {
                            handle.authenticate_certificate_with(user, certificate, hash, agent).await
                        }
                    }
                };
                // An agent that vanished or declines costs this key only; one that says nothing costs the login,
                // because the session waits for its signature.
                return match timeout(AGENT_SIGN_WAIT, signed).await {
                    Ok(answer) => Ok(answer.ok()),
                    Err(_) => Err(agent_silent()),
                };
            }
            Candidate::File { key, certificate: None, .. } => {
                let key = PrivateKeyWithHashAlg::new(key, hash);
                self.step(|handle| handle.authenticate_publickey(user, key)).await?
            }
            Candidate::File { key, certificate: Some(certificate), .. } => {
                self.step(|handle| handle.authenticate_openssh_cert(user, key, certificate)).await?
            }
            Candidate::Locked { file, public, certificate } => self.probe(&file, public, certificate, hash).await?,
        };
        Ok(Some(result))
    }

    /// Asks the server whether it would accept a key that we cannot use yet.
    async fn probe(
        &mut self,
        file: &Path,
        public: Option<KeyData>,
        certificate: Option<Certificate>,
        hash: Option<HashAlg>,
    ) -> Result<AuthResult, Obstacle> {
        let user = self.resolved.user.clone();
        // An old key format hides its public half, too: then only the passphrase can tell.
        let Some(public) = public else { return Err(Obstacle::Passphrase(file.to_owned())) };
        let handle = &mut *self.handle;
        let asked = async {
            if let Some(certificate) = certificate {
                handle.authenticate_certificate_with(user, certificate, hash, &mut WithoutPassphrase).await
            } else {
                let public = PublicKey::new(public, "");
                handle.authenticate_publickey_with(user, public, hash, &mut WithoutPassphrase).await
            }
        };
        match timeout(self.step, asked).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Unsigned::Accepted)) => Err(Obstacle::Passphrase(file.to_owned())),
            Ok(Err(Unsigned::Send)) | Err(_) => Err(self.hung_up()),
        }
    }

    /// What can be offered, in OpenSSH's order: keys of files that the agent holds, the agent's other keys (unless
    /// `IdentitiesOnly`), keys that are only in files.
    async fn candidates(&mut self) -> (Option<Agent>, Vec<Candidate>) {
        let identities = self.identities().await;
        let (agent, mut held) = self.agent_identities().await;
        let mut first = Vec::new();
        let mut last = Vec::new();
        for identity in identities {
            let position = held.iter().position(|held| Some(held.public_key().key_data()) == identity.public.as_ref());
            if let Some(position) = position {
                first.push(Candidate::Agent(held.remove(position)));
            } else {
                last.extend(self.file_candidates(identity));
            }
        }
        if !self.resolved.identities_only {
            first.extend(held.into_iter().map(Candidate::Agent));
        }
        first.extend(last);
        (agent, first)
    }

    async fn identities(&self) -> Vec<Identity> {
        let (files, certificates) = (self.resolved.identity_files.clone(), self.resolved.certificate_files.clone());
        let work = move || files.iter().take(KEYS_MAX).map(|file| identity::load(file, &certificates)).collect();
        tokio::task::spawn_blocking(work).await.unwrap_or_default()
    }

    /// A certificate is offered before the bare key.
    fn file_candidates(&mut self, identity: Identity) -> Vec<Candidate> {
        let Identity { file, public, certificate, private } = identity;
        let open = |key: Arc<PrivateKey>| {
            let with = certificate.clone().map(|certificate| Candidate::File {
                file: file.clone(),
                key: Arc::clone(&key),
                certificate: Some(certificate),
            });
            with.into_iter().chain([Candidate::File { file: file.clone(), key, certificate: None }]).collect()
        };
        match private {
            Private::Open(key) => open(key),
            Private::Encrypted => match self.keyring.look(&file) {
                Lookup::Key(key) => open(key),
                Lookup::Refused => {
                    self.skipped.push(encrypted(&file));
                    Vec::new()
                }
                Lookup::NotAsked => {
                    let with = certificate.clone().map(|certificate| Candidate::Locked {
                        file: file.clone(),
                        public: public.clone(),
                        certificate: Some(certificate),
                    });
                    with.into_iter().chain([Candidate::Locked { file, public, certificate: None }]).collect()
                }
            },
            Private::Absent => Vec::new(),
            Private::Unusable(trouble) => {
                self.skipped.push(trouble);
                Vec::new()
            }
        }
    }

    /// The agent and its keys; none of either when it does not answer.
    async fn agent_identities(&mut self) -> (Option<Agent>, Vec<AgentIdentity>) {
        let Some(socket) = self.resolved.agent.clone() else { return (None, Vec::new()) };
        let binding = self.handle.agent_session_binding().cloned();
        let asked = async {
            let mut agent = Agent::connect_uds(&socket).await?;
            if let Some(binding) = binding {
                // Agents before OpenSSH 8.9 do not know it, and need it only for restricted keys.
                let _ = agent.bind_session(&binding, false).await;
            }
            let identities = agent.request_identities().await?;
            Ok::<_, russh::keys::Error>((agent, identities))
        };
        let why = match timeout(AGENT_WAIT, asked).await {
            Ok(Ok((agent, identities))) => return (Some(agent), identities),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", AGENT_WAIT.as_secs()),
        };
        self.skipped.push(Trouble::new(
            TroubleKind::AgentUnavailable,
            format!("agent {} cannot be used ({why})", socket.display()),
            "start ssh-agent and ssh-add the key, or correct SSH_AUTH_SOCK",
        ));
        (None, Vec::new())
    }

    async fn keyboard_interactive(&mut self) -> Result<Outcome, Obstacle> {
        let user = self.resolved.user.clone();
        let mut said = self.step(|handle| handle.authenticate_keyboard_interactive_start(user, None::<String>)).await?;
        let mut rounds = 0;
        loop {
            match said {
                KeyboardInteractiveAuthResponse::Success => return Ok(Outcome::In("keyboard-interactive".into())),
                KeyboardInteractiveAuthResponse::Failure { remaining_methods, .. } => {
                    self.tried.push("keyboard-interactive".into());
                    return Ok(Outcome::Not(Some(remaining_methods)));
                }
                KeyboardInteractiveAuthResponse::InfoRequest { instructions, prompts, .. } => {
                    rounds += 1;
                    let answers = self.answers(&instructions, prompts).await;
                    let Some(answers) = answers.filter(|_| rounds <= 2 * ROUNDS_MAX) else {
                        return Err(self.unanswered("keyboard-interactive"));
                    };
                    said = self.step(|handle| handle.authenticate_keyboard_interactive_respond(answers)).await?;
                }
            }
        }
    }

    /// The operator's answers to a round of prompts; `None` when one was refused.
    async fn answers(&self, instructions: &str, prompts: Vec<Prompt>) -> Option<Vec<String>> {
        let mut answers = Vec::with_capacity(prompts.len());
        for Prompt { prompt, echo } in prompts {
            let text = format!("{} {} {}", self.operator.prefix(), instructions.trim(), prompt.trim());
            answers.push(self.secret(text.trim(), echo).await?);
        }
        Some(answers)
    }

    async fn password(&mut self) -> Result<Outcome, Obstacle> {
        let user = self.resolved.user.clone();
        let mut remaining = None;
        for _ in 0..ROUNDS_MAX {
            let text = format!("password of {user}@{}", self.resolved.name);
            let Some(password) = self.secret(&text, false).await else { return Err(self.unanswered("password")) };
            let user = user.clone();
            match self.step(|handle| handle.authenticate_password(user, password)).await? {
                AuthResult::Success => return Ok(Outcome::In("password".into())),
                AuthResult::Failure { remaining_methods, .. } => {
                    self.tried.push("password".into());
                    if self.handle.is_closed() {
                        return Err(self.hung_up());
                    }
                    let go_on = remaining_methods.contains(&MethodKind::Password);
                    remaining = Some(remaining_methods);
                    if !go_on {
                        break;
                    }
                }
            }
        }
        Ok(Outcome::Not(remaining))
    }

    /// What the operator types; `None` when refused, or when the connection ended while the question stood.
    async fn secret(&self, text: &str, echo: bool) -> Option<String> {
        let answer = self.operator.ask(Ask::Prompt { text: Clean::line(text), echo }).await?;
        match answer {
            Answer::Secret(secret) => Some(secret.expose_secret().to_owned()),
            Answer::Accept | Answer::Refuse => None,
        }
    }

    fn unanswered(&mut self, method: &str) -> Obstacle {
        if self.handle.is_closed() {
            return self.hung_up();
        }
        self.tried.push(format!("{method} (not answered)"));
        self.refused(&MethodSet::empty())
    }

    /// The server ended the connection in the middle of the login.
    fn hung_up(&self) -> Obstacle {
        lost(self.resolved, &self.tried.join(", "), "the server closed the connection")
    }

    fn refused(&self, remaining: &MethodSet) -> Obstacle {
        let Resolved { name, user, .. } = self.resolved;
        let only_skipped = self.tried.is_empty().then(|| self.skipped.first().cloned()).flatten();
        if let Some(trouble) = only_skipped {
            // Nothing but the operator can change an encrypted or broken key; an agent may come back.
            let hopeless = trouble.kind == TroubleKind::KeyEncrypted;
            return Obstacle::Trouble { trouble, hopeless };
        }
        let accepts: Vec<&str> = remaining.iter().map(Into::into).collect();
        let tried = if self.tried.is_empty() { "nothing (no key found)".into() } else { self.tried.join(", ") };
        let skipped: Vec<&str> = self.skipped.iter().map(|trouble| trouble.cause.as_str()).collect();
        let mut cause = format!("login as {user} refused; tried {tried}");
        if !accepts.is_empty() {
            cause = format!("{cause}; the server accepts {}", accepts.join(", "));
        }
        if !skipped.is_empty() {
            cause = format!("{cause}; not tried: {}", skipped.join(", "));
        }
        let cure =
            format!("add a public key to ~{user}/.ssh/authorized_keys on {name}, or correct user and identity_files");
        let hopeless = self.tried.iter().any(|tried| tried.ends_with("(not answered)"));
        Obstacle::Trouble { trouble: Trouble::new(TroubleKind::AuthenticationRefused, cause, cure), hopeless }
    }
}

/// How one method ended.
enum Outcome {
    In(String),
    /// Not in; what the server accepts now, if it said so.
    Not(Option<MethodSet>),
}

impl Candidate {
    fn is_rsa(&self) -> bool {
        match self {
            Self::Agent(identity) => identity.public_key().algorithm().is_rsa(),
            Self::File { key, .. } => key.algorithm().is_rsa(),
            Self::Locked { public, .. } => public.as_ref().is_some_and(KeyData::is_rsa),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Agent(AgentIdentity::PublicKey { comment, .. }) => format!("agent key {comment}"),
            Self::Agent(AgentIdentity::Certificate { comment, .. }) => format!("agent certificate {comment}"),
            Self::File { file, certificate: None, .. } | Self::Locked { file, certificate: None, .. } => {
                format!("key {}", file.display())
            }
            Self::File { file, .. } | Self::Locked { file, .. } => format!("certificate {}-cert.pub", file.display()),
        }
    }
}

/// Signs nothing: the server has said it would accept the key, and that is all we wanted to know.
struct WithoutPassphrase;

/// Why nothing was signed.
enum Unsigned {
    Accepted,
    Send,
}

impl From<SendError> for Unsigned {
    fn from(_: SendError) -> Self {
        Self::Send
    }
}

impl Signer for WithoutPassphrase {
    type Error = Unsigned;

    async fn auth_sign(&mut self, _: &AgentIdentity, _: Option<HashAlg>, _: Vec<u8>) -> Result<Vec<u8>, Unsigned> {
        Err(Unsigned::Accepted)
    }
}

fn agent_silent() -> Obstacle {
    Obstacle::Trouble {
        trouble: Trouble::new(
            TroubleKind::AgentUnavailable,
            format!("the agent did not sign within {} s", AGENT_SIGN_WAIT.as_secs()),
            "confirm the agent's question, touch the security key, or set use_agent to false",
        ),
        hopeless: false,
    }
}

fn encrypted(file: &Path) -> Trouble {
    Trouble::new(
        TroubleKind::KeyEncrypted,
        format!("key {} needs a passphrase, and none was given", file.display()),
        format!("reconnect and enter it, or run: ssh-add {}", file.display()),
    )
}

fn lost(resolved: &Resolved, tried: &str, why: &str) -> Obstacle {
    let (kind, tried) = if tried.is_empty() {
        (TroubleKind::ConnectionLost, String::new())
    } else {
        (TroubleKind::AuthenticationRefused, format!(" after {tried}"))
    };
    Obstacle::Trouble {
        trouble: Trouble::new(
            kind,
            format!("{} ended the login as {}{tried} ({why})", resolved.name, resolved.user),
            "name the one right key in identity_files, and look into the node's auth log",
        ),
        hopeless: false,
    }
}
