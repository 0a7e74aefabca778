//! One Open vSwitch: its database, its daemon, its ports. It says what the captured switch of the lab said, with the
//! node's own addresses, counters that follow the time, and what faults have done to it.

use super::{super::fault::DaemonFault, countdown::Timer};
use crate::{
    model::{port_setting::PortSetting, time::Mono},
    wire::{
        countdown::{Countdown, CountdownTask},
        feed::{Feed as _, FeedOutput},
        ovs::{
            OvsFeed, Told,
            daemon::{self, DaemonTalk},
        },
        request::OvsTalk,
    },
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    sync::LazyLock,
};

const SCHEMA: &str = include_str!("../../../tests/captures/ovs/3.1.0/schema.json");
const DATABASE: &str = include_str!("../../../tests/captures/ovs/3.1.0/lab-kvm01.reload.json");
const UPCALLS: &str = include_str!("../../../tests/captures/ovs/3.1.0/lab-kvm01.upcall.txt");

/// How often the daemon writes statistics, microseconds.
const ROUND_US: u64 = 5_000_000;
/// Bits per second that a quiet port carries.
const BITS_PER_S: u64 = 1_600_000;
/// Bytes of a usual packet.
const PACKET_BYTES: u64 = 800;

static TEMPLATE: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(DATABASE).unwrap_or_default());

/// A switch.
#[derive(Debug, Clone)]
pub(super) struct Switch {
    /// The last part of the node's addresses.
    octet: u8,
    /// That of the node at the other end of the tunnel, and whether guests run here.
    tunnel_to: Option<u8>,
    daemon: DaemonFault,
    /// When the daemon stopped.
    stopped_us: Option<u64>,
    started_us: u64,
    off: BTreeSet<String>,
    /// Values that were set, by row and setting.
    values: BTreeMap<(String, &'static str), (PortSetting, Value)>,
    timer: Timer,
    /// Packets that a port drops per second, and since when.
    dropping: BTreeMap<String, (u64, u64)>,
}

impl Switch {
    pub(super) fn new(octet: u8, tunnel_to: Option<u8>, now_us: u64) -> Self {
        Self {
            octet,
            tunnel_to,
            daemon: DaemonFault::Running,
            stopped_us: None,
            started_us: now_us,
            off: BTreeSet::new(),
            values: BTreeMap::new(),
            timer: Timer::default(),
            dropping: BTreeMap::new(),
        }
    }

    /// All faults are undone.
    pub(super) fn heal(&mut self, now_us: u64) {
        *self = Self::new(self.octet, self.tunnel_to, now_us);
    }

    /// The names of its interfaces.
    pub(super) fn ports(&self) -> Vec<String> {
        let mut names: Vec<String> = ["priv0", "int-phy", "phy-int", "eth1"].map(str::to_owned).to_vec();
        if let Some(other) = self.tunnel_to {
            names.extend([format!("vx-{other}"), "vnet0".to_owned()]);
        }
        names
    }

    pub(super) fn set_port(&mut self, port: &str, is_off: bool) {
        if is_off {
            self.off.insert(port.to_owned());
        } else {
            self.off.remove(port);
        }
    }

    pub(super) fn tag(&mut self, port: &str, tag: u16) {
        self.set(PortSetting::Tag, port, json!(tag));
    }

    pub(super) fn set(&mut self, setting: PortSetting, row: &str, datum: Value) {
        self.values.insert((row.to_owned(), setting.column()), (setting, datum));
    }

    /// What its database says of a setting; nothing where it has no such row.
    pub(super) fn datum(&self, setting: PortSetting, row: &str) -> Option<Value> {
        let rows = self.rows(0);
        let mut rows = rows["result"][2][setting.table()].as_object()?.values().map(|row| &row["initial"]);
        let found = rows.find(|found| found["name"] == row)?;
        Some(found.get(setting.column()).cloned().unwrap_or_else(|| setting.datum(setting.default())))
    }

    pub(super) fn drop_packets(&mut self, port: &str, per_s: u64, now_us: u64) {
        if per_s == 0 {
            self.dropping.remove(port);
        } else {
            self.dropping.insert(port.to_owned(), (per_s, now_us));
        }
    }

    pub(super) fn set_daemon(&mut self, daemon: DaemonFault, now_us: u64) {
        self.daemon = daemon;
        self.stopped_us = (daemon != DaemonFault::Running).then_some(now_us);
    }

    /// Until when it has counted.
    fn counted_us(&self, now_us: u64) -> u64 {
        self.stopped_us.unwrap_or(now_us).saturating_sub(self.started_us)
    }

    /// A task of the timer that takes a change back: the script's words and exit status.
    pub(super) fn carry_out(&mut self, countdown: &Countdown, task: CountdownTask, now_us: u64) -> (String, u32) {
        self.with_timer(|timer, switch| timer.carry_out(countdown, task, switch, now_us))
    }

