//! From the journal of a run that ended to what it leaves wished.
//!
//! | ending | what follows |
//! |---|---|
//! | reached; or stopped because a wait ran out and the plan rests there | what was asked for |
//! | rolled back, stopped otherwise | nothing |
//! | needs operator | what the records prove was done and not undone: taken out on one load balancer is wished of all (it must not slip back unseen); returned counts only once it is proven of all |
//!
//! A run that needs an operator may be taken up again and end otherwise. Folding it again begins with the wishes that
//! were there before it, unless another run changed that server in between.

use super::{DrainedNode, FOLDED_MAX, Folded, Ledger, Wanted, Wish};
use crate::{
    model::{
        haproxy::AdminState,
        ids::NodeName,
        intent::{Change, ServerPath},
        node_act::NodeAct,
        text::Clean,
        time::Wall,
    },
    plan::{
        Plan,
        expect::{Check, Expect, ServerExpect},
        parts::{Action, OnLate, Step, Subject, Write},
    },
    run::{
        ending::EndingKind,
        record::{Direction, Entry, Opening, Outcome, Record},
    },
    wire::probe::ProbeId,
};
use std::collections::BTreeMap;

impl Ledger {
    /// Takes in one run that ended; what was taken in already, what has not ended, and what is no journal changes
    /// nothing.
    pub fn fold(&mut self, records: &[Record]) {
        let Some(run) = EndedRun::of(records) else { return };
        let plan = &run.opening.plan;
        // Only what is about servers of load balancers, or about a node, leaves something wished.
        let servers = match (plan.body.intent.change.server(), &plan.body.subject) {
            (Some(server), _) => vec![server.clone()],
            (None, Subject::Node { servers, .. }) => servers.clone(),
            (None, _) => return,
        };
        let known = self.folded.iter().position(|folded| folded.run == plan.id);
        if let Some(at) = known {
            if self.folded[at].ending >= run.ending {
                return;
            }
            let folded = self.folded.remove(at);
            let is_about = |later: &Folded| later.servers.iter().any(|server| servers.contains(server));
            let changed_since = self.folded[at..].iter().any(is_about);
            if let Some(before) = folded.before.filter(|_| !changed_since) {
                self.wishes.retain(|wish| !servers.contains(&wish.server));
                for wish in before {
                    self.put(wish);
                }
            }
        }
        let is_final = run.kind != EndingKind::NeedsOperator;
        let about = |wish: &&Wish| servers.contains(&wish.server);
        let before = (!is_final).then(|| self.wishes.iter().filter(about).cloned().collect());
        self.folded.push(Folded { run: plan.id.clone(), ending: run.ending, servers, before });
        let surplus = self.folded.len().saturating_sub(FOLDED_MAX);
        self.folded.drain(..surplus);
        self.apply(&run);
    }

    fn apply(&mut self, run: &EndedRun<'_>) {
        let plan = &run.opening.plan;
        let proven_of = |server: &ServerPath| Proven::by(plan, run.states(), server);
        let is_complete = run.kind == EndingKind::Reached || run.rests();
        // A run about a node may stop with a part of it done, which the records prove.
        let is_partial = matches!(plan.body.intent.change, Change::Node { .. });
        if !is_complete && !is_partial && run.kind != EndingKind::NeedsOperator {
            return;
        }
        match &plan.body.intent.change {
            Change::HaproxyDrain { server, .. } => {
                let proven = proven_of(server);
                let wanted = if proven.any_told(AdminState::Maint) { Wanted::Maint } else { Wanted::Drain };
                let was_changed = proven.any_told(AdminState::Drain) || wanted == Wanted::Maint;
                // Already out, and only waited for: who took it out keeps the word.
                let is_kept_out = self.of(server).any(|wish| !wish.wanted.is_weight());
                if was_changed || (is_complete && !is_kept_out) {
                    self.put(run.wish(server, wanted));
                }
            }
            Change::HaproxyMaint { server } => {
                if is_complete || proven_of(server).any_told(AdminState::Maint) {
                    self.put(run.wish(server, Wanted::Maint));
                }
            }
            Change::HaproxyWeight { server, weight } => {
                if is_complete || proven_of(server).any_weight(*weight) {
                    self.weigh(run, server, *weight);
                }
            }
            Change::HaproxyReady { server, weight, .. } => {
                let proven = proven_of(server);
                if is_complete || proven.all_told_ready() {
                    self.take(|wish| wish.server == *server && !wish.wanted.is_weight());
                    self.take(|wish| {
                        wish.server == *server
                            && matches!(wish.wanted, Wanted::Weight(wanted) if !proven.all_weigh(wanted))
                    });
                    if let Some(weight) = weight.filter(|weight| proven.all_weigh(*weight)) {
                        self.weigh(run, server, weight);
                    }
                }
            }
            Change::Node { node, act } => self.apply_node(run, node, *act, is_complete),
            Change::HaproxyKillSessions { .. }
            | Change::VipMove { .. }
            | Change::MysqlSwitchover { .. }
            | Change::MysqlFailover { .. }
            | Change::MysqlFence { .. }
            | Change::MysqlRejoin { .. }
            | Change::MysqlKill { .. }
            | Change::Guest { .. }
            | Change::Tune(_) => {}
        }
    }

