"""Guarded doors: one per format through which structure from strangers comes in.

Whatever a file says, what these functions hand out is of honest size and depth and holds finite numbers;
everything else is one :class:`zerosight.errors.DamagedError`, a ``ValueError`` of one short line. The linter
forbids the unguarded readers everywhere else, so that the next reader of files cannot forget.
"""
