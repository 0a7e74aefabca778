//! A change of a port, with a timer on the node that takes it back: with and without the word, with every fault, killed at every
//! boundary, and where the change cuts the only way to the node.

use super::{
    cluster::Cluster,
    harness::{FAULTS, Fault, Harness, Killed, Script, explain},
};
use crate::plans::plan_of;
use vakt::{
    model::{
        countdown::{CountdownSample, CountdownState, RanOut},
        figure::Figure,
        text::Clean,
    },
    plan::Plan,
    run::{Ending, EndingKind, Entry, Recovery},
    wire::{
        countdown::{Countdown, CountdownTask},
        probe::Facts,
        request::Reply,
    },
};

const LINE: &str = "tune.set kvm01/phy-int ovs.tag 20 --revert-after TIME";
/// Longer than a process is away after a crash, and shorter.
const LONG: &str = "90s";
const SHORT: &str = "30s";

/// A port, and the timer of its node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SimTimer {
    value: String,
    armed: Option<(Countdown, u64)>,
    ran: Option<(Clean, bool)>,
    now_ms: u64,
    /// Whether any other value cuts the way to the node.
    pub(crate) cuts: bool,
}

impl Default for SimTimer {
    fn default() -> Self {
        Self { value: "none".to_owned(), armed: None, ran: None, now_ms: 0, cuts: false }
    }
}

impl SimTimer {
    fn is_cut_off(&self) -> bool {
        self.cuts && self.value != "none"
    }

    pub(crate) fn setting(&self) -> u64 {
        self.value.parse().unwrap_or(0)
    }

    /// Somebody else sets another value.
    pub(crate) fn meddle(&mut self) {
        "99".clone_into(&mut self.value);
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_ms = self.now_ms;
        if let Some((countdown, _)) = self.armed.take_if(|(_, until_ms)| now_ms >= *until_ms) {
            let is_ours = self.value == countdown.to;
            if is_ours {
                self.value = countdown.from;
            }
            self.ran = Some((countdown.id, is_ours));
        }
    }

    /// The node starts anew.
    pub(crate) fn reboot(&mut self) {
        if let Some((_, until_ms)) = &mut self.armed {
            *until_ms = 0;
        }
        self.pass_ms(0);
    }

    pub(crate) fn facts(&self) -> Option<Facts> {
        let state = match &self.armed {
            Some((countdown, until_ms)) => CountdownState::Armed {
                id: countdown.id.clone(),
                left_s: until_ms.saturating_sub(self.now_ms) / 1000,
                is_sure: true,
            },
            None => CountdownState::Idle,
        };
        let ran = self.ran.clone().map(|(id, took_back)| RanOut { id, took_back, at: "14:05:00".into() });
        let value = Figure::Known(Clean::line(&self.value));
        let sample = CountdownSample { state: Figure::Known(state), ran, value };
        (!self.is_cut_off()).then(|| Facts::Countdown(Box::new(sample)))
    }

    /// `None` where no answer comes.
    pub(crate) fn send(&mut self, countdown: &Countdown, task: CountdownTask) -> Option<Reply> {
        if self.is_cut_off() {
            return None;
        }
        let is_mine = self.armed.as_ref().is_some_and(|(armed, _)| armed.id == countdown.id);
        let is_done = match task {
            CountdownTask::Look => panic!("a look is no write"),
            CountdownTask::Arm if self.armed.is_none() => {
                self.armed = Some((countdown.clone(), self.now_ms + u64::from(countdown.after_s) * 1000));
                self.ran = None;
                true
            }
            CountdownTask::Set if is_mine && self.value == countdown.from => {
                self.value.clone_from(&countdown.to);
                true
            }
            CountdownTask::SetBack if self.value == countdown.to => {
                self.value.clone_from(&countdown.from);
                true
            }
            CountdownTask::Disarm if is_mine => self.armed.take().is_some(),
            _ => false,
        };
        let reply =
            Reply { exit: Some(u32::from(!is_done)), stderr: b"it is not as it was seen".to_vec(), ..Reply::default() };
        (!self.is_cut_off()).then_some(reply)
    }

    fn is_armed(&self) -> bool {
        self.armed.is_some()
    }
}

fn case(time: &str, cuts: bool) -> (Cluster, Plan) {
    let mut cluster = Cluster::with_guests();
    cluster.timer.cuts = cuts;
    let plan = plan_of(&cluster, &LINE.replace("TIME", time));
    (cluster, plan)
}

fn run(cluster: &Cluster, plan: &Plan, script: Script) -> (Harness, Ending) {
    let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
    let ending = harness.run().unwrap();
    explain(&harness.records, &ending);
    (harness, ending)
}

fn with_word() -> Script {
    Script { keeps: true, ..Script::default() }
}

#[test]
fn with_the_word_it_stays_and_without_it_the_node_takes_it_back() {
    let (cluster, plan) = case(LONG, false);
    let (harness, ending) = run(&cluster, &plan, with_word());
    assert_eq!((ending.kind, harness.cluster.timer.setting()), (EndingKind::Reached, 20), "{ending:?}");
    assert!(!harness.cluster.timer.is_armed(), "the timer was called off");

    let (harness, ending) = run(&cluster, &plan, Script::default());
    assert_eq!((ending.kind, harness.cluster.timer.setting()), (EndingKind::RolledBack, 0), "{ending:?}");
    assert!(ending.why.as_str().contains("the node took the change back by itself"), "{}", ending.why);
    assert_eq!(harness.sent.len(), 2, "nothing is sent to undo what the node undid: {:?}", harness.sent);
}

