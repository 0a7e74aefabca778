# keepalived of the other load balancer was stopped: nothing is sent, and the reason is told.
size 120x40
advance 3s
fault stop keepalived lb02
advance 5s
press 6
press V
expect refusal "keepalived on lb02 is not at work"
expect no writes
