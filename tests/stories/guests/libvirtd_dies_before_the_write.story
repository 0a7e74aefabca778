# libvirtd ends between the plan and the write: nothing is sent, and the run says why.
size 120x40
advance 8s
press 5
press / w e b 0 3 enter home j
press z
press enter
type web03
fault libvirt kvm02 dead
press enter
await 60s ending stopped
expect no writes
