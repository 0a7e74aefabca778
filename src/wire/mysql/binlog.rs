//! The newest binary log of a server that does not run: how far it wrote, read on its machine by the server's own
//! program. Asked by a run once everything else is done; it takes as long as the file is large.

use crate::{
    model::{
        figure::{Figure, Unknown},
        inventory::Node,
        mysql::{BinlogSample, gtid::MariadbGtids},
    },
    wire::{
        complaints::Complaints,
        probe::{Complaint, Facts, Probe},
        request::{Call, Reply, Request},
    },
};
use std::borrow::Cow;

/// Longest answer, bytes: one line for each server that ever wrote.
const CAP_BYTES: usize = 64 * 1024;
/// Longest wait: a log of a gigabyte takes about so long.
const DEADLINE_MS: u64 = 20_000;

/// The list at a log's beginning says what the logs before it hold. Of each server the last transaction is sent.
const SCRIPT: &str = concat!(
    r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; d=/var/lib/mysql; b=; for o in $(my_print_defaults --mysqld); do "#,
    r#"case $o in --datadir=*) d=${o#*=};; --log[_-]bin=*) b=${o#*=};; esac; done; "#,
    r#"case $b in '') echo none:log; exit 0;; /*) ;; *) b=$d/$b;; esac; f=$($s tail -n 1 "$b.index") || exit 1; "#,
    r#"case $f in /*) ;; *) f=$d/${f#./};; esac; m=$(command -v mariadb-binlog || command -v mysqlbinlog) || exit 1; "#,
    r#"$s "$m" "$f" | grep -aE 'Gtid list|^# [0-9]+-[0-9]+-[0-9]+[],]|[[:space:]]GTID [0-9]' | "#,
    r#"grep -aoE '[0-9]+-[0-9]+-[0-9]+' | awk -F- '{k = $1 "-" $2; if ($3 + 0 > l[k] + 0) l[k] = $3} "#,
    r#"END {for (k in l) print "last:" k "-" l[k]}'; echo whole:yes"#
);

/// The newest binary log of a server that does not run.
#[derive(Debug)]
pub struct BinlogProbe;

impl BinlogProbe {
    /// Whether `call` is what this probe sends: how a simulated node recognises it.
    pub fn asks(call: &Call) -> bool {
        matches!(call, Call::Shell { script } if script == SCRIPT)
    }
}

impl Probe for BinlogProbe {
    fn requests(&self, _node: &Node, deadline_ms: u64) -> Vec<Request> {
        let script = Cow::Borrowed(SCRIPT);
        vec![Request::read(Call::Shell { script }, deadline_ms.max(DEADLINE_MS), CAP_BYTES)]
    }

    fn interpret(&self, replies: &[Reply]) -> (Option<Facts>, Vec<Complaint>) {
        let bytes = replies.first().map_or(&[][..], |reply| &reply.bytes);
        let mut complaints = Complaints::default();
        let written = interpret(bytes, &mut complaints);
        (Some(Facts::Binlog(Box::new(BinlogSample { written }))), complaints.finish())
    }

    fn holds_statements(&self) -> bool {
        false
    }
}

fn interpret(bytes: &[u8], complaints: &mut Complaints) -> Figure<MariadbGtids> {
    let text = String::from_utf8_lossy(bytes);
    let (mut is_whole, mut is_there) = (false, true);
    let mut written = MariadbGtids::default();
    for line in text.lines() {
        match line.split_once(':') {
            Some(("whole", "yes")) => is_whole = true,
            Some(("none", "log")) => is_there = false,
            Some(("last", word)) => match word.parse::<MariadbGtids>() {
                Ok(last) => written = written.union(&last),
                Err(_) => complaints.add("a binary log", "a transaction that is not understood"),
            },
            _ => complaints.add("a binary log", "a line that is not understood"),
        }
    }
    match (is_there, is_whole && !written.is_empty()) {
        (false, _) => Figure::Unknown(Unknown::NotOffered),
        // Without its end, what is missing might be what matters.
        (true, false) => Figure::Unknown(Unknown::Missing),
        (true, true) => Figure::Known(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_log_that_was_read_to_its_end_says_something() {
        let read = |text: &str| interpret(text.as_bytes(), &mut Complaints::default());
        let whole = read("last:0-31-125875\nlast:0-32-126019\nwhole:yes\n");
        assert_eq!(whole.map(|written| written.to_string()), Figure::Known("0-31-125875,0-32-126019".to_owned()));
        assert_eq!(read("last:0-31-125875\n"), Figure::Unknown(Unknown::Missing));
        assert_eq!(read("whole:yes\n"), Figure::Unknown(Unknown::Missing));
        assert_eq!(read("none:log\n"), Figure::Unknown(Unknown::NotOffered));
        assert_eq!(read(""), Figure::Unknown(Unknown::Missing));
    }

    proptest! {
        #[test]
        fn any_bytes_are_understood_or_complained_about(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = interpret(&bytes, &mut Complaints::default());
        }
    }
}
