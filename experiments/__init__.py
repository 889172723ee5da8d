"""What docs/results.md rests on: a list of runs, what runs them, and what writes the page from their results."""
