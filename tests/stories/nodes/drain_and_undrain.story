# Web03 gets a new kernel: the whole node leaves service, and comes back. The same file is played on the lab.
lab
size 120x60
press 2
# Both load balancers were read.
await 20s text "● 3 of 3 up     ● 3 of 3 up"
press 6
press /
type web03
press enter
press N
await 5s text "Drain web03"
expect text "Type web03 to start"
expect text "What remains of role web"
press e
type kernel update
press enter
press enter
type web03
press enter
await 90s run reached
expect told web_cluster/web03 maint on lb01
expect told web_cluster/web03 maint on lb02
expect wish maint web_cluster/web03
press esc
# A terminal sends Esc and a letter at once as one key.
await 5s no text "What is true now"
press B
await 5s text "Return web03 to service"
press enter
await 90s told web_cluster/web03 ready on lb01
await 90s told web_cluster/web03 ready on lb02
await 30s run reached
await 10s no wish maint web_cluster/web03
