# Somebody reloads HAProxy on lb01 while web03 is being drained: what it was told is told again, and the node is out of
# service on both load balancers.
size 120x40
advance 10s
press :
type node.drain web03
press enter
press enter
type web03
press enter
advance 400ms
expect run running
expect text "wait until web03 has no session left"
fault reload lb01
await 60s ending reached
expect text "HAProxy on lb01 started anew"
expect told web_cluster/web03 maint on lb01
expect told web_cluster/web03 maint on lb02
expect wish maint web_cluster/web03
press esc
advance 3s
expect no finding haproxy.intent.lost
