$o .= "hidden:yes\n" unless -d '/proc/1';
$o .= "systemd:yes\n" if -d '/run/systemd/system';
for my $unit (qw(mariadb mysqld mysql)) {
    for my $folder (qw(/etc/systemd/system /usr/lib/systemd/system /lib/systemd/system)) {
        my $file = "$folder/$unit.service";
        if (-f $file && !-l $file) { $o .= "unit:$unit.service\n"; last }
    }
    $o .= "masked:$unit.service\n" if -c "/etc/systemd/system/$unit.service";
}
# Those that were found are looked at; through all processes when one of them is gone, when there is none, and every half minute.
my $is_daemon = sub { vakt_first("$_[0]/comm") =~ /^(?:mysqld|mariadbd)$/ };
my @known = @{$vakt_daemons{found} || []};
if (!@known || time - $vakt_daemons{at} >= 30 || time < $vakt_daemons{at} || grep { !$is_daemon->($_) } @known) {
    @known = grep { $is_daemon->($_) } vakt_in(0, '/proc', '^\d+$');
    %vakt_daemons = (at => time, found => \@known);
}
for my $process (@known) {
    my ($state) = vakt_first("$process/stat") =~ /.*\) (\S+)/;
    my $group = '';
    if (open my $handle, '<', "$process/cgroup") {
        while (<$handle>) { $group = $1 if m{([^/\n]*\.service)$} }
    }
    my ($number) = $process =~ /(\d+)$/;
    $o .= "process:$number $state $group\n";
}
