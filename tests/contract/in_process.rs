//! What only a server under our control can show: several nodes, jump hosts, silence, odd logins.

use super::{
    bed::{Bed, NODE, inventory, known_line, new_key, node, write_key},
    server::{Network, Server},
    watched::{Watched, exec, kind, secret, shell},
};
use std::{fs, path::PathBuf, sync::Arc};
use tokio::{net::TcpListener, time::Instant};
use vakt::{
    model::{
        inventory::{Inventory, JumpHost, SshConfigFile, SshOverrides},
        link::{Ask, LinkEvent, LinkState},
        trouble::TroubleKind,
    },
    transport::{Answer, TransportEvent, ssh::TcpConnector},
};

/// Servers on one network, all with the same login, and a bed whose inventory names none of them yet.
struct Town {
    bed: Bed,
    network: Network,
    known_hosts: PathBuf,
}

impl Town {
    fn new() -> Self {
        let network = Network::default();
        let first = Server::new(&network);
        network.add("node.test", first.clone());
        let bed = Bed::on_network(&network, first);
        let known_hosts = bed.inventory.nodes[0].ssh.known_hosts_files[0].clone();
        Self { bed, network, known_hosts }
    }

    /// A further server that accepts the same key and is known.
    fn add(&self, host: &str) -> Server {
        let server = Server::new(&self.network);
        let key = russh::keys::load_secret_key(&self.bed.key_file, None).unwrap();
        server.rules(|rules| rules.accepted_keys.push(key.public_key().clone()));
        let mut known = fs::read_to_string(&self.known_hosts).unwrap();
        known.push_str(&known_line(host, &server.host_key()));
        fs::write(&self.known_hosts, known).unwrap();
        self.network.add(host, server.clone());
        server
    }

    fn ssh(&self, jump: Option<&[&str]>) -> SshOverrides {
        SshOverrides {
            jump: jump.map(|jump| jump.iter().map(|&hop| hop.to_owned()).collect()),
            ..self.bed.inventory.nodes[0].ssh.clone()
        }
    }

    fn inventory(&self, nodes: &[(&str, &str, Option<&[&str]>)]) -> Inventory {
        inventory(nodes.iter().map(|(name, host, jump)| node(name, host, self.ssh(*jump))).collect())
    }
}

#[tokio::test]
async fn nodes_behind_a_jump_host_share_its_connection() {
    let town = Town::new();
    let bastion = town.add("bastion.test");
    for host in ["a.test", "b.test", "c.test"] {
        town.add(host);
    }
    let via = Some(&["gate"][..]);
    let mut inventory = town.inventory(&[("a", "a.test", via), ("b", "b.test", via), ("c", "c.test", via)]);
    let gate = JumpHost { name: "gate".into(), address: "bastion.test".into(), ssh: town.ssh(None) };
    inventory.settings.jump_hosts.push(gate);
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.until_up_all(&["a", "b", "c"]).await;
    assert_eq!(bastion.connections(), 1);
    for name in ["a", "b", "c"] {
        assert_eq!(nodes.call(name, shell("echo here"), 5000, 100).await.unwrap().bytes, b"here\n");
    }
    // The bastion goes down and comes back; so do the nodes behind it.
    bastion.rules(|rules| rules.dead = true);
    bastion.hang_up();
    let (trouble, tried_again) = nodes
        .until_state("a", "a misses its jump host", |state| match state {
            LinkState::Down { trouble, retry } if trouble.kind == TroubleKind::JumpHostDown => {
                Some((trouble.clone(), retry.is_some()))
            }
            _ => None,
        })
        .await;
    assert!(tried_again && trouble.cause.as_str().contains("jump host gate is not up"), "{trouble}");
    bastion.rules(|rules| rules.dead = false);
    nodes.until_up_all(&["a", "b", "c"]).await;
}

