# Nobody acknowledges commits any more: a switchover is refused, and nothing is sent.
size 120x40
advance 8s
fault database db02 no-acknowledgements
fault database db03 no-acknowledgements
advance 8s
press 6
press / d b 0 2 enter home
press P
expect refusal "commits on db01 have no acknowledgement now"
expect no writes
