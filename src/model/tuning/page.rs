//! The page about the catalogue: `docs/tuning.md` comes from it.

use super::{
    catalogue::{Catalogue, How, Place, Rule, Setting, Technology},
    value::Unit,
};
use std::fmt::Write as _;

/// The page.
pub fn page(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# Settings\n\n\
         What `vakt tune` looks at: how a setting runs, what its file says, its default, and what is advised with the\n\
         figures that the advice rests on. What is not known is not advised.\n\n\
         This page is generated from `assets/tuning.toml`; a test compares it.\n",
    );
    for technology in [Technology::Database, Technology::Haproxy, Technology::Kernel, Technology::Ovs] {
        let title = match technology {
            Technology::Database => "MariaDB and MySQL",
            Technology::Haproxy => "HAProxy",
            Technology::Kernel => "The kernel",
            Technology::Ovs => "Open vSwitch",
        };
        // Writing into a String cannot fail.
        let _ = writeln!(page, "\n## {title}");
        for setting in catalogue.of(technology) {
            page.push_str(&entry(setting));
        }
    }
    page
}

fn entry(setting: &Setting) -> String {
    let mut text = format!("\n### `{}`\n\n{}\n\n", setting.key, setting.why);
    let mut line = |label: &str, words: &str| {
        let _ = writeln!(text, "- {label}: {words}");
    };
    let others: Vec<String> = setting
        .mysql
        .iter()
        .chain(&setting.mariadb)
        .filter(|name| **name != setting.key)
        .map(|name| format!("`{name}`"))
        .collect();
    if !others.is_empty() {
        line("Also called", &format!("{}.", others.join(", ")));
    }
    if !setting.roles.is_empty() {
        let roles: Vec<&str> = setting.roles.iter().map(|role| role.word()).collect();
        line("On nodes with the role", &format!("{}.", roles.join(", ")));
    }
    line("Value", &format!("{}.", setting.unit.name()));
    let change = match setting.change {
        How::Dynamic => "at once",
        How::Restart => "with a restart of the daemon",
        How::Reload => "with a reload of the daemon",
    };
    let since = setting.since.as_ref().map(|since| format!(" ({since})")).unwrap_or_default();
    line("A new value counts", &format!("{change}{since}."));
    line("Advised", &format!("{}.", rule(setting)));
    line("Risk", &setting.risk);
    if let Some(loses) = &setting.loses {
        let place = match setting.safe_on {
            Place::Anywhere => "",
            Place::Primary => " On the primary.",
            Place::Replica => " On replicas.",
        };
        line("Loses nothing in a crash", &format!("`{}`.{place} Otherwise: {loses}", setting.safe.join("`, `")));
    }
    text
}

fn rule(setting: &Setting) -> String {
    let words = |value: &u64| setting.unit.words(&value.to_string());
    match &setting.recommend {
        Rule::None {} => "nothing".to_owned(),
        Rule::Fixed { value, also, on } => {
            let all: Vec<&str> = std::iter::once(value).chain(also).map(String::as_str).collect();
            let place = match on {
                Place::Anywhere => "",
                Place::Primary => ", on the primary",
                Place::Replica => ", on replicas",
            };
            format!("`{}`{place}", all.join("` or `"))
        }
        Rule::AtLeast { value } => format!("at least {}", words(value)),
        Rule::AtMost { value } => format!("at most {}", words(value)),
        Rule::IsSet {} if setting.unit == Unit::Path => "any page that says whether the server can serve".to_owned(),
        Rule::IsSet {} => "any limit".to_owned(),
        Rule::ShareOfMemory { percent_min, percent_max } => {
            format!("{percent_min} to {percent_max} % of the machine's memory, on a node whose only role is database")
        }
        Rule::ByDisk { rotational, solid } => {
            format!("at least {} on a disk that turns, {} on one that does not", words(rotational), words(solid))
        }
        Rule::HourOfRedo { bytes_min } => {
            format!("at least what is written in an hour at the present rate, and {}", words(bytes_min))
        }
        Rule::AbovePeak { percent } => format!("at least {percent} % of the most that was in use at once"),
        Rule::PerProcessor { each, max } => format!("at least {each} for each processor, up to {max}"),
    }
}
