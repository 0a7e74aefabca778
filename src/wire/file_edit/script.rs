//! The script that changes a file on its node. POSIX shell and coreutils; run as root, by `sudo` where the login is not.
//!
//! Whatever fails before the new file has its name leaves nothing; whatever fails behind it gives the old one its name
//! back. Its words on standard error are read by operators.
//!
//! While the daemon judges, a file says so (`FileEdit::judging`): a change that was cut off there is neither done nor not
//! done, and nobody takes it for either; the same holds while HAProxy is reloaded. A database server is only asked for what it is known to answer without starting: one
//! that does not know `--validate-config` would open its data first.

use super::{FileChange, FileEdit, FileJudge, FileWay};

/// As root.
pub(in crate::wire) const ENTRY: &str =
    r#"if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; else exec sudo -n sh -c "$@"; fi"#;

/// The parts of the script; words: path, kept, way, kind, sum, line, column, length, text, judge, option, value.
const HEAD: &str = r#"f=$1 b=$2 way=$3 kind=$4 sum=$5 line=$6 col=$7 len=$8; shift 8; text=$1 judge=$2 opt=$3 val=$4; n=$f.vakt-new m=$f.vakt-judging
LC_ALL=C; export LC_ALL; umask 077
die() { echo "$1" >&2; exit 1; }
sum_of() { sha256sum <"$1" | cut -c1-64; }
made() { case $kind in
create) printf '%s' "$text";;
splice) o=$(head -n $((line - 1)) "$1" | wc -c); o=$((o + col)); head -c $o "$1" && printf '%s' "$text" && tail -c +$((o + len + 1)) "$1";;
insert*) o=$(head -n $line "$1" | wc -c); e='
'; [ $kind = insert ] || e=$(printf '\r\nx') e=${e%x}
if [ $o -gt 0 ] && [ -n "$(head -c $o "$1" | tail -c 1)" ]; then t=$e$text; else t=$text$e; fi
head -c $o "$1" && printf '%s' "$t" && tail -c +$((o + 1)) "$1";;
esac; }
on_disk() { sync "$1" 2>/dev/null || sync; }
"#;

