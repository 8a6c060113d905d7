"""What can be said from scores without each block of rows: contrasts, ranks, support of clades."""
