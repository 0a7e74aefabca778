//! The newest binary log of a server that does not run: how far it wrote, read on its machine by the server's own
//! program. Asked by a run once everything else is done; it takes as long as the file is large.

use crate::{
    model::{
        figure::{Figure, Unknown},
        inventory::Node,
        mysql::{
            BinlogSample,
            gtid::{Gtids, MariadbGtids, MysqlGtids},
        },
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

/// The list at a log's beginning says what the logs before it hold. MariaDB: of each server the last transaction is sent.
/// MySQL: that list as it is, and what follows as intervals; whoever has none in its file writes one by default.
const SCRIPT: &str = concat!(
    r#"s=; [ "$(id -u)" = 0 ] || s="sudo -n"; d=/var/lib/mysql; b=; "#,
    r#"for o in $(my_print_defaults --mysqld 2>/dev/null || my_print_defaults mysqld server); do "#,
    r#"case $o in --datadir=*) d=${o#*=};; --log[_-]bin=*) b=${o#*=};; esac; done; "#,
    r#"[ -n "$b" ] || ! $s test -f "$d/binlog.index" || b=binlog; "#,
    r#"case $b in '') echo none:log; exit 0;; /*) ;; *) b=$d/$b;; esac; f=$($s tail -n 1 "$b.index") || exit 1; "#,
    r#"case $f in /*) ;; *) f=$d/${f#./};; esac; m=$(command -v mariadb-binlog || command -v mysqlbinlog) || exit 1; "#,
    r#"$s "$m" "$f" | grep -aE "Gtid list|^# [0-9]+-[0-9]+-[0-9]+[],]|[[:space:]]GTID [0-9]|"#,
    r#"^# [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:|GTID_NEXT= '[0-9a-f]{8}-" | awk -F"'" '"#,
    r#"/^# .*:/ {sub(/^# /, ""); sub(/,$/, ""); print "set:" $0; next} "#,
    r#"/GTID_NEXT=/ {k = n = $2; sub(/:[0-9]+$/, "", k); sub(/.*:/, "", n); if (k in e && n + 0 == e[k] + 1) e[k] = n; "#,
    r#"else {if (k in e) print "set:" k ":" b[k] "-" e[k]; b[k] = e[k] = n}; next} "#,
    r#"{r = $0; while (match(r, /[0-9]+-[0-9]+-[0-9]+/)) {split(substr(r, RSTART, RLENGTH), p, "-"); "#,
    r#"r = substr(r, RSTART + RLENGTH); k = p[1] "-" p[2]; if (p[3] + 0 > l[k] + 0) l[k] = p[3]}} "#,
    r#"END {for (k in e) print "set:" k ":" b[k] "-" e[k]; for (k in l) print "last:" k "-" l[k]}'; echo whole:yes"#
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

fn interpret(bytes: &[u8], complaints: &mut Complaints) -> Figure<Gtids> {
    let text = String::from_utf8_lossy(bytes);
    let (mut is_whole, mut is_there) = (false, true);
    let (mut last, mut set) = (MariadbGtids::default(), MysqlGtids::default());
    for line in text.lines() {
        match line.split_once(':') {
            Some(("whole", "yes")) => is_whole = true,
            Some(("none", "log")) => is_there = false,
            Some(("last", word)) => match word.parse::<MariadbGtids>() {
                Ok(more) => last = last.union(&more),
                Err(_) => complaints.add("a binary log", "a transaction that is not understood"),
            },
            Some(("set", word)) => match word.parse::<MysqlGtids>() {
                Ok(more) => set = set.union(&more),
                Err(_) => complaints.add("a binary log", "a set of transactions that is not understood"),
            },
            _ => complaints.add("a binary log", "a line that is not understood"),
        }
    }
    match (is_there, is_whole, last.is_empty(), set.is_empty()) {
        (false, ..) => Figure::Unknown(Unknown::NotOffered),
        (true, true, false, true) => Figure::Known(Gtids::Mariadb(last)),
        (true, true, true, false) => Figure::Known(Gtids::Mysql(set)),
        (true, true, false, false) => Figure::Unknown(Unknown::Malformed),
        // Without its end, what is missing might be what matters.
        _ => Figure::Unknown(Unknown::Missing),
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
        let uuid = "46e0d9d4-ec11-11f1-9e05-a65d17bcae2b";
        let set = read(&format!("set:{uuid}:1-4\nset:{uuid}:5-7\nset:{uuid}:night:1-1\nwhole:yes\n"));
        assert_eq!(set.map(|written| written.to_string()), Figure::Known(format!("{uuid}:1-7:night:1")));
        let both = format!("last:0-31-5\nset:{uuid}:1-4\nwhole:yes\n");
        assert_eq!(read(&both), Figure::Unknown(Unknown::Malformed));
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
