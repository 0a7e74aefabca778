//! Processor, memory, pressure, and what the machine is.

use super::{Scene, Section, percent_top};
use crate::{
    app::{
        figures,
        meaning::{Line, Meaning, Span},
        trend::{self, LONG_SAMPLES},
    },
    history::recent::HostFigure,
    model::{
        figure::Figure,
        host::{HostFacts, Memory, Virtualisation},
    },
};

impl Scene<'_> {
    /// The chart of a host figure.
    pub(super) fn samples(&self, figure: HostFigure) -> Vec<Option<f32>> {
        trend::host(self.seen, &self.node.name, figure, self.chart_room(), LONG_SAMPLES)
    }

    fn percent(&self, label: &str, value: &Span, figure: HostFigure) -> Line {
        let samples = self.samples(figure);
        self.charted(label, value, &samples, percent_top(&samples))
    }
}

/// Where the time of the processors goes.
pub(super) fn processor(scene: Scene<'_>) -> Section {
    let Some(host) = scene.host else {
        return Section { title: "Processor".to_owned(), lines: vec![scene.nothing("not read yet")] };
    };
    let limits = &scene.seen.inventory.settings.thresholds;
    let busy = Span::figure(host.cpu.map(|cpu| cpu.busy()), figures::percent);
    let iowait = Span::limited(host.cpu.map(|cpu| cpu.iowait), limits.iowait_percent, figures::percent);
    let steal = Span::limited(host.cpu.map(|cpu| cpu.steal), limits.steal_percent, figures::percent);
    let mut lines = vec![
        scene.percent("busy", &busy, HostFigure::CpuBusy),
        scene.percent("iowait", &iowait, HostFigure::Iowait),
        scene.percent("steal", &steal, HostFigure::Steal),
    ];
    match host.cpu {
        Figure::Known(cpu) => {
            let parts = |parts: [(&str, f64); 3]| {
                parts.map(|(name, share)| {
                    [Span::dim(format!("{name:<7} ")), Span::plain(format!("{:>5}   ", figures::percent(share)))]
                })
            };
            let first = parts([("user", cpu.user), ("system", cpu.system), ("nice", cpu.nice)]);
            let second = parts([("irq", cpu.irq), ("softirq", cpu.softirq), ("idle", cpu.idle)]);
            lines.push(scene.row("split", first.into_iter().flatten()));
            lines.push(scene.row("", second.into_iter().flatten()));
        }
        Figure::Unknown(why) => {
            lines.push(scene.row("split", [Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))]));
        }
    }
    lines.push(load(scene, host));
    let blocked = Span::figure(host.sample.blocked_tasks, |count| count.to_string());
    let many = host.sample.blocked_tasks.known().is_some_and(|count| count > 0);
    let mut spans = vec![blocked.meaning(if many { Meaning::Warn } else { Meaning::Text })];
    spans.push(Span::dim(" in uninterruptible sleep "));
    let names: Vec<&str> = host.sample.blocked_commands.iter().map(crate::model::text::Clean::as_str).collect();
    spans.push(Span::plain(names.join(", ")));
    lines.push(scene.row("tasks", spans));
    let count = host.sample.cpus.known().map_or_else(String::new, |cpus| format!(", {cpus} of them"));
    Section { title: format!("Processor{count}"), lines }
}

fn load(scene: Scene<'_>, host: &HostFacts) -> Line {
    let spans = match host.sample.load {
        Figure::Known(load) => vec![
            Span::plain(format!("{:>5}", figures::number(load.one_minute))),
            Span::dim(" 1 m  "),
            Span::plain(format!("{:>5}", figures::number(load.five_minutes))),
            Span::dim(" 5 m  "),
            Span::plain(format!("{:>5}", figures::number(load.fifteen_minutes))),
            Span::dim(" 15 m"),
        ],
        Figure::Unknown(why) => vec![Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))],
    };
    scene.row("load", spans)
}

