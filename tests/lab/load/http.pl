#!/usr/bin/perl
# HTTP visitors: RATE new connections per second to HOST for at most SECONDS, each recorded in FILE
# as "start(epoch ms) code latency(ms) node". code is the HTTP status, or refused, timeout, reset...
# Only modules of perl-base: every Debian has them.
use strict;
use warnings;
use Errno qw(EINPROGRESS ECONNREFUSED EHOSTUNREACH);
use IO::Handle;
use IO::Select;
use Socket qw(:DEFAULT SOCK_NONBLOCK);
use Time::HiRes qw(time);

my ($host, $rate, $seconds, $file) = @ARGV;
die "usage: http.pl HOST RATE SECONDS FILE\n" unless $file;
my $patience = 5;    # seconds until a request counts as lost
my $stop = 0;
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';
open(my $log, '>>', $file) or die "$file: $!\n";
$log->autoflush(1);

my $address = pack_sockaddr_in(80, inet_aton($host));
my (%open, $writing, $reading);
$writing = IO::Select->new;
$reading = IO::Select->new;

sub finish {
    my ($socket, $code) = @_;
    my $request = delete $open{fileno $socket};
    $writing->remove($socket);
    $reading->remove($socket);
    my ($node) = $request->{answer} =~ /^x-node:\s*(\S+)/mi;
    printf $log "%.0f\t%s\t%.1f\t%s\n", $request->{start} * 1000, $code,
        (time - $request->{start}) * 1000, $node // '-';
    close $socket;
}

sub reason {
    my $errno = shift;
    return 'refused' if $errno == ECONNREFUSED;
    return 'unreachable' if $errno == EHOSTUNREACH;
    return 'reset';
}

sub begin {
    socket(my $socket, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) or return;
    $open{fileno $socket} = {start => time, answer => '', socket => $socket};
    if (connect($socket, $address) || $! == EINPROGRESS) {
        $writing->add($socket);
    } else {
        finish($socket, reason($!));
    }
}

# The connection is there, or has failed.
sub ready_to_write {
    my $socket = shift;
    my $errno = unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR));
    return finish($socket, reason($errno)) if $errno;
    syswrite($socket, "GET / HTTP/1.0\r\nHost: $host\r\nUser-Agent: lab\r\n\r\n") or return finish($socket, 'reset');
    $writing->remove($socket);
    $reading->add($socket);
}

sub ready_to_read {
    my $socket = shift;
    my $request = $open{fileno $socket};
    my $n = sysread($socket, $request->{answer}, 16384, length $request->{answer});
    return if $n;
    return finish($socket, 'reset') unless defined $n;
    my ($code) = $request->{answer} =~ m{^HTTP/1\.\d (\d{3})};
    finish($socket, $code // 'empty');
}

my $end = time + $seconds;
my $next = time;
while ((!$stop && time < $end) || %open) {
    my $now = time;
    if (!$stop && $now < $end && $now >= $next) {
        begin();
        $next += 1 / $rate;
        $next = $now if $next < $now - 1;    # after a pause of this machine: no burst
    }
    my $wait = $stop || $now >= $end ? 0.1 : $next - $now;
    my ($readable, $writable) =
        IO::Select->select($reading, $writing, undef, $wait > 0 ? $wait : 0);
    ready_to_write($_) for @{$writable // []};
    ready_to_read($_) for @{$readable // []};
    for my $request (values %open) {
        finish($request->{socket}, 'timeout') if time - $request->{start} > $patience;
    }
}
