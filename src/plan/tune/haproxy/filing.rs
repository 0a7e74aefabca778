//! The change of the file of HAProxy: the part's own word where it has one, else a word of its own, so that other parts stay
//! as they are.

use super::{
    field::{Field, Seat},
    reload::{self, Carried},
};
use crate::{
    model::{
        figure::Figure,
        ids::NodeName,
        text::Clean,
        tune_act::{Keep, TuneAct},
        tuning::{
            ConfigLine, FileValue, HaproxyConfig, NoStanding, SettingsFile, Standing, Unit, catalogue, value_in_file,
        },
        world::NodeFacts,
    },
    plan::{
        refusal::{Reason, ReasonKind},
        scene::Scene,
        tune::{
            STALE_MS,
            file::FileIs,
            keep::{Keeping, Stand},
        },
    },
    wire::file_edit::{FileChange, FileEdit, FileJudge, FileWay, HaproxyReload, KEPT},
};

/// What is done to a file.
pub(super) struct Filing {
    pub(super) keeping: Keeping,
    /// HAProxy takes it from the file only.
    pub(super) is_reloaded: bool,
    /// What counted before, and stays for others.
    pub(super) inherited: Option<FileValue>,
}

/// What the files of a load balancer say.
pub(super) struct Sheet<'a> {
    pub(super) config: Figure<&'a HaproxyConfig>,
    files: &'a Figure<Vec<SettingsFile>>,
    unit: Unit,
    standing: Result<Standing, Clean>,
    /// A line says it, in words that are not changed.
    is_said_otherwise: bool,
    pub(super) age_ms: u64,
}

impl<'a> Sheet<'a> {
    /// Nothing where they were never read, or not lately.
    pub(super) fn of(scene: &Scene<'a>, facts: &'a NodeFacts, act: &TuneAct) -> Option<Self> {
        let limit_ms = STALE_MS.max(scene.inventory.settings.poll.stale_after_ms);
        let sample = facts.tuning.fresh(scene.now.mono, limit_ms)?;
        let age_ms = facts.tuning.age_ms(scene.now.mono)?;
        let setting = catalogue().find(act.key.as_str())?;
        let found = sample.haproxy.as_ref().map(|config| config.standing(act.key.as_str()));
        let is_said_otherwise = matches!(&found, Figure::Known(Err(NoStanding::OtherWay { .. })));
        let standing = match found {
            Figure::Known(found) => found.map_err(|why| Clean::line(&why.to_string())),
            Figure::Unknown(why) => Err(Clean::line(&why.to_string())),
        };
        Some(Self {
            is_said_otherwise,
            config: sample.haproxy.as_ref(),
            files: &sample.files,
            unit: setting.unit,
            standing,
            age_ms,
        })
    }

    /// The value that counts, in the one text of its unit.
    pub(super) fn counts(&self) -> Option<String> {
        let standing = self.standing.as_ref().ok()?;
        value_in_file(self.unit, standing.counts()?.value.as_str())
    }

    /// What a restart brings: "back 100 (/etc/haproxy/haproxy.cfg:44)".
    pub(super) fn brings(&self, unit: Unit) -> String {
        match &self.standing {
            Err(why) => format!("what its file says, which is not known: {why}"),
            Ok(standing) => match standing.counts() {
                Some(found) => {
                    let value = value_in_file(unit, found.value.as_str());
                    let value = value.map_or_else(|| found.value.to_string(), |value| unit.words(&value));
                    format!("back {value} ({}:{})", found.file, found.line)
                }
                None => "back HAProxy's own value, because no file names it".to_owned(),
            },
        }
    }

    pub(super) fn evidence(&self, node: &NodeName) -> Option<Clean> {
        let found = self.standing.as_ref().ok()?.counts()?;
        Some(Clean::line(&format!("{node}: {}:{} says {}", found.file, found.line, found.text.as_str().trim())))
    }
}

/// The files of a load balancer, where all of them are known.
struct Known<'s> {
    sheet: &'s Sheet<'s>,
    standing: &'s Standing,
    config: &'s HaproxyConfig,
    files: &'s [SettingsFile],
}

