//! The script that arms, uses and disarms the timer on its node. POSIX shell, systemd, `flock`; run as root, by `sudo` where
//! the login is not. Every text that is not fixed is a positional argument.
//!
//! On the node: `/var/lib/vakt-countdown/armed` is a folder with what the way back needs. It appears whole and last, when the
//! unit is enabled and runs already, and whoever renames it first has it: the timer (`firing`) or who calls it off (`off`). The
//! service counts down; a start of the node takes the change back at once. It knows nothing of SSH or vakt, is started again
//! when it is killed, and asks the database until it answers. A timer of systemd would begin anew whenever somebody lets
//! systemd read its units again (seen with 262). What is left afterwards is a line in `/run`, which the next start of the
//! node removes.

use super::{Countdown, CountdownTask};
use crate::wire::file_edit::AS_ROOT;

/// Seconds that must be left when the change is made.
const LEFT_S_MIN: u32 = 5;

/// Names, and what every part uses. A switch knows whether a device is up, and does not switch it: `link DEVICE FROM TO` stands for
/// a transaction, and is answered as one.
const COMMON: &str = r#"d=/var/lib/vakt-countdown u=/etc/systemd/system n=vakt-countdown note=/run/vakt-countdown
LC_ALL=C; export LC_ALL; umask 022
up() { read -r t _ </proc/uptime; echo "${t%.*}"; }
find() { is= of= left=0; for s in armed firing; do [ ! -d $d/$s ] || { is=$s; read -r of <$d/$s/id; }; done
[ "$is" != armed ] || { read -r until <$d/armed/until; read -r boot <$d/armed/boot; read -r now </proc/sys/kernel/random/boot_id
left=$((until - $(up))); [ $left -gt 0 ] && [ "$boot" = "$now" ] || left=0; }; }
link() { f=; read -r f 2>/dev/null </sys/class/net/$2/flags || { echo '[{"rows":[]}]'; return; }; s=down; [ $((f & 1)) = 0 ] || s=up
if [ $# = 2 ]; then echo "[{\"rows\":[{\"admin_state\":\"$s\"}]}]"
elif [ $s = "$3" ] && ip link set dev "$2" "$4"; then echo '[{},{"count":1},{}]'; else echo '"timed out"'; fi; }
ask() { case $1 in 'link '*) set -f; link $1;; *) timeout 5 ovsdb-client transact "unix:$socket" "$1" 2>&1;; esac; }
on_disk() { sync -f $d $u 2>/dev/null || sync; }
sweep() { { rm -f $u/multi-user.target.wants/$n.service $u/$n.service $d/take-back; rm -rf $d/new $d/off $d/firing; rmdir $d; systemctl daemon-reload; systemctl reset-failed $n.service; } >/dev/null 2>&1; }
"#;

/// What the node runs by itself when nobody called the timer off; written there as a file. Also where the disk takes no more
/// writes the change is taken back.
const TAKE_BACK: &str = r#"trap '' HUP INT TERM
exec 9>/run/$n.lock; flock 9; find; [ -n "$is" ] || { sweep; exit 0; }; exec 9>&-
while find; [ "$is" = armed ] && [ $left -gt 0 ] && [ "$1" != now ]; do sleep $((left > 5 ? 5 : 1)); done
exec 9>/run/$n.lock; flock 9
p=$d/firing; if [ ! -d $p ]; then [ -d $d/armed ] || { sweep; exit 0; }; mv $d/armed $p || p=$d/armed; fi
read -r id <$p/id; read -r socket <$p/socket; read -r back <$p/back; i=0
while :; do r=$(ask "$back")
case $r in '[{},{"count":1},{}]') how=back; break;; *'"timed out"'*) how=left; break;; esac
i=$((i + 1)); [ $i -lt 3600 ] || exit 1; sleep 1; done
echo "vakt: the change of $id was not confirmed in time: $how"
printf '%s %s %s\n' "$id" $how "$(date +%H:%M:%S)" >$note
sweep
"#;

const SERVICE: &str = "[Unit]\nDescription=vakt: take back a change of Open vSwitch that nobody confirmed in time\n\
    After=openvswitch-switch.service openvswitch.service ovs-vswitchd.service ovsdb-server.service\n\
    RequiresMountsFor=/var/lib/vakt-countdown\n\n[Service]\nExecStart=/bin/sh /var/lib/vakt-countdown/take-back\n\
    Restart=on-failure\nRestartSec=100ms\nStartLimitInterval=0\nOOMScoreAdjust=-1000\nKillSignal=SIGKILL\n\n\
    [Install]\nWantedBy=multi-user.target\n";

