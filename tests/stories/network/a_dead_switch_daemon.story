# The daemon of a switch dies, or is halted, while its database answers: one finding, and none about its ports.
scenario seed
size 120x40
advance 12s
fault vswitchd db03 halted
await 5s finding ovs.daemon.halted db03
press 3
expect screen halted
fault vswitchd db03 dead
await 5s finding ovs.daemon.dead db03
expect no finding ovs.daemon.halted
expect no finding ovs.port.down
fault vswitchd db03 running
await 5s no finding ovs.daemon.dead
