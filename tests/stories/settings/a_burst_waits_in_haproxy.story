# A burst is to wait in HAProxy and not in a server: its limit is lowered by keys on both load balancers, and given back.
size 120x40
advance 4s
press 9
expect text "Settings"
press / w e b 0 2 enter
expect text "web_cluster/web02 maxconn"
press t
expect text "tune.set edge haproxy.server.maxconn@web_cluster/web02 100"
press ctrl-u
type tune.set edge haproxy.server.maxconn@web_cluster/web02 60 --reason burst
press enter
expect plan planned
press enter
type edge
press enter
await 30s ending reached
expect sent "set maxconn server web_cluster/web02 60"
expect writes 2
press esc
advance 4s
press U
expect text "from 60 to 100"
press enter
type edge
press enter
await 30s ending reached
expect sent "set maxconn server web_cluster/web02 100"
expect writes 4
expect no failed requests
