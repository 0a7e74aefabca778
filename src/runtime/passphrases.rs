//! Passphrases of private keys that this process knows: those of the configuration, and those the operator typed here.
//!
//! They reach an executor through its standard input and nothing else; what carries them there is wiped afterwards.

use crate::{
    config::Secrets,
    model::{
        ids::NodeName,
        inventory::Inventory,
        link::{Ask, Question},
        text::Clean,
    },
};
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use serde::{Deserialize, Deserializer, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Typed passphrases that are kept.
const TYPED_MAX: usize = 256;

/// What is known, and what has been tried of it.
#[derive(Clone, Default)]
pub struct Passphrases {
    /// By node or jump host.
    configured: BTreeMap<String, SecretString>,
    /// By key file.
    typed: BTreeMap<Clean, SecretString>,
    /// What was tried for which key of which node; a question that comes back is the operator's.
    tried: BTreeSet<(NodeName, Clean, Kind)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Configured,
    Typed,
}

impl fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrases").field("typed", &self.typed.len()).finish_non_exhaustive()
    }
}

/// One passphrase as it travels to an executor.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Of the keys of a node or jump host, from the configuration.
    Configured {
        /// Its name.
        name: String,
        /// The passphrase.
        #[serde(deserialize_with = "secret")]
        passphrase: SecretString,
    },
    /// Of a key file, as typed.
    Typed {
        /// The file.
        file: Clean,
        /// The passphrase.
        #[serde(deserialize_with = "secret")]
        passphrase: SecretString,
    },
}

/// The same, only while it is being written.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Exposed<'a> {
    Configured { name: &'a str, passphrase: &'a str },
    Typed { file: &'a Clean, passphrase: &'a str },
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured { .. } => "Configured(…)",
            Self::Typed { .. } => "Typed(…)",
        })
    }
}

impl Passphrases {
    /// Those of the configuration, for every machine of the inventory.
    pub fn configured(secrets: &Secrets, inventory: &Inventory) -> Self {
        let nodes = inventory.nodes.iter().map(|node| node.name.as_str());
        let hops = inventory.settings.jump_hosts.iter().map(|hop| hop.name.as_str());
        let configured =
            nodes.chain(hops).filter_map(|name| Some((name.to_owned(), secrets.passphrase(name)?.clone()))).collect();
        Self { configured, ..Self::default() }
    }

    /// Those that came with a job.
    pub fn received(known: Vec<Known>) -> Self {
        let mut all = Self::default();
        for one in known {
            match one {
                Known::Configured { name, passphrase } => _ = all.configured.insert(name, passphrase),
                Known::Typed { file, passphrase } => all.remember(file, passphrase),
            }
        }
        all
    }

    /// The answer to a question, if it asks for a passphrase that is known and was not tried yet for this node.
    pub fn answer(&mut self, node: &NodeName, question: &Question) -> Option<SecretString> {
        let Ask::Passphrase { file } = &question.ask else { return None };
        let known = [(Kind::Configured, self.configured.get(node.as_str())), (Kind::Typed, self.typed.get(file))];
        let (kind, passphrase) = known.into_iter().find_map(|(kind, passphrase)| {
            let passphrase = passphrase.filter(|_| !self.tried.contains(&(node.clone(), file.clone(), kind)))?;
            Some((kind, passphrase.clone()))
        })?;
        self.tried.insert((node.clone(), file.clone(), kind));
        Some(passphrase)
    }

    /// The operator has typed one.
    pub fn remember(&mut self, file: Clean, passphrase: SecretString) {
        if self.typed.len() < TYPED_MAX || self.typed.contains_key(&file) {
            self.typed.insert(file, passphrase);
        }
    }

    /// All of them as JSON, wiped when it is dropped.
    pub fn exposed(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let configured = self
            .configured
            .iter()
            .map(|(name, passphrase)| Exposed::Configured { name, passphrase: passphrase.expose_secret() });
        let typed =
            self.typed.iter().map(|(file, passphrase)| Exposed::Typed { file, passphrase: passphrase.expose_secret() });
        let all: Vec<Exposed<'_>> = configured.chain(typed).collect();
        // Room for every byte escaped, so that the buffer never moves and leaves a copy behind.
        let room: usize = all
            .iter()
            .map(|one| match one {
                Exposed::Configured { name, passphrase } => (name.len() + passphrase.len()) * 6 + 64,
                Exposed::Typed { file, passphrase } => (file.as_str().len() + passphrase.len()) * 6 + 64,
            })
            .sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room + 2));
        serde_json::to_writer(&mut *bytes, &all)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(file: &str) -> Question {
        Question { id: 1, ask: Ask::Passphrase { file: file.into() } }
    }

    #[test]
    fn each_known_passphrase_is_tried_once_and_then_the_operator_is_asked() {
        let mut sender = Passphrases::default();
        sender.configured.insert("web01".into(), SecretString::from("configured".to_owned()));
        sender.remember("/key".into(), SecretString::from("ty\"ped\n".to_owned()));
        let known: Vec<Known> = serde_json::from_slice(&sender.exposed().unwrap()).unwrap();
        assert!(!format!("{known:?}{sender:?}").contains("configured\"") && !format!("{known:?}").contains("ty"));
        let mut all = Passphrases::received(known);
        let node = NodeName::from("web01");
        let said = |answer: Option<SecretString>| answer.map(|secret| secret.expose_secret().to_owned());
        assert_eq!(said(all.answer(&node, &question("/key"))), Some("configured".into()));
        assert_eq!(said(all.answer(&node, &question("/key"))), Some("ty\"ped\n".into()));
        assert_eq!(said(all.answer(&node, &question("/key"))), None);
        assert_eq!(said(all.answer(&"web02".into(), &question("/key"))), Some("ty\"ped\n".into()));
        assert_eq!(said(all.answer(&"web02".into(), &question("/other"))), None);
    }
}
