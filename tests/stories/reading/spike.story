# Ten times the usual traffic: sessions pile up, and the traffic screen shows where.
scenario spike
size 120x40
advance 3s
press 2
expect screen before
advance 60s
expect screen during
expect no writes
