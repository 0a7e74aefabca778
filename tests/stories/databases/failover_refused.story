# A primary that is alive is no case for a failover; nor is one whose machine nobody reaches, while a load balancer may
# still send to it.
size 120x40
advance 8s
press 6
press / d b 0 2 enter home
press F
expect refusal "db01 is alive and takes writes"
press esc
fault cut db01
fault cut lb02
advance 20s
press F
expect refusal "Nobody can prove that db01 does not write any more"
expect no writes
