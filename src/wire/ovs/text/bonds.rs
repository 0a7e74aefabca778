//! `ovs-appctl bond/show`: a section for each bond, in it a paragraph for each member.

use super::{Answer, ROWS_MAX, Understood, member, section};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs_daemon::{BondMember, BondState},
        text::Clean,
    },
    wire::{complaints::Complaints, ovs::sample::bond_mode},
};

/// Every bond of the switch, in the daemon's order; none when it has none.
pub fn bonds(bytes: &[u8]) -> Understood<BondState> {
    let mut answer = Answer::new("bond/show", bytes);
    let text = std::mem::take(&mut answer.text);
    let mut bonds: Vec<BondState> = Vec::new();
    let mut rows = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if rows >= ROWS_MAX {
            answer.complaints.add("bond/show", format!("only {ROWS_MAX} bonds and members are kept"));
            break;
        }
        if let Some(name) = section(line) {
            bonds.push(BondState { name: Clean::line(name), ..BondState::default() });
            rows += 1;
        } else if let Some(bond) = bonds.last_mut() {
            rows += usize::from(take(line, bond, &mut answer.complaints));
        } else {
            answer.text = text;
            return answer.not_understood();
        }
    }
    bonds.iter_mut().for_each(mark_missing);
    (Some(bonds), answer.complaints.finish())
}

/// One line of a bond; whether it begins a member. Most lines repeat the configuration, which the database holds.
fn take(line: &str, bond: &mut BondState, complaints: &mut Complaints) -> bool {
    if let Some((name, state)) = member(line, " ").and_then(|rest| rest.rsplit_once(": ")) {
        let enabled = switched(state, "enabled", "disabled", complaints);
        bond.members.push(BondMember { name: Clean::line(name), enabled, ..BondMember::default() });
        return true;
    }
    match (line.split_once(": "), bond.members.last_mut()) {
        (Some(("may_enable", word)), Some(member)) => member.may_enable = switched(word, "true", "false", complaints),
        (Some((hash, load)), Some(member)) if hash.starts_with("hash ") => {
            if let Some(load) = load.strip_suffix(" kB load") {
                let load: Figure<u64> = complaints.number("bond/show load", load);
                member.load_kbytes = load.known().map(|load| member.load_kbytes.unwrap_or(0).saturating_add(load));
            }
        }
        (None, Some(member)) if matches!(line, "active member" | "active slave") => member.active = true,
        (Some(("bond_mode", word)), _) => bond.mode = Figure::Known(bond_mode(Clean::line(word))),
        (Some(("lacp_status", word)), _) => bond.lacp_status = Figure::Known(Clean::line(word)),
        (Some(("active-backup primary", word)), _) => {
            bond.primary = Figure::Known((word != "<none>").then(|| Clean::line(word)));
        }
        _ => {}
    }
    false
}

fn switched(word: &str, yes: &str, no: &str, complaints: &mut Complaints) -> Figure<bool> {
    if word == yes || word == no {
        return Figure::Known(word == yes);
    }
    complaints.add("bond/show", format!("neither {yes} nor {no}: {word}"));
    Figure::Unknown(Unknown::Malformed)
}

/// What no line said was not in the answer.
fn mark_missing(bond: &mut BondState) {
    fn mark<T>(figure: &mut Figure<T>) {
        if figure.why() == Some(Unknown::NotReadYet) {
            *figure = Figure::Unknown(Unknown::Missing);
        }
    }
    mark(&mut bond.mode);
    mark(&mut bond.lacp_status);
    mark(&mut bond.primary);
    bond.members.iter_mut().for_each(|member| mark(&mut member.may_enable));
}