#[tokio::test]
async fn a_refused_jump_host_is_asked_about_again_with_its_node() {
    let town = Town::new();
    let bastion = Server::new(&town.network);
    let key = russh::keys::load_secret_key(&town.bed.key_file, None).unwrap();
    bastion.rules(|rules| rules.accepted_keys.push(key.public_key().clone()));
    town.network.add("bastion.test", bastion);
    town.add("a.test");
    let mut inventory = town.inventory(&[("a", "a.test", Some(&["gate"]))]);
    let gate = JumpHost { name: "gate".into(), address: "bastion.test".into(), ssh: town.ssh(None) };
    inventory.settings.jump_hosts.push(gate);
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.answer(Answer::Refuse).await;
    let (trouble, _) = nodes.until_down("a").await;
    assert_eq!(trouble.kind, TroubleKind::JumpHostDown, "{trouble}");
    nodes.fleet.reconnect(&"a".into());
    nodes.answer(Answer::Accept).await;
    nodes.until_up("a").await;
}

#[tokio::test]
async fn proxy_jump_and_proxy_command_of_ssh_config_are_followed() {
    let town = Town::new();
    let bastion = town.add("bastion.test");
    let (a, b) = (town.add("a.test"), town.add("b.test"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            b.serve(stream);
        }
    });
    let key = town.bed.key_file.display();
    let known = town.known_hosts.display();
    let text = format!(
        "Host *.test\n User root\n IdentityFile {key}\n UserKnownHostsFile {known}\n\
         Host a.test\n ProxyJump bastion.test\n\
         Host b.test\n ProxyCommand socat - TCP4:127.0.0.1:{port}\n"
    );
    let config = town.bed.file("config", &text);
    let nodes = ["a", "b"].map(|name| node(name, &format!("{name}.test"), SshOverrides::default()));
    let mut inventory = inventory(nodes.to_vec());
    inventory.settings.ssh.config_file = SshConfigFile::File(config);
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.until_up_all(&["a", "b"]).await;
    assert_eq!((bastion.connections(), a.connections()), (1, 1));
    assert_eq!(nodes.call("b", shell("echo b"), 5000, 100).await.unwrap().bytes, b"b\n");
    accepting.abort();
}

#[tokio::test]
async fn keys_of_every_type_and_format_log_in() {
    for (arguments, asks) in [
        (&["-t", "rsa", "-b", "2048", "-N", ""][..], false),
        (&["-t", "ecdsa", "-b", "256", "-N", ""], false),
        (&["-t", "ecdsa", "-b", "384", "-N", "secret"], true),
        (&["-t", "ed25519", "-N", "secret"], true),
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", ""], false),
        // These formats hide the public half, too.
        (&["-t", "rsa", "-b", "2048", "-m", "PKCS8", "-N", "secret"], true),
        (&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "secret"], true),
    ] {
        let bed = Bed::in_process();
        let file = bed.scratch.path().join("key");
        let made = tokio::process::Command::new("ssh-keygen").args(arguments).arg("-q").arg("-f").arg(&file).status();
        assert!(made.await.unwrap().success());
        let public_file = file.with_extension("pub");
        let public = russh::keys::load_public_key(&public_file).unwrap();
        bed.server.as_ref().unwrap().rules(|rules| rules.accepted_keys = vec![public]);
        fs::remove_file(public_file).unwrap();
        let mut nodes = Watched::start_as(&bed, bed.with(|ssh| ssh.identity_files = vec![file]));
        if asks {
            nodes.answer(secret("secret")).await;
        }
        nodes.until_up(NODE).await;
        assert_eq!(nodes.questions(), usize::from(asks), "{arguments:?}");
    }
}

