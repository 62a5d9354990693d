"""Exit statuses of a process that whoever starts it must tell apart (numbers of sysexits). 0 = all is done."""

FAIL_STOP = 70
"""The unexpected (EX_SOFTWARE): nothing of what was in work is acknowledged, and the next start does it again."""

STOPPED_LATE = 75
"""A stop that left a call without its answer (EX_TEMPFAIL): nothing is lost, the next start settles it, but what was
asked stands still and wants a look."""

TRIPPED = 78
"""The ceiling of refusals was reached (EX_CONFIG): the same version would only do it again."""
