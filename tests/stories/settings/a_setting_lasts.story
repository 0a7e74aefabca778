# A value is to outlive a restart: the plan shows the line of the file, and undo puts the file back as it was.
size 120x40
advance 4s
press 9
expect text "Settings"
press t
press ctrl-u
type tune.set db01 max_connections 300 --persist --reason spike
press enter
expect plan planned
press enter
await 30s ending reached
expect sent "edit /etc/mysql/mariadb.conf.d/90-lab.cnf"
expect sent "set global max_connections = 300"
expect writes 2
press esc
advance 30s
press U
expect text "put its file back"
expect plan back
press enter
await 30s ending reached
expect sent "mv /etc/mysql/mariadb.conf.d/90-lab.cnf.vakt-"
expect writes 4
