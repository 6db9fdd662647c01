"""What the platform costs, measured beside what a user would run instead, in one run, as ratios."""
