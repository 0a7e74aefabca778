//! A folder as `/run/openvswitch`: the database's socket, the daemon's control socket and its process number. The
//! database says what the lab's said; the process is a sleeping one of this test's own.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::broadcast,
    task::JoinHandle,
};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Accepts and says nothing.
    Frozen,
    /// Answers the greeting, then bytes that are no JSON, then a flood that does not end.
    Hostile,
}

pub(super) struct FakeSwitch {
    pub(super) folder: PathBuf,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    /// What every open conversation is to be told.
    news: broadcast::Sender<String>,
    database: JoinHandle<()>,
    control: JoinHandle<()>,
    process: Child,
}

fn capture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures/ovs/3.1.0").join(name);
    fs::read_to_string(path).unwrap()
}

impl FakeSwitch {
    pub(super) fn start(folder: &Path) -> Self {
        let folder = folder.join("openvswitch");
        fs::create_dir_all(&folder).unwrap();
        // The kernel names a process after the path of its program. A link, because a copy that was just written cannot
        // be run while a child of another test still has it open.
        let program = folder.join("ovs-vswitchd");
        if !program.exists() {
            std::os::unix::fs::symlink("/bin/sleep", &program).unwrap();
        }
        let process = Command::new(&program).arg("600").spawn().unwrap();
        fs::write(folder.join("ovs-vswitchd.pid"), format!("{}\n", process.id())).unwrap();
        let (mood, connections) = (Arc::new(Mutex::new(Mood::Well)), Arc::new(AtomicUsize::new(0)));
        let (news, _) = broadcast::channel(64);
        let listener = UnixListener::bind(folder.join("db.sock")).unwrap();
        let database = tokio::spawn(listen(listener, Arc::clone(&mood), Arc::clone(&connections), news.clone()));
        let control = folder.join(format!("ovs-vswitchd.{}.ctl", process.id()));
        let control = tokio::spawn(control_socket(UnixListener::bind(control).unwrap(), Arc::clone(&mood)));
        Self { folder, mood, connections, news, database, control, process }
    }

    pub(super) fn socket(&self) -> String {
        self.folder.join("db.sock").to_str().unwrap().to_owned()
    }

    pub(super) fn folder(&self) -> String {
        self.folder.to_str().unwrap().to_owned()
    }

    pub(super) fn pid(&self) -> u64 {
        u64::from(self.process.id())
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The database tells a change of the port `priv0`: another tag.
    pub(super) fn tell_tag(&self, tag: u16) {
        let rows: serde_json::Value = serde_json::from_str(&capture("lab-kvm01.reload.json")).unwrap();
        let ports = rows["result"][2]["Port"].as_object().unwrap();
        let (uuid, _) = ports.iter().find(|(_, row)| row["initial"]["name"] == "priv0").unwrap();
        let update = serde_json::json!({ "Port": { uuid: { "modify": { "tag": tag } } } });
        let message = serde_json::json!({
            "method": "update3", "id": null, "params": ["vakt-1", "00000000-0000-0000-0000-000000000000", update],
        });
        self.news.send(message.to_string()).unwrap();
    }

    /// The daemon dies; its number stays written down.
    pub(super) fn kill_daemon(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.control.abort();
    }
}

impl Drop for FakeSwitch {
    fn drop(&mut self) {
        self.database.abort();
        self.control.abort();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn listen(
    listener: UnixListener,
    mood: Arc<Mutex<Mood>>,
    connections: Arc<AtomicUsize>,
    news: broadcast::Sender<String>,
) {
    let mut talks = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.fetch_add(1, Ordering::SeqCst);
        talks.spawn(talk(stream, Arc::clone(&mood), news.subscribe()));
    }
}

/// Requests come one in a piece: the client waits for nothing between them, and they are short.
async fn talk(mut stream: UnixStream, mood: Arc<Mutex<Mood>>, mut news: broadcast::Receiver<String>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let count = tokio::select! {
            count = stream.read(&mut buffer) => count.unwrap_or(0),
            Ok(message) = news.recv() => {
                if stream.write_all(message.as_bytes()).await.is_err() {
                    return;
                }
                continue;
            }
        };
        if count == 0 {
            return;
        }
        let requests = serde_json::Deserializer::from_slice(&buffer[..count]).into_iter::<serde_json::Value>();
        for request in requests.map_while(Result::ok) {
            let now = *mood.lock().unwrap();
            let answer = match (now, request["method"].as_str()) {
                (Mood::Frozen, _) => continue,
                (_, Some("echo")) => {
                    serde_json::json!({"id": request["id"], "result": request["params"], "error": null}).to_string()
                }
                (Mood::Hostile, _) => {
                    let _ = stream.write_all(b"\x1b[2J{\"id\":").await;
                    // Until nobody reads any more.
                    while stream.write_all(&[b'['; 4096]).await.is_ok() {}
                    return;
                }
                (_, Some("get_schema")) => capture("schema.json"),
                (_, Some("monitor_cond_since")) => capture("lab-kvm01.reload.json"),
                _ => continue,
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn control_socket(listener: UnixListener, mood: Arc<Mutex<Mood>>) {
    let mut talks = tokio::task::JoinSet::new();
    while let Ok((mut stream, _)) = listener.accept().await {
        let mood = Arc::clone(&mood);
        talks.spawn(async move {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                let requests = serde_json::Deserializer::from_slice(&buffer[..count]).into_iter::<serde_json::Value>();
                for request in requests.map_while(Result::ok) {
                    if *mood.lock().unwrap() == Mood::Frozen {
                        continue;
                    }
                    let text = match request["method"].as_str() {
                        Some("dpctl/show") => capture("lab-kvm01.dpctl.txt"),
                        Some("upcall/show") => capture("lab-kvm01.upcall.txt"),
                        Some("ofproto/list") => "br-int\n".to_owned(),
                        Some("fdb/show") => capture("lab-kvm01.fdb.txt"),
                        Some("version") => "ovs-vswitchd (Open vSwitch) 3.1.0".to_owned(),
                        _ => String::new(),
                    };
                    let answer = serde_json::json!({"id": request["id"], "result": text, "error": null});
                    if stream.write_all(answer.to_string().as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}
