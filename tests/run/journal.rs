//! The journal: any flipped bit, any cut, any missing or moved line is found, and named.

use super::harness::{Harness, Script};
use crate::plans::{corpus, plan_of};
use std::ops::Range;
use vakt::{
    model::time::{Mono, Now, Wall},
    run::{
        Entry, Record,
        journal::{self, AppendError, Damage, Head, Tail, Verifier, Writer, Wrong},
    },
};

/// A journal of 1,000 records, the first with a plan.
fn thousand() -> (Vec<u8>, Writer) {
    let (_, cluster, line) = corpus().remove(0);
    let mut harness = Harness::new(cluster.clone(), plan_of(&cluster, line), Script::default());
    harness.run().unwrap();
    let mut writer = Writer::default();
    let mut bytes = writer.append(&harness.records[0]).unwrap();
    for seq in 1..1000 {
        let at = Now { mono: Mono(seq * 7), wall: Wall(1_795_442_602_000 + i64::try_from(seq).unwrap()) };
        let entry = match seq % 3 {
            0 => Entry::AbortAsked,
            1 => Entry::Unwinding { why: "\"x\" {y} ø".into() },
            _ => Entry::PremisesHeld { seen: vec!["lb01".into()] },
        };
        bytes.extend(writer.append(&Record { seq, at, entry }).unwrap());
    }
    (bytes, writer)
}

fn lines(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            let range = start..start + line.len();
            start = range.end;
            range
        })
        .collect()
}

#[test]
fn what_was_written_reads_back() {
    let (bytes, writer) = thousand();
    let read = journal::verify(&bytes, Some(writer.head())).unwrap();
    assert_eq!((read.records.len(), read.whole_bytes, &read.tail), (1000, bytes.len(), &Tail::Whole));
    assert_eq!(Writer::after(&read), writer);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        serde_json::from_slice::<serde_json::Value>(line).unwrap();
    }
}

/// Each line is tried with each of its bits flipped, behind the chain as it stands there: what comes before is
/// untouched, so the first bad record can be no earlier.
#[test]
fn any_flipped_bit_is_found_at_its_record() {
    let (bytes, _) = thousand();
    let ranges = lines(&bytes);
    let mut verifier = Verifier::default();
    let mut flips = 0;
    for (number, range) in ranges.iter().enumerate() {
        let mut line = bytes[range.clone()].to_vec();
        for at in 0..line.len() {
            for bit in 0..8 {
                line[at] ^= 1 << bit;
                // A line break within makes two lines, a missing one joins two: both begin with a bad one.
                let first = line.split_inclusive(|byte| *byte == b'\n').next().unwrap();
                let damage = verifier.clone().line(first).expect_err("a flipped bit passed");
                assert_eq!(damage.record, number as u64);
                line[at] ^= 1 << bit;
                flips += 1;
            }
        }
        verifier.line(&line).unwrap();
    }
    assert_eq!(flips, bytes.len() * 8);
}

#[test]
fn a_flipped_bit_is_named_by_verify_as_a_whole() {
    let (mut bytes, writer) = thousand();
    let ranges = lines(&bytes);
    for at in (0..bytes.len()).step_by(bytes.len() / 40).chain([bytes.len() - 1]) {
        for bit in [0, 7] {
            bytes[at] ^= 1 << bit;
            let damage = journal::verify(&bytes, Some(writer.head())).unwrap_err();
            let record = ranges.iter().position(|range| range.contains(&at)).unwrap();
            assert_eq!(damage.record, record as u64, "byte {at}");
            // Also without the head, and never as a mere torn line.
            assert_eq!(journal::verify(&bytes, None).unwrap_err().record, record as u64, "byte {at}");
            bytes[at] ^= 1 << bit;
        }
    }
}