#[tokio::test]
async fn a_chain_of_jump_hosts_is_followed_in_order() {
    let town = Town::new();
    let (outer, inner) = (town.add("outer.test"), town.add("inner.test"));
    town.add("deep.test");
    // `outer` is a node as well: its own connection is the one that is passed.
    let mut inventory =
        town.inventory(&[("outer", "outer.test", None), ("deep", "deep.test", Some(&["outer", "inner"]))]);
    let jump_host = JumpHost { name: "inner".into(), address: "inner.test".into(), ssh: town.ssh(None) };
    inventory.settings.jump_hosts.push(jump_host);
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.until_up_all(&["outer", "deep"]).await;
    assert_eq!((outer.connections(), inner.connections()), (1, 1));
    assert_eq!(nodes.call("deep", shell("echo deep"), 5000, 100).await.unwrap().bytes, b"deep\n");
}

#[tokio::test]
async fn a_way_that_comes_back_to_itself_is_named() {
    let town = Town::new();
    town.add("a.test");
    let mut nodes = Watched::start_as(&town.bed, town.inventory(&[("a", "a.test", Some(&["a"]))]));
    let (trouble, _) = nodes.until_down("a").await;
    assert_eq!(trouble.kind, TroubleKind::SettingsUnusable);
    assert!(trouble.cause.as_str().contains("comes back to itself"), "{trouble}");
}

#[tokio::test]
async fn invariant_9_a_silent_node_costs_the_others_nothing() {
    let town = Town::new();
    let silent = town.add("silent.test");
    town.add("well.test");
    let inventory = town.inventory(&[("silent", "silent.test", None), ("well", "well.test", None)]);
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.until_up_all(&["silent", "well"]).await;
    silent.freeze();
    silent.rules(|rules| rules.dead = true);
    let asking_the_silent = async {
        for _ in 0..3 {
            assert_eq!(kind(nodes.call("silent", shell("echo x"), 300, 100).await), TroubleKind::DeadlineMissed);
        }
    };
    let asking_the_well = async {
        for _ in 0..30 {
            let started = Instant::now();
            assert_eq!(nodes.call("well", shell("echo x"), 1000, 100).await.unwrap().bytes, b"x\n");
            assert!(started.elapsed().as_millis() < 500);
        }
    };
    tokio::join!(asking_the_silent, asking_the_well);
    // Three deadlines in a row close the session; the node comes back when its server does.
    let (trouble, tried_again) = nodes.until_down("silent").await;
    assert_eq!(trouble.kind, TroubleKind::ConnectionLost);
    assert!(tried_again && trouble.cause.as_str().contains("3 answers in a row"), "{trouble}");
    silent.rules(|rules| rules.dead = false);
    nodes.until_up("silent").await;
}

#[tokio::test]
async fn keepalives_notice_a_silent_node_that_nobody_asks() {
    let bed = Bed::in_process();
    let mut inventory = bed.inventory.clone();
    inventory.settings.ssh.keepalive_interval_ms = 100;
    let mut nodes = Watched::start_as(&bed, inventory);
    nodes.until_up(NODE).await;
    bed.server.as_ref().unwrap().freeze();
    let (trouble, _) = nodes.until_down(NODE).await;
    assert!(trouble.cause.as_str().contains("keepalives were not answered"), "{trouble}");
    nodes.until_up(NODE).await;
}

#[tokio::test]
async fn a_question_nobody_answers_holds_up_no_other_node() {
    let town = Town::new();
    town.add("well.test");
    let strange = Server::new(&town.network);
    town.network.add("strange.test", strange.clone());
    let mut inventory = town.inventory(&[("strange", "strange.test", None), ("well", "well.test", None)]);
    inventory.settings.ssh.handshakes_max = 1;
    let mut nodes = Watched::start_as(&town.bed, inventory);
    nodes.until_up("well").await;
    if nodes.questions() == 0 {
        nodes.until_asked().await;
    }
    assert_eq!(strange.logins(), 0);
    let refused = nodes.call("strange", shell("true"), 1000, 10).await.unwrap_err();
    assert!(refused.cause.as_str().contains("waiting for an answer of the operator"), "{refused}");
}

