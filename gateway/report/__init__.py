"""How much of what was due arrived and counts: the validity report, pure."""