    fn with_timer<T>(&mut self, work: impl FnOnce(&mut Timer, &mut Self) -> T) -> T {
        let mut timer = std::mem::take(&mut self.timer);
        let done = work(&mut timer, self);
        self.timer = timer;
        done
    }

    /// What a poll of the database is answered, through the feed that also follows a real one.
    pub(super) fn database(&mut self, now_us: u64) -> Vec<u8> {
        self.with_timer(|timer, switch| timer.pass(switch, now_us));
        let counted_us = self.counted_us(now_us);
        let rounds = counted_us / ROUND_US;
        let mut feed = OvsFeed::default();
        feed.open(Mono(0));
        let mut outputs = feed.take(SCHEMA.as_bytes(), Mono(0));
        outputs.extend(feed.take(self.rows(rounds * ROUND_US).to_string().as_bytes(), Mono(0)));
        let mut told = Told::default();
        for output in outputs {
            told.note(match output {
                FeedOutput::News(mut sample) => {
                    sample.rounds = rounds;
                    FeedOutput::News(sample)
                }
                other => other,
            });
        }
        told.into_bytes(
            (counted_us % ROUND_US) / 1000 + now_us.saturating_sub(self.stopped_us.unwrap_or(now_us)) / 1000,
        )
    }

    /// The first answer to a monitor.
    fn rows(&self, counted_us: u64) -> Value {
        let mut answer = TEMPLATE.clone();
        let tables = &mut answer["result"][2];
        let wanted: Vec<String> = ["br-int", "br-phy"].into_iter().map(str::to_owned).chain(self.ports()).collect();
        let mut gone = Vec::new();
        for table in ["Interface", "Port"] {
            let Some(rows) = tables[table].as_object_mut() else { continue };
            rows.retain(|uuid, row| {
                let row = &mut row["initial"];
                let name = self.renamed(row["name"].as_str().unwrap_or_default());
                row["name"] = json!(name);
                let stays = wanted.contains(&name);
                if !stays {
                    gone.push(uuid.clone());
                } else if table == "Interface" {
                    self.interface(&name, row, counted_us);
                }
                for ((of, column), (setting, datum)) in &self.values {
                    if *of == name && setting.table() == table {
                        row[*column] = datum.clone();
                    }
                }
                stays
            });
        }
        for bridge in tables["Bridge"].as_object_mut().into_iter().flat_map(|rows| rows.values_mut()) {
            if let Some(ports) = bridge["initial"]["ports"][1].as_array_mut() {
                ports.retain(|port| !gone.iter().any(|uuid| port[1] == uuid.as_str()));
            }
        }
        answer
    }

    /// The captured tunnel is called after its other end.
    fn renamed(&self, name: &str) -> String {
        match (name, self.tunnel_to) {
            ("vx-42", Some(other)) => format!("vx-{other}"),
            _ => name.to_owned(),
        }
    }

    fn interface(&self, name: &str, row: &mut Value, counted_us: u64) {
        match name {
            "priv0" => row["mac_in_use"] = json!(self.mac("52:54:00:0a:0a")),
            // The captured guest had just gone.
            "vnet0" => {
                let Some(fields) = row.as_object_mut() else { return };
                fields.remove("error");
                for (key, value) in [
                    ("ofport", json!(4)),
                    ("admin_state", json!("up")),
                    ("link_state", json!("up")),
                    ("link_resets", json!(0)),
                    ("mtu", json!(1500)),
                    ("mac_in_use", json!("fe:54:00:0a:0b:41")),
                    ("status", json!(["map", [["driver_name", "tun"]]])),
                ] {
                    fields.insert(key.to_owned(), value);
                }
            }
            name if name.starts_with("vx-") => {
                let other = self.tunnel_to.unwrap_or_default();
                row["options"] = json!(["map", [["key", "30"], ["remote_ip", format!("10.88.0.{other}")]]]);
            }
            _ => {}
        }
        if self.off.contains(name) {
            row["admin_state"] = json!("down");
            row["link_state"] = json!("down");
        }
        let counted = self.counted(name, counted_us);
        row["statistics"] = json!([
            "map",
            [
                ["collisions", 0],
                ["rx_bytes", counted.rx_bytes],
                ["rx_crc_err", 0],
                ["rx_dropped", 0],
                ["rx_errors", 0],
                ["rx_frame_err", 0],
                ["rx_over_err", 0],
                ["rx_packets", counted.rx_bytes / PACKET_BYTES],
                ["tx_bytes", counted.tx_bytes],
                ["tx_dropped", counted.dropped],
                ["tx_errors", 0],
                ["tx_packets", counted.tx_bytes / PACKET_BYTES],
            ]
        ]);
    }

    fn mac(&self, start: &str) -> String {
        format!("{start}:{:02x}", self.octet)
    }

