# What is shown before, while and after: the plan as `--plan` prints it, the steps with their times, the ending.
size 80x24
advance 3s
press :
type web_cluster/web03
press enter
press d
expect screen plan
expect plan drain
expect no writes
press enter
advance 300ms
expect screen running
await 60s ending reached
advance 300ms
expect screen reached
expect writes 2
expect sent "lb01: set server web_cluster/web03 state drain"
expect sent "lb02: set server web_cluster/web03 state drain"
press esc
press 8
advance 1s
expect screen changes
expect no failed requests
