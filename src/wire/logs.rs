//! The tail of a node's logs: the journal of some units, and the files that daemons write themselves.
//!
//! One script answers all of them. It runs as the login, with `sudo -n` where that works, and leaves nothing behind. The
//! amount is bounded on the node already: lines, characters of a line, bytes of all.

use super::{
    mysql,
    request::{Call, Reply, Request},
};
use crate::model::{
    inventory::Node,
    log::{LogId, LogLine, LogPage, LogWindow},
    text::Clean,
    time::Wall,
};

/// Lines of one source.
const LINES_MAX: u32 = 400;
/// Lines of InnoDB's status text; one with a hundred transactions has about a thousand.
const STATUS_LINES_MAX: usize = 4_000;
/// Bytes of one answer. The node cuts at two thirds of it.
const CAP_BYTES: usize = 384 * 1024;
/// A journal on a slow disk takes seconds.
const DEADLINE_MS: u64 = 8_000;
/// Before the moment that is looked at.
const BEFORE_MS: i64 = 120_000;
/// After it.
const AFTER_MS: i64 = 300_000;
/// Lines that say what is missing.
const MISSING_MAX: usize = 8;
/// Begins a line of the script itself; the script removes the byte from everything else.
const MARK: u8 = 0x1e;

/// A log: its title, units of the journal, files.
struct Source {
    title: &'static str,
    /// Words for `journalctl`; empty for none of it.
    journal: &'static str,
    files: &'static str,
    /// Lines of files that match it are left out, as an extended regular expression; empty leaves out none.
    without: &'static str,
}

fn source(id: LogId) -> Source {
    let of = |title, journal, files| Source { title, journal, files, without: "" };
    match id {
        LogId::System => of("system", "", "/var/log/syslog /var/log/messages"),
        LogId::Kernel => of("kernel", "-k", "/var/log/kern.log"),
        // Each request is a line of priority `info`; what the process has to say is above that.
        LogId::Haproxy => Source {
            without: r"Connect from |\[[0-9]+/[A-Z][a-z]+/[0-9]+:",
            ..of("HAProxy", "-p notice -u haproxy.service", "/var/log/haproxy.log")
        },
        LogId::Web => of(
            "web server",
            "-u nginx.service -u apache2.service -u httpd.service",
            "/var/log/nginx/error.log /var/log/apache2/error.log /var/log/httpd/error_log",
        ),
        LogId::Database => of(
            "database",
            "-u mariadb.service -u mysql.service -u mysqld.service",
            "/var/log/mysql/error.log /var/log/mysqld.log /var/log/mariadb/mariadb.log",
        ),
        LogId::InnodbStatus => of("InnoDB status", "", ""),
        LogId::OpenVSwitch => of(
            "Open vSwitch",
            "-u openvswitch-switch.service -u ovs-vswitchd.service -u ovsdb-server.service",
            "/var/log/openvswitch/ovs-vswitchd.log /var/log/openvswitch/ovsdb-server.log",
        ),
        LogId::Keepalived => of("keepalived", "-u keepalived.service", ""),
        LogId::Memcached => of("memcached", "-u memcached.service", "/var/log/memcached.log"),
        LogId::Libvirt => of(
            "libvirt",
            "-u libvirtd.service -u virtqemud.service -u virtlogd.service",
            "/var/log/libvirt/libvirtd.log",
        ),
        LogId::Nfs => of("NFS", "-u nfs-server.service -u nfs-mountd.service -u rpcbind.service", ""),
        LogId::Ssh => of("logins", "-u ssh.service -u sshd.service", "/var/log/auth.log /var/log/secure"),
    }
}

/// Its name for an operator: "HAProxy".
pub fn title(id: LogId) -> &'static str {
    source(id).title
}

/// The script's name for itself.
const NAME: &str = "vakt-logs";
/// Arguments: lines, since, until, words for journalctl, files, what to leave out. Times are seconds since the epoch or
/// empty.
const SCRIPT: &str = r#"n=$1; since=$2; until=$3; journal=$4; files=$5; without=$6; mark=$(printf '\036'); s=
if [ "$(id -u)" != 0 ]; then
  if sudo -n true 2>/dev/null; then s='sudo -n'; else echo 'sudo asks for a password: this is what the login may read' >&2; fi
