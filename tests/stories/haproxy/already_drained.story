# Asked twice, the second time nothing is left to do.
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending reached
advance 2s
press esc
press :
type haproxy.drain web_cluster/web03
press enter
expect text "Nothing is left to do"
expect writes 2
