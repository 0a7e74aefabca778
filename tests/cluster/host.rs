//! Hosts on the lab: the disk behind a database, as `iostat` sees it over the same seconds.

use super::lab::{Lab, answer, node};
use serde_json::Value;
use std::{
    process::{Command, Stdio},
    time::Duration,
};

const SECONDS: u32 = 8;
/// Both look at the same counters of the kernel, but not at the same moments: of figures of several seconds.
const TOLERANCE: f64 = 0.25;
/// Below this many milliseconds or percent a difference is the rounding of either.
const LEAST: f64 = 1.0;

/// Small writes that each wait for the disk, for the whole test and not longer. Ends by itself when dropped early.
struct Writer(std::process::Child);

impl Writer {
    fn start() -> Self {
        let script = format!(
            "timeout {} sh -c 'while :; do dd if=/dev/zero of=/var/lib/mysql/.written bs=16k count=64 oflag=dsync 2>&-; done'; \
             rm -f /var/lib/mysql/.written",
            SECONDS + 8
        );
        let child = Command::new(super::lab::SCRIPT)
            .args(["exec", "db01", "sh", "-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.wait();
    }
}

fn disk<'a>(document: &'a Value, name: &str) -> &'a Value {
    let disks = node(document, "db01")["host"]["disks"].as_array().unwrap();
    disks.iter().find(|disk| disk["name"] == name).unwrap_or_else(|| panic!("{name}: {disks:?}"))
}

#[test]
fn writes_wait_and_utilisation_of_a_disk_agree_with_iostat() {
    let Some(lab) = Lab::take() else { return };
    let source = answer(&["exec", "db01", "df", "--output=source", "/var/lib/mysql"]);
    let name = source.lines().last().unwrap().trim().trim_start_matches("/dev/").to_owned();
    let mut watch = lab.watch();
    let _writer = Writer::start();
    watch.until("the disk is busy", Duration::from_secs(20), |document| {
        node(document, "db01")["host"].is_object()
            && disk(document, &name)["writes_per_s"].as_f64().is_some_and(|writes| writes > 20.0)
            && disk(document, &name)["write_await_ms"].is_number()
    });
    // Without its first report, which is about the time since the machine started.
    let theirs = Command::new("iostat")
        .args(["-dxy", "-o", "JSON", &name, &SECONDS.to_string(), "1"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("iostat of the package sysstat");
    let mut shown = Vec::new();
    for _ in 0..SECONDS {
        let document = watch.next();
        let disk = disk(&document, &name);
        shown.push(["writes_per_s", "write_await_ms", "busy_percent"].map(|field| disk[field].as_f64().unwrap()));
    }
    let said: Value = serde_json::from_slice(&theirs.wait_with_output().unwrap().stdout).unwrap();
    let said = &said["sysstat"]["hosts"][0]["statistics"][0]["disk"][0];
    let writes: f64 = shown.iter().map(|figures| figures[0]).sum();
    let ours = [
        writes / f64::from(SECONDS),
        // A mean over requests, not over seconds.
        shown.iter().map(|figures| figures[0] * figures[1]).sum::<f64>() / writes,
        shown.iter().map(|figures| figures[2]).sum::<f64>() / f64::from(SECONDS),
    ];
    let theirs = ["w/s", "w_await", "util"].map(|field| said[field].as_f64().unwrap());
    println!("writes a second, wait in ms, utilisation in %: shown {ours:.2?}, iostat {theirs:.2?}");
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let allowed = (theirs * TOLERANCE).max(LEAST);
        assert!((ours - theirs).abs() <= allowed, "shown {ours:.2}, iostat {theirs:.2}, of {said}");
    }
}
