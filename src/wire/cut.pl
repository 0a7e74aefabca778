my $count = 0;
if (open my $routes, '<', '/proc/net/route') {
    while (<$routes>) {
        if (++$count > 2000) { $o .= "unread:long\n"; last }
        my ($interface, $address, $flags, $metric, $mask) = (split)[0, 1, 3, 6, 7];
        $o .= "cut:$address $flags $metric\n" if defined $mask && "$interface$mask" eq '*FFFFFFFF';
    }
}
$o .= "unread:missing\n" unless $count;
for my $name (qw(ip ss)) {
    $o .= "lacks:$name\n" unless grep { -x "$_/$name" } split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin';
}
