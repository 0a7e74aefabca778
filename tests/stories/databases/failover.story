# The primary's daemon dies: by keys the replica that has most takes its place, and the old one stays masked.
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
expect sent "stop slave sql_thread"
expect screen failed_over
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
press esc
advance 8s
expect no finding mysql.no_writable
expect no finding mysql.two_writable
expect finding mysql.given_up db01
fault database db01 start
advance 8s
expect finding mysql.returned db01
