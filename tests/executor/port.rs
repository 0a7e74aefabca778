//! The console's port to runs: what it hears of runs that others began, and of how things stand.

use super::{
    bench::PATIENCE,
    simulated::{Executor, Stage},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio::{sync::mpsc, time::timeout};
use vakt::{
    app::{
        effect::RunEffect,
        msg::{Event, RunNews, Standing},
    },
    plan::{PlanId, ReasonKind},
    run::{EndingKind, Entry, RunState, lock::LockState},
    runtime::{
        executor::job::What,
        passphrases::Passphrases,
        runs::{Desk, Runs},
        state::{Found, Place},
    },
};

/// A state folder that cannot be used: what an operator notes there does not hold, and the console says so.
#[tokio::test]
async fn an_acknowledgement_that_cannot_be_written_is_told() {
    let stage = Stage::new();
    // A file where the folder should be.
    let blocked = stage.state().parent().unwrap().join("no-folder");
    std::fs::write(&blocked, "").unwrap();
    let mut port = Port::open_at(&stage, blocked);
    port.perform(RunEffect::Unacknowledge { rule: "host.iowait".into(), subject: "db01".into() });
    let why = port
        .until("the note is not kept", |event| if let Event::NotKept(why) = event { Some(why.clone()) } else { None })
        .await;
    assert!(why.as_str().contains("no-folder"), "{why}");
}

struct Port {
    runs: Runs,
    events: mpsc::Receiver<Event>,
}

impl Port {
    fn open(stage: &Stage) -> Self {
        Self::open_at(stage, stage.state())
    }

    fn open_at(stage: &Stage, path: PathBuf) -> Self {
        let desk = Desk {
            inventory: Arc::clone(&stage.inventory),
            place: Ok(Place { path, found: Found::Flag }),
            operator: vakt::run::Operator { login: "ola".into(), ..Default::default() },
            simulation: None,
        };
        let (sender, events) = mpsc::channel(64);
        let connections = Arc::clone(&stage.connections);
        Self { runs: Runs::start(desk, Arc::clone(&stage.clock), connections, sender), events }
    }

    fn perform(&self, effect: RunEffect) {
        self.runs.perform(effect, &Passphrases::default());
    }

    async fn until<T>(&mut self, what: &str, mut find: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = Vec::new();
        loop {
            let Ok(Some(event)) = timeout(PATIENCE, self.events.recv()).await else {
                panic!("never happened: {what}; seen: {seen:#?}");
            };
            if let Some(found) = find(&event) {
                return found;
            }
            seen.push(event);
        }
    }

    async fn until_stands(&mut self, what: &str, holds: impl Fn(&Standing) -> bool) {
        self.until(what, |event| matches!(event, Event::Standing(standing) if holds(standing)).then_some(())).await;
    }

    async fn until_news<T>(&mut self, what: &str, of: &PlanId, find: impl Fn(&RunNews) -> Option<T>) -> T {
        self.until(what, |event| match event {
            Event::Run { run, news } if run == of => find(news),
            _ => None,
        })
        .await
    }

    async fn until_step(&mut self, of: &PlanId, wanted: usize) {
        let is_step = |entry: &Entry| matches!(entry, Entry::StepEnded { step, .. } if *step == wanted);
        self.until_news("the step", of, |news| match news {
            RunNews::Records(records) => records.iter().any(|record| is_step(&record.entry)).then_some(()),
            _ => None,
        })
        .await;
    }
}

fn state_of<'a>(standing: &'a Standing, run: &PlanId) -> Option<&'a RunState> {
    standing.runs.iter().find(|summary| &summary.id == run).map(|summary| &summary.state)
}

async fn begun(stage: &Stage) -> (PlanId, Executor) {
    let plan = stage.plan("haproxy.drain web_cluster/web03").await;
    let run = plan.id.clone();
    let mut executor = stage.execute(What::Begin { plan: Box::new(plan) }, None);
    assert_eq!(executor.said(), "\"opened\"\n");
    (run, executor)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_somebody_else_began_is_shown_followed_and_stopped() {
    let stage = Stage::new();
    let mut port = Port::open(&stage);
    port.until_stands("nothing happens", |standing| standing.lock == LockState::Free && standing.runs.is_empty()).await;
    let (run, executor) = begun(&stage).await;
    port.until_stands("it runs", |standing| {
        let held = matches!(&standing.lock, LockState::Held(holder) if holder.run == run);
        held && state_of(standing, &run) == Some(&RunState::Running)
    })
    .await;
    port.perform(RunEffect::Attach { run: run.clone() });
    port.until_step(&run, 1).await;
    port.perform(RunEffect::Stop { run: run.clone() });
    let ending = port
        .until_news("the ending", &run, |news| match news {
            RunNews::Records(records) => records.iter().find_map(|record| match &record.entry {
                Entry::Ended(ending) => Some(ending.kind),
                _ => None,
            }),
            _ => None,
        })
        .await;
    assert_eq!(ending, EndingKind::RolledBack);
    assert_eq!(executor.end().0, Some(5));
    port.until_stands("it is over", |standing| {
        let over = matches!(state_of(standing, &run), Some(RunState::Ended { kind: EndingKind::RolledBack, .. }));
        over && standing.lock == LockState::Free
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_executor_dies_vanishes_and_is_settled_by_its_operator() {
    let stage = Stage::new();
    let mut port = Port::open(&stage);
    let (run, mut executor) = begun(&stage).await;
    port.perform(RunEffect::Attach { run: run.clone() });
    port.until_step(&run, 0).await;
    // While it runs nobody settles it.
    port.perform(RunEffect::Resolve { run: run.clone(), why: "too early".into() });
    let reasons = port
        .until_news("a refusal", &run, |news| match news {
            RunNews::NotStarted(reasons) => Some(reasons.clone()),
            _ => None,
        })
        .await;
    assert!(
        reasons[0].kind == ReasonKind::NotRecoverable && reasons[0].evidence[0].as_str().contains("another process")
    );
    executor.kill();
    // Who follows the run and who looks at all runs notice it each by themselves.
    let (mut is_told, mut stands) = (false, false);
    port.until("it vanished and is interrupted", |event| {
        is_told |= matches!(event, Event::Run { run: of, news: RunNews::Vanished(_) } if *of == run);
        stands |=
            matches!(event, Event::Standing(standing) if state_of(standing, &run) == Some(&RunState::Interrupted));
        (is_told && stands).then_some(())
    })
    .await;
    // Whoever attaches to it hears its records and that nobody carries it out.
    port.perform(RunEffect::Attach { run: run.clone() });
    port.until_step(&run, 0).await;
    port.until_news("it vanished", &run, |news| matches!(news, RunNews::Vanished(_)).then_some(())).await;
    port.perform(RunEffect::Resolve { run: run.clone(), why: "by hand".into() });
    port.until_stands("it is settled", |standing| {
        matches!(state_of(standing, &run), Some(RunState::Resolved { by, why })
            if by.as_str() == "ola" && why.as_str() == "by hand")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_folder_that_cannot_be_used_is_told() {
    let stage = Stage::new();
    std::fs::write(stage.state(), "").unwrap();
    let mut port = Port::open(&stage);
    port.until_stands("the trouble", |standing| {
        standing.trouble.as_ref().is_some_and(|trouble| trouble.as_str().contains("is no folder"))
    })
    .await;
    assert!(timeout(Duration::ZERO, port.events.recv()).await.is_err(), "it is told once");
}
