# After a failover the old primary comes back as a replica.
size 120x40
advance 8s
fault database db01 crash
advance 6s
press 6
press / d b 0 1 enter home
press F
press enter
type db02
press enter
await 60s ending reached
press esc
advance 8s
press J
expect plan planned
press enter
type db01
press enter
await 120s ending reached
expect sent "--read-only=1"
expect screen rejoined
press esc
advance 8s
expect no finding mysql.down
expect no finding mysql.two_writable
expect no finding mysql.given_up
expect no finding mysql.returned
