//! Folders and files of the state folder: who may use them, and how they come into being whole.
//!
//! Nothing here follows a symbolic link in the last part of a path: in a folder that several people can write to, a link
//! is somebody's way to have us write elsewhere.

use super::{
    place::{Place, SYSTEM},
    trouble::StateTrouble,
};
use rustix::{
    fs::{Access, FlockOperation, Mode, OFlags, access, fchmod, flock},
    process::geteuid,
};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    ops::Deref,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

/// Longest wait for a lock that is held for moments only.
const MOMENT: Duration = Duration::from_secs(2);
/// Breath between two attempts to take a lock.
const AGAIN: Duration = Duration::from_millis(2);

/// Who may read and write what is made in the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The user who made it.
    Private,
    /// The folder's group: it is setgid and group-writable.
    Group,
}

impl Sharing {
    fn folder_mode(self) -> u32 {
        match self {
            Self::Private => 0o700,
            Self::Group => 0o2770,
        }
    }

    fn file_mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Group => 0o660,
        }
    }
}

/// The folder that an operator or the system named: made if need be, and judged.
pub(super) fn root(place: &Place) -> Result<Sharing, StateTrouble> {
    let path = &place.path;
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(StateTrouble::io("make the state folder", path))?;
    }
    let metadata = fs::symlink_metadata(path).map_err(StateTrouble::io("look at the state folder", path))?;
    let sharing = judged(place, path, &metadata)?;
    let own = metadata.uid() == geteuid().as_raw() || metadata.uid() == 0;
    if sharing == Sharing::Private && !own {
        let what = format!("belongs to another user (id {}) and is not shared", metadata.uid());
        return Err(unfit(place, path, what, share_it(path)));
    }
    if access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(unfit(place, path, "cannot be written by you".into(), share_it(path)));
    }
    Ok(sharing)
}

/// A folder below the root, made if need be.
pub(super) fn below(place: &Place, path: &Path, sharing: Sharing) -> Result<(), StateTrouble> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        make(path, sharing).or_else(|error| match error.kind() {
            // Another vakt was faster.
            io::ErrorKind::AlreadyExists => Ok(()),
            _ => Err(StateTrouble::io("make the folder", path)(error)),
        })?;
        sync_parent(path)?;
    }
    let metadata = fs::symlink_metadata(path).map_err(StateTrouble::io("look at the folder", path))?;
    let found = judged(place, path, &metadata)?;
    if sharing == Sharing::Private && metadata.uid() != geteuid().as_raw() {
        let what = format!("belongs to another user (id {})", metadata.uid());
        return Err(unfit(place, path, what, "name another state folder with --state".into()));
    }
    if sharing == Sharing::Group && found != Sharing::Group {
        let what = "is not shared, although the folder above it is".into();
        return Err(unfit(place, path, what, format!("run chmod 2770 {0} and chgrp -R GROUP {0}", path.display())));
    }
    if access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Err(unfit(place, path, "cannot be written by you".into(), share_it(&place.path)));
    }
    Ok(())
}

/// What its kind and mode say, whoever owns it.
fn judged(place: &Place, path: &Path, metadata: &fs::Metadata) -> Result<Sharing, StateTrouble> {
    if metadata.is_symlink() {
        let cure = "name the real folder, or remove the link".into();
        return Err(unfit(place, path, "is a symbolic link".into(), cure));
    }
    if !metadata.is_dir() {
        return Err(unfit(place, path, "is no folder".into(), "remove it, or name another one with --state".into()));
    }
    let mode = metadata.mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        let what = format!("can be written by everybody (mode {:04o})", mode & 0o7777);
        return Err(unfit(place, path, what, format!("run chmod o-w {}", path.display())));
    }
    Ok(if mode & 0o2020 == 0o2020 { Sharing::Group } else { Sharing::Private })
}

fn unfit(place: &Place, path: &Path, what: String, cure: String) -> StateTrouble {
    StateTrouble::Unfit { path: path.to_path_buf(), found: place.found.to_string(), what, cure }
}

