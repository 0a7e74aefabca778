# More clients for ten minutes, to see whether that helps: without a word the limit is back by itself, with one it stays.
size 120x40
advance 4s
press 9
press / m a x _ c o n n enter
press t
press ctrl-u
type tune.set database max_connections 300 --revert-after 60s --reason spike
press enter
expect text "It goes back by itself 60 s later"
press enter
type database
press enter
await 30s sent "set global max_connections = 300"
await 10s text "it goes back unless somebody says that it stays"
expect text "goes back in"
expect writes 3
expect screen waits
press esc
press 8
await 5s text "waits for you"
expect screen changes
await 90s ending rolled back
expect writes 6
expect sent "set global max_connections = 200"

# The same once more, and somebody says that it stays.
press :
type tune.set database max_connections 300 --revert-after 60s --reason spike
press enter
press enter
type database
press enter
await 30s text "it goes back unless somebody says that it stays"
press Y
await 10s ending reached
expect writes 9
press esc
advance 90s
expect writes 9

# The process that waits dies: the console takes the run up by itself, and the word still counts.
press :
type tune.set db01 max_connections 200 --revert-after 60s --reason spike
press enter
press enter
press enter
await 30s text "it goes back unless somebody says that it stays"
kill executor
await 10s text "interrupted here"
await 10s text "goes back in"
press Y
await 10s ending reached
expect writes 10
