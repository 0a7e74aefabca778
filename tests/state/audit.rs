//! What an auditor finds: any flipped bit, any record that is dropped, moved, repeated or cut, any journal that is gone.

use super::{Bed, Ends, carry_out, eva, hours_later, records, run_of};
use std::{fs, ops::Range, path::Path};
use vakt::{
    model::{
        ids::ClusterName,
        time::{Mono, Now, Wall},
    },
    plan::PlanId,
    run::{
        Ending, EndingKind, Entry, Record,
        journal::{Head, Writer},
    },
    runtime::state::{Heads, StateDir},
};

/// A run of 1,000 records that ended and was announced.
fn thousand(state: &StateDir, path: impl Fn(&PlanId) -> std::path::PathBuf) -> (PlanId, Vec<u8>, Head) {
    let first = records(0, Ends::Killed(1)).remove(0);
    let id = run_of(std::slice::from_ref(&first));
    drop(state.begin_run(&id).unwrap());
    let mut writer = Writer::default();
    let mut bytes = writer.append(&first).unwrap();
    let ending = Ending {
        kind: EndingKind::Reached,
        why: "every step was verified".into(),
        notes: Vec::new(),
        now_true: Vec::new(),
        type_next: Vec::new(),
    };
    for seq in 1..1000 {
        let at = Now { mono: Mono(seq * 7), wall: Wall(first.at.wall.0 + i64::try_from(seq).unwrap()) };
        let entry = match seq % 3 {
            _ if seq == 999 => Entry::Ended(Box::new(ending.clone())),
            0 => Entry::AbortAsked,
            1 => Entry::Unwinding { why: "\"x\" {y} ø".into() },
            _ => Entry::PremisesHeld { seen: vec!["lb01: web03 is told ready".into()] },
        };
        bytes.extend(writer.append(&Record { seq, at, entry }).unwrap());
    }
    fs::write(path(&id), &bytes).unwrap();
    state.announce(&id, writer.head(), &ending).unwrap();
    (id, bytes, writer.head().clone())
}

fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    let line = |line: &[u8]| {
        let range = start..start + line.len();
        start = range.end;
        range
    };
    bytes.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

/// The only finding: its run, its record, its words.
fn finding(state: &StateDir) -> (PlanId, Option<u64>, String) {
    let findings = state.verify(None, None).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    (findings[0].run.clone(), findings[0].record, findings[0].what.to_string())
}

fn write(path: &Path, parts: &[&[u8]]) {
    fs::write(path, parts.concat()).unwrap();
}

#[test]
fn any_flipped_bit_of_a_thousand_records_is_named_by_its_record() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, mut bytes, _) = thousand(&state, |id| bed.journal(id));
    assert_eq!(state.verify(None, None).unwrap().findings, []);
    let ranges = lines(&bytes);
    let record_of = |at: usize| ranges.iter().position(|range| range.contains(&at)).map(|record| record as u64);
    // Every bit of every record is tried by the journal's own test; here files are read from the disk, over all of it.
    let everywhere = (0..bytes.len()).step_by(bytes.len() / 150).enumerate().map(|(turn, at)| (at, turn % 8));
    let one_line = ranges[500].clone().flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let flips: Vec<(usize, usize)> =
        everywhere.chain(one_line.step_by(13)).chain([(0, 0), (bytes.len() - 1, 7)]).collect();
    assert!(flips.len() > 250);
    for (at, bit) in flips {
        bytes[at] ^= 1 << bit;
        fs::write(bed.journal(&id), &bytes).unwrap();
        let (run, record, _) = finding(&state);
        assert_eq!((run, record), (id.clone(), record_of(at)), "byte {at}, bit {bit}");
        bytes[at] ^= 1 << bit;
    }
}

#[test]
fn a_journal_cut_anywhere_names_the_first_record_that_is_missing() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, bytes, _) = thousand(&state, |id| bed.journal(id));
    let ranges = lines(&bytes);
    let within = (0..bytes.len()).step_by(bytes.len() / 40);
    let between = [0, 1, 2, 500, 998, 999].map(|record: usize| ranges[record].start);
    for cut in within.chain(between).chain([bytes.len() - 1]) {
        fs::write(bed.journal(&id), &bytes[..cut]).unwrap();
        let (run, record, what) = finding(&state);
        let first = ranges.iter().position(|range| range.contains(&cut)).unwrap() as u64;
        assert_eq!((run, record), (id.clone(), Some(first)), "cut at {cut}");
        assert!(what.contains("is missing: the journal was cut"), "{what}");
    }
}