#[tokio::test]
async fn keyboard_interactive_and_passwords_are_asked_for() {
    let bed = Bed::in_process();
    let server = bed.server.as_ref().unwrap();
    server.rules(|rules| {
        rules.accepted_keys.clear();
        rules.interactive = vec![("One-time code\u{1b}[2J: ".into(), "123456".into()), ("PIN: ".into(), "0000".into())];
    });
    let mut nodes = Watched::start(&bed);
    let asked = nodes.answer(secret("123456")).await;
    let Ask::Prompt { text, echo: false } = asked else { panic!("{asked:?}") };
    assert!(text.as_str().contains("One-time code") && !text.as_str().contains('\u{1b}'), "{text:?}");
    nodes.answer(secret("0000")).await;
    nodes.until_up(NODE).await;

    server.rules(|rules| {
        rules.interactive.clear();
        rules.password = Some("swordfish".into());
    });
    let mut nodes = Watched::start(&bed);
    nodes.answer(secret("wrong")).await;
    nodes.answer(secret("swordfish")).await;
    nodes.until_up(NODE).await;

    let mut nodes = Watched::start(&bed);
    nodes.answer(Answer::Refuse).await;
    let (trouble, tried_again) = nodes.until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::AuthenticationRefused);
    assert!(!tried_again && trouble.cause.as_str().contains("password (not answered)"), "{trouble}");
}

#[tokio::test]
async fn a_question_ends_with_its_connection() {
    let bed = Bed::in_process();
    let server = bed.server.as_ref().unwrap();
    server.rules(|rules| {
        rules.accepted_keys.clear();
        rules.password = Some("swordfish".into());
    });
    let mut nodes = Watched::start(&bed);
    let (_, question) = nodes.until_asked().await;
    server.hang_up();
    nodes
        .until("the question is withdrawn", |event| match event {
            TransportEvent::QuestionGone { id, .. } => (*id == question.id).then_some(()),
            _ => None,
        })
        .await;
    // It is asked anew, on the next connection.
    nodes.answer(secret("swordfish")).await;
    nodes.until_up(NODE).await;
}

#[tokio::test]
async fn a_key_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::in_process();
    fs::set_permissions(&bed.key_file, fs::Permissions::from_mode(0o644)).unwrap();
    let (trouble, _) = Watched::start(&bed).until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::KeyUnusable);
    assert!(trouble.cure.as_str().contains("chmod 600"), "{trouble}");
}

#[tokio::test]
async fn the_key_that_fits_is_found_among_several() {
    let bed = Bed::in_process();
    let strangers: Vec<PathBuf> = (0..3).map(|n| bed.scratch.path().join(format!("stranger{n}"))).collect();
    for file in &strangers {
        write_key(file, &new_key(), Some("never asked for"));
    }
    let inventory = bed.with(|ssh| ssh.identity_files = [strangers.clone(), vec![bed.key_file.clone()]].concat());
    let mut nodes = Watched::start_as(&bed, inventory);
    nodes.until_up(NODE).await;
    assert_eq!(nodes.questions(), 0, "a passphrase is asked for only when the server would accept the key");
}

/// An end of validity that is not reached.
const NEVER: u64 = u64::MAX >> 1;

