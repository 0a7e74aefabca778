//! A channel as a socket on this machine: the client library opens paths only.
//!
//! The socket stands in a folder that only this user may enter, takes one connection of this user, and is removed as
//! soon as it has it: no path and no listener outlives the moment. Dropping the bridge ends the connection at once, and
//! with it whatever waits for an answer.

use super::mysql_frames::{FrameFault, Frames};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{UnixListener, UnixStream},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

/// The library connects at once.
const ACCEPT_WAIT_MAX: Duration = Duration::from_secs(2);
/// One read.
const CHUNK_BYTES: usize = 16 * 1024;
/// Longest path of a socket, by the system's rule, without the final NUL.
const PATH_BYTES_MAX: usize = 107;

/// One bridged connection.
#[derive(Debug)]
pub(super) struct Bridge {
    watched: Arc<Mutex<Watched>>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Watched {
    frames: Frames,
    fault: Option<FrameFault>,
}

impl Bridge {
    /// Bridges `channel`, from which `greeting` was read already. The path takes one connection, within seconds.
    pub(super) fn open<S>(channel: S, greeting: Vec<u8>, tasks: &TaskTracker) -> io::Result<(Self, PathBuf)>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let folder = Folder::new()?;
        let path = folder.0.join("s");
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let stop = CancellationToken::new();
        let watched = Arc::new(Mutex::new(Watched::default()));
        let (stopped, shared) = (stop.clone(), Arc::clone(&watched));
        tasks.spawn(async move {
            let accepted = tokio::select! {
                () = stopped.cancelled() => return,
                accepted = timeout(ACCEPT_WAIT_MAX, listener.accept()) => accepted,
            };
            drop((listener, folder));
            let Ok(Ok((client, _))) = accepted else { return };
            if client.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw()) {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    _ = carry(channel, client, greeting, &shared) => {}
                }
            }
        });
        Ok((Self { watched, _stop: stop.drop_guard() }, path))
    }

    /// So many bytes may come from here on.
    pub(super) fn allow(&self, bytes: usize) {
        lock(&self.watched).frames.allow(bytes);
    }

    /// Why it was closed, if for what the server sent.
    pub(super) fn fault(&self) -> Option<FrameFault> {
        lock(&self.watched).fault.clone()
    }

    /// Whether the server has accepted the login.
    pub(super) fn is_logged_in(&self) -> bool {
        lock(&self.watched).frames.is_logged_in()
    }
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both directions, until one of them ends.
async fn carry<S>(channel: S, client: UnixStream, greeting: Vec<u8>, watched: &Mutex<Watched>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut from_server, mut to_server) = split(channel);
    let (mut from_client, mut to_client) = split(client);
    let answers = async {
        let mut bytes = greeting;
        while !bytes.is_empty() {
            let judged = lock(watched).frames.take(&bytes);
            if let Err(fault) = judged {
                lock(watched).fault = Some(fault);
                break;
            }
            to_client.write_all(&bytes).await?;
            bytes.resize(CHUNK_BYTES, 0);
            let length = from_server.read(&mut bytes).await?;
            bytes.truncate(length);
        }
        io::Result::Ok(())
    };
    let questions = async {
        let mut bytes = vec![0; CHUNK_BYTES];
        loop {
            let length = from_client.read(&mut bytes).await?;
            if length == 0 {
                return io::Result::Ok(());
            }
            lock(watched).frames.sent();
            to_server.write_all(&bytes[..length]).await?;
            to_server.flush().await?;
        }
    };
    tokio::select! {
        ended = answers => ended,
        ended = questions => ended,
    }
}

/// A folder that only this user may enter, removed with what is in it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let name = format!("vakt-{}-{:016x}", std::process::id(), fastrand::u64(..));
        let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|folder| folder.is_absolute());
        let fits = |folder: &Path| folder.join(&name).as_os_str().len() + "/s".len() <= PATH_BYTES_MAX;
        let places = session.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
        let mut last = io::Error::other("no folder for a socket has a short enough path");
        for place in places.filter(|place| fits(place)) {
            let folder = place.join(&name);
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is an empty folder of ours; there is nobody to tell.
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bridge_takes_one_connection_and_leaves_no_path() {
        let (ours, mut server) = tokio::io::duplex(1 << 16);
        let tasks = TaskTracker::new();
        let (bridge, path) = Bridge::open(ours, b"\x0a\0\0\0\x0a10.11\0xxx".to_vec(), &tasks).unwrap();
        let folder = path.parent().unwrap().to_owned();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let mut client = UnixStream::connect(&path).await.unwrap();
        let mut greeting = [0; 14];
        client.read_exact(&mut greeting).await.unwrap();
        assert!(!path.exists() && !folder.exists());
        client.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        server.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
        drop(bridge);
        assert_eq!(client.read(&mut greeting).await.unwrap_or(0), 0, "dropping the bridge ends the connection");
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn what_is_not_the_protocol_does_not_reach_the_client() {
        let (ours, _server) = tokio::io::duplex(1 << 16);
        let tasks = TaskTracker::new();
        let (bridge, path) = Bridge::open(ours, b"SSH-2.0-OpenSSH\r\n".to_vec(), &tasks).unwrap();
        let mut client = UnixStream::connect(&path).await.unwrap();
        let mut bytes = Vec::new();
        let _ = client.read_to_end(&mut bytes).await;
        assert!(bytes.is_empty());
        assert_eq!(bridge.fault(), Some(FrameFault::NotMysql));
    }
}
