# shellcheck shell=bash
# What the lab needs on this machine, and a clear word where it is missing.

LAB_PACKAGES=(
    ca-certificates debian-archive-keyring e2fsprogs ethtool gcc iproute2 libc6-dev
    mmdebstrap openssh-client openssl perl-base procps systemd-container util-linux mount
)

missing_packages() {
    dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${LAB_PACKAGES[@]}" 2>/dev/null |
        sed -n 's/^ii *//p' | sort >"$1"
    printf '%s\n' "${LAB_PACKAGES[@]}" | sort | comm -23 - "$1"
}

require_packages() {
    local scratch missing
    scratch=$(mktemp)
    missing=$(missing_packages "$scratch" | paste -sd' ')
    rm -f "$scratch"
    [[ -z $missing ]] || die "missing packages: $missing" "apt-get install --no-install-recommends $missing"
}

require_kernel() {
    local need
    for need in overlay tmpfs cgroup2; do
        grep -qw "$need" /proc/filesystems || modprobe "$need" 2>/dev/null ||
            die "this kernel has no $need file system" "use Debian's own kernel"
    done
    [[ -e /dev/net/tun ]] || modprobe tun 2>/dev/null ||
        die "/dev/net/tun is missing; Open vSwitch needs it" "modprobe tun"
    [[ -e /dev/loop-control ]] || modprobe loop 2>/dev/null ||
        die "loop devices are missing; the databases' disks need them" "modprobe loop"
}

verb_packages() { printf '%s\n' "${LAB_PACKAGES[@]}"; }
