$vakt_select = '^\s+\|-- |host LOCAL$|^[0-9a-f]{32} |^[0-9.]+ +0x[0-9a-f]+ +0x';
my $run = -d '/run/systemd' ? '/run' : '/var/run';
my @stats;
for my $file (map { "$run/$_" } qw(keepalived.pid keepalived/keepalived.pid vrrp.pid keepalived/vrrp.pid keepalived_vrrp.pid)) {
    next unless -r $file;
    my ($number) = vakt_first($file) =~ /^\s*(\d+)/;
    push @stats, "/proc/$number/stat" if defined $number;
}
$o .= "hidden:yes\n" unless -d '/proc/1';
my @enabled = vakt_in(30, '/etc/systemd/system', '\.wants$');
push @enabled, map { vakt_in(30, $_, '^S[0-9][0-9]keepalived$') } '/etc/rc3.d', '/etc/rc5.d';
$o .= "enabled:keepalived\n" if grep { -e (/\.wants$/ ? "$_/keepalived.service" : $_) } @enabled;

# Of keepalived's configuration the lines of blocks that matter, by their first word; lines of one word, or of an address or a
# name with what may follow it, stand in such blocks.
my $configuration = '/etc/keepalived/keepalived.conf';
if (my @is = stat $configuration) {
    my $is = "@is[0, 1, 7, 9, 10]";
    unless (defined $vakt_vrrp{is} && $vakt_vrrp{is} eq $is && $is[9] < time - 2) {
        my ($text, @tracked) = ('');
        open my $handle, '<', $configuration;
        while (defined(my $line = <$handle>)) {
            last if $. > 4000;
            chomp $line;
            my ($key, $value, $rest) = $line =~ /^\s*(\S*)\s*(\S*)\s*(.*?)\s*$/;
            if ($key eq 'file') {
                push @tracked, $1 if $value =~ m{^"?([A-Za-z0-9_./:-]+)"?$};
            } elsif ($key !~ /^(vrrp_instance|state|interface|priority|virtual_router_id|nopreempt|advert_int|preempt_delay|weight|\}.*)$/
                && "$key$value$rest" !~ /\{$/) {
                next unless $key =~ m{^[A-Za-z0-9_.:/-]+$};
                next unless $value =~ /^(dev|weight|label|scope|brd)?$/;
            }
            $text .= "$configuration:$key $value $rest\n";
        }
        %vakt_vrrp = (is => $is, text => $text, tracked => \@tracked);
    }
    $o .= $vakt_vrrp{text};
    for my $file (@{$vakt_vrrp{tracked}}) {
        next unless -f $file;
        my ($number) = vakt_first($file) =~ /^\s*(-?\d{1,4})\s*$/;
        $o .= "$file:$number\n" if defined $number;
    }
}

vakt_kept(3, 'states', sub { vakt_send(map { "$_/operstate" } vakt_in(3, '/sys/class/net', '.')) });
vakt_kept(30, 'addresses', sub { vakt_send(map { "$_/address" } vakt_in(30, '/sys/class/net', '.')) });
if (-r '/proc/net/fib_trie') { vakt_send('/proc/net/fib_trie') }
else { $o .= `PATH=\$PATH:/sbin:/usr/sbin ip -o addr show` }
vakt_send('/proc/net/if_inet6', '/proc/net/arp');
for my $stat (@stats) {
    my $line = vakt_first($stat);
    $o .= "$stat:$line\n" if length $line;
}
