"""A page about a run, to look at."""
