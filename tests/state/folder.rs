//! Where the state folder is, who may use it, and what is refused in which words.

use super::{Bed, Ends, carry_out, holder, place, records};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::{Path, PathBuf},
};
use vakt::{
    model::ids::ClusterName,
    runtime::state::{BastionLock, Found, Place, Sharing, Sought, StateDir},
};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn refused(path: &Path) -> String {
    StateDir::open(&place(path), &ClusterName::new("oslo-prod")).unwrap_err().to_string()
}

/// A file or folder: its path, whether it is a folder, its permission bits, its group.
type Made = (PathBuf, bool, u32, u32);

/// Everything below.
fn modes(folder: &Path) -> Vec<Made> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        found.push((path.clone(), metadata.is_dir(), metadata.mode() & 0o7777, metadata.gid()));
        if metadata.is_dir() {
            found.extend(modes(&path));
        }
    }
    found
}

fn everything_made(root: &Path) -> Vec<Made> {
    let state = StateDir::open(&place(root), &ClusterName::new("oslo-prod")).unwrap();
    let (id, _) = carry_out(&state, records(0, Ends::Reached));
    state.fold().unwrap();
    let lock = BastionLock::take(&state, &holder(1)).unwrap();
    let found = modes(root);
    for name in ["lock", "lock.holder", "heads", "ledger.json", "index.lock"] {
        assert!(found.iter().any(|(path, ..)| path.ends_with(name)), "{name} was not made");
    }
    assert!(found.iter().any(|(path, ..)| path.ends_with(format!("{id}/journal.jsonl"))));
    drop(lock);
    found
}

#[test]
fn a_private_folder_is_the_users_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("a/b/state");
    for (path, is_folder, mode, _) in everything_made(&root) {
        assert_eq!(mode, if is_folder { 0o700 } else { 0o600 }, "{}", path.display());
    }
    assert_eq!(fs::metadata(&root).unwrap().mode() & 0o7777, 0o700);
}

/// The usual umask takes the group's write permission away; it must be given nevertheless.
#[test]
fn in_a_shared_folder_the_group_reads_and_writes_everything() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    fs::create_dir(&root).unwrap();
    chmod(&root, 0o2770);
    for (path, is_folder, mode, group) in everything_made(&root) {
        assert_eq!(mode, if is_folder { 0o2770 } else { 0o660 }, "{}", path.display());
        assert_eq!(group, fs::metadata(&root).unwrap().gid());
    }
    let state = StateDir::open(&place(&root), &ClusterName::new("oslo-prod")).unwrap();
    assert_eq!(state.sharing(), Sharing::Group);
}

#[test]
fn a_folder_that_everybody_can_write_to_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    fs::create_dir(&root).unwrap();
    chmod(&root, 0o777);
    let path = root.display();
    assert_eq!(
        refused(&root),
        format!("state folder {path} (from --state) can be written by everybody (mode 0777); run chmod o-w {path}")
    );
    // As in /tmp: nobody can replace what is ours.
    chmod(&root, 0o1777);
    StateDir::open(&place(&root), &ClusterName::new("oslo-prod")).unwrap();
}

#[test]
fn a_link_or_a_file_in_place_of_a_folder_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (real, link, file) = (scratch.path().join("real"), scratch.path().join("link"), scratch.path().join("file"));
    fs::create_dir(&real).unwrap();
    symlink(&real, &link).unwrap();
    fs::write(&file, "").unwrap();
    assert!(refused(&link).ends_with("is a symbolic link; name the real folder, or remove the link"));
    assert!(refused(&file).ends_with("is no folder; remove it, or name another one with --state"));
    // The same one level below.
    symlink(scratch.path(), real.join("oslo-prod")).unwrap();
    assert!(refused(&real).contains("oslo-prod (from --state) is a symbolic link"));
}

#[test]
fn a_link_in_place_of_a_file_is_not_followed() {
    let bed = Bed::new();
    let state = bed.state();
    let victim = bed.file("victim");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, bed.file("lock")).unwrap();
    BastionLock::take(&state, &holder(1)).unwrap_err();
    symlink(&victim, bed.file("heads")).unwrap();
    state.heads().unwrap_err();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

/// Root may write everywhere; what a user may not is asked of the kernel under another user id, in a child.
#[test]
fn a_folder_that_cannot_be_written_says_the_line_that_makes_it_shared() {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("state");
    fs::create_dir(&root).unwrap();
    if rustix::process::geteuid().is_root() {
        // Another user's private folder is refused even to root: its owner could not use what root leaves there.
        std::os::unix::fs::chown(&root, Some(4711), Some(4711)).unwrap();
        chmod(&root, 0o700);
        let message = refused(&root);
        assert!(message.contains("belongs to another user (id 4711) and is not shared"), "{message}");
        assert!(message.contains(&format!("install -d -m 2770 -g GROUP {}", root.display())), "{message}");
    } else {
        chmod(&root, 0o500);
        let message = refused(&root);
        assert!(message.contains("cannot be written by you"), "{message}");
        assert!(message.contains(&format!("install -d -m 2770 -g GROUP {}", root.display())), "{message}");
    }
}

#[test]
fn the_first_place_that_is_named_counts() {
    let nothing = Sought {
        flag: None,
        environment: None,
        configured: None,
        system: "/nonexistent/vakt".into(),
        xdg_state_home: None,
        home: None,
    };
    assert!(nothing.clone().place().unwrap_err().to_string().contains("name one with --state"));
    let mut sought = Sought { home: Some("/home/eva".into()), ..nothing };
    let expect = |sought: &Sought, path: &str, found: Found| {
        assert_eq!(sought.clone().place().unwrap(), Place { path: path.into(), found });
    };
    expect(&sought, "/home/eva/.local/state/vakt", Found::Home);
    sought.xdg_state_home = Some("/home/eva/state".into());
    expect(&sought, "/home/eva/state/vakt", Found::Home);
    let scratch = tempfile::tempdir().unwrap();
    sought.system = scratch.path().to_path_buf();
    expect(&sought, scratch.path().to_str().unwrap(), Found::System);
    sought.configured = Some("/c".into());
    expect(&sought, "/c", Found::Configuration);
    sought.environment = Some("/e".into());
    expect(&sought, "/e", Found::Environment);
    sought.flag = Some("/f".into());
    expect(&sought, "/f", Found::Flag);
}
