# The console ends in the middle of a drain; the run goes on, and the next console finds it.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 400ms
console restarts
advance 1s
press 8
advance 100ms
press enter
await 60s ending reached
advance 300ms
expect text "Reached"
expect writes 2
