# The last usable server cannot be drained; the words are those of `vakt do`.
scenario two-small
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web02
press enter
expect text "Type web02 to start"
press enter
type web01
press enter
expect text "not web02"
expect no writes
type web02
press enter
await 60s ending reached
press esc
press :
type haproxy.drain web_cluster/web01
press enter
expect refusal "web01 is the last usable server of web_cluster."
expect refusal "Bring another server of web_cluster back first."
expect screen
expect writes 1
