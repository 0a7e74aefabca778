//! A run's journal on disk: one record after the other, each durable before its permit is given.

use super::{folder::Locked, trouble::AppendTrouble};
use crate::{
    plan::PlanId,
    run::{
        Record,
        journal::{Head, Writer},
    },
    transport::Permit,
};
use std::{
    io::{self, Write},
    os::unix::fs::MetadataExt,
};

/// The journal of a run that this process carries out. While it is open no other process can carry out the run.
#[derive(Debug)]
pub struct JournalFile {
    run: PlanId,
    /// Locked alone, opened for appending.
    file: Locked,
    writer: Writer,
    broken: bool,
}

impl JournalFile {
    pub(super) fn new(run: PlanId, file: Locked, writer: Writer) -> Self {
        Self { run, file, writer, broken: false }
    }

    /// Seals the record, writes it and waits until the disk has it. After a failure nothing is appended any more: what
    /// the file holds is known only to the next process that reads it.
    pub fn append(&mut self, record: &Record) -> Result<Permit, AppendTrouble> {
        let mut permits = self.append_all(std::slice::from_ref(record))?;
        permits.pop().ok_or(AppendTrouble::Broken)
    }

    /// The same for several, which the disk has together; one permit each.
    pub fn append_all(&mut self, records: &[Record]) -> Result<Vec<Permit>, AppendTrouble> {
        if self.broken {
            return Err(AppendTrouble::Broken);
        }
        let mut lines = Vec::new();
        for record in records {
            lines.extend(self.writer.append(record)?);
        }
        let written =
            self.is_still_there().and_then(|()| (&*self.file).write_all(&lines)).and_then(|()| self.file.sync_data());
        if let Err(source) = written {
            self.broken = true;
            let record = records.first().map_or(0, |record| record.seq);
            return Err(AppendTrouble::Disk { record, source });
        }
        Ok(records.iter().map(|record| Permit { record: record.seq }).collect())
    }

    /// A file without a name takes every record and keeps none.
    fn is_still_there(&self) -> io::Result<()> {
        match self.file.metadata()?.nlink() {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "somebody removed the journal")),
            _ => Ok(()),
        }
    }

    /// Where the chain stands.
    pub fn head(&self) -> &Head {
        self.writer.head()
    }

    /// Whose journal it is.
    pub fn run(&self) -> &PlanId {
        &self.run
    }
}
