//! Every server behind which one machine stands, at once: how load balancers let it go and take it back.

use super::{
    Check, Field, Reason, ReasonKind, Seat, ServerExpect, Step, Until, When, departure::servers_of, drain,
    judge_capacity, limits, list_words, names_of, premise, ready, refuse_inherited, seconds, wait,
};
use crate::{
    model::{
        haproxy::{AdminState, ConfiguredState, Server},
        ids::{NodeName, ProxyName, ServerName},
        intent::ServerPath,
        inventory::Inventory,
        node_act::OnNodeDeadline,
        text::Clean,
    },
    plan::{
        expect::{is_down, remaining_without, takes_traffic},
        parts::{Need, OnLate, Premise, Source},
        scene::Scene,
        share::Share,
    },
    wire::{
        haproxy::HaproxyProbe,
        probe::{Probe, ProbeId},
    },
};
use std::collections::BTreeMap;

/// What load balancers do, and for which servers.
#[derive(Default)]
pub(in crate::plan) struct Turn {
    pub(in crate::plan) share: Share,
    pub(in crate::plan) servers: Vec<ServerPath>,
    /// Each server on each load balancer, one a line.
    pub(in crate::plan) evidence: Vec<Clean>,
}

/// The machine gets no new sessions, those it has end, and it goes into maintenance; but for those that somebody else
/// takes care of.
pub(in crate::plan) fn leave(
    scene: &Scene<'_>,
    machine: &str,
    but: &[ServerPath],
    (deadline_ms, on_deadline): (u64, OnNodeDeadline),
    reasons: &mut Vec<Reason>,
) -> Turn {
    let mut servers = servers_of(scene.world, scene.inventory, machine);
    servers.retain(|server| !but.contains(server));
    let fields = survey(scene, &servers, reasons);
    let mut share = Share::default();
    for field in &fields {
        refuse_inherited(field, reasons);
        judge_capacity(field, &told_ready(field), reasons);
        share.premises.extend(premises_of_leaving(field));
        share.steps.extend(told_ready(field).iter().filter_map(|seat| drain::drain(field, seat)));
        share.proof.extend(field.checks(ServerExpect::Told(AdminState::Maint)));
        share.proof.extend(field.checks(ServerExpect::Empty));
    }
    judge_backends(&fields, scene.policy.capacity_floor_percent, reasons);
    if !fields.iter().all(is_out) {
        share.effect.extend(effect(&fields, machine, deadline_ms, on_deadline).iter().map(|text| Clean::line(text)));
        let late = When::Late(share.steps.len());
        share.steps.push(wait_until_empty(&fields, machine, deadline_ms, on_deadline));
        for field in &fields {
            share.steps.extend(field.seats.iter().filter_map(|seat| drain::maintenance(field, seat, When::Always)));
        }
        if on_deadline == OnNodeDeadline::Force {
            for field in &fields {
                share.steps.extend(field.seats.iter().map(|seat| drain::close(field, seat, late)));
            }
        }
    }
    finish(scene.inventory, share, &fields, &servers)
}

/// The machine gets new sessions once its checks pass.
pub(in crate::plan) fn come_back(
    scene: &Scene<'_>,
    machine: &str,
    deadline_ms: u64,
    reasons: &mut Vec<Reason>,
) -> Turn {
    let servers = servers_of(scene.world, scene.inventory, machine);
    let fields = survey(scene, &servers, reasons);
    let mut share = Share::default();
    for field in &fields {
        if let Some(why) = left_alone(scene, field) {
            if !field.seats.iter().all(|seat| seat.told() == Some(AdminState::Ready)) {
                share.say(why);
            }
            continue;
        }
        match ready::plan(field, deadline_ms, None, reasons) {
            super::Outcome::Draft(draft) => share.append(Share {
                effect: draft.effect.iter().map(|text| Clean::line(text)).collect(),
                premises: draft.premises.into_iter().filter_map(|check| premise(check, field)).collect(),
                steps: draft.steps,
                ..Share::default()
            }),
            super::Outcome::AlreadyThere(_) => share.premises.extend(premises_told(field)),
        }
        share.proof.extend(field.checks(ServerExpect::TakesTraffic));
    }
    finish(scene.inventory, share, &fields, &servers)
}

