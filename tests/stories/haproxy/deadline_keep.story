# Slow requests are still under way when the deadline passes, and the policy "keep" decides.
size 120x40
fault spike x5
advance 10s
press :
type haproxy.drain web_cluster/web03 --deadline 1s --on-deadline keep
press enter
press enter
await 30s ending stopped
expect writes 2
expect told web_cluster/web03 drain on lb01
expect wish drain web_cluster/web03
