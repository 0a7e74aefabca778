//! `vakt tune --json`: the settings of the nodes as a document.

use crate::{
    history::tuning::Row,
    model::{
        figure::Figure,
        ids::ClusterName,
        text::Clean,
        tuning::{Advice, Technology},
        world::World,
    },
};
use serde::Serialize;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document {
    /// Of which cluster.
    pub cluster: ClusterName,
    /// Nodes whose settings were not read.
    pub not_read: Vec<Clean>,
    /// Every setting on every node.
    pub settings: Vec<SettingDocument>,
}

/// One setting on one node.
#[derive(Debug, Serialize)]
pub struct SettingDocument {
    /// The node.
    pub node: Clean,
    /// What operators call it.
    pub key: &'static str,
    /// Whose it is.
    pub technology: Technology,
    /// Of which frontend or server.
    pub object: Option<Clean>,
    /// Its name there.
    pub name: Option<Clean>,
    /// By which value the node runs.
    pub running: Option<Clean>,
    /// Why that is unknown.
    pub running_unknown: Option<String>,
    /// What the file that wins says.
    pub configured: Option<Clean>,
    /// Where: "/etc/mysql/my.cnf:12".
    pub configured_at: Option<String>,
    /// Why it is unknown what files say.
    pub configured_unknown: Option<String>,
    /// The value without any file.
    pub default: Option<Clean>,
    /// The smallest value, by the server's own word.
    pub minimum: Option<Clean>,
    /// The largest value.
    pub maximum: Option<Clean>,
    /// The words that it takes.
    pub choices: Vec<Clean>,
    /// Whether a new value needs a restart.
    pub needs_restart: bool,
    /// What to set it to.
    pub advised: Option<Clean>,
    /// The figures that the advice rests on, or why there is none.
    pub advised_because: Option<Clean>,
    /// What stands out.
    pub marks: Vec<&'static str>,
    /// The reasoning.
    pub why: &'static str,
    /// What a wrong value does.
    pub risk: &'static str,
}

/// The document of a survey.
pub fn document(cluster: &ClusterName, rows: &[Row], world: &World) -> Document {
    let unread = world.nodes.iter().filter(|node| node.tuning.last().is_none());
    Document {
        cluster: cluster.clone(),
        not_read: unread.map(|node| Clean::line(node.name.as_str())).collect(),
        settings: rows.iter().map(setting).collect(),
    }
}

fn setting(row: &Row) -> SettingDocument {
    let why = |figure: Option<crate::model::figure::Unknown>| figure.map(|why| why.to_string());
    let configured = row.configured.as_ref().known().and_then(Option::as_ref);
    let (advised, advised_because) = match &row.advice {
        Advice::Nothing => (None, None),
        Advice::Unknown(why) => (None, Some(why.clone())),
        Advice::Value { value, words, .. } => {
            (Some(value.clone()).filter(|value| !value.is_empty()), Some(words.clone()))
        }
    };
    SettingDocument {
        node: Clean::line(row.node.as_str()),
        key: &row.setting.key,
        technology: row.setting.technology,
        object: row.object.clone(),
        name: row.name.clone().known(),
        running: row.running.clone().known(),
        running_unknown: why(row.running.why()),
        configured: configured.map(|found| found.value.clone()),
        configured_at: configured.map(|found| format!("{}:{}", found.file, found.line)),
        configured_unknown: why(match &row.configured {
            Figure::Known(_) => None,
            Figure::Unknown(why) => Some(*why),
        }),
        default: row.default.clone().known(),
        minimum: row.limits.range.as_ref().map(|(minimum, _)| minimum.clone()),
        maximum: row.limits.range.as_ref().map(|(_, maximum)| maximum.clone()),
        choices: row.limits.choices.clone(),
        needs_restart: row.limits.needs_restart,
        advised,
        advised_because,
        marks: row.marks.iter().map(crate::history::tuning::Mark::word).collect(),
        why: &row.setting.why,
        risk: &row.setting.risk,
    }
}
