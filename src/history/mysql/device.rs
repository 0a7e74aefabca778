//! The device behind a path of a node.

use crate::model::{
    figure::{Figure, Unknown},
    host::{DiskRates, HostFacts, HostProfile},
};

/// What carries a path.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Carrier<'a> {
    /// Its figures, where the host reports the device.
    pub disk: Option<&'a DiskRates>,
    /// Whether it turns.
    pub rotational: Figure<bool>,
}

/// The device behind `path`: of the file system that is mounted nearest above it. A partition's figures are its disk's.
pub fn carrier<'a>(path: &str, profile: Option<&HostProfile>, host: Option<&'a HostFacts>) -> Carrier<'a> {
    let Some(profile) = profile else { return Carrier::default() };
    let nearest = profile.filesystems.iter().filter(|filesystem| is_under(path, filesystem.mount.as_str()));
    let Some(filesystem) = nearest.max_by_key(|filesystem| filesystem.mount.as_str().len()) else {
        return Carrier::default();
    };
    let device = filesystem.device.as_str();
    let name = device.strip_prefix("/dev/mapper/").map_or_else(
        || device.strip_prefix("/dev/").unwrap_or(device),
        |mapped| {
            let block = profile
                .block_devices
                .iter()
                .find(|block| block.mapped_as.as_ref().is_some_and(|name| name.as_str() == mapped));
            block.map_or(mapped, |block| block.name.as_str())
        },
    );
    let disks = host.map(|host| host.disks.as_slice()).unwrap_or_default();
    let disk =
        disks.iter().filter(|disk| is_part(name, disk.name.as_str())).max_by_key(|disk| disk.name.as_str().len());
    let blocks = profile.block_devices.iter().filter(|block| is_part(name, block.name.as_str()));
    let rotational = blocks.max_by_key(|block| block.name.as_str().len()).map(|block| block.rotational);
    Carrier { disk, rotational: rotational.unwrap_or(Figure::Unknown(Unknown::Missing)) }
}

fn is_under(path: &str, mount: &str) -> bool {
    mount == "/" || path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `sda1` is a part of `sda`, `nvme0n1p2` of `nvme0n1`, `sda` of itself; `dm-10` is none of `dm-1`.
fn is_part(name: &str, disk: &str) -> bool {
    let Some(rest) = name.strip_prefix(disk) else { return false };
    let number =
        if disk.ends_with(|c: char| c.is_ascii_digit()) { rest.strip_prefix('p').unwrap_or("x") } else { rest };
    rest.is_empty() || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        host::{BlockDevice, Filesystem},
        text::Clean,
    };

    fn filesystem(mount: &str, device: &str) -> Filesystem {
        Filesystem {
            mount: mount.into(),
            device: device.into(),
            kind: Clean::line("ext4"),
            total_bytes: 1,
            used_bytes: 0,
            available_bytes: 1,
        }
    }

    #[test]
    fn the_device_is_that_of_the_nearest_mount() {
        let profile = HostProfile {
            filesystems: vec![
                filesystem("/", "/dev/vda1"),
                filesystem("/var/lib/mysql", "/dev/mapper/vg-db"),
                filesystem("/var/lib/my", "/dev/sdb"),
            ],
            block_devices: vec![
                BlockDevice { name: "dm-1".into(), rotational: Figure::Known(false), mapped_as: Some("vg-db".into()) },
                BlockDevice { name: "vda".into(), rotational: Figure::Known(true), mapped_as: None },
            ],
            ..HostProfile::default()
        };
        let disk = |name: &str| DiskRates { name: name.into(), ..DiskRates::default() };
        let host = HostFacts { disks: ["vda", "dm-1", "dm-10"].map(disk).to_vec(), ..HostFacts::default() };
        let of = |path: &str| carrier(path, Some(&profile), Some(&host));
        let data = of("/var/lib/mysql/");
        assert_eq!((data.disk.unwrap().name.as_str(), data.rotational), ("dm-1", Figure::Known(false)));
        let root = of("/srv");
        assert_eq!((root.disk.unwrap().name.as_str(), root.rotational), ("vda", Figure::Known(true)));
        assert_eq!(of("/var/lib/my/x").disk, None);
        assert!(is_part("nvme0n1p2", "nvme0n1") && !is_part("nvme0n12", "nvme0n1") && !is_part("dm-10", "dm-1"));
    }
}
