//! The facts agree with what `ovs-vsctl --format=json list` said while the feed's answer was taken: the lists before
//! and after it were the same.

use super::{capture, reloaded};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use vakt::model::{
    figure::Figure,
    ovs::{Interface, InterfaceKind, LinkState, Ofport, OvsSample, Port, Statistics, Trunks, TunnelEnd, Vlan},
    text::Clean,
};

type Rows = BTreeMap<String, BTreeMap<String, Value>>;

/// A list as rows by uuid, each with its columns.
fn listed(name: &str, table: &str) -> Rows {
    let list: Value = serde_json::from_slice(&capture(&format!("{name}.{table}.json"))).unwrap();
    let headings: Vec<&str> = list["headings"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let rows: Rows = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let cells = headings.iter().map(|name| (*name).to_owned()).zip(row.as_array().unwrap().iter().cloned());
            let cells: BTreeMap<String, Value> = cells.collect();
            (cells["_uuid"][1].as_str().unwrap().to_owned(), cells)
        })
        .collect();
    assert!(!rows.is_empty(), "{table} of {name}");
    rows
}

/// `["set", []]` for what is unknown or absent, as OVSDB writes it.
fn cell<T: Into<Value>>(value: Option<T>) -> Value {
    value.map_or_else(|| json!(["set", []]), Into::into)
}

fn text(figure: &Figure<Clean>) -> Value {
    cell(figure.as_ref().known().map(Clean::as_str))
}

fn optional_text(figure: &Figure<Option<Clean>>) -> Value {
    cell(figure.as_ref().known().unwrap().as_ref().map(Clean::as_str))
}

/// What a map of texts says of a key.
fn pair(map: &Value, key: &str) -> Option<Value> {
    map[1].as_array().unwrap().iter().find(|pair| pair[0] == key).map(|pair| pair[1].clone())
}

fn both(check: fn(&str, &OvsSample)) {
    for name in ["every-kind", "lab-kvm01"] {
        check(name, &reloaded(name));
    }
}

#[test]
fn interfaces_agree_with_ovs_vsctl() {
    both(|name, sample| {
        let rows = listed(name, "Interface");
        assert_eq!(sample.interfaces().count(), rows.len());
        for (_, _, interface) in sample.interfaces() {
            check_interface(interface, &rows[interface.id.as_str()]);
        }
    });
}

fn check_interface(interface: &Interface, row: &BTreeMap<String, Value>) {
    let state =
        |state: Figure<LinkState>| cell(state.known().map(|state| if state == LinkState::Up { "up" } else { "down" }));
    let ofport = interface.ofport.known().map(|ofport| match ofport {
        Ofport::Number(number) => i64::from(number),
        Ofport::Failed => -1,
    });
    let pairs: [(&str, Value); 17] = [
        ("name", json!(interface.name.as_str())),
        ("ofport", cell(ofport)),
        ("error", optional_text(&interface.error)),
        ("admin_state", state(interface.admin)),
        ("link_state", state(interface.link)),
        ("link_resets", cell(interface.link_changes.known())),
        ("link_speed", cell(interface.link_bits_per_s.known())),
        ("duplex", cell(interface.full_duplex.known().map(|full| if full { "full" } else { "half" }))),
        ("mtu", cell(interface.mtu_bytes.known())),
        ("mtu_request", cell(interface.mtu_wanted_bytes.known().unwrap())),
        ("mac_in_use", text(&interface.mac)),
        ("lacp_current", cell(interface.lacp_current.known().unwrap())),
        ("ingress_policing_rate", cell(interface.policing_kbits_per_s.known())),
        ("ingress_policing_burst", cell(interface.policing_burst_kbits.known())),
        ("cfm_fault", cell(interface.cfm_fault.known().unwrap())),
        ("type", json!(word(interface))),
        ("_uuid", json!(["uuid", interface.id.as_str()])),
    ];
    for (column, ours) in pairs {
        assert_eq!(row[column], ours, "{} {column}", interface.name);
    }
    check_maps(interface, row);
    for (key, ours) in counters(&interface.statistics) {
        assert_eq!(pair(&row["statistics"], key), ours.known().map(Value::from), "{} {key}", interface.name);
    }
}

fn word(interface: &Interface) -> String {
    match interface.kind.as_ref().known().unwrap() {
        InterfaceKind::System if interface.name.as_str() == "missing0" => "system".into(),
        InterfaceKind::System => String::new(),
        InterfaceKind::Internal => "internal".into(),
        InterfaceKind::Patch(_) => "patch".into(),
        InterfaceKind::Tunnel(tunnel) => tunnel.protocol.as_str().into(),
        InterfaceKind::Other(word) => word.as_str().into(),
    }
}

fn check_maps(interface: &Interface, row: &BTreeMap<String, Value>) {
    let of = |text: &Option<Clean>| text.as_ref().map(|text| json!(text.as_str()));
    let behind = interface.behind.as_ref().known().unwrap();
    assert_eq!(pair(&row["external_ids"], "attached-mac"), of(&behind.guest_mac));
    assert_eq!(pair(&row["external_ids"], "iface-id"), of(&behind.interface_id));
    assert_eq!(pair(&row["external_ids"], "vm-id"), of(&behind.machine_id));
    assert_eq!(pair(&row["bfd_status"], "state"), of(interface.bfd_state.as_ref().known().unwrap()));
    let driver = interface.driver.as_ref().known().map(|driver| json!(driver.as_str()));
    assert_eq!(pair(&row["status"], "driver_name"), driver);
    match interface.kind.as_ref().known().unwrap() {
        InterfaceKind::Patch(peer) => assert_eq!(pair(&row["options"], "peer"), of(peer)),
        InterfaceKind::Tunnel(tunnel) => {
            let remote = match tunnel.remote.as_ref().unwrap() {
                TunnelEnd::Address(address) => address.to_string(),
                TunnelEnd::Flow => "flow".into(),
                TunnelEnd::Other(other) => other.as_str().into(),
            };
            assert_eq!(pair(&row["options"], "remote_ip"), Some(json!(remote)));
        }
        _ => {}
    }
}

