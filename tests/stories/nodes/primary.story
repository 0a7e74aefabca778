# The primary's machine is to be worked on: another database takes over first, and stays the primary.
size 120x40
advance 8s
press 6
press / d b 0 1 enter home
press N
expect text "Drain db01"
press enter
type db01
press enter
await 60s ending reached
expect sent "flush tables with read lock"
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
press esc
advance 8s
expect no finding mysql.no_writable
expect no finding haproxy.intent.lost
press U
expect text "Return db01 to service"
press enter
await 60s run reached
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
