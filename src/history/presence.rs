//! Looks at a node's addresses, one after another: since when it carries each, and what came and went.

use crate::model::{
    figure::Figure,
    presence::{Move, PresenceFacts, PresenceSample, ProcessState},
    time::Now,
};

/// Moves that are kept of one node.
const MOVES_MAX: usize = 32;

/// Facts from the newer look and what was known before it.
pub fn derive(older: Option<&PresenceFacts>, mut newer: PresenceSample, at: Now) -> PresenceFacts {
    let process = &mut newer.keepalived.process;
    let waits_for_disk = *process == Figure::Known(ProcessState::Blocked);
    if waits_for_disk && !older.is_some_and(|older| older.waits_for_disk) {
        *process = Figure::Known(ProcessState::Running);
    }
    let Some(addresses) = newer.addresses.as_ref().known() else {
        // Nothing is known of this moment: what was known of the moves stays, and the next look begins anew.
        let moves = older.map(|older| older.moves.clone()).unwrap_or_default();
        return PresenceFacts { sample: newer, since: Vec::new(), moves, waits_for_disk };
    };
    let before = older.and_then(|older| older.sample.addresses.as_ref().known());
    let since = addresses.iter().map(|address| older.and_then(|older| older.since(*address)).unwrap_or(at)).collect();
    let mut moves = older.map(|older| older.moves.clone()).unwrap_or_default();
    if let Some(before) = before {
        let came = addresses.iter().filter(|address| !before.contains(address));
        moves.extend(came.map(|address| Move { address: *address, came: true, at }));
        let went = before.iter().filter(|address| !addresses.contains(address));
        moves.extend(went.map(|address| Move { address: *address, came: false, at }));
    }
    let surplus = moves.len().saturating_sub(MOVES_MAX);
    moves.drain(..surplus);
    PresenceFacts { sample: newer, since, moves, waits_for_disk }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        figure::Unknown,
        presence::Keepalived,
        time::{Mono, Wall},
    };

    fn at(ms: u64) -> Now {
        Now { mono: Mono(ms), wall: Wall(0) }
    }

    fn look(addresses: &[&str]) -> PresenceSample {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        PresenceSample { addresses: Figure::Known(addresses), ..PresenceSample::default() }
    }

    #[test]
    fn an_address_is_carried_since_it_was_first_seen() {
        let first = derive(None, look(&["10.0.0.1"]), at(0));
        let second = derive(Some(&first), look(&["10.0.0.1", "10.0.0.100"]), at(2000));
        let third = derive(Some(&second), look(&["10.0.0.1", "10.0.0.100"]), at(4000));
        assert_eq!(third.since("10.0.0.1".parse().unwrap()), Some(at(0)));
        assert_eq!(third.since("10.0.0.100".parse().unwrap()), Some(at(2000)));
        assert_eq!(third.moves, [Move { address: "10.0.0.100".parse().unwrap(), came: true, at: at(2000) }]);
        let fourth = derive(Some(&third), look(&["10.0.0.1"]), at(6000));
        assert_eq!(fourth.since("10.0.0.100".parse().unwrap()), None);
        assert_eq!(fourth.moves.len(), 2);
    }

    #[test]
    fn a_look_that_saw_nothing_moves_nothing() {
        let first = derive(None, look(&["10.0.0.1"]), at(0));
        let blind = PresenceSample { addresses: Figure::Unknown(Unknown::Missing), ..PresenceSample::default() };
        let second = derive(Some(&first), blind, at(2000));
        let third = derive(Some(&second), look(&["10.0.0.1"]), at(4000));
        assert_eq!(third.moves, []);
        assert_eq!(third.since("10.0.0.1".parse().unwrap()), Some(at(4000)));
    }

    #[test]
    fn a_keepalived_that_waits_for_a_disk_for_a_moment_runs() {
        let seen = |process| {
            let keepalived = Keepalived { process: Figure::Known(process), ..Keepalived::default() };
            PresenceSample { keepalived, ..look(&[]) }
        };
        let mut facts = None;
        for (told, shown) in [
            (ProcessState::Blocked, ProcessState::Running),
            (ProcessState::Running, ProcessState::Running),
            (ProcessState::Blocked, ProcessState::Running),
            (ProcessState::Blocked, ProcessState::Blocked),
            (ProcessState::Stopped, ProcessState::Stopped),
        ] {
            let next = derive(facts.as_ref(), seen(told), at(0));
            assert_eq!(next.sample.keepalived.process, Figure::Known(shown), "{told:?}");
            facts = Some(next);
        }
    }

    #[test]
    fn moves_are_bounded() {
        let mut facts = derive(None, look(&[]), at(0));
        for turn in 0..200 {
            let looked = if turn % 2 == 0 { look(&["10.0.0.1"]) } else { look(&[]) };
            facts = derive(Some(&facts), looked, at(turn));
        }
        assert_eq!(facts.moves.len(), MOVES_MAX);
        assert_eq!(facts.moves.last().map(|moved| moved.at), Some(at(199)));
    }
}
