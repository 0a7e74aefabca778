//! The daemon of a database, by its machine's word: the unit that starts it, whether that is masked, its processes.
//!
//! Deliberately absent: asking the server. It is asked by the other probes, and may be silent.

use crate::{
    model::{
        figure::{Figure, Unknown},
        inventory::Node,
        mysql::{DaemonProcess, DaemonSample},
        text::Clean,
    },
    wire::{
        complaints::Complaints,
        probe::{Complaint, Facts, Probe},
        request::{Call, Reply, Request, first_bytes},
    },
};

/// Longest answer, bytes.
const CAP_BYTES: usize = 16 * 1024;
/// Processes that are taken in.
const PROCESSES_MAX: usize = 50;
/// Longest name of a unit that is used.
const UNIT_BYTES_MAX: usize = 64;

/// Words of the shell itself: no process is started on the node. A unit is masked by a link to `/dev/null`; the mask in
/// `/run` ends with the machine, and is not told. Of a unit that has several names the one with the file counts.
///
/// A machine has hundreds of processes. A shell that knows the time looks at those that it found, and through all of them
/// when one of these is gone, when there is none, and every half minute.
const SCRIPT: &str = concat!(
    "[ -d /proc/1 ] || printf 'hidden:yes\\n'; [ ! -d /run/systemd/system ] || printf 'systemd:yes\\n'; ",
    "for u in mariadb mysqld mysql; do for d in /etc/systemd/system /usr/lib/systemd/system /lib/systemd/system; do ",
    "if [ -f $d/$u.service ] && [ ! -L $d/$u.service ]; then printf 'unit:%s.service\\n' $u; break; fi; done; ",
    "[ ! -c /etc/systemd/system/$u.service ] || printf 'masked:%s.service\\n' $u; done; ",
    r#"v=; if [ -n "${SECONDS:-}" ] && [ "$((SECONDS / 30))" = "${vakt_e:-}" ]; then for p in ${vakt_d:-}; do c=; "#,
    "{ read -r c <$p/comm; } 2>/dev/null; ",
    r#"case $c in mysqld|mariadbd) v="$v $p";; *) v=; break;; esac; done; fi; "#,
    r#"if [ -z "$v" ]; then for p in /proc/[0-9]*; do c=; { read -r c <$p/comm; } 2>/dev/null; "#,
    r#"case $c in mysqld|mariadbd) v="$v $p";; esac; done; vakt_d=$v; vakt_e=$((${SECONDS:-0} / 30)); fi; "#,
    "for p in $v; do l=; { read -r l <$p/stat; } 2>/dev/null; l=${l##*) }; g=; ",
    "{ while read -r k; do case $k in *.service) g=${k##*/};; esac; done <$p/cgroup; } 2>/dev/null; ",
    "printf 'process:%s %s %s\\n' \"${p#/proc/}\" \"${l%% *}\" \"$g\"; done"
);

/// The same in Perl.
const PERL: &str = concat!(include_str!("../sources.pl"), include_str!("daemon.pl"));

/// The daemon of a database.
#[derive(Debug)]
pub struct DaemonProbe;

impl DaemonProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::ShellWithin { script, .. } if script == SCRIPT)
    }
}

impl Probe for DaemonProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        vec![Request::look(SCRIPT, PERL, deadline_ms, CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let (sample, complaints) = interpret(first_bytes(replies));
        (Some(Facts::Daemon(Box::new(sample))), complaints)
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(bytes: &[u8]) -> (DaemonSample, Vec<Complaint>) {
    let mut complaints = Complaints::default();
    let (mut is_hidden, mut has_systemd) = (false, false);
    let (mut units, mut masked, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(4 * PROCESSES_MAX) {
        let line = Clean::line_from_bytes(line);
        match line.as_str().split_once(':') {
            Some(("hidden", "yes")) => is_hidden = true,
            Some(("systemd", "yes")) => has_systemd = true,
            Some(("unit", name)) if is_unit(name) => units.push(Clean::line(name)),
            Some(("masked", name)) if is_unit(name) => masked.push(Clean::line(name)),
            Some(("process", words)) => match process(words) {
                Some(process) if processes.len() < PROCESSES_MAX => processes.push(process),
                Some(_) => {}
                None => complaints.add("a process of the database", "not understood"),
            },
            _ => complaints.add("the database's daemon", "a line that is not understood"),
        }
    }
    let unit = match (has_systemd, units.into_iter().next()) {
        (true, Some(unit)) => Figure::Known(unit),
        (true, None) => Figure::Unknown(Unknown::Missing),
        (false, _) => Figure::Unknown(Unknown::NotOffered),
    };
    let is_masked = unit.as_ref().map(|unit| masked.contains(unit));
    // Where processes of others are hidden, none that is seen does not mean that there is none.
    let processes = if is_hidden { Figure::Unknown(Unknown::NotPermitted) } else { Figure::Known(processes) };
    (DaemonSample { unit, is_masked, processes }, complaints.finish())
}

/// A name that may stand in a command.
fn is_unit(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@');
    name.len() <= UNIT_BYTES_MAX && name.ends_with(".service") && name.bytes().all(plain) && !name.starts_with('-')
}

fn process(words: &str) -> Option<DaemonProcess> {
    let mut words = words.split(' ');
    let pid = words.next()?.parse().ok()?;
    let state = words.next().filter(|state| state.len() == 1)?;
    let unit = words.next().unwrap_or_default();
    Some(DaemonProcess { pid, state: Clean::line(state), unit: Clean::line(unit) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::mysql::DaemonState;
    use proptest::prelude::*;

    #[test]
    fn a_machine_without_systemd_or_with_hidden_processes_says_so() {
        let (sample, complaints) = interpret(b"unit:mysqld.service\nprocess:41 S \n");
        assert_eq!((sample.unit, sample.is_masked), (unknown(), Figure::Unknown(Unknown::NotOffered)));
        assert_eq!(complaints, []);
        let (sample, _) = interpret(b"hidden:yes\nsystemd:yes\nunit:mariadb.service\n");
        assert_eq!(sample.state(), Figure::Unknown(Unknown::NotPermitted));
    }

    fn unknown() -> Figure<Clean> {
        Figure::Unknown(Unknown::NotOffered)
    }

    #[test]
    fn only_its_own_units_mask_counts_and_no_words_of_a_node_become_a_command() {
        let text = b"systemd:yes\nunit:mariadb.service\nmasked:mysql.service\nprocess:330 T mariadb.service\n";
        let (sample, _) = interpret(text);
        assert_eq!((sample.is_masked, sample.state()), (Figure::Known(false), Figure::Known(DaemonState::Frozen)));
        let (sample, complaints) = interpret(b"systemd:yes\nunit:$(id).service\nunit:-x.service\n");
        assert_eq!(sample.unit, Figure::Unknown(Unknown::Missing));
        assert!(!complaints.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_complained_about(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let (sample, _) = interpret(&bytes);
            prop_assert!(sample.processes.known().is_none_or(|all| all.len() <= PROCESSES_MAX));
        }
    }
}
