# A card of a web server is switched off: the network screen says so before anything else, and the node is one key away.
scenario seed
size 120x40
advance 12s
press 3
expect screen well
expect no finding ovs.port.down
fault port-down web03 eth1
await 3s finding ovs.port.down "web03 br-phy/eth1"
expect text "Port eth1 of br-phy is switched off: nothing passes it"
expect screen down
press / e t h 1 enter home
expect text "web03"
press n
expect text "web03"
press esc
fault port-up web03 eth1
await 3s no finding ovs.port.down
expect no failed requests