    /// What a port has counted. Received is what the switch received.
    fn counted(&self, name: &str, counted_us: u64) -> Counted {
        let all = u128::from(BITS_PER_S) / 8 * u128::from(counted_us) / 1_000_000;
        let all = u64::try_from(all).unwrap_or(u64::MAX);
        // The one half goes where the other comes from.
        let (rx_bytes, tx_bytes) = match name {
            "priv0" | "phy-int" => (all / 3, all),
            "eth1" | "int-phy" => (all, all / 3),
            "vnet0" => (all / 40, all / 20),
            _ => (0, 0),
        };
        let dropped = self.dropping.get(name).map_or(0, |(per_s, since_us)| {
            let lasted_us = (counted_us + self.started_us).saturating_sub(*since_us);
            per_s.saturating_mul(lasted_us) / 1_000_000
        });
        let is_off = self.off.contains(name);
        if is_off { Counted { dropped, ..Counted::default() } } else { Counted { rx_bytes, tx_bytes, dropped } }
    }

    /// What a poll of the daemon is answered; `guests` are hardware addresses of guests that hang on this switch.
    pub(super) fn daemon(&self, talk: OvsTalk, guests: &[String], now_us: u64) -> Vec<u8> {
        let pid = 150 + u64::from(self.octet);
        let process = match self.daemon {
            DaemonFault::Running => format!("pid {pid}\nstat {pid} (ovs-vswitchd) S 1 {pid}\nvisible\n"),
            DaemonFault::Halted => format!("pid {pid}\nstat {pid} (ovs-vswitchd) T 1 {pid}\nvisible\n"),
            DaemonFault::Dead => format!("pid {pid}\nvisible\n"),
        };
        if self.daemon != DaemonFault::Running {
            return daemon::unasked(process.as_bytes(), None);
        }
        let mut conversation = DaemonTalk::new(talk);
        while let Some(question) = conversation.ask() {
            let question: Value = serde_json::from_slice(&question).unwrap_or_default();
            let answer = match (question["method"].as_str(), question["params"][0].as_str()) {
                (Some("dpctl/show"), _) => self.datapath(now_us),
                (Some("upcall/show"), _) => UPCALLS.to_owned(),
                (Some("ofproto/list"), _) => "br-int\nbr-phy\n".to_owned(),
                (Some("fdb/show"), Some("br-int")) => self.addresses(guests),
                (Some("fdb/show"), _) => " port  VLAN  MAC                Age\n".to_owned(),
                _ => String::new(),
            };
            let reply = json!({"id": question["id"], "result": answer, "error": null}).to_string();
            if conversation.take(reply.as_bytes()).is_err() {
                break;
            }
        }
        conversation.into_bytes(process.as_bytes(), None)
    }

    fn datapath(&self, now_us: u64) -> String {
        let counted_us = self.counted_us(now_us);
        let packets = counted_us / 1_000_000 * BITS_PER_S / 8 / PACKET_BYTES;
        let mut text =
            format!("netdev@ovs-netdev:\n  lookups: hit:{packets} missed:{} lost:0\n  flows: 4\n", packets / 90);
        let ports = self.ports();
        let devices = ports.iter().filter(|name| !name.contains("phy") && !name.starts_with("vx-"));
        for (number, name) in devices.enumerate() {
            let counted = self.counted(name, counted_us);
            let kind = if name == "priv0" { " (tap)" } else { "" };
            let (rx_bytes, tx_bytes) = (counted.rx_bytes, counted.tx_bytes);
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "  port {}: {name}{kind}\n    RX packets:{} errors:0 dropped:0 overruns:0 frame:0\n    \
                 TX packets:{} errors:0 dropped:{} aborted:0 carrier:0\n    collisions:0\n    \
                 RX bytes:{rx_bytes}  TX bytes:{tx_bytes}\n",
                number + 1,
                rx_bytes / PACKET_BYTES,
                tx_bytes / PACKET_BYTES,
                counted.dropped
            );
        }
        text
    }

    /// Its own address and those of two neighbours.
    fn addresses(&self, guests: &[String]) -> String {
        let mut text = " port  VLAN  MAC                Age\n".to_owned();
        for (port, octet, age_s) in
            [(2, self.octet, 1), (1, self.octet.wrapping_add(1), 3), (1, self.octet.wrapping_sub(1), 7)]
        {
            let _ = writeln!(text, "{port:5}{:6}  52:54:00:0a:0a:{octet:02x}  {age_s:3}", 10);
        }
        for (port, mac) in (FIRST_GUEST_PORT..).zip(guests) {
            let _ = writeln!(text, "{port:5}{:6}  {mac}  {:3}", 10, 1);
        }
        text
    }
}

/// Ports that the taps of guests get are behind all others.
const FIRST_GUEST_PORT: u16 = 40;

#[derive(Debug, Default)]
struct Counted {
    rx_bytes: u64,
    tx_bytes: u64,
    dropped: u64,
}
