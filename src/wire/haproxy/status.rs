//! The grammar of a server's `status`, of `check_status`, and of the bits of `srv_admin_state`.

use crate::model::{
    haproxy::{AdminState, ConfiguredState, OperationalState},
    text::Clean,
};

/// Bits of `srv_admin_state` (management.txt, "show servers state").
mod bit {
    pub(super) const FORCED_MAINT: u64 = 0x01;
    pub(super) const INHERITED_MAINT: u64 = 0x02;
    pub(super) const CONFIG_MAINT: u64 = 0x04;
    pub(super) const FORCED_DRAIN: u64 = 0x08;
    pub(super) const INHERITED_DRAIN: u64 = 0x10;
    pub(super) const RESOLUTION_MAINT: u64 = 0x20;
    /// All of the above and 0x40: told by the socket what its name is, which says nothing about traffic.
    pub(super) const ALL: u64 = 0x7f;
}

/// `UP`, `UP 2/3`, `DOWN`, `DOWN 1/2`, `DOWN (agent)`, `NOLB`, `NOLB 1/2`, `DRAIN`, `DRAIN 1/2`, `DRAIN (agent)`,
/// `MAINT`, `MAINT (via be/srv)`, `MAINT(via)` (1.4), `MAINT (resolution)`, `no check`.
pub(super) fn operational(text: &Clean) -> OperationalState {
    let text_trimmed = text.as_str().trim();
    let word_end = text_trimmed.find([' ', '(']).unwrap_or(text_trimmed.len());
    let (word, rest) = (&text_trimmed[..word_end], text_trimmed[word_end..].trim());
    let plain = rest.is_empty() || rest.starts_with('(');
    let fraction = fraction(rest);
    match (word, fraction) {
        _ if text_trimmed == "no check" => OperationalState::Unchecked,
        ("UP", Some((done, needed))) => OperationalState::GoingDown { done, needed },
        ("DOWN", Some((done, needed))) => OperationalState::GoingUp { done, needed },
        ("UP", None) if plain => OperationalState::Up,
        ("DOWN", None) if plain => OperationalState::Down,
        ("NOLB", fraction) if plain || fraction.is_some() => OperationalState::Stopping,
        ("DRAIN", fraction) if plain || fraction.is_some() => OperationalState::Draining,
        ("MAINT", None) if plain => OperationalState::Maintenance,
        _ => OperationalState::Other(text.clone()),
    }
}

/// `2/3`; also `-1/3`, which 2.6 prints of a server that just left maintenance.
fn fraction(text: &str) -> Option<(u64, u64)> {
    let (done, needed) = text.split_once('/')?;
    let done: i64 = done.parse().ok()?;
    Some((done.max(0).unsigned_abs(), needed.parse().ok()?))
}

/// `check_status` without the mark of a check in flight, and whether it was there.
pub(super) fn check(raw: &[u8]) -> (Clean, bool) {
    match raw.strip_prefix(b"*") {
        Some(rest) => (Clean::line_from_bytes(rest.trim_ascii()), true),
        None => (Clean::line_from_bytes(raw), false),
    }
}

/// What an operator told the process, and what the file says. The strongest bit wins; `false` when there are bits that
/// this version of vakt does not know.
///
/// A server that is disabled in the file has the forced bit too, until an operator enables it.
pub(super) fn admin(mask: u64) -> (AdminState, ConfiguredState, bool) {
    let has = |bits: u64| mask & bits != 0;
    let admin = if has(bit::FORCED_MAINT) {
        AdminState::Maint
    } else if has(bit::RESOLUTION_MAINT) {
        AdminState::MaintResolution
    } else if has(bit::INHERITED_MAINT) {
        AdminState::MaintInherited
    } else if has(bit::FORCED_DRAIN) {
        AdminState::Drain
    } else if has(bit::INHERITED_DRAIN) {
        AdminState::DrainInherited
    } else {
        AdminState::Ready
    };
    let configured = if has(bit::CONFIG_MAINT) { ConfiguredState::Disabled } else { ConfiguredState::Ready };
    (admin, configured, mask & !bit::ALL == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use OperationalState as State;

    #[test]
    fn every_documented_status_is_understood() {
        let cases = [
            ("UP", State::Up),
            ("UP 2/3", State::GoingDown { done: 2, needed: 3 }),
            ("UP -1/3", State::GoingDown { done: 0, needed: 3 }),
            ("UP (agent)", State::Up),
            ("DOWN", State::Down),
            ("DOWN 1/2", State::GoingUp { done: 1, needed: 2 }),
            ("DOWN (agent)", State::Down),
            ("NOLB", State::Stopping),
            ("NOLB 1/2", State::Stopping),
            ("DRAIN", State::Draining),
            ("DRAIN 1/2", State::Draining),
            ("DRAIN (agent)", State::Draining),
            ("MAINT", State::Maintenance),
            ("MAINT (via web/web01)", State::Maintenance),
            ("MAINT(via)", State::Maintenance),
            ("MAINT (resolution)", State::Maintenance),
            ("no check", State::Unchecked),
        ];
        for (text, state) in cases {
            assert_eq!(operational(&text.into()), state, "{text}");
        }
        for odd in ["", "up", "UPSIDE", "UP 1/", "UP one/two", "DOWN!", "MAINT 1/2", "UP 99999999999999999999/1"] {
            assert_eq!(operational(&odd.into()), State::Other(odd.into()), "{odd}");
        }
    }

    #[test]
    fn the_strongest_admin_bit_wins() {
        let cases = [
            (0x00, AdminState::Ready, ConfiguredState::Ready),
            (0x01, AdminState::Maint, ConfiguredState::Ready),
            (0x02, AdminState::MaintInherited, ConfiguredState::Ready),
            (0x04, AdminState::Ready, ConfiguredState::Disabled),
            (0x05, AdminState::Maint, ConfiguredState::Disabled),
            (0x08, AdminState::Drain, ConfiguredState::Ready),
            (0x09, AdminState::Maint, ConfiguredState::Ready),
            (0x10, AdminState::DrainInherited, ConfiguredState::Ready),
            (0x20, AdminState::MaintResolution, ConfiguredState::Ready),
            (0x40, AdminState::Ready, ConfiguredState::Ready),
        ];
        for (mask, state, configured) in cases {
            assert_eq!(admin(mask), (state, configured, true), "{mask:#x}");
        }
        assert!(!admin(0x80).2);
    }

    #[test]
    fn a_check_in_flight_is_a_flag() {
        assert_eq!(check(b"* L7TOUT"), ("L7TOUT".into(), true));
        assert_eq!(check(b"L7OK"), ("L7OK".into(), false));
    }
}
