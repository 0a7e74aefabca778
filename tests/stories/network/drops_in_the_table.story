# A port drops packets: the table of all ports has it first, and its details say in which direction.
scenario seed
size 120x40
advance 12s
fault drops app01 priv0 250
await 8s finding ovs.drops "app01 br-int/priv0"
press 3 T
advance 3s
press home down
expect text "app01"
expect screen table
press enter
expect screen details
fault drops app01 priv0 0
await 10s no finding ovs.drops
