#!/usr/bin/perl
# One application that writes: RATE inserts per second through HOST:3306 for at most SECONDS, each
# recorded in FILE as "start(epoch ms) id result latency(ms)". result is ok only when the server
# acknowledged the commit; else the error. Speaks just enough of the protocol for an account
# without a password. Only modules of perl-base.
use strict;
use warnings;
use Errno qw(EINPROGRESS);
use IO::Handle;
use IO::Select;
use Socket qw(:DEFAULT SOCK_NONBLOCK);
use Time::HiRes qw(time sleep);

my ($host, $rate, $seconds, $file, $first) = @ARGV;
die "usage: sql.pl HOST RATE SECONDS FILE [FIRST-ID]\n" unless $file;
my $patience = 5;
my $stop = 0;
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';
open(my $log, '>>', $file) or die "$file: $!\n";
$log->autoflush(1);
my ($socket, $deadline, $buffer);

# Exactly that many bytes before the deadline, or an exception that names the reason.
sub take {
    my $bytes = shift;
    while (length $buffer < $bytes) {
        my $left = $deadline - time;
        die "timeout\n" if $left <= 0;
        # A signal that ends the load interrupts the wait; the answer still counts.
        IO::Select->new($socket)->can_read($left) or next;
        my $n = sysread($socket, $buffer, 16384, length $buffer);
        die "lost connection\n" unless $n;
    }
    return substr($buffer, 0, $bytes, '');
}

sub packet {
    my ($low, $high, $number) = unpack('vCC', take(4));
    return (take($low | $high << 16), $number);
}

sub put {
    my ($payload, $number) = @_;
    syswrite($socket, pack('vCC', length($payload) & 0xffff, length($payload) >> 16, $number) . $payload)
        or die "lost connection\n";
}

sub check {
    my $payload = shift;
    return if ord($payload) == 0x00;
    die 'error ' . unpack('x v', $payload) . "\n" if ord($payload) == 0xff;
    die "unexpected answer\n";
}

sub connect_server {
    $buffer = '';
    socket($socket, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) or die "socket\n";
    unless (connect($socket, pack_sockaddr_in(3306, inet_aton($host)))) {
        die "refused\n" unless $! == EINPROGRESS;
        die "timeout\n" unless IO::Select->new($socket)->can_write($deadline - time);
        die "refused\n" if unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR));
    }
    my ($greeting, $number) = packet();
    check($greeting) if ord($greeting) == 0xff;
    # LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH; utf8; no password.
    put(pack('VVC x23', 0x1 | 0x200 | 0x8000 | 0x80000, 1 << 24, 33) . "writer\0\0mysql_native_password\0", $number + 1);
    my ($answer, $next) = packet();
    if (ord($answer) == 0xfe) {    # asked to switch the method: an empty proof again
        put('', $next + 1);
        ($answer) = packet();
    }
    check($answer);
}

my $end = time + $seconds;
my $next = time;
my $id = $first // int(time * 1000) * 100;
while (!$stop && time < $end) {
    my $now = time;
    if ($now < $next) {
        sleep($next - $now);
        next;
    }
    $next += 1 / $rate;
    $next = $now if $next < $now - 1;
    $id++;
    my $start = time;
    $deadline = $start + $patience;
    my $result = eval {
        connect_server() unless $socket;
        put("\x03INSERT INTO lab.writes (id) VALUES ($id)", 0);
        check((packet())[0]);
        'ok';
    };
    if (!$result) {
        chomp($result = $@);
        close $socket if $socket;
        undef $socket;
    }
    # Whoever reads the records has ended.
    printf $log "%.0f\t%d\t%s\t%.1f\n", $start * 1000, $id, $result, (time - $start) * 1000 or last;
}
