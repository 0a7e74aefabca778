# The work is done, and a reload made the server ready on both load balancers: who asks for ready takes the drain back.
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending reached
press esc
fault reload lb01
fault reload lb02
await 2s finding haproxy.intent.lost web_cluster/web03
press :
type haproxy.ready web_cluster/web03
press enter
expect text "Enter takes back what eva wanted: drain of web_cluster/web03."
expect wish drain web_cluster/web03
press enter
await 1s no wish drain web_cluster/web03
await 1s no finding haproxy.intent.lost
expect writes 2