#[tokio::test]
async fn user_and_host_certificates_are_used_and_checked() {
    use russh::keys::ssh_key::certificate::{Builder, CertType};
    let (authority, host_authority) = (new_key(), new_key());
    let bed = Bed::in_process();
    let server = bed.server.as_ref().unwrap();
    let sign =
        |key: &russh::keys::PublicKey, kind: CertType, principal: &str, until: u64, by: &russh::keys::PrivateKey| {
            let mut rng = russh::keys::key::safe_rng();
            let mut builder = Builder::new_with_random_nonce(&mut rng, key, 0, until).unwrap();
            builder.cert_type(kind).unwrap().valid_principal(principal).unwrap();
            builder.sign(by).unwrap()
        };
    let key = russh::keys::load_secret_key(&bed.key_file, None).unwrap();
    let certificate = sign(key.public_key(), CertType::User, "root", NEVER, &authority);
    fs::write(format!("{}-cert.pub", bed.key_file.display()), certificate.to_openssh().unwrap()).unwrap();
    let valid = sign(&server.host_key(), CertType::Host, "node.test", NEVER, &host_authority);
    server.rules(|rules| {
        rules.accepted_keys.clear();
        rules.accepted_authorities.push(authority.public_key().clone());
        rules.certificates = vec![valid];
    });
    let line = format!("@cert-authority {}", known_line("*.test", host_authority.public_key()));
    let file = bed.file("authorities", &line);
    let inventory = bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]);
    let mut nodes = Watched::start_as(&bed, inventory.clone());
    nodes.until_up(NODE).await;
    assert_eq!(nodes.questions(), 0);

    for (principal, until, words) in [("other.test", NEVER, "not for node.test"), ("node.test", 1000, "has expired")] {
        let bad = sign(&server.host_key(), CertType::Host, principal, until, &host_authority);
        server.rules(|rules| rules.certificates = vec![bad]);
        let (trouble, tried_again) = Watched::start_as(&bed, inventory.clone()).until_down(NODE).await;
        assert_eq!(trouble.kind, TroubleKind::HostCertificateInvalid);
        assert!(!tried_again && trouble.cause.as_str().contains(words), "{trouble}");
    }
    let revoked = format!("{line}@revoked {}", known_line("*", host_authority.public_key()));
    let file = bed.file("revoked", &revoked);
    let inventory = bed.with(|ssh| ssh.known_hosts_files = vec![file]);
    assert_eq!(Watched::start_as(&bed, inventory).until_down(NODE).await.0.kind, TroubleKind::HostKeyRevoked);
}

#[tokio::test]
async fn a_server_with_several_keys_shows_the_one_we_know() {
    let bed = Bed::in_process();
    let server = bed.server.as_ref().unwrap();
    let ecdsa = russh::keys::Algorithm::Ecdsa { curve: russh::keys::EcdsaCurve::NistP256 };
    let known = russh::keys::PrivateKey::random(&mut russh::keys::key::safe_rng(), ecdsa).unwrap();
    let file = bed.file("ecdsa", &known_line("node.test", known.public_key()));
    let inventory = bed.with(|ssh| ssh.known_hosts_files = vec![file.clone()]);
    server.set_host_key(known);
    let mut nodes = Watched::start_as(&bed, inventory.clone());
    nodes.until_up(NODE).await;
    // Another type than the known one is a change, not an acquaintance.
    server.set_host_key(new_key());
    let (trouble, _) = Watched::start_as(&bed, inventory).until_down(NODE).await;
    assert_eq!(trouble.kind, TroubleKind::HostKeyChanged);
}

#[tokio::test]
async fn a_hostile_banner_and_motd_change_nothing() {
    let bed = Bed::in_process();
    bed.server.as_ref().unwrap().rules(|rules| {
        rules.banner = Some("\u{1b}]0;owned\u{7}".repeat(1000));
        rules.wrapper = Some("head -c 100000 /dev/zero | tr '\\0' x; printf '\\n\\033[2J\\n'; %".into());
    });
    let nodes = Watched::up(&bed).await;
    assert_eq!(nodes.shell("echo clean").await.unwrap().bytes, b"clean\n");
}

#[tokio::test]
async fn a_login_without_a_shell_is_named() {
    let bed = Bed::in_process();
    bed.server.as_ref().unwrap().rules(|rules| rules.wrapper = Some("echo not available >&2; exit 1; %".into()));
    let nodes = Watched::up(&bed).await;
    let trouble = nodes.shell("true").await.unwrap_err();
    assert_eq!(trouble.kind, TroubleKind::ProgramMissing);
    assert!(trouble.cause.as_str().contains("not available"), "{trouble}");
}

