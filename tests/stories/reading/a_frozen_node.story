# A machine hangs: its last values stay, with their age; the others go on. It wakes up, and the connection with it.
size 120x40
advance 5s
fault freeze db02
await 10s finding node.unreachable db02
expect no finding node.stale db01
expect text "10 of 11 nodes"
fault heal db02
await 30s text "11 of 11 nodes"
expect no writes
