//! The rows put together: the switch, its bridges, their ports.

use super::{
    cells::Cells,
    interface,
    schema::{Schema, Table},
    tables::Tables,
};
use crate::{
    model::{
        figure::{Figure, Unknown},
        ovs::{
            Bond, BondMode, Bridge, Controller, DaemonProcess, FailMode, Lacp, OvsSample, Port, SpanningTree, Switch,
            Trunks, Vlan,
        },
        text::Clean,
    },
    wire::complaints::Complaints,
};

/// How often statistics are written unless the operator says otherwise, and at most.
const STATISTICS_INTERVAL_MS: u64 = 5000;
/// Interfaces put together of one switch, and ports: rows may refer to the same ones over and over.
pub const INTERFACES_MAX: usize = 20_000;
/// Bridges put together of one switch.
pub const BRIDGES_MAX: usize = 1000;
/// The highest VLAN that a tag may name.
const VLAN_MAX: u16 = 4095;

/// Everything that the rows say; rows that no bridge or port refers to say nothing.
pub(super) fn put_together(tables: &Tables, schema: &Schema, rounds: u64, complaints: &mut Complaints) -> OvsSample {
    let mut rows = Rows { tables, schema, ports: 0, interfaces: 0, complaints };
    let Some((_, row)) = tables.rows(Table::Switch).iter().next() else {
        rows.complaints.add("table Open_vSwitch", "has no row: the database was never initialised");
        return OvsSample { rounds, ..OvsSample::default() };
    };
    let cells = Cells { schema, table: Table::Switch, row };
    let switch = rows.switch(&cells);
    let mut bridges: Vec<Bridge> = cells
        .references("bridges")
        .take(BRIDGES_MAX)
        .filter_map(|uuid| rows.cells(Table::Bridge, uuid).map(|cells| rows.bridge(&cells)))
        .collect();
    if cells.references("bridges").count() > BRIDGES_MAX {
        rows.complaints.add("bridges", format!("only {BRIDGES_MAX} are kept"));
    }
    bridges.sort_by(|one, other| one.name.cmp(&other.name));
    OvsSample { switch, bridges, rounds }
}

/// The rows while they are put together.
struct Rows<'a> {
    tables: &'a Tables,
    schema: &'a Schema,
    ports: usize,
    interfaces: usize,
    complaints: &'a mut Complaints,
}

