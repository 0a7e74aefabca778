# Slow requests are still under way when the deadline passes, and the policy "maint" decides.
size 120x40
fault spike x5
advance 10s
press :
type haproxy.drain web_cluster/web03 --deadline 1s --on-deadline maint
press enter
press enter
await 30s ending reached
expect sent "lb01: set server web_cluster/web03 state maint"
expect wish maint web_cluster/web03
await 3s told web_cluster/web03 maint on lb02
