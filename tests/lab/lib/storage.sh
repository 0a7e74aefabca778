# shellcheck shell=bash
# The nodes' root (overlay over the base) and the databases' own disks (loop devices).

node_dir() { printf '%s/%s\n' "$NODES_DIR" "$1"; }
node_root() { printf '%s/%s/root\n' "$NODES_DIR" "$1"; }

mount_root() {
    local dir
    dir=$(node_dir "$1")
    mkdir -p "$dir"/{root,upper,work}
    is_mounted "$dir/root" ||
        mount -t overlay "lab-$1" -o "lowerdir=$(base_root),upperdir=$dir/upper,workdir=$dir/work" "$dir/root"
}

has_disk() { [[ ${NODE_ROLE[$1]} == database ]]; }

# Loop devices behind a file, also ones whose file was deleted under a killed lab.
loop_devices_of() { losetup --noheadings --output NAME --associated "$1" 2>/dev/null | tr -d ' ' || true; }

# A disk of its own per database: its queue, its waiting times, and it can be throttled alone.
# Direct IO keeps the page cache of this machine out, so the device behind it is really waited for.
mount_disk() {
    local dir device
    has_disk "$1" || return 0
    dir=$(node_dir "$1")
    mkdir -p "$dir/disk"
    is_mounted "$dir/disk" && return 0
    if [[ ! -s $dir/disk.img ]]; then
        cp --sparse=always "$BASE_DIR/disk.img" "$dir/disk.img.new"
        mv "$dir/disk.img.new" "$dir/disk.img"
    fi
    device=$(loop_devices_of "$dir/disk.img" | head -n1)
    if [[ -z $device ]]; then
        device=$(losetup --find --show --direct-io=on "$dir/disk.img" 2>/dev/null) ||
            device=$(losetup --find --show "$dir/disk.img") ||
            die "no loop device for the disk of $1" "modprobe loop, or free one: losetup -l"
    fi
    mount -o noatime "$device" "$dir/disk"
    chown --reference="$(node_root "$1")/var/lib/mysql" "$dir/disk"
}

unmount_node() {
    local dir device
    dir=$(node_dir "$1")
    unmount_below "$dir"
    [[ -e $dir/disk.img ]] || return 0
    for device in $(loop_devices_of "$dir/disk.img"); do
        losetup --detach "$device" 2>/dev/null || warn "cannot release $device of $1"
    done
}

# After a purge by hand the file of a loop device may be gone: those say "(deleted)".
release_stray_loops() {
    local device file
    while read -r device file; do
        [[ $file == "$LAB_DIR"/* ]] || continue
        umount -l "$device" 2>/dev/null || true
        losetup --detach "$device" 2>/dev/null || true
    done < <(losetup --noheadings --output NAME,BACK-FILE 2>/dev/null)
}

# MAJOR:MINOR of the whole disk below a path: throttles do not work on partitions.
disk_below() {
    local number dev
    number=$(findmnt --noheadings --output MAJ:MIN --target "$1" | head -n1 | tr -d ' ')
    dev=/sys/dev/block/$number
    [[ ! -e $dev/partition ]] || number=$(<"$(readlink -f "$dev")/../dev")
    printf '%s\n' "$number"
}
