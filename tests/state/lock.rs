//! The bastion's lock between processes: one holder, named, and free as soon as its process is gone.

use super::{Bed, Ends, holder, records, run_of};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use vakt::{
    plan::PlanId,
    run::{RunState, lock::LockState},
    runtime::state::{BastionLock, Held, StateTrouble},
};

/// Another process that holds the lock, killed when it is dropped.
struct Other {
    child: Child,
    run: PlanId,
}

impl Other {
    /// Starts it and reads its first line.
    fn start(bed: &Bed, run: &str) -> (Self, String) {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_vakt")).parent().unwrap().join("examples/lock_holder");
        assert!(program.exists(), "lock_holder is not built: cargo build --examples, or cargo test without --test");
        let mut child = Command::new(program)
            .arg(bed.place().path)
            .args(["oslo-prod", run])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        (Self { child, run: PlanId::from(run.to_owned()) }, line.trim_end().to_owned())
    }

    /// SIGKILL: it cleans nothing up.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn of_two_processes_one_holds_the_lock_and_the_other_names_it() {
    let bed = Bed::new();
    let state = bed.state();
    assert_eq!(state.lock_state(), LockState::Free);
    let (other, said) = Other::start(&bed, "20261123T140322Z-00000001");
    assert_eq!(said, "held");
    let Err(Held::By { holder: Some(found) }) = BastionLock::take(&state, &holder(1)) else { panic!("taken twice") };
    assert_eq!((found.process, &found.run), (other.child.id(), &other.run));
    assert_eq!(state.lock_state(), LockState::Held(found.clone()));
    let (second, said) = Other::start(&bed, "20261123T140322Z-00000002");
    assert!(said.contains("acts since 1970-01-01 00:00:00Z: holds the lock for a test"), "{said}");
    drop(second);
    // Killed, it frees the lock at once; the text it left behind is not believed.
    other.kill();
    assert!(bed.file("lock.holder").exists());
    assert_eq!(state.lock_state(), LockState::Free);
    let lock = BastionLock::take(&state, &holder(7)).unwrap();
    assert!(matches!(state.lock_state(), LockState::Held(found) if found.process == 7));
    drop(lock);
    assert_eq!(state.lock_state(), LockState::Free);
    assert!(!bed.file("lock.holder").exists());
}

#[test]
fn who_was_refused_does_not_get_the_lock_later() {
    let bed = Bed::new();
    let state = bed.state();
    for round in 1..4 {
        let (other, said) = Other::start(&bed, &format!("20261123T140322Z-0000000{round}"));
        assert_eq!(said, "held");
        // As many as an impatient operator asks: each would have its turn when the holder goes.
        std::thread::scope(|scope| {
            for process in 0..8 {
                let (state, holder) = (&state, holder(process));
                scope.spawn(move || assert!(BastionLock::take(state, &holder).is_err()));
            }
        });
        other.kill();
        for _ in 0..1000 {
            assert_eq!(state.lock_state(), LockState::Free);
        }
    }
}

#[test]
fn a_run_is_running_while_its_process_lives_and_interrupted_when_it_is_killed() {
    let bed = Bed::new();
    let state = bed.state();
    let all = records(0, Ends::Reached);
    let (other, said) = Other::start(&bed, run_of(&all).as_str());
    assert_eq!(said, "held");
    let mut first = vakt::run::journal::Writer::default();
    fs::write(bed.journal(&other.run), first.append(&all[0]).unwrap()).unwrap();
    assert_eq!(state.runs(9)[0].state, RunState::Running);
    assert!(matches!(state.reopen_run(&other.run).unwrap_err(), StateTrouble::Running(_)));
    assert!(matches!(state.begin_run(&other.run).unwrap_err(), StateTrouble::Begun(_)));
    let run = other.run.clone();
    other.kill();
    assert_eq!(state.runs(9)[0].state, RunState::Interrupted);
    let (_journal, records) = state.reopen_run(&run).unwrap();
    assert_eq!(records, all[..1]);
}

#[test]
fn whoever_only_looks_never_keeps_the_lock_from_the_one_who_acts() {
    let bed = Bed::new();
    let looking = bed.state();
    let acting = bed.state();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                looking.lock_state();
                looks += 1;
            }
            looks
        });
        for process in 0..200 {
            drop(BastionLock::take(&acting, &holder(process)).unwrap());
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(looks.join().unwrap() > 0);
    });
}