fn finish(inventory: &Inventory, mut share: Share, fields: &[Field<'_>], servers: &[ServerPath]) -> Turn {
    for seat in fields.iter().flat_map(|field| &field.seats) {
        let requests = HaproxyProbe.requests(seat.node, inventory.settings.poll.deadline_ms);
        share.read(Source { node: seat.node.name.clone(), probe: ProbeId::Haproxy, requests });
    }
    let line = |field: &Field<'_>| {
        let lines = field.evidence();
        lines.into_iter().map(|line| Clean::line(&format!("{}: {line}", field.path))).collect::<Vec<_>>()
    };
    Turn { evidence: fields.iter().flat_map(line).collect(), share, servers: servers.to_vec() }
}

/// Looks at every server; what stands in the way of several is told once.
fn survey<'a>(scene: &Scene<'a>, servers: &'a [ServerPath], reasons: &mut Vec<Reason>) -> Vec<Field<'a>> {
    let mut found = Vec::new();
    let fields: Vec<Field<'a>> = servers
        .iter()
        .map(|path| Field::survey(scene.world, scene.inventory, path, scene.policy, scene.now, &mut found))
        .filter(|field| !field.seats.is_empty())
        .collect();
    if servers.is_empty() {
        super::field::refuse_unread(scene.world, scene.inventory, scene.now, &mut found);
    }
    for reason in found {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    fields
}

fn told_ready<'f, 'a>(field: &'f Field<'a>) -> Vec<&'f Seat<'a>> {
    field.seats.iter().filter(|seat| seat.told() == Some(AdminState::Ready)).collect()
}

/// In maintenance everywhere, without a session.
fn is_out(field: &Field<'_>) -> bool {
    field.sessions() == 0 && field.seats.iter().all(|seat| seat.told() == Some(AdminState::Maint))
}

/// Why a server does not come back with its machine: the file keeps it out, or its backend is where writes go in, which
/// a switchover decides.
fn left_alone(scene: &Scene<'_>, field: &Field<'_>) -> Option<String> {
    let path = &field.path;
    let is_disabled = |server: &Server| server.configured.known() == Some(ConfiguredState::Disabled);
    if field.seats.iter().any(|seat| is_disabled(seat.server)) {
        return Some(format!(
            "{path} stays as it is: haproxy.cfg says disabled. If it should take traffic: vakt do haproxy.ready {path}."
        ));
    }
    let takes_writes = |machine: &str| {
        let node = scene.world.nodes.iter().find(|node| node.name.as_str() == machine);
        let sample = node.and_then(|node| node.switchover.last());
        sample.and_then(|sample| sample.state.read_only.known()) == Some(false)
    };
    let is_entrance = |seat: &Seat<'_>| {
        let mut ready = seat.backend.servers.iter().filter(|other| other.admin.known() == Some(AdminState::Ready));
        seat.backend.servers.iter().any(is_disabled)
            && ready.all(|other| other.name != path.server && other.machine(scene.inventory).is_some_and(takes_writes))
    };
    let is_entrance = !field.seats.is_empty() && field.seats.iter().all(is_entrance);
    is_entrance.then(|| {
        format!("{path} stays as it is: only the primary of the databases is ready there, which a switchover decides.")
    })
}

fn premises_told(field: &Field<'_>) -> Vec<Premise> {
    let told = field.seats.iter().filter_map(|seat| Some(seat.check(&field.path, ServerExpect::Told(seat.told()?))));
    told.filter_map(|check| premise(check, field)).collect()
}

fn premises_of_leaving(field: &Field<'_>) -> Vec<Premise> {
    let floor = ServerExpect::OthersCarry { percent_min: field.capacity_floor_percent };
    let leaving = told_ready(field).into_iter().filter(|seat| !is_down(seat.server));
    let others = leaving.map(|seat| seat.check(&field.path, floor));
    premises_told(field).into_iter().chain(others.filter_map(|check| premise(check, field))).collect()
}

