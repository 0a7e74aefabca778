# Ola's console hangs and ola cannot be reached: eva acts nevertheless, with a phrase and a reason.
size 120x40
lock ola@bastion2 "Return web_cluster/web02 to traffic on lb01 and lb02"
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
press b
type break glas
press enter
advance 100ms
expect no writes
press ctrl-u
type break glass
press enter
type ola does not answer the telephone
press enter
await 60s ending reached
expect writes 2
