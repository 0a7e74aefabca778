//! Everything there is to say about one row, as labelled lines for the details pane and the clipboard.

use super::{
    App, Seen, change_details, changes, figures, machine_details,
    meaning::{Line, Meaning, Span},
    network,
    rows::RowId,
    standing, telling,
    traffic::Traffic,
    tune,
    what_if::Failure,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        haproxy::{AdminState, Check, ConfiguredState, Server, Traffic as Counters, TrafficRates},
        ids::{NodeName, ProxyName, ServerName},
        world::NodeFacts,
    },
    rules::{Finding, RuleId},
};

/// A line of details.
#[derive(Debug, Clone)]
pub(crate) enum Detail {
    /// What the row is, on top.
    Title(Line),
    /// A sentence, wrapped to the pane.
    Text(Line),
    /// The head of a group.
    Heading(String),
    /// A label and its value.
    Pair(&'static str, Line),
}

/// What a row is, in a sentence for the help.
pub(crate) fn what_it_is(row: &RowId) -> String {
    match row {
        RowId::Finding(rule, subject) => format!("A finding about {subject} by the rule {rule}."),
        RowId::Node(name) => format!("The node {name} of the inventory."),
        RowId::Frontend(name) => format!("The frontend {name}: where clients come in. Figures are sums."),
        RowId::Backend(name) => format!("The backend {name} and its servers. Figures are sums over load balancers."),
        RowId::Server(backend, server) => {
            format!("The server {server} of the backend {backend}, on all load balancers.")
        }
        RowId::Share(backend, server, lb) => format!("The server {server} of the backend {backend} as {lb} sees it."),
        RowId::Bridge(node, bridge) => format!("The bridge {bridge} of {node} and its ports."),
        RowId::Port(node, bridge, port, interface) => match interface.as_ref().filter(|interface| *interface != port) {
            Some(interface) => format!("The member {interface} of the bond {port} on the bridge {bridge} of {node}."),
            None => format!("The port {port} of the bridge {bridge} of {node}. Received is what the switch received."),
        },
        RowId::Guest(host, name) => format!("The guest {name} on the hypervisor {host}."),
        RowId::Run(id) => format!("The run {id}: a change that was begun, and what became of it."),
        RowId::Setting(node, title) => format!("The setting {title} on {node}, and on nodes that say the same."),
        RowId::Wish(server, _) => format!("What is wanted of {server} until somebody says otherwise."),
    }
}

/// What there is to say about a row right now, in a line or two for the help.
pub(crate) fn in_short(app: &App, row: &RowId) -> Vec<Line> {
    let seen = app.seen();
    match row {
        RowId::Finding(rule, subject) => {
            let finding = seen.findings.iter().find(|f| f.rule == *rule && f.subject == *subject);
            finding.map_or_else(Vec::new, |finding| {
                vec![
                    vec![Span::new(finding.sentence.as_str(), finding.severity.into())],
                    vec![Span::dim("What to do: "), Span::plain(finding.hint.as_str())],
                ]
            })
        }
        RowId::Node(name) => seen.world.node(name).map_or_else(Vec::new, |node| {
            let standing = standing::of_node(seen, node);
            let mut line = vec![Span::plain("It is "), Span::signed(standing.word, standing.meaning)];
            if !standing.problem.is_empty() {
                line.push(Span::plain(": "));
                line.push(Span::new(standing.problem, standing.problem_meaning));
            }
            vec![line]
        }),
        RowId::Server(backend, server) => {
            let traffic = Traffic::merge(seen);
            let pool = traffic.pools.iter().position(|pool| pool.proxy.name == backend);
            let place = pool.and_then(|pool| {
                traffic.pools[pool].servers.iter().position(|known| *known == server).map(|place| (pool, place))
            });
            place.map_or_else(Vec::new, |(pool, place)| {
                let differences = traffic.differences(pool, place);
                if differences.is_empty() {
                    return Vec::new();
                }
                let words = format!("The load balancers disagree about {}.", differences.join(", "));
                vec![vec![Span::new(words, Meaning::Warn)]]
            })
        }
        RowId::Guest(host, name) => machine_details::in_short(seen, host, name),
        RowId::Run(id) => changes::run(seen, id)
            .map_or_else(Vec::new, |run| vec![vec![Span::new(changes::why(&run.state), changes::meaning(&run.state))]]),
        RowId::Bridge(..) | RowId::Port(..) => network::in_short(seen, row),
        RowId::Setting(node, title) => tune::in_short(seen, node, title.as_str()),
        RowId::Frontend(_) | RowId::Backend(_) | RowId::Share(..) | RowId::Wish(..) => Vec::new(),
    }
}

/// All details of a row.
pub(crate) fn of_row(app: &App, row: &RowId) -> Vec<Detail> {
    match row {
        RowId::Node(_)
        | RowId::Finding(..)
        | RowId::Run(_)
        | RowId::Wish(..)
        | RowId::Guest(..)
        | RowId::Bridge(..)
        | RowId::Setting(..)
        | RowId::Port(..) => of_row_within(app, None, row),
        _ => of_row_within(app, Some(&Traffic::merge(app.seen())), row),
    }
}

/// All details of a row, for those who have the traffic at hand.
pub(crate) fn of_row_within(app: &App, traffic: Option<&Traffic<'_>>, row: &RowId) -> Vec<Detail> {
    let seen = app.seen();
    match (row, traffic) {
        (RowId::Node(name), _) => seen.world.node(name).map(|node| of_node(seen, node)).unwrap_or_default(),
        (RowId::Finding(rule, subject), _) => {
            let finding = seen.findings.iter().find(|f| f.rule == *rule && f.subject == *subject);
            finding.map(|finding| of_finding(app, finding)).unwrap_or_default()
        }
        (RowId::Guest(host, name), _) => machine_details::of_guest(seen, host, name),
        (RowId::Run(id), _) => change_details::of_run(app, id),
        (RowId::Wish(server, is_weight), _) => change_details::of_wish(app, server, *is_weight),
        (RowId::Bridge(..) | RowId::Port(..), _) => network::details(seen, row),
        (RowId::Setting(node, title), _) => tune::of_row(seen, node, title.as_str()),
        (_, None) => Vec::new(),
        (RowId::Frontend(name), Some(traffic)) => of_frontend(seen, traffic, name),
        (RowId::Backend(name), Some(traffic)) => of_backend(seen, traffic, name),
        (RowId::Server(backend, server), Some(traffic)) => of_server(seen, traffic, backend, server, None),
        (RowId::Share(backend, server, lb), Some(traffic)) => of_server(seen, traffic, backend, server, Some(lb)),
    }
}

/// What the failure of a node would mean.
pub(crate) fn of_failure(failure: &Failure<'_>) -> Vec<Detail> {
    let title = vec![Span::dim("If "), Span::new(failure.node.as_str(), Meaning::Accent), Span::dim(" fails")];
    let losses = failure.losses.iter().map(|loss| {
        let meaning = if loss.meaning == Meaning::Text { Meaning::Ok } else { loss.meaning };
        Detail::Text(vec![Span::signed("", meaning), Span::plain(format!(" {}", loss.words))])
    });
    std::iter::once(Detail::Title(title)).chain(losses).collect()
}

pub(crate) fn text(words: impl Into<String>) -> Line {
    vec![Span::plain(words)]
}

/// A figure, or `?` with the reason: in the details the reason is always said.
pub(crate) fn said<T>(figure: Figure<T>, show: impl FnOnce(T) -> String) -> Line {
    match figure {
        Figure::Known(value) => text(show(value)),
        Figure::Unknown(why @ (Unknown::NothingHappened | Unknown::NotOffered)) => vec![Span::dim(format!("- {why}"))],
        Figure::Unknown(why) => {
            vec![Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))]
        }
    }
}

