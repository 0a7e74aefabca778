# Neither the primary's machine nor one load balancer answers: nothing proves the fence, and only who types the risk goes on.
size 120x40
advance 8s
fault cut db01
fault cut lb02
advance 20s
press 6
press / d b 0 2 enter home
press F
expect refusal "Nobody can prove that db01 does not write any more"
press a
expect plan planned
press enter
type db02
press enter
expect no writes
press ctrl-u
type db01 may still take writes
press enter
await 60s ending reached
expect sent "ip route add unreachable"
