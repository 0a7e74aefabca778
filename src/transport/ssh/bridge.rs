//! A client library that only knows sockets of this machine talks to a socket on a node.
//!
//! [`reach`] finds the way to the node's socket; [`Bridge`] gives it an end here, in a folder that only this user may
//! enter, which is gone as soon as the client has connected. Dropping the bridge closes both ends: a call of the
//! library that would wait for ever ends with an error.

use super::{
    channel::{Drained, UNREAD_BYTES_MAX},
    route::{self, Failed, Look},
    session::{OpenFault, Session, Target},
    shell::Place,
    stream::BoxStream,
};
use crate::model::{
    link::Way,
    trouble::{Trouble, TroubleKind},
};
use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};
use tokio::{
    io::copy_bidirectional,
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// A relay that cannot connect says so and ends; one that lives for so long has connected.
const RELAY_WAIT: Duration = Duration::from_millis(300);
/// Pause after sudo did not help, before it is asked again.
const SUDO_REST: Duration = Duration::from_secs(5);
/// The look at the node answers a few words.
const LOOK_BYTES_MAX: usize = 4096;
/// The client connects at once, or not at all.
const ACCEPT_WAIT: Duration = Duration::from_secs(5);
/// Longest path of a unix socket.
const PATH_BYTES_MAX: usize = 100;

/// A stream to a socket on the node, by the way that worked last or by looking for one. The way is told.
pub(super) async fn reach(session: &Session, path: &str) -> Result<BoxStream, Trouble> {
    if !route::is_usable_path(path) {
        return Err(internal("the socket's path is not absolute, or has characters other than A-Za-z0-9/._-+@"));
    }
    let result = find(session, path).await;
    let way = result.as_ref().map(|(way, _)| *way).map_err(Clone::clone);
    if !session.is_ended() {
        session.tell_route(path, &way).await;
    }
    result.map(|(_, stream)| Box::new(stream) as BoxStream)
}

async fn find(session: &Session, path: &str) -> Result<(Way, Drained), Trouble> {
    if let Some(trouble) = session.routes.resting(path) {
        return Err(trouble);
    }
    let mut failed: Vec<Failed> = Vec::new();
    let first = session.routes.remembered(path).unwrap_or(Way::StreamLocal);
    let mut ways = vec![first, Way::StreamLocal];
    let mut look = None;
    loop {
        for way in ways {
            if failed.iter().any(|failed| failed.way == way) {
                continue;
            }
            match attempt(session, path, way).await? {
                Ok(stream) => return Ok((way, stream)),
                Err(fault) => failed.push(fault),
            }
        }
        if let Some(look) = look {
            return Err(explained(session, path, &look, &failed));
        }
        let looked = session.shell(&route::look(path), Place::Apart, LOOK_BYTES_MAX, &AtomicBool::default()).await?;
        let found = Look::parse(&looked.bytes);
        ways = found.relays();
        look = Some(found);
    }
}

fn explained(session: &Session, path: &str, look: &Look, failed: &[Failed]) -> Trouble {
    let trouble = route::explain(session.name(), path, look, failed);
    if look.sudo && !look.root && !look.permitted {
        // Every try leaves a line in the node's auth log.
        session.routes.rest(path, &trouble, SUDO_REST);
    }
    trouble
}

/// Tries one way. The outer error: no way would work.
async fn attempt(session: &Session, path: &str, way: Way) -> Result<Result<Drained, Failed>, Trouble> {
    let relay = route::relay(way, path);
    let is_relay = relay.is_some();
    let target = relay.map_or_else(|| Target::Socket(path.to_owned()), Target::Talk);
    let stream = match session.open(target, UNREAD_BYTES_MAX, &AtomicBool::default()).await {
        Ok(stream) => stream,
        Err(OpenFault::Refused(_)) if !is_relay => return Ok(Err(Failed { way, said: String::new() })),
        Err(fault) => return Err(session.open_trouble(&fault)),
    };
    if !is_relay || timeout(RELAY_WAIT, stream.exit()).await.is_err() {
        return Ok(Ok(stream));
    }
    if session.is_ended() {
        return Err(session.end());
    }
    Ok(Err(Failed { way, said: String::from_utf8_lossy(&stream.stderr()).into_owned() }))
}

/// The end of a stream on this machine, for one client.
#[derive(Debug)]
pub(super) struct Bridge {
    path: PathBuf,
    _close: DropGuard,
}

impl Bridge {
    /// Waits for one client of this user, and carries bytes between it and `stream` until either ends or the bridge is
    /// dropped.
    pub(super) fn open(mut stream: BoxStream, tasks: &TaskTracker) -> io::Result<Self> {
        let folder = Folder::make()?;
        let path = folder.0.join("s");
        let listener = UnixListener::bind(&path)?;
        let close = CancellationToken::new();
        let closed = close.clone();
        tasks.spawn(async move {
            let carry = async {
                let Ok(Ok(mut client)) = timeout(ACCEPT_WAIT, accept(&listener)).await else { return };
                // It has its connection: nobody else shall find the way.
                drop((listener, folder));
                // Whichever side ended: the other end is closed with the streams.
                let _ = copy_bidirectional(&mut client, &mut stream).await;
            };
            tokio::select! {
                () = closed.cancelled() => {}
                () = carry => {}
            }
        });
        Ok(Self { path, _close: close.drop_guard() })
    }

    /// Where the client connects.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The first client that belongs to this user.
async fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    loop {
        let (client, _) = listener.accept().await?;
        if client.peer_cred()?.uid() == rustix::process::geteuid().as_raw() {
            return Ok(client);
        }
    }
}

/// A folder that only this user may enter, until it is dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Self> {
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_dir());
        let name = format!("vakt-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let fits = |folder: &PathBuf| folder.as_os_str().len() + name.len() < PATH_BYTES_MAX;
        let base = runtime.filter(fits).unwrap_or_else(env::temp_dir);
        let folder = base.join(name);
        // Fails where the name is taken, whoever took it.
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is an empty folder in a place that the system clears.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn internal(cause: &str) -> Trouble {
    Trouble::new(TroubleKind::Internal, cause, "report this as a bug of vakt, with its configuration")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn bytes_pass_both_ways_and_the_way_is_gone_once_it_is_taken() {
        let (here, mut there) = duplex(64);
        let tasks = TaskTracker::new();
        let bridge = Bridge::open(Box::new(here), &tasks).unwrap();
        let folder = bridge.path().parent().unwrap().to_owned();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let mut client = UnixStream::connect(bridge.path()).await.unwrap();
        client.write_all(b"question").await.unwrap();
        let mut heard = [0; 8];
        there.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"question");
        assert!(!folder.exists());
        there.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }

    #[tokio::test]
    async fn dropping_the_bridge_frees_whoever_waits_on_either_end() {
        let (here, mut there) = duplex(64);
        let tasks = TaskTracker::new();
        let bridge = Bridge::open(Box::new(here), &tasks).unwrap();
        let mut client = UnixStream::connect(bridge.path()).await.unwrap();
        client.write_all(b"x").await.unwrap();
        let mut byte = [0; 1];
        there.read_exact(&mut byte).await.unwrap();
        drop(bridge);
        assert_eq!(client.read(&mut byte).await.unwrap_or(0), 0, "the client's end is closed");
        assert_eq!(there.read(&mut byte).await.unwrap_or(0), 0, "and the node's");
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_bridge_that_nobody_uses_leaves_nothing() {
        let (here, _there) = duplex(64);
        let tasks = TaskTracker::new();
        let bridge = Bridge::open(Box::new(here), &tasks).unwrap();
        let folder = bridge.path().parent().unwrap().to_owned();
        assert!(folder.exists());
        drop(bridge);
        tasks.close();
        tasks.wait().await;
        assert!(!folder.exists());
    }
}
