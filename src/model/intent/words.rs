//! The words of an intent, as they follow `vakt do`: read and written, and what is wrong with those that are none.

use super::{
    ACTIONS, Change, DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX, DEADLINE_MS_MIN, Intent, MYSQL_FAILOVER, MYSQL_FENCE,
    MYSQL_KILL, MYSQL_REJOIN, MYSQL_SWITCHOVER, OnDeadline, REVERT_AFTER_MS_MIN, ServerPath, SessionPart, SessionPath,
    VIP_MOVE, WEIGHT_MAX,
};
use crate::model::{
    guest_act::GuestAct,
    ids::{GuestName, NodeName},
    node_act::{NodeAct, OnNodeDeadline},
    text::Clean,
    tune_act::{Keep, TuneAct},
};
use std::{net::IpAddr, num::NonZeroU32};

/// Why words are no intent. `Display` says what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnIntent {
    /// No words at all.
    #[error("nothing to do; name an action, such as haproxy.drain web_cluster/web03")]
    Empty,
    /// An action that does not exist.
    #[error("unknown action {0:?}; use one of {actions}", actions = ACTIONS.join(", "))]
    UnknownAction(Clean),
    /// The target is missing or has another form.
    #[error("{action} needs a server as backend/server, such as web_cluster/web03")]
    NoServer {
        /// The action.
        action: Clean,
    },
    /// The address is missing or none.
    #[error("{action} needs an address, such as 10.10.0.100")]
    NoAddress {
        /// The action.
        action: Clean,
    },
    /// The session is missing or none.
    #[error("{action} needs a session as node/number, such as db01/4711")]
    NoSession {
        /// The action.
        action: Clean,
    },
    /// The guest is missing.
    #[error("{action} needs a guest, such as web04")]
    NoGuest {
        /// The action.
        action: Clean,
    },
    /// The node is missing.
    #[error("{action} needs the name of a node, such as db01")]
    NoNode {
        /// The action.
        action: Clean,
    },
    /// The setting or its value is missing.
    #[error("{action} needs a node or role, a setting and a value, such as db01 max_connections 300")]
    NoSetting {
        /// The action.
        action: Clean,
    },
    /// An option that this action does not have.
    #[error("{action} has no option {option:?}; it has {known}")]
    UnknownOption {
        /// The action.
        action: Clean,
        /// What was typed.
        option: Clean,
        /// What there is.
        known: Clean,
    },
    /// An option without its value, given twice, or with a value it cannot have.
    #[error("{option} needs {needs}")]
    BadValue {
        /// The option.
        option: &'static str,
        /// What it takes.
        needs: &'static str,
    },
}

const TO: &str = "--to";
const ONLY: &str = "--only";

const DEADLINE: &str = "--deadline";
const ON_DEADLINE: &str = "--on-deadline";
const WEIGHT: &str = "--weight";
const ACCEPT_RISK: &str = "--accept-risk";
const REVERT_AFTER: &str = "--revert-after";
const REASON: &str = "--reason";
const PERSIST: &str = Keep::OPTIONS[0];
const PUT_BACK: &str = Keep::OPTIONS[1];

const DEADLINE_NEEDS: &str = "a time between 1s and 24h, such as 1500ms, 60s or 5m";
const ON_DEADLINE_NEEDS: &str = "one of keep, maint, maint+close";
const ON_NODE_DEADLINE_NEEDS: &str = "one of wait, force, abort";
const WEIGHT_NEEDS: &str = "a whole number from 0 to 256";
const TO_NEEDS: &str = "the name of a node, such as db02";
const ONLY_NEEDS: &str = "one of session, statement";
const KEEP_NEEDS: &str = "no value, and only one of --persist, --put-back";
const REVERT_AFTER_NEEDS: &str = "a time between 10s and 24h, such as 90s or 5m";
const ACCEPT_RISK_NEEDS: &str = "the words that the refusal names, in quotes";
const REASON_NEEDS: &str = "a sentence in quotes";

