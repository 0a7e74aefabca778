//! Two samples of a hypervisor's guests become facts.

use crate::model::{
    figure::{Figure, Unknown},
    hypervisor::{
        DomainDisk, DomainDiskRates, DomainInterface, DomainInterfaceRates, DomainRates, DomainSample, DomainState,
        HypervisorFacts, HypervisorSample,
    },
};

/// Shortest window that rates are made of; an event may cause a look just after another.
const WINDOW_MS_MIN: u64 = 100;
/// ns in a ms.
const NS_PER_MS: f64 = 1e6;

/// Facts from the newer sample and the earlier facts; `elapsed_ms` lies between the two on the bastion's clock.
pub fn derive(earlier: Option<&HypervisorFacts>, newer: HypervisorSample, elapsed_ms: u64) -> HypervisorFacts {
    let before = |domain: &DomainSample| {
        let domains = &earlier?.sample.domains;
        domains.iter().find(|before| before.uuid == domain.uuid && before.name == domain.name)
    };
    let rates = newer.domains.iter().map(|domain| rates(before(domain), domain, elapsed_ms)).collect();
    HypervisorFacts { sample: newer, rates }
}

fn rates(before: Option<&DomainSample>, now: &DomainSample, elapsed_ms: u64) -> DomainRates {
    let is_active = |domain: &DomainSample| domain.state.known().is_some_and(DomainState::is_active);
    let window = match before.filter(|before| is_active(before)) {
        _ if !is_active(now) => Window { before: Err(Unknown::NotRunning), ms: elapsed_ms },
        Some(before) if elapsed_ms >= WINDOW_MS_MIN => Window { before: Ok(before), ms: elapsed_ms },
        _ => Window { before: Err(Unknown::NeedsTwoSamples), ms: elapsed_ms },
    };
    let vcpus = now.vcpus.known().unwrap_or(1).max(1) as f64;
    let share = |get: fn(&DomainSample) -> Figure<u64>| {
        window.grown(now, get).map(|ns| ns as f64 / (elapsed_ms as f64 * NS_PER_MS) * 100.0)
    };
    let disks = now.disks.iter().map(|disk| {
        disk_rates(
            &window.within(|before| before.disks.iter().find(|old| old.name == disk.name && old.path == disk.path)),
            disk,
        )
    });
    let interfaces = now.interfaces.iter().map(|interface| {
        interface_rates(
            &window.within(|before| before.interfaces.iter().find(|old| old.name == interface.name)),
            interface,
        )
    });
    DomainRates {
        cpu_percent: share(|domain| domain.cpu_time_ns),
        steal_percent: share(|domain| domain.vcpu_delay_ns).map(|steal| (steal / vcpus).min(100.0)),
        disks: disks.collect(),
        interfaces: interfaces.collect(),
    }
}

/// What was before, and how long ago.
struct Window<'a, T> {
    before: Result<&'a T, Unknown>,
    ms: u64,
}

impl<'a, T> Window<'a, T> {
    /// The same for a part of the thing, which may be new.
    fn within<U>(&self, part: impl FnOnce(&'a T) -> Option<&'a U>) -> Window<'a, U> {
        let before = self.before.and_then(|before| part(before).ok_or(Unknown::NeedsTwoSamples));
        Window { before, ms: self.ms }
    }

    /// By how much a counter has grown.
    fn grown(&self, now: &T, get: impl Fn(&T) -> Figure<u64>) -> Figure<u64> {
        let before = match self.before {
            Ok(before) => get(before),
            Err(why) => return Figure::Unknown(why),
        };
        before.and_then(|before| {
            get(now).and_then(|now| Figure::from_option(now.checked_sub(before), Unknown::CounterReset))
        })
    }

    fn per_s(&self, now: &T, get: impl Fn(&T) -> Figure<u64>) -> Figure<f64> {
        self.grown(now, get).map(|count| count as f64 * 1000.0 / self.ms.max(1) as f64)
    }

    /// Mean time of one of `count`, ms.
    fn mean_ms(&self, now: &T, count: impl Fn(&T) -> Figure<u64>, ns: impl Fn(&T) -> Figure<u64>) -> Figure<f64> {
        self.grown(now, count).and_then(|count| match count {
            0 => Figure::Unknown(Unknown::NothingHappened),
            count => self.grown(now, ns).map(|ns| ns as f64 / NS_PER_MS / count as f64),
        })
    }
}

