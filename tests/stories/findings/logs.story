# From a finding to the log that says why, around the moment at which it began; then what is new.
size 120x40
advance 20s
fault down web03
await 15s finding haproxy.server.down web_cluster/web03
press 7 home
press L
advance 1s
expect text "HAProxy log of lb01, 1 of 6 behind web_cluster/web03"
expect text "Server web_cluster/web03 is DOWN, reason: Layer7 wrong status"
expect screen around
press t
advance 3s
expect text "newest lines, followed"
press / d o w n enter
expect text "filter: down"
press esc
expect no text "HAProxy log of lb01"
fault kill web01
await 15s finding node.unreachable web01
press 6 / w e b 0 1 enter home
press L
advance 3s
expect text "web01"
press esc
expect no writes
