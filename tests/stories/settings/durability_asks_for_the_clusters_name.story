# An import shall run faster: the plan says what a crash would lose, and Enter is not enough.
size 80x24
advance 4s
press 9
expect screen settings
press :
type tune.set db01 innodb_flush_log_at_trx_commit 2 --reason import
press enter
expect plan planned
press enter
type db01
press enter
expect no writes
press ctrl-u
type seed
press enter
await 30s ending reached
expect sent "set global innodb_flush_log_at_trx_commit = 2"
expect writes 1
press esc
await 30s text "a crash loses"
