# A load balancer is to be worked on: its addresses move, it is drained, the other one may not be, and it comes back.
size 120x40
advance 3s
press 6
press N
expect plan planned
press enter
type lb01
press enter
await 30s ending reached
expect sent "/etc/keepalived/priority -51"
press esc
advance 5s
expect no finding vip.unheld
press :
type node.drain lb02
press enter
expect refusal "lb02 is the last node in service that may hold 203.0.113.100"
press esc
press :
type node.undrain lb01
press enter
expect text "stays where it is"
press enter
await 30s run reached
expect writes 1