/// Memory, swap and what was killed for lack of it.
pub(super) fn memory(scene: Scene<'_>) -> Section {
    let title = "Memory".to_owned();
    let Some(host) = scene.host else { return Section { title, lines: vec![scene.nothing("not read yet")] } };
    let limits = &scene.seen.inventory.settings.thresholds;
    let used = Span::limited(host.memory_used_percent, limits.memory_percent, figures::percent);
    let mut lines = vec![scene.percent("used", &used, HostFigure::MemoryUsed)];
    match host.sample.memory {
        Figure::Known(memory) => {
            let Memory {
                total_bytes,
                available_bytes,
                dirty_bytes,
                writeback_bytes,
                swap_total_bytes,
                swap_free_bytes,
            } = memory;
            lines.push(scene.row(
                "available",
                [
                    Span::plain(figures::bytes(available_bytes)),
                    Span::dim(" of "),
                    Span::plain(figures::bytes(total_bytes)),
                ],
            ));
            let unwritten =
                format!("{} dirty, {} being written", figures::bytes(dirty_bytes), figures::bytes(writeback_bytes));
            lines.push(scene.row("to disk", [Span::plain(unwritten)]));
            let words = if swap_total_bytes == 0 {
                vec![Span::dim("none")]
            } else {
                vec![
                    Span::plain(figures::bytes(swap_total_bytes.saturating_sub(swap_free_bytes))),
                    Span::dim(" of "),
                    Span::plain(figures::bytes(swap_total_bytes)),
                    Span::dim("   pages in "),
                    Span::figure(host.swap_in_per_s, figures::rate),
                    Span::dim(", out "),
                    Span::figure(host.swap_out_per_s, figures::rate),
                ]
            };
            lines.push(scene.row("swap", words));
        }
        Figure::Unknown(why) => {
            lines.push(scene.row("available", [Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))]));
        }
    }
    let new = host.oom_kills_new.known().unwrap_or(0);
    let meaning = if new > 0 { Meaning::Crit } else { Meaning::Text };
    lines.push(scene.row(
        "OOM kills",
        [
            Span::figure(host.sample.oom_kills, figures::count).meaning(meaning),
            Span::dim(" since boot, "),
            Span::figure(host.oom_kills_new, figures::count).meaning(meaning),
            Span::dim(" in the last interval"),
        ],
    ));
    Section { title, lines }
}

/// How long tasks wait for what they need.
pub(super) fn pressure(scene: Scene<'_>) -> Section {
    let title = "Pressure: share of time in which tasks stall".to_owned();
    let Some(host) = scene.host else { return Section { title, lines: vec![scene.nothing("not read yet")] } };
    let limits = &scene.seen.inventory.settings.thresholds;
    let full = Span::limited(host.io_full_percent, limits.io_full_percent, figures::percent_fine);
    let mut lines = vec![scene.percent("all, on io", &full, HostFigure::IoFull)];
    let some = [("io", host.io_some_percent), ("cpu", host.cpu_some_percent), ("memory", host.memory_some_percent)];
    let spans = some.into_iter().flat_map(|(name, figure)| {
        [
            Span::dim(format!("{name} ")),
            Span::plain(format!("{:>6}   ", Span::figure(figure, figures::percent_fine).text)),
        ]
    });
    lines.push(scene.row("some", spans.collect::<Vec<_>>()));
    if let (Figure::Unknown(_), Figure::Unknown(why)) = (host.io_some_percent, host.cpu_some_percent) {
        lines = vec![scene.nothing(&why.to_string())];
    }
    Section { title, lines }
}

/// What the machine is.
pub(super) fn host(scene: Scene<'_>) -> Section {
    let mut lines = Vec::new();
    if let Some(host) = scene.host {
        let limit = scene.seen.inventory.settings.thresholds.clock_offset_ms;
        lines.push(scene.row("uptime", [Span::figure(host.sample.uptime_ms, |ms| figures::duration_s(ms / 1000))]));
        let far = host.clock_offset_ms.known().is_some_and(|ms| ms.unsigned_abs() >= limit);
        let offset = Span::figure(host.clock_offset_ms, |ms| format!("{ms:+} ms"));
        let offset = if far { offset.meaning(Meaning::Warn) } else { offset };
        lines.push(scene.row("clock", [offset, Span::dim(" against this machine's")]));
    }
    let Some(profile) = scene.node.profile.last() else {
        let why = scene.node.profile.failure().map_or("not read yet", |failure| failure.reason.as_str());
        lines.push(scene.row("system", [Span::new("?", Meaning::Unknown), Span::dim(format!(" {why}"))]));
        return Section { title: "Machine".to_owned(), lines };
    };
    let text = |figure: &Figure<crate::model::text::Clean>| Span::figure(figure.clone(), |text| text.to_string());
    lines.push(scene.row("system", [text(&profile.system)]));
    lines.push(scene.row("kernel", [text(&profile.kernel)]));
    let kind = Span::figure(profile.virtualisation.clone(), |kind| match kind {
        Virtualisation::BareMetal => "bare metal".to_owned(),
        Virtualisation::Kvm => "KVM guest".to_owned(),
        Virtualisation::Machine(name) => format!("{name} guest"),
        Virtualisation::OpenVz => "OpenVZ container: shares its host's kernel".to_owned(),
        Virtualisation::Container(name) => format!("{name} container: shares its host's kernel"),
    });
    lines.push(scene.row("runs on", [kind]));
    for address in &profile.addresses {
        lines.push(
            scene.row(
                "address",
                [Span::plain(address.address.as_str()), Span::dim(format!(" on {}", address.interface))],
            ),
        );
    }
    Section { title: "Machine".to_owned(), lines }
}
