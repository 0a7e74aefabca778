use super::*;
use proptest::prelude::*;

fn edit(change: FileChange) -> FileEdit {
    FileEdit { path: "/etc/f.cnf".into(), change, kept: "/etc/f.cnf.vakt-1".into(), judge: FileJudge::Nobody }
}

fn splice(file: &[u8], line: u32, column: u32, length: u32, text: &str) -> FileEdit {
    let sum = Clean::line(&sum_of(file));
    let (before, after) = ("old".into(), "new".into());
    edit(FileChange::Splice { sum, line, column, length, text: text.into(), before, after })
}

fn insert(file: &[u8], line: u32, text: &str, with_cr: bool) -> FileEdit {
    let sum = Clean::line(&sum_of(file));
    edit(FileChange::Insert { sum, line, text: text.into(), with_cr, head: "[mysqld]".into() })
}

/// A file, the line, the column and the length of a value there, and the file afterwards.
type Splice = (&'static [u8], u32, u32, u32, &'static [u8]);

#[test]
fn only_the_value_changes() {
    let cases: [Splice; 4] = [
        (b"# x\n[mysqld]\nmax_connections = 200 # why\n", 3, 18, 3, b"# x\n[mysqld]\nmax_connections = 300 # why\n"),
        (b"[mysqld]\r\nmax_connections=200\r\n", 2, 16, 3, b"[mysqld]\r\nmax_connections=300\r\n"),
        (b"[mysqld]\nmax_connections=200", 2, 16, 3, b"[mysqld]\nmax_connections=300"),
        (b"\xff\x00\n\tmax_connections\t=\t200\n\xfe", 2, 19, 3, b"\xff\x00\n\tmax_connections\t=\t300\n\xfe"),
    ];
    for (file, line, column, length, wanted) in cases {
        assert_eq!(splice(file, line, column, length, "300").apply(Some(file)).unwrap(), wanted);
    }
}

#[test]
fn a_line_more_stands_behind_its_head_with_the_files_own_ends() {
    let cases: [(&[u8], u32, bool, &[u8]); 4] = [
        (b"[mysqld]\nx=1\n", 1, false, b"[mysqld]\ny=2\nx=1\n"),
        (b"[mysqld]\r\nx=1\r\n", 1, true, b"[mysqld]\r\ny=2\r\nx=1\r\n"),
        (b"[mysqld]", 1, false, b"[mysqld]\ny=2"),
        (b"[mysqld]\n", 1, false, b"[mysqld]\ny=2\n"),
    ];
    for (file, line, with_cr, wanted) in cases {
        assert_eq!(insert(file, line, "y=2", with_cr).apply(Some(file)).unwrap(), wanted);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let file = b"[mysqld]\nx=1\n";
    assert_eq!(splice(file, 2, 2, 1, "2").apply(Some(b"[mysqld]\nx=3\n")), Err(EditError::Changed));
    assert_eq!(splice(file, 9, 2, 1, "2").apply(Some(file)), Err(EditError::NoPlace));
    assert_eq!(splice(file, 2, 20, 1, "2").apply(Some(file)), Err(EditError::NoPlace));
    assert_eq!(splice(file, 2, 2, 1, "2").apply(None), Err(EditError::Changed));
    let create = edit(FileChange::Create { text: "x=1\n".into() });
    assert_eq!(create.apply(Some(b"")), Err(EditError::Exists));
    assert_eq!(create.apply(None).unwrap(), b"x=1\n");
}

#[test]
fn the_difference_is_the_one_that_diff_prints() {
    let texts = |edit: &FileEdit, way| edit.difference(way).iter().map(ToString::to_string).collect::<Vec<_>>();
    let file = b"[mysqld]\nold\n";
    let change = splice(file, 2, 0, 3, "new");
    assert_eq!(texts(&change, FileWay::Make), ["--- /etc/f.cnf", "+++ /etc/f.cnf", "@@ -2 +2 @@", "-old", "+new"]);
    assert_eq!(texts(&change, FileWay::TakeBack)[3..], ["-new", "+old"]);
    let more = insert(file, 1, "y=2", false);
    assert_eq!(texts(&more, FileWay::Make)[2..], ["@@ -1,0 +2 @@ [mysqld]", "+y=2"]);
    assert_eq!(texts(&more, FileWay::TakeBack)[2..], ["@@ -2 +1,0 @@ [mysqld]", "-y=2"]);
    let whole = edit(FileChange::Create { text: "[mysqld]\ny=2\n".into() });
    assert_eq!(
        texts(&whole, FileWay::Make),
        ["--- /dev/null", "+++ /etc/f.cnf", "@@ -0,0 +1,2 @@", "+[mysqld]", "+y=2"]
    );
}

#[test]
fn only_plain_paths_and_texts_of_one_line_are_sound() {
    let sound = splice(b"x=1\n", 1, 2, 1, "2");
    assert!(sound.is_sound());
    for path in ["f.cnf", "/etc/../f", "/proc/f", "/etc/a b", "/etc/$(id)", "/etc/'"] {
        let kept = format!("{path}.vakt-1");
        assert!(!FileEdit { path: path.into(), kept, ..sound.clone() }.is_sound(), "{path}");
    }
    assert!(!FileEdit { kept: "/etc/g.vakt-1".into(), ..sound.clone() }.is_sound(), "kept beside another file");
    for text in ["", "2\n!include /tmp/x", "2\r"] {
        assert!(!splice(b"x=1\n", 1, 2, 1, text).is_sound(), "{text:?}");
    }
}

proptest! {
    /// Whatever a file holds: behind the change and before it no byte moves, and the place can be found again.
    #[test]
    fn no_other_byte_moves(
        lines in proptest::collection::vec("[ -~\\t]{1,20}(\\r)?", 1..8),
        place in any::<prop::sample::Index>(),
        is_open in any::<bool>(),
        text in "[A-Za-z0-9._]{1,9}",
    ) {
        let mut file = lines.join("\n").into_bytes();
        if !is_open {
            file.push(b'\n');
        }
        let index = place.index(lines.len());
        let bare = lines[index].trim_end_matches('\r');
        let (column, length) = (bare.len() / 2, bare.len() - bare.len() / 2);
        let change = splice(&file, index as u32 + 1, column as u32, length as u32, &text);
        let made = change.apply(Some(&file)).unwrap();
        let at = lines[..index].iter().map(|line| line.len() + 1).sum::<usize>() + column;
        prop_assert_eq!(&made[..at], &file[..at]);
        prop_assert_eq!(&made[at..at + text.len()], text.as_bytes());
        prop_assert_eq!(&made[at + text.len()..], &file[at + length..]);
        let more = insert(&file, index as u32 + 1, &text, false).apply(Some(&file)).unwrap();
        let (old, new) = (file.len(), more.len());
        prop_assert_eq!(new, old + text.len() + 1);
        let kept = [&more[..], b"\n"].concat();
        let found = kept.windows(text.len() + 1).any(|part| part == [text.as_bytes(), b"\n"].concat());
        prop_assert!(found);
    }
}
