//! Which finding is told first: a cause before its symptoms, the worse before the better, the nearer to a cause before
//! the farther. What somebody acknowledged stands last, and with it what follows from it.

use super::{
    Finding, Follows, RuleId, Severity,
    acknowledge::Acknowledgements,
    catalogue::{Cause, Relation},
};
use crate::model::{ids::NodeName, time::Now};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, btree_map::Entry},
};

/// Rules explain each other over at most so many steps; a test proves that the catalogue has no circle.
const STEPS_MAX: usize = 16;

/// Says of each finding what it follows from and who acknowledged it, and puts them in order.
pub(super) fn arrange(open: Vec<(RuleId, Finding)>, acknowledged: &Acknowledgements, now: Now) -> Vec<Finding> {
    let causes = causes(&open);
    let roots: Vec<usize> = (0..open.len()).map(|index| root(&causes, index)).collect();
    // A cause is as urgent as the worst that comes of it.
    let mut urgency: Vec<Severity> = open.iter().map(|(_, finding)| finding.severity).collect();
    for (index, root) in roots.iter().enumerate() {
        urgency[*root] = urgency[*root].max(open[index].1.severity);
    }
    let follows: Vec<Option<Follows>> = causes.iter().map(|cause| cause.map(|cause| follows(&open[cause]))).collect();
    let mut arranged: Vec<(usize, RuleId, Finding)> = Vec::with_capacity(open.len());
    for (index, (rule, mut finding)) in open.into_iter().enumerate() {
        finding.follows_from.clone_from(&follows[index]);
        finding.acknowledged = acknowledged.of(&finding, urgency[index], now.wall).cloned();
        arranged.push((index, rule, finding));
    }
    // With its cause, as long as it is no worse than what was acknowledged: the cause would have come back then.
    for index in 0..arranged.len() {
        if arranged[index].2.acknowledged.is_none() {
            let of_its_root = arranged[roots[index]].2.acknowledged.clone();
            arranged[index].2.acknowledged = of_its_root;
        }
    }
    arranged.sort_by(|(a, a_rule, a_finding), (b, b_rule, b_finding)| {
        let key = |index: usize, rule: RuleId, finding: &Finding| {
            let is_symptom = causes[index].is_some();
            (finding.acknowledged.is_some(), is_symptom, Reverse(urgency[index]), rule.rule().rank, finding.since.wall)
        };
        let by_key = key(*a, *a_rule, a_finding).cmp(&key(*b, *b_rule, b_finding));
        by_key.then_with(|| (a_rule, &a_finding.subject).cmp(&(b_rule, &b_finding.subject)))
    });
    arranged.into_iter().map(|(_, _, finding)| finding).collect()
}

fn follows((rule, finding): &(RuleId, Finding)) -> Follows {
    Follows { rule: finding.rule.clone(), title: rule.rule().title.into(), subject: finding.subject.clone() }
}

/// The cause of the cause, and so on.
fn root(causes: &[Option<usize>], index: usize) -> usize {
    let mut root = index;
    for _ in 0..STEPS_MAX {
        match causes[root] {
            Some(cause) => root = cause,
            None => break,
        }
    }
    root
}

/// Of each finding the one that explains it, the first in the order of its rule's table.
fn causes(open: &[(RuleId, Finding)]) -> Vec<Option<usize>> {
    let known = Known::of(open);
    let explained = |(rule, finding): &(RuleId, Finding)| {
        let causes = rule.rule().explained_by;
        causes.iter().find_map(|cause| known.explains(*cause, causes, finding))
    };
    open.iter().map(explained).collect()
}

/// Findings by what a cause is looked up by; the first of several in the order of the tracks.
struct Known<'a> {
    open: &'a [(RuleId, Finding)],
    by_rule: BTreeMap<&'static str, Vec<usize>>,
    by_node: BTreeMap<(&'static str, &'a NodeName), usize>,
}

impl<'a> Known<'a> {
    fn of(open: &'a [(RuleId, Finding)]) -> Self {
        let mut known = Self { open, by_rule: BTreeMap::new(), by_node: BTreeMap::new() };
        for (index, (rule, finding)) in open.iter().enumerate() {
            let name = rule.rule().name;
            known.by_rule.entry(name).or_default().push(index);
            for node in &finding.nodes {
                if let Entry::Vacant(place) = known.by_node.entry((name, node)) {
                    place.insert(index);
                }
            }
        }
        known
    }

    fn explains(&self, cause: Cause, all: &[Cause], symptom: &'a Finding) -> Option<usize> {
        let subject = symptom.subject.as_str();
        let found = |of: &dyn Fn(&str) -> bool| {
            let candidates = self.by_rule.get(cause.rule)?;
            candidates.iter().copied().find(|&index| of(self.open[index].1.subject.as_str()))
        };
        match cause.relation {
            Relation::Node => self.on(cause.rule, symptom.node.as_ref()?),
            Relation::AnyNode => symptom.nodes.iter().find_map(|node| self.on(cause.rule, node)),
            Relation::EveryNode => {
                let every: Vec<&'static str> =
                    all.iter().filter(|one| one.relation == cause.relation).map(|one| one.rule).collect();
                let on = |node| every.iter().find_map(|rule| self.on(rule, node));
                let each: Option<Vec<usize>> = symptom.nodes.iter().map(on).collect();
                each?.first().copied()
            }
            Relation::Subject => found(&|known| known == subject),
            Relation::Inside => found(&|known| is_part(known, subject)),
            Relation::Around => found(&|known| is_part(subject, known)),
            Relation::Anywhere => found(&|_| true),
        }
    }

    fn on(&self, rule: &'static str, node: &'a NodeName) -> Option<usize> {
        self.by_node.get(&(rule, node)).copied()
    }
}

/// "web_cluster/web03" is a part of "web_cluster", "lb01 /var" one of "lb01".
fn is_part(part: &str, whole: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['/', ' ']))
}
