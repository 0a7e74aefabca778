//! A change of the console at every stage, and what its tests are made of.

use super::world::{self, clean, press, resize, send};
use crate::{
    plans,
    run::{
        cluster::Cluster,
        harness::{Fault, Harness, Script},
    },
};
use vakt::{
    app::{
        App,
        effect::{Effect, RunEffect},
        msg::{Event, RunNews, Standing},
    },
    model::{
        figure::Figure::Known,
        haproxy::{AdminState, OperationalState},
        ids::NodeName,
        intent::{Intent, ServerPath},
        time::{Mono, Now, Wall},
    },
    plan::{Plan, PlanId},
    rules::Acknowledgements,
    run::{
        EndingKind, Operator, Record, RunState, RunSummary,
        ledger::{Ledger, Wanted, Wish},
        lock::{Holder, LockState},
    },
};

pub(super) const SIZES: [(u16, u16); 4] = [(80, 24), (120, 40), (200, 60), (40, 10)];

/// A healthy cluster, with web03 under the cursor on the traffic screen.
pub(super) fn on_web03() -> App {
    let mut app = world::healthy();
    resize(&mut app, 80, 24);
    press(&mut app, ": web_cluster/web03 enter");
    app
}

pub(super) fn operator(login: &str) -> Operator {
    Operator { login: clean(login), ssh_client: Some(clean("192.0.2.7")), sudo_user: None }
}

pub(super) fn id(number: u32) -> PlanId {
    PlanId::from(format!("20261123T1400{number:02}Z-5f3a09c{number}"))
}

pub(super) fn wall(app: &App, ago_s: i64) -> Wall {
    Wall(app.now.wall.0 - ago_s * 1000)
}

pub(super) fn summary(app: &App, number: u32, line: &str, title: &str, ago_s: i64, state: RunState) -> RunSummary {
    let words: Vec<&str> = line.split(' ').collect();
    let mut intent = Intent::parse(&words).unwrap();
    intent.reason = Some(clean("new kernel on web03"));
    RunSummary {
        id: id(number),
        intent,
        title: clean(title),
        operator: operator(if number.is_multiple_of(2) { "eva" } else { "ola" }),
        opened_at: wall(app, ago_s),
        last_at: wall(app, ago_s - 3),
        records: 9,
        state,
        holds_until: None,
        former: None,
        former_value: None,
    }
}

pub(super) fn ended(kind: EndingKind, why: &str) -> RunState {
    RunState::Ended { kind, why: clean(why) }
}

pub(super) fn web03() -> ServerPath {
    ServerPath { backend: "web_cluster".into(), server: "web03".into() }
}

pub(super) fn wish(app: &App, wanted: Wanted) -> Wish {
    Wish {
        server: web03(),
        wanted,
        since: wall(app, 4_000),
        by: clean("eva"),
        reason: Some(clean("new kernel on web03")),
        run: id(2),
    }
}

pub(super) fn holder(app: &App) -> LockState {
    LockState::Held(Box::new(Holder {
        operator: operator("eva"),
        bastion: clean("bastion2"),
        process: 4711,
        run: id(9),
        what: clean("Drain web_cluster/web02 on lb01 and lb02"),
        since: wall(app, 12),
    }))
}

/// Runs in every state, and a drain that lb01 has forgotten.
pub(super) fn standing(app: &App) -> Standing {
    let drain = "haproxy.drain web_cluster/web03";
    let title = "Drain web_cluster/web03 on lb01 and lb02";
    Standing {
        acknowledged: Acknowledgements::default(),
        runs: vec![
            summary(app, 7, drain, title, 2, RunState::Running),
            summary(
                app,
                6,
                "haproxy.maint web_cluster/web01",
                "Put web_cluster/web01 into maintenance on lb01 and lb02",
                400,
                ended(EndingKind::NeedsOperator, "Whether step 2 was done is unknown: no answer in time."),
            ),
            summary(app, 5, drain, title, 4_000, RunState::Interrupted),
            summary(
                app,
                4,
                "haproxy.ready web_cluster/web03",
                "Return web_cluster/web03 to traffic on lb01 and lb02",
                9_000,
                ended(EndingKind::RolledBack, "Step 3 ran out of time. Everything is as it was before."),
            ),
            summary(
                app,
                3,
                "haproxy.weight web_cluster/web02 --weight 50",
                "Give web_cluster/web02 the weight 50 on lb01 and lb02",
                90_000,
                ended(EndingKind::Reached, "web_cluster/web02 has weight 50 on lb01 and lb02."),
            ),
            summary(
                app,
                2,
                drain,
                title,
                300_000,
                ended(EndingKind::Stopped, "The operator stopped it. Nothing was changed."),
            ),
            summary(
                app,
                1,
                drain,
                title,
                500_000,
                RunState::Resolved { by: clean("eva"), why: clean("drained by hand") },
            ),
        ],
        lock: LockState::Free,
        ledger: Ledger { wishes: vec![wish(app, Wanted::Drain)], ..Ledger::default() },
        trouble: None,
    }
}