/// The parts of the script; words: task, id, seconds, socket, transaction, question, take-back, service, least.
const TASKS: &str = r#"task=$1 id=$2 after=$3 socket=$4 json=$5 look=$6 take_back=$7 service=$8; shift 8; least=$1
die() { echo "$1" >&2; exit 1; }
locked() { exec 9>/run/$n.lock; flock -w 5 9 || die "the timer on this node is busy"; find; }
sure() { [ "$(systemctl is-active $n.service 2>/dev/null)" = active ] && [ "$(systemctl is-enabled $n.service 2>/dev/null)" = enabled ]; }
mine() { [ "$is" = armed ] && [ "$of" = "$id" ] || die "the timer of this run does not run any more"; }
change() { r=$(ask "$json"); case $r in '[{},{"count":1},{}]') ;;
*'"timed out"'*) die "it is not as it was seen: somebody changed it, the database says $(ask "$look")";;
*) die "the database of the switch did not take it: $r";; esac; }
arm() { [ -d /run/systemd/system ] || die "systemd does not run here, so that nothing could take the change back"
for p in systemctl flock timeout ovsdb-client; do command -v $p >/dev/null || die "there is no program $p here"; done
locked; [ -z "$is" ] || die "the timer of $of runs here: end that change first"
rm -rf $d/new; mkdir -p $d/new || die "$d cannot be written"
w() { printf '%s\n' "$2" >$d/new/$1 || die "$d cannot be written"; }
read -r now </proc/sys/kernel/random/boot_id
w id "$id"; w socket "$socket"; w back "$json"; w boot "$now"; w until $(($(up) + after))
printf '%s' "$take_back" >$d/take-back && printf '%s' "$service" >$u/$n.service && systemctl enable $n.service >/dev/null 2>&1 &&
systemctl start $n.service && sure || { systemctl stop $n.service; sweep; die "systemd did not take the timer"; }
rm -f $note; on_disk && mv $d/new $d/armed && on_disk && return
mv $d/armed $d/off 2>/dev/null; systemctl stop $n.service; sweep; die "$d cannot be written"; }
look() { [ -d /run/systemd/system ] || echo system:other; find; case $is in
'') echo state:idle;; firing) echo "state:working $of";;
armed) if sure; then s=yes; else s=no; fi; echo "state:armed $of $left $s";; esac
[ ! -r $note ] || { read -r l <$note; echo "ran:$l"; }
r=$(ask "$look") && echo "value:$r"; echo end:; }
case $task in
look) look;;
arm) arm;;
set) locked; mine; [ $left -ge $least ] || die "only $left s are left until the timer runs out"; change;;
back) change;;
disarm) locked; mine; mv $d/armed $d/off || die "the timer cannot be called off"; on_disk; systemctl stop $n.service; sweep;;
esac
"#;

/// The words of the process that does it.
pub(super) fn argv(countdown: &Countdown, task: CountdownTask) -> Vec<String> {
    let script = [COMMON, TASKS].concat();
    let take_back = [COMMON, TAKE_BACK].concat();
    let (word, json) = match task {
        CountdownTask::Look => ("look", String::new()),
        CountdownTask::Arm => ("arm", countdown.transaction(false)),
        CountdownTask::Set => ("set", countdown.transaction(true)),
        CountdownTask::SetBack => ("back", countdown.transaction(false)),
        CountdownTask::Disarm => ("disarm", String::new()),
    };
    let arms = task == CountdownTask::Arm;
    let of_arm = |text: &str| if arms { text.to_owned() } else { String::new() };
    let head = ["sh", "-c", AS_ROOT, "sh"].map(str::to_owned);
    let words = [
        script,
        "vakt".to_owned(),
        word.to_owned(),
        countdown.id.to_string(),
        countdown.after_s.to_string(),
        countdown.socket.clone(),
        json,
        countdown.question(),
        of_arm(&take_back),
        of_arm(SERVICE),
        LEFT_S_MIN.to_string(),
    ];
    head.into_iter().chain(words).collect()
}
