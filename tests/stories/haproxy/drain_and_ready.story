# Web03 gets a new kernel: out of traffic, and back. The same file is played on the lab.
lab
size 120x60
press 2
# Both load balancers were read.
await 20s text "● 3 of 3 up     ● 3 of 3 up"
press :
type web_cluster/web03
press enter
press d
await 5s text "Drain web_cluster/web03 on lb01 and lb02"
expect text "Press Enter to start"
press e
type kernel update
press enter
press enter
await 90s run reached
expect told web_cluster/web03 drain on lb01
expect told web_cluster/web03 drain on lb02
expect wish drain web_cluster/web03
press esc
# A terminal sends Esc and a letter at once as one key.
await 5s no text "What is true now"
press u
await 5s text "Return web_cluster/web03 to traffic"
press enter
await 90s told web_cluster/web03 ready on lb01
await 90s told web_cluster/web03 ready on lb02
await 30s run reached
await 10s no wish drain web_cluster/web03
