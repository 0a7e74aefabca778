//! Rules about settings: those by which a crash loses commits, and those that do not run as their files say.
//!
//! Deliberately absent: advice, and nodes that differ from each other. Machines may differ on purpose; the screen of
//! settings shows both.

use super::{
    Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
    words::counted,
};
use crate::{
    history::tuning::{Mark, Trouble, drifts, troubles},
    model::{
        figure::Figure,
        tuning::{Place, TuningSample},
    },
};

rules! {
    DURABILITY = "mysql.durability", 91, Warning, "A crash loses commits" {
        meaning: "Clients are told that their commits are safe before they are on the disk; replicas may have some that the server then lacks.",
        causes: "Somebody made an import or a spike faster and did not go back, or the server's default was never changed.",
        action: "set it to 1 again, or acknowledge that losing the last second is accepted here",
        explained_by: [Node "mysql.down"],
        commands: ["go.tune"],
    }
    DRIFT = "settings.drift", 93, Warning, "Settings unlike their files" {
        meaning: "A restart of the daemon, or of the machine, changes how it runs: what works now may not work then.",
        causes: "A setting was given another value while the daemon ran, or a file was changed and nothing was restarted.",
        action: "write the value that is right into the file, or set what the file says",
        explained_by: [Node "mysql.down"],
        commands: ["go.tune"],
    }
}

/// Whether that rule goes by settings, which are read seldom where it has nothing to say.
pub fn is_about_settings(rule: &str) -> bool {
    [DURABILITY, DRIFT].iter().any(|own| own.rule().name == rule)
}

/// Settings that are named in the sentence.
const NAMED_MAX: usize = 3;
/// Settings that are named in the evidence.
const EVIDENCE_MAX: usize = 12;

/// Names what stands out on each node.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let all: Vec<&TuningSample> = scene.nodes.iter().filter_map(|seen| Some(seen.tuning?.value)).collect();
    for seen in &scene.nodes {
        let Some(sample) = seen.tuning else { continue };
        let place = seen.mysql.map_or(Figure::default(), |facts| {
            facts.value.takes_writes().map(|takes| if takes { Place::Primary } else { Place::Replica })
        });
        let troubles = troubles(seen.node, sample.value, &all, place);
        let of_haproxy = seen.haproxy.map(|facts| drifts(&facts.value.sample, sample.value)).unwrap_or_default();
        if troubles.is_empty() && of_haproxy.is_empty() {
            continue;
        }
        // Semi-synchronous commits move with the primary, and have findings of their own.
        let relaxed = |trouble: &&Trouble<'_>| {
            trouble.marks.contains(&Mark::Relaxed) && trouble.setting.safe_on == Place::Anywhere
        };
        let drifted = |trouble: &&Trouble<'_>| trouble.marks.iter().any(|mark| *mark != Mark::Relaxed);
        let relaxed: Vec<&Trouble<'_>> = troubles.iter().filter(relaxed).collect();
        let drifted: Vec<&Trouble<'_>> = troubles.iter().filter(drifted).collect();
        conditions.extend(durability(seen, &relaxed));
        let drifted = drifted.iter().map(|trouble| {
            let place = match trouble.in_file() {
                Some((value, place)) => format!("{}; {place} says {value}", trouble.words()),
                None => format!("{}; no file names it", trouble.words()),
            };
            (trouble.setting.key.clone(), place)
        });
        conditions.extend(drift(seen, &drifted.chain(of_haproxy).collect::<Vec<_>>()));
    }
}

fn durability(seen: &Seen<'_>, relaxed: &[&Trouble<'_>]) -> Option<Condition> {
    let first = relaxed.first()?;
    let names: Vec<String> = relaxed.iter().map(|trouble| trouble.words()).collect();
    let text = format!("A crash loses commits that clients were told are safe: {}", names.join(", "));
    let evidence = relaxed.iter().filter_map(|trouble| {
        let safe = trouble.setting.safe.join(" or ");
        Some(format!(
            "{}; with {safe} it loses nothing. Otherwise: {}",
            trouble.words(),
            trouble.setting.loses.as_ref()?
        ))
    });
    let hint = format!("vakt do tune.set {} {} {}", seen.node.name, first.setting.key, first.setting.safe.first()?);
    let condition = Condition::new(DURABILITY, Severity::Warning, seen.node.name.as_str(), text)
        .node(&seen.node.name)
        .evidence(evidence.collect::<Vec<_>>());
    Some(Condition { hint: Some(hint.as_str().into()), ..condition })
}

/// `drifted` are settings, each with how it runs and what its file says.
fn drift(seen: &Seen<'_>, drifted: &[(String, String)]) -> Option<Condition> {
    if drifted.is_empty() {
        return None;
    }
    let mut names: Vec<String> = drifted.iter().take(NAMED_MAX).map(|(key, _)| key.clone()).collect();
    if drifted.len() > NAMED_MAX {
        names.push(counted((drifted.len() - NAMED_MAX) as u64, "more", "more"));
    }
    let verb = if drifted.len() == 1 { "runs" } else { "run" };
    let text = format!("{} {verb} unlike what the files say", names.join(", "));
    let evidence: Vec<String> = drifted.iter().take(EVIDENCE_MAX).map(|(_, words)| words.clone()).collect();
    let condition = Condition::new(DRIFT, Severity::Warning, seen.node.name.as_str(), text);
    Some(condition.node(&seen.node.name).evidence(evidence))
}