const JUDGE: &str = r#"judged() { case $judge in
database) p=; for d in /proc/[0-9]*; do c=; { read -r c <$d/comm; } 2>/dev/null; case $c in mysqld|mariadbd) p=${d#/proc/};; esac; done
[ -n "$p" ] || { echo "the database server does not run, so that nobody can say whether the file is good"; return 1; }
x=$(readlink /proc/$p/exe); x=${x% (deleted)}; set --; i=$IFS; IFS='
'; set -f; for a in $(tr '\0' '\n' </proc/$p/cmdline); do case $a in --defaults-*|--no-defaults) set -- "$@" "$a";; esac; done; IFS=$i
bad=; if "$x" --no-defaults --user=mysql --help --verbose 2>/dev/null | grep -q validate-config
then r=$("$x" "$@" --user=mysql --validate-config 2>&1) || bad=1
else r=$("$x" "$@" --user=mysql --help --verbose 2>&1 >/dev/null) || bad=1; fi
case $bad:$r in 1:*|*'[ERROR]'*) printf '%s\n' "$r" | grep -F '[ERROR]' || printf '%s\n' "$r" | tail -n 3; return 1;; esac
w=; o=$(printf '%s' "$opt" | tr - _); for a in $("$x" "$@" --print-defaults 2>/dev/null); do case $a in --*=*) k=${a%%=*}; k=$(printf '%s' "${k#--}" | tr - _); k=${k#loose_}; [ "$k" != "$o" ] || w=${a#*=};; esac; done
[ "$w" = "$val" ] || { echo "the server would start with $opt = ${w:-its default}"; return 1; };;
haproxy) p=; for d in /proc/[0-9]*; do c=; { read -r c <$d/comm; } 2>/dev/null; [ "$c" != haproxy ] || [ -n "$p" ] || p=${d#/proc/}; done
x=/usr/sbin/haproxy; [ -z "$p" ] || x=$(readlink /proc/$p/exe); x=${x% (deleted)}; set --; k=; i=$IFS; IFS='
'; set -f; for a in $(tr '\0' '\n' 2>/dev/null </proc/${p:-self}/cmdline); do case $k:$a in f:*) set -- "$@" -f "$a"; k=;; all:*) set -- "$@" -f "$a";; :-f) k=f;; :--) k=all;; esac; done; set +f; IFS=$i
[ -n "$p" ] && [ $# -gt 0 ] || set -- -f "$f"; r=$("$x" -c -q "$@" 2>&1) || { printf '%s\n' "$r" | grep -F ALERT || printf '%s\n' "$r" | tail -n 3; return 1; };;
esac; return 0; }
"#;

/// Reloads HAProxy, and waits for the new process; `opt` is its socket, `val` the file by which states are carried over.
const RELOAD: &str = r#"ask() { printf '%s\n' "$1" | socat -t 5 - "UNIX-CONNECT:$opt" 2>/dev/null; }
serves() { ask 'show info' | sed -n 's/^Pid: *//p'; }
reloaded() { [ "$judge" = haproxy ] && [ -n "$opt" ] || return 0
command -v socat >/dev/null 2>&1 || { echo "socat is not installed here, so that HAProxy cannot be asked"; return 1; }
w=$(serves); [ -n "$w" ] || { echo "HAProxy does not answer at $opt"; return 1; }
u=$(sed -n 's|.*/\([^/]*\.service\).*|\1|p' /proc/$w/cgroup 2>/dev/null | head -n 1); u=${u:-haproxy.service}; g=
if [ -n "$val" ]; then ask 'show servers state' >"$val.vakt-new"
[ "$(head -n 1 "$val.vakt-new")" = 1 ] || { rm -f -- "$val.vakt-new"; echo "HAProxy does not tell the states of its servers"; return 1; }
[ ! -e "$val" ] || { mv -f -- "$val" "$val.vakt-former" && g=1; }; mv -f -- "$val.vakt-new" "$val"; fi
bad=; r=$(systemctl reload "$u" 2>&1) || bad="it could not be reloaded: $r"
t=0; while [ -z "$bad" ]; do v=$(serves); [ -z "$v" ] || [ "$v" = "$w" ] || break; t=$((t + 1)); [ $t -lt 50 ] || bad="no new process of HAProxy answers"; sleep 0.2; done
[ -z "$val" ] || if [ -n "$g" ]; then mv -f -- "$val.vakt-former" "$val"; else rm -f -- "$val"; fi
[ -z "$bad" ] || { echo "$bad"; return 1; }; }
"#;

const MAKE: &str = r#"make() {
[ ! -e "$m" ] || die "another change of $f is at work, or was cut off: look at it, then remove $m"
trap 'rm -f -- "$n" "$m"' EXIT; trap '' HUP; trap 'exit 1' INT TERM
if [ $kind = create ]; then [ ! -e "$f" ] && [ ! -L "$f" ] || die "$f is there already"
( umask 022; : >"$n" ) || die "no new file can be written beside $f"
else [ ! -L "$f" ] && [ -f "$f" ] || die "$f is no plain file"; [ ! -e "$b" ] || die "$b is there already"
[ "$(sum_of "$f")" = "$sum" ] || die "$f is not the file that was seen: somebody edited it"
cp -p -- "$f" "$n" || die "no new file can be written beside $f"; fi
made "$f" >"$n" || die "$n could not be written"
want=${#text}; [ $kind = create ] || { h=$(wc -c <"$f"); case $kind in splice) want=$((h - len + want));; insert) want=$((h + want + 1));; *) want=$((h + want + 2));; esac; }
[ "$(wc -c <"$n")" -eq $want ] || die "$n could not be written as a whole"
on_disk "$n"
[ $kind = create ] || { ln -- "$f" "$b" 2>/dev/null || cp -p -- "$f" "$b" || die "$f cannot be kept as $b"; [ "$(sum_of "$b")" = "$sum" ] || { rm -f -- "$b"; die "$f was edited just now"; }; }
: >"$m" || die "$m could not be written"
mv -f -- "$n" "$f" || { [ $kind = create ] || rm -f -- "$b"; die "$f could not be replaced"; }
on_disk "${f%/*}"
why=$(judged) || { if [ $kind = create ]; then rm -f -- "$f"; else mv -f -- "$b" "$f"; fi; on_disk "${f%/*}"; die "the new file is not accepted, the old one is back: $why"; }
why=$(reloaded) || { mv -f -- "$b" "$f"; on_disk "${f%/*}"; again=$(reloaded) || { trap 'rm -f -- "$n"' EXIT; die "$why; the old file is back, and HAProxy was not reloaded with it: $again"; }; die "$why; the old file is back, and HAProxy runs with it"; }
}
"#;

const TAKE_BACK: &str = r#"take_back() { trap 'rm -f -- "$n"' EXIT; trap '' HUP; trap 'exit 1' INT TERM
[ ! -L "$f" ] && [ -f "$f" ] || die "$f is no plain file"
if [ $kind = create ]; then printf '%s' "$text" >"$n"; else [ -f "$b" ] && [ "$(sum_of "$b")" = "$sum" ] || die "$b is not the file as it was"; made "$b" >"$n"; fi
cmp -s -- "$n" "$f" || die "$f was edited since: it is left as it is"
[ "$judge" != haproxy ] || [ -z "$opt" ] || { [ ! -e "$m" ] || die "another change of $f is at work, or was cut off: look at it, then remove $m"; : >"$m" || die "$m could not be written"; }
if [ $kind = create ]; then rm -f -- "$f"; else mv -f -- "$b" "$f"; fi || die "$f could not be put back"
on_disk "${f%/*}"
why=$(reloaded) || die "$f is back, and HAProxy was not reloaded with it: $why"
[ "$judge" != haproxy ] || [ -z "$opt" ] || rm -f -- "$m"
}
"#;

