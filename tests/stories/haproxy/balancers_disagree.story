# One of two load balancers forgot the drain. Draining again changes only that one; putting the server into maintenance
# works from both states; a finding says meanwhile that they differ.
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending reached
press esc
fault reload lb02
await 2s finding haproxy.intent.lost web_cluster/web03
expect no finding haproxy.disagree
press :
type haproxy.maint web_cluster/web03
press enter
expect refusal "The load balancers disagree about web_cluster/web03."
press esc
press :
type haproxy.drain web_cluster/web03
press enter
expect text "lb01 already says drain and is left as it is"
press enter
await 60s run reached
advance 2s
expect writes 3
expect no finding haproxy.intent.lost
