# The executor is killed in the middle. The next console says so first, and takes the run up.
size 120x40
advance 10s
press :
type haproxy.drain web_cluster/web03
press enter
press enter
advance 400ms
expect run running
kill executor
advance 300ms
expect run interrupted
console restarts
advance 3s
expect text "A run was interrupted"
expect screen overview
press 8
advance 300ms
expect screen changes
press b
advance 100ms
press enter
await 90s ending rolled back
advance 2s
expect told web_cluster/web03 ready on lb01
expect told web_cluster/web03 ready on lb02
expect no wish drain web_cluster/web03
