//! Settings of one port of Open vSwitch, as values: where its database keeps them, and what they may be.
//!
//! Deliberately absent: how they are changed (`wire::countdown`), and what becomes of whoever is behind the port (`plan::tune`).

use super::{
    figure::Figure,
    ovs::{Interface, LinkState, Port, Trunks, Vlan},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Largest VLAN; 4095 is reserved.
const VLAN_MAX: u16 = 4095;
/// Smallest frame that IPv4 may rely on, and the largest that any device takes.
const MTU_BYTES: std::ops::RangeInclusive<u64> = 68..=65_535;
/// Most kilobits per second: 4 terabits.
const KBITS_MAX: u64 = 4_000_000_000;
/// What an operator writes for *nothing is set*.
const NONE: &str = "none";
const UP: &str = "up";
const DOWN: &str = "down";

/// A setting of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortSetting {
    /// The VLAN that it carries untagged.
    Tag,
    /// The VLANs that it carries tagged.
    Trunks,
    /// The largest frame that is asked for.
    Mtu,
    /// What it takes at most, kilobits per second.
    PolicingRate,
    /// How much may exceed that for a moment, kilobits.
    PolicingBurst,
    /// Whether its device is up. The database only tells it, and a start of the node forgets it.
    Link,
}

impl PortSetting {
    /// Every one.
    pub const ALL: [Self; 6] =
        [Self::Tag, Self::Trunks, Self::Mtu, Self::PolicingRate, Self::PolicingBurst, Self::Link];

    /// What operators call it: the key of the catalogue.
    pub fn key(self) -> &'static str {
        match self {
            Self::Tag => "ovs.tag",
            Self::Trunks => "ovs.trunks",
            Self::Mtu => "ovs.mtu_request",
            Self::PolicingRate => "ovs.ingress_policing_rate",
            Self::PolicingBurst => "ovs.ingress_policing_burst",
            Self::Link => "ovs.link",
        }
    }

    /// The setting that is called so.
    pub fn find(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.key() == key)
    }

    /// The table of the database.
    pub fn table(self) -> &'static str {
        match self {
            Self::Tag | Self::Trunks => "Port",
            Self::Mtu | Self::PolicingRate | Self::PolicingBurst | Self::Link => "Interface",
        }
    }

    /// The column of that table.
    pub fn column(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Trunks => "trunks",
            Self::Mtu => "mtu_request",
            Self::PolicingRate => "ingress_policing_rate",
            Self::PolicingBurst => "ingress_policing_burst",
            Self::Link => "admin_state",
        }
    }

    /// What it is where nobody has set it.
    pub fn default(self) -> &'static str {
        match self {
            Self::Tag | Self::Trunks | Self::Mtu => NONE,
            Self::PolicingRate | Self::PolicingBurst => "0",
            Self::Link => UP,
        }
    }

    /// What it may be, in words.
    pub fn range(self) -> &'static str {
        match self {
            Self::Tag => "0 to 4095, or none",
            Self::Trunks => "VLANs from 0 to 4095 with commas between them, or none for all",
            Self::Mtu => "68 to 65535 bytes, or none",
            Self::Link => "up or down",
            Self::PolicingRate | Self::PolicingBurst => "0 to 4000000000, where 0 is no limit",
        }
    }

    /// The one text that stands for what an operator typed: digits without leading zeros, VLANs ascending, `none`. `None`
    /// where it is no such value.
    pub fn canonical(self, typed: &str) -> Option<String> {
        let typed = typed.trim();
        let is_none = typed.eq_ignore_ascii_case(NONE);
        match self {
            Self::Tag | Self::Trunks | Self::Mtu if is_none => Some(NONE.to_owned()),
            Self::Link => [UP, DOWN].into_iter().find(|word| typed.eq_ignore_ascii_case(word)).map(str::to_owned),
            Self::Tag => vlan(typed).map(|vlan| vlan.to_string()),
            Self::Trunks => {
                let mut vlans = typed.split(',').map(|word| vlan(word.trim())).collect::<Option<Vec<u16>>>()?;
                vlans.sort_unstable();
                vlans.dedup();
                Some(list(&vlans))
            }
            Self::Mtu => digits(typed).filter(|bytes| MTU_BYTES.contains(bytes)).map(|bytes| bytes.to_string()),
            Self::PolicingRate | Self::PolicingBurst => {
                digits(typed).filter(|kbits| *kbits <= KBITS_MAX).map(|kbits| kbits.to_string())
            }
        }
    }

    /// A canonical value as the database writes it (RFC 7047).
    pub fn datum(self, canonical: &str) -> Value {
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        match self {
            Self::Tag | Self::Mtu | Self::Trunks if canonical == NONE => json!(["set", []]),
            Self::Trunks => json!(["set", canonical.split(',').map(number).collect::<Vec<_>>()]),
            Self::Link => json!(canonical),
            Self::Tag | Self::Mtu | Self::PolicingRate | Self::PolicingBurst => json!(number(canonical)),
        }
    }

    /// The canonical value of what the database wrote; `None` where it is none.
    pub fn of_datum(self, datum: &Value) -> Option<String> {
        if let (Self::Link, Value::String(word)) = (self, datum) {
            return self.canonical(word);
        }
        let numbers: Vec<u64> = match datum {
            Value::Array(parts) => {
                let [Value::String(word), Value::Array(values)] = parts.as_slice() else { return None };
                (word == "set").then(|| values.iter().map(Value::as_u64).collect::<Option<_>>()).flatten()?
            }
            single => vec![single.as_u64()?],
        };
        let text = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
        self.canonical(if text.is_empty() { NONE } else { &text })
    }

    /// What it is on a port, by what is polled anyway. An access port has no list, a trunk no tag.
    pub fn running(self, port: &Port, interface: &Interface) -> Figure<String> {
        let or_none = |value: Option<u64>| value.map_or_else(|| NONE.to_owned(), |value| value.to_string());
        match self {
            Self::Tag => port.vlan.as_ref().map(|vlan| match vlan {
                Vlan::Access(tag)
                | Vlan::NativeTagged { native: tag, .. }
                | Vlan::NativeUntagged { native: tag, .. }
                | Vlan::Dot1qTunnel { service: tag, .. } => tag.to_string(),
                Vlan::Trunk(_) => NONE.to_owned(),
            }),
            Self::Trunks => port.vlan.as_ref().map(|vlan| match vlan {
                Vlan::Trunk(Trunks::Only(vlans))
                | Vlan::NativeTagged { trunks: Trunks::Only(vlans), .. }
                | Vlan::NativeUntagged { trunks: Trunks::Only(vlans), .. }
                | Vlan::Dot1qTunnel { customers: Trunks::Only(vlans), .. } => list(vlans),
                _ => NONE.to_owned(),
            }),
            Self::Mtu => interface.mtu_wanted_bytes.map(or_none),
            Self::Link => interface.admin.map(|state| if state == LinkState::Up { UP } else { DOWN }.to_owned()),
            Self::PolicingRate => interface.policing_kbits_per_s.map(|kbits| kbits.to_string()),
            Self::PolicingBurst => interface.policing_burst_kbits.map(|kbits| kbits.to_string()),
        }
    }
}

