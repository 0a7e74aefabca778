# The machine of a replica falls silent: the figures beside it are from before, and say so. It comes back, and nobody is
# told of packets that were lost because it was down.
size 120x40
advance 8s
press 4
press end
advance 12s
fault cut db03
await 20s finding node.unreachable db03
advance 20s
expect text "Before its silence"
expect screen silent
press K
expect text "nobody knows its sessions now"
fault heal db03
await 30s no finding node.unreachable
advance 1s
expect no text "Before its silence"
expect no finding private_network.loss
advance 30s
expect no finding private_network.loss
expect no writes
