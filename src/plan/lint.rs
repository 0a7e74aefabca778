//! What makes a plan inconsistent. Every plan passes here before it is shown, and again before it is run.

use super::{
    expect::Check,
    hole::{self, Bind},
    limits,
    parts::{Action, ConfirmBy, OnLate, Plan, Step, Undo, Until, Wait, When, Write},
};
use crate::{
    model::inventory::Inventory,
    wire::{
        libvirt,
        request::{Access, Call, EACH, Request},
    },
};
use std::{collections::BTreeSet, fmt};

/// One contradiction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The step's index, unless it is about the plan as a whole.
    pub step: Option<usize>,
    /// Which rule is broken.
    pub rule: Rule,
}

/// What must hold of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Rule {
    /// The name is a hash of the content.
    #[error("the name does not belong to the content")]
    Name,
    /// There are steps and premises, and not too many.
    #[error("it has no step or premise, or too many")]
    Size,
    /// Every text that is shown says something.
    #[error("a text is empty")]
    Words,
    /// Targets are in the inventory.
    #[error("the target is not in the inventory, or has another socket there")]
    Target,
    /// Every check has a source that only reads.
    #[error("a check has no source, or a source that writes")]
    Source,
    /// A write is marked as one.
    #[error("what changes the node is not marked as a write")]
    Access,
    /// A request is one command.
    #[error("the request is empty or holds ';' or a line break")]
    OneCommand,
    /// A write knows its state before and after, and verifies it.
    #[error("the write has no pre-check or post-check")]
    Unverified,
    /// Done and not done can be told apart.
    #[error("before and after are the same")]
    SameState,
    /// The post-check includes what *done* means.
    #[error("the post-check is weaker than what is called done")]
    WeakCheck,
    /// What cannot be undone says why.
    #[error("there is neither an undo nor a reason why not")]
    NoUndo,
    /// The point of no return is the first step that cannot be undone.
    #[error("the point of no return is misplaced")]
    PointOfNoReturn,
    /// Waits end.
    #[error("a wait has no end, no pause, or too long a deadline")]
    Endless,
    /// A branch refers to an earlier wait that may go on late.
    #[error("the branch depends on a step that cannot decide it")]
    Branch,
    /// A hole is filled before it is used.
    #[error("a hole is used before it is bound, or bound twice")]
    Hole,
    /// The last step looks at every node that was written to.
    #[error("the result is not looked at on every node at the end")]
    Unproven,
    /// What cannot be undone needs more than Enter.
    #[error("a step that cannot be undone is confirmed by Enter alone")]
    TooEasy,
    /// What waits for an operator's word goes back without it, stays with it, and is looked at meanwhile.
    #[error("a step waits for an operator's word, and does not go back without it, or another one does")]
    Hold,
    /// What is sent at once follows a write, and needs nothing that only a look could tell.
    #[error("a step that is sent at once does not follow a write, is a branch, or has holes of its own")]
    AtOnce,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Some(index) => write!(f, "step {}: {}", index + 1, self.rule),
            None => self.rule.fmt(f),
        }
    }
}

/// Every contradiction of a plan; none in a sound one.
pub fn lint(plan: &Plan, inventory: &Inventory) -> Vec<Fault> {
    let mut faults = BTreeSet::new();
    let body = &plan.body;
    let mut check = |step: Option<usize>, rule: Rule, sound: bool| {
        if !sound {
            faults.insert(Fault { step, rule });
        }
    };
    check(None, Rule::Name, plan.is_intact());
    check(None, Rule::Size, (1..=limits::STEPS_MAX).contains(&body.steps.len()));
    check(None, Rule::Size, (1..=limits::PREMISES_MAX).contains(&body.premises.len()));
    let texts = [&body.title, &body.goal, &body.runbook, &body.confirmation.why];
    check(None, Rule::Words, texts.into_iter().chain(&body.effect).all(|text| !text.is_empty()));
    check(None, Rule::Words, !body.effect.is_empty());
    for source in &body.sources {
        let is_strange = |call: &Call| matches!(call, Call::Hook { argv } if !is_configured(argv, inventory));
        check(None, Rule::Target, !source.requests.iter().any(|request| is_strange(&request.call)));
        check(None, Rule::Target, inventory.node(&source.node).is_some());
        let reads = source.requests.iter().all(|request| request.access == Access::Read);
        check(None, Rule::Source, reads && !source.requests.is_empty());
    }
    check(None, Rule::Source, body.premises.iter().all(|premise| has_source(plan, &premise.check)));
    let first = body.steps.iter().position(Step::is_irreversible);
    check(None, Rule::PointOfNoReturn, first == body.point_of_no_return);
    check(None, Rule::TooEasy, first.is_none() || body.confirmation.by != ConfirmBy::Enter);
    check(None, Rule::Unproven, proves_everything(&body.steps));
    check(None, Rule::Hole, binds_once(&body.steps));
    check(None, Rule::Hold, body.steps.iter().filter(|step| step.hold().is_some()).count() <= 1);
    for (index, step) in body.steps.iter().enumerate() {
        let mut check = |rule, sound| check(Some(index), rule, sound);
        check(Rule::Words, !step.title.is_empty());
        check(Rule::Source, step.checks().all(|check| has_source(plan, check)));
        check(Rule::Branch, branch_is_sound(&body.steps, index));
        let is_followed = body.steps[index + 1..].iter().any(|later| later.write().is_some());
        check(Rule::Hold, step.hold().is_none_or(|wait| hold_is_sound(step, wait, first, is_followed)));
        check(Rule::AtOnce, !step.at_once || follows_at_once(&body.steps, index));
        match &step.action {
            Action::Write(write) => lint_write(write, &body.steps[..=index], inventory, &mut check),
            Action::Wait(wait) => lint_wait(wait, &mut check),
        }
    }
    faults.into_iter().collect()
}

