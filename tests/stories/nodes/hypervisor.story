# A hypervisor is to be worked on: its guest moves away, and stays away when it comes back.
size 120x40
advance 8s
press :
type node.drain kvm02
press enter
expect text "Drain kvm02"
press enter
type kvm02
press enter
await 90s ending reached
expect sent "migrate --live --p2p"
press esc
advance 40s
expect no finding vm.twice
press :
type node.drain kvm01
press enter
expect refusal "No other hypervisor in service could take web03"
press esc
press :
type node.undrain kvm02
press enter
expect text "No guest moves back"
press enter
await 30s run reached
expect writes 1
