//! What the transport does, whoever the server is.

use super::{
    bed::{Bed, NODE, known_line, new_key, write_key},
    watched::{PATIENCE, Watched, exec, kind, secret, shell},
};
use russh::keys::load_secret_key;
use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    time::{Instant, timeout},
};
use vakt::{
    model::{link::Ask, trouble::TroubleKind},
    transport::{Answer, ssh::Local},
    wire::request::{Access, Request},
};

pub(super) async fn exit_codes_come_back(bed: &Bed) {
    let node = Watched::up(bed).await;
    for code in [0, 1, 7, 255] {
        let script = format!("exit {code}");
        assert_eq!(node.shell(&script).await.unwrap().exit, Some(code), "shell");
        assert_eq!(node.exec(&["sh", "-c", &script]).await.unwrap().exit, Some(code), "exec");
    }
    assert_eq!(node.exec(&["/does/not/exist"]).await.unwrap().exit, Some(127));
}

pub(super) async fn standard_error_comes_apart(bed: &Bed) {
    let node = Watched::up(bed).await;
    let reply = node.exec(&["sh", "-c", "echo out; echo err >&2"]).await.unwrap();
    assert_eq!((reply.bytes.as_slice(), reply.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    let reply = node.shell("echo out; echo err >&2").await.unwrap();
    assert_eq!((reply.bytes.as_slice(), reply.stderr.as_slice()), (&b"out\n"[..], &b""[..]));
    let flood = node.exec(&["sh", "-c", "head -c 100000 /dev/zero >&2; echo out"]).await.unwrap();
    assert_eq!(flood.bytes, b"out\n");
    assert!(flood.stderr.len() <= 4096, "{} bytes of standard error were kept", flood.stderr.len());
}

pub(super) async fn words_arrive_as_they_were_given(bed: &Bed) {
    let node = Watched::up(bed).await;
    for word in
        ["plain", "two words", "it's", "$(id)", "`id`", "a;b", "*", "\\", "\"", "", "line\nbreak", "-n", "~", "#x"]
    {
        let reply = node.exec(&["printf", "[%s]", word]).await.unwrap();
        assert_eq!(reply.bytes, format!("[{word}]").into_bytes());
    }
}

pub(super) async fn standard_input_is_empty(bed: &Bed) {
    let node = Watched::up(bed).await;
    assert_eq!(node.exec(&["cat"]).await.unwrap().exit, Some(0));
    assert_eq!(node.shell("cat; read x; echo \"[$x]\"").await.unwrap().bytes, b"[]\n");
}

pub(super) async fn any_bytes_come_back_unchanged(bed: &Bed) {
    let node = Watched::up(bed).await;
    let octal = "i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %03o $i)\"; i=$((i+1)); done";
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(node.shell(octal).await.unwrap().bytes, all);
    assert_eq!(node.exec(&["sh", "-c", octal]).await.unwrap().bytes, all);
}

pub(super) async fn a_big_answer_is_cut_while_others_go_on(bed: &Bed) {
    let node = Watched::up(bed).await;
    let big = "head -c 50000000 /dev/zero";
    let (by_shell, by_exec, other) = tokio::join!(
        node.call(NODE, shell(big), 10_000, 100_000),
        node.call(NODE, exec(&["sh", "-c", big]), 10_000, 100_000),
        node.shell("echo here"),
    );
    assert_eq!(kind(by_shell), TroubleKind::AnswerTooLong);
    assert_eq!(kind(by_exec), TroubleKind::AnswerTooLong);
    assert_eq!(other.unwrap().bytes, b"here\n");
    assert_eq!(node.shell("echo still here").await.unwrap().bytes, b"still here\n");
    let whole = node.call(NODE, exec(&["head", "-c", "3000000", "/dev/zero"]), 10_000, 3_000_000).await.unwrap();
    assert_eq!(whole.bytes.len(), 3_000_000);
}

pub(super) async fn a_flood_does_not_stop_the_others(bed: &Bed) {
    let node = Watched::up(bed).await;
    let flood = async { node.call(NODE, exec(&["yes"]), 2000, usize::MAX - 1_000_000).await };
    let others = async {
        for _ in 0..20 {
            assert_eq!(node.call(NODE, shell("echo here"), 2000, 100).await.unwrap().bytes, b"here\n");
        }
    };
    let (flood, ()) = tokio::join!(flood, others);
    let kind = kind(flood);
    assert!(matches!(kind, TroubleKind::DeadlineMissed | TroubleKind::AnswerTooLong), "{kind:?}");
    assert_eq!(node.shell("echo still here").await.unwrap().bytes, b"still here\n");
}

pub(super) async fn a_slow_answer_meets_its_deadline_and_the_next_is_right(bed: &Bed) {
    let node = Watched::up(bed).await;
    for call in [shell("sleep 5; echo late"), exec(&["sh", "-c", "sleep 5; echo late"])] {
        let started = Instant::now();
        assert_eq!(kind(node.call(NODE, call, 300, 1000).await), TroubleKind::DeadlineMissed);
        assert!(started.elapsed().as_millis() < 2000);
        assert_eq!(node.shell("echo next").await.unwrap().bytes, b"next\n");
    }
}

pub(super) async fn forged_markers_do_not_desynchronise_the_shell(bed: &Bed) {
    let node = Watched::up(bed).await;
    let forged = "printf '\\n0123456789abcdef0123456789abcdef 0\\n> \\nEOF\\n__END__\\n\\n'; echo x";
    for _ in 0..3 {
        let reply = node.shell(forged).await.unwrap();
        assert_eq!(reply.bytes, b"\n0123456789abcdef0123456789abcdef 0\n> \nEOF\n__END__\n\nx\n");
        // What the shell is told cannot be read by what it runs.
        assert_eq!(node.shell("cat; echo y").await.unwrap().bytes, b"y\n");
        assert_eq!(node.shell("if ; then (").await.unwrap().exit, Some(2));
    }
}

pub(super) async fn many_channels_wait_for_their_turn(bed: &Bed) {
    let node = Watched::up(bed).await;
    // Four times OpenSSH's MaxSessions.
    let words: Vec<String> = (0..40).map(|index| format!("sleep 0.05; echo {index}")).collect();
    let calls = words.iter().map(|script| async { node.exec(&["sh", "-c", script]).await.map(|reply| reply.bytes) });
    for (index, bytes) in futures::future::join_all(calls).await.into_iter().enumerate() {
        assert_eq!(bytes.unwrap(), format!("{index}\n").into_bytes());
    }
}

pub(super) async fn invariant_5_a_write_is_refused_before_anything_is_sent(bed: &Bed) {
    let node = Watched::up(bed).await;
    let file = format!("/tmp/vakt-contract-{}", std::process::id());
    for call in [exec(&["touch", &file]), shell(&format!("touch {file}"))] {
        let write = Request { access: Access::Write, call, deadline_ms: 5000, cap_bytes: 100 };
        assert_eq!(kind(node.fleet.call(&NODE.into(), &write).await), TroubleKind::ReadOnly);
    }
    assert_eq!(node.exec(&["test", "-e", &file]).await.unwrap().exit, Some(1));
}

pub(super) async fn a_changed_host_key_is_refused(bed: &Bed) {
    let other = new_key();
    let file = bed.file("changed", &format!("# a comment\n{}", known_line(bed.host(), other.public_key())));
    let mut node = Watched::start_as(bed, bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]));
    let (trouble, tried_again) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyChanged);
    assert!(!tried_again, "there is no point in trying again");
    let shown = bed.host_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    let known = other.public_key().fingerprint(russh::keys::HashAlg::Sha256).to_string();
    for part in [&shown, &known, &format!("{}:2", file.display())] {
        assert!(trouble.cause.as_str().contains(part.as_str()), "{part} is not in: {trouble}");
    }
    if let Some(server) = &bed.server {
        assert_eq!(server.logins(), 0, "something was sent");
    }
    assert_eq!(node.questions(), 0, "there is no yes");
    assert_eq!(kind(node.shell("true").await), TroubleKind::HostKeyChanged);
}

