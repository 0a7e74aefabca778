# A server that does not pass its check never gets a session: everything is put back.
size 120x40
advance 3s
press :
type haproxy.maint web_cluster/web03
press enter
press enter
type web03
press enter
await 30s ending reached
fault down web03
press esc
advance 2s
press :
type haproxy.ready web_cluster/web03 --deadline 8s
press enter
press enter
await 60s ending rolled back
advance 2s
expect told web_cluster/web03 maint on lb01
expect told web_cluster/web03 maint on lb02
expect wish maint web_cluster/web03
expect no failed requests
expect text "Rolled back"
