# The same on MySQL: another database takes over, and the first one comes back by undo.
scenario mysql
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
expect sent "flush tables with read lock"
expect sent "set global super_read_only = 1"
expect sent "stop replica sql_thread"
expect screen switched
advance 2s
expect told mysql_rw/db01 maint on lb01
expect told mysql_rw/db02 ready on lb02
press esc
advance 8s
expect no finding mysql.no_writable
expect no finding mysql.two_writable
expect no finding mysql.semi_sync
expect no finding mysql.replication.stopped
press U
expect text "from db02 to db01"
press enter
type db01
press enter
await 60s ending reached
advance 2s
expect told mysql_rw/db01 ready on lb01
expect told mysql_rw/db02 maint on lb02
