//! The change of the file that says what a restart brings.
//!
//! Where a file names the setting, the value is replaced in the line that counts: everything else of the file stays. Where
//! none does, the line goes into a file of vakt's own in the folder that is read last: files that came with a package, or
//! that somebody else manages, stay as they are, and going back is a file that is gone. Only where there is no such folder
//! the line goes under the last head of a group that counts.

use super::file::{FileExpect, FileIs};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        text::Clean,
        time::Now,
        tune_act::Keep,
        tuning::{FileValue, Setting, SettingsFile, Technology},
    },
    plan::refusal::{Reason, ReasonKind},
    wire::file_edit::{FileChange, FileEdit, FileJudge, FileWay, KEPT, is_plain_path, sum_of},
};

/// vakt's own file in a folder of option files; its name is read after most others.
const OWN_OPTIONS: &str = "zz-vakt.cnf";
/// The same among files of the kernel.
const OWN_SYSCTL: &str = "/etc/sysctl.d/99-zz-vakt.conf";

/// Where the setting stands on a node, and what it is to be.
pub(super) struct Stand<'a> {
    pub(super) node: &'a NodeName,
    pub(super) setting: &'a Setting,
    /// The daemon's name for it.
    pub(super) name: &'a Clean,
    pub(super) configured: &'a Figure<Option<(Clean, &'a FileValue)>>,
    pub(super) files: &'a Figure<Vec<SettingsFile>>,
    /// The folder of option files that is read last.
    pub(super) folder: Option<&'a Clean>,
    /// The value in the one text of its unit.
    pub(super) value: &'a str,
    /// As it was typed, which is how it stands in the file.
    pub(super) typed: &'a str,
    pub(super) now: Now,
}

/// One change of one file.
pub(super) struct Keeping {
    pub(super) edit: FileEdit,
    pub(super) way: FileWay,
    pub(super) before: Vec<FileExpect>,
    pub(super) done: Vec<FileExpect>,
    /// What the files say afterwards, in the one text of the unit; nothing where none names it then.
    pub(super) brings: Option<String>,
}

impl Keeping {
    /// The file, and what is done to it, for a title.
    pub(super) fn words(&self, name: &Clean, unit: crate::model::tuning::Unit) -> String {
        let path = &self.edit.path;
        match (self.way, &self.brings) {
            (FileWay::Make, Some(value)) => format!("{path} says {name} is {}", unit.words(value)),
            (FileWay::Make, None) => format!("{path} is changed"),
            (FileWay::TakeBack, _) => format!("{path} is put back as it was"),
        }
    }
}

impl<'a> Stand<'a> {
    /// What is to be done to a file; nothing where it says so already, or where a reason speaks against it.
    pub(super) fn keeping(&self, keep: Keep, reasons: &mut Vec<Reason>) -> Option<Keeping> {
        let (Figure::Known(found), Figure::Known(files)) = (self.configured, self.files) else {
            let why = self.configured.why().or(self.files.why()).map_or_else(String::new, |why| why.to_string());
            reasons.push(Reason::new(
                ReasonKind::UnknownFact,
                format!("What the files of {} say about {} is unknown.", self.node, self.name),
                vec![Clean::line(&format!("{}: {why}", self.node))],
                "Let vakt's login read them; vakt tune shows which file counts.",
            ));
            return None;
        };
        let found = found.as_ref().map(|(value, found)| (value, *found));
        let planned = match (keep, found) {
            // With `--put-back` and no file that names it, it is as before any change of vakt's.
            (Keep::No, _) | (Keep::PutBack, None) => return None,
            (Keep::InFile, Some((value, _))) if value.as_str() == self.value => return None,
            (Keep::InFile, Some((_, found))) => self.replace(found, files),
            (Keep::InFile, None) => self.add(files),
            (Keep::PutBack, Some((_, found))) => self.put_back(found, files),
        };
        match planned {
            Ok(keeping) => Some(keeping),
            Err(reason) => {
                reasons.push(reason);
                None
            }
        }
    }