/// The options of an action, in the order they are printed.
fn options_of(action: &str) -> &'static [&'static str] {
    match action {
        "haproxy.drain" => &[DEADLINE, ON_DEADLINE, REASON],
        "haproxy.ready" => &[DEADLINE, WEIGHT, REASON],
        "haproxy.weight" => &[WEIGHT, REVERT_AFTER, REASON],
        "haproxy.maint" => &[REVERT_AFTER, REASON],
        VIP_MOVE | MYSQL_SWITCHOVER => &[TO, REASON],
        MYSQL_FAILOVER => &[TO, ACCEPT_RISK, REASON],
        MYSQL_KILL => &[ONLY, REASON],
        "vm.shutdown" | "vm.reset" | NodeAct::UNDRAIN => &[DEADLINE, REASON],
        GuestAct::MIGRATE => &[TO, DEADLINE, REASON],
        NodeAct::DRAIN => &[DEADLINE, ON_DEADLINE, REASON],
        TuneAct::ID => &[PERSIST, PUT_BACK, REVERT_AFTER, REASON],
        _ => &[REASON],
    }
}

impl Intent {
    /// From the words behind `vakt do`: `haproxy.drain web_cluster/web03 --deadline 60s`. Options that concern the
    /// doing (`--plan`, `--yes`, `--json`, `--detach`) belong to the command line and are no part of the intent.
    pub fn parse<S: AsRef<str>>(words: &[S]) -> Result<Self, NotAnIntent> {
        let mut words = words.iter().map(AsRef::as_ref);
        let action = words.next().ok_or(NotAnIntent::Empty)?;
        let action = *ACTIONS
            .iter()
            .find(|known| **known == action)
            .ok_or_else(|| NotAnIntent::UnknownAction(Clean::line(action)))?;
        if GuestAct::IDS.contains(&action) {
            return Self::parse_guest(action, words);
        }
        if NodeAct::IDS.contains(&action) {
            return Self::parse_node(action, words);
        }
        if action == MYSQL_SWITCHOVER {
            let options = Options::parse(action, words)?;
            let to = options.to.ok_or(NotAnIntent::BadValue { option: TO, needs: TO_NEEDS })?;
            return Ok(Self::new(Change::MysqlSwitchover { to }, options.reason));
        }
        if action == MYSQL_FAILOVER {
            let Options { to, accept_risk, reason, .. } = Options::parse(action, words)?;
            return Ok(Self::new(Change::MysqlFailover { to, accept_risk }, reason));
        }
        if action == MYSQL_FENCE {
            let node = node_of(action, words.next())?;
            let reason = Options::parse(action, words)?.reason;
            return Ok(Self::new(Change::MysqlFence { node }, reason));
        }
        if action == MYSQL_REJOIN {
            let node = node_of(action, words.next())?;
            let reason = Options::parse(action, words)?.reason;
            return Ok(Self::new(Change::MysqlRejoin { node }, reason));
        }
        if action == TuneAct::ID {
            let act = TuneAct::parse(&mut words);
            let act = act.ok_or_else(|| NotAnIntent::NoSetting { action: Clean::line(action) })?;
            let Options { keep, revert_after_ms, reason, .. } = Options::parse(action, words)?;
            let change = Change::Tune(Box::new(TuneAct { keep: keep.unwrap_or_default(), ..act }));
            return Ok(Self { change, reason, revert_after_ms });
        }
        if action == MYSQL_KILL {
            let session = words.next().and_then(SessionPath::parse);
            let session = session.ok_or_else(|| NotAnIntent::NoSession { action: Clean::line(action) })?;
            let Options { part, reason, .. } = Options::parse(action, words)?;
            return Ok(Self::new(Change::MysqlKill { session, part: part.unwrap_or_default() }, reason));
        }
        if action == VIP_MOVE {
            let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
            let address = address.ok_or_else(|| NotAnIntent::NoAddress { action: Clean::line(action) })?;
            let options = Options::parse(action, words)?;
            let to = options.to.ok_or(NotAnIntent::BadValue { option: TO, needs: TO_NEEDS })?;
            return Ok(Self::new(Change::VipMove { address, to }, options.reason));
        }
        let server = words
            .next()
            .and_then(ServerPath::parse)
            .ok_or_else(|| NotAnIntent::NoServer { action: Clean::line(action) })?;
        let options = Options::parse(action, words)?;
        let deadline_ms = options.deadline_ms.unwrap_or(DEADLINE_MS_DEFAULT);
        let change = match action {
            "haproxy.drain" => {
                Change::HaproxyDrain { server, deadline_ms, on_deadline: options.on_deadline.unwrap_or_default() }
            }
            "haproxy.ready" => Change::HaproxyReady { server, deadline_ms, weight: options.weight },
            "haproxy.weight" => Change::HaproxyWeight {
                server,
                weight: options.weight.ok_or(NotAnIntent::BadValue { option: WEIGHT, needs: WEIGHT_NEEDS })?,
            },
            "haproxy.maint" => Change::HaproxyMaint { server },
            _ => Change::HaproxyKillSessions { server },
        };
        Ok(Self { change, reason: options.reason, revert_after_ms: options.revert_after_ms })
    }