fi
tidy() { tr -d '\036' | cut -c1-600; }
wanted() { if [ -n "$without" ]; then grep -avE "$without"; else cat; fi; }
{
echo "${mark}zone $(date +%z)"
for f in $files; do
  if $s test -r "$f"; then echo "${mark}file $f"; $s tail -n "$((n * 20))" "$f" | wanted | tail -n "$n" | tidy
  elif $s test -e "$f"; then echo "$f may not be read by this login" >&2; fi
done
if command -v journalctl >/dev/null 2>&1; then
  echo "${mark}journal"
  $s journalctl -q --no-pager -o short-unix -n "$n" ${since:+--since "@$since"} ${until:+--until "@$until"} $journal 2>/dev/null | tidy
else echo 'there is no journalctl' >&2; fi
} | tail -c 262144"#;

/// Every log.
const ALL: [LogId; 11] = [
    LogId::System,
    LogId::Kernel,
    LogId::Haproxy,
    LogId::Web,
    LogId::Database,
    LogId::OpenVSwitch,
    LogId::Keepalived,
    LogId::Memcached,
    LogId::Libvirt,
    LogId::Nfs,
    LogId::Ssh,
];

/// Which log is asked for, for who answers in the place of a node.
pub fn asked(call: &Call) -> Option<LogId> {
    let Call::Exec { argv } = call else { return None };
    let journal = argv.get(7).filter(|_| argv.get(3).is_some_and(|name| name == NAME))?;
    ALL.into_iter().find(|log| source(*log).journal == journal)
}

/// What is asked of a node for a log; `None` where it has no such thing.
pub fn ask(node: &Node, id: LogId, window: LogWindow) -> Option<Request> {
    match id {
        LogId::InnodbStatus => mysql::status_text_request(node, DEADLINE_MS),
        _ => Some(request(id, window)),
    }
}

/// What the answer says.
pub fn answer(id: LogId, reply: &Reply, window: LogWindow) -> LogPage {
    if id != LogId::InnodbStatus {
        return interpret(reply, window);
    }
    match mysql::status_text_lines(reply, STATUS_LINES_MAX) {
        Err(why) => LogPage { lines: Vec::new(), missing: vec![why] },
        Ok((lines, was_cut)) => {
            let line = |text| LogLine { at: None, from: Clean::default(), text };
            let missing = was_cut.then(|| Clean::line(&format!("only the first {STATUS_LINES_MAX} lines are kept")));
            LogPage { lines: lines.into_iter().map(line).collect(), missing: missing.into_iter().collect() }
        }
    }
}

/// What is asked for a log that files and the journal hold.
pub fn request(id: LogId, window: LogWindow) -> Request {
    let source = source(id);
    let (since, until) = match window {
        LogWindow::Newest => (String::new(), String::new()),
        LogWindow::Around(at) => (seconds(at, -BEFORE_MS), seconds(at, AFTER_MS)),
    };
    let lines = LINES_MAX.to_string();
    let words = ["sh", "-c", SCRIPT, NAME, &lines, &since, &until, source.journal, source.files, source.without];
    Request::read(Call::Exec { argv: words.map(str::to_owned).to_vec() }, DEADLINE_MS, CAP_BYTES)
}

fn seconds(at: Wall, shift_ms: i64) -> String {
    (at.0.saturating_add(shift_ms).max(0) / 1000).to_string()
}

/// The lines of an answer, the oldest first.
pub fn interpret(reply: &Reply, window: LogWindow) -> LogPage {
    let mut reading = Reading::default();
    for line in reply.bytes.split(|byte| *byte == b'\n') {
        reading.line(line);
    }
    let mut missing: Vec<Clean> = reply
        .stderr
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .take(MISSING_MAX)
        .map(Clean::line_from_bytes)
        .collect();
    if reply.exit.is_some_and(|exit| exit != 0) && missing.is_empty() {
        missing.push("the node's shell could not read it".into());
    }
    LogPage { lines: reading.finish(window), missing }
}

/// Where a line comes from.
#[derive(Debug, Clone, Default)]
enum Origin {
    /// Cut off at the beginning.
    #[default]
    Unknown,
    Journal,
    File(Clean),
}

#[derive(Debug, Default)]
struct Reading {
    origin: Origin,
    /// Offset of the node's zone, milliseconds.
    zone_ms: Option<i64>,
    /// Each with the time by which it is sorted: its own, or that of the line before it.
    lines: Vec<(Option<Wall>, LogLine)>,
    newest: Option<Wall>,
}