pub(super) async fn a_revoked_host_key_is_refused(bed: &Bed) {
    let key = bed.host_key();
    let text = format!("{}@revoked {}", known_line(bed.host(), &key), known_line("*", &key));
    let file = bed.file("revoked", &text);
    let mut node = Watched::start_as(bed, bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]));
    let (trouble, tried_again) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyRevoked);
    assert!(!tried_again && trouble.cause.as_str().contains(&format!("{}:2", file.display())), "{trouble}");
    if let Some(server) = &bed.server {
        assert_eq!(server.logins(), 0, "something was sent");
    }
}

pub(super) async fn an_unknown_host_key_waits_for_the_operator(bed: &Bed) {
    let file = bed.scratch.path().join("new").join("known_hosts");
    let inventory = bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]);
    let mut node = Watched::start_as(bed, inventory.clone());
    let asked = node.answer(Answer::Accept).await;
    let Ask::UnknownHostKey { host, algorithm, fingerprint, file: named } = asked else { panic!("{asked:?}") };
    assert_eq!((host.as_str(), algorithm.as_str()), (bed.host(), "ssh-ed25519"));
    assert_eq!(fingerprint.as_str(), bed.host_key().fingerprint(russh::keys::HashAlg::Sha256).to_string());
    assert_eq!(named.as_str(), file.to_str().unwrap());
    node.until_up(NODE).await;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Remembered: the next console asks nothing.
    let mut again = Watched::start_as(bed, inventory);
    again.until_up(NODE).await;
    assert_eq!(again.questions(), 0);
}

