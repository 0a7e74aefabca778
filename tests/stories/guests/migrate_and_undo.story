# A hypervisor is to be worked on: its guest moves to the other one while it runs, is seen on the way, and comes back by undo.
size 120x40
advance 8s
press 5
press / w e b 0 3 enter home j
press m
expect plan planned
press enter
type web03
press enter
advance 2s
expect text "migration out"
expect screen moving
await 60s ending reached
expect sent "migrate --live --p2p"
expect screen moved
press esc
advance 40s
expect no finding vm.twice
press U
expect text "from kvm01 to kvm02"
press enter
type web03
press enter
await 60s ending reached
expect writes 2