/// Several servers of one backend on this machine leave together; each alone is judged elsewhere.
fn judge_backends(fields: &[Field<'_>], floor_percent: u32, reasons: &mut Vec<Reason>) {
    let mut leaving: BTreeMap<&ProxyName, Vec<&Field<'_>>> = BTreeMap::new();
    for field in fields.iter().filter(|field| field.seats.iter().any(|seat| takes_traffic(seat.server))) {
        leaving.entry(&field.path.backend).or_default().push(field);
    }
    for (backend, leaving) in leaving.iter().filter(|(_, leaving)| leaving.len() > 1) {
        let servers: Vec<&ServerName> = leaving.iter().map(|field| &field.path.server).collect();
        let (mut evidence, mut is_last) = (Vec::new(), false);
        for seat in &leaving[0].seats {
            let (percent, left) = remaining_without(seat.backend, &servers);
            is_last |= left == 0;
            if left == 0 || percent < u64::from(floor_percent) {
                evidence.push(Clean::line(&format!(
                    "{}: {percent} % of the weight would remain, the floor is {floor_percent} %",
                    seat.node.name
                )));
            }
        }
        if !evidence.is_empty() {
            let names = list_words(servers.iter().map(|server| server.as_str()));
            reasons.push(Reason::new(
                if is_last { ReasonKind::LastServer } else { ReasonKind::CapacityFloor },
                format!("Too little of {backend} would stay in traffic without {names}."),
                evidence,
                "Bring another server back first, or lower capacity_floor_percent under [policy].",
            ));
        }
    }
}

/// The load balancers of all of them: "lb01 and lb02".
fn names(fields: &[Field<'_>]) -> String {
    let mut nodes: Vec<&NodeName> = fields.iter().flat_map(|field| &field.seats).map(|seat| &seat.node.name).collect();
    nodes.sort();
    nodes.dedup();
    names_of(nodes.into_iter())
}

fn effect(fields: &[Field<'_>], machine: &str, deadline_ms: u64, on_deadline: OnNodeDeadline) -> Vec<String> {
    let paths = list_words(fields.iter().map(|field| field.path.backend.as_str()));
    let mut effect = vec![format!(
        "{machine} gets no new sessions of {paths} on {}; once it has none left it goes into maintenance.",
        names(fields)
    )];
    effect.extend(fields.iter().filter_map(remaining_words));
    let then = match on_deadline {
        OnNodeDeadline::Wait => "After that it keeps those it has, gets no new ones, and the run ends stopped",
        OnNodeDeadline::Force => "After that they are closed",
        OnNodeDeadline::Abort => "After that everything is put back",
    };
    let may_take = format!("may take {} to end. {then}.", seconds(deadline_ms));
    effect.push(match fields.iter().map(Field::sessions).sum::<u64>() {
        0 => format!("It has no session now; one that still comes {may_take}"),
        1 => format!("Its 1 session {may_take}"),
        sessions => format!("Its {sessions} sessions {may_take}"),
    });
    if fields.iter().any(Field::is_tcp) && on_deadline != OnNodeDeadline::Force {
        effect.push(
            "Clients with connection pools keep their TCP sessions until they close them; to close what is left, add \
             --on-deadline force."
                .to_owned(),
        );
    }
    effect
}

/// What stays in traffic of one backend: the load balancer on which least does.
fn remaining_words(field: &Field<'_>) -> Option<String> {
    let backend = &field.path.backend;
    let seats = told_ready(field).into_iter().filter(|seat| takes_traffic(seat.server));
    let without = |seat: &Seat<'_>| remaining_without(seat.backend, &[&field.path.server]);
    let seat = seats.min_by_key(|seat| without(seat))?;
    let (percent, _) = without(seat);
    let others = seat.backend.servers.iter().filter(|other| other.name != field.path.server && takes_traffic(other));
    let others = list_words(others.map(|other| other.name.as_str()));
    Some(format!(
        "What remains of {backend}: {others}, {percent} % of its weight; the floor is {} %.",
        field.capacity_floor_percent
    ))
}

fn wait_until_empty(fields: &[Field<'_>], machine: &str, deadline_ms: u64, on_deadline: OnNodeDeadline) -> Step {
    let all = |is: ServerExpect| fields.iter().flat_map(|field| field.checks(is)).collect::<Vec<Check>>();
    let passed = seconds(deadline_ms);
    let on_late = match on_deadline {
        OnNodeDeadline::Wait => OnLate::Rest(Clean::line(&format!(
            "{machine} is not empty after {passed}; it keeps its sessions and gets no new ones"
        ))),
        OnNodeDeadline::Force => {
            OnLate::GoOn(Clean::line(&format!("{machine} was not empty after {passed}; its sessions were closed")))
        }
        OnNodeDeadline::Abort => OnLate::Fail,
    };
    let until = Until {
        checks: all(ServerExpect::Quiet),
        need: Need::All,
        holds: limits::QUIET_LOOKS,
        poll_ms: limits::WAIT_POLL_MS,
        deadline_ms,
    };
    let title = format!("{}: wait until {machine} has no session left", names(fields));
    wait(&title, When::Always, until, all(ServerExpect::OutOfRotation), on_late)
}