fn counters(statistics: &Statistics) -> [(&'static str, Figure<u64>); 12] {
    [
        ("rx_packets", statistics.rx_packets),
        ("rx_bytes", statistics.rx_bytes),
        ("rx_dropped", statistics.rx_dropped),
        ("rx_errors", statistics.rx_errors),
        ("rx_frame_err", statistics.rx_frame_err),
        ("rx_over_err", statistics.rx_over_err),
        ("rx_crc_err", statistics.rx_crc_err),
        ("tx_packets", statistics.tx_packets),
        ("tx_bytes", statistics.tx_bytes),
        ("tx_dropped", statistics.tx_dropped),
        ("tx_errors", statistics.tx_errors),
        ("collisions", statistics.collisions),
    ]
}

#[test]
fn ports_agree_with_ovs_vsctl() {
    both(|name, sample| {
        let by_name: BTreeMap<String, BTreeMap<String, Value>> =
            listed(name, "Port").into_values().map(|row| (row["name"].as_str().unwrap().to_owned(), row)).collect();
        let ports: Vec<&Port> = sample.bridges.iter().flat_map(|bridge| &bridge.ports).collect();
        assert_eq!(ports.len(), by_name.len());
        for port in ports {
            check_port(port, &by_name[port.name.as_str()]);
        }
    });
}

fn check_port(port: &Port, row: &BTreeMap<String, Value>) {
    let list = |trunks: &Trunks| match trunks {
        Trunks::All => json!(["set", []]),
        Trunks::Only(list) if list.len() == 1 => json!(list[0]),
        Trunks::Only(list) => json!(["set", list]),
    };
    let none = || json!(["set", []]);
    // A mode that is not set follows from the tag.
    let (tag, trunks, customers, mode) = match port.vlan.as_ref().known().unwrap() {
        Vlan::Access(tag) => (json!(tag), none(), none(), "access"),
        Vlan::Trunk(trunks) => (none(), list(trunks), none(), "trunk"),
        Vlan::NativeTagged { native, trunks } => (json!(native), list(trunks), none(), "native-tagged"),
        Vlan::NativeUntagged { native, trunks } => (json!(native), list(trunks), none(), "native-untagged"),
        Vlan::Dot1qTunnel { service, customers } => (json!(service), none(), list(customers), "dot1q-tunnel"),
    };
    assert_eq!((&row["tag"], &row["trunks"], &row["cvlans"]), (&tag, &trunks, &customers), "{}", port.name);
    let expected_mode = if row["vlan_mode"].is_string() {
        row["vlan_mode"].as_str().unwrap()
    } else if row["tag"].is_number() {
        "access"
    } else {
        "trunk"
    };
    assert_eq!(mode, expected_mode, "{}", port.name);
    let ids: Vec<Value> = port.interfaces.iter().map(|interface| json!(["uuid", interface.id.as_str()])).collect();
    let members = row["interfaces"][1].as_array().map_or(1, Vec::len);
    assert_eq!((members, port.is_bond()), (ids.len(), ids.len() > 1), "{}", port.name);
    assert!(ids.iter().all(|id| row["interfaces"].to_string().contains(&id.to_string())), "{}", port.name);
    assert_eq!(row["bond_active_slave"], optional_text(&port.bond.active_member_mac), "{}", port.name);
    assert_eq!(row["bond_updelay"], cell(port.bond.up_delay_ms.known()), "{}", port.name);
    assert_eq!(row["bond_downdelay"], cell(port.bond.down_delay_ms.known()), "{}", port.name);
    assert_eq!(row["protected"], cell(port.protected.known()), "{}", port.name);
    assert_eq!(row["qos"] != json!(["set", []]), port.has_qos.known().unwrap(), "{}", port.name);
}

#[test]
fn switch_and_bridges_agree_with_ovs_vsctl() {
    both(|name, sample| {
        let switch = listed(name, "Open_vSwitch").into_values().next().unwrap();
        assert_eq!(switch["cur_cfg"], cell(sample.switch.applied_configuration.known()));
        assert_eq!(switch["next_cfg"], cell(sample.switch.wanted_configuration.known()));
        assert_eq!(switch["ovs_version"], text(&sample.switch.version));
        assert_eq!(pair(&switch["external_ids"], "system-id").unwrap(), text(&sample.switch.system_id));
        let rows = listed(name, "Bridge");
        assert_eq!(rows.len(), sample.bridges.len());
        for bridge in &sample.bridges {
            let row = rows.values().find(|row| row["name"] == bridge.name.as_str()).unwrap();
            assert_eq!(row["datapath_type"], text(&bridge.datapath));
            assert_eq!(row["datapath_id"], text(&bridge.datapath_id));
            assert_eq!(row["ports"][1].as_array().unwrap().len(), bridge.ports.len());
            assert_eq!(row["controller"][0] == "uuid", bridge.controllers.len() == 1);
            assert_eq!(row["mirrors"][0] == "uuid", bridge.mirrors == Figure::Known(1));
            let aging = bridge.mac_aging_s.known().unwrap().map(|s| json!(s.to_string()));
            assert_eq!(pair(&row["other_config"], "mac-aging-time"), aging);
            let size = bridge.mac_table_size.known().unwrap().map(|size| json!(size.to_string()));
            assert_eq!(pair(&row["other_config"], "mac-table-size"), size);
        }
    });
}