    fn parse_guest<'a>(action: &str, mut words: impl Iterator<Item = &'a str>) -> Result<Self, NotAnIntent> {
        let guest = words.next().map(Clean::line).filter(|name| !name.is_empty() && !name.as_str().starts_with("--"));
        let guest = guest.ok_or_else(|| NotAnIntent::NoGuest { action: Clean::line(action) })?;
        let options = Options::parse(action, words)?;
        let act = GuestAct::parse(action, options.to, options.deadline_ms);
        let act = act.ok_or(NotAnIntent::BadValue { option: TO, needs: TO_NEEDS })?;
        Ok(Self::new(Change::Guest { guest: GuestName::from(&guest), act }, options.reason))
    }

    fn parse_node<'a>(action: &str, mut words: impl Iterator<Item = &'a str>) -> Result<Self, NotAnIntent> {
        let node = node_of(action, words.next())?;
        let Options { deadline_ms, on_node_deadline, reason, .. } = Options::parse(action, words)?;
        let act = NodeAct::parse(action, deadline_ms, on_node_deadline);
        let act = act.ok_or_else(|| NotAnIntent::UnknownAction(Clean::line(action)))?;
        Ok(Self::new(Change::Node { node, act }, reason))
    }

    /// The words that [`Intent::parse`] reads; options at their default are left out.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec![self.change.id().to_owned()];
        // What is about the whole cluster's primary names no target besides.
        words.extend(Some(self.change.target()).filter(|target| !target.is_empty()));
        if let Change::Tune(act) = &self.change {
            words.extend([&act.key, &act.value].map(ToString::to_string));
            words.extend(act.keep.option().map(str::to_owned));
        }
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        match &self.change {
            Change::HaproxyDrain { deadline_ms, on_deadline, .. } => {
                // Always told: it is what an operator asks about when a drain takes long.
                option(DEADLINE, duration_word(*deadline_ms));
                if *on_deadline != OnDeadline::default() {
                    option(ON_DEADLINE, on_deadline.word().to_owned());
                }
            }
            Change::HaproxyReady { deadline_ms, weight, .. } => {
                option(DEADLINE, duration_word(*deadline_ms));
                if let Some(weight) = weight {
                    option(WEIGHT, weight.to_string());
                }
            }
            Change::HaproxyWeight { weight, .. } => option(WEIGHT, weight.to_string()),
            Change::VipMove { to, .. } | Change::MysqlSwitchover { to } => option(TO, to.to_string()),
            Change::MysqlFailover { to, accept_risk } => {
                if let Some(to) = to {
                    option(TO, to.to_string());
                }
                if let Some(risk) = accept_risk {
                    option(ACCEPT_RISK, risk.to_string());
                }
            }
            Change::MysqlKill { part: SessionPart::Statement, .. } => {
                option(ONLY, SessionPart::Statement.word().to_owned());
            }
            Change::Guest { act, .. } => {
                if let Some(to) = act.to() {
                    option(TO, to.to_string());
                }
                if let Some(deadline) = act.deadline_word() {
                    option(DEADLINE, deadline);
                }
            }
            Change::Node { act, .. } => {
                option(DEADLINE, act.deadline_word());
                if let Some(policy) = act.on_deadline_word() {
                    option(ON_DEADLINE, policy.to_owned());
                }
            }
            Change::HaproxyMaint { .. }
            | Change::HaproxyKillSessions { .. }
            | Change::MysqlFence { .. }
            | Change::MysqlRejoin { .. }
            | Change::MysqlKill { .. }
            | Change::Tune(_) => {}
        }
        if let Some(ms) = self.revert_after_ms {
            option(REVERT_AFTER, duration_word(u64::from(ms.get())));
        }
        if let Some(reason) = &self.reason {
            option(REASON, reason.to_string());
        }
        words
    }
}