fn of_finding(app: &App, finding: &Finding) -> Vec<Detail> {
    let seen = app.seen();
    let since = figures::duration_s(seen.now.mono.since_ms(finding.since.mono) / 1000);
    let mut lines = vec![
        Detail::Title(vec![
            Span::signed("", telling::meaning(finding)),
            Span::new(format!(" {}", finding.subject), Meaning::Accent),
        ]),
        Detail::Text(text(finding.sentence.as_str())),
        Detail::Pair("since", text(format!("{since} ago"))),
        Detail::Pair("rule", text(finding.rule.as_str())),
    ];
    lines.extend(telling::details(app, finding).into_iter().map(|line| Detail::Text(text(line))));
    lines.push(Detail::Heading("Evidence".to_owned()));
    lines.extend(finding.evidence.iter().map(|line| Detail::Text(text(line.as_str()))));
    if finding.evidence.is_empty() {
        lines.push(Detail::Text(vec![Span::dim("none was kept")]));
    }
    lines.extend(affects(app, finding));
    if let Some(rule) = RuleId::named(finding.rule.as_str()).map(RuleId::rule) {
        lines.push(Detail::Heading("What it means, and what usually causes it".to_owned()));
        lines.push(Detail::Text(text(rule.meaning)));
        lines.push(Detail::Text(vec![Span::dim("Usual causes: "), Span::plain(rule.causes)]));
    }
    lines.push(Detail::Heading("What to do".to_owned()));
    lines.push(Detail::Text(text(finding.hint.as_str())));
    for (key, command) in telling::keys(app, finding) {
        let words = vec![Span::new(key, Meaning::Key), Span::plain(format!(" {}", command.title))];
        lines.push(Detail::Text(words));
    }
    if let Some(node) = finding.node.as_ref().and_then(|name| seen.world.node(name)) {
        lines.push(Detail::Heading("The node now".to_owned()));
        lines.extend(of_node(seen, node).into_iter().skip(1));
    }
    lines
}

