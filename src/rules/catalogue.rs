//! Every rule there is, as a table for people: what it means, what usually causes it, what to do.
//!
//! Each file of rules has its own table, written with [`rules!`]; [`TABLES`] names the files. The order of all rules is
//! that of their ranks, wherever they are written.

use super::{
    Severity, addresses, certificates, cut_off, databases, drained, exposure, fate, host, intents, lost_primary,
    machines, node, overdue, private_network, replication, servers, services, settings, spike, switches,
    switches_fleet, traffic,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{cmp::Ordering, fmt::Write, sync::LazyLock};

/// The tables, one a file.
const TABLES: &[&[RuleId]] = &[
    // In the order of the alphabet.
    addresses::TABLE,
    certificates::TABLE,
    databases::TABLE,
    drained::TABLE,
    exposure::TABLE,
    fate::TABLE,
    host::TABLE,
    intents::TABLE,
    lost_primary::TABLE,
    cut_off::TABLE,
    machines::TABLE,
    node::TABLE,
    overdue::TABLE,
    private_network::TABLE,
    replication::TABLE,
    servers::TABLE,
    settings::TABLE,
    switches::TABLE,
    switches_fleet::TABLE,
    services::TABLE,
    spike::TABLE,
    traffic::TABLE,
];

/// A rule's row.
#[derive(Debug)]
pub struct Rule {
    /// "haproxy.server.down".
    pub name: &'static str,
    /// Decides between findings that are equally bad: the lower one is nearer to the cause, and is told first.
    ///
    /// | rank | about |
    /// |---|---|
    /// | 10 | the way to a node |
    /// | 20 | a hypervisor and its machines |
    /// | 30 | switches, ports, addresses, disks of a whole node |
    /// | 40 | what runs on a node and was ended |
    /// | 45 | a database; a backend of which no server is left, for its users have nothing at all |
    /// | 50 | a load balancer and its servers |
    /// | 60 | traffic |
    /// | 70 | a host's figures |
    /// | 90 | what can wait |
    pub rank: u16,
    /// How bad it is at worst.
    pub severity: Severity,
    /// A few words.
    pub title: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What usually causes it.
    pub causes: &'static str,
    /// What to do.
    pub action: &'static str,
    /// Findings that make this one a symptom while they hold.
    pub explained_by: &'static [Cause],
    /// Commands of the console that may help, the best one first.
    pub commands: &'static [&'static str],
}

/// A rule whose finding explains another one.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// "node.unreachable".
    pub rule: &'static str,
    /// Of which cause and which symptom that is so.
    pub relation: Relation,
}

/// How a cause must stand to its symptom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The cause is about the node that the symptom is about first.
    Node,
    /// The cause is about one of the symptom's nodes.
    AnyNode,
    /// Each of the symptom's nodes has a finding of the cause's rule, or of another cause of this relation.
    EveryNode,
    /// Both have the same subject.
    Subject,
    /// The cause's subject is a part of the symptom's: "web/web03" of "web".
    Inside,
    /// The symptom's subject is a part of the cause's.
    Around,
    /// Wherever it is: there is one such thing in a cluster.
    Anywhere,
}

/// Which rule. Two are the same when their names are; the order is that of the ranks.
#[derive(Debug, Clone, Copy)]
pub struct RuleId(pub(super) &'static Rule);

/// The table of a file of rules. A row makes a constant of its name and, over all rows, `TABLE`:
///
/// ```text
/// rules! {
///     SERVER_DOWN = "haproxy.server.down", 51, Critical, "Server down" {
///         meaning: "…",
///         causes: "…",
///         action: "…",
///         explained_by: [Node "node.unreachable"],     (may be left out)
///         commands: ["row.logs"],                      (may be left out)
///     }
/// }
/// ```
macro_rules! rules {
    ($($id:ident = $name:literal, $rank:literal, $severity:ident, $title:literal {
        meaning: $meaning:literal,
        causes: $causes:literal,
        action: $action:literal,
        $(explained_by: [$($relation:ident $cause:literal),+ $(,)?],)?
        $(commands: [$($command:literal),+ $(,)?],)?
    })+) => {
        $(
            #[doc = $title]
            pub(super) const $id: $crate::rules::RuleId = $crate::rules::RuleId(&$crate::rules::Rule {
                name: $name,
                rank: $rank,
                severity: $crate::rules::Severity::$severity,
                title: $title,
                meaning: $meaning,
                causes: $causes,
                action: $action,
                explained_by: &[$($($crate::rules::Cause {
                    rule: $cause,
                    relation: $crate::rules::Relation::$relation,
                }),+)?],
                commands: &[$($($command),+)?],
            });
        )+

        /// The rules of this file.
        pub(super) const TABLE: &[$crate::rules::RuleId] = &[$($id),+];
    };
}

pub(super) use rules;

static CATALOGUE: LazyLock<Vec<RuleId>> = LazyLock::new(|| {
    let mut all = TABLES.concat();
    all.sort_unstable();
    all
});

/// All rules, in their order.
pub fn catalogue() -> &'static [RuleId] {
    &CATALOGUE
}

impl RuleId {
    /// Its row.
    pub fn rule(self) -> &'static Rule {
        self.0
    }

    /// The rule of that name.
    pub fn named(name: &str) -> Option<Self> {
        catalogue().iter().copied().find(|id| id.0.name == name)
    }
}

impl PartialEq for RuleId {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for RuleId {}

impl PartialOrd for RuleId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RuleId {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.rank, self.0.name).cmp(&(other.0.rank, other.0.name))
    }
}

impl Serialize for RuleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name)
    }
}

impl<'de> Deserialize<'de> for RuleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| de::Error::custom(format!("no rule is called {name}")))
    }
}

/// The table as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Findings\n\nEvery rule, with what its finding means, what usually causes it, and what to do. \
         The limits are in `[thresholds]` of the configuration. Of findings that are equally bad the one that stands \
         first here is told first; one that follows from another stands below it and says so.\n\n\
         This page is generated from the rules; a test compares it.\n",
    );
    for rule in catalogue().iter().map(|id| id.rule()) {
        let severity = match rule.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        let _ = write!(
            page,
            "\n## `{}`: {} ({severity})\n\n{}\n\n- Usual causes: {}\n- What to do: {}.\n",
            rule.name, rule.title, rule.meaning, rule.causes, rule.action
        );
        if !rule.explained_by.is_empty() {
            let causes: Vec<String> = rule.explained_by.iter().map(|cause| cause.words()).collect();
            let _ = writeln!(page, "- Follows from: {}.", causes.join(", "));
        }
    }
    page
}

impl Cause {
    /// "`node.unreachable` of its node".
    fn words(self) -> String {
        let of = match self.relation {
            Relation::Node => "of its node",
            Relation::AnyNode => "of one of its nodes",
            Relation::EveryNode => "of all its nodes",
            Relation::Subject => "of the same subject",
            Relation::Inside => "of a part of it",
            Relation::Around => "of what it is a part of",
            Relation::Anywhere => "anywhere",
        };
        format!("`{}` {of}", self.rule)
    }
}
