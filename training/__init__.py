"""Training: what is trained and its state, and the folder of a training run."""
