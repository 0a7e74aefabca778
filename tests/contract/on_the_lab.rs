//! What only real machines can show.

use super::{
    bed::{Bed, NODE},
    lab,
    watched::{Watched, exec},
};
use vakt::model::{inventory::JumpHost, link::Way, trouble::TroubleKind};

const SOCKET: &str = "/run/haproxy/admin.sock";

#[tokio::test]
async fn haproxy_is_reached_through_the_forwarded_socket() {
    let Some(bed) = lab::bed("lb01").await else { return };
    let mut node = Watched::up(&bed).await;
    for _ in 0..3 {
        let info = node.haproxy(SOCKET, "show info").await.unwrap();
        assert!(info.bytes.starts_with(b"Name: HAProxy\n") && info.bytes.ends_with(b"\n"));
        let stat = node.haproxy(SOCKET, "show stat").await.unwrap();
        assert!(stat.bytes.starts_with(b"# pxname,"));
        assert!(node.haproxy(SOCKET, "show servers state").await.unwrap().bytes.starts_with(b"1\n# be_id"));
    }
    assert_eq!(node.until_routed().await.way, Ok(Way::StreamLocal));
}

#[tokio::test]
async fn an_unprivileged_login_reaches_roots_socket_through_sudo() {
    let Some(bed) = lab::bed("lb02").await else { return };
    let mut node = Watched::up(&bed).await;
    for _ in 0..3 {
        assert!(node.haproxy(SOCKET, "show info").await.unwrap().bytes.starts_with(b"Name: HAProxy\n"));
    }
    assert_eq!(node.until_routed().await.way, Ok(Way::SudoSocat));
    // Nothing is left on the node once the connection has gone. The relay's parent is this connection's sshd process.
    let relays = node.shell("pgrep -P $PPID -f UNIX-CONNECT:/run/haproxy/admin.sock").await.unwrap();
    let relay = String::from_utf8(relays.bytes).unwrap().trim().to_owned();
    assert!(relay.parse::<u32>().is_ok(), "one relay is expected: {relay:?}");
    node.shut_down().await;
    let node = Watched::up(&bed).await;
    let wait =
        format!("i=0; while [ -e /proc/{relay} ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done; [ $i -lt 50 ]");
    assert_eq!(node.shell(&wait).await.unwrap().exit, Some(0), "relay {relay} is still running");
}

#[tokio::test]
async fn forbidden_forwarding_falls_back_to_socat() {
    let Some(bed) = lab::bed("web02").await else { return };
    let mut node = Watched::up(&bed).await;
    let socket = format!("/tmp/vakt-contract-{}.sock", std::process::id());
    // Something that talks like HAProxy, for twenty seconds.
    let talk =
        r#"while read -r line; do case "$line" in "show info") echo "Name: HAProxy";; esac; printf "\n> "; done"#;
    let script = format!(
        "printf '%s' '{talk}' > {socket}.sh; \
         timeout 20 socat UNIX-LISTEN:{socket},fork SYSTEM:\"sh {socket}.sh\" >/dev/null 2>&1 & \
         for i in 1 2 3 4 5 6 7 8 9 10; do [ -S {socket} ] && break; sleep 0.2; done; [ -S {socket} ]"
    );
    assert_eq!(node.exec(&["sh", "-c", &script]).await.unwrap().exit, Some(0), "the stand-in did not start");
    let answer = node.haproxy(&socket, "show info").await;
    let left = node.exec(&["rm", "-f", &socket, &format!("{socket}.sh")]).await;
    assert_eq!(answer.unwrap().bytes, b"Name: HAProxy\n");
    assert_eq!(node.until_routed().await.way, Ok(Way::Socat));
    assert_eq!(left.unwrap().exit, Some(0));
}

#[tokio::test]
async fn a_node_is_reached_through_another() {
    let (Some(gate), Some(bed)) = (lab::bed("lb01").await, lab::bed("web01").await) else { return };
    let mut inventory = bed.with(|ssh| ssh.jump = Some(vec!["gate".into()]));
    let gate = &gate.inventory.nodes[0];
    let jump_host = JumpHost { name: "gate".into(), address: gate.management.clone(), ssh: gate.ssh.clone() };
    inventory.settings.jump_hosts.push(jump_host);
    let mut node = Watched::start_as(&bed, inventory);
    node.until_up(NODE).await;
    assert_eq!(node.shell("hostname").await.unwrap().bytes, b"web01\n");
    // The server sees the jump host, not us.
    let seen = node.shell("echo $SSH_CONNECTION").await.unwrap();
    assert!(seen.bytes.starts_with(gate.management.as_bytes()), "{}", String::from_utf8_lossy(&seen.bytes));
}

#[tokio::test]
async fn every_node_comes_up_and_answers() {
    let names = ["lb01", "lb02", "web01", "web02", "web03", "db01", "db02", "db03", "kvm01", "kvm02"];
    let mut nodes = Vec::new();
    let mut first: Option<Bed> = None;
    for name in names {
        let Some(bed) = lab::bed(name).await else { return };
        let mut node = bed.inventory.nodes[0].clone();
        node.name = name.into();
        nodes.push(node);
        first.get_or_insert(bed);
    }
    let bed = first.unwrap();
    let mut watched = Watched::start_as(&bed, super::bed::inventory(nodes));
    watched.until_up_all(&names).await;
    for name in names {
        let reply = watched.call(name, exec(&["hostname"]), 5000, 100).await.unwrap();
        assert_eq!(reply.bytes, format!("{name}\n").into_bytes());
    }
    assert_eq!(watched.questions(), 0);
}

#[tokio::test]
async fn a_login_that_does_not_exist_is_refused_in_words() {
    let Some(bed) = lab::bed("db01").await else { return };
    let mut node = Watched::start_as(&bed, bed.with(|ssh| ssh.user = Some("nobody-here".into())));
    let (trouble, _) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::AuthenticationRefused);
    assert!(trouble.cause.as_str().contains("login as nobody-here refused"), "{trouble}");
}
