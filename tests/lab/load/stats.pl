#!/usr/bin/perl
# Takes every connection that HAProxy's stats socket allows and keeps them: stats.pl SOCKET.
# It first ends the conversations that were there before, so that those who held them have to ask for
# a new one, like everybody else. Only modules of perl-base.
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;

my $path = shift or die "usage: stats.pl SOCKET\n";
my $wanted = 18;    # HAProxy allows ten by default; the rest waits in its queue, which takes eleven
my $pause = 5;      # seconds; HAProxy ends a conversation that is silent for "stats timeout"
$SIG{PIPE} = 'IGNORE';

sub opened {
    my $socket = IO::Socket::UNIX->new(Peer => $path) or return;
    syswrite($socket, "prompt\n");
    return $socket;
}

# What comes until nothing has come for half a second.
sub heard {
    my $socket = shift;
    my $text = '';
    while (IO::Select->new($socket)->can_read(0.5)) {
        sysread($socket, $text, 65536, length $text) or last;
    }
    return $text;
}

# Whoever asks is on the list, too; so one asks, and another one, which came later, ends them all.
my $first = opened() or die "$path: $!\n";
heard($first);
syswrite($first, "show sess\n");
my @before = heard($first) =~ /^(0x[0-9a-f]+): proto=unix_stream [^\n]*fe=GLOBAL/mg;
my $second = opened() or die "$path: $!\n";
heard($second);
my @kept = ($second, grep { $_ } map { opened() } 2 .. $wanted);
for my $id (@before) {
    syswrite($second, "shutdown session $id\n");
    heard($second);
}

while (1) {
    sleep $pause;
    for my $socket (@kept) {
        IO::Select->new($socket)->can_read(0) and sysread($socket, my $answer, 65536);
        defined syswrite($socket, "\n") or $socket = opened() // $socket;
    }
}