fn known<'s>(field: &Field<'_>, seat: &'s Seat<'_>) -> Result<Known<'s>, Box<Reason>> {
    let node = &seat.node.name;
    let unknown = |why: &Clean| {
        Box::new(Reason::new(
            ReasonKind::UnknownFact,
            format!("What the files of HAProxy on {node} say about {} is not known.", field.key),
            vec![Clean::line(&format!("{node}: {why}"))],
            "Name a part as it stands in the file, and let vakt's login read it; vakt tune shows which line counts.",
        ))
    };
    let sheet = seat.sheet.as_ref().ok_or_else(|| unknown(&"they were not read lately".into()))?;
    match (&sheet.standing, sheet.config, sheet.files) {
        (Ok(standing), Figure::Known(config), Figure::Known(files)) => Ok(Known { sheet, standing, config, files }),
        (Err(why), ..) if sheet.is_said_otherwise => Err(Box::new(Reason::new(
            ReasonKind::NotFit,
            format!("The file of HAProxy on {node} says {} in other words than vakt changes.", field.key),
            vec![Clean::line(&format!("{node}: {why}"))],
            "Edit this line by hand.",
        ))),
        (Err(why), ..) => Err(unknown(why)),
        _ => Err(unknown(&"the files themselves are not known".into())),
    }
}

/// What is to be done to a file of a load balancer, and what a reload carries over.
pub(super) fn filing(
    field: &Field<'_>,
    seat: &Seat<'_>,
    scene: &Scene<'_>,
    act: &TuneAct,
    reasons: &mut Vec<Reason>,
) -> (Option<Filing>, Vec<Carried>) {
    let node = &seat.node.name;
    let Known { sheet, standing, config, files } = match known(field, seat) {
        Ok(known) => known,
        Err(reason) => {
            reasons.push(*reason);
            return (None, Vec::new());
        }
    };
    let own = standing.own.as_ref().map(|found| (Clean::line(&field.value), found));
    let stand = Stand {
        node,
        setting: field.setting,
        name: &field.key,
        configured: &Figure::Known(own),
        files: sheet.files,
        folder: None,
        value: &field.value,
        typed: act.value.as_str().trim(),
        now: scene.now,
    };
    let desk = Desk { stand: &stand, standing, config, files, unit: field.setting.unit };
    let made = match field.keep {
        Keep::No => Ok(None),
        Keep::InFile => desk.write(),
        Keep::PutBack => desk.put_back(),
    };
    let made = made.unwrap_or_else(|reason| {
        reasons.push(*reason);
        None
    });
    let Some(mut keeping) = made else { return (None, Vec::new()) };
    let is_reloaded = seat.knobs.is_empty();
    let mut carried = Vec::new();
    let mut reload = None;
    if is_reloaded {
        let state_file;
        (state_file, carried) = reload::carried(seat, config, reasons);
        reload = Some(HaproxyReload { socket: seat.socket.to_owned(), state_file });
        // Where the file did not name it there is no value to say.
        if field.keep == Keep::PutBack && keeping.brings.as_ref().is_some_and(|brings| *brings != field.value) {
            reasons.push(not_that(field, node, &keeping));
        }
    }
    keeping.edit.judge = FileJudge::Haproxy { reload };
    // While HAProxy judges, and is reloaded, it is neither done nor not done.
    let mark = stand.expect(&keeping.edit.judging(), FileIs::Absent);
    for checks in [&mut keeping.before, &mut keeping.done] {
        if !checks.contains(&mark) {
            checks.push(mark.clone());
        }
    }
    let inherited = standing.inherited.clone().filter(|_| standing.own.is_none() && field.keep == Keep::InFile);
    (Some(Filing { keeping, is_reloaded, inherited }), carried)
}

fn not_that(field: &Field<'_>, node: &NodeName, keeping: &Keeping) -> Reason {
    let says = keeping
        .brings
        .as_ref()
        .map_or_else(|| "does not name it".to_owned(), |value| format!("says {}", field.setting.unit.words(value)));
    Reason::new(
        ReasonKind::NotFit,
        format!("The file on {node} as it was {says}, not {}.", field.value_words()),
        vec![Clean::line(&format!("{node}: {}", keeping.edit.kept))],
        "Name the value that the file had, or set another one with --persist.",
    )
}