impl<'a> Rows<'a> {
    /// The cells of a row that another row refers to.
    fn cells(&mut self, table: Table, uuid: &str) -> Option<Cells<'a>> {
        let row = self.tables.rows(table).get(uuid);
        if row.is_none() {
            self.complaints.add(format!("{table:?}"), format!("row {uuid} is referred to and not there"));
        }
        Some(Cells { schema: self.schema, table, row: row? })
    }

    fn switch(&mut self, cells: &Cells<'_>) -> Switch {
        let told = |key| cells.pair_text("external_ids", key).and_then(|id| Figure::from_option(id, Unknown::Missing));
        let interval = cells.pair_count("other_config", "stats-update-interval", self.complaints);
        Switch {
            version: cells.text("ovs_version"),
            system_id: told("system-id"),
            hostname: told("hostname"),
            wanted_configuration: cells.integer("next_cfg"),
            applied_configuration: cells.integer("cur_cfg"),
            statistics_interval_ms: interval.map(|interval| interval.unwrap_or(0).max(STATISTICS_INTERVAL_MS)),
            daemon: cells.pair("statistics", "process_ovs-vswitchd").and_then(|text| match text {
                None => Figure::Unknown(Unknown::NotOffered),
                Some(text) => daemon(text, self.complaints),
            }),
        }
    }

    fn bridge(&mut self, cells: &Cells<'_>) -> Bridge {
        let controllers = cells.references("controller");
        let mut ports = Vec::new();
        for uuid in cells.references("ports") {
            if self.ports >= INTERFACES_MAX {
                self.complaints.add("ports", format!("only {INTERFACES_MAX} are kept"));
                break;
            }
            if let Some(cells) = self.cells(Table::Port, uuid) {
                self.ports += 1;
                ports.push(self.port(&cells));
            }
        }
        ports.sort_by(|one: &Port, other| one.name.cmp(&other.name));
        Bridge {
            name: name(cells),
            datapath: cells.text("datapath_type").map(|word| if word.is_empty() { "system".into() } else { word }),
            datapath_id: cells.text("datapath_id"),
            fail_mode: cells.optional_text("fail_mode").map(|word| match word {
                None => FailMode::Standalone,
                Some(word) => match word.as_str() {
                    "standalone" => FailMode::Standalone,
                    "secure" => FailMode::Secure,
                    _ => FailMode::Other(word),
                },
            }),
            controllers: controllers
                .filter_map(|uuid| self.cells(Table::Controller, uuid))
                .map(|cells| Controller {
                    target: cells.text("target"),
                    connected: cells.flag("is_connected"),
                    role: cells.text("role"),
                })
                .collect(),
            mirrors: cells.len("mirrors"),
            spanning_tree: spanning_tree(cells),
            mac_aging_s: cells.pair_count("other_config", "mac-aging-time", self.complaints),
            mac_table_size: cells.pair_count("other_config", "mac-table-size", self.complaints),
            fixed_mac: cells.pair_text("other_config", "hwaddr"),
            ports,
        }
    }

    fn port(&mut self, cells: &Cells<'_>) -> Port {
        let mut interfaces = Vec::new();
        for uuid in cells.references("interfaces") {
            if self.interfaces >= INTERFACES_MAX {
                self.complaints.add("interfaces", format!("only {INTERFACES_MAX} are kept"));
                break;
            }
            if let Some(cells) = self.cells(Table::Interface, uuid) {
                interfaces.push(interface::read(uuid, &cells, self.complaints));
                self.interfaces += 1;
            }
        }
        interfaces.sort_by(|one, other| one.name.cmp(&other.name));
        Port {
            name: name(cells),
            vlan: vlan(cells, self.complaints),
            bond: bond(cells, self.complaints),
            protected: cells.flag("protected"),
            has_qos: cells.len("qos").map(|count| count > 0),
            interfaces,
        }
    }
}

/// The name of a row, which every row has; a malformed one must not lose the row.
pub(super) fn name(cells: &Cells<'_>) -> Clean {
    cells.text("name").known().unwrap_or_else(|| Clean::line("(no name)"))
}

/// `vsz,rss,cpu_ms,crashes,started_ms,uptime_ms,…` with sizes in kilobytes.
fn daemon(text: &str, complaints: &mut Complaints) -> Figure<DaemonProcess> {
    let mut figures = [0_u64; 6];
    let mut given = 0;
    for (slot, word) in figures.iter_mut().zip(text.split(',')) {
        match complaints.number("statistics:process_ovs-vswitchd", word) {
            Figure::Known(value) => *slot = value,
            Figure::Unknown(why) => return Figure::Unknown(why),
        }
        given += 1;
    }
    if given < figures.len() {
        complaints.add("statistics:process_ovs-vswitchd", format!("too few figures: {text}"));
        return Figure::Unknown(Unknown::Malformed);
    }
    let [_, resident_kib, cpu_ms, crashes, _, uptime_ms] = figures;
    Figure::Known(DaemonProcess { resident_bytes: resident_kib.saturating_mul(1024), cpu_ms, crashes, uptime_ms })
}

fn spanning_tree(cells: &Cells<'_>) -> Figure<SpanningTree> {
    let root = |column, key| cells.pair_text(column, key).known().flatten();
    // A switch so old that it has no RSTP does not run it.
    let rapid = match cells.flag("rstp_enable") {
        Figure::Unknown(Unknown::NotOffered) => Figure::Known(false),
        other => other,
    };
    rapid.and_then(|rapid| {
        cells.flag("stp_enable").map(|classic| match (rapid, classic) {
            (true, _) => SpanningTree::Rstp(root("rstp_status", "rstp_designated_id")),
            (false, true) => SpanningTree::Stp(root("status", "stp_designated_root")),
            (false, false) => SpanningTree::Off,
        })
    })
}

