//! Figures as text that holds still: three significant digits, the unit always shown, bits for networks, bytes for
//! disks and memory.

/// Three significant digits: `1.20`, `12.0`, `120`; small values keep two decimals.
fn three(value: f64) -> String {
    let size = value.abs();
    if size < 9.995 {
        format!("{value:.2}")
    } else if size < 99.95 {
        format!("{value:.1}")
    } else {
        format!("{value:.0}")
    }
}

/// Splits into a number of three digits and the prefix of its unit.
fn scaled(value: f64, step: f64, prefixes: &[&'static str]) -> (String, &'static str) {
    let mut value = value;
    let mut chosen = "";
    for prefix in prefixes {
        // Never four digits: 999.7 becomes "1.00 k" and 1023 bytes become "1.00 Ki".
        if value.abs() < 999.5 {
            break;
        }
        value /= step;
        chosen = prefix;
    }
    (three(value), chosen)
}

const SI: [&str; 5] = ["k", "M", "G", "T", "P"];
const IEC: [&str; 5] = ["Ki", "Mi", "Gi", "Ti", "Pi"];

/// Events per second: `602 /s`, `1.20 k/s`.
pub(crate) fn rate(per_s: f64) -> String {
    if per_s == 0.0 {
        return "0 /s".to_owned();
    }
    let (number, prefix) = scaled(per_s, 1000.0, &SI);
    format!("{number} {prefix}/s")
}

/// Network throughput: `88.4 Mb/s`.
pub(crate) fn bits(per_s: f64) -> String {
    if per_s == 0.0 {
        return "0 b/s".to_owned();
    }
    let (number, prefix) = scaled(per_s, 1000.0, &SI);
    format!("{number} {prefix}b/s")
}

/// Disk throughput: `12.0 MB/s`.
pub(crate) fn bytes_rate(per_s: f64) -> String {
    if per_s == 0.0 {
        return "0 B/s".to_owned();
    }
    let (number, prefix) = scaled(per_s, 1000.0, &SI);
    format!("{number} {prefix}B/s")
}

/// Sizes of memory and file systems, in powers of 1024: `1.20 GiB`.
pub(crate) fn bytes(value: u64) -> String {
    if value < 1000 {
        return format!("{value} B");
    }
    let (number, prefix) = scaled(value as f64, 1024.0, &IEC);
    format!("{number} {prefix}B")
}

/// A count: exact below ten thousand, `12.3 k` above.
pub(crate) fn count(value: u64) -> String {
    if value < 10_000 {
        return value.to_string();
    }
    let (number, prefix) = scaled(value as f64, 1000.0, &SI);
    format!("{number} {prefix}")
}

/// A share in whole percent: `44 %`.
pub(crate) fn percent(value: f64) -> String {
    format!("{value:.0} %")
}

/// A share where tenths matter: `0.2 %`.
pub(crate) fn percent_fine(value: f64) -> String {
    if value == 0.0 || value >= 99.95 { format!("{value:.0} %") } else { format!("{value:.1} %") }
}

/// A plain number with two decimals below ten, such as a load average or a queue length.
pub(crate) fn number(value: f64) -> String {
    three(value)
}

/// A latency: `0.84 ms`, `81.0 ms`, `1.20 s`.
pub(crate) fn latency(ms: f64) -> String {
    if ms.abs() < 999.5 { format!("{} ms", three(ms)) } else { format!("{} s", three(ms / 1000.0)) }
}

/// A latency that the source gives in whole milliseconds: `12 ms`, `1.20 s`.
pub(crate) fn latency_whole(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { latency(ms as f64) }
}

/// An age or duration: `0.4 s`, `12 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`.
pub(crate) fn age(ms: u64) -> String {
    if ms < 10_000 {
        // Cut, not rounded: an age never shows more than has passed.
        return format!("{}.{} s", ms / 1000, ms % 1000 / 100);
    }
    duration_s(ms / 1000)
}

/// A duration in whole seconds: `41 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`.
pub(crate) fn duration_s(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Bytes since the counters started: `12.0 MB`.
pub(crate) fn bytes_total(value: u64) -> String {
    if value < 1000 {
        return format!("{value} B");
    }
    let (number, prefix) = scaled(value as f64, 1000.0, &SI);
    format!("{number} {prefix}B")
}

/// `1 node`, `2 nodes`.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_and_a_unit() {
        assert_eq!(rate(0.0), "0 /s");
        assert_eq!(rate(0.25), "0.25 /s");
        assert_eq!(rate(602.4), "602 /s");
        assert_eq!(rate(999.6), "1.00 k/s");
        assert_eq!(rate(1204.0), "1.20 k/s");
        assert_eq!(bits(88_400_000.0), "88.4 Mb/s");
        assert_eq!(bytes(1_288_490_189), "1.20 GiB");
        assert_eq!(bytes(1023), "1.00 KiB");
        assert_eq!(latency(81.04), "81.0 ms");
        assert_eq!(latency(999.7), "1.00 s");
        assert_eq!(count(9_999), "9999");
        assert_eq!(count(12_345), "12.3 k");
    }

    #[test]
    fn ages_never_show_more_than_has_passed() {
        assert_eq!(age(449), "0.4 s");
        assert_eq!(age(9_999), "9.9 s");
        assert_eq!(age(12_900), "12 s");
        assert_eq!(age(192_000), "3 m 12 s");
        assert_eq!(age(7_500_000), "2 h 05 m");
        assert_eq!(age(273_600_000), "3 d 04 h");
    }
}