/// What follows from a finding, and the nodes it is about where there are several.
fn affects(app: &App, finding: &Finding) -> Vec<Detail> {
    let affected = telling::affected(app.seen().findings, finding);
    let mut lines = Vec::new();
    if !affected.is_empty() || finding.nodes.len() > 1 {
        lines.push(Detail::Heading("What it affects".to_owned()));
    }
    if finding.nodes.len() > 1 {
        let names: Vec<&str> = finding.nodes.iter().map(NodeName::as_str).collect();
        lines.push(Detail::Text(text(names.join(", "))));
    }
    for finding in affected {
        let words = format!(" {}: {}", finding.subject, finding.sentence);
        lines.push(Detail::Text(vec![Span::signed("", telling::meaning(finding)), Span::plain(words)]));
    }
    lines
}

/// The few figures of a node that a neighbour of its screen needs.
fn of_node(seen: Seen<'_>, node: &NodeFacts) -> Vec<Detail> {
    let standing = standing::of_node(seen, node);
    let mut lines = vec![Detail::Title(vec![
        Span::new(format!("{} ", node.name), Meaning::Accent),
        Span::signed(standing.word, standing.meaning),
    ])];
    if !standing.problem.is_empty() {
        lines.push(Detail::Text(vec![Span::new(standing.problem.clone(), standing.problem_meaning)]));
    }
    if let Some(listed) = seen.inventory.node(&node.name) {
        let roles = listed.roles.iter().map(|role| role.word()).collect::<Vec<_>>().join(", ");
        lines.push(Detail::Pair("roles", text(roles)));
        lines.push(Detail::Pair("address", text(listed.management.clone())));
        if let Some(private) = listed.private {
            lines.push(Detail::Pair("private", text(private.to_string())));
        }
        if let Some(site) = &listed.site {
            lines.push(Detail::Pair("site", text(site.clone())));
        }
    }
    if let Some(age) = standing.age_ms {
        let meaning = if standing.is_stale { Meaning::Stale } else { Meaning::Text };
        lines.push(Detail::Pair("figures", vec![Span::new(format!("{} old", figures::age(age)), meaning)]));
    }
    let Some(host) = node.host.last() else {
        lines.push(Detail::Pair("host", said(Figure::<u64>::default(), figures::count)));
        return lines;
    };
    lines.push(Detail::Pair("cpu busy", said(host.cpu, |cpu| figures::percent(cpu.busy()))));
    lines.push(Detail::Pair("iowait", said(host.cpu, |cpu| figures::percent(cpu.iowait))));
    lines.push(Detail::Pair("load", said(host.sample.load, |load| figures::number(load.one_minute))));
    lines.push(Detail::Pair("memory", said(host.memory_used_percent, figures::percent)));
    lines.push(Detail::Pair("uptime", said(host.sample.uptime_ms, |ms| figures::duration_s(ms / 1000))));
    lines
}

