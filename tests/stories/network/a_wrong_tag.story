# Somebody puts the private address of a database into another VLAN: the sentence names the others' VLAN.
scenario seed
size 120x40
advance 40s
fault tag db02 priv0 99
await 4s finding ovs.vlan_mismatch "db02 br-int/priv0"
press 3
expect text "priv0 carries the private network in VLAN 99, 10 other nodes in VLAN 10"
fault tag db02 priv0 10
await 4s no finding ovs.vlan_mismatch