#[tokio::test]
async fn settings_are_told_with_their_source() {
    let bed = Bed::in_process();
    let mut nodes = Watched::start(&bed);
    let settings = nodes
        .until("settings", |event| match event {
            TransportEvent::Link { event: LinkEvent::Settings(settings), .. } => Some(settings.clone()),
            _ => None,
        })
        .await;
    let of = |name: &str| settings.iter().find(|setting| setting.name.as_str() == name).unwrap();
    assert_eq!((of("user").value.as_str(), of("user").source.as_str()), ("root", "vakt configuration"));
    assert_eq!(of("address").value.as_str(), "node.test port 22");
    assert!(of("host key").source.as_str().ends_with("known_hosts:1"));
    assert_eq!(of("login by").value.as_str(), format!("key {}", bed.key_file.display()));
}

#[tokio::test]
async fn tcp_works_over_ipv6() {
    let bed = Bed::in_process();
    let server = bed.server.clone().unwrap();
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            server.serve(stream);
        }
    });
    let known = bed.file("known_v6", &known_line(&format!("[::1]:{port}"), &bed.server.as_ref().unwrap().host_key()));
    let mut inventory = bed.with(|ssh| {
        ssh.port = Some(port);
        ssh.known_hosts_files = vec![known];
    });
    inventory.nodes[0].management = "::1".into();
    let bed = Bed { connector: Arc::new(TcpConnector), ..bed };
    let mut nodes = Watched::start_as(&bed, inventory);
    nodes.until_up(NODE).await;
    assert_eq!(nodes.exec(&["echo", "six"]).await.unwrap().bytes, b"six\n");
    accepting.abort();
}

#[tokio::test]
async fn what_tcp_says_is_told_in_words() {
    let bed = Bed { connector: Arc::new(TcpConnector), ..Bed::in_process() };
    // Bound and not listening: nobody else takes the port meanwhile, and a connection is refused.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = bound.local_addr().unwrap().port();
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mute_port = mute.local_addr().unwrap().port();
    let talker = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let talker_port = talker.local_addr().unwrap().port();
    let talking = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        while let Ok((mut stream, _)) = talker.accept().await {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    for (host, port, expected, words) in [
        ("127.0.0.1", port, TroubleKind::Refused, "refused"),
        ("no-such-host.invalid", 22, TroubleKind::NameDoesNotResolve, "no-such-host.invalid"),
        ("-oProxyCommand=false", 22, TroubleKind::SettingsUnusable, "is not a host name"),
        ("127.0.0.1", mute_port, TroubleKind::TimedOut, "said nothing"),
        ("127.0.0.1", talker_port, TroubleKind::ConnectionLost, "before the login"),
    ] {
        let mut inventory = bed.with(|ssh| ssh.port = Some(port));
        inventory.nodes[0].management = host.into();
        inventory.settings.ssh.connect_timeout_ms = 1000;
        let (trouble, tried_again) = Watched::start_as(&bed, inventory).until_down(NODE).await;
        assert_eq!(trouble.kind, expected, "{trouble}");
        assert!(tried_again && trouble.cause.as_str().contains(words), "{trouble}");
    }
    talking.abort();
}

#[tokio::test]
async fn waiting_for_a_turn_does_not_count_as_silence() {
    let bed = Bed::in_process();
    let nodes = Watched::up(&bed).await;
    let busy = (0..8).map(|_| nodes.call(NODE, exec(&["sleep", "1"]), 5000, 10));
    let impatient = (0..8).map(|_| nodes.call(NODE, exec(&["true"]), 100, 10));
    let (busy, impatient) = tokio::join!(futures::future::join_all(busy), futures::future::join_all(impatient));
    assert!(busy.into_iter().all(|reply| reply.unwrap().exit == Some(0)));
    assert!(impatient.into_iter().any(|reply| reply.is_err_and(|trouble| trouble.cause.as_str().contains("busy"))));
    assert_eq!(nodes.exec(&["true"]).await.unwrap().exit, Some(0));
    assert_eq!(bed.server.as_ref().unwrap().connections(), 1);
}