fn share_it(path: &Path) -> String {
    let path = if path.starts_with(SYSTEM) { Path::new(SYSTEM) } else { path };
    format!(
        "to share it, let an administrator run: install -d -m 2770 -g GROUP {}; or name your own with --state",
        path.display()
    )
}

/// Makes one folder with its mode, whatever the umask.
pub(super) fn make(path: &Path, sharing: Sharing) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    if sharing == Sharing::Group {
        // The group came from the setgid folder above; only the mode is missing.
        let folder = open_folder(path)?;
        fchmod(&folder, Mode::from_raw_mode(sharing.folder_mode()))?;
    }
    Ok(())
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Opens what is there already.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Neither a link nor a pipe that somebody put there to make us wait.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Makes a file that must not be there, with its mode, whatever the umask.
pub(super) fn create(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = open(path, OpenOptions::new().read(true).append(true).create_new(true).mode(0o600))?;
    fchmod(&file, Mode::from_raw_mode(sharing.file_mode()))?;
    Ok(file)
}

/// Opens a file for appending, which is made whole if it is not there: nobody ever sees it with another mode.
pub(super) fn open_or_create(path: &Path, sharing: Sharing) -> io::Result<File> {
    let existing = || open(path, OpenOptions::new().read(true).append(true));
    match existing() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other,
    }
    let new = beside(path);
    drop(create(&new, sharing)?);
    let linked = fs::hard_link(&new, path);
    fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => existing(),
    }
}

/// Replaces the content of a file in one step.
pub(super) fn replace(path: &Path, sharing: Sharing, content: &[u8]) -> io::Result<()> {
    let new = beside(path);
    let written = create(&new, sharing).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    match written.and_then(|()| fs::rename(&new, path)) {
        Ok(()) => path.parent().map_or(Ok(()), |folder| open_folder(folder)?.sync_all()),
        Err(error) => {
            // What was half written is of no use to anybody.
            let _ = fs::remove_file(&new);
            Err(error)
        }
    }
}

/// A name beside `path` that no other process uses. A leading dot: whoever lists the folder passes it over.
pub(super) fn beside(path: &Path) -> std::path::PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{:08x}", std::process::id(), fastrand::u32(..)))
}

/// Makes the names in the folder above durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), StateTrouble> {
    let Some(folder) = path.parent() else { return Ok(()) };
    open_folder(folder).and_then(|folder| folder.sync_all()).map_err(StateTrouble::io("make durable", folder))
}

/// A file whose lock is held alone, until the value is dropped.
#[derive(Debug)]
pub(super) struct Locked(File);

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing alone is not enough: a program that is being started in this moment has a copy of the descriptor
        // until it is there.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// Takes the file's lock alone, within `wait`: others look at it for moments. `None` when somebody holds it.
///
/// It asks again and again rather than let a thread wait in the kernel: such a thread cannot be called back, and gets the
/// lock when its holder goes, long after its caller was refused.
pub(super) fn lock_alone(file: File, wait: Duration) -> io::Result<Option<Locked>> {
    let mut waits = wait.as_millis() / AGAIN.as_millis();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(Locked(file))),
            Err(rustix::io::Errno::WOULDBLOCK) if waits > 0 => breathe(),
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        waits -= 1;
    }
}

#[expect(clippy::disallowed_methods, reason = "flock has no wait that ends; the attempts are bounded")]
fn breathe() {
    std::thread::sleep(AGAIN);
}

/// Whether somebody holds the file's lock alone.
pub(super) fn is_locked(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => {
            flock(file, FlockOperation::Unlock)?;
            Ok(false)
        }
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Takes a lock that is held for moments only.
pub(super) fn lock_for_a_moment(path: &Path, sharing: Sharing) -> Result<Locked, StateTrouble> {
    let file = open_or_create(path, sharing).map_err(StateTrouble::io("open the lock", path))?;
    let locked = lock_alone(file, MOMENT).map_err(StateTrouble::io("lock", path))?;
    locked.ok_or_else(|| StateTrouble::Busy(path.to_path_buf()))
}
