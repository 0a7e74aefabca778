# Forty times the usual clients, and servers that somebody had limited too much: requests wait for the web servers and for
# the database. By keys only, from the finding: both are given room, each for a while, and the queues are gone. Both go back by
# themselves, and nothing is left changed.
size 120x40
advance 70s
press :
type tune.set edge haproxy.server.maxconn@web_cluster 60 --reason rehearsal
press enter
press enter
type edge
press enter
await 30s ending reached
expect writes 6
press esc
advance 2s

fault spike x40
await 30s finding haproxy.queue web_cluster
await 10s finding traffic.spike http_front
await 20s finding haproxy.queue mysql_rw
press 7 home
expect text "what helps"
press S
advance 2s
expect screen moves
size 80x24
expect screen moves_80
size 200x60
expect screen moves_200
size 120x40
expect text "Let each server of web_cluster take"
press - - - -
expect text "back after 30s"
press enter
advance 100ms
expect plan room
press enter
type edge
press enter
await 10s text "it goes back unless somebody says that it stays"

# The lock is lent: the second move need not wait for the first to be over.
press esc
await 15s no finding haproxy.queue web_cluster
press S
advance 1s
press - - - -
expect text "Let each server of mysql_rw take"
press enter
advance 100ms
press enter
type edge
press enter
await 10s text "it goes back unless somebody says that it stays"
press esc
await 15s no finding haproxy.queue mysql_rw
press 8
expect screen both

fault spike x1
await 60s run rolled back
advance 40s
expect screen back
