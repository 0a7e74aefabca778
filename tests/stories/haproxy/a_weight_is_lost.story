# A weight is a wish, too, until it is the file's again.
size 120x40
advance 3s
press :
type haproxy.weight web_cluster/web03 --weight 10
press enter
press enter
await 10s ending reached
expect wish weight web_cluster/web03
fault reload lb01
await 3s finding haproxy.intent.lost web_cluster/web03
press esc
press :
type haproxy.weight web_cluster/web03 --weight 1
press enter
press enter
await 10s no wish weight web_cluster/web03
advance 2s
expect no finding haproxy.intent.lost