fn of_frontend(seen: Seen<'_>, traffic: &Traffic<'_>, name: &ProxyName) -> Vec<Detail> {
    let Some(index) = traffic.frontends.iter().position(|frontend| frontend.name == name) else { return Vec::new() };
    let mut lines = vec![Detail::Title(vec![Span::new(name.as_str(), Meaning::Accent), Span::dim(" frontend")])];
    for balancer in 0..traffic.balancers.len() {
        lines.push(Detail::Heading(balancer_heading(seen, traffic, balancer)));
        let Some((frontend, rates)) = traffic.frontend(index, balancer) else {
            lines.push(Detail::Text(vec![
                Span::new("?", Meaning::Unknown),
                Span::dim(" not in this load balancer's answer"),
            ]));
            continue;
        };
        lines.push(Detail::Pair("status", text(frontend.status.as_str())));
        lines.push(Detail::Pair("mode", said(frontend.mode.clone(), |mode| mode.as_str().to_owned())));
        counters(&mut lines, &frontend.traffic, &rates);
    }
    lines
}

fn of_backend(seen: Seen<'_>, traffic: &Traffic<'_>, name: &ProxyName) -> Vec<Detail> {
    let Some(index) = traffic.pools.iter().position(|pool| pool.proxy.name == name) else { return Vec::new() };
    let mut lines = vec![Detail::Title(vec![Span::new(name.as_str(), Meaning::Accent), Span::dim(" backend")])];
    for balancer in 0..traffic.balancers.len() {
        lines.push(Detail::Heading(balancer_heading(seen, traffic, balancer)));
        let Some((backend, rates)) = traffic.backend(index, balancer) else {
            lines.push(Detail::Text(vec![
                Span::new("?", Meaning::Unknown),
                Span::dim(" not in this load balancer's answer"),
            ]));
            continue;
        };
        lines.push(Detail::Pair("status", text(backend.status.as_str())));
        lines.push(Detail::Pair("mode", said(backend.mode.clone(), |mode| mode.as_str().to_owned())));
        lines.push(Detail::Pair("algorithm", said(backend.algorithm.clone(), |name| name.as_str().to_owned())));
        lines.push(Detail::Pair("active servers", said(backend.active_servers, figures::count)));
        lines.push(Detail::Pair("backup servers", said(backend.backup_servers, figures::count)));
        counters(&mut lines, &backend.traffic, &rates);
    }
    lines
}

