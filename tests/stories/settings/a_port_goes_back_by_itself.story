# A port of a hypervisor is put into another VLAN: without a word the node takes it back by itself, with one it stays.
size 120x40
advance 12s
press :
type tune.set kvm01/priv0 ovs.tag 20 --reason try
press enter
expect text "First a timer is armed on kvm01"
expect plan planned
# Nothing happens in the cluster: the plan stays the one that was read.
advance 4s
expect no text "The world moved"
press enter
type kvm01/priv0
press enter
await 20s sent "ovs-vsctl set Port priv0 tag=20"
await 10s text "wait for the word that it stays"
await 5s finding ovs.vlan_mismatch "kvm01 br-int/priv0"
expect writes 2
expect screen waits
await 90s ending rolled back
expect writes 2
press esc
await 10s no finding ovs.vlan_mismatch

# The process that waits dies: the console takes the run up by itself, and what the node took back stays so.
press :
type tune.set kvm01/priv0 ovs.tag 20 --revert-after 30s --reason try
press enter
press enter
type kvm01/priv0
press enter
await 20s text "it goes back unless somebody says that it stays"
kill executor
await 60s ending rolled back
press esc

# Somebody says that it stays: the timer is called off.
press :
type tune.set kvm01/priv0 ovs.tag 20 --reason stays
press enter
press enter
type kvm01/priv0
press enter
await 20s text "it goes back unless somebody says that it stays"
press Y
await 20s ending reached
press esc
advance 90s
await 5s finding ovs.vlan_mismatch "kvm01 br-int/priv0"
