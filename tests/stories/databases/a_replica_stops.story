# Somebody stops the replication of a replica: the screen of databases says so, and when it runs again it says that, too.
size 120x40
advance 4s
press 4
advance 2s
expect text "primary"
expect screen healthy
fault database db02 stop-replication
await 5s finding mysql.replication.stopped db02
expect text "stopped"
expect screen stopped
fault heal db02
await 5s no finding mysql.replication.stopped
expect no writes
