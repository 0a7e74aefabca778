//! The script that changes a file, run in a real shell on real files: it does what `FileEdit::apply` says, byte for byte, and
//! leaves the file alone where it must.

use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};
use vakt::wire::file_edit::{FileChange, FileEdit, FileJudge, FileWay, sum_of};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("f.cnf")
    }

    fn kept(&self) -> PathBuf {
        self.folder.path().join("f.cnf.vakt-1")
    }

    fn edit(&self, change: FileChange) -> FileEdit {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        FileEdit { path: text(self.path()), kept: text(self.kept()), change, judge: FileJudge::Nobody }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The script itself; that it runs as root is the entry's business, and not this test's.
fn run(edit: &FileEdit, way: FileWay) -> Output {
    let argv = edit.argv(way);
    Command::new("sh").arg("-c").args(&argv[4..]).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn splice(file: &[u8], line: u32, column: u32, length: u32, text: &str) -> FileChange {
    let sum = sum_of(file).as_str().into();
    FileChange::Splice { sum, line, column, length, text: text.into(), before: "b".into(), after: "a".into() }
}

fn insert(file: &[u8], line: u32, text: &str, with_cr: bool) -> FileChange {
    FileChange::Insert { sum: sum_of(file).as_str().into(), line, text: text.into(), with_cr, head: "h".into() }
}

/// There, and back: the same file, not a copy of it.
fn there_and_back(file: &[u8], change: impl Fn() -> FileChange) {
    let place = Place::new();
    fs::write(place.path(), file).unwrap();
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(place.path()).unwrap();
    let edit = place.edit(change());
    let wanted = edit.apply(Some(file)).unwrap();
    let made = run(&edit, FileWay::Make);
    assert!(made.status.success(), "{}", said(&made));
    assert_eq!(fs::read(place.path()).unwrap(), wanted);
    assert_eq!(fs::metadata(place.path()).unwrap().mode(), before.mode());
    assert_eq!(place.names(), ["f.cnf", "f.cnf.vakt-1"]);
    let back = run(&edit, FileWay::TakeBack);
    assert!(back.status.success(), "{}", said(&back));
    assert_eq!(fs::read(place.path()).unwrap(), file);
    let after = fs::metadata(place.path()).unwrap();
    assert_eq!((after.ino(), after.mtime_nsec(), after.mode()), (before.ino(), before.mtime_nsec(), before.mode()));
    assert_eq!(place.names(), ["f.cnf"]);
}

#[test]
fn a_file_is_changed_and_put_back() {
    let files: [&[u8]; 5] = [
        b"# x\n[mysqld]\nmax = 200 # why\n\n",
        b"[mysqld]\r\nmax=200\r\n",
        b"[mysqld]\nmax=200",
        b"\xff\xfe\n\t max\t=\t200\n\x00\n",
        b"'; $(id) `id`\n\\n %s \"\nmax=200\n",
    ];
    for file in files {
        let index =
            file.split(|byte| *byte == b'\n').position(|line| line.windows(3).any(|part| part == b"200")).unwrap();
        let line = file.split(|byte| *byte == b'\n').nth(index).unwrap();
        let column = line.windows(3).position(|part| part == b"200").unwrap() as u32;
        for text in ["300", "1", "1234567890", "a'b\"c$d`e\\f %s"] {
            there_and_back(file, || splice(file, index as u32 + 1, column, 3, text));
        }
        let with_cr = file.contains(&b'\r');
        for line in 1..=file.split(|byte| *byte == b'\n').count() as u32 - u32::from(file.ends_with(b"\n")) {
            there_and_back(file, || insert(file, line, "y = 'x' \\t %d", with_cr));
        }
    }
}

#[test]
fn a_new_file_is_written_and_removed() {
    let place = Place::new();
    let edit = place.edit(FileChange::Create { text: "# '$x'\n[mysqld]\ny = %s\\n\n".into() });
    assert!(run(&edit, FileWay::Make).status.success());
    assert_eq!(fs::read(place.path()).unwrap(), b"# '$x'\n[mysqld]\ny = %s\\n\n");
    assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o644);
    let again = run(&edit, FileWay::Make);
    assert!(!again.status.success() && said(&again).contains("is there already"), "{}", said(&again));
    assert!(run(&edit, FileWay::TakeBack).status.success());
    assert_eq!(place.names(), Vec::<String>::new());
}

/// What is refused, the file afterwards, and nothing beside it.
fn is_left(place: &Place, edit: &FileEdit, way: FileWay, words: &str) {
    let before = (fs::read(place.path()).ok(), place.names());
    let output = run(edit, way);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(said(&output).contains(words), "{words}: {}", said(&output));
    assert_eq!((fs::read(place.path()).ok(), place.names()), before, "{words}");
}

#[test]
fn what_somebody_else_did_stays() {
    let file = b"[mysqld]\nmax=200\n";
    let place = Place::new();
    let edit = place.edit(splice(file, 2, 4, 3, "300"));
    fs::write(place.path(), b"[mysqld]\nmax=250\n").unwrap();
    is_left(&place, &edit, FileWay::Make, "somebody edited it");
    fs::remove_file(place.path()).unwrap();
    is_left(&place, &edit, FileWay::Make, "is no plain file");
    fs::write(place.folder.path().join("other"), file).unwrap();
    symlink(place.folder.path().join("other"), place.path()).unwrap();
    is_left(&place, &edit, FileWay::Make, "is no plain file");
    fs::remove_file(place.path()).unwrap();
    fs::write(place.path(), file).unwrap();
    fs::write(place.kept(), b"another").unwrap();
    is_left(&place, &edit, FileWay::Make, "is there already");
    is_left(&place, &edit, FileWay::TakeBack, "is not the file as it was");
    fs::remove_file(place.kept()).unwrap();
    assert!(run(&edit, FileWay::Make).status.success());
    fs::write(place.path(), b"[mysqld]\nmax=300\n# more\n").unwrap();
    is_left(&place, &edit, FileWay::TakeBack, "was edited since");
}

/// A disk without room: the file stays, and no half of a new one is left beside it.
#[test]
fn a_full_disk_changes_nothing() {
    if !is_root() {
        return;
    }
    let place = Place::new();
    let mount =
        |words: &[&str], at: &Path| Command::new(words[0]).args(&words[1..]).arg(at).status().unwrap().success();
    assert!(mount(&["mount", "-t", "tmpfs", "-o", "size=64k", "none"], place.folder.path()));
    let file = [b"max=200\n".to_vec(), vec![b'#'; 40_000]].concat();
    fs::write(place.path(), &file).unwrap();
    is_left(&place, &place.edit(splice(&file, 1, 4, 3, "300")), FileWay::Make, "No space left");
    assert!(mount(&["mount", "-o", "remount,ro"], place.folder.path()));
    is_left(&place, &place.edit(splice(&file, 1, 4, 3, "300")), FileWay::Make, "Read-only file system");
    assert!(mount(&["umount"], place.folder.path()));
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// A login that may not become root is told so, and nothing happens.
#[test]
fn without_the_right_to_sudo_nothing_happens() {
    let place = Place::new();
    let file = b"max=200\n";
    fs::write(place.path(), file).unwrap();
    let bin = place.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for (name, script) in [("id", "echo 1000"), ("sudo", "echo 'sudo: a password is required' >&2; exit 1")] {
        fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let argv = place.edit(splice(file, 1, 4, 3, "300")).argv(FileWay::Make);
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new(&argv[0]).args(&argv[1..]).env("PATH", path).output().unwrap();
    assert!(!output.status.success() && said(&output).contains("a password is required"), "{}", said(&output));
    assert_eq!(fs::read(place.path()).unwrap(), file);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn the_script_does_what_the_value_says(
        lines in proptest::collection::vec("[ -~\\t]{1,20}\r?", 1..6),
        place in any::<prop::sample::Index>(),
        is_open in any::<bool>(),
        text in "[ -~]{1,12}",
    ) {
        let mut file = lines.join("\n").into_bytes();
        if !is_open {
            file.push(b'\n');
        }
        let index = place.index(lines.len());
        let bare = lines[index].trim_end_matches('\r').len() as u32;
        there_and_back(&file, || splice(&file, index as u32 + 1, bare / 2, bare - bare / 2, &text));
        there_and_back(&file, || insert(&file, index as u32 + 1, &text, index % 2 == 0));
    }
}
