//! What a host runs on, from the strongest evidence to the weakest.

use crate::model::{
    figure::{Figure, Unknown},
    host::Virtualisation,
    text::Clean,
};
use crate::wire::sources::Sources;

/// Containers as `systemd-detect-virt` and `container=` name them.
const CONTAINERS: [&str; 10] =
    ["systemd-nspawn", "docker", "podman", "lxc", "lxc-libvirt", "rkt", "wsl", "proot", "pouch", "container-other"];

/// Makers of virtual machines as DMI names them, and the name that people use.
const DMI_MAKERS: [(&str, &str); 8] = [
    ("VMware", "vmware"),
    ("innotek", "oracle"),
    ("Microsoft Corporation", "microsoft"),
    ("Xen", "xen"),
    ("Parallels", "parallels"),
    ("Amazon EC2", "amazon"),
    ("Google", "google"),
    ("Apple Virtualization", "apple"),
];

/// OpenVZ first (it hides behind other names), then what systemd found, then what a container is told, then hardware.
pub(super) fn name(sources: &Sources<'_>) -> Figure<Virtualisation> {
    if sources.first("openvz").is_some() {
        return Figure::Known(Virtualisation::OpenVz);
    }
    if let Some(word) = sources.first("virt").map(str::trim).filter(|word| !word.is_empty()) {
        return Figure::Known(from_word(word));
    }
    let told = sources
        .first("/run/systemd/container")
        .or_else(|| sources.first("environ").and_then(|line| line.strip_prefix("container=")));
    if let Some(word) = told.map(str::trim).filter(|word| !word.is_empty()) {
        let container = if word == "openvz" { Virtualisation::OpenVz } else { Virtualisation::Container(word.into()) };
        return Figure::Known(container);
    }
    from_hardware(sources)
}

fn from_word(word: &str) -> Virtualisation {
    match word {
        "none" => Virtualisation::BareMetal,
        "kvm" | "qemu" => Virtualisation::Kvm,
        "openvz" => Virtualisation::OpenVz,
        _ if CONTAINERS.contains(&word) => Virtualisation::Container(Clean::line(word)),
        _ => Virtualisation::Machine(Clean::line(word)),
    }
}

/// DMI, `/sys/hypervisor` and the CPU's hypervisor flag, for hosts without systemd.
fn from_hardware(sources: &Sources<'_>) -> Figure<Virtualisation> {
    if let Some(kind) = sources.first("/sys/hypervisor/type") {
        return Figure::Known(Virtualisation::Machine(Clean::line(kind.trim())));
    }
    let dmi = |field: &str| sources.first(field).unwrap_or_default();
    let (maker, product) = (dmi("/sys/class/dmi/id/sys_vendor"), dmi("/sys/class/dmi/id/product_name"));
    if ["QEMU", "KVM", "Bochs"].iter().any(|word| maker.contains(word) || product.contains(word)) {
        return Figure::Known(Virtualisation::Kvm);
    }
    let flagged = sources.first("hypervisor").is_some();
    if let Some((_, name)) = DMI_MAKERS.iter().find(|(word, _)| flagged && maker.contains(word)) {
        return Figure::Known(Virtualisation::Machine(Clean::line(name)));
    }
    if flagged {
        return Figure::Known(Virtualisation::Machine(Clean::line("unnamed hypervisor")));
    }
    if sources.first("cpuinfo").is_some() {
        Figure::Known(Virtualisation::BareMetal)
    } else {
        Figure::Unknown(Unknown::Missing)
    }
}