fn disk_rates(window: &Window<'_, DomainDisk>, now: &DomainDisk) -> DomainDiskRates {
    DomainDiskRates {
        reads_per_s: window.per_s(now, |disk| disk.reads),
        writes_per_s: window.per_s(now, |disk| disk.writes),
        read_bytes_per_s: window.per_s(now, |disk| disk.read_bytes),
        write_bytes_per_s: window.per_s(now, |disk| disk.write_bytes),
        read_ms: window.mean_ms(now, |disk| disk.reads, |disk| disk.read_ns),
        write_ms: window.mean_ms(now, |disk| disk.writes, |disk| disk.write_ns),
    }
}

fn interface_rates(window: &Window<'_, DomainInterface>, now: &DomainInterface) -> DomainInterfaceRates {
    let lost = |interface: &DomainInterface| {
        interface.rx_lost.and_then(|rx| interface.tx_lost.map(|tx| rx.saturating_add(tx)))
    };
    DomainInterfaceRates {
        rx_bytes_per_s: window.per_s(now, |interface| interface.rx_bytes),
        tx_bytes_per_s: window.per_s(now, |interface| interface.tx_bytes),
        lost_per_s: window.per_s(now, lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Clean;

    fn sample(time: u64, delay: u64, state: DomainState) -> HypervisorSample {
        let disk = DomainDisk {
            name: Clean::line("vda"),
            reads: Figure::Known(time / 1_000_000_000 * 10),
            read_ns: Figure::Known(time / 1_000_000_000 * 30_000_000),
            writes: Figure::Known(7),
            write_ns: Figure::Known(7),
            ..DomainDisk::default()
        };
        let domain = DomainSample {
            name: Clean::line("app01"),
            uuid: Clean::line("u"),
            state: Figure::Known(state),
            vcpus: Figure::Known(2),
            cpu_time_ns: Figure::Known(time),
            vcpu_delay_ns: Figure::Known(delay),
            disks: vec![disk],
            ..DomainSample::default()
        };
        HypervisorSample { domains: vec![domain] }
    }

    #[test]
    fn rates_are_those_of_the_window() {
        let first = derive(None, sample(1_000_000_000, 0, DomainState::Running), 0);
        assert_eq!(first.rates[0].cpu_percent, Figure::Unknown(Unknown::NeedsTwoSamples));
        let second = derive(Some(&first), sample(2_000_000_000, 500_000_000, DomainState::Running), 2000);
        assert_eq!(second.rates[0].cpu_percent, Figure::Known(50.0));
        assert_eq!(second.rates[0].steal_percent, Figure::Known(12.5), "half a second of two CPUs times two seconds");
        assert_eq!(second.rates[0].disks[0].reads_per_s, Figure::Known(5.0));
        assert_eq!(second.rates[0].disks[0].read_ms, Figure::Known(3.0));
        assert_eq!(second.rates[0].disks[0].write_ms, Figure::Unknown(Unknown::NothingHappened));
    }

    #[test]
    fn a_new_start_is_no_rate_and_what_is_off_has_none() {
        let first = derive(None, sample(9_000_000_000, 0, DomainState::Running), 0);
        let again = derive(Some(&first), sample(1_000_000_000, 0, DomainState::Running), 2000);
        assert_eq!(again.rates[0].cpu_percent, Figure::Unknown(Unknown::CounterReset));
        let off = derive(Some(&first), sample(0, 0, DomainState::Off), 2000);
        assert_eq!(off.rates[0].cpu_percent, Figure::Unknown(Unknown::NotRunning));
        let on = derive(Some(&off), sample(1_000_000_000, 0, DomainState::Running), 2000);
        assert_eq!(on.rates[0].cpu_percent, Figure::Unknown(Unknown::NeedsTwoSamples));
        let hurried = derive(Some(&first), sample(9_100_000_000, 0, DomainState::Running), 20);
        assert_eq!(hurried.rates[0].cpu_percent, Figure::Unknown(Unknown::NeedsTwoSamples));
    }
}