    /// What a run about a node leaves wished of the servers on it, and of the node.
    fn apply_node(&mut self, run: &EndedRun<'_>, node: &NodeName, act: NodeAct, is_complete: bool) {
        let Subject::Node { servers, .. } = &run.opening.plan.body.subject else { return };
        for server in servers {
            let proven = Proven::by(&run.opening.plan, run.states(), server);
            // Servers that it found out already, and did not touch, are somebody else's.
            let wanted = [(AdminState::Maint, Wanted::Maint), (AdminState::Drain, Wanted::Drain)];
            let wanted = wanted.into_iter().find(|(state, _)| proven.any_told(*state)).map(|(_, wanted)| wanted);
            match (act, wanted) {
                (NodeAct::Drain { .. }, Some(wanted)) => self.put(run.wish(server, wanted)),
                (NodeAct::Undrain { .. }, _) if proven.all_told_ready() => {
                    self.take(|wish| wish.server == *server && !wish.wanted.is_weight());
                }
                (NodeAct::Drain { .. } | NodeAct::Undrain { .. }, _) => {}
            }
        }
        if !is_complete {
            return;
        }
        self.drained.retain(|one| one.node != *node);
        if let NodeAct::Drain { .. } = act {
            let place = self.drained.partition_point(|known| known.node < *node);
            self.drained.insert(place, run.drained(node));
        }
    }

    /// A weight is wished for unless every file says it anyway. The wish that is there already is kept.
    fn weigh(&mut self, run: &EndedRun<'_>, server: &ServerPath, weight: u64) {
        let is_wished = self.of(server).any(|wish| wish.wanted == Wanted::Weight(weight));
        if run.files_say(weight) {
            self.take(|wish| wish.server == *server && wish.wanted.is_weight());
        } else if !is_wished {
            self.put(run.wish(server, Wanted::Weight(weight)));
        }
    }
}

/// A run with an ending that nothing follows.
struct EndedRun<'r> {
    opening: &'r Opening,
    records: &'r [Record],
    kind: EndingKind,
    /// The number of the record that ended it.
    ending: u64,
    at: Wall,
}

impl<'r> EndedRun<'r> {
    fn of(records: &'r [Record]) -> Option<Self> {
        let Entry::Opened(opening) = &records.first()?.entry else { return None };
        let (place, record, ending) = records.iter().enumerate().rev().find_map(|(place, record)| {
            let Entry::Ended(ending) = &record.entry else { return None };
            Some((place, record, ending))
        })?;
        let was_taken_up = records[place..].iter().any(|record| matches!(record.entry, Entry::Recovered { .. }));
        let (kind, at) = (ending.kind, record.at.wall);
        (!was_taken_up).then_some(Self { opening, records, kind, ending: record.seq, at })
    }

    /// Who began it.
    fn by(&self) -> Clean {
        let operator = &self.opening.operator;
        operator.sudo_user.clone().unwrap_or_else(|| operator.login.clone())
    }

    fn drained(&self, node: &NodeName) -> DrainedNode {
        let Plan { id, body } = &self.opening.plan;
        let reason = body.intent.reason.clone();
        DrainedNode { node: node.clone(), since: self.at, by: self.by(), reason, run: id.clone() }
    }

    fn wish(&self, server: &ServerPath, wanted: Wanted) -> Wish {
        Wish {
            server: server.clone(),
            wanted,
            since: self.at,
            by: self.by(),
            reason: self.opening.plan.body.intent.reason.clone(),
            run: self.opening.plan.id.clone(),
        }
    }

    /// Whether it stopped where the plan says it may: a wait ran out and what was done stays.
    fn rests(&self) -> bool {
        let steps = &self.opening.plan.body.steps;
        let is_rest = |step: usize| {
            let action = steps.get(step).map(|step| &step.action);
            matches!(action, Some(Action::Wait(wait)) if matches!(wait.on_late, OnLate::Rest(_)))
        };
        let last =
            self.records.iter().rev().map(|record| &record.entry).find(|entry| {
                matches!(entry, Entry::WaitEnded { .. } | Entry::Unwinding { .. } | Entry::StepBegun { .. })
            });
        self.kind == EndingKind::Stopped
            && matches!(last, Some(Entry::WaitEnded { step, late: true, .. }) if is_rest(*step))
    }

    /// Whether every file is known to give the server this weight.
    fn files_say(&self, weight: u64) -> bool {
        let premises = self.opening.plan.body.premises.iter();
        let mut in_files = premises.filter_map(|premise| match expected(&premise.check) {
            Some(ServerExpect::WeightInFile(weight)) => Some(weight),
            _ => None,
        });
        in_files.clone().count() > 0 && in_files.all(|in_file| in_file == weight)
    }

