# A load balancer is to be worked on: its addresses move to the other one, and back by undo.
size 120x40
advance 3s
press 6
press V
expect plan planned
press enter
type lb02
press enter
await 30s ending reached
expect sent "/etc/keepalived/priority -51"
expect screen moved
press esc
advance 5s
expect no finding vip.unheld
expect no finding vip.duplicate
press U
expect text "from lb02 to lb01"
press enter
type lb01
press enter
await 30s ending reached
expect sent "/etc/keepalived/priority 0"
expect writes 2
