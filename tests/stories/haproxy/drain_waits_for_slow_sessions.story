# Slow requests end by themselves; nothing is cut, and no request fails.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03 --deadline 60s
press enter
press enter
advance 400ms
expect run running
expect text "wait until web03 has no session left"
await 60s ending reached
advance 2s
expect no failed requests
expect no finding haproxy.intent.lost