fn of_server(
    seen: Seen<'_>,
    traffic: &Traffic<'_>,
    backend: &ProxyName,
    name: &ServerName,
    only: Option<&NodeName>,
) -> Vec<Detail> {
    let Some(pool) = traffic.pools.iter().position(|pool| pool.proxy.name == backend) else { return Vec::new() };
    let Some(server) = traffic.pools[pool].servers.iter().position(|known| *known == name) else { return Vec::new() };
    let mut lines = vec![Detail::Title(vec![
        Span::dim(format!("{backend}/")),
        Span::new(name.as_str(), Meaning::Accent),
        Span::dim(" server"),
    ])];
    let differences = traffic.differences(pool, server);
    if !differences.is_empty() {
        let words = format!("The load balancers disagree about {}.", differences.join(", "));
        lines.push(Detail::Text(vec![Span::new(words, Meaning::Warn)]));
    }
    for index in 0..traffic.balancers.len() {
        if only.is_some_and(|only| traffic.balancers[index].node.name != *only) {
            continue;
        }
        lines.push(Detail::Heading(balancer_heading(seen, traffic, index)));
        match traffic.view(pool, server, index) {
            Some(view) => {
                states(&mut lines, view.server);
                check(&mut lines, &view.server.check);
                counters(&mut lines, &view.server.traffic, &view.rates);
                totals(&mut lines, view.server);
            }
            None => lines.push(Detail::Text(vec![
                Span::new("?", Meaning::Unknown),
                Span::dim(" not in this load balancer's answer"),
            ])),
        }
    }
    lines
}

/// The load balancer's name, and how old its word is when it is old.
fn balancer_heading(seen: Seen<'_>, traffic: &Traffic<'_>, index: usize) -> String {
    let balancer = traffic.balancers[index];
    let name = &balancer.node.name;
    if !balancer.is_stale {
        return format!("On {name}");
    }
    let why = standing::haproxy_trouble(balancer.node);
    match balancer.node.haproxy.age_ms(seen.now.mono) {
        Some(age) => format!("On {name}, {} ago: {why}", figures::age(age)),
        None => format!("On {name}: {why}"),
    }
}

/// The three states, told apart in words.
fn states(lines: &mut Vec<Detail>, server: &Server) {
    let meaning = Meaning::from(&server.operational);
    lines.push(Detail::Pair(
        "state",
        vec![Span::signed(&server.operational.to_string(), meaning), Span::dim(" (what checking says)")],
    ));
    let mut admin = said(server.admin, |admin| admin.to_string());
    if server.admin.known().is_some_and(|admin| admin != AdminState::Ready) {
        admin[0].meaning = Meaning::Maint;
    }
    admin.push(Span::dim(" (what was told to the process)"));
    lines.push(Detail::Pair("admin", admin));
    let mut file = said(server.configured, |state| state.to_string());
    if server.configured.known() == Some(ConfiguredState::Disabled) {
        file[0].meaning = Meaning::Maint;
    }
    file.push(Span::dim(" (what the configuration file says)"));
    lines.push(Detail::Pair("file", file));
    let mut weight = said(server.weight, figures::count);
    weight.push(Span::dim(" of "));
    weight.extend(said(server.weight_configured, figures::count));
    weight.push(Span::dim(" configured"));
    lines.push(Detail::Pair("weight", weight));
    lines.push(Detail::Pair("backup", said(server.backup, |backup| if backup { "yes" } else { "no" }.to_owned())));
    lines.push(Detail::Pair("address", said(server.address.clone(), |address| address.as_str().to_owned())));
    lines.push(Detail::Pair("last change", said(server.last_change_s, |s| format!("{} ago", figures::duration_s(s)))));
}

fn check(lines: &mut Vec<Detail>, check: &Check) {
    let mut head = said(check.status.clone(), |status| status.as_str().to_owned());
    if let Some(code) = check.code.known() {
        head.push(Span::plain(format!(" {code}")));
    }
    if let Some(ms) = check.duration_ms.known() {
        head.push(Span::plain(format!(" in {}", figures::latency_whole(ms))));
    }
    if check.in_progress {
        head.push(Span::dim(" (another is in flight)"));
    }
    lines.push(Detail::Pair("check", head));
    if let Some(words) = check.text.as_ref().known() {
        lines.push(Detail::Pair("", text(words.as_str())));
    }
    if let Some(answer) = check.answer.as_ref().known().filter(|answer| !answer.is_empty()) {
        lines.push(Detail::Pair("it said", text(answer.as_str())));
    }
    if let (Some(rise), Some(fall), Some(health)) = (check.rise.known(), check.fall.known(), check.health.known()) {
        let words = if health >= rise {
            format!("{} more failed checks until down", (health + 1).saturating_sub(rise))
        } else {
            format!("{} more passed checks until up", rise - health)
        };
        lines.push(Detail::Pair("next turn", text(format!("{words} (rise {rise}, fall {fall})"))));
    }
}

