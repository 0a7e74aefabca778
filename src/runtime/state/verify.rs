//! What an auditor finds: every journal's chain, its link to the run before it, and the heads that were announced.

use super::{directory::StateDir, folder, heads::Heads, trouble::StateTrouble};
use crate::{
    model::text::Clean,
    plan::PlanId,
    run::{
        EndingKind, Entry, Record,
        journal::{Damage, Head, JOURNAL_BYTES_MAX, RECORD_BYTES_MAX, Tail, Verifier, Wrong, tail_of},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
};

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Journals that were read.
    pub runs: u64,
    /// Records in them that are beyond doubt.
    pub records: u64,
    /// Announced heads that were compared.
    pub heads: u64,
    /// Everything that is not as it was written, by run.
    pub findings: Vec<Finding>,
    /// What should be known and is no damage.
    pub notes: Vec<Clean>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// In whose journal.
    pub run: PlanId,
    /// The first record that is bad or missing, counted from 0, where one can be named.
    pub record: Option<u64>,
    /// What is wrong.
    pub what: Clean,
}

impl Finding {
    fn of(run: &PlanId, record: Option<u64>, what: &str) -> Self {
        Self { run: run.clone(), record, what: Clean::line(what) }
    }

    fn damage(run: &PlanId, damage: &Damage) -> Self {
        Self::of(run, Some(damage.record), &damage.to_string())
    }
}

/// One journal, read line by line: its records are not kept.
#[derive(Debug, Default)]
pub(super) struct ReadThrough {
    head: Head,
    damage: Option<Damage>,
    torn: bool,
    /// What its first record names as the run before it.
    previous: Option<Head>,
    /// Whether its first record is an opening that is beyond doubt.
    opened: bool,
    /// Whose plan the first record holds.
    plan: Option<PlanId>,
    ended: bool,
    /// Wanted heads that its chain passes through.
    pub(super) passed: BTreeSet<Head>,
}

impl StateDir {
    /// Checks the journals of all runs, or of one, against themselves, each other and the announced heads: those of the
    /// heads file, or `other` ones, such as lines from the system's log.
    pub fn verify(&self, only: Option<&PlanId>, other: Option<&Heads>) -> Result<Verdict, StateTrouble> {
        let own = self.heads()?;
        let announced = other.unwrap_or(&own);
        let ids = self.run_ids()?;
        let mut wanted = self.named(&ids);
        wanted.extend(own.announced.iter().chain(&announced.announced).map(|announced| announced.head.clone()));
        let mut verdict = Verdict::default();
        let mut read = BTreeMap::new();
        for id in ids.iter().filter(|id| only.is_none_or(|only| only == *id)) {
            let journal = self.read_through(id, &wanted)?;
            verdict.runs += 1;
            verdict.records += journal.head.records;
            read.insert(id.clone(), journal);
        }
        for (id, journal) in &read {
            chain(id, journal, &mut verdict);
        }
        verdict.compare(&read, announced, &own, only);
        if only.is_none() {
            verdict.link(&read, announced, &own);
        }
        verdict.findings.sort_by(|a, b| (&a.run, a.record).cmp(&(&b.run, b.record)));
        Ok(verdict)
    }

    /// The heads that those journals name as the run before them.
    pub(super) fn named(&self, ids: &[PlanId]) -> BTreeSet<Head> {
        ids.iter().filter_map(|id| self.first_previous(id)).collect()
    }

    /// What the first record names as the run before it; not verified yet.
    fn first_previous(&self, id: &PlanId) -> Option<Head> {
        let file = folder::open(&self.journal_path(id), OpenOptions::new().read(true)).ok()?;
        let line = next_line(&mut BufReader::new(file)).ok()??;
        match Verifier::default().line(&line).ok()?.entry {
            Entry::Opened(opening) => opening.previous,
            _ => None,
        }
    }

    pub(super) fn read_through(&self, id: &PlanId, wanted: &BTreeSet<Head>) -> Result<ReadThrough, StateTrouble> {
        let path = self.journal_path(id);
        let file = match folder::open(&path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ReadThrough::default()),
            Err(error) => return Err(StateTrouble::io("open", path)(error)),
        };
        read_through(file, wanted).map_err(StateTrouble::io("read", path))
    }
}

fn read_through(file: File, wanted: &BTreeSet<Head>) -> io::Result<ReadThrough> {
    let mut lines = BufReader::with_capacity(256 * 1024, file.take(JOURNAL_BYTES_MAX as u64 + 1));
    let mut verifier = Verifier::default();
    let mut found = ReadThrough::default();
    let mut bytes = 0;
    while let Some(line) = next_line(&mut lines)? {
        bytes += line.len();
        match verifier.line(&line) {
            Ok(record) => found.take(&record, verifier.head(), wanted),
            Err(damage) => {
                let is_last = lines.fill_buf()?.is_empty();
                match tail_of(&line, is_last, verifier.head(), damage) {
                    Tail::Damaged(damage) => found.damage = Some(damage),
                    Tail::Torn { .. } => found.torn = true,
                    Tail::Whole => {}
                }
                break;
            }
        }
    }
    if bytes > JOURNAL_BYTES_MAX && found.damage.is_none() {
        found.damage = Some(Damage { record: verifier.head().records, what: Wrong::Length });
    }
    found.head = verifier.head().clone();
    Ok(found)
}