    /// What the records prove of each step.
    fn states(&self) -> Vec<Proof> {
        let mut proofs = vec![Proof::Nothing; self.opening.plan.body.steps.len()];
        for record in self.records {
            if let Entry::Forgotten { steps, .. } = &record.entry {
                for step in steps {
                    if let Some(known) = proofs.get_mut(*step) {
                        *known = Proof::Nothing;
                    }
                }
            }
            let (step, proof) = match &record.entry {
                Entry::StepEnded { step, direction, outcome, .. } => match (direction, outcome) {
                    // An undo whose effect nobody knows does not take back what is proven.
                    (Direction::Forward, Outcome::Done) | (Direction::Back, Outcome::NotDone | Outcome::Unknown) => {
                        (step, Proof::Done)
                    }
                    (Direction::Back, Outcome::Done) => (step, Proof::Undone),
                    (Direction::Forward, Outcome::NotDone | Outcome::Unknown) => (step, Proof::Nothing),
                },
                Entry::StepFound { step, direction: Direction::Forward, .. } => (step, Proof::Done),
                Entry::StepFound { step, direction: Direction::Back, .. } => (step, Proof::Undone),
                _ => continue,
            };
            if let Some(known) = proofs.get_mut(*step) {
                *known = proof;
            }
        }
        proofs
    }
}

/// What is proven of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    Nothing,
    Done,
    Undone,
}

/// What each load balancer was last seen to say, as far as the plan's premises and the steps that took effect prove it.
struct Proven {
    /// Told by a step of this run.
    told: BTreeMap<NodeName, AdminState>,
    /// Told before it, where a premise says so.
    premise_told: BTreeMap<NodeName, AdminState>,
    /// Set by a step of this run.
    weight: BTreeMap<NodeName, u64>,
    premise_weight: BTreeMap<NodeName, u64>,
    nodes: Vec<NodeName>,
}

impl Proven {
    fn by(plan: &Plan, proofs: Vec<Proof>, server: &ServerPath) -> Self {
        let balancers = plan.body.sources.iter().filter(|source| source.probe == ProbeId::Haproxy);
        let nodes = balancers.map(|source| source.node.clone()).collect();
        let mut proven = Self {
            told: BTreeMap::new(),
            premise_told: BTreeMap::new(),
            weight: BTreeMap::new(),
            premise_weight: BTreeMap::new(),
            nodes,
        };
        for premise in &plan.body.premises {
            note(&premise.check, server, &mut proven.premise_told, &mut proven.premise_weight);
        }
        for (step, proof) in plan.body.steps.iter().zip(proofs) {
            if let Some(write) = step.write().filter(|_| proof == Proof::Done) {
                proven.done(step, write, server);
            }
        }
        proven
    }

    fn done(&mut self, step: &Step, write: &Write, server: &ServerPath) {
        // What leaves no state behind (closed sessions) says nothing about later.
        if !step.is_irreversible() {
            write.done.iter().for_each(|check| note(check, server, &mut self.told, &mut self.weight));
        }
    }

    fn any_told(&self, state: AdminState) -> bool {
        self.told.values().any(|told| *told == state)
    }

    fn any_weight(&self, weight: u64) -> bool {
        self.weight.values().any(|set| *set == weight)
    }

    fn all_told_ready(&self) -> bool {
        let told = |node| self.told.get(node).or_else(|| self.premise_told.get(node));
        self.nodes.iter().all(|node| told(node) == Some(&AdminState::Ready))
    }

    fn all_weigh(&self, weight: u64) -> bool {
        let weight_on = |node| self.weight.get(node).or_else(|| self.premise_weight.get(node));
        self.nodes.iter().all(|node| weight_on(node) == Some(&weight))
    }
}

/// Takes in what a check says of that server.
fn note(
    check: &Check,
    server: &ServerPath,
    told: &mut BTreeMap<NodeName, AdminState>,
    weights: &mut BTreeMap<NodeName, u64>,
) {
    let is_about = matches!(&check.expect, Expect::Server { server: named, .. } if named == server);
    match expected(check).filter(|_| is_about) {
        Some(ServerExpect::Told(state)) => drop(told.insert(check.node.clone(), state)),
        Some(ServerExpect::Weight(weight)) => drop(weights.insert(check.node.clone(), weight)),
        _ => {}
    }
}

fn expected(check: &Check) -> Option<ServerExpect> {
    match &check.expect {
        Expect::Server { is, .. } => Some(*is),
        Expect::Vip { .. }
        | Expect::Database(_)
        | Expect::Session { .. }
        | Expect::Guest(_)
        | Expect::Daemon(_)
        | Expect::Node(_)
        | Expect::Setting(_)
        | Expect::File(_)
        | Expect::Knob(_)
        | Expect::Countdown(_)
        | Expect::Cut(_)
        | Expect::Hook(_) => None,
    }
}