#[test]
fn dropped_moved_and_repeated_records_are_found() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, bytes, _) = thousand(&state, |id| bed.journal(id));
    let ranges = lines(&bytes);
    let line = |record: usize| &bytes[ranges[record].clone()];
    let (before, after) = (&bytes[..ranges[400].start], &bytes[ranges[402].start..]);
    let path = bed.journal(&id);
    let found = |parts: &[&[u8]]| {
        write(&path, parts);
        finding(&state).1
    };
    assert_eq!(found(&[before, line(401), after]), Some(400), "dropped");
    assert_eq!(found(&[before, line(401), line(400), after]), Some(400), "moved");
    assert_eq!(found(&[before, line(400), line(400), line(401), after]), Some(401), "repeated");
    assert_eq!(found(&[&bytes, line(999)]), Some(1000), "added at the end");
    assert_eq!(found(&[&bytes, b"\n"]), Some(1000), "an empty line");
}

/// A forger who can seal records writes another ending; only the head that left the file tells.
#[test]
fn a_journal_that_was_written_anew_does_not_lead_to_its_head() {
    let bed = Bed::new();
    let state = bed.state();
    let all = records(0, Ends::NeedsOperator);
    let (id, _) = carry_out(&state, all.clone());
    let mut writer = Writer::default();
    let mut bytes = Vec::new();
    for mut record in all {
        if let Entry::Ended(ending) = &mut record.entry {
            ending.kind = EndingKind::Reached;
        }
        bytes.extend(writer.append(&record).unwrap());
    }
    fs::write(bed.journal(&id), &bytes).unwrap();
    let (run, record, what) = finding(&state);
    assert_eq!((run, record), (id, Some(writer.head().records - 1)));
    assert!(what.contains("does not lead to the head that was announced"), "{what}");
}

#[test]
fn a_journal_that_is_gone_is_missed_wherever_it_stood() {
    for gone in 0..4 {
        let bed = Bed::new();
        let state = bed.state();
        let ends = [Ends::Reached, Ends::Killed(3), Ends::RolledBack, Ends::Reached];
        let ids: Vec<_> =
            ends.into_iter().zip(0..).map(|(ends, number)| carry_out(&state, records(number, ends)).0).collect();
        assert_eq!(state.verify(None, None).unwrap().findings, []);
        fs::remove_dir_all(bed.file("runs").join(ids[gone].as_str())).unwrap();
        let verdict = state.verify(None, None).unwrap();
        let missing = verdict.findings.iter().find(|finding| finding.run == ids[gone]).unwrap();
        assert_eq!((missing.record, missing.what.as_str()), (None, "its journal is missing"));
        // Without the heads file the next run still names what is gone, save where there is no next one.
        fs::remove_file(bed.file("heads")).unwrap();
        let verdict = state.verify(None, None).unwrap();
        if gone < 3 {
            let words: Vec<_> = verdict.findings.iter().map(|finding| (&finding.run, finding.record)).collect();
            assert_eq!(words, [(&ids[gone + 1], Some(0))], "{:?}", verdict.findings);
        }
    }
}

#[test]
fn a_journal_under_another_name_is_found() {
    let bed = Bed::new();
    let state = bed.state();
    let (a, _) = carry_out(&state, records(0, Ends::Reached));
    let (b, _) = carry_out(&state, records(1, Ends::Reached));
    fs::copy(bed.journal(&a), bed.journal(&b)).unwrap();
    let findings = state.verify(None, None).unwrap().findings;
    let words: Vec<_> = findings.iter().map(|finding| (&finding.run, finding.what.as_str())).collect();
    assert!(words.contains(&(&b, "record 0 holds another run's plan, or a plan that was changed")), "{words:?}");
}

