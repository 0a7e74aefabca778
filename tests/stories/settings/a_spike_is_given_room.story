# More clients come than were thought of: the limit of every database is raised by keys, looked at, and given back.
size 120x40
advance 4s
press 9
expect text "Settings"
expect screen settings
press / m a x _ c o n n enter
expect text "max_connections"
press enter
expect text "10 to 100000"
expect screen details
press esc
press t
type  --reason spike
expect text "tune.set"
press ctrl-u
type tune.set database max_connections 300 --reason spike
press enter
expect plan planned
press enter
type database
press enter
await 30s ending reached
expect sent "set global max_connections = 300"
expect writes 3
press esc
await 30s text "unlike its file"
# The state folder is looked at a moment later.
await 5s text "U undo"
expect screen changed
press U
expect text "from 300 to 200"
press enter
type database
press enter
await 30s ending reached
expect writes 6
press esc
press / ctrl-u
type io_capacity_max
press enter t
expect text "tune.set database innodb_io_capacity_max 2000"
