# The address by which writes come in belongs to the primary: alone it goes nowhere else.
scenario writes-address
size 120x40
advance 8s
press 6
press / d b 0 2 enter home
press V
expect refusal "10.10.0.110 is where writes come in, and db02 is not the primary"
expect no writes
