# A machine is down for a known reason: it is told last until it is back, and again when it dies again.
size 120x40
advance 3s
fault kill web03
await 15s finding haproxy.server.down web_cluster/web03
press 7
press home
press A
type new disk
press tab tab
expect text "[until it clears]"
expect screen asked
press enter
advance 1s
expect text "seen by"
expect text "until it clears"
expect screen seen
console restarts
advance 3s
press 7
expect text "until it clears"
fault heal web03
await 60s no finding haproxy.server.down
advance 45s
fault kill web03
await 15s finding node.unreachable web03
expect no text "seen by"
press home A
type it is told to nobody
press esc
expect no text "seen by"
expect no writes
