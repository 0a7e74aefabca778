# A queue of sessions waits for rows: the list shows first whom all of them wait for, and ending it ends the queue.
size 120x40
advance 4s
press 4
fault database db01 row-locks
await 5s finding mysql.row_locks db01
# The list of sessions is asked every five seconds.
advance 6s
press home K
expect text "42: shop from 10.10.0.21:50422"
expect screen sessions
press enter
expect plan planned
press enter
type 42
press enter
await 30s ending reached
expect sent "kill connection 42"
expect writes 1
press esc
await 10s no finding mysql.row_locks db01
press U
expect text "does not come back"
