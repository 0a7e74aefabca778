# Everything is well: the first screen says so within a second, and goes on saying so.
size 120x40
advance 300ms
expect text "11 of 11 nodes"
await 3s text "Nothing is wrong"
advance 60s
expect no finding node.stale
expect text "Nothing is wrong"
expect screen
expect no writes
