# Servers have weights that can be shared out. One comes back with a tenth of its weight, and its checks fail while it has little: everything is put back. Then it is
# well, and its executor is killed while it has a tenth: the next console says so, and the run goes on to the whole weight.
size 120x40
advance 10s
press :
type haproxy.weight web_cluster/web01 --weight 100
press enter
press enter
advance 3s
expect ending reached
press esc
press :
type haproxy.weight web_cluster/web02 --weight 100
press enter
press enter
advance 3s
expect ending reached
press esc
press :
type haproxy.weight web_cluster/web03 --weight 100
press enter
press enter
advance 3s
expect ending reached
press esc
press :
type haproxy.maint web_cluster/web03 --reason test
press enter
press enter
type web03
press enter
advance 3s
expect ending reached
press esc
advance 2s
press :
type haproxy.ready web_cluster/web03
press enter
expect text "Its weight is raised in steps (10, 50, 100)"
press enter
await 30s sent "set server web_cluster/web03 state ready"
await 5s sent "set weight web_cluster/web03 10"
advance 1s
fault down web_cluster/web03
await 30s ending rolled back
advance 2s
expect told web_cluster/web03 maint on lb01
expect sent "set weight web_cluster/web03 100"
fault up web_cluster/web03
press esc
advance 2s

press :
type haproxy.ready web_cluster/web03
press enter
press enter
advance 8s
expect run running
kill executor
advance 300ms
expect run interrupted
press esc
press 1
advance 1s
expect text "A run was interrupted"
press 8
press c
advance 100ms
press enter
await 90s ending reached
advance 2s
expect told web_cluster/web03 ready on lb01
expect told web_cluster/web03 ready on lb02
expect wish weight web_cluster/web03
expect sent "set weight web_cluster/web03 50"
expect no failed requests
