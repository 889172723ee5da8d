"""Training: the run from epoch to epoch, what changes in it, its folder, its resumption and its accuracy."""
