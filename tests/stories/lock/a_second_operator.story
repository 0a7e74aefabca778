# Ola acts from another bastion: eva sees everything, who it is and what for, and starts nothing.
size 120x40
lock ola@bastion2 "Return web_cluster/web02 to traffic on lb01 and lb02: done with it"
advance 3s
expect text "ola"
press :
type haproxy.drain web_cluster/web03
press enter
expect screen plan
press enter
advance 1s
expect text "ola"
expect no writes
lock free
advance 1s
press R
press enter
await 60s ending reached
expect writes 2