/// One file, and what is to become of it.
struct Desk<'a> {
    stand: &'a Stand<'a>,
    standing: &'a Standing,
    config: &'a HaproxyConfig,
    files: &'a [SettingsFile],
    unit: Unit,
}

type Made = Result<Option<Keeping>, Box<Reason>>;

impl Desk<'_> {
    fn canonical(&self, value: &FileValue) -> Option<String> {
        value_in_file(self.unit, value.value.as_str())
    }

    /// The part says the value itself.
    fn write(&self) -> Made {
        let (stand, standing) = (self.stand, self.standing);
        if standing.counts().and_then(|found| self.canonical(found)).as_deref() == Some(stand.value)
            && standing.others.is_empty()
        {
            return Ok(None);
        }
        if let Some(other) = standing.others.first() {
            let lines = standing.others.iter().take(5);
            return Err(Box::new(Reason::new(
                ReasonKind::NotFit,
                format!(
                    "Servers on {} say it for themselves, and the line of the backend does not count there.",
                    stand.node
                ),
                lines
                    .map(|found| Clean::line(&format!("{}:{} {}", found.file, found.line, found.text.as_str().trim())))
                    .collect(),
                format!("Set it server by server; the first is in line {}.", other.line),
            )));
        }
        let (path, change) = match (&standing.own, &standing.spot) {
            (Some(own), _) => (own.file.clone(), self.other_value(own)?),
            (None, Some(spot)) => {
                let (at, words) = (&spot.at, format!("{} {}", spot.words, stand.typed));
                let (_, sum) = stand.usable(&at.file, self.files).map_err(Box::new)?;
                if !at.is_exact {
                    return Err(Box::new(no_text(stand.node, at)));
                }
                let change = match spot.column {
                    Some(column) => {
                        let text = at.text.as_str();
                        let after = [text.get(..column), Some(&words), text.get(column..)];
                        FileChange::Splice {
                            sum: sum.clone(),
                            line: at.line,
                            column: u32::try_from(column).unwrap_or(u32::MAX),
                            length: 0,
                            text: words.clone(),
                            before: at.text.clone(),
                            after: Clean::line(&after.into_iter().flatten().collect::<String>()),
                        }
                    }
                    None => FileChange::Insert {
                        sum: sum.clone(),
                        line: at.line,
                        text: words,
                        with_cr: at.with_cr,
                        head: at.text.clone(),
                    },
                };
                (at.file.clone(), change)
            }
            (None, None) => return Ok(None),
        };
        let path = path.to_string();
        let edit = FileEdit { kept: stand.kept(&path), path, change, judge: FileJudge::Haproxy { reload: None } };
        Ok(Some(stand.make(edit)))
    }

    /// Another value in the line that says it.
    fn other_value(&self, own: &FileValue) -> Result<FileChange, Box<Reason>> {
        let stand = self.stand;
        let (_, sum) = stand.usable(&own.file, self.files).map_err(Box::new)?;
        let Some(span) = own.span else {
            return Err(Box::new(Reason::new(
                ReasonKind::NotFit,
                format!(
                    "Line {} of {} on {} holds its value in quotes, or bytes that are no plain text.",
                    own.line, own.file, stand.node
                ),
                vec![Clean::line(&format!("{}: {}", stand.node, own.text))],
                "Edit this line by hand.",
            )));
        };
        let shown = own.text.as_str();
        let (start, end) = (span.column as usize, (span.column + span.length) as usize);
        let after = [shown.get(..start), Some(stand.typed), shown.get(end..)];
        Ok(FileChange::Splice {
            sum: sum.clone(),
            line: own.line,
            column: span.column,
            length: span.length,
            text: stand.typed.to_owned(),
            before: own.text.clone(),
            after: Clean::line(&after.into_iter().flatten().collect::<String>()),
        })
    }

    /// The newest kept version has its name again, if all that differs is what this setting says.
    fn put_back(&self) -> Made {
        let stand = self.stand;
        let Some(own) = &self.standing.own else { return Ok(None) };
        let (_, sum) = stand.usable(&own.file, self.files).map_err(Box::new)?;
        let start = format!("{}{KEPT}", own.file);
        let is_kept = |file: &&SettingsFile| {
            file.path.as_str().strip_prefix(&start).is_some_and(|when| when.starts_with(|c: char| c.is_ascii_digit()))
        };
        let kept = self.files.iter().filter(is_kept).max_by_key(|file| &file.path);
        let nothing = |what: String, evidence: Vec<Clean>| {
            let cure = format!("Set the value that it shall have: vakt do tune.set … {} VALUE --persist.", stand.name);
            Box::new(Reason::new(ReasonKind::NoWay, what, evidence, cure))
        };
        let Some((kept, kept_sum)) = kept.and_then(|kept| Some((kept, kept.sum.as_ref()?))) else {
            return Err(nothing(format!("No earlier version of {} is kept on {}.", own.file, stand.node), Vec::new()));
        };
        let former = self.config.standing_in_kept(stand.name.as_str(), &own.file, &kept.path);
        let change = former.as_ref().ok().and_then(|former| self.made_of(own, &kept.path, kept_sum, former));
        let (Some(change), Ok(former)) = (change, former) else {
            return Err(nothing(
                format!("The newest version of {} that is kept on {} is of another change.", own.file, stand.node),
                vec![Clean::line(&format!("{}: the newest is {}", stand.node, kept.path))],
            ));
        };
        let path = own.file.to_string();
        let judge = FileJudge::Haproxy { reload: None };
        let edit = FileEdit { kept: kept.path.to_string(), path: path.clone(), change, judge };
        let is = |path: &str, sum: &Clean| stand.expect(path, FileIs::Is(sum.clone()));
        let before = vec![is(&path, sum), is(&edit.kept, kept_sum)];
        let done = vec![is(&path, kept_sum), stand.expect(&edit.kept, FileIs::Absent)];
        let brings = former.counts().and_then(|found| self.canonical(found));
        Ok(Some(Keeping { edit, way: FileWay::TakeBack, before, done, brings }))
    }

    /// The change that made the present file of the kept one; the node proves it byte for byte before anything moves.
    fn made_of(&self, own: &FileValue, kept: &Clean, sum: &Clean, former: &Standing) -> Option<FileChange> {
        let of = |lines: &'_ [ConfigLine], file: &Clean| -> Vec<ConfigLine> {
            lines.iter().filter(|line| line.file == *file).cloned().collect()
        };
        let (now, then) = (of(&self.config.lines, &own.file), of(&self.config.kept, kept));
        let at = now.iter().position(|line| line.line == own.line)?;
        let new = now.get(at).filter(|line| line.is_exact)?;
        if now.len() == then.len() + 1 {
            let (line, head) = (own.line.checked_sub(1)?, at.checked_sub(1).and_then(|place| now.get(place))?);
            let (text, with_cr) = (new.text.to_string(), new.with_cr);
            return Some(FileChange::Insert { sum: sum.clone(), line, text, with_cr, head: head.text.clone() });
        }
        let old = then.get(at).filter(|line| line.line == own.line && line.is_exact && now.len() == then.len())?;
        let was = former.own.as_ref().filter(|was| was.line == own.line);
        let (column, length) = match was.map(|was| was.span) {
            Some(span) => (span?.column as usize, span?.length as usize),
            // A word was added.
            None => (self.standing.spot_of_word(own)?, 0),
        };
        let behind = old.text.as_str().len().checked_sub(column + length)?;
        let text = new.text.as_str().get(column..new.text.as_str().len().checked_sub(behind)?)?.to_owned();
        Some(FileChange::Splice {
            sum: sum.clone(),
            line: own.line,
            column: u32::try_from(column).ok()?,
            length: u32::try_from(length).ok()?,
            text,
            before: old.text.clone(),
            after: new.text.clone(),
        })
    }
}

fn no_text(node: &NodeName, at: &ConfigLine) -> Reason {
    Reason::new(
        ReasonKind::NotFit,
        format!("Line {} of {} on {node} holds bytes that are no plain text.", at.line, at.file),
        vec![Clean::line(&format!("{node}: {}", at.text))],
        "Edit this line by hand.",
    )
}

/// The value of the line that counts, where one does.
pub(super) fn value_of_file(config: &HaproxyConfig, key: &str) -> Option<String> {
    let setting = catalogue().find(key)?;
    value_in_file(setting.unit, config.standing(key).ok()?.counts()?.value.as_str())
}
