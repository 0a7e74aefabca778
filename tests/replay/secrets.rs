//! Invariant 10: a secret never reaches a recording, whichever way it comes.

use super::{Live, at, key, last_screen, letter, plain};
use futures::future::BoxFuture;
use std::{fs, sync::Arc};
use vakt::{
    app::{App, Options, effect::Effect, msg::Event},
    config::FileMetadata,
    model::{
        ids::NodeName,
        link::{Ask, Question},
        time::Clock,
        trouble::Trouble,
    },
    runtime::{
        clock::SystemClock,
        inbox::inbox,
        recorder::{Recorder, Recording, Settings, Target},
        session::Session,
    },
    transport::{Answer, Connections},
    view::picture,
    wire::request::{Reply, Request},
};

/// Nothing else in a recording looks like it, nor does its reverse; each letter of it is typed on its own.
const TYPED: &str = "qzxjkvw";
const PASTED: &str = "Pasted-Canary-4711";

fn contains_key(text: &str, c: char) -> bool {
    text.contains(&format!("{{\"char\":\"{c}\"}}"))
}

#[test]
fn invariant_10_what_is_typed_or_pasted_into_a_secret_prompt_is_not_recorded() {
    for ask in [
        Ask::Passphrase { file: "/home/operator/.ssh/id".into() },
        Ask::Prompt { text: "Password:".into(), echo: false },
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.vakt.gz");
        // A chapter begins with every message: snapshots are taken while the secret is half typed.
        let mut live = Live::start(Target::file(&path).unwrap(), None, 0);
        let node = super::inventory().nodes[0].name.clone();
        live.take(&at(0, Event::Resize { width: 120, height: 34 }));
        live.take(&at(10, Event::Question { node, question: Question { id: 7, ask } }));
        for (index, c) in TYPED.chars().enumerate() {
            live.take(&at(20 + index as u64, letter(c)));
        }
        live.take(&at(40, Event::Paste(format!("{PASTED}\n"))));
        let prompt = picture::draw(&live.app);
        live.take(&at(50, Event::Tick));
        live.take(&at(60, key("enter")));
        let answered = live.effects.iter().flatten().any(|effect| matches!(effect, Effect::Answer { .. }));
        assert!(answered, "the prompt took the keys");
        live.recorder.finish(super::PATIENCE);
        let text = plain(&path);
        assert!(text.contains("redacted") && !text.contains(PASTED) && !text.contains(TYPED));
        for c in TYPED.chars() {
            assert!(!contains_key(&text, c), "{c}");
        }
        // The replay shows a prompt of the same length.
        let mut player = super::player(&path);
        for _ in 0..TYPED.len() + 3 {
            player.advance().unwrap();
        }
        assert_eq!(picture::draw(player.app()), prompt);
        assert!(last_screen(&path) != prompt);
    }
}

#[test]
fn invariant_10_what_is_typed_elsewhere_is_recorded() {
    // The test above means something.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vakt.gz");
    Live::start(Target::file(&path).unwrap(), None, u64::MAX)
        .tell(&[at(0, letter('q')), at(1, Event::Paste(PASTED.into()))]);
    let text = plain(&path);
    assert!(contains_key(&text, 'q') && text.contains(PASTED));
}

/// Connections to nowhere.
#[derive(Debug)]
struct Nowhere;

impl Connections for Nowhere {
    fn call<'a>(&'a self, _: &'a NodeName, _: &'a Request) -> BoxFuture<'a, Result<Reply, Trouble>> {
        Box::pin(std::future::pending())
    }
    fn answer(&self, _: &NodeName, _: u64, _: Answer) {}
    fn reconnect(&self, _: &NodeName) {}
    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[tokio::test]
async fn invariant_11_a_question_that_the_configuration_answers_is_not_asked_in_the_replay() {
    let text = vakt::config::EXAMPLE.replacen("[ssh]", "[ssh]\npassphrase = \"Configured-Canary\"", 1);
    let metadata = FileMetadata { mode: Some(0o600), home: Some("/home/operator".into()) };
    let loaded = vakt::config::load("example.toml".as_ref(), &text, &metadata).unwrap();
    let inventory = Arc::new(loaded.inventory);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.vakt.gz");
    let clock = Arc::new(SystemClock::start());
    let app = App::new(Arc::clone(&inventory), Options::default(), clock.now());
    let mut session = Session::over(Arc::new(Nowhere), app, &inventory, &loaded.secrets, clock, inbox());
    let settings = Settings {
        target: Target::file(&path).unwrap(),
        name: "20261124T140000Z-7".into(),
        mask_key: None,
        chapter_ms: u64::MAX,
    };
    session.record(Recorder::start(settings, &inventory, &Options::default()).unwrap());
    session.handle(Event::Resize { width: 120, height: 34 });
    let node = inventory.nodes[0].name.clone();
    let question = |id| Event::Question {
        node: node.clone(),
        question: Question { id, ask: Ask::Passphrase { file: "/home/operator/.ssh/id".into() } },
    };
    session.handle(question(7));
    assert!(!session.app.secret_prompt_open(), "the configuration answered");
    session.end_recording();
    let unasked = super::wait_until("the recording", || {
        let recording = Recording::open(&path).ok()?.load(0).ok()?;
        (!recording.cut).then(|| last_screen(&path))
    });
    assert_eq!(unasked, picture::draw(&session.app));
    assert!(!plain(&path).contains("Configured-Canary"));
    // A second question about the same key is the operator's.
    session.handle(question(8));
    assert!(session.app.secret_prompt_open());
}

#[test]
fn invariant_10_neither_the_configuration_s_passphrase_nor_the_environment_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let text = "[cluster]\nname = \"canary\"\n[ssh]\npassphrase = \"Configured-Canary\"\nssh_config_file = \"none\"\n\
                [[node]]\nname = \"n1\"\nroles = [\"web\"]\nmanagement = \"127.0.0.1\"\nport = 1\nuser = \"nobody\"\n";
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let metadata = FileMetadata { mode: Some(0o600), home: None };
    let loaded = vakt::config::load(&config, text, &metadata).unwrap();
    assert!(!serde_json::to_string(&loaded.inventory).unwrap().contains("Configured-Canary"));
    // The real program: what its environment holds stays out.
    let recording = folder.path().join("x.vakt.gz");
    let args = ["--config", config.to_str().unwrap(), "--record", recording.to_str().unwrap()];
    let mut program = crate::program::Program::vakt_with(&args, &[("VAKT_CANARY", "Environment-Canary")], 100, 30);
    program.wait_for("the first frame", super::program::LIMIT, |screen| screen.contains("canary"));
    program.press("2");
    program.wait_for("traffic", super::program::LIMIT, |screen| screen.contains("Traffic"));
    program.press("q");
    assert_eq!(program.wait_for_end(super::program::LIMIT), 0);
    let text = plain(&recording);
    assert!(text.contains("\"cluster\":\"canary\"") && contains_key(&text, '2'), "it recorded");
    for secret in ["Configured-Canary", "Environment-Canary"] {
        assert!(!text.contains(secret), "{secret}");
    }
}
