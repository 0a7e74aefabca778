# The operator thinks better of it while the drain waits for the last sessions.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 400ms
expect run running
press S
advance 50ms
press S
await 30s ending rolled back
advance 2s
expect writes 4
expect told web_cluster/web03 ready on lb01
expect told web_cluster/web03 ready on lb02
expect no wish drain web_cluster/web03
expect no finding haproxy.intent.lost
