# Each kernel file that is there, whole, behind a line with its length; of one that is longer than 64 KiB the lines that match
# $vakt_select. Open files are kept and read again from the start.
sub vakt_send {
    for my $file (@_) {
        for my $try (1, 2) {
            my $handle = delete $vakt_open{$file};
            unless ($handle && sysseek $handle, 0, 0) { open $handle, '<', $file or last }
            my $text = '';
            my $count;
            while (($count = sysread $handle, $text, 65536, length $text) && length $text < 1048576) { }
            next unless defined $count;
            $vakt_open{$file} = $handle if keys %vakt_open < 200;
            if (length $text >= 65536) { $o .= join '', map { "$file:$_\n" } grep { /$vakt_select/ } split /\n/, $text }
            elsif (length $text) { $o .= 'file:' . length($text) . " $file\n$text\n" }
            last;
        }
    }
}

# The lines of other files that match, each behind its file's name: what does not match may be a secret. A file is taken
# apart again when it is not what it was.
sub vakt_lines {
    my ($pattern, @files) = @_;
    for my $file (@files) {
        my @is = stat $file or next;
        my $is = "@is[0, 1, 7, 9, 10]";
        my $known = $vakt_known{$file};
        unless ($known && $known->[0] eq $is) {
            open my $handle, '<', $file or next;
            my $text = '';
            while (sysread $handle, $text, 65536, length $text and length $text < 1048576) { }
            $known = [$is, join '', map { "$file:$_\n" } grep { /$pattern/ } split /\n/, $text];
            # One that changed just now may change again within the second that its time is told in.
            if ($is[9] < time - 2 && keys %vakt_known < 200) { $vakt_known{$file} = $known } else { delete $vakt_known{$file} }
        }
        $o .= $known->[1];
    }
}

# Paths in a folder, looked up again after so many seconds.
sub vakt_in {
    my ($seconds, $folder, $pattern) = @_;
    my $known = $seconds ? $vakt_folders{"$folder $pattern"} ||= [0] : [0];
    if (time - $known->[0] >= $seconds || time < $known->[0]) {
        my @names;
        if (opendir my $handle, $folder) { @names = sort grep { !/^\.|\n/ && /$pattern/ } readdir $handle }
        @$known = (time, map { "$folder/$_" } @names);
    }
    return @$known[1 .. $#$known];
}

# The first line of a file.
sub vakt_first {
    open my $handle, '<', $_[0] or return '';
    my $line = <$handle>;
    chomp $line if defined $line;
    return defined $line ? $line : '';
}

# What the block adds, kept for so many seconds.
sub vakt_kept {
    my ($seconds, $name, $block) = @_;
    my $known = $vakt_texts{$name} ||= [0, ''];
    if (time - $known->[0] >= $seconds || time < $known->[0]) {
        my $before = $o;
        $o = '';
        $block->();
        @$known = (time, $o);
        $o = $before;
    }
    $o .= $known->[1];
}

