"""The command line: one file per command; the work is in the library."""