    /// The file, if it may be changed at all.
    pub(super) fn usable<'f>(
        &self,
        path: &Clean,
        files: &'f [SettingsFile],
    ) -> Result<(&'f SettingsFile, &'f Clean), Reason> {
        let node = self.node;
        let line = |words: &str| vec![Clean::line(&format!("{node}: {path} {words}"))];
        let refuse = |words: &str, cure: String| {
            let what = format!("{path} on {node} is not changed by vakt.");
            Reason::new(ReasonKind::NoWay, what, line(words), cure)
        };
        let by_hand = || format!("Write {} = {} there by hand.", self.name, self.typed);
        let file = files.iter().find(|file| file.path == *path);
        let file = file.ok_or_else(|| refuse("is no file that was read", by_hand()))?;
        if !is_plain_path(path.as_str()) {
            return Err(refuse("has a name with odd characters", by_hand()));
        }
        if file.is_link {
            return Err(refuse(
                "is a symbolic link, and a new file in its place would cut it",
                format!(
                    "Put the line into a file of its own, or into the file that {path} leads to (readlink -f {path})."
                ),
            ));
        }
        let sum = file.sum.as_ref();
        let sum = sum.ok_or_else(|| refuse("cannot be read as a whole", "Let vakt's login read it.".to_owned()))?;
        Ok((file, sum))
    }

    pub(super) fn kept(&self, path: &str) -> String {
        let when = jiff::Timestamp::from_millisecond(self.now.wall.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{path}{KEPT}{}", when.strftime("%Y%m%dT%H%M%SZ"))
    }

    /// Another value in the line that counts.
    fn replace(&self, found: &FileValue, files: &'a [SettingsFile]) -> Result<Keeping, Reason> {
        let node = self.node;
        if found.line == 0 {
            return Err(Reason::new(
                ReasonKind::NoWay,
                format!("{} on {node} is said by {}, which counts more than any file.", self.name, found.file),
                vec![Clean::line(&format!("{node}: {} = {}", found.name, found.value))],
                "Take it out of the unit or script that starts the server.",
            ));
        }
        let (_, sum) = self.usable(&found.file, files)?;
        let Some(span) = found.span else {
            return Err(Reason::new(
                ReasonKind::NotFit,
                format!("Line {} of {} on {node} holds bytes that are no plain text.", found.line, found.file),
                vec![Clean::line(&format!("{node}: {}", found.text))],
                "Edit this line by hand.",
            ));
        };
        let text = if span.is_name { format!("{} = {}", found.name, self.typed) } else { self.typed.to_owned() };
        let shown = found.text.as_str();
        let (start, end) = (span.column as usize, (span.column + span.length) as usize);
        let after = [shown.get(..start), Some(text.as_str()), shown.get(end..)];
        let after = after.into_iter().flatten().collect::<String>();
        let path = found.file.to_string();
        let change = FileChange::Splice {
            sum: sum.clone(),
            line: found.line,
            column: span.column,
            length: span.length,
            text,
            before: found.text.clone(),
            after: Clean::line(&after),
        };
        Ok(self.make(FileEdit { kept: self.kept(&path), path, change, judge: self.judge(self.typed) }))
    }

    /// A line where no file names it.
    fn add(&self, files: &'a [SettingsFile]) -> Result<Keeping, Reason> {
        let own = match self.setting.technology {
            Technology::Kernel => Some(OWN_SYSCTL.to_owned()),
            _ => self.folder.map(|folder| format!("{folder}/{OWN_OPTIONS}")),
        };
        if let Some(path) = own.as_ref().filter(|own| files.iter().all(|file| file.path.as_str() != own.as_str())) {
            if !is_plain_path(path) {
                let line = vec![Clean::line(&format!("{}: {path}", self.node))];
                let what = format!("The folder of option files on {} has a name with odd characters.", self.node);
                return Err(Reason::new(ReasonKind::NoWay, what, line, "Write the line by hand."));
            }
            let change = FileChange::Create { text: self.own_text(&self.line()) };
            let edit = FileEdit { path: path.clone(), kept: self.kept(path), change, judge: self.judge(self.typed) };
            return Ok(self.make(edit));
        }
        let with_head = || files.iter().filter(|file| !file.heads.is_empty() && !file.path.as_str().contains(KEPT));
        let file = match &own {
            Some(own) => files.iter().find(|file| file.path.as_str() == own.as_str()),
            None => with_head().next_back(),
        };
        let Some(file) = file else {
            return Err(Reason::new(
                ReasonKind::NoWay,
                format!("No file on {} has a group that the server reads.", self.node),
                Vec::new(),
                format!("Write {} = {} under [mysqld] into an option file of the server.", self.name, self.typed),
            ));
        };
        let (_, sum) = self.usable(&file.path, files)?;
        // vakt's own file of the kernel has no groups, but a first line.
        let (line, with_cr, head) =
            file.heads.last().map_or((1, false, "".into()), |head| (head.line, head.with_cr, head.text.clone()));
        let path = file.path.to_string();
        let change = FileChange::Insert { sum: sum.clone(), line, text: self.line(), with_cr, head };
        Ok(self.make(FileEdit { kept: self.kept(&path), path, change, judge: self.judge(self.typed) }))
    }

    fn line(&self) -> String {
        format!("{} = {}", self.name, self.typed)
    }

    fn own_text(&self, line: &str) -> String {
        match self.setting.technology {
            Technology::Kernel => format!("# Written by vakt tune.set --persist.\n{line}\n"),
            _ => format!("# Written by vakt tune.set --persist.\n[mysqld]\n{line}\n"),
        }
    }

    fn judge(&self, value: &str) -> FileJudge {
        match self.setting.technology {
            Technology::Database => FileJudge::Database { option: self.name.to_string(), value: value.to_owned() },
            Technology::Haproxy => FileJudge::Haproxy { reload: None },
            Technology::Kernel | Technology::Ovs => FileJudge::Nobody,
        }
    }

    pub(super) fn expect(&self, path: &str, is: FileIs) -> FileExpect {
        FileExpect { path: Clean::line(path), name: self.name.clone(), is }
    }

    pub(super) fn make(&self, edit: FileEdit) -> Keeping {
        let brings = self.expect(&edit.path, FileIs::Brings(Clean::line(self.value)));
        let judged = self.expect(&edit.judging(), FileIs::Absent);
        let (before, mut done) = match (&edit.change, edit.change.sum()) {
            (_, Some(sum)) => (
                vec![self.expect(&edit.path, FileIs::Is(sum.clone())), self.expect(&edit.kept, FileIs::Absent)],
                vec![brings, self.expect(&edit.kept, FileIs::Is(sum.clone()))],
            ),
            (FileChange::Create { text }, _) => (
                vec![self.expect(&edit.path, FileIs::Absent)],
                vec![brings, self.expect(&edit.path, FileIs::Is(Clean::line(&sum_of(text.as_bytes()))))],
            ),
            _ => (Vec::new(), Vec::new()),
        };
        done.push(judged);
        Keeping { edit, way: FileWay::Make, before, done, brings: Some(self.value.to_owned()) }
    }

    /// The newest kept version has its name again: what made the present one of it is found in both, and is proven on the
    /// node before anything moves.
    fn put_back(&self, found: &FileValue, files: &'a [SettingsFile]) -> Result<Keeping, Reason> {
        let (file, sum) = self.usable(&found.file, files)?;
        let path = found.file.to_string();
        let start = format!("{path}{KEPT}");
        let is_kept = |file: &&SettingsFile| {
            file.path.as_str().strip_prefix(&start).is_some_and(|when| when.starts_with(|c: char| c.is_ascii_digit()))
        };
        let kept = files.iter().filter(is_kept).max_by_key(|file| &file.path);
        let is_own = [OWN_OPTIONS, OWN_SYSCTL].iter().any(|own| path.ends_with(own));
        let text = self.own_text(found.text.as_str());
        let stands = found.value.as_str();
        if is_own && kept.is_none() && sum.as_str() == sum_of(text.as_bytes()) {
            let change = FileChange::Create { text };
            let edit = FileEdit { kept: self.kept(&path), path: path.clone(), change, judge: self.judge(stands) };
            let before = vec![self.expect(&path, FileIs::Is(sum.clone()))];
            let done = vec![self.expect(&path, FileIs::Absent)];
            return Ok(Keeping { edit, way: FileWay::TakeBack, before, done, brings: None });
        }
        let nothing = |what: String, evidence: Vec<Clean>| {
            let cure = format!("Set the value that it shall have: vakt do tune.set … {} VALUE --persist.", self.name);
            Reason::new(ReasonKind::NoWay, what, evidence, cure)
        };
        let kept = kept.and_then(|kept| Some((kept, kept.sum.as_ref()?)));
        let Some((kept, kept_sum)) = kept else {
            return Err(nothing(format!("No earlier version of {path} is kept on {}.", self.node), Vec::new()));
        };
        let (change, brings) = self.made_of(kept, kept_sum, found, file).ok_or_else(|| {
            let evidence = vec![Clean::line(&format!("{}: the newest is {}", self.node, kept.path))];
            nothing(
                format!("The newest version of {path} that is kept on {} is of another change.", self.node),
                evidence,
            )
        })?;
        let edit = FileEdit { path: path.clone(), kept: kept.path.to_string(), change, judge: self.judge(stands) };
        let before =
            vec![self.expect(&path, FileIs::Is(sum.clone())), self.expect(&edit.kept, FileIs::Is(kept_sum.clone()))];
        let done = vec![self.expect(&path, FileIs::Is(kept_sum.clone())), self.expect(&edit.kept, FileIs::Absent)];
        Ok(Keeping { edit, way: FileWay::TakeBack, before, done, brings })
    }

    /// The change that made the present line of the kept version, and what that one says.
    fn made_of(
        &self,
        kept: &SettingsFile,
        sum: &Clean,
        found: &FileValue,
        file: &SettingsFile,
    ) -> Option<(FileChange, Option<String>)> {
        let former = kept.kept.iter().find(|value| value.name == found.name && value.line == found.line);
        if let Some(former) = former {
            let span = former.span?;
            let (old, new) = (former.text.as_str(), found.text.as_str());
            let behind = old.len().checked_sub((span.column + span.length) as usize)?;
            let text = new.get(span.column as usize..new.len().checked_sub(behind)?)?.to_owned();
            let change = FileChange::Splice {
                sum: sum.clone(),
                line: former.line,
                column: span.column,
                length: span.length,
                text,
                before: former.text.clone(),
                after: found.text.clone(),
            };
            return Some((change, self.setting.unit.canonical(former.value.as_str())));
        }
        let line = found.line.checked_sub(1).filter(|line| *line > 0)?;
        if kept.kept.iter().any(|value| value.name == found.name) {
            return None;
        }
        let head = file.heads.iter().find(|head| head.line == line);
        let (with_cr, head) = head.map_or((false, "".into()), |head| (head.with_cr, head.text.clone()));
        let change = FileChange::Insert { sum: sum.clone(), line, text: found.text.to_string(), with_cr, head };
        Some((change, None))
    }
}
