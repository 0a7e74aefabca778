$vakt_select = '^ *[0-9]+: [0-9A-F]+:[0-9A-F]{4} 0+:0000 0[A7] | fstype nfs| 03 +[0-9]+ /\S*haproxy\S*$|^\s+(age|xprt):|^\s+[A-Z_0-9]+: [1-9]';

# Sockets that wait to be spoken to, asked of the kernel as ss does, without a process; printed as its own tables are.
# Families are 2 and 10, protocols 6 and 17; states are bits: 10 listens, 7 is connected to nobody.
my $sockets = '';
TABLE: for (['tcp', 2, 6, 10], ['tcp6', 10, 6, 10], ['udp', 2, 17, 7], ['udp6', 10, 17, 7]) {
    my ($table, $family, $protocol, $state) = @$_;
    socket my $kernel, 16, 3, 4 or do { $sockets = undef; last };
    my $question = pack 'LSSLL CCCCL x48', 72, 20, 0x301, 1, 0, $family, $protocol, 0, 0, 1 << $state;
    syswrite $kernel, $question or do { $sockets = undef; last };
    for (my $parts = 0; $parts < 4096; $parts++) {
        my $ready = '';
        vec($ready, fileno $kernel, 1) = 1;
        my $answer;
        unless (select($ready, undef, undef, 1) > 0 && sysread $kernel, $answer, 65536) { $sockets = undef; last TABLE }
        while (length $answer >= 16) {
            my ($length, $kind) = unpack 'LS', $answer;
            next TABLE if $kind == 3;
            unless ($kind == 20 && $length >= 56 && $length <= length $answer) { $sockets = undef; last TABLE }
            my $port = unpack 'n', substr $answer, 20, 2;
            my @address = unpack $family == 2 ? 'L' : 'L4', substr $answer, 24, 16;
            $sockets .= sprintf "/proc/net/%s: 0: %s:%04X 00000000:0000 %02X\n", $table, join('', map { sprintf '%08X', $_ } @address), $port, $state;
            substr $answer, 0, ($length + 3) & ~3, '';
        }
    }
}
$o .= "tables:yes\n";
if (defined $sockets) { $o .= $sockets } else { vakt_send(qw(/proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6)) }

for (vakt_in(15, '/etc/systemd/system/multi-user.target.wants', '\.service$'), vakt_in(15, '/etc/rc3.d', '^S')) {
    $o .= "enabled:$1\n" if m{([^/]*(?:memcached|nginx|apache2|httpd|php.*fpm)[^/]*)$};
}

my $run = -d '/run/systemd' ? '/run' : '/var/run';
my $serves;
my @workers;
for my $file (map({ "$run/$_" } qw(nginx.pid apache2/apache2.pid apache2.pid httpd/httpd.pid httpd.pid)),
    vakt_in(15, "$run/php", '^php.*-fpm\.pid$'), map({ "$run/$_" } qw(php-fpm/php-fpm.pid php-fpm.pid))) {
    next unless -r $file;
    my ($master) = vakt_first($file) =~ /^\s*(\d+)/;
    next unless defined $master && -d "/proc/$master";
    $serves = 1;
    $o .= "master:$master $file\n";
    my $children = "/proc/$master/task/$master/children";
    my @children = -r $children ? split(' ', vakt_first($children)) : split(' ', `ps -o pid= --ppid $master`);
    for (@children) { push @workers, "/proc/$_/status" if @workers < 512 }
}
vakt_send('/proc/self/mountstats', '/proc/sys/net/ipv4/ip_local_port_range');
for my $worker (@workers) {
    open my $handle, '<', $worker or next;
    sysread $handle, my $text, 65536;
    $o .= join '', map { "$worker:$_\n" } grep { /^(?:Name|PPid|VmRSS|RssAnon|Threads):/ } split /\n/, $text;
}
if (-d '/etc/haproxy') {
    vakt_send('/proc/net/unix');
    vakt_lines('^\s*stats\s+maxconn\s', '/etc/haproxy/haproxy.cfg');
}
if ($serves) {
    vakt_send('/proc/net/snmp');
    vakt_lines('^\s*(?:worker_processes|MaxRequestWorkers|MaxClients|ServerLimit|ThreadsPerChild|pm\.max_children|</?IfModule)[\s=>]',
        '/etc/nginx/nginx.conf', '/etc/apache2/apache2.conf', vakt_in(15, '/etc/apache2/mods-enabled', '^mpm_.*\.conf$'),
        '/etc/httpd/conf/httpd.conf', vakt_in(15, '/etc/httpd/conf.d', 'mpm.*\.conf$'),
        vakt_in(15, '/etc/httpd/conf.modules.d', 'mpm.*\.conf$'),
        map({ vakt_in(15, "$_/fpm/pool.d", '\.conf$') } vakt_in(15, '/etc/php', '.')), vakt_in(15, '/etc/php-fpm.d', '\.conf$'));
}
