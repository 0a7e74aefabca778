# libvirtd takes questions and says nothing: it is named, the guests' last figures stay with their age, and it heals.
size 120x40
advance 4s
press 5
fault libvirt kvm02 frozen
await 5s finding libvirt.silent "kvm02 libvirtd"
expect no finding vm.paused
expect no finding node.unreachable
expect screen frozen
fault libvirt kvm02 well
await 5s no finding libvirt.silent
fault libvirt kvm01 dead
await 5s finding libvirt.down "kvm01 libvirtd"
fault libvirt kvm01 well
await 5s no finding libvirt.down
press 0
expect screen if
expect no writes
