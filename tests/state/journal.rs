//! Journals on disk: begun once, appended durably, taken up again, followed, listed, pruned.

use super::{Bed, Ends, carry_out, eva, hours_later, records, run_of};
use std::{
    fs::{self, OpenOptions},
    io::Write,
};
use vakt::{
    run::{Entry, Record, RunState, journal::Tail},
    runtime::state::{AppendTrouble, Keep, StateTrouble},
};

#[test]
fn what_is_appended_is_read_back_and_a_run_begins_once() {
    let bed = Bed::new();
    let state = bed.state();
    let records = records(0, Ends::Reached);
    let (id, head) = carry_out(&state, records.clone());
    let read = state.read_run(&id).unwrap();
    assert_eq!((read.records.len(), &read.head, &read.tail), (records.len(), &head, &Tail::Whole));
    assert!(matches!(state.begin_run(&id).unwrap_err(), StateTrouble::Begun(_)));
    assert_eq!(state.read_run(&id).unwrap(), read, "the second beginning touched the journal");
    let missing = vakt::plan::PlanId::from("20200101T000000Z-00000000".to_owned());
    assert!(matches!(state.read_run(&missing).unwrap_err(), StateTrouble::NoRun(_)));
}

#[test]
fn nothing_is_appended_behind_a_failure() {
    let bed = Bed::new();
    let state = bed.state();
    let records = records(0, Ends::Reached);
    let mut journal = state.begin_run(&run_of(&records)).unwrap();
    journal.append(&records[0]).unwrap();
    assert!(matches!(journal.append(&records[2]).unwrap_err(), AppendTrouble::Seal(_)));
    // A record out of order touches nothing: the right one may follow.
    journal.append(&records[1]).unwrap();
    assert_eq!(journal.head().records, 2);
    // A file that somebody removed keeps nothing, whatever it takes.
    fs::remove_file(bed.journal(journal.run())).unwrap();
    let message = journal.append(&records[2]).unwrap_err().to_string();
    assert_eq!(message, "the disk did not take record 2: somebody removed the journal");
    assert!(matches!(journal.append(&records[2]).unwrap_err(), AppendTrouble::Broken));
}

#[test]
fn a_torn_record_is_cut_and_the_run_goes_on_behind_it() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, head) = carry_out(&state, records(0, Ends::Killed(4)));
    let whole = fs::read(bed.journal(&id)).unwrap();
    let all = records(0, Ends::Reached);
    for torn in [&b"{\"sum\":\"00"[..], &[0; 700]] {
        OpenOptions::new().append(true).open(bed.journal(&id)).unwrap().write_all(torn).unwrap();
        let (journal, found) = state.reopen_run(&id).unwrap();
        assert_eq!((found.len(), journal.head()), (4, &head));
        assert_eq!(fs::read(bed.journal(&id)).unwrap(), whole);
    }
    let (mut journal, _) = state.reopen_run(&id).unwrap();
    journal.append(&all[4]).unwrap();
    assert_eq!(state.read_run(&id).unwrap().records.len(), 5);
}

#[test]
fn a_damaged_journal_is_not_taken_up_again() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, _) = carry_out(&state, records(0, Ends::NeedsOperator));
    let whole = fs::read(bed.journal(&id)).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    fs::write(bed.journal(&id), &flipped).unwrap();
    assert!(matches!(state.reopen_run(&id).unwrap_err(), StateTrouble::Damaged { .. }));
    assert_eq!(fs::read(bed.journal(&id)).unwrap(), flipped, "damage is evidence; it stays");
    // Cut between two lines: only the head that was announced tells.
    let cut = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(bed.journal(&id), &whole[..cut]).unwrap();
    let message = state.reopen_run(&id).unwrap_err().to_string();
    assert!(message.contains("is missing: the journal was cut"), "{message}");
}

#[test]
fn a_follower_sees_each_record_once_and_never_half_of_one() {
    let bed = Bed::new();
    let state = bed.state();
    let all = records(0, Ends::Reached);
    let id = run_of(&all);
    let mut journal = state.begin_run(&id).unwrap();
    let mut follower = state.follow(&id).unwrap();
    assert_eq!(follower.read().unwrap(), []);
    assert!(follower.lives());
    for record in &all {
        journal.append(record).unwrap();
        assert_eq!(follower.read().unwrap(), std::slice::from_ref(record));
        assert_eq!(follower.read().unwrap(), []);
    }
    assert_eq!(state.tail(&id, 3).unwrap(), all[3..]);
    OpenOptions::new().append(true).open(bed.journal(&id)).unwrap().write_all(b"{\"sum\":").unwrap();
    assert_eq!(follower.read().unwrap(), []);
    drop(journal);
    assert!(!follower.lives());
}

