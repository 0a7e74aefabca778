# The kept reader's loop. An order is a line, "NONCE NUMBER LENGTH", and LENGTH bytes of a program that is kept under
# NUMBER; without them the kept one runs. A program appends to $o, which is sent whole, between two lines with the nonce.
open STDERR, '>', '/dev/null';
our $o;
my $in = '';
my @programs;
while (1) {
    while ($in !~ /\n/) { sysread(STDIN, $in, 65536, length $in) or exit }
    (my $order, $in) = split /\n/, $in, 2;
    my ($nonce, $number, $length) = split / /, $order;
    while (length $in < $length) { sysread(STDIN, $in, 65536, length $in) or exit }
    $programs[$number] = eval 'sub {' . substr($in, 0, $length, '') . "\n}" if $length;
    $o = '';
    my $status = eval { $programs[$number]->(); 1 } ? 0 : 1;
    my $answer = "$nonce\n$o\n$nonce $status\n";
    for (my $sent = 0; $sent < length $answer;) { $sent += syswrite(STDOUT, $answer, length $answer, $sent) || exit }
}
