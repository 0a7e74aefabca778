//! Which addresses the outside world reaches.

use std::net::IpAddr;

/// RFC 1918, or a unique local address (RFC 4193).
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

/// Neither private nor bound to one link or machine, nor shared by the customers of one provider (RFC 6598).
pub fn is_public(address: IpAddr) -> bool {
    let local = match address {
        IpAddr::V4(address) => {
            let [a, b, ..] = address.octets();
            address.is_link_local() || address.is_broadcast() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(local || is_private(address) || address.is_loopback() || address.is_unspecified() || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_the_outside_reaches_are_public() {
        for public in ["203.0.113.11", "8.8.8.8", "2001:db8::1", "172.32.0.1", "100.128.0.1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in
            ["10.0.0.1", "172.31.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.0", "169.254.1.1", "100.64.0.1", "::", "::1"]
        {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
        assert!(is_private("fd00::1".parse().unwrap()));
        assert!(!is_public("fe80::1".parse().unwrap()));
    }
}
