//! Traffic far above usual.

use super::{lines, stage::Stage};
use vakt::model::{
    figure::Figure,
    haproxy::{Traffic, TrafficRates},
};

/// Illnesses that this file knows.
pub(super) const SCENARIOS: &[fn(&mut Stage)] = &[|stage| {
    rate(stage, 100.0);
    stage.run(60);
    rate(stage, 900.0);
}];

/// So many requests per second on each of the two load balancers.
fn rate(stage: &mut Stage, per_s: f64) {
    for haproxy in &mut stage.haproxies {
        let rates = TrafficRates { requests_per_s: Figure::Known(per_s), ..TrafficRates::default() };
        haproxy.frontend_rates = vec![rates];
    }
}

/// A minute of 200 requests a second.
fn usual() -> Stage {
    let mut stage = Stage::new();
    rate(&mut stage, 100.0);
    stage.run(60);
    stage
}

fn told(stage: &Stage) -> bool {
    stage.findings().iter().any(|finding| finding.rule.as_str() == "traffic.spike")
}

#[test]
fn a_spike_names_what_was_usual_who_waits_and_who_is_nearest_to_its_limit() {
    let mut stage = usual();
    assert_eq!(lines(&stage.findings()), Vec::<String>::new());
    rate(&mut stage, 400.0);
    stage.haproxies[1].sample.backends[0].traffic.queue_current = Figure::Known(12);
    stage.server(1, "web02", |server| {
        server.traffic = Traffic {
            sessions_current: Figure::Known(79),
            sessions_limit: Figure::Known(100),
            ..server.traffic.clone()
        };
    });
    stage.run(2);
    assert!(!told(&stage), "one second more of it is no spike");
    stage.run(3);
    let findings = stage.findings();
    assert_eq!(
        findings[0].sentence.as_str(),
        "800 requests/s, 4.0 times the usual 201/s; nearest to its limit: web_cluster/web02 on lb02, 79 of 100 \
         sessions (79 %); 12 requests wait"
    );
    assert_eq!(findings[0].subject.as_str(), "http_front");
    assert_eq!(findings[0].evidence[1].as_str(), "lb01: 400 requests/s");
    stage.run(5);
    let queue = stage.findings().into_iter().find(|finding| finding.rule.as_str() == "haproxy.queue").unwrap();
    assert_eq!(queue.follows_from.unwrap().rule.as_str(), "traffic.spike", "the queue is a symptom of it");
}

#[test]
fn at_the_start_there_is_nothing_to_compare_with() {
    let mut stage = Stage::new();
    for per_s in [1.0, 1_000.0, 5.0, 2_000.0] {
        rate(&mut stage, per_s);
        stage.run(7);
        assert!(!told(&stage), "at {per_s}");
    }
}

#[test]
fn it_ends_when_the_rate_is_clearly_back_and_not_when_it_touches_the_limit() {
    let mut stage = usual();
    rate(&mut stage, 400.0);
    stage.run(6);
    assert!(told(&stage));
    rate(&mut stage, 250.0);
    stage.run(20);
    assert!(told(&stage), "500 a second is below the limit of 600 and still twice the usual");
    rate(&mut stage, 110.0);
    stage.run(4);
    assert!(!told(&stage));
}

#[test]
fn what_lasts_becomes_usual() {
    let mut stage = usual();
    rate(&mut stage, 400.0);
    stage.run(300);
    assert!(told(&stage), "after five minutes it still stands out");
    stage.run(900);
    assert!(!told(&stage), "after twenty it is how it is now");
}

#[test]
fn a_few_requests_more_are_no_spike() {
    let mut stage = Stage::new();
    rate(&mut stage, 0.1);
    stage.run(60);
    rate(&mut stage, 4.0);
    stage.run(30);
    assert!(!told(&stage), "forty times next to nothing is nothing");
    rate(&mut stage, 40.0);
    stage.run(6);
    assert!(told(&stage));
}

#[test]
fn an_unknown_rate_is_not_zero_and_what_was_usual_survives_being_written_down() {
    let mut stage = usual();
    for haproxy in &mut stage.haproxies {
        haproxy.frontend_rates = vec![TrafficRates::default()];
    }
    stage.run(30);
    let text = serde_json::to_string(&stage.rules).unwrap();
    stage.rules = serde_json::from_str(&text).unwrap();
    rate(&mut stage, 100.0);
    stage.run(30);
    assert!(!told(&stage), "back after a gap is no growth");
    rate(&mut stage, 400.0);
    stage.run(6);
    assert!(told(&stage));
}
