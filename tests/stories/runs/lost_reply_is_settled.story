# The answer to a write is lost: the world is read, the write is never repeated.
size 120x40
advance 3s
fault lose-reply lb01
press :
type haproxy.drain web_cluster/web03
press enter
press enter
await 60s ending reached
expect writes 2
