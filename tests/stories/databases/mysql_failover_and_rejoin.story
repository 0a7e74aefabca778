# The same on MySQL: the primary's daemon dies, a replica takes its place, and the old one comes back as a replica.
scenario mysql
size 120x40
advance 8s
fault database db01 crash
advance 6s
press 6
press / d b 0 1 enter home
press F
expect plan failover
press enter
type db02
press enter
await 60s ending reached
expect sent "systemctl mask"
expect sent "stop replica sql_thread"
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
press esc
advance 8s
expect no finding mysql.no_writable
expect no finding mysql.two_writable
press J
expect plan rejoin
press enter
type db01
press enter
await 120s ending reached
expect sent "--super-read-only=1"
expect screen rejoined
press esc
advance 8s
expect no finding mysql.down
expect no finding mysql.two_writable
expect no finding mysql.given_up
expect no finding mysql.returned
