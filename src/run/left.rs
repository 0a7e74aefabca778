//! What is left changed: everything that operators did with vakt and that is neither permanent nor taken back.
//!
//! It is a question to the journals, not to the nodes: whether each of it still holds is told by the screen of changes and by
//! findings.

use super::{
    ending::EndingKind,
    ledger::{Ledger, Wanted},
    summary::{RunState, RunSummary},
};
use crate::{
    model::{
        intent::Change,
        text::Clean,
        time::Wall,
        tune_act::{Keep, TuneAct},
    },
    plan::PlanId,
};
use serde::Serialize;

/// One thing that is left changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// What sort of thing.
    pub kind: LeftKind,
    /// What is changed: "`web_cluster/web03`: drain", "`max_connections` of db01 is 300, was 200".
    pub what: Clean,
    /// Who did it.
    pub by: Clean,
    /// Since when.
    pub since: Wall,
    /// The run that did it.
    pub run: PlanId,
    /// When it goes back by itself.
    pub back_at: Option<Wall>,
}

/// Sorts of things that are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftKind {
    /// A run that somebody has to decide about.
    Undecided,
    /// A run that goes on.
    Running,
    /// A change that goes back by itself.
    GoesBack,
    /// A node out of service.
    Node,
    /// A server out of traffic, or with another weight than its file says.
    Server,
    /// A setting that no file says: a restart takes it away.
    Setting,
}

/// Everything that is left, what needs somebody first.
pub fn left(runs: &[RunSummary], ledger: &Ledger) -> Vec<Left> {
    let mut all: Vec<Left> = runs.iter().filter_map(open_run).collect();
    all.extend(ledger.drained.iter().map(|one| Left {
        kind: LeftKind::Node,
        what: Clean::line(&format!("{} is out of service", one.node)),
        by: one.by.clone(),
        since: one.since,
        run: one.run.clone(),
        back_at: None,
    }));
    all.extend(ledger.wishes.iter().map(|wish| Left {
        kind: LeftKind::Server,
        what: Clean::line(&match wish.wanted {
            Wanted::Weight(weight) => format!("{} has weight {weight}, unlike its file", wish.server),
            other => format!("{} is told {}", wish.server, other.word()),
        }),
        by: wish.by.clone(),
        since: wish.since,
        run: wish.run.clone(),
        back_at: None,
    }));
    all.extend(settings(runs));
    all.sort_by_key(|one| (one.kind, one.since));
    all
}

fn open_run(run: &RunSummary) -> Option<Left> {
    let kind = match &run.state {
        RunState::Running if run.holds_until.is_some() => LeftKind::GoesBack,
        RunState::Running => LeftKind::Running,
        state if state.is_open() => LeftKind::Undecided,
        _ => return None,
    };
    Some(Left {
        kind,
        what: run.title.clone(),
        by: run.operator.login.clone(),
        since: run.opened_at,
        run: run.id.clone(),
        back_at: run.holds_until.filter(|_| kind == LeftKind::GoesBack),
    })
}

/// Settings that run otherwise than before the first of the changes that are still in force, and that no file says.
fn settings(runs: &[RunSummary]) -> Vec<Left> {
    let mut in_force: Vec<(&TuneAct, Option<&Clean>, &RunSummary)> = Vec::new();
    let mut done: Vec<&RunSummary> =
        runs.iter().filter(|run| matches!(run.state, RunState::Ended { kind: EndingKind::Reached, .. })).collect();
    done.sort_by_key(|run| run.opened_at);
    for run in done {
        let Change::Tune(act) = &run.intent.change else { continue };
        let known = in_force.iter().position(|(one, ..)| one.key == act.key && one.target == act.target);
        let before = match known {
            Some(at) => in_force.remove(at).1,
            None => run.former_value.as_ref(),
        };
        let is_back = before.is_some_and(|before| *before == act.value);
        if act.keep == Keep::No && !is_back {
            in_force.push((act, before, run));
        }
    }
    let words = |act: &TuneAct, before: Option<&Clean>| {
        let was = before.map_or_else(|| "various before".to_owned(), |before| format!("was {before}"));
        Clean::line(&format!("{} of {} is {}, {was}", act.key, act.target, act.value))
    };
    let of = |(act, before, run): (&TuneAct, Option<&Clean>, &RunSummary)| Left {
        kind: LeftKind::Setting,
        what: words(act, before),
        by: run.operator.login.clone(),
        since: run.opened_at,
        run: run.id.clone(),
        back_at: None,
    };
    in_force.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::intent::Intent, run::Operator};

    fn run(at: i64, line: &str, former: Option<&str>, state: RunState) -> RunSummary {
        let intent = Intent::parse(&line.split(' ').collect::<Vec<_>>()).unwrap();
        RunSummary {
            id: PlanId::from(format!("20261123T1403{at:02}Z-00000000")),
            title: Clean::line(line),
            intent,
            operator: Operator { login: "eva".into(), ssh_client: None, sudo_user: None },
            opened_at: Wall(at),
            last_at: Wall(at),
            records: 1,
            state,
            holds_until: None,
            former: None,
            former_value: former.map(Clean::line),
        }
    }

    fn reached() -> RunState {
        RunState::Ended { kind: EndingKind::Reached, why: "done".into() }
    }

    fn told(runs: &[RunSummary]) -> Vec<(LeftKind, String)> {
        left(runs, &Ledger::default()).into_iter().map(|one| (one.kind, one.what.to_string())).collect()
    }

    #[test]
    fn a_setting_is_left_until_it_is_as_before_or_in_its_file() {
        let set = |at, value: &str, former: &str| {
            run(at, &format!("tune.set db01 max_connections {value}"), Some(former), reached())
        };
        let changed = vec![set(1, "300", "200"), set(2, "400", "300")];
        assert_eq!(told(&changed), [(LeftKind::Setting, "max_connections of db01 is 400, was 200".to_owned())]);
        assert_eq!(told(&[changed.clone(), vec![set(3, "200", "400")]].concat()), []);
        let kept = run(3, "tune.set db01 max_connections 400 --persist", Some("400"), reached());
        assert_eq!(told(&[changed, vec![kept]].concat()), []);
        let back = RunState::Ended { kind: EndingKind::RolledBack, why: "nobody said that it stays".into() };
        assert_eq!(told(&[run(1, "tune.set db01 max_connections 300 --revert-after 5m", Some("200"), back)]), []);
    }

    #[test]
    fn what_needs_somebody_comes_first_and_what_waits_says_when_it_is_back() {
        let mut waits = run(2, "haproxy.weight web/web03 --weight 50 --revert-after 5m", None, RunState::Running);
        waits.holds_until = Some(Wall(300_000));
        let cut = run(3, "haproxy.drain web/web02", None, RunState::Interrupted);
        let all = left(&[waits, cut], &Ledger::default());
        assert_eq!(all.iter().map(|one| one.kind).collect::<Vec<_>>(), [LeftKind::Undecided, LeftKind::GoesBack]);
        assert_eq!(all[1].back_at, Some(Wall(300_000)));
    }
}
