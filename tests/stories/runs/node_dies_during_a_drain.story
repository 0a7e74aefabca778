# The machine behind the server dies while it drains: the drain is reached, and the finding tells the rest.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 300ms
fault kill web03
await 90s ending reached
await 10s finding node.unreachable web03
expect no finding haproxy.intent.lost
expect wish drain web_cluster/web03
