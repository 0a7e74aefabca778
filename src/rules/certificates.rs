//! Rules about certificates: when they end.

use super::{
    Severity,
    catalogue::rules,
    scene::{Scene, Seen},
    track::Condition,
    words::{counted, listed},
};
use crate::model::{
    certificates::{Certificate, Place},
    ids::NodeName,
    text::Clean,
    time::Wall,
};
use std::collections::BTreeMap;

rules! {
    EXPIRING = "certificate.expiring", 90, Critical, "Certificate ends soon" {
        meaning: "Browsers and programs refuse a site whose certificate has ended.",
        causes: "Nobody renewed it, or the renewal works and the load balancers were not told.",
        action: "renew it, put the file on every load balancer and reload HAProxy; if the file is new already, a reload is enough",
    }
}

/// Name, number and end: two with the same are the same.
type Identity = (Clean, Clean, i64);

/// Names certificates that end soon, once for all nodes that have the same one.
pub(super) fn judge(scene: &Scene<'_>, conditions: &mut Vec<Condition>) {
    let mut same: BTreeMap<Identity, Vec<(&Seen<'_>, &Certificate)>> = BTreeMap::new();
    for seen in &scene.nodes {
        let Some(facts) = seen.certificates else { continue };
        for certificate in &facts.value.certificates {
            let Some(ends) = certificate.ends.known() else { continue };
            let key = (certificate.name.clone(), certificate.serial.clone(), ends.0);
            same.entry(key).or_default().push((seen, certificate));
        }
    }
    let conditions_of =
        same.into_iter().filter_map(|((name, _, ends), places)| expiring(scene, &name, Wall(ends), &places));
    // Two certificates of one name may end at different moments: the sooner one is the finding of that name.
    let mut told: BTreeMap<Clean, Condition> = BTreeMap::new();
    for condition in conditions_of {
        told.entry(condition.subject.clone()).or_insert(condition);
    }
    conditions.extend(told.into_values());
}

fn expiring(scene: &Scene<'_>, name: &Clean, ends: Wall, places: &[(&Seen<'_>, &Certificate)]) -> Option<Condition> {
    let (_, first) = places.first()?;
    let days = first.days_left(scene.now.wall).known()?;
    let limits = scene.limits;
    let within = |days_max: u64| i64::try_from(days_max).is_ok_and(|max| days < max);
    if !within(limits.certificate_days) {
        return None;
    }
    let severity = if within(limits.certificate_critical_days) { Severity::Critical } else { Severity::Warning };
    let mut nodes: Vec<&NodeName> = places.iter().map(|(seen, _)| &seen.node.name).collect();
    nodes.dedup();
    let where_ = listed(&nodes);
    let text = if ends <= scene.now.wall {
        format!(
            "The certificate has ended {} ago on {where_}",
            counted(days.unsigned_abs().saturating_sub(1), "day", "days")
        )
    } else if days == 0 {
        format!("The certificate ends within a day on {where_}")
    } else {
        format!("The certificate ends in {} on {where_}", counted(days.unsigned_abs(), "day", "days"))
    };
    let mut evidence: Vec<String> = places.iter().map(|(seen, certificate)| place(seen, certificate)).collect();
    evidence.push(format!("issued by {}", first.issuer));
    evidence
        .push(format!("limits: {} days, critical {} days", limits.certificate_days, limits.certificate_critical_days));
    let renewed = renewed(places, ends);
    evidence.extend(renewed.clone());
    let condition = Condition::new(EXPIRING, severity, name.as_str(), text).evidence(evidence);
    let condition = match nodes.first() {
        Some(node) => condition.node(node),
        None => condition,
    };
    let hint = renewed.map(|_| Clean::line("reload HAProxy: it still serves the old certificate, the file is renewed"));
    Some(Condition { hint, ..condition })
}

/// A file with the same name that ends later, where visitors get this one.
fn renewed(places: &[(&Seen<'_>, &Certificate)], ends: Wall) -> Option<String> {
    let (seen, served) = places.iter().find(|(_, certificate)| matches!(certificate.place, Place::Served(_)))?;
    let others = &seen.certificates?.value.certificates;
    let newer = others.iter().find(|other| {
        matches!(other.place, Place::File(_))
            && other.name == served.name
            && other.ends.known().is_some_and(|other| other > ends)
    })?;
    let Place::File(path) = &newer.place else { return None };
    Some(format!("{path} on {} is renewed and not loaded yet", seen.node.name))
}

fn place(seen: &Seen<'_>, certificate: &Certificate) -> String {
    let node = &seen.node.name;
    match &certificate.place {
        Place::Served(address) => format!("{node} serves it on {address}"),
        Place::File(path) => format!("{node} has it in {path}"),
        Place::Unknown => node.to_string(),
    }
}