impl Reading {
    fn line(&mut self, bytes: &[u8]) {
        if let [MARK, mark @ ..] = bytes {
            return self.mark(mark);
        }
        if bytes.trim_ascii().is_empty() {
            return;
        }
        let text = Clean::line_from_bytes(bytes);
        let (at, from, rest) = match &self.origin {
            Origin::Journal => journal_line(text.as_str()),
            Origin::File(name) => {
                let (at, rest) = dated(text.as_str(), self.zone_ms);
                (at, Some(name.as_str()), rest)
            }
            Origin::Unknown => return,
        };
        let from =
            from.map_or_else(|| self.lines.last().map(|(_, line)| line.from.clone()).unwrap_or_default(), Clean::line);
        let line = LogLine { at, from, text: Clean::line(rest) };
        self.newest = at.or(self.newest);
        self.lines.push((self.newest, line));
    }

    fn mark(&mut self, mark: &[u8]) {
        let words = String::from_utf8_lossy(mark);
        match words.split_once(' ') {
            Some(("zone", zone)) => self.zone_ms = zone_ms(zone.trim()),
            Some(("file", path)) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                self.origin = Origin::File(Clean::line(name));
            }
            _ if words == "journal" => self.origin = Origin::Journal,
            _ => {}
        }
        self.newest = None;
    }

    /// By time; lines of one moment stay as they came. Of a window, what is known to lie outside it is left out.
    fn finish(self, window: LogWindow) -> Vec<LogLine> {
        let mut lines = self.lines;
        if let LogWindow::Around(at) = window {
            let within = at.0.saturating_sub(BEFORE_MS)..=at.0.saturating_add(AFTER_MS);
            lines.retain(|(time, _)| time.is_some_and(|time| within.contains(&time.0)));
        }
        lines.sort_by_key(|(time, _)| *time);
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

/// `1700000000.123456 host ident[pid]: text`; a further line of a message has no time of its own.
fn journal_line(line: &str) -> (Option<Wall>, Option<&str>, &str) {
    let parts = line.split_once(' ').and_then(|(time, rest)| {
        let (seconds, fraction) = time.split_once('.')?;
        let ms = seconds.parse::<i64>().ok()?.checked_mul(1000)?.checked_add(milliseconds(fraction)?)?;
        let (_host, rest) = rest.split_once(' ')?;
        let (ident, text) = rest.split_once(": ").or_else(|| Some((rest.strip_suffix(':')?, "")))?;
        Some((Wall(ms), ident.split('[').next().unwrap_or(ident), text))
    });
    match parts {
        Some((at, ident, text)) => (Some(at), Some(ident), text),
        None => (None, None, line),
    }
}

/// The first three digits of a fraction.
fn milliseconds(fraction: &str) -> Option<i64> {
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let text = fraction.get(..digits.min(3)).filter(|text| !text.is_empty())?;
    let value: i64 = text.parse().ok()?;
    Some(value * [100, 10, 1][text.len() - 1])
}

/// A time as `2026-11-28T20:25:31.123456+01:00`, with a space instead of the `T`, with `Z`, or without a zone: then it is
/// the node's. `[` before it is passed over. The rest of the line comes with it.
fn dated(line: &str, zone: Option<i64>) -> (Option<Wall>, &str) {
    let parts = || {
        let text = line.strip_prefix('[').unwrap_or(line);
        let date = text.get(..19)?;
        let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
        let separators = [(4, b"-"), (7, b"-"), (13, b":"), (16, b":")];
        let is_date = separators.iter().all(|(at, byte)| date.as_bytes().get(*at) == byte.first());
        if !is_date || !matches!(date.as_bytes().get(10), Some(b'T' | b' ')) {
            return None;
        }
        let days = days_from_civil(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
        let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
        let mut rest = text.get(19..)?;
        let mut ms = 0;
        if let Some(fraction) = rest.strip_prefix(['.', ',']) {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            ms = milliseconds(fraction).unwrap_or(0);
            rest = fraction.get(digits..)?;
        }
        let (offset, rest) = match rest.as_bytes().first() {
            Some(b'Z') => (Some(0), rest.get(1..)?),
            Some(b'+' | b'-') => {
                let end = rest.bytes().skip(1).take_while(|byte| byte.is_ascii_digit() || *byte == b':').count() + 1;
                (zone_ms(rest.get(..end)?), rest.get(end..)?)
            }
            _ => (zone, rest),
        };
        let at = days.checked_mul(86_400_000)?.checked_add(seconds * 1000 + ms)?.checked_sub(offset?)?;
        Some((Wall(at), rest.trim_start_matches([' ', ']', '|'])))
    };
    parts().map_or((None, line), |(at, rest)| (Some(at), rest))
}

/// `+0100`, `-05:30`: milliseconds.
fn zone_ms(zone: &str) -> Option<i64> {
    let (sign, digits) = match zone.as_bytes().first()? {
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..4)?.parse::<i64>().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, years 1970 to 9999.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the odd day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let leap_days = year / 4 - year / 100 + year / 400;
    Some(year * 365 + leap_days + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn page(text: &str, window: LogWindow) -> LogPage {
        interpret(&Reply { bytes: text.as_bytes().to_vec(), exit: Some(0), ..Reply::default() }, window)
    }

    fn shown(page: &LogPage) -> Vec<String> {
        let time = |at: Option<Wall>| at.map_or("?".into(), |at| at.0.to_string());
        page.lines.iter().map(|line| format!("{} {}: {}", time(line.at), line.from, line.text)).collect()
    }

    #[test]
    fn times_of_every_kind_are_one_order() {
        let text = "\u{1e}zone +0100\n\
            \u{1e}file /var/log/mysql/error.log\n\
            2026-11-28 21:00:01 0 [Note] node's own zone\n\
            a line that goes on\n\
            2026-11-28T20:00:03.250Z|00012|vlog|INFO|opened\n\
            \u{1e}file /var/log/haproxy.log\n\
            2026-11-28T22:00:02.5+02:00 lb01 haproxy[7]: Server web/web03 is DOWN\n\
            \u{1e}journal\n\
            1795896000.004213 lb01 haproxy[77]: proxy started\n\
            1795896004.1 lb01 systemd[1]: Stopped.\n";
        assert_eq!(
            shown(&page(text, LogWindow::Newest)),
            [
                "1795896000004 haproxy: proxy started",
                "1795896001000 error.log: 0 [Note] node's own zone",
                "? error.log: a line that goes on",
                "1795896002500 haproxy.log: lb01 haproxy[7]: Server web/web03 is DOWN",
                "1795896003250 error.log: 00012|vlog|INFO|opened",
                "1795896004100 systemd: Stopped.",
            ]
        );
        let around = LogWindow::Around(Wall(1_795_896_000_000 + BEFORE_MS + 2_000));
        assert_eq!(shown(&page(text, around)).len(), 3, "what lies outside the window is left out");
    }

    #[test]
    fn dates_are_days() {
        assert_eq!(days_from_civil(1970, 1, 1), Some(0));
        assert_eq!(days_from_civil(2000, 2, 29), Some(11_016));
        assert_eq!(days_from_civil(2026, 11, 28), Some(20_785));
        assert_eq!(days_from_civil(2026, 13, 1), None);
        assert_eq!((zone_ms("+0100"), zone_ms("-05:30"), zone_ms("0100")), (Some(3_600_000), Some(-19_800_000), None));
    }

    #[test]
    fn what_is_missing_is_said() {
        let reply = Reply { stderr: b"there is no journalctl\n\n".to_vec(), exit: Some(0), ..Reply::default() };
        assert_eq!(interpret(&reply, LogWindow::Newest).missing, [Clean::line("there is no journalctl")]);
        let reply = Reply { exit: Some(127), ..Reply::default() };
        assert_eq!(interpret(&reply, LogWindow::Newest).missing.len(), 1);
    }

    #[test]
    fn a_request_names_units_files_and_the_window() {
        let Call::Exec { argv } = request(LogId::Haproxy, LogWindow::Around(Wall(1_000_000))).call else { panic!() };
        assert_eq!(ALL.map(|log| asked(&request(log, LogWindow::Newest).call)), ALL.map(Some));
        assert_eq!(
            argv[4..],
            [
                "400",
                "880",
                "1300",
                "-p notice -u haproxy.service",
                "/var/log/haproxy.log",
                source(LogId::Haproxy).without
            ]
        );
    }

    proptest! {
        /// Whatever a node says, reading it ends, and no line carries a control character.
        #[test]
        fn hostile_logs_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2_000), mark in any::<bool>()) {
            let mut all = if mark { b"\x1ejournal\n".to_vec() } else { b"\x1efile /x\n".to_vec() };
            all.extend(bytes);
            let reply = Reply { bytes: all, ..Reply::default() };
            for line in interpret(&reply, LogWindow::Newest).lines {
                prop_assert!(line.text.as_str().chars().all(|c| !c.is_control()));
            }
        }
    }
}
