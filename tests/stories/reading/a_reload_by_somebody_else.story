# Somebody reloads HAProxy while nothing is drained: counters start again, and nothing is reported.
size 120x40
advance 5s
fault reload lb01
advance 10s
expect no finding haproxy.intent.lost
expect text "Nothing is wrong"
expect no writes
