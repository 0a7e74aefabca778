# Somebody reloads HAProxy on lb01: the drain is forgotten, seen within 2 s, and applied again with one key.
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press e
type kernel update
press enter
press enter
await 60s ending reached
press esc
advance 60s
expect no finding haproxy.intent.lost
fault reload lb01
await 2s finding haproxy.intent.lost web_cluster/web03
press 7
advance 300ms
expect screen lost
press r
expect text "Drain web_cluster/web03"
press enter
await 60s told web_cluster/web03 drain on lb01
await 10s run reached
advance 2s
expect no finding haproxy.intent.lost
expect wish drain web_cluster/web03
expect writes 3
