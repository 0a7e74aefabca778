# A reload that keeps its state loses nothing, and nothing is said.
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending reached
fault reload lb01 keep-state
fault reload lb02 keep-state
advance 30s
expect no finding haproxy.intent.lost
expect told web_cluster/web03 drain on lb01
expect wish drain web_cluster/web03
expect writes 2