#[test]
fn the_list_tells_where_each_run_is() {
    let bed = Bed::new();
    let state = bed.state();
    let (reached, _) = carry_out(&state, records(0, Ends::Reached));
    let (needs, _) = carry_out(&state, records(1, Ends::NeedsOperator));
    let (killed, _) = carry_out(&state, records(2, Ends::Killed(3)));
    let running = records(3, Ends::Reached);
    let mut journal = state.begin_run(&run_of(&running)).unwrap();
    journal.append(&running[0]).unwrap();
    let words =
        |max| -> Vec<_> { state.runs(max).into_iter().map(|run| (run.id, run.state.word().to_owned())).collect() };
    let row = |id: &vakt::plan::PlanId, word: &str| (id.clone(), word.to_owned());
    let all = [
        row(&run_of(&running), "running"),
        row(&killed, "interrupted"),
        row(&needs, "needs operator"),
        row(&reached, "reached"),
    ];
    assert_eq!(words(10), all);
    // What a person has to decide about is never cut off.
    assert_eq!(words(1), all[..3]);
    drop(journal);
    assert_eq!(words(1)[0].1, "interrupted");
    let mut bytes = fs::read(bed.journal(&reached)).unwrap();
    let last = bytes.len() - 10;
    bytes[last] ^= 4;
    fs::write(bed.journal(&reached), &bytes).unwrap();
    assert!(matches!(state.runs(10)[3].state, RunState::Damaged(_)), "a changed file is read again");
    assert_eq!(state.unreadable(), []);
    fs::write(bed.journal(&reached), &bytes[5..]).unwrap();
    assert_eq!(state.unreadable()[0].run, reached);
}

#[test]
fn a_run_is_resolved_once_and_only_when_it_needs_it() {
    let bed = Bed::new();
    let state = bed.state();
    let (reached, _) = carry_out(&state, records(0, Ends::Reached));
    let (killed, _) = carry_out(&state, records(1, Ends::Killed(3)));
    let resolve = |id: &vakt::plan::PlanId| state.resolve(id, eva(), "looked at it by hand".into(), hours_later(2));
    let message = resolve(&reached).unwrap_err().to_string();
    assert!(message.contains("is reached: only an interrupted run"), "{message}");
    bed.logged();
    assert_eq!(resolve(&killed).unwrap().not_logged, None);
    let logged = bed.logged();
    assert!(logged[0].contains(&format!("run={killed} ending=resolved head=4:")), "{logged:?}");
    assert!(resolve(&killed).unwrap_err().to_string().contains("is resolved"));
    let run = &state.runs(10)[0];
    assert_eq!((run.state.word(), run.state.is_open()), ("resolved", false));
    let records = state.read_run(&killed).unwrap().records;
    assert!(matches!(records.last(), Some(Record { entry: Entry::Resolved { .. }, .. })));
    let taken_up = vakt::run::Machine::recover(&records, vakt::run::Recovery::Resume, eva());
    assert_eq!(taken_up.unwrap_err().to_string(), "eva declared the run settled: looked at it by hand");
}

#[test]
fn pruning_removes_the_oldest_ended_runs_and_nothing_that_is_open() {
    let bed = Bed::new();
    let state = bed.state();
    let (open, _) = carry_out(&state, records(0, Ends::NeedsOperator));
    let ids: Vec<_> = (1..6).map(|number| carry_out(&state, records(number, Ends::RolledBack)).0).collect();
    let keep = Keep { runs: 3, age_ms: 1_000 * 3_600_000 };
    assert_eq!(state.prune(hours_later(10).wall, keep).unwrap().runs, ids[..2]);
    let left: Vec<_> = state.runs(10).into_iter().map(|run| run.id).collect();
    assert_eq!(left, [&ids[4], &ids[3], &ids[2], &open].map(Clone::clone));
    assert_eq!(state.prune(hours_later(10).wall, keep).unwrap().runs, []);
    // By age: the last records are 5 hours old and younger.
    let keep = Keep { runs: 100, age_ms: 5 * 3_600_000 + 1_800_000 };
    assert_eq!(state.prune(hours_later(10).wall, keep).unwrap().runs, ids[2..4]);
    // The chain goes on from the newest.
    let head = state.read_run(&ids[4]).unwrap().head;
    assert_eq!(state.previous_head().unwrap(), Some(head));
}

#[test]
fn what_the_configuration_keeps() {
    let settings = vakt::model::inventory::StateSettings { directory: None, runs_max: 500, age_max_days: 400 };
    assert_eq!(Keep::from(&settings), Keep { runs: 500, age_ms: 34_560_000_000 });
}

#[test]
fn the_next_run_names_the_head_of_the_one_before_it_also_when_that_one_died() {
    let bed = Bed::new();
    let state = bed.state();
    assert_eq!(state.previous_head().unwrap(), None);
    let (_, head) = carry_out(&state, records(0, Ends::Reached));
    assert_eq!(state.previous_head().unwrap().as_ref(), Some(&head));
    let (_, head) = carry_out(&state, records(1, Ends::Killed(2)));
    assert_eq!(state.previous_head().unwrap().as_ref(), Some(&head));
    // A process that died before its first record leaves no head.
    drop(state.begin_run(&run_of(&records(2, Ends::Reached))).unwrap());
    assert_eq!(state.previous_head().unwrap().as_ref(), Some(&head));
    assert_eq!((state.runs(10).len(), state.unreadable().len()), (2, 0));
}