const RUN: &str = "case $way in make) make;; *) take_back;; esac";

/// The words of the process.
pub(super) fn argv(edit: &FileEdit, way: FileWay) -> Vec<String> {
    let script = [HEAD, JUDGE, RELOAD, MAKE, TAKE_BACK, RUN].concat();
    let (kind, sum, line, column, length, text) = match &edit.change {
        FileChange::Splice { sum, line, column, length, text, .. } => {
            ("splice", sum.as_str(), *line, *column, *length, text.as_str())
        }
        FileChange::Insert { sum, line, text, with_cr: false, .. } => {
            ("insert", sum.as_str(), *line, 0, 0, text.as_str())
        }
        FileChange::Insert { sum, line, text, .. } => ("insert-cr", sum.as_str(), *line, 0, 0, text.as_str()),
        FileChange::Create { text } => ("create", "", 0, 0, 0, text.as_str()),
    };
    let (judge, option, value) = match &edit.judge {
        FileJudge::Database { option, value } => ("database", option.as_str(), value.as_str()),
        FileJudge::Haproxy { reload: None } => ("haproxy", "", ""),
        FileJudge::Haproxy { reload: Some(reload) } => {
            ("haproxy", reload.socket.as_str(), reload.state_file.as_deref().unwrap_or_default())
        }
        FileJudge::Nobody => ("nobody", "", ""),
    };
    let way = match way {
        FileWay::Make => "make",
        FileWay::TakeBack => "back",
    };
    let numbers = [line, column, length].map(|number| number.to_string());
    let [line, column, length] = &numbers;
    let words = ["sh", "-c", ENTRY, "sh", &script, "vakt", &edit.path, &edit.kept, way, kind, sum];
    words.into_iter().chain([line.as_str(), column, length, text, judge, option, value]).map(str::to_owned).collect()
}
