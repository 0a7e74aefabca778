# Sessions wait for rows that one of them holds, on a small terminal: who it is stands on the screen of databases.
size 80x24
advance 4s
press 4
fault database db01 row-locks
await 5s finding mysql.row_locks db01
expect text "session 42"
expect screen
expect no writes
