//! A socket that talks as MariaDB does, or does not.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    task::JoinHandle,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    Well,
    /// Accepts and never greets: frozen.
    Frozen,
    /// Speaks another protocol.
    Stranger,
    /// Refuses every login.
    Refuses,
    /// Has no connection left.
    Crowded,
    /// Wants the password in clear.
    Curious,
    /// Answers statements never.
    Hangs,
    /// Answers with rows without end.
    Endless,
    /// Says that more columns follow than there are atoms.
    Boundless,
    /// Sends frames without a byte.
    Empty,
    /// Wants a file of the client's.
    Greedy,
    /// Knows no table.
    Ignorant,
    /// Ends the conversation at the next statement, once.
    Restarting,
}

pub(super) struct FakeMysql {
    pub(super) path: PathBuf,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    statements: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl FakeMysql {
    pub(super) fn start(folder: &Path) -> Self {
        let path = folder.join("mysqld.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mood = Arc::new(Mutex::new(Mood::Well));
        let (connections, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let statements = Arc::new(Mutex::new(Vec::new()));
        let task = {
            let (mood, connections, open) = (Arc::clone(&mood), Arc::clone(&connections), Arc::clone(&open));
            let statements = Arc::clone(&statements);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    connections.fetch_add(1, Ordering::SeqCst);
                    open.fetch_add(1, Ordering::SeqCst);
                    let (mood, open, statements) = (Arc::clone(&mood), Arc::clone(&open), Arc::clone(&statements));
                    tokio::spawn(async move {
                        let _ = serve(stream, &mood, &statements).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            })
        };
        Self { path, mood, connections, open, statements, task }
    }

    pub(super) fn socket(&self) -> &str {
        self.path.to_str().unwrap()
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Connections so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Connections that have not ended.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn statements(&self) -> Vec<String> {
        self.statements.lock().unwrap().clone()
    }
}

impl Drop for FakeMysql {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn send(stream: &mut UnixStream, number: &mut u8, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    stream.write_all(&[&length[..3], &[*number], payload].concat()).await?;
    *number = number.wrapping_add(1);
    Ok(())
}

/// The payload of the next packet; `None` at the end.
async fn receive(stream: &mut UnixStream, number: &mut u8) -> Option<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.ok()?;
    *number = header[3].wrapping_add(1);
    let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

fn greeting() -> Vec<u8> {
    // Protocol 4.1, secure connection, plugins for authentication.
    let capabilities = 0x0008_8201_u32.to_le_bytes();
    [
        b"\x0a5.5.5-10.11.19-fake\0".as_slice(),
        &7_u32.to_le_bytes(),
        b"12345678\0",
        &capabilities[..2],
        &[45, 2, 0],
        &capabilities[2..],
        &[21],
        &[0; 10],
        b"123456789012\0mysql_native_password\0",
    ]
    .concat()
}

fn refusal(code: u16, message: &str) -> Vec<u8> {
    [&[0xff], code.to_le_bytes().as_slice(), b"#28000", message.as_bytes()].concat()
}

const OK: [u8; 7] = [0, 0, 0, 2, 0, 0, 0];
const END: [u8; 5] = [0xfe, 0, 0, 2, 0];

async fn serve(mut stream: UnixStream, mood: &Mutex<Mood>, statements: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let now = || *mood.lock().unwrap();
    let mut number = 0;
    match now() {
        Mood::Frozen => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return Ok(());
        }
        Mood::Stranger => return stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await,
        Mood::Crowded => return send(&mut stream, &mut number, &refusal(1040, "Too many connections")).await,
        _ => send(&mut stream, &mut number, &greeting()).await?,
    }
    let Some(login) = receive(&mut stream, &mut number).await else { return Ok(()) };
    match now() {
        Mood::Refuses => {
            let user = login[32..].split(|byte| *byte == 0).next().unwrap_or_default();
            let message = format!("Access denied for user '{}'@'localhost'", String::from_utf8_lossy(user));
            return send(&mut stream, &mut number, &refusal(1698, &message)).await;
        }
        Mood::Curious => {
            send(&mut stream, &mut number, b"\xfemysql_clear_password\0").await?;
            let leaked = receive(&mut stream, &mut number).await;
            statements.lock().unwrap().extend(leaked.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
            return Ok(());
        }
        _ => send(&mut stream, &mut number, &OK).await?,
    }
    while let Some(command) = receive(&mut stream, &mut number).await {
        if command.first() != Some(&3) {
            return Ok(());
        }
        let sql = String::from_utf8_lossy(&command[1..]).into_owned();
        let is_setting = sql.starts_with("set session");
        statements.lock().unwrap().push(sql.clone());
        if is_setting {
            let refused = sql.contains("max_execution_time");
            let unknown = refusal(1193, "Unknown system variable 'max_execution_time'");
            send(&mut stream, &mut number, if refused { &unknown } else { &OK }).await?;
            continue;
        }
        if !answer(&mut stream, &mut number, mood).await? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether the conversation goes on.
async fn answer(stream: &mut UnixStream, number: &mut u8, mood: &Mutex<Mood>) -> std::io::Result<bool> {
    let now = *mood.lock().unwrap();
    match now {
        Mood::Hangs => {
            let _ = stream.read_to_end(&mut Vec::new()).await;
            return Ok(false);
        }
        Mood::Restarting => {
            *mood.lock().unwrap() = Mood::Well;
            return Ok(false);
        }
        Mood::Boundless => {
            send(stream, number, &[0xfe, 255, 255, 255, 255, 255, 255, 255, 127]).await?;
            return Ok(true);
        }
        Mood::Empty => {
            send(stream, number, &[]).await?;
            return Ok(true);
        }
        Mood::Greedy => {
            send(stream, number, b"\xfb/etc/passwd").await?;
            return Ok(true);
        }
        Mood::Ignorant => {
            send(stream, number, &refusal(1146, "Table 'x.y' doesn't exist")).await?;
            return Ok(true);
        }
        _ => {}
    }
    send(stream, number, &[2]).await?;
    for name in ["Variable_name", "Value"] {
        send(stream, number, &column(name)).await?;
    }
    send(stream, number, &END).await?;
    send(stream, number, b"\x04name\xfb").await?;
    let big = [b"\x04long\xfd".as_slice(), &1_000_000_u32.to_le_bytes()[..3], &vec![b'x'; 1_000_000]].concat();
    if now == Mood::Endless {
        loop {
            send(stream, number, &big).await?;
        }
    }
    send(stream, number, b"\x03tab\x03a\tb").await?;
    send(stream, number, &END).await?;
    Ok(true)
}

fn column(name: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    [
        text("def"),
        text(""),
        text(""),
        text(""),
        text(name),
        text(name),
        vec![12, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0],
    ]
    .concat()
}
