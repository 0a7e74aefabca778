# A load balancer dies between two writes: vakt does not guess, and says what to type.
size 120x60
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 400ms
fault cut lb02
await 3m ending needs operator
advance 1s
expect text "vakt runs"
fault heal lb02
await 60s no finding node.unreachable
press esc
press 8
advance 500ms
press b
advance 100ms
press enter
await 90s ending rolled back
advance 2s
expect told web_cluster/web03 ready on lb01
expect told web_cluster/web03 ready on lb02
expect no wish drain web_cluster/web03
