# The primary's daemon dies, and its keepalived still holds the address by which writes come in: it follows the new primary.
scenario writes-address
size 120x40
advance 8s
fault database db01 crash
advance 6s
press 6
press / d b 0 1 enter home
press F
expect plan planned
press enter
type db02
press enter
await 60s ending reached
expect sent "systemctl mask"
expect sent "/etc/keepalived/priority -51"
expect screen failed_over
press esc
advance 8s
expect no finding vip.unheld
expect no finding vip.duplicate
expect finding mysql.given_up db01