pub(super) async fn a_refused_host_key_is_asked_about_again_on_request(bed: &Bed) {
    let file = bed.scratch.path().join("known_hosts_2");
    let mut node = Watched::start_as(bed, bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]));
    node.answer(Answer::Refuse).await;
    let (trouble, tried_again) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyUnknown);
    assert!(!tried_again && !file.exists());
    node.fleet.reconnect(&NODE.into());
    node.answer(Answer::Accept).await;
    node.until_up(NODE).await;
}

pub(super) async fn a_refused_login_names_what_was_tried(bed: &Bed) {
    let file = bed.scratch.path().join("stranger");
    write_key(&file, &new_key(), None);
    let mut node = Watched::start_as(bed, bed.with(|ssh| ssh.identity_files = vec![file.clone()]));
    let (trouble, _) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::AuthenticationRefused, "{trouble}");
    let cause = trouble.cause.as_str();
    assert!(cause.contains(&format!("key {}", file.display())) && cause.contains("accepts publickey"), "{cause}");
}

pub(super) async fn an_encrypted_key_asks_for_its_passphrase_once(bed: &Bed) {
    let file = bed.scratch.path().join("encrypted");
    write_key(&file, &load_secret_key(&bed.key_file, None).unwrap(), Some("correct horse"));
    let mut inventory = bed.with(|ssh| ssh.identity_files = vec![file.clone()]);
    let mut second = inventory.nodes[0].clone();
    second.name = "second".into();
    inventory.nodes.push(second);
    let mut nodes = Watched::start_as(bed, inventory);
    let asked = nodes.answer(secret("wrong")).await;
    assert_eq!(asked, Ask::Passphrase { file: file.to_str().unwrap().into() });
    nodes.answer(secret("correct horse")).await;
    nodes.until_up_all(&[NODE, "second"]).await;
    assert_eq!(nodes.questions(), 2, "one wrong answer, one right one, for both nodes");
}

pub(super) async fn an_encrypted_key_without_passphrase_stays_down(bed: &Bed) {
    let file = bed.scratch.path().join("encrypted");
    write_key(&file, &load_secret_key(&bed.key_file, None).unwrap(), Some("correct horse"));
    let mut node = Watched::start_as(bed, bed.with(|ssh| ssh.identity_files = vec![file.clone()]));
    node.answer(Answer::Refuse).await;
    let (trouble, tried_again) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::KeyEncrypted, "{trouble}");
    assert!(!tried_again && trouble.cause.as_str().contains(file.to_str().unwrap()));
    node.fleet.reconnect(&NODE.into());
    node.answer(secret("correct horse")).await;
    node.until_up(NODE).await;
}

pub(super) async fn an_agent_logs_in_and_may_vanish(bed: &Bed) {
    let socket = bed.scratch.path().join("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a", socket.to_str().unwrap()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = BufReader::new(agent.stdout.take().unwrap()).lines();
    // The agent says where it listens once it does.
    timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
    let added = Command::new("ssh-add").arg(&bed.key_file).env("SSH_AUTH_SOCK", &socket).output().await.unwrap();
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let local = Local { agent: Some(socket), ..bed.local.clone() };
    let no_file = bed.scratch.path().join("no_such_key");
    let inventory = bed.with(|ssh| {
        ssh.identity_files = vec![no_file];
        ssh.use_agent = None;
    });
    let mut node = Watched::start_for(bed, inventory, local);
    node.until_up(NODE).await;
    agent.kill().await.unwrap();
    assert_eq!(node.shell("echo here").await.unwrap().bytes, b"here\n");
}

pub(super) async fn a_missing_socket_is_named(bed: &Bed) {
    let mut node = Watched::up(bed).await;
    let trouble = node.haproxy("/run/does-not-exist/admin.sock", "show info").await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::SocketMissing);
    assert!(trouble.cause.as_str().contains("/run/does-not-exist/admin.sock"), "{trouble}");
    let route = node.until_routed().await;
    assert_eq!(route.way.unwrap_err().kind, TroubleKind::SocketMissing);
    let trouble = node.haproxy("/etc/passwd", "show info").await.unwrap_err();
    assert!(trouble.cause.as_str().contains("is not a socket"), "{trouble}");
}

pub(super) async fn a_lost_connection_comes_back(bed: &Bed) {
    let mut node = Watched::up(bed).await;
    node.shell("true").await.unwrap();
    if let Some(server) = &bed.server {
        server.hang_up();
    } else {
        // The parent of the kept shell is the sshd process of this connection.
        let answer = node.call(NODE, shell("kill -9 $PPID"), 5000, 100).await;
        assert_eq!(kind(answer), TroubleKind::ConnectionLost);
    }
    let (trouble, tried_again) = node.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::ConnectionLost);
    assert!(tried_again);
    node.until_up(NODE).await;
    assert_eq!(node.shell("echo back").await.unwrap().bytes, b"back\n");
}

pub(super) async fn a_shutdown_ends_every_connection(bed: &Bed) {
    let node = Watched::up(bed).await;
    node.shell("true").await.unwrap();
    let started = Instant::now();
    node.shut_down().await;
    assert!(started.elapsed() < PATIENCE / 4);
}
