# A server that is down has nothing to wait for.
size 120x40
advance 3s
fault down web03
await 15s finding haproxy.server.down web_cluster/web03
press :
type haproxy.drain web_cluster/web03
press enter
expect text "web03 is down, so nothing is waited for"
press enter
await 2s ending reached
expect writes 2
