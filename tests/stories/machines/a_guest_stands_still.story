# A guest is paused, another loses its disk: each is named as the cause of its silence, and both screens show it.
size 120x40
advance 4s
press 5
expect text "web03"
expect screen well
fault guest web03 paused
await 5s finding vm.paused web03
expect screen paused
press 1
expect text "web03"
fault guest web03 running
await 20s no finding vm.paused
fault guest app01 io-error
await 5s finding vm.io_error app01
fault guest app01 running
await 20s no finding vm.io_error
expect no writes
