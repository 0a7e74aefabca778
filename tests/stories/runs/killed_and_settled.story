# Killed before the first write; the operator looks, and declares it settled.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 32ms
kill executor
advance 300ms
expect run interrupted
press esc
press 8
press D
type looked at both load balancers
press enter
await 2s run resolved
expect no wish drain web_cluster/web03