/// Figures that every kind of row has.
fn counters(lines: &mut Vec<Detail>, counters: &Counters, rates: &TrafficRates) {
    let mut sessions = said(counters.sessions_current, figures::count);
    sessions.push(Span::dim(" of "));
    match counters.sessions_limit {
        Figure::Known(limit) => sessions.push(Span::plain(figures::count(limit))),
        Figure::Unknown(_) => sessions.push(Span::dim("no limit told")),
    }
    if let Some(seen) = counters.sessions_max_seen.known() {
        sessions.push(Span::dim(format!(", most so far {}", figures::count(seen))));
    }
    lines.push(Detail::Pair("sessions", sessions));
    let mut queue = said(counters.queue_current, figures::count);
    if let Some(seen) = counters.queue_max_seen.known() {
        queue.push(Span::dim(format!(", most so far {}", figures::count(seen))));
    }
    lines.push(Detail::Pair("queue", queue));
    lines.push(Detail::Pair("requests", said(rates.requests_per_s, figures::rate)));
    lines.push(Detail::Pair("new sessions", said(rates.sessions_per_s, figures::rate)));
    lines.push(Detail::Pair("in", said(rates.in_bits_per_s, figures::bits)));
    lines.push(Detail::Pair("out", said(rates.out_bits_per_s, figures::bits)));
    lines.push(Detail::Pair("5xx", said(rates.server_errors_percent, figures::percent_fine)));
    lines.push(Detail::Pair("4xx", said(rates.client_errors_percent, figures::percent_fine)));
    lines.push(Detail::Pair("failures", said(rates.failures_per_s, figures::rate)));
    for (label, figure) in [
        ("time in queue", counters.queue_time_ms),
        ("time to connect", counters.connect_time_ms),
        ("time to answer", counters.response_time_ms),
        ("time in all", counters.total_time_ms),
    ] {
        if figure.known().is_some() {
            lines.push(Detail::Pair(label, said(figure, figures::latency_whole)));
        }
    }
}

/// Counters since the process started, and failures of checks.
fn totals(lines: &mut Vec<Detail>, server: &Server) {
    let counters = &server.traffic;
    lines.push(Detail::Pair("downtime", said(server.downtime_s, figures::duration_s)));
    let mut downs = said(server.downs_total, figures::count);
    downs.push(Span::dim(" times down, checks failed "));
    downs.extend(said(server.checks_failed_total, figures::count));
    lines.push(Detail::Pair("failures", downs));
    lines.push(Detail::Pair(
        "since reset",
        said(counters.sessions_total, |n| format!("{} sessions", figures::count(n))),
    ));
    if let Some(answers) = counters.answers.known() {
        let words = format!(
            "2xx {}  3xx {}  4xx {}  5xx {}",
            figures::count(answers.success),
            figures::count(answers.redirection),
            figures::count(answers.client_error),
            figures::count(answers.server_error)
        );
        lines.push(Detail::Pair("", text(words)));
    }
    let bytes = |figure: Figure<u64>| figure.known().map_or("?".to_owned(), figures::bytes_total);
    lines.push(Detail::Pair("", text(format!("in {}  out {}", bytes(counters.in_bytes), bytes(counters.out_bytes)))));
    let n = |figure: Figure<u64>| figure.known().map_or("?".to_owned(), figures::count);
    let words = format!(
        "connect errors {}  answer errors {}  retries {}  redispatches {}",
        n(counters.connect_errors_total),
        n(counters.response_errors_total),
        n(counters.retries_total),
        n(counters.redispatches_total)
    );
    lines.push(Detail::Pair("", text(words)));
    lines.push(Detail::Pair(
        "last session",
        said(counters.last_session_s, |s| format!("{} ago", figures::duration_s(s))),
    ));
}