#[test]
fn a_cut_tail_is_torn_within_a_line_and_missing_at_its_end() {
    let (bytes, writer) = thousand();
    let ranges = lines(&bytes);
    for number in [0, 1, 500, 999] {
        let range = ranges[number].clone();
        for cut in range.start..range.end {
            let read = journal::read(&bytes[..cut]);
            assert_eq!(read.records.len(), number, "cut at {cut}");
            if cut == range.start {
                assert_eq!(read.tail, Tail::Whole);
            } else {
                let torn = Tail::Torn { record: number as u64, bytes: cut - range.start };
                assert_eq!(read.tail, torn, "cut at {cut}");
            }
            let damage = journal::verify(&bytes[..cut], Some(writer.head())).unwrap_err();
            assert_eq!(damage, Damage { record: number as u64, what: Wrong::Missing });
            // A crash is no damage as long as nobody announced more.
            assert!(journal::verify(&bytes[..cut], None).is_ok());
        }
    }
}

#[test]
fn lines_that_are_removed_doubled_moved_or_added_are_found() {
    let (bytes, writer) = thousand();
    let ranges = lines(&bytes);
    let line = |number: usize| &bytes[ranges[number].clone()];
    let verify = |bytes: &[u8]| journal::verify(bytes, Some(writer.head())).unwrap_err();
    let removed = [&bytes[..ranges[10].start], &bytes[ranges[10].end..]].concat();
    assert_eq!(verify(&removed).record, 10);
    let doubled = [&bytes[..ranges[10].end], line(10), &bytes[ranges[10].end..]].concat();
    assert_eq!(verify(&doubled).record, 11);
    let swapped = [&bytes[..ranges[10].start], line(11), line(10), &bytes[ranges[11].end..]].concat();
    assert_eq!(verify(&swapped).record, 10);
    let mut longer = writer.clone();
    let extra = longer.append(&Record { seq: 1000, at: Now::default(), entry: Entry::AbortAsked }).unwrap();
    let added = [&bytes[..], &extra].concat();
    assert_eq!(verify(&added).what, Wrong::OtherHead);
    assert!(journal::verify(&added, Some(longer.head())).is_ok());
}

#[test]
fn another_journal_does_not_pass_for_this_one() {
    let (bytes, writer) = thousand();
    let other = Head { sum: "0".repeat(64), ..writer.head().clone() };
    assert_eq!(journal::verify(&bytes, Some(&other)).unwrap_err().what, Wrong::OtherHead);
}

#[test]
fn zeros_behind_the_last_line_are_torn_and_anything_else_is_damage() {
    let (bytes, _) = thousand();
    let with = |tail: &[u8]| journal::read(&[&bytes[..], tail].concat()).tail;
    assert_eq!(with(&[0; 100]), Tail::Torn { record: 1000, bytes: 100 });
    for tail in [&b"x"[..], b"{\"sum\":\"zz", b"\n", b"{\"sum\":\"00\n", b"{}\n"] {
        assert!(matches!(with(tail), Tail::Damaged(Damage { record: 1000, .. })), "{tail:?}: {:?}", with(tail));
    }
}

#[test]
fn a_journal_has_bounds_and_the_ending_still_fits() {
    let mut writer = Writer::default();
    let long = Entry::PremisesHeld { seen: vec!["x".repeat(500).as_str().into(); 900] };
    let record = |seq, entry| Record { seq, at: Now::default(), entry };
    let mut seq = 0;
    let full = loop {
        match writer.append(&record(seq, long.clone())) {
            Ok(_) => seq += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, AppendError::Full), "{full}");
    let ending = {
        let (_, cluster, line) = corpus().remove(0);
        Harness::new(cluster.clone(), plan_of(&cluster, line), Script::default()).run().unwrap()
    };
    writer.append(&record(seq, Entry::Ended(Box::new(ending)))).unwrap();
    let too_long = Entry::PremisesHeld { seen: vec!["x".repeat(500).as_str().into(); 2000] };
    assert!(matches!(writer.append(&record(seq + 1, too_long)), Err(AppendError::TooLong(_))));
    assert!(matches!(writer.append(&record(seq + 5, Entry::AbortAsked)), Err(AppendError::OutOfOrder { .. })));
}

#[test]
fn every_run_of_the_corpus_stays_far_below_the_bounds() {
    for (name, cluster, line) in corpus() {
        let mut harness = Harness::new(cluster.clone(), plan_of(&cluster, line), Script::default());
        harness.run().unwrap();
        assert!(harness.journal.len() < 100_000, "{name}: {} bytes", harness.journal.len());
    }
}