fn has_source(plan: &Plan, check: &Check) -> bool {
    plan.source(&check.node, check.probe).is_some()
        && check.other().is_none_or(|(other, probe)| plan.source(other, probe).is_some())
}

/// Whether a command on the bastion begins with the words of the configuration.
fn is_configured(argv: &[String], inventory: &Inventory) -> bool {
    let command = &inventory.settings.write_endpoint.command;
    !command.is_empty() && argv.starts_with(command)
}

fn follows_at_once(steps: &[Step], index: usize) -> bool {
    let is_sure = |step: &Step| step.when == When::Always && step.write().is_some();
    index > 0
        && is_sure(&steps[index - 1])
        && is_sure(&steps[index])
        && steps[index].write().is_some_and(|write| write.binds.is_empty())
}

fn lint_write(write: &Write, steps: &[Step], inventory: &Inventory, check: &mut impl FnMut(Rule, bool)) {
    let node = inventory.node(&write.node);
    let requests = [Some(&write.request), undo_of(write)];
    for request in requests.into_iter().flatten() {
        check(Rule::Access, request.access == Access::Write);
        check(Rule::OneCommand, is_one_command(request));
        check(Rule::Endless, request.deadline_ms > 0 && request.cap_bytes > 0);
        check(Rule::Hole, holes_are_bound(request, steps));
        let is_reachable = match &request.call {
            Call::Haproxy { socket, .. } => {
                node.is_some_and(|node| node.haproxy_socket.as_deref() == Some(socket.as_str()))
            }
            Call::Sql { socket, .. } | Call::SqlWrite { socket, .. } => {
                node.and_then(|node| node.database.as_ref()).is_some_and(|database| database.socket == *socket)
            }
            Call::LibvirtWrite { socket, .. } => {
                node.and_then(libvirt::writing_socket).is_some_and(|known| known == socket)
            }
            Call::Shell { .. } | Call::Exec { .. } | Call::FileEdit { .. } => node.is_some(),
            Call::Countdown { countdown, .. } => {
                node.and_then(|node| node.ovs.as_ref()).is_some_and(|switch| switch.path == countdown.socket)
            }
            // Nothing but what the configuration names is started on the bastion.
            Call::Hook { argv } => node.is_some() && is_configured(argv, inventory),
            // They only read.
            Call::ShellWithin { .. }
            | Call::Ovsdb { .. }
            | Call::OvsDaemon { .. }
            | Call::Libvirt { .. }
            | Call::Tcp { .. } => false,
        };
        check(Rule::Target, is_reachable);
    }
    check(Rule::Unverified, !write.before.is_empty() && !write.done.is_empty() && !write.after.checks.is_empty());
    check(Rule::SameState, write.done.iter().any(|done| !write.before.contains(done)));
    check(Rule::WeakCheck, write.done.iter().all(|done| write.after.checks.contains(done)));
    if let Undo::Irreversible { why, .. } = &write.undo {
        check(Rule::NoUndo, !why.is_empty());
    }
    check(Rule::Words, write.rests.as_ref().is_none_or(|words| !words.is_empty()));
    lint_until(&write.after, check);
}

/// Where a write follows that makes it stay, the word alone does not.
fn hold_is_sound(step: &Step, wait: &Wait, irreversible: Option<usize>, is_followed: bool) -> bool {
    let goes_back = wait.on_late == OnLate::Fail && irreversible.is_none();
    goes_back && (wait.keeps || is_followed) && step.when == When::Always && !wait.guards.is_empty()
}

