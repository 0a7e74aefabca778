# A terminal that is too small gets one sentence, and the worst finding; enlarged, it is the console again.
size 40x10
advance 3s
expect screen small
fault kill web03
await 15s finding node.unreachable web03
expect screen trouble
size 120x40
expect text "web03"
expect text "Unreachable"
