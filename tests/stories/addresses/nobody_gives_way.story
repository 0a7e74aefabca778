# keepalived says nopreempt everywhere: no number moves the addresses, a restart on the holder does, and they stay.
size 120x40
fault nopreempt
advance 3s
press 6
press V
expect plan planned
press enter
type lb02
press enter
await 30s ending reached
expect writes 2
press esc
advance 5s
expect no finding vip.unheld
expect no finding vip.duplicate
expect no finding service.stopped
press U
expect text "from lb02 to lb01"
press enter
type lb01
press enter
await 30s ending reached
