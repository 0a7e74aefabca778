# A machine dies: told at once, with its servers; it returns, and so does the calm.
size 120x40
advance 3s
fault kill web03
await 5s finding node.unreachable web03
await 15s finding haproxy.server.down web_cluster/web03
press 7
advance 2s
expect text "web_cluster/web03  Down on both load balancers"
expect screen
fault heal web03
await 30s no finding node.unreachable
await 30s no finding haproxy.server.down
expect no writes
