# Ten times the usual clients: told against what was usual, with who is nearest to its limit; over when they are gone.
size 120x40
advance 70s
expect no finding traffic.spike
fault spike x10
await 10s finding traffic.spike http_front
press 7 home enter
advance 1s
expect text "times the usual"
expect text "nearest to its limit"
expect screen during
fault spike x1
await 60s no finding traffic.spike
expect no writes