#[test]
fn heads_from_the_systems_log_tell_what_the_folders_own_no_longer_do() {
    let bed = Bed::new();
    let state = bed.state();
    let (a, _) = carry_out(&state, records(0, Ends::Reached));
    let (b, _) = carry_out(&state, records(1, Ends::RolledBack));
    let log = bed.logged();
    assert_eq!(log.len(), 2);
    assert!(log[1].starts_with("<85>vakt[") && log[1].contains("ending=rolled_back"), "{log:?}");
    let stamped: Vec<_> = log.iter().map(|line| format!("Nov 23 14:03:22 bastion1 {}\n", &line[4..])).collect();
    let stamped = stamped.concat();
    let file = bed.folder.path().join("grepped");
    fs::write(&file, format!("{stamped}Nov 23 14:04:00 bastion1 sshd[7]: nothing of ours\n")).unwrap();
    let heads = Heads::read(&file, state.cluster()).unwrap();
    assert_eq!((state.verify(None, Some(&heads)).unwrap().findings, heads.announced.len()), (vec![], 2));
    assert_eq!(Heads::read(&file, &ClusterName::new("other")).unwrap().announced, []);
    // Whoever removes a journal with everything the folder says of it is told on by the log.
    fs::remove_dir_all(bed.file("runs").join(b.as_str())).unwrap();
    let own = fs::read_to_string(bed.file("heads")).unwrap();
    let without: String = own.lines().filter(|line| !line.contains(b.as_str())).flat_map(|line| [line, "\n"]).collect();
    fs::write(bed.file("heads"), without).unwrap();
    assert_eq!(state.verify(None, None).unwrap().findings, []);
    let verdict = state.verify(None, Some(&heads)).unwrap();
    assert_eq!((verdict.findings[0].run.clone(), verdict.findings.len()), (b, 1));
    assert_eq!(state.verify(Some(&a), Some(&heads)).unwrap().findings, []);
}

#[test]
fn what_is_in_order_is_no_finding() {
    let bed = Bed::new();
    let state = bed.state();
    // Ended, taken up again and settled: two heads on one chain.
    let (needs, head) = carry_out(&state, records(0, Ends::NeedsOperator));
    state.resolve(&needs, eva(), "set by hand".into(), hours_later(1)).unwrap();
    // Torn by a crash.
    let (torn, _) = carry_out(&state, records(1, Ends::Killed(3)));
    let mut bytes = fs::read(bed.journal(&torn)).unwrap();
    bytes.extend_from_slice(b"{\"sum\":\"12");
    fs::write(bed.journal(&torn), bytes).unwrap();
    let verdict = state.verify(None, None).unwrap();
    assert_eq!((verdict.runs, verdict.records, verdict.heads), (2, head.records + 1 + 3, 2));
    assert_eq!(verdict.findings, []);
    assert!(verdict.notes[0].as_str().contains("record 3 was being written"), "{:?}", verdict.notes);
    // Pruned: the oldest that is left names a run whose journal is gone, and that is written down.
    // Named by the next run while it was interrupted, and settled later.
    state.resolve(&torn, eva(), "set by hand".into(), hours_later(1)).unwrap();
    let (killed, _) = carry_out(&state, records(2, Ends::Killed(2)));
    let (_, _) = carry_out(&state, records(3, Ends::Killed(2)));
    state.resolve(&killed, eva(), "set by hand".into(), hours_later(8)).unwrap();
    let ids: Vec<_> = (4..8).map(|number| carry_out(&state, records(number, Ends::Reached)).0).collect();
    let keep = vakt::runtime::state::Keep { runs: 1, age_ms: u64::MAX };
    let pruned = state.prune(hours_later(9).wall, keep).unwrap().runs;
    assert!(pruned.contains(&needs) && pruned.contains(&killed) && pruned.len() == 6, "{pruned:?}");
    let verdict = state.verify(None, None).unwrap();
    assert_eq!((verdict.runs, verdict.findings), (2, vec![]));
    // It goes on behind what was removed, and nothing of it is left beyond what is named.
    carry_out(&state, records(8, Ends::Reached));
    state.prune(hours_later(9).wall, keep).unwrap();
    assert_eq!(state.verify(None, None).unwrap().findings, []);
    assert!(state.heads().unwrap().pruned.len() <= 3, "{:?}", state.heads().unwrap().pruned);
    assert!(!state.run_ids().unwrap().contains(&ids[0]));
}

/// Journals are bounded, so a long history is many of them; each is read line by line. In release it takes a tenth.
#[test]
fn a_hundred_thousand_records_are_read_in_moments() {
    let bed = Bed::new();
    let state = bed.state();
    let (id, bytes, _) = thousand(&state, |id| bed.journal(id));
    for copy in 1..100 {
        let folder = bed.file("runs").join(format!("20270101T000000Z-{copy:08x}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("journal.jsonl"), &bytes).unwrap();
    }
    let start = crate::program::now();
    let verdict = state.verify(None, None).unwrap();
    let took = start.elapsed();
    println!("100 journals, {} records: {took:?}", verdict.records);
    assert_eq!((verdict.runs, verdict.records), (100, 100_000));
    // Every copy is whole, and none of them is what its name says.
    assert_eq!(verdict.findings.iter().filter(|finding| finding.run == id).count(), 0);
    assert!(took < std::time::Duration::from_secs(60), "{took:?}");
}
