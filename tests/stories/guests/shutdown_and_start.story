# A guest is to be switched off: it is asked once, seen to be off, and started again by undo.
size 120x40
advance 8s
press 5
press / w e b 0 3 enter home j
press O
expect plan asked
press enter
type web03
press enter
await 60s ending reached
expect sent "shutdown web03 --mode acpi"
expect screen off
press esc
advance 6s
expect text "off: shut down"
expect finding vm.off web03
press U
expect text "Start web03"
press enter
type web03
press enter
await 30s ending reached
expect sent "start web03"
press esc
advance 30s
expect no finding vm.off
