# A node is drained. Somebody reloads HAProxy on lb01: the node is back in traffic there, which is seen, and one key takes
# it out again. Its return takes everything back.
size 120x40
advance 3s
press 6
press /
type web03
press enter
press N
expect plan planned
press enter
type web03
press enter
await 60s ending reached
press esc
advance 60s
expect no finding haproxy.intent.lost
fault reload lb01
await 2s finding haproxy.intent.lost web_cluster/web03
press 7
press r
expect text "Put web_cluster/web03 into maintenance"
press enter
type web03
press enter
await 60s told web_cluster/web03 maint on lb01
await 10s run reached
press esc
advance 2s
expect no finding haproxy.intent.lost
# Drained already: there is nothing to do, and nothing was forgotten.
press :
type node.drain web03
press enter
expect text "web03 is drained already"
press esc
press :
type node.undrain web03
press enter
expect text "Return web03 to service"
press enter
await 60s told web_cluster/web03 ready on lb01
await 60s told web_cluster/web03 ready on lb02
await 30s run reached
advance 2s
expect no wish maint web_cluster/web03
