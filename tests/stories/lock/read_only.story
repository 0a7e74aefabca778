# A read-only console plans, says why it does not act, and acts on nothing.
read-only
size 120x40
advance 3s
press :
type haproxy.drain web_cluster/web03
press enter
expect refusal "This console is read-only."
press enter
advance 5s
expect no writes
