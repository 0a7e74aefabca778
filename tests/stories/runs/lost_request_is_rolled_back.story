# The write itself is lost: no effect is seen, nothing is repeated, what was done is undone.
size 120x40
advance 3s
fault lose-reply lb02 undone
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending rolled back
advance 2s
expect told web_cluster/web03 ready on lb01
expect told web_cluster/web03 ready on lb02
expect no wish drain web_cluster/web03
