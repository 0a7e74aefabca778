# The machine of the primary falls silent: its address is cut off everywhere, and another database takes its place. When it
# comes back, writable, it is made harmless at once.
size 120x40
advance 8s
fault cut db01
advance 20s
press 6
press / d b 0 2 enter home
press F
expect plan planned
press enter
type db02
press enter
await 60s ending reached
expect sent "ip route add unreachable"
expect sent "stop slave sql_thread"
expect screen failed_over
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
press esc
advance 8s
expect no finding mysql.no_writable
expect finding mysql.given_up db01
# It comes back, and its file says that it takes writes: the console makes it harmless by itself.
fault heal db01
fault database db01 writable
await 20s sent "systemctl mask"
advance 12s
expect no finding mysql.two_writable