fn digits(typed: &str) -> Option<u64> {
    let is_number = !typed.is_empty() && typed.len() <= 10 && typed.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| typed.parse().ok()).flatten()
}

fn vlan(typed: &str) -> Option<u16> {
    digits(typed).and_then(|vlan| u16::try_from(vlan).ok()).filter(|vlan| *vlan <= VLAN_MAX)
}

fn list(vlans: &[u16]) -> String {
    vlans.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_has_one_text_and_one_datum() {
        let cases = [
            (PortSetting::Tag, "020", Some("20"), "20"),
            (PortSetting::Tag, "None", Some("none"), r#"["set",[]]"#),
            (PortSetting::Tag, "4096", None, ""),
            (PortSetting::Tag, "1;reboot", None, ""),
            (PortSetting::Trunks, "30, 10,30", Some("10,30"), r#"["set",[10,30]]"#),
            (PortSetting::Trunks, "", None, ""),
            (PortSetting::Mtu, "9000", Some("9000"), "9000"),
            (PortSetting::Mtu, "10", None, ""),
            (PortSetting::PolicingRate, "none", None, ""),
            (PortSetting::Link, "DOWN", Some("down"), r#""down""#),
            (PortSetting::Link, "off", None, ""),
            (PortSetting::PolicingRate, "0", Some("0"), "0"),
        ];
        for (setting, typed, canonical, datum) in cases {
            assert_eq!(setting.canonical(typed).as_deref(), canonical, "{setting:?} {typed}");
            if let Some(canonical) = canonical {
                let written = setting.datum(canonical);
                assert_eq!(written.to_string(), datum);
                assert_eq!(setting.of_datum(&written).as_deref(), Some(canonical));
            }
        }
    }

    #[test]
    fn what_a_database_writes_is_read_in_all_its_forms() {
        let read = |text: &str| PortSetting::Trunks.of_datum(&serde_json::from_str(text).unwrap());
        assert_eq!(read("10").as_deref(), Some("10"));
        assert_eq!(read(r#"["set",[]]"#).as_deref(), Some("none"));
        assert_eq!(read(r#"["map",[]]"#), None);
        assert_eq!(read(r#""10""#), None);
        assert_eq!(read(r#"["set",["10"]]"#), None);
    }
}