/// The next line with its line break, cut where no record can go on.
fn next_line(lines: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    lines.by_ref().take(RECORD_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

impl ReadThrough {
    fn take(&mut self, record: &Record, head: &Head, wanted: &BTreeSet<Head>) {
        if let Entry::Opened(opening) = &record.entry
            && record.seq == 0
        {
            (self.previous, self.opened) = (opening.previous.clone(), true);
            self.plan = opening.plan.is_intact().then(|| opening.plan.id.clone());
        }
        self.ended = match &record.entry {
            Entry::Ended(ending) => ending.kind != EndingKind::NeedsOperator,
            Entry::Resolved { .. } => true,
            _ => false,
        };
        if wanted.contains(head) {
            self.passed.insert(head.clone());
        }
    }
}

/// One journal by itself.
fn chain(id: &PlanId, journal: &ReadThrough, verdict: &mut Verdict) {
    if let Some(damage) = &journal.damage {
        verdict.findings.push(Finding::damage(id, damage));
    } else if journal.head.records > 0 && !journal.opened {
        verdict.findings.push(Finding::of(id, Some(0), "record 0 is no opening"));
    } else if journal.head.records > 0 && journal.plan.as_ref() != Some(id) {
        verdict.findings.push(Finding::of(
            id,
            Some(0),
            "record 0 holds another run's plan, or a plan that was changed",
        ));
    }
    if journal.torn {
        verdict.notes.push(Clean::line(&format!(
            "{id}: record {} was being written when its process ended; nothing followed from it",
            journal.head.records
        )));
    }
}

impl Verdict {
    /// Every announced head lies on its run's chain.
    fn compare(&mut self, read: &BTreeMap<PlanId, ReadThrough>, announced: &Heads, own: &Heads, only: Option<&PlanId>) {
        let mut missing = BTreeSet::new();
        for announcement in &announced.announced {
            let (run, head) = (&announcement.run, &announcement.head);
            if only.is_some_and(|only| only != run) {
                continue;
            }
            let Some(journal) = read.get(run) else {
                if !own.pruned.contains_key(run) {
                    missing.insert(run);
                }
                continue;
            };
            self.heads += 1;
            // A chain that is broken before it says nothing about the head; the break is told already.
            if journal.passed.contains(head) || (journal.damage.is_some() && journal.head.records < head.records) {
                continue;
            }
            let (record, what) = if journal.head.records < head.records {
                (journal.head.records, Wrong::Missing)
            } else {
                (head.records.saturating_sub(1), Wrong::OtherHead)
            };
            self.findings.push(Finding::damage(run, &Damage { record, what }));
        }
        for run in announced.opened.iter().filter(|run| only.is_none_or(|only| only == *run)) {
            if !read.contains_key(run) && !own.pruned.contains_key(run) {
                missing.insert(run);
            }
        }
        self.findings.extend(missing.into_iter().map(|run| Finding::of(run, None, "its journal is missing")));
        let unannounced = read.iter().filter(|(id, journal)| {
            journal.ended && !announced.announced.iter().any(|a| a.run == **id && a.head == journal.head)
        });
        for (id, journal) in unannounced {
            self.notes.push(Clean::line(&format!(
                "{id}: its last head, {} records, was not announced; a tail that was cut off could not be told",
                journal.head.records
            )));
        }
    }

    /// Every journal names the head of one that came before it, and only one journal names none.
    fn link(&mut self, read: &BTreeMap<PlanId, ReadThrough>, announced: &Heads, own: &Heads) {
        let known = |head: &Head| {
            read.values().any(|journal| journal.passed.contains(head)) || own.knows(head) || announced.knows(head)
        };
        let mut firsts = Vec::new();
        for (id, journal) in read {
            match &journal.previous {
                None if journal.opened => firsts.push(id),
                Some(head) if !known(head) => {
                    let what = format!(
                        "names the head of a run before it ({} records, sum {}…) that no journal leads to: that journal is missing, or was cut or changed",
                        head.records,
                        head.sum.get(..12).unwrap_or_default()
                    );
                    self.findings.push(Finding::of(id, Some(0), &what));
                }
                _ => {}
            }
        }
        for id in firsts.iter().skip(1) {
            self.findings.push(Finding::of(id, Some(0), "names no run before it, although there is one"));
        }
    }
}