/// lb02 still drains web03, lb01 does not.
pub(super) fn half_drained(app: &mut App) {
    let node = app.world.node_mut(&NodeName::from("lb02")).unwrap();
    let mut facts = node.haproxy.last().unwrap().clone();
    facts.sample.backends[0].servers[2].admin = Known(AdminState::Drain);
    facts.sample.backends[0].servers[2].operational = OperationalState::Draining;
    node.haproxy.take(facts, world::at(300));
}

pub(super) fn tell(app: &mut App, standing: Standing) {
    send(app, Event::Standing(Box::new(standing)));
}

/// A console that knows all of it.
pub(super) fn busy() -> App {
    let mut app = world::healthy();
    half_drained(&mut app);
    let standing = standing(&app);
    tell(&mut app, standing);
    app
}

/// The plan that an effect begins.
pub(super) fn begun(effects: &[Effect]) -> &Plan {
    match effects {
        [Effect::Run(RunEffect::Begin { plan, break_glass: None })] => plan,
        other => panic!("no run begins: {other:?}"),
    }
}

/// The records of a whole run of the same plan, a second apart, as of now.
pub(super) fn records(app: &App, script: Script) -> Vec<Record> {
    let cluster = Cluster::healthy();
    let plan = plans::plan_of(&cluster, "haproxy.drain web_cluster/web03");
    let mut harness = Harness::new(cluster, plan, script);
    harness.run().unwrap_or_else(|_| panic!("nobody kills it"));
    let mut records = harness.records;
    for (place, record) in (0..).zip(&mut records) {
        record.at.wall = Wall(app.now.wall.0 + place * 400);
        record.at.mono = Mono(record.at.mono.0);
    }
    records
}

/// Begins a drain, and hears the first `count` records of it.
pub(super) fn running(count: usize, script: Script) -> (App, PlanId) {
    let mut app = on_web03();
    let effects = press(&mut app, "d enter");
    let run = begun(&effects).id.clone();
    let told: Vec<Record> = records(&app, script).into_iter().take(count).collect();
    let last = told.last().map(|record| record.at.wall);
    send(&mut app, Event::Run { run: run.clone(), news: RunNews::Records(told) });
    let would = RunNews::StopWould(clean("Stopping undoes steps 2, 1."));
    send(&mut app, Event::Run { run: run.clone(), news: would });
    let seen = RunNews::Seen(vec![clean("lb01: 2 sessions"), clean("lb02: no session, no new one")]);
    send(&mut app, Event::Run { run: run.clone(), news: seen });
    if let Some(last) = last {
        app.now = Now { mono: Mono(app.now.mono.0 + 1500), wall: Wall(last.0 + 1500) };
    }
    (app, run)
}

/// A way to make a console.
pub(super) type Build = fn() -> App;

/// Keys on web03, on a cluster where somebody else acts.
pub(super) fn held(keys: &str) -> App {
    let mut app = on_web03();
    let lock = holder(&app);
    tell(&mut app, Standing { lock, ..Standing::default() });
    press(&mut app, keys);
    app
}

pub(super) fn pressed(mut app: App, keys: &str) -> App {
    press(&mut app, keys);
    app
}

pub(super) fn faulty(at: usize, fault: Fault) -> App {
    running(100, Script { faults: vec![(at, fault)], ..Script::default() }).0
}

pub(super) const STAGES: [(&str, Build); 21] = [
    ("plan", || pressed(on_web03(), "d")),
    ("plan_typed", || pressed(on_web03(), "M enter w e b 0 2 enter w e")),
    ("plan_held", || held("d")),
    ("plan_glass", || held("d b b r e a k")),
    ("runbook", || pressed(on_web03(), "d ?")),
    ("refused", || {
        let mut app = on_web03();
        app.options.read_only = true;
        pressed(app, "d")
    }),
    ("already", || pressed(on_web03(), "u")),
    ("weight", || pressed(on_web03(), "W 3 0")),
    ("resume", || pressed(busy(), "8 j c")),
    ("resolve", || pressed(busy(), "8 j D d o n e")),
    ("run_starting", || pressed(on_web03(), "d enter")),
    ("run_waiting", || running(6, Script::default()).0),
    ("run_asks", || pressed(running(6, Script::default()).0, "S")),
    ("run_reached", || running(100, Script::default()).0),
    ("run_rolled_back", || faulty(1, Fault::Objection)),
    ("run_needs_operator", || faulty(1, Fault::Gone)),
    ("run_vanished", || {
        let (mut app, run) = running(4, Script::default());
        send(&mut app, Event::Run { run, news: RunNews::Vanished(clean("The process was killed.")) });
        app
    }),
    ("run_story", || pressed(running(100, Script::default()).0, "v")),
    ("changes", || pressed(busy(), "8")),
    ("changes_details", || pressed(busy(), "8 end tab")),
    ("overview_interrupted", busy),
];
