# A guest that is on its way is stopped: libvirt gives the migration up, and it stays where it was.
size 120x40
advance 8s
press 5
press / w e b 0 3 enter home j
press m
press enter
type web03
press enter
advance 2s
expect text "migration out"
press S
advance 50ms
press S
await 60s ending rolled back
expect sent "domjobabort web03"
expect text "Everything is as it was before"
