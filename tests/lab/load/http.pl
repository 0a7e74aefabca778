#!/usr/bin/perl
# HTTP visitors of three kinds, for at most SECONDS, each request recorded in FILE as
# "start(epoch ms) code latency(ms) node kind". code is the HTTP status, or refused, timeout, reset...
#   short  RATE new connections per second, one quick page each
#   slow   SLOW_RATE new connections per second, one page that takes about two seconds
#   kept   KEPT connections that stay open and ask for a page five times a second
# Only modules of perl-base: every Debian has them.
use strict;
use warnings;
use Errno qw(EINPROGRESS ECONNREFUSED EHOSTUNREACH);
use IO::Handle;
use IO::Select;
use Socket qw(:DEFAULT SOCK_NONBLOCK);
use Time::HiRes qw(time);

my ($host, $rate, $slow_rate, $kept, $seconds, $file) = @ARGV;
die "usage: http.pl HOST RATE SLOW_RATE KEPT SECONDS FILE\n" unless $file;
my $patience = 10;       # seconds until a request counts as lost
my $kept_pause = 0.2;    # between two requests of one kept connection
my $stop = 0;
$SIG{TERM} = $SIG{INT} = sub { $stop = 1 };
$SIG{PIPE} = 'IGNORE';
open(my $log, '>>', $file) or die "$file: $!\n";
$log->autoflush(1);

my $address = pack_sockaddr_in(80, inet_aton($host));
my $writing = IO::Select->new;
my $reading = IO::Select->new;
my %open;      # by file number: {socket, kind, start, answer, busy, rest}
my @resting;   # kept connections without a request, and those to be opened again

sub record {
    my ($request, $code) = @_;
    my ($node) = $request->{answer} =~ /^x-node:\s*(\S+)/mi;
    printf $log "%.0f\t%s\t%.1f\t%s\t%s\n", $request->{start} * 1000, $code,
        (time - $request->{start}) * 1000, $node // '-', $request->{kind};
}

sub leave {
    my $request = shift;
    delete $open{fileno $request->{socket}};
    $writing->remove($request->{socket});
    $reading->remove($request->{socket});
    close $request->{socket};
    push @resting, {kind => 'kept', rest => time + $kept_pause} if $request->{kind} eq 'kept';
}

sub finish {
    my ($request, $code) = @_;
    record($request, $code);
    leave($request);
}

sub reason {
    my $errno = shift;
    return 'refused' if $errno == ECONNREFUSED;
    return 'unreachable' if $errno == EHOSTUNREACH;
    return 'reset';
}

sub begin {
    my $kind = shift;
    socket(my $socket, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) or return;
    my $request = {start => time, answer => '', socket => $socket, kind => $kind, busy => 1};
    $open{fileno $socket} = $request;
    if (connect($socket, $address) || $! == EINPROGRESS) {
        $writing->add($socket);
    } else {
        finish($request, reason($!));
    }
}

sub ask {
    my $request = shift;
    my $path = $request->{kind} eq 'slow' ? '/slow' : '/';
    my $version = $request->{kind} eq 'kept' ? '1.1' : '1.0';
    my $text = "GET $path HTTP/$version\r\nHost: $host\r\nUser-Agent: lab\r\n\r\n";
    return syswrite($request->{socket}, $text) ? 1 : 0;
}

# The connection is there, or has failed.
sub ready_to_write {
    my $socket = shift;
    my $request = $open{fileno $socket};
    my $errno = unpack('i', getsockopt($socket, SOL_SOCKET, SO_ERROR));
    return finish($request, reason($errno)) if $errno;
    ask($request) or return finish($request, 'reset');
    $writing->remove($socket);
    $reading->add($socket);
}

sub ready_to_read {
    my $socket = shift;
    my $request = $open{fileno $socket};
    my $n = sysread($socket, $request->{answer}, 16384, length $request->{answer});
    # An idle kept connection may be closed by the other side at any time; it lost nothing.
    return leave($request) if !$n && !$request->{busy};
    return finish($request, 'reset') unless defined $n;
    my ($head, $body) = split /\r\n\r\n/, $request->{answer}, 2;
    my ($code) = $head =~ m{^HTTP/1\.\d (\d{3})};
    my ($length) = $head =~ /^content-length:\s*(\d+)/mi;
    my $whole = defined $body && defined $length && length $body >= $length;
    return finish($request, !defined $code ? 'empty' : $whole || !defined $length ? $code : 'cut') unless $n;
    return unless $whole && $request->{kind} eq 'kept';
    record($request, $code // 'empty');
    @$request{qw(busy rest answer)} = (0, time + $kept_pause, '');
    leave($request) if $head =~ /^connection:\s*close/mi;
}

my $end = time + $seconds;
my %next = (short => time, slow => time);
my %every = (short => $rate > 0 ? 1 / $rate : 0, slow => $slow_rate > 0 ? 1 / $slow_rate : 0);
push @resting, map { {kind => 'kept', rest => time + $_ * $kept_pause / $kept} } 1 .. $kept;
while ((!$stop && time < $end) || grep { $_->{busy} } values %open) {
    my $now = time;
    my $running = !$stop && $now < $end;
    my $wait = 0.1;
    if ($running) {
        for my $kind (qw(short slow)) {
            next unless $every{$kind};
            if ($now >= $next{$kind}) {
                begin($kind);
                $next{$kind} += $every{$kind};
                $next{$kind} = $now if $next{$kind} < $now - 1;    # after a pause of this machine: no burst
            }
            $wait = $next{$kind} - $now if $next{$kind} - $now < $wait;
        }
        my @due = grep { $_->{rest} <= $now } @resting;
        @resting = grep { $_->{rest} > $now } @resting;
        begin('kept') for @due;
        for my $request (grep { !$_->{busy} && $_->{rest} <= $now } values %open) {
            @$request{qw(start busy)} = ($now, 1);
            ask($request) or finish($request, 'reset');
        }
        $wait = 0.02 if $kept && $wait > 0.02;
    }
    my ($readable, $writable) = IO::Select->select($reading, $writing, undef, $wait > 0 ? $wait : 0);
    ready_to_write($_) for @{$writable // []};
    ready_to_read($_) for @{$readable // []};
    for my $request (values %open) {
        finish($request, 'timeout') if $request->{busy} && time - $request->{start} > $patience;
    }
}
