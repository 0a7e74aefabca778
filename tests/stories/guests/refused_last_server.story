# The only server of a backend is not switched off, whatever key is pressed.
size 120x40
advance 8s
press 5
press / a p p 0 1 enter home j
press O
expect refusal "app01 is the last usable server of"
press esc
press z
expect refusal "app01 is the last usable server of"
expect no writes