#[test]
fn what_cuts_the_way_is_back_by_itself_whatever_is_said() {
    let (cluster, plan) = case(LONG, true);
    let (harness, ending) = run(&cluster, &plan, with_word());
    assert_eq!((ending.kind, harness.cluster.timer.setting()), (EndingKind::RolledBack, 0), "{ending:?}");
    assert!(ending.why.as_str().contains("does not stand"), "{}", ending.why);
    assert!(ending.why.as_str().contains("the node took the change back by itself"), "{}", ending.why);
    assert!(
        !harness.records.iter().any(|record| matches!(record.entry, Entry::Holding { .. })),
        "no word was asked for"
    );
}

#[test]
fn every_write_with_every_fault() {
    for cuts in [false, true] {
        let (cluster, plan) = case(LONG, cuts);
        for write in 0..3 {
            for fault in FAULTS {
                let script = Script { faults: vec![(write, fault)], ..with_word() };
                let (harness, ending) = run(&cluster, &plan, script);
                let (value, what) = (harness.cluster.timer.setting(), format!("{cuts} {write} {fault:?}: {ending:?}"));
                match ending.kind {
                    EndingKind::Reached => assert_eq!(value, 20, "{what}"),
                    // What somebody else set is not touched.
                    _ if fault == Fault::WrongState => assert_ne!(value, 20, "{what}"),
                    EndingKind::RolledBack | EndingKind::Stopped => assert_eq!(value, 0, "{what}"),
                    EndingKind::NeedsOperator => {}
                }
                // Whatever the run says: the node does not keep what nobody confirmed. The third write follows the word.
                let mut timer = harness.cluster.timer;
                timer.pass_ms(100_000);
                let is_confirmed = ending.kind == EndingKind::Reached || write == 2;
                assert!(is_confirmed || timer.setting() != 20, "{what}");
            }
        }
    }
}

/// Also where the node starts anew before the next process comes.
#[test]
fn killed_at_every_boundary_and_taken_up_again() {
    for (time, cuts, reboots) in [(LONG, false, false), (SHORT, false, false), (SHORT, true, false), (LONG, true, true)]
    {
        let (cluster, plan) = case(time, cuts);
        let (whole, _) = run(&cluster, &plan, with_word());
        for kill_at in 1..=whole.boundaries {
            let what = format!("{time} {cuts} {reboots} killed at {kill_at}");
            let script = Script { kill_at: Some(kill_at), ..with_word() };
            let mut harness = Harness::new(cluster.clone(), plan.clone(), script);
            let Err(Killed) = harness.run() else { panic!("{what}: it lived") };
            if reboots {
                harness.cluster.timer.reboot();
            }
            let Some(mut again) = harness.recover(Recovery::Resume, with_word()) else { continue };
            let ending = again.run().unwrap();
            explain(&again.records, &ending);
            let value = again.cluster.timer.setting();
            match ending.kind {
                EndingKind::Reached => assert_eq!((value, cuts), (20, false), "{what}: {ending:?}"),
                EndingKind::RolledBack | EndingKind::Stopped => assert_eq!(value, 0, "{what}: {ending:?}"),
                EndingKind::NeedsOperator => panic!("{what}: {ending:?}"),
            }
            assert!(!again.cluster.timer.is_armed(), "{what}: a timer is left");
        }
    }
}

#[test]
fn stopping_while_it_waits_takes_it_back_and_calls_the_timer_off() {
    let (cluster, plan) = case(LONG, false);
    let (whole, _) = run(&cluster, &plan, Script::default());
    let (harness, ending) = run(&cluster, &plan, Script { abort_after: Some(whole.events / 2), ..Script::default() });
    assert_eq!((ending.kind, harness.cluster.timer.setting()), (EndingKind::RolledBack, 0), "{ending:?}");
    assert!(ending.why.as_str().contains("The operator stopped it"), "{}", ending.why);
    assert!(!harness.cluster.timer.is_armed());
}

#[test]
fn what_somebody_else_sets_meanwhile_is_left_alone() {
    let (cluster, plan) = case(LONG, false);
    let (whole, _) = run(&cluster, &plan, Script::default());
    // Before the first look: nothing is sent.
    let other: fn(&mut Cluster) = |cluster| cluster.timer.meddle();
    let (harness, ending) = run(&cluster, &plan, Script { meanwhile: Some((1, other)), ..Script::default() });
    assert_eq!((ending.kind, harness.sent.len()), (EndingKind::Stopped, 0), "{ending:?}");
    assert!(ending.why.as_str().contains("tag of phy-int is 99"), "the difference is told: {}", ending.why);
    // While it waits.
    let script = Script { meanwhile: Some((whole.events / 2, other)), ..Script::default() };
    let (harness, ending) = run(&cluster, &plan, script);
    assert_eq!((ending.kind, harness.cluster.timer.setting()), (EndingKind::NeedsOperator, 99), "{ending:?}");
}

#[test]
fn a_timer_of_somebody_else_stops_it_before_anything_is_sent() {
    let (mut cluster, plan) = case(LONG, false);
    let (_, other) = case(SHORT, false);
    let Some(vakt::wire::request::Call::Countdown { countdown, .. }) =
        other.body.steps[0].write().map(|write| &write.request.call)
    else {
        panic!("no timer")
    };
    cluster.timer.send(countdown, CountdownTask::Arm);
    let (harness, ending) = run(&cluster, &plan, Script::default());
    assert_eq!((ending.kind, harness.sent.len()), (EndingKind::Stopped, 0), "{ending:?}");
    assert!(ending.why.as_str().contains("runs for 30 s more"), "{}", ending.why);
}
