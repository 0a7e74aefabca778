# Applications write to a virtual address of the databases: it follows the primary to another node, and back by undo.
scenario writes-address
size 120x40
advance 8s
press 6
press / d b 0 2 enter home
press P
expect plan planned
press enter
type db02
press enter
await 60s ending reached
expect sent "/etc/keepalived/priority -51"
expect sent "stop slave sql_thread"
expect screen switched
press esc
advance 8s
expect no finding vip.unheld
expect no finding vip.duplicate
expect no finding mysql.no_writable
expect no finding mysql.two_writable
press U
expect text "from db02 to db01"
press enter
type db01
press enter
await 60s ending reached
expect sent "/etc/keepalived/priority 0"
