# A guest stands still for a look at it, and goes on; then it is reset, which its kernel's own counter shows.
size 120x40
advance 8s
press 5
press / w e b 0 3 enter home j
press z
expect text "It takes traffic of web_cluster"
press enter
type web03
press enter
await 30s ending reached
expect sent "suspend web03"
press esc
advance 4s
press Z
press enter
await 30s ending reached
expect sent "resume web03"
press esc
advance 6s
press X
expect text "page faults"
press enter
type web03
press enter
await 60s ending reached
expect sent "reset web03"
expect writes 3