/// Without a mode a port with a tag is an access port, one without is a trunk. Every other mode without a tag uses
/// VLAN 0.
fn vlan(cells: &Cells<'_>, complaints: &mut Complaints) -> Figure<Vlan> {
    let tag = cells.optional_count("tag", complaints).and_then(|tag| match tag.map(u16::try_from) {
        None => Figure::Known(None),
        Some(Ok(tag)) if tag <= VLAN_MAX => Figure::Known(Some(tag)),
        Some(_) => Figure::Unknown(Unknown::Malformed),
    });
    let mode = match cells.optional_text("vlan_mode") {
        // A switch so old that it has no modes follows the rule for "no mode".
        Figure::Unknown(Unknown::NotOffered) => Figure::Known(None),
        mode => mode,
    };
    let mode = match mode {
        Figure::Known(mode) => mode,
        Figure::Unknown(why) => return Figure::Unknown(why),
    };
    let trunks = |complaints| trunks(cells, "trunks", complaints);
    tag.and_then(|tag| {
        let native = tag.unwrap_or(0);
        match (mode.as_ref().map(Clean::as_str), tag) {
            (Some("access"), _) | (None, Some(_)) => Figure::Known(Vlan::Access(native)),
            (Some("trunk") | None, _) => trunks(complaints).map(Vlan::Trunk),
            (Some("native-tagged"), _) => trunks(complaints).map(|trunks| Vlan::NativeTagged { native, trunks }),
            (Some("native-untagged"), _) => trunks(complaints).map(|trunks| Vlan::NativeUntagged { native, trunks }),
            (Some("dot1q-tunnel"), _) => self::trunks(cells, "cvlans", complaints)
                .map(|customers| Vlan::Dot1qTunnel { service: native, customers }),
            (Some(other), _) => {
                complaints.add("Port column vlan_mode", format!("not a mode that is known: {other}"));
                Figure::Unknown(Unknown::Malformed)
            }
        }
    })
}

fn trunks(cells: &Cells<'_>, column: &str, complaints: &mut Complaints) -> Figure<Trunks> {
    let set = match cells.set(column) {
        Figure::Known([]) => return Figure::Known(Trunks::All),
        Figure::Known(set) => set,
        Figure::Unknown(why) => return Figure::Unknown(why),
    };
    let mut list = Vec::with_capacity(set.len().min(usize::from(VLAN_MAX) + 1));
    for atom in set {
        match atom.as_vlan() {
            Some(vlan) if vlan <= VLAN_MAX => list.push(vlan),
            _ => {
                complaints.add(format!("Port column {column}"), "holds something that is no VLAN");
                return Figure::Unknown(Unknown::Malformed);
            }
        }
    }
    Figure::Known(Trunks::Only(list))
}

fn bond(cells: &Cells<'_>, complaints: &mut Complaints) -> Bond {
    let is = |key, word| cells.pair("other_config", key).map(|text| text == Some(word));
    Bond {
        mode: cells.optional_text("bond_mode").map(|word| word.map(bond_mode)),
        active_member_mac: cells.optional_text("bond_active_slave"),
        up_delay_ms: cells.count("bond_updelay", complaints),
        down_delay_ms: cells.count("bond_downdelay", complaints),
        lacp: cells.optional_text("lacp").map(|word| match word {
            None => Lacp::Off,
            Some(word) => match word.as_str() {
                "off" => Lacp::Off,
                "active" => Lacp::Active,
                "passive" => Lacp::Passive,
                _ => Lacp::Other(word),
            },
        }),
        lacp_fast: is("lacp-time", "fast"),
        lacp_fallback: is("lacp-fallback-ab", "true"),
        primary: cells.pair_text("other_config", "bond-primary"),
    }
}

/// How members share the traffic, from the daemon's word.
pub(super) fn bond_mode(word: Clean) -> BondMode {
    match word.as_str() {
        "active-backup" => BondMode::ActiveBackup,
        "balance-slb" => BondMode::BalanceSlb,
        "balance-tcp" => BondMode::BalanceTcp,
        _ => BondMode::Other(word),
    }
}