/// The node that an action is about.
fn node_of(action: &str, word: Option<&str>) -> Result<NodeName, NotAnIntent> {
    let node = word.map(Clean::line).filter(|name| !name.is_empty() && !name.as_str().starts_with('-'));
    let node = node.ok_or_else(|| NotAnIntent::NoNode { action: Clean::line(action) })?;
    Ok(NodeName::new(node.as_str()))
}

#[derive(Default)]
struct Options {
    deadline_ms: Option<u64>,
    on_deadline: Option<OnDeadline>,
    on_node_deadline: Option<OnNodeDeadline>,
    weight: Option<u64>,
    to: Option<NodeName>,
    part: Option<SessionPart>,
    keep: Option<Keep>,
    revert_after_ms: Option<NonZeroU32>,
    accept_risk: Option<Clean>,
    reason: Option<Clean>,
}

impl Options {
    fn parse<'a>(action: &str, mut words: impl Iterator<Item = &'a str>) -> Result<Self, NotAnIntent> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            let (name, inline) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
            let known = options_of(action);
            let name = *known.iter().find(|option| **option == name).ok_or_else(|| NotAnIntent::UnknownOption {
                action: Clean::line(action),
                option: Clean::line(name),
                known: Clean::line(&known.join(", ")),
            })?;
            if let Some(keep) = Keep::of_option(name) {
                let is_free = inline.is_none().then_some(keep);
                once(&mut options.keep, is_free).ok_or(NotAnIntent::BadValue { option: name, needs: KEEP_NEEDS })?;
                continue;
            }
            options.set(action, name, inline.or_else(|| words.next()).unwrap_or_default())?;
        }
        Ok(options)
    }

    fn set(&mut self, action: &str, name: &'static str, value: &str) -> Result<(), NotAnIntent> {
        let (set, needs) = match name {
            DEADLINE => (once(&mut self.deadline_ms, duration_ms(value)), DEADLINE_NEEDS),
            ON_DEADLINE if action == NodeAct::DRAIN => {
                let policy = OnNodeDeadline::ALL.into_iter().find(|policy| policy.word() == value);
                (once(&mut self.on_node_deadline, policy), ON_NODE_DEADLINE_NEEDS)
            }
            ON_DEADLINE => {
                let policy = OnDeadline::ALL.into_iter().find(|policy| policy.word() == value);
                (once(&mut self.on_deadline, policy), ON_DEADLINE_NEEDS)
            }
            TO => {
                let node = Some(Clean::line(value.trim())).filter(|name| !name.is_empty());
                (once(&mut self.to, node.map(|name| NodeName::new(name.as_str()))), TO_NEEDS)
            }
            ONLY => {
                let part = SessionPart::ALL.into_iter().find(|part| part.word() == value);
                (once(&mut self.part, part), ONLY_NEEDS)
            }
            REVERT_AFTER => {
                let ms = duration_ms(value).filter(|ms| *ms >= REVERT_AFTER_MS_MIN);
                let ms = ms.and_then(|ms| u32::try_from(ms).ok()).and_then(NonZeroU32::new);
                (once(&mut self.revert_after_ms, ms), REVERT_AFTER_NEEDS)
            }
            ACCEPT_RISK => {
                let risk = Some(Clean::line(value.trim())).filter(|risk| !risk.is_empty());
                (once(&mut self.accept_risk, risk), ACCEPT_RISK_NEEDS)
            }
            WEIGHT => (once(&mut self.weight, value.parse().ok().filter(|weight| *weight <= WEIGHT_MAX)), WEIGHT_NEEDS),
            _ => {
                let reason = Some(Clean::line(value.trim())).filter(|reason| !reason.is_empty());
                (once(&mut self.reason, reason), REASON_NEEDS)
            }
        };
        set.ok_or(NotAnIntent::BadValue { option: name, needs })
    }
}

