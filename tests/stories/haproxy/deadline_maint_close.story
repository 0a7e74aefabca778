# Slow requests are still under way when the deadline passes, and the policy "maint+close" decides.
size 120x40
fault spike x5
advance 10s
press :
type haproxy.drain web_cluster/web03 --deadline 1s --on-deadline maint+close
press enter
expect text "undo possible until step 6"
press enter
type web03
press enter
await 30s ending reached
expect sent "lb01: shutdown sessions server web_cluster/web03"
expect wish maint web_cluster/web03
