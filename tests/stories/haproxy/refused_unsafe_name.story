# A name that HAProxy would read as two commands is refused, and nothing is sent. Also on the lab.
lab
size 120x60
press 2
await 20s text "● 3 of 3 up     ● 3 of 3 up"
press :
type haproxy.drain "web_cluster/a;disable server x"
press enter
await 5s refusal "a;disable server x"
expect no writes
press esc