/// Fills an empty slot; `None` when there is no value or the slot is taken.
fn once<T>(slot: &mut Option<T>, value: Option<T>) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = Some(value?);
    Some(())
}

const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000)];

/// `500ms`, `60s`, `5m`, `1h`; within the bounds of a deadline.
fn duration_ms(word: &str) -> Option<u64> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = word.split_at(digits);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    let ms = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (DEADLINE_MS_MIN..=DEADLINE_MS_MAX).contains(&ms).then_some(ms)
}

/// A duration in the largest unit up to seconds (and exact minutes beyond two) that loses nothing.
pub fn duration_word(ms: u64) -> String {
    match ms {
        _ if !ms.is_multiple_of(1000) => format!("{ms}ms"),
        _ if ms > 120_000 && ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ => format!("{}s", ms / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Result<Intent, NotAnIntent> {
        Intent::parse(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn the_words_of_an_intent_read_back_as_it() {
        for line in [
            "haproxy.drain web_cluster/web03 --deadline 60s",
            "haproxy.drain web_cluster/web03 --deadline 1500ms --on-deadline maint+close --reason kernel",
            "haproxy.ready web_cluster/web03 --deadline 5m --weight 50",
            "haproxy.maint web_cluster/web03 --reason x",
            "haproxy.weight web_cluster/web03 --weight 0",
            "haproxy.weight web_cluster/web03 --weight 5 --revert-after 10m --reason test",
            "haproxy.maint web_cluster/web03 --revert-after 90s",
            "haproxy.kill-sessions mysql_rw/db01",
            "vip.move 10.10.0.100 --to lb02 --reason kernel",
            "vip.move 2001:db8::1 --to lb02",
            "mysql.switchover --to db02",
            "mysql.switchover --to db02 --reason kernel",
            "mysql.kill db01/4711",
            "mysql.kill db01/4711 --only statement --reason report",
            "vm.suspend web04",
            "vm.resume web04 --reason kernel",
            "vm.start web04",
            "vm.shutdown web04 --deadline 90s",
            "vm.reset web04 --deadline 60s --reason stuck",
            "vm.migrate web04 --to kvm02 --deadline 10m",
            "mysql.failover",
            "mysql.failover --to db02 --reason crash",
            "mysql.rejoin db01",
            "mysql.rejoin db01 --reason mended",
            "node.drain web03 --deadline 60s",
            "node.drain web03 --deadline 5m --on-deadline force --reason kernel",
            "node.undrain web03 --deadline 90s",
            "tune.set db01 max_connections 300",
            "tune.set kvm02/eth0 ovs.tag 20 --revert-after 60s",
            "tune.set database innodb_io_capacity -1 --reason slow",
            "tune.set db01 max_connections 300 --persist",
            "tune.set db01 max_connections 200 --put-back --reason slow",
            "tune.set db01 max_connections 300 --revert-after 10s --reason try",
        ] {
            assert_eq!(parse(line).unwrap().words().join(" "), line);
        }
    }

    #[test]
    fn defaults_are_filled_in() {
        assert_eq!(
            parse("haproxy.drain b/s").unwrap(),
            parse("haproxy.drain b/s --deadline=1m --on-deadline=keep").unwrap()
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        let cases = [
            (
                "haproxy.drian b/s",
                "unknown action \"haproxy.drian\"; use one of haproxy.drain, haproxy.ready, haproxy.maint, haproxy.weight, haproxy.kill-sessions, vip.move, mysql.switchover, mysql.failover, mysql.fence, mysql.rejoin, mysql.kill, vm.suspend, vm.resume, vm.start, vm.shutdown, vm.reset, vm.migrate, node.drain, node.undrain, tune.set",
            ),
            ("haproxy.drain web03", "haproxy.drain needs a server as backend/server, such as web_cluster/web03"),
            (
                "haproxy.drain b/s --wait 3",
                "haproxy.drain has no option \"--wait\"; it has --deadline, --on-deadline, --reason",
            ),
            (
                "haproxy.drain b/s --deadline soon",
                "--deadline needs a time between 1s and 24h, such as 1500ms, 60s or 5m",
            ),
            (
                "haproxy.drain b/s --deadline 500ms",
                "--deadline needs a time between 1s and 24h, such as 1500ms, 60s or 5m",
            ),
            (
                "haproxy.drain b/s --deadline 1s --deadline 2s",
                "--deadline needs a time between 1s and 24h, such as 1500ms, 60s or 5m",
            ),
            ("haproxy.drain b/s --on-deadline never", "--on-deadline needs one of keep, maint, maint+close"),
            ("haproxy.weight b/s", "--weight needs a whole number from 0 to 256"),
            ("haproxy.weight b/s --weight 257", "--weight needs a whole number from 0 to 256"),
            ("haproxy.maint b/s --reason", "--reason needs a sentence in quotes"),
            ("vip.move lb02 --to lb01", "vip.move needs an address, such as 10.10.0.100"),
            ("vip.move 10.0.0.1", "--to needs the name of a node, such as db02"),
            ("mysql.kill db01", "mysql.kill needs a session as node/number, such as db01/4711"),
            ("mysql.kill db01/1 --only x", "--only needs one of session, statement"),
            ("mysql.switchover", "--to needs the name of a node, such as db02"),
            ("vm.migrate web04", "--to needs the name of a node, such as db02"),
            ("vm.start", "vm.start needs a guest, such as web04"),
            ("vm.start --reason x", "vm.start needs a guest, such as web04"),
            ("vm.suspend web04 --deadline 5s", "vm.suspend has no option \"--deadline\"; it has --reason"),
            ("node.drain --reason x", "node.drain needs the name of a node, such as db01"),
            ("node.drain web03 --on-deadline keep", "--on-deadline needs one of wait, force, abort"),
            (
                "node.undrain web03 --on-deadline wait",
                "node.undrain has no option \"--on-deadline\"; it has --deadline, --reason",
            ),
            (
                "tune.set db01 max_connections --reason x",
                "tune.set needs a node or role, a setting and a value, such as db01 max_connections 300",
            ),
            (
                "tune.set db01 max_connections 300 --persist --put-back",
                "--put-back needs no value, and only one of --persist, --put-back",
            ),
            (
                "tune.set db01 max_connections 300 --revert-after 9s",
                "--revert-after needs a time between 10s and 24h, such as 90s or 5m",
            ),
            (
                "vip.move 10.0.0.1 --revert-after 60s",
                "vip.move has no option \"--revert-after\"; it has --to, --reason",
            ),
            ("mysql.rejoin --reason x", "mysql.rejoin needs the name of a node, such as db01"),
        ];
        for (line, message) in cases {
            assert_eq!(parse(line).unwrap_err().to_string(), message, "{line}");
        }
        assert_eq!(Intent::parse::<&str>(&[]).unwrap_err(), NotAnIntent::Empty);
    }

    proptest! {
        #[test]
        fn any_words_parse_or_are_refused_and_never_panic(words in proptest::collection::vec("\\PC{0,20}", 0..6)) {
            if let Ok(intent) = Intent::parse(&words) {
                prop_assert_eq!(Intent::parse(&intent.words()).unwrap(), intent);
            }
        }

        #[test]
        fn any_deadline_reads_back(ms in DEADLINE_MS_MIN..DEADLINE_MS_MAX) {
            prop_assert_eq!(duration_ms(&duration_word(ms)), Some(ms));
        }
    }
}
