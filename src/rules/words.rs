//! Figures and lists in the words of a sentence.

use crate::model::ids::NodeName;

/// "0.4 s", "12 s", "3 m 12 s", "2 h 05 m", "3 d 04 h". Cut, not rounded: never more than has passed.
pub(super) fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{seconds}.{} s", ms % 1000 / 100),
        _ => whole_duration(seconds),
    }
}

/// The same for what is known in whole seconds.
pub(super) fn whole_duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// "44 %", "0.4 %".
pub(super) fn percent(value: f64) -> String {
    if value < 9.95 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

/// "81 ms", "0.6 ms", "1.2 s".
pub(super) fn latency(ms: f64) -> String {
    match ms {
        _ if ms < 9.95 => format!("{ms:.1} ms"),
        _ if ms < 999.5 => format!("{ms:.0} ms"),
        _ => format!("{:.1} s", ms / 1000.0),
    }
}

/// "1.2 GiB".
pub(super) fn bytes(value: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 || size >= 99.95 { format!("{size:.0} {}", units[unit]) } else { format!("{size:.1} {}", units[unit]) }
}

/// "1 request", "3 requests".
pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// "lb01", "lb01 and lb02", "lb01, lb02 and lb03".
pub(super) fn listed(names: &[&NodeName]) -> String {
    match names {
        [] => String::new(),
        [one] => one.to_string(),
        [before @ .., last] => {
            let before: Vec<&str> = before.iter().map(|name| name.as_str()).collect();
            format!("{} and {last}", before.join(", "))
        }
    }
}

/// "both load balancers" where these are all of several, else their names.
pub(super) fn balancers(these: &[&NodeName], of: usize) -> String {
    match (these.len(), of) {
        (2, 2) => "both load balancers".into(),
        (all, of) if all == of && of > 2 => format!("all {of} load balancers"),
        _ => listed(these),
    }
}

/// The first letter as a capital, for a fragment that begins a sentence.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_on_the_screens() {
        assert_eq!([450, 12_000, 192_000, 7_500_000].map(duration), ["0.4 s", "12 s", "3 m 12 s", "2 h 05 m"]);
        assert_eq!([0.42, 44.4].map(percent), ["0.4 %", "44 %"]);
        assert_eq!([0.61, 81.2, 1200.0].map(latency), ["0.6 ms", "81 ms", "1.2 s"]);
        assert_eq!([512, 1_288_490_189, 250 << 20].map(bytes), ["512 B", "1.2 GiB", "250 MiB"]);
        let names = ["lb01", "lb02", "lb03"].map(NodeName::from);
        let names: Vec<&NodeName> = names.iter().collect();
        assert_eq!(listed(&names), "lb01, lb02 and lb03");
        assert_eq!(balancers(&names[..2], 2), "both load balancers");
        assert_eq!(balancers(&names[..2], 3), "lb01 and lb02");
        assert_eq!(sentence("clock"), "Clock");
    }
}