fn lint_wait(wait: &Wait, check: &mut impl FnMut(Rule, bool)) {
    check(Rule::Unverified, !wait.until.checks.is_empty());
    match &wait.on_late {
        OnLate::Rest(words) | OnLate::GoOn(words) => check(Rule::Words, !words.is_empty()),
        OnLate::Tell { held, late } => check(Rule::Words, !held.is_empty() && !late.is_empty()),
        OnLate::Fail => {}
    }
    lint_until(&wait.until, check);
}

fn lint_until(until: &Until, check: &mut impl FnMut(Rule, bool)) {
    let span_ms = until.poll_ms.saturating_mul(u64::from(until.holds));
    let ends = until.holds > 0 && until.poll_ms > 0 && until.deadline_ms <= limits::WAIT_DEADLINE_MS_MAX;
    check(Rule::Endless, ends && until.deadline_ms >= until.poll_ms);
    // A condition that cannot be met in time would only ever fail.
    check(Rule::Endless, until.holds <= 1 || span_ms <= until.deadline_ms.saturating_mul(2));
}

fn undo_of(write: &Write) -> Option<&Request> {
    match &write.undo {
        Undo::Send { request, .. } | Undo::Returns { request, .. } => Some(request),
        Undo::Irreversible { .. } => None,
    }
}

fn is_one_command(request: &Request) -> bool {
    let sound = |text: &str, banned: &[char]| !text.trim().is_empty() && !text.contains(banned);
    match &request.call {
        Call::Haproxy { socket, command } => {
            sound(socket, &['\n', '\r', '\0']) && sound(command, &[';', '\n', '\r', '\0', '\\'])
        }
        Call::Sql { socket, sql, .. } => {
            sound(socket, &['\n', '\r', '\0']) && sound(sql, &[';', '\n', '\r', '\0', '\\'])
        }
        Call::SqlWrite { socket, statements, .. } => {
            sound(socket, &['\n', '\r', '\0'])
                && !statements.is_empty()
                && statements.iter().all(|statement| {
                    let texts = [Some(&statement.sql), statement.each.as_ref()];
                    let has_place = statement.sql.contains(EACH);
                    texts.into_iter().flatten().all(|text| sound(text, &[';', '\n', '\r', '\0', '\\']))
                        && statement.each.as_ref().map_or(!has_place, |query| has_place && query.starts_with("select "))
                })
        }
        Call::Libvirt { socket, .. } => sound(socket, &['\n', '\r', '\0']),
        Call::LibvirtWrite { socket, guest, .. } => {
            let one_line = ['\n', '\r', '\0'];
            sound(socket, &one_line) && sound(&guest.name, &one_line) && sound(&guest.uuid, &one_line)
        }
        Call::FileEdit { edit, .. } => edit.is_sound(),
        Call::Countdown { countdown, .. } => countdown.is_sound(),
        Call::Shell { script } | Call::ShellWithin { script, .. } => sound(script, &['\n', '\r', '\0']),
        Call::Ovsdb { .. } | Call::OvsDaemon { .. } | Call::Tcp { .. } => false,
        // One process: its words are quoted one by one, so anything but NUL is one word.
        Call::Exec { argv } | Call::Hook { argv } => !argv.is_empty() && argv.iter().all(|word| !word.contains('\0')),
    }
}

fn branch_is_sound(steps: &[Step], index: usize) -> bool {
    let When::Late(decider) = steps[index].when else { return true };
    decider < index
        && matches!(&steps[decider].action, Action::Wait(wait) if matches!(wait.on_late, OnLate::GoOn(_)))
        && steps[decider].when == When::Always
}

/// Whether each hole of `request` is bound by the last of `steps` or by one before it that is always done.
fn holes_are_bound(request: &Request, steps: &[Step]) -> bool {
    let last = steps.len().saturating_sub(1);
    let bound = |name: &str| {
        steps.iter().enumerate().any(|(index, step)| {
            (index == last || step.when == When::Always)
                && step.write().is_some_and(|write| write.binds.iter().any(|bind| bind.name == name))
        })
    };
    hole::holes_in(request).into_iter().all(bound)
}

fn binds_once(steps: &[Step]) -> bool {
    let binds: Vec<&Bind> = steps.iter().filter_map(Step::write).flat_map(|write| &write.binds).collect();
    let names: BTreeSet<&str> = binds.iter().map(|bind| bind.name.as_str()).collect();
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    names.len() == binds.len() && names.iter().all(is_name)
}

/// The last step is a wait that is always done and looks at every node that any step writes to.
fn proves_everything(steps: &[Step]) -> bool {
    let Some(last) = steps.last() else { return false };
    let seen = last.nodes();
    matches!(last.action, Action::Wait(_))
        && last.when == When::Always
        && steps.iter().filter_map(Step::write).all(|write| seen.contains(&write.node))
}
